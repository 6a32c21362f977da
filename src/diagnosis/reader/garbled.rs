//! Characters that were damaged on their way from a terminal to a report.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;

use super::errno::compile;

/// Quotes that were damaged on their way from a terminal to a report, as they were typed: bytes as
/// octal numbers or in angle brackets, UTF-8 that was taken for another encoding, entities of HTML,
/// `\u2018`, and a question mark for what had no letter.
pub(crate) fn repaired(text: &str) -> Cow<'_, str> {
    static DAMAGED: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            "(?:\\\\[2-3][0-7]{2}){2,4}|(?:<[89A-F][0-9A-F]>){2,4}|\\\\u(?:20[0-9a-fA-F]{2}|00[2-7][0-9a-fA-F])|&(?:#39|#x27|#34|quot|apos|amp|lt|gt|rsquo|lsquo|rdquo|ldquo);|â€[\u{2dc}\u{2122}\u{153}\u{9d}]|\u{e2}\u{80}[\u{98}\u{99}\u{9c}\u{9d}]|ΓÇ[ÿÖ£¥]",
        )
    });
    // `?/srv/x?:`, as a log shows that has no letter for a typographic quote.
    static LOST: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            "(?P<before>^|[\\s(:=])(?:\\?{1,3}|\u{fffd}{1,3})(?P<path>(?:\\.{1,2}|~)?/[^?\u{fffd}\r\n]*?)(?:\\?{1,3}|\u{fffd}{1,3})(?P<behind>$|[\\s:),.;])",
        )
    });
    let may_be = |byte| memchr::memchr(byte, text.as_bytes()).is_some();
    let mut repaired = Cow::Borrowed(text);
    if may_be(b'\\') || may_be(b'&') || may_be(b'<') || may_be(0xc3) || may_be(0xce) {
        repaired = match DAMAGED
            .replace_all(text, |captures: &regex::Captures| repaired_letter(&captures[0]))
        {
            Cow::Borrowed(_) => repaired,
            Cow::Owned(changed) => Cow::Owned(changed),
        };
    }
    if may_be(b'?') || may_be(0xef) {
        repaired = match LOST.replace_all(&repaired, "${before}'${path}'${behind}") {
            Cow::Borrowed(_) => repaired,
            Cow::Owned(changed) => Cow::Owned(changed),
        };
    }
    repaired
}

/// The letter that was damaged, or the damaged one where that is not known.
fn repaired_letter(damaged: &str) -> String {
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
