//! One line: who, when, and what.

use super::value;
use crate::model::trace::{Call, CallOutcome, number};

/// Bytes of a call that are kept as evidence.
const MAX_TEXT_BYTES: usize = 400;

/// A line without its prefixes.
pub(super) struct Line<'t> {
    pub pid: Option<u32>,
    pub rest: Rest<'t>,
}

#[derive(Debug)]
pub(super) enum Rest<'t> {
    Call(&'t str),
    /// A call up to the place where another thread's line came in between.
    Unfinished(&'t str),
    /// What follows `<... NAME resumed>`.
    Resumed(&'t str),
    Signal,
    Exited(i32),
    Killed(&'t str),
    Superseded,
    Note,
}

/// The largest pid of a 64-bit kernel (`PID_MAX_LIMIT`, proc_sys_kernel(5)); what is more is a
/// time.
const MAX_PID: u64 = 4_194_304;

/// Takes a line apart. `None`: strace did not write it.
pub(super) fn split(text: &str) -> Option<Line<'_>> {
    if is_note(text) {
        return Some(Line { pid: None, rest: Rest::Note });
    }
    if matches!(text.trim_start(), "<unfinished ...>" | "<detached ...>") {
        return Some(Line { pid: None, rest: Rest::Note });
    }
    // Where it prints to a terminal or a pipe, a note may come into the middle of a call; what
    // follows has a line of its own.
    let notes = text.ends_with("attached") || text.ends_with("detached");
    let torn = notes.then(|| text.find("strace: Process ")).flatten();
    let (pid, text) = without_pid(&text[..torn.unwrap_or(text.len())]);
    let text = without_brackets(without_times(text.trim_start()));
    let rest = match torn {
        Some(_) => {
            text.split_once('(').filter(|(name, _)| is_name(name)).map(|_| Rest::Unfinished(text))
        }
        None => rest(text),
    };
    Some(Line { pid, rest: rest? })
}

/// What strace says of itself, and the stack frames of `-k`.
fn is_note(text: &str) -> bool {
    let own =
        text.strip_prefix("strace: ").or(text.strip_prefix("/usr/bin/strace: ")).unwrap_or(text);
    let about = own.strip_prefix("Process ").and_then(|rest| rest.split_once(' '));
    own.len() < text.len()
        || about.is_some_and(|(pid, what)| {
            let number = pid.split('<').next().unwrap_or_default();
            !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
                && (what.ends_with("attached")
                    || what.ends_with("detached")
                    || what.starts_with("resumed"))
        })
        || text.starts_with("[ Process PID=")
        || text.trim_start().starts_with("> ") && text.ends_with(']') && text.contains(" [0x")
}

/// `[pid 17] `, `17 `, `17<sh> `.
fn without_pid(text: &str) -> (Option<u32>, &str) {
    let (inner, after) = match text.strip_prefix("[pid ") {
        Some(rest) => match rest.split_once(']') {
            Some((inner, after)) => (inner.trim(), after),
            None => return (None, text),
        },
        None => match text.split_once(' ') {
            Some((inner, after)) => (inner, after),
            None => return (None, text),
        },
    };
    let digits = inner.split('<').next().unwrap_or_default();
    let is_named = digits.len() == inner.len() || inner.ends_with('>');
    match digits.parse::<u64>() {
        Ok(pid) if is_named && pid <= MAX_PID => (u32::try_from(pid).ok(), after),
        _ => (None, text),
    }
}

/// `22:38:26`, `22:38:26.123456`, `1700000000.123456`, `0.000123`, `(+     0.000123)`: what `-t`
/// and `-r` put there.
fn without_times(text: &str) -> &str {
    let mut text = text;
    loop {
        if let Some(after) = text.strip_prefix("(+").and_then(|rest| rest.split_once(')')) {
            text = after.1.trim_start();
            continue;
        }
        let Some((word, after)) = text.split_once(' ') else { return text };
        let is_time = word.starts_with(|c: char| c.is_ascii_digit())
            && word.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b':'));
        if !is_time {
            return text;
        }
        text = after.trim_start();
    }
}

/// `[00007f3b2c1d2f3e] ` of `-i`, `[ 257] ` of `-n`.
fn without_brackets(text: &str) -> &str {
    let mut text = text;
    while let Some((inner, after)) = text.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        let inner = inner.trim();
        if inner.is_empty() || !inner.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'?') {
            return text;
        }
        text = after.trim_start();
    }
    text
}

