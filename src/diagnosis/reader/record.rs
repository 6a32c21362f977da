//! Lines that belong together: a message and the stack trace, the object dump or the causes under
//! it.

use std::sync::LazyLock;

use regex::Regex;

use super::{errno::compile, line::LogLine, path};
use crate::model::obstacle::Operation;

/// One message and the lines that continue it.
#[derive(Debug)]
pub(crate) struct Record {
    pub lines: Vec<LogLine>,
    /// It has stack frames, or fields such as `syscall:`: all its lines are about one failure.
    pub is_trace: bool,
}

/// Splits consecutive lines into records.
pub(crate) fn split(lines: Vec<LogLine>, is_candidate: impl Fn(&LogLine) -> bool) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    let mut state = State::default();
    for line in lines {
        if let Some(last) = records.last_mut().and_then(|record| record.lines.last_mut())
            && let Some(between) = wrapped(last, &line, &is_candidate)
        {
            last.append(&line, between);
            continue;
        }
        let joins = state.joins(&line);
        state.see(&line, joins);
        match records.last_mut() {
            Some(record) if joins => {
                record.is_trace |= is_frame(&line)
                    || record.lines.last().is_some_and(|last| last.number == line.number);
                record.lines.push(line);
            }
            _ => {
                let is_trace = is_frame(&line) || state.in_traceback;
                records.push(Record { lines: vec![line], is_trace });
            }
        }
    }
    records
}

#[derive(Default)]
struct State {
    head_indent: usize,
    /// Between `Traceback (most recent call last):` and the line of the exception, which ends it.
    in_traceback: bool,
    traceback_indent: usize,
    /// The common start of the lines of npm, which belong together.
    tool: Option<&'static str>,
    /// Line of the source that the last one came from: one entry of a JSON log is one record.
    number: u64,
    started: bool,
    after_blank: bool,
}

impl State {
    fn joins(&self, line: &LogLine) -> bool {
        if !self.started {
            return false;
        }
        if line.number == self.number
            || line.is_blank()
            || self.in_traceback
            || continues(&line.text)
        {
            return true;
        }
        if line.text.starts_with("Traceback (most recent call last)") {
            return false;
        }
        match (tool(&line.text), self.tool) {
            (Some(now), Some(before)) => return now == before,
            (Some(_), None) | (None, Some(_)) => return false,
            (None, None) => {}
        }
        line.indent > self.head_indent && !self.after_blank
    }

    fn see(&mut self, line: &LogLine, joined: bool) {
        if !joined {
            self.head_indent = line.indent;
            self.tool = tool(&line.text);
        }
        self.started = true;
        self.number = line.number;
        if line.text.contains("Traceback (most recent call last)") {
            self.in_traceback = true;
            self.traceback_indent = line.indent;
        } else if !self.in_traceback && line.text.starts_with("File \"") && line.indent > 1 {
            // The head of the trace is cut off.
            self.in_traceback = true;
            self.traceback_indent = line.indent - 2;
        } else if self.in_traceback
            && !line.is_blank()
            && line.indent <= self.traceback_indent
            && !is_frame(line)
        {
            self.in_traceback = false;
        }
        self.after_blank = line.is_blank();
    }
}

/// Bytes of a line beyond which no terminal breaks it.
const WIDEST: usize = 400;

