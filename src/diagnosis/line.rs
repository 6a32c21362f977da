//! One line of a log, looked through to what the program itself said.
//!
//! Between a program and us stand the container runtime (docker-json, CRI), whoever prefixes lines
//! (compose, stern, journald), the program's own logger (timestamps, klog, JSON, logfmt) and
//! terminal colours. [`parse`] takes them off.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;
use serde_json::Value;

use super::errno::{self, Refusal};

/// How bad the program itself says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    Info,
    Warning,
    /// The line does not say.
    Unsaid,
    Error,
    Fatal,
}

/// A message: one line of a log, or one of the lines inside an escaped string of it.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// 1-based line of the source.
    pub number: u64,
    /// Columns of white space before the text, after the prefixes.
    pub indent: usize,
    /// The message without prefixes, indentation and escapes.
    pub text: String,
    pub severity: Severity,
    pub refusal: Option<Refusal>,
    /// The line as it stood in the source, if the message is only a part of it.
    pub whole: Option<String>,
    /// It fills its row in a terminal's box: the next row goes on in the middle of a word.
    pub fills_row: bool,
}

impl Line {
    fn new(number: u64, text: &str, severity: Option<Severity>) -> Self {
        let body = unlisted(text.trim_start());
        let indent =
            text[..text.len() - body.len()].chars().map(|c| if c == '\t' { 8 } else { 1 }).sum();
        let text = typed(body.trim_end()).into_owned();
        let refusal = errno::find(&text);
        let severity = severity.unwrap_or_else(|| severity_of(&text));
        Line { number, indent, text, severity, refusal, whole: None, fills_row: false }
    }

    /// Joins a line that was broken in two, in the middle of a word or between two.
    pub(super) fn append(&mut self, rest: &Line, between: &str) {
        if let Some(whole) = &mut self.whole {
            whole.push_str(between);
            whole.push_str(&rest.text);
        }
        self.text.push_str(between);
        self.text.push_str(&rest.text);
        self.refusal = errno::find(&self.text);
        self.severity = self.severity.max(rest.severity);
        self.fills_row = rest.fills_row;
    }

    /// A line without a message.
    pub(super) fn is_blank(&self) -> bool {
        self.text.bytes().all(|b| matches!(b, b'*' | b'-' | b'=' | b'#' | b' ' | b'|'))
    }
}

/// A frame as it is, where a trace is printed as a list of strings, one a line, as Elasticsearch
/// does.
fn unlisted(text: &str) -> &str {
    let frame = text
        .strip_prefix('"')
        .filter(|rest| ["at ", "Caused by: ", "... "].iter().any(|start| rest.starts_with(start)));
    frame.map_or(text, |frame| {
        frame.trim_end().trim_end_matches([',', ']', '}']).trim_end_matches('"')
    })
}

/// Nesting of JSON in JSON, and prefixes before prefixes, beyond which no logger goes.
const DEPTH: usize = 8;

/// The messages in one line of a source, at least one unless it is empty.
pub(super) fn parse(number: u64, raw: &[u8]) -> Vec<Line> {
    let raw = String::from_utf8_lossy(raw);
    let plain = strip_escapes(raw.trim_end_matches(['\r', '\n']));
    let mut lines = Vec::new();
    for row in rows(&plain) {
        let before = lines.len();
        unwrap(number, row.text, None, DEPTH, &mut lines);
        for line in &mut lines[before..] {
            if line.text.len() + line.indent < row.text.len() {
                line.whole = Some(row.text.trim().to_owned());
            }
            line.fills_row = row.is_full;
        }
    }
    lines
}

/// A line, or what a terminal's box has of one.
struct Row<'t> {
    text: &'t str,
    /// It reaches the right border.
    is_full: bool,
}

