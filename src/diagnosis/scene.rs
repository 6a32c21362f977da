//! What a pattern sees: one line with its refusal, the record around it, and the lines near by.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    call,
    errno::{Refusal, compile},
    line::Line,
    place::{self, Path},
    record::{self, Record},
};
use crate::model::obstacle::{Category, Errno, Operation};

/// One line of an excerpt, as a pattern reads it.
#[derive(Clone, Copy)]
pub(super) struct Scene<'s> {
    pub records: &'s [Record],
    pub record: usize,
    pub index: usize,
    /// What the runtime itself says was attempted, beside the errno, in fields or in the frames.
    pub spoken: Option<Spoken>,
}

/// An operation by the runtime's own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spoken {
    pub operation: Operation,
    /// Byte offset behind which the line names what it was done to; `None` where another line said
    /// it.
    pub at: Option<usize>,
}

/// What a pattern read from a scene.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub operation: Operation,
    pub errno: Option<Errno>,
    pub path: Option<String>,
    pub port: Option<u16>,
    pub capability: Option<&'static str>,
    pub category: Category,
    /// Bytes between the telling word and the errno: where several patterns read one line, the
    /// nearest word wins.
    pub distance: usize,
    /// Programs that print this go on.
    pub harmless: bool,
    /// Overrides the sentence that follows from the category.
    pub cause: Option<String>,
}

impl Finding {
    pub(super) fn new(operation: Operation, category: Category) -> Self {
        Finding {
            operation,
            errno: None,
            path: None,
            port: None,
            capability: None,
            category,
            distance: 0,
            harmless: false,
            cause: None,
        }
    }

    pub(super) fn errno(self, errno: impl Into<Option<Errno>>) -> Self {
        Finding { errno: errno.into(), ..self }
    }

    pub(super) fn path(self, path: Option<impl Into<String>>) -> Self {
        Finding { path: path.map(Into::into), ..self }
    }

    pub(super) fn port(self, port: Option<u16>) -> Self {
        Finding { port, ..self }
    }

    pub(super) fn capability(self, capability: &'static str) -> Self {
        Finding { capability: Some(capability), ..self }
    }

    pub(super) fn distance(self, distance: usize) -> Self {
        Finding { distance, ..self }
    }

    /// Believes the runtime's own word for the operation over what the path looks like.
    pub(super) fn spoken(self, scene: &Scene, operation: Operation) -> Self {
        let said = scene.spoken.is_some_and(|spoken| spoken.operation == operation)
            && self.operation == Operation::Mkdir;
        if said { Finding { operation, ..self } } else { self }
    }

    pub(super) fn harmless(self, harmless: bool) -> Self {
        Finding { harmless, ..self }
    }

    pub(super) fn cause(self, cause: impl Into<String>) -> Self {
        Finding { cause: Some(cause.into()), ..self }
    }
}

/// The distance of a verb that stands behind the errno, and more.
pub(super) const BEHIND: usize = 10_000;

/// Frames beside an exception that are its own business.
const FRAMES: usize = 8;

/// A verb of a family, found in a line that was refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verb {
    /// Byte offset behind the verb.
    pub end: usize,
    pub distance: usize,
}

impl<'s> Scene<'s> {
    pub(super) fn new(records: &'s [Record], record: usize, index: usize) -> Self {
        let mut scene = Scene { records, record, index, spoken: None };
        scene.spoken = scene.find_spoken();
        scene
    }