/// The text between the parts of a line that a terminal, an editor or a mail broke in two; `None`
/// where these are two lines.
fn wrapped(
    last: &LogLine,
    next: &LogLine,
    is_candidate: impl Fn(&LogLine) -> bool,
) -> Option<&'static str> {
    if last.fills_row {
        return Some("");
    }
    // nginx's `(13: Permission denied)` at the start of a line, or another reason in parentheses
    // that is the whole line, as libpcap's `(socket: Operation not permitted)`.
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| compile(r"^\(\d{1,3}: [A-Z]"));
    let is_aside = next.refusal.is_some()
        && last.refusal.is_none()
        && next.text.starts_with('(')
        && next.text.trim_end_matches('.').ends_with(')')
        && !last.is_blank();
    if NUMBER.is_match(&next.text) || is_aside {
        return Some(" ");
    }
    // YAML folds a quoted text, with its rows further in than its key.
    static QUOTED: LazyLock<Regex> =
        LazyLock::new(|| compile(r"^(?:- )?[A-Za-z][\w.-]*: '(?:[^']|'')*$"));
    let is_inside = next.indent > last.indent && last.text.len() < LONGEST_FOLDED;
    if is_inside && last.number != next.number && QUOTED.is_match(&last.text) {
        return Some(" ");
    }
    if last.number == next.number || last.text.len() > WIDEST || next.text.len() > WIDEST {
        return None;
    }
    // The first ends in words that a path follows, and the second begins with a path.
    static LEADS: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)[a-z@] (?:(?:to|at|in|of|for|on|into|under|directory|file|path|folder|open|mkdir|create|cannot|-)|[\w ]+:)$",
        )
    });
    static PATH: LazyLock<Regex> =
        LazyLock::new(|| compile(r#"^["'`‘“(]?(?:\.{1,2}|~)?/[\w.][^"'`’”:]*(?:["'`’”:)]|$)"#));
    if LEADS.is_match(&last.text)
        && PATH.is_match(&next.text)
        && (is_candidate(last) || is_candidate(next))
    {
        return Some(" ");
    }
    // The first ends in the middle of a sentence, and the second ends it with the refusal.
    static HANGS: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)[a-z):] (?:failed to|could not|cannot|unable to|to|the|a|of|for|from|with|not|is|and|while)$",
        )
    });
    let goes_on = next.refusal.is_some() && next.text.starts_with(|c: char| c.is_ascii_lowercase());
    if goes_on && last.refusal.is_none() && HANGS.is_match(&last.text) {
        return Some(" ");
    }
    let is_reason = next.refusal.as_ref().is_some_and(|refusal| {
        refusal.span.start == 0
            && next.text[refusal.span.end..].trim_matches(|c: char| !c.is_alphanumeric()).is_empty()
    });
    if is_reason
        && last.refusal.is_none()
        && last.text.ends_with(':')
        && !path::paths(&last.text).is_empty()
    {
        return Some(" ");
    }
    // The line was broken between two words of an errno.
    static BROKEN: [(&str, &str); 5] = [
        ("permission", "denied"),
        ("operation not", "permitted"),
        ("operation", "not permitted"),
        ("read-only file", "system"),
        ("read-only", "file system"),
    ];
    let (end, start) = (last.text.to_ascii_lowercase(), next.text.to_ascii_lowercase());
    if BROKEN.iter().any(|(before, behind)| end.ends_with(before) && start.starts_with(behind)) {
        return Some(" ");
    }
    // The line was broken in the middle of a quoted path.
    static OPEN: LazyLock<Regex> =
        LazyLock::new(|| compile(r#"(?:^|[\s(])["'`‘“](?:\.{1,2}|~)?/[^"'`’”\s]*$"#));
    static CLOSE: LazyLock<Regex> = LazyLock::new(|| compile(r#"^[\w./@+-]+["'’”][:),. ]"#));
    let is_broken = last.text.len() >= NARROWEST && next.refusal.is_some();
    (is_broken && OPEN.is_match(&last.text) && CLOSE.is_match(&next.text)).then_some("")
}

/// Bytes of a text that YAML folds, at most.
const LONGEST_FOLDED: usize = 8 << 10;

/// Bytes of a line that a terminal breaks, at least.
const NARROWEST: usize = 38;

fn tool(text: &str) -> Option<&'static str> {
    ["npm ERR!", "npm error", "npm WARN"].into_iter().find(|start| text.starts_with(start))
}

/// Whether a line starts as only frames and causes of a runtime do.
fn continues(text: &str) -> bool {
    static CONTINUES: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r#"(?x)^(?: at\s | \.\.\.\s(?:\d+\s(?:more|common)|suppressed) | Caused\sby: | \**Caused\sby: | Suppressed: | ---\s?End\sof | --->\s
            | from\s\S+:\d+:in | \s*\d+:\s+0x[0-9a-f]+ | File\s"[^"]+",\sline\s\d+ | During\shandling\sof | The\sabove\sexception\swas
            | \[?cause\]?: | (?:errno|code|syscall|path|address|port|dest|stack|info|originalStack):\s | \}\s*,?$
            | goroutine\s\d+ | stacktrace: | \#\d+\s | note:\srun\swith | \|\s
            | [^\s:]+:\d+:in\s[`'][^`']+'$ )"#,
        )
    });
    CONTINUES.is_match(text)
}

fn is_frame(line: &LogLine) -> bool {
    static FRAME: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r#"(?x)^(?: at\s\S | Caused\sby: | ---\s?End\sof\s | from\s\S+:\d+:in | File\s"[^"]+",\sline\s\d+ | Traceback\s\(most
            | (?:errno|syscall):\s | npm\s(?:ERR!|error)\s(?:syscall|errno|path)\b | goroutine\s\d+\s\[ | \#\d+\s+\S+\(\d+\): | \S+:\d+:in\s[`'] )"#,
        )
    });
    FRAME.is_match(&line.text)
}