/// What k9s, Terraform and other programs that draw boxes put around lines, taken off. Two rows
/// that were copied as one line stand apart again.
fn rows(text: &str) -> Vec<Row<'_>> {
    const BORDERS: [char; 4] = ['│', '┃', '║', '▏'];
    if !text.contains(BORDERS) {
        return vec![Row { text, is_full: false }];
    }
    let pieces = text.split("││").flat_map(|piece| piece.split("┃┃"));
    let mut rows: Vec<Row> = Vec::new();
    for piece in pieces {
        let piece = piece.trim_start();
        let inside = piece
            .strip_prefix(BORDERS)
            .map_or(piece, |rest| rest.strip_prefix(' ').unwrap_or(rest));
        let without = inside.trim_end();
        let (inside, is_full) = match without.strip_suffix(BORDERS) {
            Some(left) => (left, !left.is_empty() && left.len() - left.trim_end().len() <= 1),
            None => (without, false),
        };
        if !inside.trim().is_empty() {
            rows.push(Row { text: inside.trim_end(), is_full });
        }
    }
    if rows.is_empty() {
        rows.push(Row { text: "", is_full: false });
    }
    rows
}

/// Quotes that were damaged on their way from a terminal to a report, as they were typed: bytes as
/// octal numbers or in angle brackets, UTF-8 that was taken for another encoding, entities of HTML,
/// `\u2018`, and a question mark for what had no letter.
fn typed(text: &str) -> Cow<'_, str> {
    static DAMAGED: LazyLock<Regex> = LazyLock::new(|| {
        errno::compile(
            "(?:\\\\[2-3][0-7]{2}){2,4}|(?:<[89A-F][0-9A-F]>){2,4}|\\\\u(?:20[0-9a-fA-F]{2}|00[2-7][0-9a-fA-F])|&(?:#39|#x27|#34|quot|apos|amp|lt|gt|rsquo|lsquo|rdquo|ldquo);|â€[\u{2dc}\u{2122}\u{153}\u{9d}]|\u{e2}\u{80}[\u{98}\u{99}\u{9c}\u{9d}]|ΓÇ[ÿÖ£¥]",
        )
    });
    // `?/srv/x?:`, as a log shows that has no letter for a typographic quote.
    static LOST: LazyLock<Regex> = LazyLock::new(|| {
        errno::compile(
            "(?P<before>^|[\\s(:=])(?:\\?{1,3}|\u{fffd}{1,3})(?P<path>(?:\\.{1,2}|~)?/[^?\u{fffd}\r\n]*?)(?:\\?{1,3}|\u{fffd}{1,3})(?P<behind>$|[\\s:),.;])",
        )
    });
    let may_be = |byte| memchr::memchr(byte, text.as_bytes()).is_some();
    let mut typed = Cow::Borrowed(text);
    if may_be(b'\\') || may_be(b'&') || may_be(b'<') || may_be(0xc3) || may_be(0xce) {
        typed = match DAMAGED.replace_all(text, |captures: &regex::Captures| mended(&captures[0])) {
            Cow::Borrowed(_) => typed,
            Cow::Owned(mended) => Cow::Owned(mended),
        };
    }
    if may_be(b'?') || may_be(0xef) {
        typed = match LOST.replace_all(&typed, "${before}'${path}'${behind}") {
            Cow::Borrowed(_) => typed,
            Cow::Owned(mended) => Cow::Owned(mended),
        };
    }
    typed
}

/// What one damaged letter was, or the letter as it is where that cannot be told.
fn mended(damaged: &str) -> String {
    let number = |digits: &str, radix| u8::from_str_radix(digits, radix).ok();
    let bytes: Option<Vec<u8>> = match damaged.as_bytes() {
        [b'\\', b'u', ..] => {
            let letter = u32::from_str_radix(&damaged[2..], 16).ok().and_then(char::from_u32);
            return letter.map_or_else(|| damaged.to_owned(), String::from);
        }
        [b'\\', ..] => damaged.split('\\').skip(1).map(|digits| number(digits, 8)).collect(),
        [b'<', ..] => damaged
            .split('<')
            .skip(1)
            .map(|digits| number(digits.trim_end_matches('>'), 16))
            .collect(),
        _ => None,
    };
    if let Some(letters) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
        return letters;
    }
    let letter = match damaged {
        "&quot;" | "&#34;" => "\"",
        "&amp;" => "&",
        "&lt;" => "<",
        "&gt;" => ">",
        "&#39;" | "&#x27;" | "&apos;" => "'",
        "&lsquo;" => "‘",
        "&rsquo;" => "’",
        "&ldquo;" => "“",
        "&rdquo;" => "”",
        _ => match damaged.chars().last() {
            Some('\u{2dc}' | '\u{98}' | 'ÿ') => "‘",
            Some('\u{2122}' | '\u{99}' | 'Ö') => "’",
            Some('\u{153}' | '\u{9c}' | '£') => "“",
            Some('\u{9d}' | '¥') => "”",
            _ => damaged,
        },
    };
    letter.to_owned()
}