    pub(super) fn line(&self) -> &'s Line {
        &self.records[self.record].lines[self.index]
    }

    pub(super) fn text(&self) -> &'s str {
        &self.line().text
    }

    pub(super) fn record(&self) -> &'s Record {
        &self.records[self.record]
    }

    pub(super) fn refusal(&self) -> Option<&'s Refusal> {
        self.line().refusal.as_ref()
    }

    /// Lines before this one, nearest first, over the borders of records.
    pub(super) fn before(&self) -> impl Iterator<Item = &'s Line> + use<'s> {
        let here = self.record().lines[..self.index].iter().rev();
        here.chain(
            self.records[..self.record].iter().rev().flat_map(|record| record.lines.iter().rev()),
        )
    }

    /// Lines after this one, over the borders of records.
    pub(super) fn after(&self) -> impl Iterator<Item = &'s Line> + use<'s> {
        let here = self.record().lines[self.index + 1..].iter();
        here.chain(self.records[self.record + 1..].iter().flat_map(|record| record.lines.iter()))
    }

    /// The verb of a family that is nearest to the errno: the words before an errno lead from what
    /// was wanted to what failed, so the last one is the system call. Words after the errno
    /// count only where none stands before it.
    pub(super) fn verb(&self, words: &Regex, operation: Operation) -> Option<Verb> {
        let refusal = self.refusal()?;
        if let Some(spoken) = self.spoken {
            if spoken.operation == operation {
                return Some(Verb { end: spoken.at.unwrap_or(0), distance: 0 });
            }
            if spoken.operation != Operation::Open || spoken.at.is_some() {
                return None;
            }
        }
        let text = self.text();
        let paths = self.paths();
        let in_path = |at: usize| paths.iter().any(|path| path.span.contains(&at));
        // `read-write` is no verb.
        let is_half = |end: usize| {
            text[end..]
                .strip_prefix('-')
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
        };
        // `open /srv/x for writing`: what it was to be opened for.
        let is_purpose = |m: &regex::Match| {
            text[..m.start()].ends_with(" for")
                && ["writing", "reading", "append"].iter().any(|end| m.as_str().ends_with(end))
        };
        let before_errno = words
            .find_iter(&text[..refusal.span.start])
            .filter(|m| !in_path(m.start() + 1) && !is_half(m.end()) && !is_purpose(m));
        // `unable to spawn s6-mkdir: Permission denied`: what stands before the errno is what was
        // to be spawned.
        let (mut before, mut earlier) = (None, None);
        for found in before_errno {
            earlier = before.replace(found);
        }
        let is_object = |m: &regex::Match| {
            text[m.end()..refusal.span.start] == *": " && text[..m.start()].ends_with("spawn")
        };
        let before = before.map(|last| earlier.filter(|_| is_object(&last)).unwrap_or(last));
        if let Some(found) = before {
            return Some(Verb { end: found.end(), distance: 1 + refusal.span.start - found.end() });
        }
        let rest = refusal.span.end;
        let found = words
            .find_iter(&text[rest..])
            .find(|m| !in_path(rest + m.start() + 1) && !is_half(rest + m.end()))?;
        Some(Verb { end: rest + found.end(), distance: BEHIND + found.start() })
    }

    pub(super) fn paths(&self) -> Vec<Path<'s>> {
        place::paths(self.text())
    }

    /// What the verb was done to: between verb and errno, else behind the errno, else before the
    /// verb, else in a field of the record.
    pub(super) fn object(&self, verb: Verb) -> Option<String> {
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
        let own = |path: &Path| path.text.to_owned();
        if let Some(path) = call::path(text, refusal) {
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
        if let Some(path) = after
            .strip_prefix(": ")
            .and_then(place::quoted_word)
            .filter(|path| path.span.start == 1)
        {
            return Some(path.text.to_owned());
        }
        // tar names the member first: `tar: a/b: Cannot open: ...`.
        if let Some(member) = text
            .rfind("tar: ")
            .and_then(|at| text[at + 5..].split_once(": "))
            .filter(|(_, said)| said.starts_with("Cannot"))
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
                place::last_file_name(&text[..refusal.span.start]).map(|path| path.text.to_owned())
            })
            .or_else(|| self.line_before())
    }

    /// A relative path that a verb is followed by: in quotes, or the one word before the errno. A
    /// bare word is a file's name by its shape, or as what a command or a system call was
    /// given.
    fn relative(&self, verb: Verb, between: &str) -> Option<String> {
        static CALLS: LazyLock<Regex> = LazyLock::new(|| {
            compile(
                r"(?i)(?:^|[\s:])(?:mkdir|mkdtemp|rmdir|rm|touch|cp|mv|ln|tee|cat|cd|chdir|open(?:at)?|unlink|rename|exec(?:vp?e?)?|spawn|fork/exec|stat|chmod|chown|chgrp|mknod|mkfifo|symlink|link|truncate|env|nohup|nice|timeout|xargs|time|tini|dumb-init|gosu|su-exec|setpriv|can't create|cannot create|can't open|cannot open|cannot touch|create/write to file|run|dir|directory|folder|file)(?:\(\))?$",
            )
        });
        // In quotes may be anything's name: a file's by its shape, or by the noun or the call
        // before it.
        static FILES: LazyLock<Regex> = LazyLock::new(|| {
            compile(
                r"(?i)\b(?:file|dir|directory|folder|log|tree|script|program|executable|binary|command|database|socket|fifo|link|path|open|create|mkdir|touch|to|of|remove|unlink|rename|stat|on|key|exec|run|load|write|read|move|copy|access|chdir)\W*$",
            )
        });
        let named = |word: &Path| {
            let verb = verb.end.min(self.text().len());
            let before = format!("{}{}", &self.text()[..verb], &between[..word.span.start]);
            place::is_file_name(word.text) || FILES.is_match(&before)
        };
        let word = place::quoted_word(between)
            .filter(named)
            .or_else(|| place::only_word(between).filter(|word| place::is_file_name(word.text)))
            .or_else(|| place::last_file_name(between))
            .or_else(|| {
                let verb = &self.text()[..verb.end.min(self.text().len())];
                place::only_word(between)
                    .filter(|_| CALLS.is_match(verb) && between.trim_end().ends_with(':'))
            })?;
        (!is_noun(word.text)).then(|| word.text.to_owned())
    }

    /// What perror(3) prints of a call alone, `open: Permission denied`, is about the path that the
    /// line before ends in.
    fn line_before(&self) -> Option<String> {
        static ALONE: LazyLock<Regex> = LazyLock::new(|| {
            compile(
                r"^(?:[\w./-]+: )?(?:f?open(?:at|dir)?|mkdir|creat|bind|connect|unlink|rename|stat|access|execv[pe]*|chdir|chmod|chown|mknod|flock|lockf)(?:\(\))?: $",
            )
        });
        // Or of a thing that the line before names: Redis shows the line of its configuration.
        static THING: LazyLock<Regex> = LazyLock::new(|| {
            compile(
                r"(?i)^(?:[\w./-]+: )?(?:can't|cannot|could not|couldn't|unable to|failed to|error) (?:open|opening|create|creating|write|read|access) (?:the |a )?(?:\w+ )?(?:file|directory|dir|database|socket|log ?file|pid ?file): $",
            )
        });
        static EXCEPTION: LazyLock<Regex> =
            LazyLock::new(|| compile(r"^(?:[\w$]+\.)*[A-Z]\w*(?:Exception|Error): $"));
        static FAILS: LazyLock<Regex> = LazyLock::new(|| {
            compile(
                r"(?i)^>>> |\b(?:error|fail(?:ed|ure)?|cannot|can't|could not|couldn't|unable)\b",
            )
        });
        let refusal = self.refusal()?;
        let said = &self.text()[..refusal.span.start];
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
        let mut paths = place::paths(&before.text);
        let path = paths.pop().filter(|path| !is_code(&before.text, path))?;
        let ends =
            before.text[path.span.end..].trim_matches(|c: char| !c.is_alphanumeric()).is_empty();
        let is_alone = ends && (ALONE.is_match(said) || THING.is_match(said));
        (is_alone || paths.is_empty() && EXCEPTION.is_match(said)).then(|| path.text.to_owned())
    }

    /// The second of two paths behind the verb: what a copy or a link makes. `a -> b`, `a to b`, or
    /// side by side.
    pub(super) fn target(&self, verb: Verb) -> Option<String> {
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
    pub(super) fn field(&self) -> Option<String> {
        static FIELD: LazyLock<Regex> = LazyLock::new(|| {
            compile(
                r#"(?:^|[\s{,])(?:npm (?:ERR!|error) )?(?:path|file|filename|fileName|dir|directory|dest)(?:=|: ?| )["']?(/[^"',\s}]*|\.{1,2}/[^"',\s}]*)"#,
            )
        });
        // A relative one only in the line itself, where it is no place in a source.
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
            (place::is_file_name(field) && !SOURCE.is_match(field)).then_some(field)
        };
        rooted.filter(|path| !place::is_route(path)).or_else(relative).map(str::to_owned)
    }

    /// Whether the frames around an exception open to write or to read, as far as they tell.
    pub(super) fn frames_write(&self) -> Option<bool> {
        static WRITES: LazyLock<Regex> = LazyLock::new(|| {
            compile(
                r#"\b(?:writeFile(?:Sync)?|appendFile(?:Sync)?|createWriteStream|newOutputStream|FileOutputStream|FileWriter|newBufferedWriter|RandomAccessFile|FileHandler|WriteAll\w+|StreamWriter|OpenWrite|File\.Create|File\.Copy|write_text|write_bytes|json\.dump|shutil\.copy\w*|os\.WriteFile|to_csv|savefig)\b|\bopen\([^)]*,\s*(?:mode=)?f?["'](?:[wax]|r\+)"#,
            )
        });
        static READS: LazyLock<Regex> = LazyLock::new(|| {
            compile(
                r#"\b(?:readFile(?:Sync)?|createReadStream|newInputStream|FileInputStream|FileReader|newBufferedReader|readAllBytes|readString|ReadAll\w+|StreamReader|OpenRead|read_text|read_bytes|scandirSync|readdirSync|os\.listdir|os\.scandir|ReadDir|ReadFile)\b"#,
            )
        });
        let text_of = |line: &Line| match (WRITES.is_match(&line.text), READS.is_match(&line.text))
        {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        };
        let lines = &self.record().lines;
        let behind =
            lines[self.index + 1..].iter().take(FRAMES).filter(|line| line.text.starts_with("at "));
        let before =
            lines[..self.index].iter().rev().take(FRAMES).filter(|_| self.record().is_trace);
        behind
            .map(text_of)
            .find(Option::is_some)
            .or_else(|| before.map(text_of).find(Option::is_some))
            .flatten()
    }

    fn find_spoken(&self) -> Option<Spoken> {
        let framed = || self.record().framed_operation(self.index).or_else(|| self.source_before());
        if let Some(mut spoken) = beside_errno(self.text()) {
            // One function of Ruby's changes modes, owners and times of many files, and removes
            // them.
            if self.text().contains("@ apply2files") {
                let refused = self.refusal().map(|refusal| refusal.errno);
                let usual = if refused == Some(Errno::Eperm) {
                    Operation::Chmod
                } else {
                    Operation::Unlink
                };
                spoken.operation = framed()
                    .filter(|framed| {
                        matches!(framed, Operation::Chmod | Operation::Chown | Operation::Unlink)
                    })
                    .unwrap_or(usual);
            }
            return Some(spoken);
        }
        self.refusal()?;
        let field = self.record().lines.iter().find_map(|line| system_call_field(&line.text));
        let operation = field.or_else(framed)?;
        Some(Spoken { operation, at: None })
    }

    /// The call that an exception of Python's stands under, where the heads of the frames are cut
    /// off.
    fn source_before(&self) -> Option<Operation> {
        static EXCEPTION: LazyLock<Regex> =
            LazyLock::new(|| compile(r"^(?:[\w.]+\.)?[A-Z]\w*(?:Error|Exception): "));
        static SOURCE: LazyLock<Regex> =
            LazyLock::new(|| compile(r"^(?:return |with |[\w.]+ = )?[\w.]+\(.*\)(?: as \w+:)?$"));
        let above =
            self.before().find(|line| !line.text.bytes().all(|byte| b"^~ ".contains(&byte)))?;
        (EXCEPTION.is_match(self.text())
            && above.indent > self.line().indent
            && SOURCE.is_match(&above.text))
        .then(|| record::operation_of(&above.text))?
    }
}