fn rest(text: &str) -> Option<Rest<'_>> {
    if let Some(inner) = text.strip_prefix("+++ ").and_then(|rest| rest.strip_suffix(" +++")) {
        return if let Some(code) = inner.strip_prefix("exited with ") {
            code.parse().ok().map(Rest::Exited)
        } else if let Some(signal) = inner.strip_prefix("killed by ") {
            Some(Rest::Killed(signal))
        } else {
            inner.starts_with("superseded by ").then_some(Rest::Superseded)
        };
    }
    if text.starts_with("--- ") && text.ends_with(" ---") {
        return Some(Rest::Signal);
    }
    if let Some(after) = text.strip_prefix("<... ") {
        let (name, after) = after.split_once("resumed>")?;
        return is_name(name.trim_end()).then_some(Rest::Resumed(after));
    }
    let (name, _) = text.split_once('(')?;
    if !is_name(name) {
        return None;
    }
    let cut = ["<unfinished ...>", "<detached ...>"].iter().find_map(|end| text.strip_suffix(end));
    Some(match cut {
        Some(begun) => Rest::Unfinished(begun),
        None => Rest::Call(text),
    })
}

/// Whether it can be the name of a system call: `openat`, `syscall_0x1bf`, `????`; nothing at all
/// in old traces.
fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'?'))
}

/// A whole call with what came of it.
pub(super) fn call(text: &str) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    // Before the last sign of equality that stands behind a parenthesis: strings may hold others.
    let (inner, result) = rest.rmatch_indices(" = ").find_map(|(at, sign)| {
        let inner = rest[..at].trim_end().strip_suffix(')')?;
        Some((inner, &rest[at + sign.len()..]))
    })?;
    let outcome = outcome(result)?;
    let mut shown = if name.starts_with("execve") {
        // Arguments and environment may hold what nobody else is to see.
        let path = inner.find("\", ").map_or(inner, |at| &inner[..=at]);
        format!("{name}({path}, ...) = {result}")
    } else {
        // Without the blanks by which strace aligns results.
        format!("{name}({inner}) = {result}")
    };
    shown.truncate(shown.floor_char_boundary(MAX_TEXT_BYTES));
    Some(Call { name: name.to_owned(), arguments: value::arguments(inner), outcome, text: shown })
}

/// `0`, `3</etc/passwd>`, `0x7f.. (flags O_RDWR)`, `-1 EACCES (Permission denied)`, `? ERESTARTSYS
/// (...)`.
fn outcome(result: &str) -> Option<CallOutcome> {
    let result = result.trim();
    let result = result.strip_suffix('>').and_then(|rest| rest.rsplit_once(" <")).map_or(
        result,
        |(before, time)| {
            let is_time = time.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            if is_time { before } else { result }
        },
    );
    if result.starts_with('?') {
        return Some(CallOutcome::Unknown);
    }
    if let Some(failed) = result.strip_prefix("-1 ") {
        let errno = failed.split(' ').next().unwrap_or_default();
        return Some(match errno.strip_prefix('E') {
            Some(_) => CallOutcome::Failed(errno.to_owned()),
            None => CallOutcome::Failed(String::new()),
        });
    }
    let digits =
        result.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(result.len());
    let value = number(&result[..digits])?;
    let note = value::note(&result[digits..]).map(|(note, _)| note.to_owned());
    Some(CallOutcome::Returned(value, note))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::trace::Argument;

    fn called(text: &str) -> Call {
        call(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn strings_may_hold_anything() {
        let call = called(r#"write(1, "a) = b, \"c\" \303\274\x41\n"..., 99) = 7"#);
        assert_eq!(
            call.arguments[1],
            Argument::Text { text: "a) = b, \"c\" üA\n".to_owned(), cut: true }
        );
        assert_eq!((call.number(2), call.outcome), (Some(99), CallOutcome::Returned(7, None)));
    }

    #[test]
    fn descriptors_have_notes() {
        let call = called(
            r#"accept4(6<TCP:[127.0.0.1:80->10.0.0.1:5, "x"]>, {sa_family=AF_INET, sin_port=htons(1)}, [16], SOCK_CLOEXEC) = 7<TCP:[a->b]>"#,
        );
        assert_eq!(call.note(0), Some(r#"TCP:[127.0.0.1:80->10.0.0.1:5, "x"]"#));
        assert_eq!(call.arguments.len(), 4);
        assert_eq!(call.outcome, CallOutcome::Returned(7, Some("TCP:[a->b]".to_owned())));
        let call = called("write(1</dev/null<char 1:3>>, 0x55, 1<<3|FUTEX<<2) = 0x10 (flags X)");
        assert_eq!(
            (call.note(0), call.word(2)),
            (Some("/dev/null<char 1:3>"), Some("1<<3|FUTEX<<2"))
        );
        assert_eq!(call.outcome, CallOutcome::Returned(16, None));
    }

    #[test]
    fn secrets_of_a_command_line_are_no_evidence() {
        let call = called(
            r#"execve("/bin/x", ["x", "--password=p"], ["KEY=k"]) = -1 EPERM (Operation not permitted)"#,
        );
        assert_eq!(call.text, r#"execve("/bin/x", ...) = -1 EPERM (Operation not permitted)"#);
    }

    #[test]
    fn no_calls() {
        for text in
            ["open(", "open() failed", "f(x) = y", "mkdir() \"/x\" failed (13: Permission denied)"]
        {
            assert!(call(text).is_none(), "{text}");
        }
    }
}