/// Calls in stack frames that name the operation, the most specific first: the JDK's NIO and IO,
/// CPython's os, shutil and socket, Node's fs and net, .NET's System.IO, Ruby's FileUtils.
const FRAMES: &[(Operation, &str)] = &[
    (
        Operation::Mkdir,
        r"\bcreateDirector(?:y|ies)0?\b|\bcreateAndCheckIsDirectory\b|\bCreateDirector(?:y|ies)\b|\bmkdirSync\b|\bmkdir(?:_p|s)?\b|\bmakedirs\b|\bfu_mkdir\b|\bmkdtemp\w*|\bcreateTempDirectory\b|\bMkdirAll\b|\bensure_?dir\w*",
    ),
    (
        Operation::Unlink,
        r"\bimplDelete\b|\bFiles\.delete(?:IfExists)?\b|\bdeleteIfExists\b|\bos\.(?:remove|unlink|rmdir)\b|\bDeleteFile\b|\bRemoveDirectory\b|\bunlinkSync\b|\brmSync\b|\brmdirSync\b|\brmtree\b|\bremove_entry\b",
    ),
    (
        Operation::Rename,
        r"\bUnixFileSystem(?:Provider)?\.move\b|\bFiles\.move\b|\bUnixCopyFile\.(?:rename|move)\b|\bos\.(?:rename|replace)\b|\bMoveFile\b|\bFile\.Move\b|\brenameSync\b",
    ),
    (
        Operation::Chown,
        r"\b\w+\.l?chown\(|\bos\.l?chown\b|\bsetOwner\b|\bchownSync\b|\bfu_?chown\b|\bshutil\.chown\b",
    ),
    (
        Operation::Chmod,
        r"\bos\.f?chmod\b|\bsetPosixFilePermissions\b|\bPosix\.setMode\b|\bsetMode\b|\bchmodSync\b|\bcopymode\b|\bcopystat\b|\bfu_?chmod\b|\bSetUnixFileMode\b",
    ),
    (
        Operation::Bind,
        r"\bserver_bind\b|\bsocket\.bind\b|\bsock\.bind\b|\.[Bb]ind ?\(|\b(?:tcp|udp|uv|uv_tcp)_bind\b|\bbind0\b|\bNet\.bind\b|\bServerSocket\.bind\b|\bDoBind\b|\bdoBind\b|\bsetupListenHandle\b|\blistenInCluster\b|\bSocket\.Bind\b|\bcreate_server\b|\bTCPServer\b",
    ),
    (Operation::SocketRaw, r"\braw[-_]?socket\b|\bSOCK_RAW\b|\bRawSocket\b|\bIPPROTO_ICMP\b"),
    (Operation::Setgroups, r"\bos\.(?:setgroups|initgroups)\b"),
    (Operation::Setuid, r"\bos\.(?:setuid|setreuid|seteuid)\b|\bprocess\.setuid\b"),
    (Operation::Setgid, r"\bos\.(?:setgid|setregid|setegid)\b|\bprocess\.setgid\b"),
    (
        Operation::Exec,
        r"\b_execute_child\b|\bos\.execv?p?e?\b|\bChildProcess\.spawn\b|\bProcessBuilder\.start\b|\bforkAndExec\b|\bStartProcess\b|\bForkAndExecProcess\b",
    ),
    (
        Operation::Create,
        r"\bcopyFile\w*\b|\bCopyFile\b|\bcreateNewFile\b|\bcreateTempFile\b|\bTempFileHelper\b|\bcreateFile\b|\bwriteFileSync\b|\bcreateSymbolicLink\b|\bcreateLink\b|\bos\.(?:symlink|link|mkfifo)\b|\bshutil\.copy\w*|\bcopyfile\b|\b_?mkstemp\w*|\bFile\.Create\b|\bWriteAllText\b|\bWriteAllBytes\b|\bcreateFileExclusively0?\b",
    ),
    (
        Operation::Open,
        r"\bnewByteChannel\b|\bnewFileChannel\b|\bFileChannel\.open\b|\bFileOutputStream\b|\bRandomAccessFile\b|\bFileInputStream\b|\bnewInputStream\b|\bnewOutputStream\b|\bnewDirectoryStream\b|\bopenSync\b|\breadFileSync\b|\bSafeFileHandle\.Open\b|\bFileStream\b|\bos\.(?:open|listdir|scandir|stat)\b|\bopen\(|\bFileHandler\b|\b_open\b",
    ),
];

static COMPILED: LazyLock<Vec<(Operation, Regex)>> = LazyLock::new(|| {
    FRAMES.iter().map(|(operation, pattern)| (*operation, compile(pattern))).collect()
});

impl Record {
    /// The operation that the frames name. The frame nearest to the failure counts: in Java, Node,
    /// Ruby and .NET the first one, in Python the last.
    pub(crate) fn framed_operation(&self, index: usize) -> Option<Operation> {
        let python = |line: &&LogLine| line.text.starts_with("File \"");
        let before = self.lines[..index]
            .iter()
            .rev()
            .take(6)
            .take_while(|line| !line.text.starts_with("Traceback"));
        let before: Vec<&LogLine> = before.collect();
        if before.iter().any(python) {
            return before.into_iter().find_map(|line| operation_of(&line.text));
        }
        let next = &self.lines[index + 1..];
        let end =
            next.iter().position(|line| line.text.starts_with("Caused by:")).unwrap_or(next.len());
        let frames = || {
            next[..end]
                .iter()
                .filter(|line| is_frame(line))
                .take(12)
                .filter_map(|line| operation_of(&line.text))
        };
        // A copy or a new file is opened first; the frame that wanted it is a few frames up.
        let first = frames().next()?;
        Some(if first == Operation::Open {
            frames().find(|operation| *operation == Operation::Create).unwrap_or(first)
        } else {
            first
        })
    }
}

/// The operation of a frame, or of the source in it.
pub(crate) fn operation_of(frame: &str) -> Option<Operation> {
    COMPILED.iter().find(|(_, pattern)| pattern.is_match(frame)).map(|(operation, _)| *operation)
}