/// libuv's `EACCES: permission denied, mkdir '/x'`, Ruby's `Permission denied @ dir_s_mkdir - /x`,
/// Deno's `Permission denied (os error 13): mkdir '/x'`.
fn beside_errno(text: &str) -> Option<Spoken> {
    static BESIDE: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r#"(?x) E[A-Z]{3,6}:\s[a-z\s-]+,\s(?:Error:\s)?(?P<uv>[a-z]+)\b
            | @\s(?P<ruby>\w+)
            | \(os\serror\s\d+\)[,:]\s(?P<deno>[a-z]+)\b
            | \b(?P<uv2>listen|spawn|bind|connect)\s(?:\S+\s)?E(?:ACCES|PERM|ROFS)\b
            | \b(?P<php>file_put_contents|fopen|touch|copy|tempnam|file_get_contents|move_uploaded_file|include(?:_once)?|require(?:_once)?|unlink|rename|chmod|chown|mkdir|opendir|scandir|symlink|fsockopen|error_log|imagepng|readfile|parse_ini_file)\((?:[^()]*)\):\s
            | :\s(?P<ghc>(?:with|open|create|getDirectory|remove|rename|copy|setFile|setOwner)[A-Z]\w+|withFile|openFd):\s(?:permission|unsupported|resource)
            | \bE(?:ACCES|PERM|ROFS)\s(?P<bun>reading|writing|opening)\b"#,
        )
    });
    let captures = BESIDE.captures(text)?;
    let word = captures.iter().skip(1).flatten().next()?;
    // A function's arguments stand before the errno like any verb's object.
    Some(Spoken { operation: system_call(word.as_str())?, at: Some(word.end()) })
}