fn unwrap(
    number: u64,
    text: &str,
    severity: Option<Severity>,
    depth: usize,
    lines: &mut Vec<Line>,
) {
    let (message, said) = strip_prefixes(text);
    let severity = severity.or(said);
    if depth > 0
        && message.trim_start().starts_with('{')
        && message.contains('"')
        && let Ok(Value::Object(object)) = serde_json::from_str(message.trim())
    {
        return unwrap_json(number, &object, severity, depth, lines);
    }
    // What stands in a path of Windows is no escape: `C:\new`.
    static DRIVE: LazyLock<Regex> =
        LazyLock::new(|| errno::compile(r"(?:^|['\x22(\s])[A-Z]:\\{1,2}[A-Za-z]"));
    if !message.contains('\\') || DRIVE.is_match(message) {
        return lines.push(Line::new(number, message, severity));
    }
    let mut unescaped = unescape(message);
    // Quoted, and quoted again.
    for _ in 0..2 {
        if unescaped.contains("\\\"") {
            unescaped = unescape(&unescaped);
        }
    }
    // What stands first in an escaped trace says how bad it is; the rest of it is indented under
    // that.
    lines.extend(unescaped.split('\n').map(|part| Line::new(number, part, severity)));
}

/// The texts of a JSON log entry, the logger's own fields left out. Each different one counts once:
/// `error` often repeats `message`, and the stack repeats both.
fn unwrap_json(
    number: u64,
    object: &serde_json::Map<String, Value>,
    severity: Option<Severity>,
    depth: usize,
    lines: &mut Vec<Line>,
) {
    let severity = ["level", "severity", "log.level", "lvl", "loglevel", "levelname", "@l", "s"]
        .iter()
        .find_map(|key| object.get(*key))
        .and_then(|value| match value {
            Value::String(word) => severity_word(word),
            // pino and bunyan count in tens: 60 is fatal, 50 error, 40 a warning.
            Value::Number(number) => match number.as_u64()? {
                60.. => Some(Severity::Fatal),
                50..60 => Some(Severity::Error),
                40..50 => Some(Severity::Warning),
                10..40 => Some(Severity::Info),
                _ => None,
            },
            _ => None,
        })
        .or(severity);
    let message_of = |object: &serde_json::Map<String, Value>| {
        ["msg", "message", "log", "MESSAGE"]
            .iter()
            .find_map(|key| object.get(*key)?.as_str().map(str::to_owned))
    };
    let whole = message_of(object).unwrap_or_default();
    let mut seen: Vec<&str> = Vec::new();
    leaves("", object, depth, &mut |key, text, around| {
        // What stands beside a reason is nearer to it than what all of the entry says.
        let beside = around.and_then(message_of);
        let message = beside.as_deref().unwrap_or(&whole);
        if seen.contains(&text) {
            return;
        }
        seen.push(text);
        let is_place = matches!(key, "path" | "file" | "filename" | "dir" | "directory" | "dest")
            && text.len() < 4096;
        let is_reason = matches!(
            key,
            "error"
                | "err"
                | "reason"
                | "cause"
                | "exception"
                | "e"
                | "error_str"
                | "strerror"
                | "errmsg"
        );
        if is_place {
            lines.push(Line::new(number, &format!("{key}={text}"), severity));
        } else if is_reason
            && !text.contains(['/', '\n'])
            && !message.is_empty()
            && !message.contains(text)
        {
            // The reason alone does not tell what was attempted; the message beside it does.
            lines.push(Line::new(number, &format!("{message}: {text}"), severity));
        } else if text.trim_start().starts_with('{') {
            unwrap(number, text, severity, depth - 1, lines);
        } else {
            for part in text.trim_end().split('\n') {
                // A docker-json or CRI wrapper holds a line that may have a prefix of its own.
                let (message, said) = strip_prefixes(part);
                let line = Line::new(number, message, severity.or(said));
                let repeated =
                    lines.iter().any(|other| other.number == number && other.text == line.text);
                if !repeated {
                    lines.push(line);
                }
            }
        }
    });
}

