//! The only way for a string from outside to reach a terminal.

use std::fmt::{self, Write as _};

/// Shows untrusted text on one line: control characters, and the format characters that reorder or hide text
/// (Unicode's bidirectional controls and zero-width characters, "Trojan Source", CVE-2021-42574), are replaced by a
/// visible escape such as `\u{1b}`. A tab becomes a space and a line break the sign `↵`.
#[derive(Debug, Clone, Copy)]
pub struct Clean<'a>(pub &'a str);

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\t' => f.write_char(' ')?,
                '\n' => f.write_char('↵')?,
                '\r' => {}
                c if c.is_control() || reorders_or_hides(c) => write!(f, "{}", c.escape_unicode())?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Characters of Unicode's general category Cf that change how their neighbours look, without a glyph of their own.
fn reorders_or_hides(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::Clean;

    #[test]
    fn escapes_never_reach_a_terminal() {
        let hostile = "a\u{1b}[31mred\u{7}\u{9b}2J \u{202e}txt.exe\u{200b}\r\nnext\ttab";
        let shown = Clean(hostile).to_string();
        assert_eq!(shown, "a\\u{1b}[31mred\\u{7}\\u{9b}2J \\u{202e}txt.exe\\u{200b}↵next tab");
    }
}
