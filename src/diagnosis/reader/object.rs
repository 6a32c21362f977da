//! The path that a refused verb was applied to.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{
    call_format,
    context::{LineContext, Verb},
    errno::compile,
    path::{self, MessagePath},
};

impl LineContext<'_> {
    /// The path that the verb was applied to: between verb and errno, else behind the errno, else
    /// before the verb, else in a field of the record.
    pub(crate) fn object(&self, verb: Verb) -> Option<String> {
        let text = self.text();
        let paths = self.paths();
        let refusal = self.refusal()?;
        // In `FSWriteError: java.nio.file.AccessDeniedException: /x` the path follows the
        // exception.
        let verb = if text[..refusal.span.end].ends_with("Exception") {
            Verb { end: refusal.span.end, ..verb }
        } else {
            verb
        };
        let behind = |at: usize| {
            paths.iter().find(move |path| {
                path.span.start >= at && !is_program(text, path) && !is_code(text, path)
            })
        };
        let own = |path: &MessagePath| path.text.to_owned();
        if let Some(path) = call_format::path(text, refusal) {
            return Some(path.to_owned());
        }
        // Ruby's `Permission denied @ rb_sysopen - tmp/x`, whatever frames the same line quotes
        // behind it.
        static RUBY: LazyLock<Regex> = LazyLock::new(|| {
            compile(
                r#"^ (?:@ \w+ - (?P<named>[\w./~][^\s,()<>"'`]*)|- (?P<bare>[\w.~-]*/[^\s,()<>"'`]*))"#,
            )
        });
        if let Some(captures) = RUBY.captures(&text[refusal.span.end..]) {
            return captures
                .name("named")
                .or(captures.name("bare"))
                .map(|path| path.as_str().to_owned());
        }
        if verb.end >= refusal.span.end {
            return behind(verb.end)
                .map(own)
                .or_else(|| self.relative(verb, &text[verb.end..]))
                .or_else(|| self.field());
        }
        let between = &text[verb.end.min(refusal.span.start)..refusal.span.start];
        if verb.end > 0 {
            if let Some(path) = behind(verb.end).filter(|path| path.span.start < refusal.span.start)
            {
                return Some(own(path));
            }
            if let Some(path) = self.relative(verb, between) {
                return Some(path);
            }
        }
        if let Some(path) = behind(refusal.span.end) {
            return Some(own(path));
        }
        // `[Errno 13] Permission denied: 'data.db'`
        let after = text[refusal.span.end..].trim_start_matches([')', '"']);
        if let Some(path) =
            after.strip_prefix(": ").and_then(path::quoted_word).filter(|path| path.span.start == 1)
        {
            return Some(path.text.to_owned());
        }
        if let Some(path) = end_of_quote(text, refusal.span.clone()) {
            return Some(path.to_owned());
        }
        // tar names the member first: `tar: a/b: Cannot open: ...`.
        if let Some(member) = text
            .rfind("tar: ")
            .and_then(|at| text[at + 5..].split_once(": "))
            .filter(|(_, message)| message.starts_with("Cannot"))
        {
            return Some(member.0.to_owned());
        }
        let before = paths
            .iter()
            .rev()
            .find(|path| path.span.end <= refusal.span.start && !is_program(text, path));
        before
            .map(own)
            .or_else(|| self.field())
            .or_else(|| {
                path::last_file_name(&text[..refusal.span.start]).map(|path| path.text.to_owned())
            })
            .or_else(|| subject(&text[..refusal.span.start]).map(str::to_owned))
            .or_else(|| self.line_before())
    }

    /// A relative path behind a verb: in quotes, or the one word before the errno. A bare word is the
    /// name of a file by its shape, or as the argument of a command or a system call.
    fn relative(&self, verb: Verb, between: &str) -> Option<String> {
        static CALLS: LazyLock<Regex> = LazyLock::new(|| {
            compile(
                r"(?i)(?:^|[\s:])(?:mkdir|mkdtemp|rmdir|rm|touch|cp|mv|ln|tee|cat|cd|chdir|open(?:at)?|unlink|rename|exec(?:vp?e?)?|spawn|fork/exec|stat|chmod|chown|chgrp|mknod|mkfifo|symlink|link|truncate|env|nohup|nice|timeout|xargs|time|tini|dumb-init|gosu|su-exec|setpriv|can't create|cannot create|can't open|cannot open|cannot touch|create/write to file|run|dir|directory|folder|file)(?:\(\))?$",
            )
        });
        // A word in quotes is the name of a file by its shape, or by the noun or the call before it.
        static FILES: LazyLock<Regex> = LazyLock::new(|| {
            compile(
                r"(?i)\b(?:file|dir|directory|folder|log|tree|script|program|executable|binary|command|database|socket|fifo|link|path|open|create|mkdir|touch|to|of|remove|unlink|rename|stat|on|key|exec|run|load|write|read|move|copy|access|chdir)\W*$",
            )
        });
        let named = |word: &MessagePath| {
            let verb = verb.end.min(self.text().len());
            let before = format!("{}{}", &self.text()[..verb], &between[..word.span.start]);
            path::is_file_name(word.text) || FILES.is_match(&before)
        };
        let word = path::quoted_word(between)
            .filter(named)
            .or_else(|| path::only_word(between).filter(|word| path::is_file_name(word.text)))
            .or_else(|| path::last_file_name(between))
            .or_else(|| {
                let verb = &self.text()[..verb.end.min(self.text().len())];
                path::only_word(between)
                    .filter(|_| CALLS.is_match(verb) && between.trim_end().ends_with(':'))
            })?;
        (!is_noun(word.text)).then(|| word.text.to_owned())
    }

    /// The path at the end of the line before, where perror(3) prints a call alone:
    /// `open: Permission denied`.
    fn line_before(&self) -> Option<String> {
        static ALONE: LazyLock<Regex> = LazyLock::new(|| {
            compile(
                r"^(?:[\w./-]+: )?(?:f?open(?:at|dir)?|mkdir|creat|bind|connect|unlink|rename|stat|access|execv[pe]*|chdir|chmod|chown|mknod|flock|lockf)(?:\(\))?: $",
            )
        });
        // Or a noun that the line before names: Redis shows the line of its configuration.
        static NOUN: LazyLock<Regex> = LazyLock::new(|| {
            compile(
                r"(?i)^(?:[\w./-]+: )?(?:can't|cannot|could not|couldn't|unable to|failed to|error) (?:open|opening|create|creating|write|read|access) (?:the |a )?(?:\w+ )?(?:file|directory|dir|database|socket|log ?file|pid ?file): $",
            )
        });
        static EXCEPTION: LazyLock<Regex> = LazyLock::new(|| {
            compile(
                r"^(?:[\w$]+\.)*[A-Z]\w*(?:Exception|Error): $|^(?:[-*] +)*(?i:caused by): $|^\d+: $",
            )
        });
        static FAILS: LazyLock<Regex> = LazyLock::new(|| {
            compile(
                r"(?i)^>>> |\b(?:errors?|fail(?:ed|ure)?|cannot|can't|could not|couldn't|unable)\b",
            )
        });
        let refusal = self.refusal()?;
        let until_errno = &self.text()[..refusal.span.start];
        // An Erlang term, one element a line: the path, and then the errno.
        if self.text().bytes().all(|byte| byte.is_ascii_lowercase() || b"{}[](),.".contains(&byte))
        {
            static ELEMENT: LazyLock<Regex> = LazyLock::new(|| compile(r#"^[{\[(]*"(/[^"]+)",$"#));
            let path = self
                .before()
                .take(2)
                .find_map(|line| Some(ELEMENT.captures(&line.text)?.get(1)?.as_str()));
            return path.map(str::to_owned);
        }
        let before = self.before().next().filter(|before| FAILS.is_match(&before.text))?;
        let mut paths = path::paths(&before.text);
        let path = paths.pop().filter(|path| !is_code(&before.text, path))?;
        let ends =
            before.text[path.span.end..].trim_matches(|c: char| !c.is_alphanumeric()).is_empty();
        let is_alone = ends && (ALONE.is_match(until_errno) || NOUN.is_match(until_errno));
        (is_alone || paths.is_empty() && EXCEPTION.is_match(until_errno))
            .then(|| path.text.to_owned())
    }

    /// The second of two paths behind the verb, which a copy or a link makes: `a -> b`, `a to b`, or
    /// side by side.
    pub(crate) fn target(&self, verb: Verb) -> Option<String> {
        let text = self.text();
        let paths = self.paths();
        let mut behind = paths.iter().filter(|path| path.span.start >= verb.end);
        let (first, second) = (behind.next()?, behind.next()?);
        let between = text[first.span.end..second.span.start]
            .trim_matches(|c: char| c == ' ' || c == '\'' || c == '"' || c == '`');
        matches!(between, "->" | "to" | "" | "=>" | "into" | ",").then(|| second.text.to_owned())
    }

    /// A path that the record gives as a field: Node's `path: '/x'`, npm's `path /x`, logfmt's
    /// `path=/x`.
    pub(crate) fn field(&self) -> Option<String> {
        static FIELD: LazyLock<Regex> = LazyLock::new(|| {
            compile(
                r#"(?:^|[\s{,])(?:npm (?:ERR!|error) )?(?:path|file|filename|fileName|dir|directory|dest)(?:=|: ?| )["']?(/[^"',\s}]*|\.{1,2}/[^"',\s}]*)"#,
            )
        });
        // A relative path counts only in the line itself, and not as a file of source code.
        static RELATIVE: LazyLock<Regex> = LazyLock::new(|| {
            compile(
                r#"(?:^|[\s{,(])(?:path|file|filename|fileName)=["']?([\w.][\w./+-]*)["']?(?:[,\s})]|$)"#,
            )
        });
        static SOURCE: LazyLock<Regex> = LazyLock::new(|| {
            compile(r"\.(?:go|c|cc|cpp|h|rs|py|rb|js|mjs|ts|java|kt|scala|cs|erl|ex)$")
        });
        let lines = &self.record().lines;
        let rooted =
            lines.iter().find_map(|line| Some(FIELD.captures(&line.text)?.get(1)?.as_str()));
        let relative = || {
            let field = RELATIVE.captures(self.text())?.get(1)?.as_str();
            (path::is_file_name(field) && !SOURCE.is_match(field)).then_some(field)
        };
        rooted.filter(|path| !path::is_route(path)).or_else(relative).map(str::to_owned)
    }
}

/// The one word behind an errno in the quotes that the errno is in: `error(13, 'Permission denied:
/// state')`.
fn end_of_quote(text: &str, errno: Range<usize>) -> Option<&str> {
    let quote = text[..errno.start].chars().next_back().filter(|c| "'\"".contains(*c))?;
    let (word, _) = text[errno.end..].strip_prefix(": ")?.split_once(quote)?;
    (!word.is_empty() && !word.contains([' ', ':'])).then_some(word)
}

/// The file that a message begins with: `libx.so.1: cannot open shared object file`.
fn subject(until_errno: &str) -> Option<&str> {
    static SUBJECT: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?:^|: )(?P<file>[\w@%+~-][\w./@%+~-]*): (?:cannot|can't|could not|couldn't|unable to|failed to) [\w ]+: $",
        )
    });
    let file = SUBJECT.captures(until_errno)?.name("file")?.as_str();
    path::is_file_name(file).then_some(file)
}