/// Calls `visit` with each string below `object`, the key that it stands under, and the object that
/// has it.
fn leaves<'v>(
    above: &'v str,
    object: &'v serde_json::Map<String, Value>,
    depth: usize,
    visit: &mut impl FnMut(&'v str, &'v str, Option<&'v serde_json::Map<String, Value>>),
) {
    for (key, value) in object {
        match value {
            Value::String(text) if !text.trim().is_empty() => visit(key, text, Some(object)),
            Value::Object(inner) if depth > 0 => leaves(key, inner, depth - 1, visit),
            Value::Array(items) if depth > 0 => {
                for item in items {
                    match item {
                        Value::String(text) => visit(above, text, None),
                        Value::Object(inner) => leaves(key, inner, depth - 1, visit),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

/// Takes terminal escape sequences (ECMA-48 CSI and OSC, and the two-byte ones) and other control
/// characters off.
fn strip_escapes(text: &str) -> Cow<'_, str> {
    static ESCAPE: LazyLock<Regex> = LazyLock::new(|| {
        errno::compile(
            "(?:\u{1b}\\[|\u{9b})[0-?]*[ -/]*[@-~]|\u{1b}\\][^\u{7}\u{1b}]*(?:\u{7}|\u{1b}\\\\)?|\u{1b}[@-_]?|[\u{0}-\u{8}\u{b}-\u{1f}\u{7f}]",
        )
    });
    // A colour code that lost its escape character on the way, as `[31m`.
    static ORPHAN: LazyLock<Regex> =
        LazyLock::new(|| errno::compile(r"(?:\^\[|\\u001b|\\x1b|\\033)?\[\d{1,2}(?:;\d{1,3})*m"));
    if text.bytes().any(|b| b < 0x20 && b != b'\t' || b == 0x7f || b == 0xc2) {
        let stripped = ESCAPE.replace_all(text, "");
        return Cow::Owned(ORPHAN.replace_all(&stripped, "").into_owned());
    }
    if text.contains('m') && text.contains('[') {
        ORPHAN.replace_all(text, "")
    } else {
        Cow::Borrowed(text)
    }
}

/// What may stand before a message, each anchored at its start. None of them takes white space that
/// belongs to the message, for indentation tells what continues what.
static PREFIXES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        // CRI: `2026-11-24T08:41:16.1234Z stdout F `; then any timestamp of the ISO family, in brackets or bare.
        r"^\s*\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(?:Z|[+-]\d\d:\d\d) std(?:out|err) [FP] ",
        r"^\s*[\[(]?\d{4}[-/.]\d\d[-/.]\d\d[T _]?\s?\d{1,2}:\d\d:\d\d(?:[.,:]\d+)?(?:\s?(?:Z|UTC|GMT|CES?T|[+-]\d\d:?\d\d))?[\])|]?[:,]? ?",
        // `[24-Nov-2026 09:08:23]`, `24-Nov-2026 08:59:17.870`, `10/9/2017 4:04:54 PM`, `0822/151521.958305`.
        r"^\s*\[?\d{1,2}[-/](?:\w{3}|\d{1,2})[-/]\d{2,4}[ :]\d{1,2}:\d\d:\d\d(?:[.,]\d+)?(?: ?[AP]M)?(?: [A-Z]{3,4} | [+-]\d{4})?\]?:? ?",
        // `Tue Nov 24 08:59:46 2026`, syslog's `Nov 20 08:06:17 host prog[123]: `.
        r"^\s*\[?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? (?:\w{3} {1,2}\d{1,2}|\d{1,2} \w{3} \d{4}) \d\d:\d\d:\d\d(?:\.\d+)?(?: [A-Z]{3,4})?(?: \d{4})?(?: \(\d+\))?\]?:? ?",
        r"^\s*(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}\d{1,2} \d\d:\d\d:\d\d(?:\.\d+)? (?:[\w.-]+ [\w./@-]+(?:\[\d+\])?|/[\w./-]+): ?",
        // klog: `E1124 08:41:16.123456   1 file.go:123] `.
        r"^\s*[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+\s+\d+ [\w./-]+:\d+\] ",
        // A time alone, and seconds since 1970 or since the start.
        r"^\s*\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]?:? ",
        r"^\s*\[?\s*\d{1,10}\.\d{3,9}\]?:? ",
        // compose, `kubectl logs --prefix`, docker service logs, journald's exporters.
        r"^\s*[\w.@/-]+\s*\| ",
        r"^\s*\[(?:pod|container|docker|compose)/[\w./-]+\] ",
        r"^\s*<\d{1,3}>(?:\d )?",
        // stern's and kubetail's pod and container: the end of a pod's name has letters of Kubernetes' own alphabet.
        r"^\s*[a-z0-9][a-z0-9-]*-(?:[bcdf-hj-np-tv-xz2456789]{8,10}|\d{8,10})-[bcdf-hj-np-tv-xz2456789]{5} [a-z0-9][a-z0-9-]* ",
        // uvicorn's and a quoting shell's or mail's.
        r"^(?:ERROR:    |INFO:     |WARNING:  |CRITICAL: |DEBUG:    )",
        r"^> ",
        r"^##\[\w+\]",
    ]
    .iter()
    .map(|prefix| errno::compile(prefix))
    .collect()
});

fn strip_prefixes(text: &str) -> (&str, Option<Severity>) {
    let mut rest = text;
    let mut severity = None;
    for _ in 0..DEPTH {
        let Some(found) = PREFIXES.iter().find_map(|prefix| prefix.find(rest)) else { break };
        let klog = found.as_str().trim_start();
        if klog.len() > 5 && klog.as_bytes()[1..5].iter().all(u8::is_ascii_digit) {
            severity = match klog.as_bytes()[0] {
                b'I' => Some(Severity::Info),
                b'W' => Some(Severity::Warning),
                b'E' => Some(Severity::Error),
                b'F' => Some(Severity::Fatal),
                _ => severity,
            };
        }
        if let Some(level) =
            klog.strip_suffix(' ').and_then(|label| label.trim_end().strip_suffix(':'))
        {
            severity = severity_word(level).or(severity);
        }
        rest = &rest[found.end()..];
    }
    (rest, severity)
}

/// Undoes one level of backslash escapes, as a logger or a quoting `%q` left them. Unknown ones
/// stay.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.peek() {
            Some('n') => out.push('\n'),
            Some('r') => {}
            Some('t') => out.push('\t'),
            Some(&next @ ('"' | '\'' | '`' | '\\' | '/')) => out.push(next),
            _ => {
                out.push('\\');
                continue;
            }
        }
        chars.next();
    }
    out
}

