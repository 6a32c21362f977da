//! execve(2) refused: mode bits, or file capabilities outside the bounding set.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::reader::{context::LineContext, errno::compile, path_kind, verb};
use crate::model::obstacle::{Category, Errno, Operation};

pub(super) const PATTERN: Pattern = Pattern {
    id: "exec",
    title: "a program could not be started",
    explain: "execve(2) gives EACCES where the file or its directory lacks the execute bit for this user, and EPERM where the \
              file carries a capability that the container may not have: dropping ALL empties the bounding set, and a file \
              capability with its effective bit set then refuses to start at all.",
    source: "execve(2), capabilities(7) \"Safety checking for capability-dumb binaries\"; runc, dash, bash, coreutils env.c",
    signals: &[],
    examples: &[
        Example {
            log: "exec: \"/srv/run.sh\": permission denied: unknown",
            expected: "exec EACCES /srv/run.sh not-executable",
        },
        Example {
            log: "exec /srv/server: operation not permitted",
            expected: "exec EPERM /srv/server capability-missing",
        },
        Example {
            log: "exec container process `/srv/run.sh`: Permission denied",
            expected: "exec EACCES /srv/run.sh not-executable",
        },
        Example {
            log: "sh: 1: /srv/run.sh: Permission denied",
            expected: "exec EACCES /srv/run.sh not-executable",
        },
        Example {
            log: "/srv/worker.sh: 5: ping: Operation not permitted",
            expected: "exec EPERM ping capability-missing",
        },
        Example {
            log: "bash: /usr/local/bin/run: Permission denied",
            expected: "exec EACCES /usr/local/bin/run not-executable",
        },
        Example {
            log: "[FATAL tini (7)] exec /srv/run.sh failed: Permission denied",
            expected: "exec EACCES /srv/run.sh not-executable",
        },
        Example {
            log: "/srv/start.sh: exec: line 12: agentd: Operation not permitted",
            expected: "exec EPERM agentd capability-missing",
        },
        Example {
            log: "/usr/local/bin/start.sh: line 10: /etc/app/settings.php: Permission denied",
            expected: "open EACCES /etc/app/settings.php unwritable-path",
        },
        Example {
            log: "Nov 24 10:11:12 /superd: game /srv/bin/game: line 12: /srv/game/server.x86_64: Permission denied",
            expected: "exec EACCES /srv/game/server.x86_64 not-executable",
        },
        Example {
            log: "/srv/start.sh: 7: /srv/start.sh: ./worker.sh: Permission denied",
            expected: "exec EACCES ./worker.sh not-executable",
        },
        Example {
            log: "b'starting process caused \"exec: \\\\\\\"/srv/run.sh\\\\\\\": permission denied\"'",
            expected: "exec EACCES /srv/run.sh not-executable",
        },
        Example {
            log: "bash: /srv/run.sh: /bin/bash: bad interpreter: Permission denied",
            expected: "exec EACCES /srv/run.sh not-executable",
        },
        Example {
            log: "/usr/bin/env: 'node': Permission denied",
            expected: "exec EACCES node not-executable",
        },
        Example {
            log: "/bin/sh: /root/start: Permission denied",
            expected: "open EACCES /root/start unreadable-file",
        },
        Example {
            log: "./run.sh: permission denied",
            expected: "exec EACCES ./run.sh not-executable",
        },
        Example {
            log: "env: '/srv/run.sh': Permission denied",
            expected: "exec EACCES /srv/run.sh not-executable",
        },
        Example {
            log: "fork/exec /srv/run: permission denied",
            expected: "exec EACCES /srv/run not-executable",
        },
        Example {
            log: "error: exec: \"/srv/bin/agentd\": stat /srv/bin/agentd: permission denied",
            expected: "exec EACCES /srv/bin/agentd not-executable",
        },
    ],
    near_misses: &[
        "exec /srv/run.sh: exec format error",
        "exec /srv/run.sh: no such file or directory",
        "exec: \"run\": executable file not found in $PATH",
    ],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    let whole_messages = [by_interpreter, by_env, by_shell, script, looked_for];
    if let Some(finding) = whole_messages.iter().find_map(|read| read(context)) {
        return Some(finding);
    }
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[
            r"exec(?:ve|vp|vpe|v|l|lp)?",
            r"fork/exec",
            r"(?:posix_)?spawn(?:ing|ed|p)?(?: child)?",
            r"execut(?:e|ing|able)(?: (?:command|file|script|binary))?",
            r"start(?:ing)? (?:container )?(?:process|command)",
            r"run(?:ning)? (?:command|script|hook|program)",
            r"(?:failed|unable|cannot|could not) (?:to )?run",
            r"(?:/\S*/)?(?:env|nohup|timeout|nice|setsid|stdbuf|chpst|setpriv|su-exec|gosu|tini|dumb-init|catatonit|xargs|entrypoint|start-stop-daemon|sudo|s6-\w+|runsv|unshare)\]?(?: \(\d+\)\])?",
            r"cannot run program",
            r"launch(?:ing)?",
            r"invoke",
        ])
    });
    let refusal = context.refusal()?;
    let verb = context.verb(&WORDS, Operation::Exec)?;
    // A program that starts itself anew in other namespaces: clone(2) was refused, not the file.
    if refusal.errno == Errno::Eperm && context.text().contains("/proc/self/exe") {
        return Some(
            Finding::new(Operation::Other, Category::Seccomp)
                .errno(refusal.errno)
                .confidence(verb.confidence),
        );
    }
    if refusal.errno == Errno::Erofs {
        return None;
    }
    Some(finding(refusal.errno, context.object(verb)).confidence(verb.confidence))
}