/// Node's `syscall: 'mkdir'` and npm's `syscall mkdir`.
fn system_call_field(text: &str) -> Option<Operation> {
    static FIELD: LazyLock<Regex> =
        LazyLock::new(|| compile(r#"(?:^|[\s{,])(?:npm (?:ERR!|error) )?syscall:? ["']?([a-z]+)"#));
    system_call(FIELD.captures(text)?.get(1)?.as_str())
}

/// The operation that a system call, a libuv request or a function of Ruby's C sources is.
fn system_call(name: &str) -> Option<Operation> {
    Some(match name {
        "mkdir" | "mkdirat" | "mkdtemp" | "dir_s_mkdir" => Operation::Mkdir,
        "open"
        | "openat"
        | "read"
        | "scandir"
        | "opendir"
        | "stat"
        | "lstat"
        | "access"
        | "readlink"
        | "statx"
        | "watch"
        | "readdir"
        | "rb_sysopen"
        | "dir_initialize"
        | "dir_chdir"
        | "rb_file_s_size"
        | "rb_file_lstat"
        | "rb_file_s_stat"
        | "io_fread"
        | "readfile"
        | "reading"
        | "opening"
        | "realpath"
        | "fopen"
        | "rb_readlink"
        | "rb_check_realpath_internal"
        | "rb_realpath_internal"
        | "realpath_rec"
        | "dir_s_chdir"
        | "file_get_contents"
        | "include"
        | "include_once"
        | "require"
        | "require_once"
        | "parse_ini_file" => Operation::Open,
        "copyfile" | "copy_file_range" | "write" | "symlink" | "link" | "mkfifo" | "writefile"
        | "truncate" | "ftruncate" | "utime" | "utimes" | "futime" | "lutime"
        | "rb_file_s_symlink" | "rb_file_s_link" | "writing" | "mkstemp" | "sendfile"
        | "file_put_contents" | "touch" | "copy" | "tempnam" | "move_uploaded_file"
        | "error_log" | "imagepng" => Operation::Create,
        "openTempFile" | "openBinaryTempFile" | "copyFile" | "createSymbolicLink" => {
            Operation::Create
        }
        "openFile"
        | "openBinaryFile"
        | "withFile"
        | "withBinaryFile"
        | "openFd"
        | "getDirectoryContents" => Operation::Open,
        "createDirectory" => Operation::Mkdir,
        "removeFile" | "removeLink" | "removeDirectory" => Operation::Unlink,
        "renameFile" | "renamePath" | "renameDirectory" => Operation::Rename,
        "setFileMode" => Operation::Chmod,
        "setOwnerAndGroup" => Operation::Chown,
        "unlink" | "rmdir" | "unlinkat" | "rm" | "remove" | "apply2files" | "unlink_internal"
        | "dir_s_rmdir" => Operation::Unlink,
        "rename" | "renameat" | "rb_file_s_rename" => Operation::Rename,
        "chown" | "lchown" | "fchown" | "chown_internal" | "rb_file_s_chown" | "rb_file_chown" => {
            Operation::Chown
        }
        "chmod" | "fchmod" | "lchmod" | "rb_file_s_chmod" | "rb_file_chmod" => Operation::Chmod,
        "listen" | "bind" => Operation::Bind,
        "spawn" | "execve" | "exec" => Operation::Exec,
        "setuid" => Operation::Setuid,
        "setgid" => Operation::Setgid,
        "setgroups" => Operation::Setgroups,
        _ => return None,
    })
}

/// A word that messages have between a verb and an errno, and that is no file's name.
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

/// `rwxr-xr-x`: what `chmod` was to set.
fn is_mode(word: &str) -> bool {
    word.len() == 9 && word.bytes().all(|byte| b"rwxsStT-".contains(&byte))
}

/// A place in code: `in /x.php on line 3`, `at /x.pm line 10`, `/x.js:3:1`.
fn is_code(text: &str, path: &Path<'_>) -> bool {
    static PLACE: LazyLock<Regex> = LazyLock::new(|| {
        compile(r#"^["']?(?:,? (?:on )?line \d+|:\d+(?::\d+)?(?:$|[\s):])|\(\d+\))"#)
    });
    PLACE.is_match(&text[path.span.end..])
}

/// The program's own name: first in the line and followed by a colon and a line number or another
/// message.
fn is_program(text: &str, path: &Path<'_>) -> bool {
    static LINE_NUMBER: LazyLock<Regex> = LazyLock::new(|| compile(r"^:\s(?:line\s)?\d+:"));
    let rest = &text[path.span.end..];
    // `/usr/bin/env: 'bash': Permission denied`
    let names_another = rest
        .strip_prefix(": ")
        .is_some_and(|rest| place::quoted_word(rest).is_some_and(|word| word.span.start == 1));
    path.span.start == 0 && (LINE_NUMBER.is_match(rest) || names_another)
}