fn severity_word(word: &str) -> Option<Severity> {
    Some(match word.to_ascii_lowercase().as_str() {
        "emerg" | "emergency" | "crit" | "critical" | "fatal" | "panic" | "dpanic" | "severe"
        | "f" => Severity::Fatal,
        // nginx goes on after one, and HAProxy, which does not, has nothing worse.
        "alert" | "error" | "err" | "eror" | "erro" | "failure" | "e" => Severity::Error,
        "warn" | "warning" | "wrn" | "w" => Severity::Warning,
        "info" | "notice" | "note" | "debug" | "trace" | "log" | "verbose" | "dbg" | "inf"
        | "i" | "information" => Severity::Info,
        _ => return None,
    })
}

fn severity_of(text: &str) -> Severity {
    static LABEL: LazyLock<Regex> = LazyLock::new(|| {
        errno::compile(
            r#"(?ix) (?: \blevel[=:]\s*"?([a-z]+)
            | [\[(<|] \s* (emerg|alert|crit|critical|fatal|panic|error|err|warn|warning|info|notice|note|debug) \s* [\])>|]
            | ^ (?:[\w./-]+:\s+|[\w./-]+\[\d+\]:\s+)? (fatal|panic|critical|crit|emerg|alert|error|err|warn|warning|info|notice|note|debug)\b (?:[\s:!*\]|-]|$)
            | \s (FATAL|PANIC|CRITICAL|SEVERE|ERROR|WARN|WARNING|NOTICE|INFO|DEBUG) [\s:\]|-]
            | \[[\w-]*:(emerg|alert|crit|error|warn|notice|info|debug)\] )"#,
        )
    });
    // Words that no logger adds: the program gives up.
    static GIVES_UP: LazyLock<Regex> = LazyLock::new(|| {
        errno::compile(
            r"(?i)\b(?:panic:|fatal(?: error| exception)?:|uncaught|unhandled|exception in thread|aborting|cannot continue|exiting\b|terminating\b|panicked at|failed to start:)",
        )
    });
    // Words by which a program says that it goes on.
    static GOES_ON: LazyLock<Regex> = LazyLock::new(|| {
        errno::compile(
            r"(?i)\b(?:warning\b|ignored|ignoring|skipping|falling back|continuing|non-fatal|will not be|highly recommended)",
        )
    });
    // The same, whatever the message calls itself.
    static DOES_GO_ON: LazyLock<Regex> = LazyLock::new(|| {
        errno::compile(
            r"(?i)\b(?:falling back to|output directed to|ignoring this|continuing (?:without|anyway))\b",
        )
    });
    if GIVES_UP.is_match(text) {
        return Severity::Fatal;
    }
    if DOES_GO_ON.is_match(text) {
        return Severity::Warning;
    }
    let labelled = LABEL
        .captures(text)
        .and_then(|captures| severity_word(captures.iter().skip(1).flatten().next()?.as_str()));
    match labelled {
        Some(severity) => severity,
        None if GOES_ON.is_match(text) => Severity::Warning,
        None => Severity::Unsaid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(raw: &str) -> Vec<String> {
        parse(1, raw.as_bytes()).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn prefixes_of_every_shape_come_off() {
        let message = "mkdir /x: permission denied";
        for prefix in [
            "2026-11-24T08:41:16.614123Z stdout F ",
            "web-1  | ",
            "[pod/web-5f4b85f99c-7kfk2/nginx] ",
            "2026-11-24 08:41:16,123 ",
            "[2026-11-24 08:41:16 +0000] ",
            "2026/11/24 08:41:16 ",
            "[24-Nov-2026 09:08:23] ",
            "Nov 24 08:41:16 node1 kubelet[812]: ",
            "E1124 08:41:16.123456       1 main.go:42] ",
            "08:41:16.123 ",
            "\u{1b}[31m2026-11-24T08:41:16Z\u{1b}[0m ",
            "web-1 | 2026-11-24T08:41:16Z ",
            "Tue Nov 24 08:59:46 2026 (1): ",
        ] {
            assert_eq!(texts(&format!("{prefix}{message}")), [message], "{prefix:?}");
        }
    }

    #[test]
    fn json_gives_its_texts_once_each() {
        let raw = r#"{"level":"error","ts":1.5,"msg":"cannot save","error":"open /x: permission denied","stack":"Error: a\n    at b"}"#;
        assert_eq!(
            texts(raw),
            ["error", "cannot save", "open /x: permission denied", "Error: a", "at b"]
        );
        assert_eq!(parse(1, raw.as_bytes())[2].severity, Severity::Error);
        assert_eq!(texts(r#"{"log":"mkdir: x\n","stream":"stderr","time":"2026"}"#)[0], "mkdir: x");
        assert_eq!(texts(r#"{"log":"{\"msg\":\"open /x\"}\n"}"#), ["open /x"]);
    }

    #[test]
    fn escaped_quotes_and_line_breaks_are_undone() {
        assert_eq!(
            texts(r#"err="exec: \"/x\": denied\n\tat y""#),
            [r#"err="exec: "/x": denied"#, "at y\""]
        );
    }

    #[test]
    fn severities() {
        for (text, severity) in [
            ("[emerg] 1#1: bind() failed", Severity::Fatal),
            ("level=warn msg=x", Severity::Warning),
            ("FATAL:  could not create lock file", Severity::Fatal),
            ("initdb: error: could not", Severity::Error),
            ("mkdir: cannot create directory", Severity::Unsaid),
            ("WARNING: Cannot write log file", Severity::Warning),
            ("panic: open /x", Severity::Fatal),
            ("script.sh: info: can not modify", Severity::Info),
        ] {
            assert_eq!(parse(1, text.as_bytes())[0].severity, severity, "{text}");
        }
    }

    #[test]
    fn binary_noise_is_a_line_like_any_other() {
        let lines =
            parse(1, b"\xff\xfe\x00\x1b[31mopen /x\x1b]0;title\x07: permission denied\x1b[0m");
        assert!(lines[0].text.ends_with("open /x: permission denied"), "{:?}", lines[0].text);
    }
}