fn finding(errno: Errno, path: Option<String>) -> Finding {
    let category =
        if errno == Errno::Eperm { Category::CapabilityMissing } else { Category::NotExecutable };
    Finding::new(Operation::Exec, category).errno(errno).path(path)
}

/// `bash: /srv/run.sh: /bin/bash: bad interpreter: Permission denied`: the script's file system is
/// mounted noexec, or its interpreter lacks the bit.
fn by_interpreter(context: &LineContext) -> Option<Finding> {
    static BAD: LazyLock<Regex> =
        LazyLock::new(|| compile(r"(?P<what>[^\s:]+): \S+: bad interpreter: ?$"));
    let refusal = context.refusal()?;
    let what = BAD.captures(context.text().get(..refusal.span.start)?)?.name("what")?.as_str();
    (refusal.errno != Errno::Erofs).then(|| finding(refusal.errno, Some(what.to_owned())))
}

/// `/usr/bin/env: 'node': Permission denied`
fn by_env(context: &LineContext) -> Option<Finding> {
    static ENV: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r#"^(?:/\S*/)?(?:env|nohup|timeout|nice|stdbuf|setsid): (?:failed to run command )?['‘`"](?P<what>[^'’"]+)['’"]: ?$"#,
        )
    });
    let refusal = context.refusal()?;
    let what = ENV.captures(context.text().get(..refusal.span.start)?)?.name("what")?.as_str();
    (refusal.errno != Errno::Erofs).then(|| finding(refusal.errno, Some(what.to_owned())))
}

/// A script that starts the message and is all of it: `./run.sh: permission denied`, as runtimes
/// and shells end theirs.
fn script(context: &LineContext) -> Option<Finding> {
    static SCRIPT: LazyLock<Regex> =
        LazyLock::new(|| compile(r"^(?P<what>(?:\./|/)\S*\.(?:sh|bash|py|pl|rb)): ?$"));
    let refusal = context.refusal()?;
    let what = SCRIPT.captures(context.text().get(..refusal.span.start)?)?.name("what")?.as_str();
    (refusal.errno != Errno::Erofs).then(|| finding(refusal.errno, Some(what.to_owned())))
}