/// Whether a word between a verb and an errno is a noun of the message, and no file.
fn is_noun(word: &str) -> bool {
    static ERRNO: LazyLock<Regex> = LazyLock::new(|| compile(r"^(?:E[A-Z]{3,}|\d+|\(?\d\))$"));
    const NOUNS: [&str; 40] = [
        "failed",
        "file",
        "files",
        "directory",
        "dir",
        "folder",
        "error",
        "failure",
        "for",
        "it",
        "errno",
        "code",
        "path",
        "from",
        "socket",
        "to",
        "with",
        "is",
        "was",
        "mode",
        "stream",
        "container",
        "process",
        "command",
        "device",
        "log",
        "logfile",
        "database",
        "lock",
        "pidfile",
        "config",
        "configuration",
        "thread",
        "session",
        "listener",
        "connection",
        "server",
        "program",
        "this",
        "that",
    ];
    NOUNS.contains(&word.trim_end_matches(':').to_ascii_lowercase().as_str())
        || is_mode(word)
        || ERRNO.is_match(word)
}

/// `rwxr-xr-x`, a mode that chmod was to set.
fn is_mode(word: &str) -> bool {
    word.len() == 9 && word.bytes().all(|byte| b"rwxsStT-".contains(&byte))
}

/// Whether a path is a place in code: `in /x.php on line 3`, `at /x.pm line 10`, `/x.js:3:1`.
fn is_code(text: &str, path: &MessagePath<'_>) -> bool {
    static PLACE: LazyLock<Regex> = LazyLock::new(|| {
        compile(r#"^["']?(?:,? (?:on )?line \d+|:\d+(?::\d+)?(?:$|[\s):])|\(\d+\))"#)
    });
    PLACE.is_match(&text[path.span.end..])
}

/// Whether a path is the program's own name: first in the line, and followed by a colon and a line
/// number or another message.
fn is_program(text: &str, path: &MessagePath<'_>) -> bool {
    static LINE_NUMBER: LazyLock<Regex> = LazyLock::new(|| compile(r"^:\s(?:line\s)?\d+:"));
    let rest = &text[path.span.end..];
    // `/usr/bin/env: 'bash': Permission denied`
    let names_another = rest
        .strip_prefix(": ")
        .is_some_and(|rest| path::quoted_word(rest).is_some_and(|word| word.span.start == 1));
    path.span.start == 0 && (LINE_NUMBER.is_match(rest) || names_another)
}
