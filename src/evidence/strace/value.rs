//! Arguments as strace prints them: strings in quotes, structures, words with notes.

use crate::model::trace::Argument;

/// Arguments of a call that are kept; none has more.
const MAX_ARGUMENTS: usize = 16;

/// The arguments between the parentheses.
pub(super) fn arguments(text: &str) -> Vec<Argument> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() && found.len() < MAX_ARGUMENTS {
        let (argument, after) = argument(rest);
        found.push(argument);
        // To the next comma: comments such as `/* 35 vars */` stand between.
        let end = end(after);
        rest = after[end..].trim_start_matches(',').trim_start();
    }
    found
}

fn argument(text: &str) -> (Argument, &str) {
    match text.as_bytes().first() {
        Some(b'"') => string(text),
        Some(b'{' | b'[' | b'~') => {
            let end = end(text);
            (Argument::Structure(text[..end].to_owned()), &text[end..])
        }
        _ => {
            let end = word(text);
            let (note, after) = match note(&text[end..]) {
                Some((note, after)) => (Some(note.to_owned()), after),
                None => (None, &text[end..]),
            };
            (Argument::Word { word: text[..end].trim_end().to_owned(), note }, after)
        }
    }
}

/// Where a word ends: before a comma or a note.
fn word(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'<' if bytes.get(at + 1) == Some(&b'<') => at += 1,
            b'<' | b',' if depth == 0 => return at,
            b' ' if depth == 0 && bytes.get(at + 1) == Some(&b'/') => return at,
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// Where an argument ends: at the next comma outside of quotes, brackets and notes.
fn end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = quoted(text, at),
            b',' if depth == 0 => return at,
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// Where the string that begins at `at` has its closing quote, or its last byte where it has none.
fn quoted(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = at + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'"' => return at,
            _ => {}
        }
        at += 1;
    }
    text.len().saturating_sub(1)
}

/// A note of `-y`: `</etc/passwd>`, `<TCP:[10.0.0.1:80->10.0.0.2:5]>`, `</dev/null<char 1:3>>`; and
/// what follows it.
pub(super) fn note(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'<') {
        return None;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = quoted(text, at),
            b'<' => depth += 1,
            b'>' if bytes.get(at.wrapping_sub(1)) == Some(&b'-') => {}
            b'>' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some((&text[1..at - 1], &text[at..]));
        }
    }
    None
}

/// A string in quotes, and what follows it. Escapes are those of C: octal, hexadecimal, letters.
fn string(text: &str) -> (Argument, &str) {
    let close = quoted(text, 0);
    let (inner, after) = match text.get(1..close) {
        Some(inner) => (inner, text.get(close + 1..).unwrap_or_default()),
        None => (text.get(1..).unwrap_or_default(), ""),
    };
    let (cut, after) = after.strip_prefix("...").map_or((false, after), |after| (true, after));
    (Argument::Text { text: unescaped(inner), cut }, after)
}

fn unescaped(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some(&escape) = bytes.get(at) else { break };
        let (from, most, base) = match escape {
            b'0'..=b'7' => (at, 3, 8),
            b'x' => (at + 1, 2, 16),
            _ => {
                out.push(match escape {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'v' => 0x0b,
                    b'f' => 0x0c,
                    other => other,
                });
                at += 1;
                continue;
            }
        };
        let digits = bytes[from..]
            .iter()
            .take(most)
            .take_while(|byte| char::from(**byte).is_digit(base))
            .count();
        let value = bytes[from..from + digits]
            .iter()
            .fold(0, |value, byte| value * base + char::from(*byte).to_digit(base).unwrap_or(0));
        out.push(u8::try_from(value & 0xff).unwrap_or(0));
        at = from + digits;
    }
    String::from_utf8_lossy(&out).into_owned()
}