/// Go's exec.Error around the stat(2) of what it was to start: `exec: "/srv/run": stat /srv/run:
/// permission denied`.
fn looked_for(context: &LineContext) -> Option<Finding> {
    static LOOKED: LazyLock<Regex> =
        LazyLock::new(|| compile(r#"\bexec: "(?P<what>[^"]+)": l?stat \S+: $"#));
    let refusal = context.refusal()?;
    let what = LOOKED.captures(context.text().get(..refusal.span.start)?)?.name("what")?.as_str();
    (refusal.errno != Errno::Erofs).then(|| finding(refusal.errno, Some(what.to_owned())))
}

/// A shell's own message: `sh: 1: NAME: Permission denied`, `SCRIPT: line 3: NAME: Operation not
/// permitted`. Only bash says the same of a redirection, and there the file name decides.
fn by_shell(context: &LineContext) -> Option<Finding> {
    static SHELL: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?:^|\s)(?P<name>-?(?:/\S*/)?(?:ba|da|a|z|k|busybox )?sh|\S+)(?:\[\d+\])?: (?P<before>exec: )?(?:(?P<bash>line )?(?P<number>\d+):? )?(?:(?P<again>[^\s:]+): )??(?P<exec>exec: )?(?P<what>[^\s:]+): ?$",
        )
    });
    let refusal = context.refusal()?;
    let captures = SHELL.captures(context.text().get(..refusal.span.start)?)?;
    let what = captures.name("what")?.as_str().trim_matches(|c| "'`‘’\"".contains(c));
    let is_shell = captures
        .name("name")
        .is_some_and(|name| name.as_str().ends_with("sh") && !name.as_str().ends_with(".sh"));
    let numbered = captures.name("number").is_some();
    // dash prints the name of the script twice; any other name there is that of a command which
    // prints the message itself.
    let name = captures.name("name")?;
    let is_of_command = captures.name("again").is_some_and(|again| again.as_str() != name.as_str());
    // A supervisor prints its own name before that of the script.
    if is_of_command || (name.start() > 0 && !numbered) {
        return None;
    }
    // A script that a shell was to read: in the home of root, whatever its mode is, nobody else
    // reaches it; and what bash finds in PATH and may not execute it names with its directory.
    let is_operand =
        name.as_str().ends_with("bash") && !what.contains('/') && captures.name("exec").is_none();
    if !numbered
        && is_shell
        && captures.name("before").is_none()
        && (what.starts_with("/root/") || is_operand)
    {
        return Some(
            Finding::new(Operation::Open, Category::UnreadableFile)
                .errno(refusal.errno)
                .path(Some(what)),
        );
    }
    if !(is_shell || numbered) || refusal.errno == Errno::Erofs || what.starts_with("/dev/") {
        return None;
    }
    let by_dash = numbered && captures.name("bash").is_none();
    let runs = by_dash
        || captures.name("exec").or(captures.name("before")).is_some()
        || refusal.errno == Errno::Eperm
        || is_program(what);
    if runs {
        return Some(finding(refusal.errno, Some(what.to_owned())));
    }
    // A redirection: bash names the file as it would name a program.
    let category = if path_kind::is_in_home(what) {
        Category::HomeUnwritable
    } else {
        Category::UnwritablePath
    };
    Some(Finding::new(Operation::Open, category).errno(refusal.errno).path(Some(what)))
}

/// Whether a name is a program's: in a directory of programs, a script's extension, or no extension
/// at all under `./`.
fn is_program(name: &str) -> bool {
    // What lies in /etc is written by redirections, whatever language it is in.
    let is_setting =
        name.starts_with("/etc/") && !name.ends_with("sh") && !name.starts_with("/etc/init.d/");
    if is_setting {
        return false;
    }
    static PROGRAM: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?:^|/)s?bin/|\.(?:sh|bash|py|pl|rb|run|bin|exe|x86_64|amd64|i386|arm64|aarch64|AppImage)$|^(?:\./)?(?:[\w-]+/)*(?:docker-)?(?:entrypoint|start|run|init|launch|gradlew|mvnw|configure|manage|server|app|main)[\w-]*$|^\./[\w/-]+$|^[\w-]+$",
        )
    });
    PROGRAM.is_match(name)
}
