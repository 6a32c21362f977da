//! One line of a log, and the message of the program in it.
//!
//! The container runtime (docker-json, CRI), tools that prefix lines (compose, stern, journald), the
//! program's own logger (timestamps, klog, JSON, logfmt) and terminal colours add to a message.
//! [`parse`] takes that off.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::{
    errno::{self, ErrnoMatch},
    garbled::repaired,
    prefix::{strip_escapes, strip_prefixes},
    severity::{Severity, severity_of, severity_of_word},
};

/// A message: one line of a log, or one of the lines inside an escaped string of it.
#[derive(Debug, Clone)]
pub(crate) struct LogLine {
    /// The 1-based line of the source.
    pub number: u64,
    /// Columns of white space before the text, after the prefixes.
    pub indent: usize,
    /// The message without prefixes, indentation and escapes.
    pub text: String,
    pub severity: Severity,
    pub refusal: Option<ErrnoMatch>,
    /// The line as it stood in the source, if the message is only a part of it.
    pub whole: Option<String>,
    /// It is of a JSON object that a service answers with, or that tells of a request to one.
    pub of_service: bool,
    /// It fills its row in a terminal's box: the next row continues in the middle of a word.
    pub fills_row: bool,
}

impl LogLine {
    fn new(number: u64, text: &str, severity: Option<Severity>) -> Self {
        let body = unlisted(text.trim_start());
        let indent =
            text[..text.len() - body.len()].chars().map(|c| if c == '\t' { 8 } else { 1 }).sum();
        let text = repaired(body.trim_end()).into_owned();
        let refusal = errno::find(&text);
        let severity = severity.unwrap_or_else(|| severity_of(&text));
        LogLine {
            number,
            indent,
            text,
            severity,
            refusal,
            whole: None,
            of_service: false,
            fills_row: false,
        }
    }

    /// Joins a line that was broken in two, in the middle of a word or between two.
    pub(crate) fn append(&mut self, rest: &LogLine, between: &str) {
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
    pub(crate) fn is_blank(&self) -> bool {
        self.text.bytes().all(|b| matches!(b, b'*' | b'-' | b'=' | b'#' | b' ' | b'|'))
    }
}

/// A frame of a stack trace that is printed as a list of strings, one a line, as Elasticsearch
/// does.
fn unlisted(text: &str) -> &str {
    let frame = text
        .strip_prefix('"')
        .filter(|rest| ["at ", "Caused by: ", "... "].iter().any(|start| rest.starts_with(start)));
    frame.map_or(text, |frame| {
        frame.trim_end().trim_end_matches([',', ']', '}']).trim_end_matches('"')
    })
}

/// Nesting of JSON in JSON, beyond which no logger goes.
const DEPTH: usize = 8;

/// The messages in one line of a source, at least one unless it is empty.
pub(crate) fn parse(number: u64, raw: &[u8]) -> Vec<LogLine> {
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

/// A line, or the part of it in one row of a terminal's box.
struct Row<'t> {
    text: &'t str,
    /// It reaches the right border.
    is_full: bool,
}

/// The rows of a line without the box around them that k9s, Terraform and others draw. Two rows that
/// were copied as one line are two again.
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

fn unwrap(
    number: u64,
    text: &str,
    severity: Option<Severity>,
    depth: usize,
    lines: &mut Vec<LogLine>,
) {
    let (message, stated) = strip_prefixes(text);
    let severity = severity.or(stated);
    if depth > 0
        && message.trim_start().starts_with('{')
        && message.contains('"')
        && let Ok(Value::Object(object)) = serde_json::from_str(message.trim())
    {
        let before = lines.len();
        unwrap_json(number, &object, severity, depth, lines);
        if is_of_service(&object) {
            lines[before..].iter_mut().for_each(|line| line.of_service = true);
        }
        return;
    }
    // The backslash in a path of Windows is no escape: `C:\new`.
    static DRIVE: LazyLock<Regex> =
        LazyLock::new(|| errno::compile(r"(?:^|['\x22(\s])[A-Z]:\\{1,2}[A-Za-z]"));
    if !message.contains('\\') || DRIVE.is_match(message) {
        return lines.push(LogLine::new(number, message, severity));
    }
    let mut unescaped = unescape(message);
    // It may be quoted twice.
    for _ in 0..2 {
        if unescaped.contains("\\\"") {
            unescaped = unescape(&unescaped);
        }
    }
    // The first line of an escaped trace has the severity; the rest is indented below it.
    lines.extend(unescaped.split('\n').map(|part| LogLine::new(number, part, severity)));
}

/// Whether an object is the answer of a service, or a record of a request to one: no logger adds such
/// fields to what the kernel refused.
fn is_of_service(object: &serde_json::Map<String, Value>) -> bool {
    const OF_REQUEST: [&str; 10] = [
        "request",
        "remote_address",
        "remote_addr",
        "remoteAddr",
        "client_ip",
        "clientIp",
        "route",
        "uri",
        "url",
        "user_agent",
    ];
    const OF_ANSWER: [&str; 12] = [
        "error",
        "errors",
        "message",
        "code",
        "success",
        "ok",
        "status",
        "detail",
        "details",
        "error_description",
        "title",
        "request_id",
    ];
    let is_status = |key: &str| {
        object.get(key).and_then(Value::as_u64).is_some_and(|status| matches!(status, 401 | 403))
    };
    ["status", "code", "statusCode", "status_code"].into_iter().any(is_status)
        || object.keys().any(|key| OF_REQUEST.contains(&key.as_str()))
        || object.keys().all(|key| OF_ANSWER.contains(&key.as_str()))
}

/// The texts of a JSON log entry without the logger's own fields. Each text counts once:
/// `error` often repeats `message`, and the stack repeats both.
fn unwrap_json(
    number: u64,
    object: &serde_json::Map<String, Value>,
    severity: Option<Severity>,
    depth: usize,
    lines: &mut Vec<LogLine>,
) {
    let severity = ["level", "severity", "log.level", "lvl", "loglevel", "levelname", "@l", "s"]
        .iter()
        .find_map(|key| object.get(*key))
        .and_then(|value| match value {
            Value::String(word) => severity_of_word(word),
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
        // The message beside a reason belongs to it more than the message of the whole entry.
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
            lines.push(LogLine::new(number, &format!("{key}={text}"), severity));
        } else if is_reason
            && !text.contains(['/', '\n'])
            && !message.is_empty()
            && !message.contains(text)
        {
            // The message beside the reason says what was attempted.
            lines.push(LogLine::new(number, &format!("{message}: {text}"), severity));
        } else if text.trim_start().starts_with('{') {
            unwrap(number, text, severity, depth - 1, lines);
        } else {
            for part in text.trim_end().split('\n') {
                // A docker-json or CRI wrapper holds a line that may have a prefix of its own.
                let (message, stated) = strip_prefixes(part);
                let line = LogLine::new(number, message, severity.or(stated));
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

/// Undoes one level of backslash escapes of a logger or of a quoting `%q`. Unknown ones stay.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(raw: &str) -> Vec<String> {
        parse(1, raw.as_bytes()).into_iter().map(|line| line.text).collect()
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
    fn binary_noise_is_a_line_like_any_other() {
        let lines =
            parse(1, b"\xff\xfe\x00\x1b[31mopen /x\x1b]0;title\x07: permission denied\x1b[0m");
        assert!(lines[0].text.ends_with("open /x: permission denied"), "{:?}", lines[0].text);
    }
}
