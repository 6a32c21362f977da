//! Go's `%q` for a string, which upstream uses for the values of annotations.

use std::fmt::Write as _;

use super::go_printable::BOUNDARIES;

/// As Go's `strconv.Quote`: in double quotes, with Go's escapes for quotes, backslashes and what Go
/// does not print.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if is_printable(c) => quoted.push(c),
            '\u{07}' => quoted.push_str("\\a"),
            '\u{08}' => quoted.push_str("\\b"),
            '\u{0c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{0b}' => quoted.push_str("\\v"),
            c => {
                // Writing to a String cannot fail.
                let _ = match u32::from(c) {
                    code @ (..0x20 | 0x7f) => write!(quoted, "\\x{code:02x}"),
                    code @ ..0x1_0000 => write!(quoted, "\\u{code:04x}"),
                    code => write!(quoted, "\\U{code:08x}"),
                };
            }
        }
    }
    quoted.push('"');
    quoted
}

/// Go's `strconv.IsPrint`.
fn is_printable(c: char) -> bool {
    // Runs of printable and of other characters take turns, so an odd number of boundaries passed
    // means printable.
    BOUNDARIES.partition_point(|boundary| *boundary <= u32::from(c)) % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn quotes_as_go_does() {
        for (text, expected) in [
            ("", r#""""#),
            ("localhost/profile", r#""localhost/profile""#),
            ("say \"hi\" \\ 'there'", r#""say \"hi\" \\ 'there'""#),
            ("\u{7}\u{8}\u{c}\n\r\t\u{b}", r#""\a\b\f\n\r\t\v""#),
            ("\0\u{1b}\u{7f}\u{80}", r#""\x00\x1b\x7f\u0080""#),
            ("é 日本 \u{1f600}", "\"é 日本 \u{1f600}\""),
            ("\u{a0}\u{ad}\u{200b}\u{202e}\u{feff}", r#""\u00a0\u00ad\u200b\u202e\ufeff""#),
            ("\u{fffd}\u{ffff}\u{e0001}\u{10ffff}", "\"\u{fffd}\\uffff\\U000e0001\\U0010ffff\""),
            // Printable in Unicode 16, unassigned in the Unicode 15 of Go 1.26.
            ("\u{1cc00}", r#""\U0001cc00""#),
        ] {
            assert_eq!(quote(text), expected, "{text:?}");
        }
    }
}
