//! The only way for a string from outside to reach a terminal, and the styles of our own text.

use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Effects, Style};

/// How a piece of our own text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// What must be changed.
    Bad,
    /// What needs a look.
    Doubtful,
    /// What is as it should be.
    Good,
    /// What matters less.
    Faint,
    Strong,
}

impl Tone {
    const ALL: [Tone; 5] = [Tone::Bad, Tone::Doubtful, Tone::Good, Tone::Faint, Tone::Strong];

    /// The sixteen basic colours only: they follow the theme of the terminal, light or dark.
    #[must_use]
    pub fn style(self) -> Style {
        match self {
            Tone::Bad => AnsiColor::Red.on_default().effects(Effects::BOLD),
            // Yellow is pale on a light background.
            Tone::Doubtful => AnsiColor::Magenta.on_default(),
            Tone::Good => AnsiColor::Green.on_default(),
            // Dimmed text is lost on some.
            Tone::Faint => AnsiColor::BrightBlue.on_default(),
            Tone::Strong => Style::new().effects(Effects::BOLD),
        }
    }

    /// The mark that opens this tone until [`painted`] replaces it.
    fn mark(self) -> char {
        match self {
            Tone::Bad => '\u{2061}',
            Tone::Doubtful => '\u{2062}',
            Tone::Good => '\u{2063}',
            Tone::Faint => '\u{2064}',
            Tone::Strong => '\u{2066}',
        }
    }
}

/// The mark that closes any tone.
const CLOSE: char = '\u{2060}';

/// Marks text for [`painted`] by characters without width, so that tables are laid out as they will
/// be seen. Text from outside cannot forge a mark: [`Clean`] escapes these characters.
#[must_use]
pub fn tone(tone: Tone, text: impl fmt::Display) -> String {
    format!("{}{text}{CLOSE}", tone.mark())
}

/// Cuts text with marks to some columns; a tone that the cut left open is closed.
#[must_use]
pub fn cut(text: &str, columns: usize) -> String {
    let mut cut = console::truncate_str(text, columns, "…").into_owned();
    if cut.starts_with(|c| Tone::ALL.iter().any(|tone| tone.mark() == c)) && !cut.ends_with(CLOSE) {
        cut.push(CLOSE);
    }
    cut
}

/// Writes a text after a head, and where the terminal ends goes on below, indented. Words stay
/// whole.
pub(super) fn wrapped(
    out: &mut impl fmt::Write,
    head: &str,
    indent: usize,
    text: &str,
    width: usize,
) -> fmt::Result {
    /// Narrower than this no text is worth wrapping.
    const LEAST: usize = 24;
    let (mut line, mut columns) = (head.to_owned(), console::measure_text_width(head));
    let mut is_empty = true;
    for word in text.split(' ') {
        let longer = console::measure_text_width(word);
        if !is_empty && columns + 1 + longer > width.max(indent + LEAST) {
            writeln!(out, "{}", line.trim_end())?;
            line = " ".repeat(indent);
            columns = indent;
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
            columns += 1;
        }
        line.push_str(word);
        columns += longer;
        is_empty = false;
    }
    writeln!(out, "{}", line.trim_end())
}

/// Turns the marks of [`tone`] into ANSI escapes; anstream drops these where there is no
/// terminal, or NO_COLOR is set.
#[must_use]
pub fn painted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        match Tone::ALL.into_iter().find(|tone| tone.mark() == c) {
            Some(tone) => out.push_str(&tone.style().render().to_string()),
            None if c == CLOSE => out.push_str("\u{1b}[0m"),
            None => out.push(c),
        }
    }
    out
}

/// Shows untrusted text on one line: control characters, and the format characters that reorder or
/// hide text (Unicode's bidirectional controls and zero-width characters, "Trojan Source",
/// CVE-2021-42574), are replaced by a visible escape such as `\u{1b}`. A tab becomes a space and a
/// line break the sign `↵`.
#[derive(Debug, Clone, Copy)]
pub struct Clean<'a>(pub &'a str);

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\t' => f.write_char(' ')?,
                '\n' => f.write_char('↵')?,
                '\r' => {}
                c if is_hidden(c) => write!(f, "{}", c.escape_unicode())?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Whether a character has no glyph of its own, and could act on a terminal or on its neighbours.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control() || reorders_or_hides(c)
}

/// JSON with every hidden character as a `\u` escape: the same text to every parser. Beside
/// line breaks such a character stands in a string only.
#[must_use]
pub fn escaped(json: &str) -> String {
    if !json.contains(|c: char| c != '\n' && is_hidden(c)) {
        return json.to_owned();
    }
    let mut out = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if c == '\n' || !is_hidden(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

/// Characters of Unicode's general category Cf that change how their neighbours look, without a
/// glyph of their own.
fn reorders_or_hides(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::{Clean, Tone, cut, escaped, painted, tone, wrapped};

    #[test]
    fn tones_become_escapes_and_cannot_be_forged() {
        assert_eq!(painted(&tone(Tone::Good, "ok")), "\u{1b}[32mok\u{1b}[0m");
        let forged = Clean(&tone(Tone::Bad, "x")).to_string();
        assert_eq!(painted(&forged), "\\u{2061}x\\u{2060}");
    }

    #[test]
    fn a_cut_closes_what_it_opened() {
        assert_eq!(painted(&cut(&tone(Tone::Good, "abcdef"), 4)), "\u{1b}[32mabc…\u{1b}[0m");
        assert_eq!(cut("abc", 4), "abc");
    }

    #[test]
    fn a_wrapped_text_goes_on_below_its_beginning() {
        let mut out = String::new();
        wrapped(
            &mut out,
            "why: ",
            5,
            &tone(Tone::Bad, "the directory belongs to another user"),
            30,
        )
        .expect("a string");
        assert_eq!(
            out,
            format!("why: {}", tone(Tone::Bad, "the directory belongs to\n     another user\n"))
                .replace("\n\u{2060}", "\u{2060}\n")
        );
        let mut out = String::new();
        wrapped(&mut out, "", 0, "a-word-that-is-longer-than-the-terminal b", 10)
            .expect("a string");
        assert_eq!(out, "a-word-that-is-longer-than-the-terminal\nb\n");
    }

    #[test]
    fn json_says_the_same_without_hidden_characters() {
        let hostile = "a\u{7f}\u{9b}2J\u{202e}x\u{e0041}\u{1b}[m\n é";
        let json = serde_json::to_string_pretty(&[hostile]).expect("JSON");
        let shown = escaped(&json);
        assert!(shown.contains("\\u202ex\\udb40\\udc41"), "{shown}");
        assert!(shown.chars().all(|c| c == '\n' || !super::is_hidden(c)), "{shown:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&shown).expect("JSON"), [hostile]);
    }

    #[test]
    fn escapes_never_reach_a_terminal() {
        let hostile = "a\u{1b}[31mred\u{7}\u{9b}2J \u{202e}txt.exe\u{200b}\r\nnext\ttab";
        let shown = Clean(hostile).to_string();
        assert_eq!(shown, "a\\u{1b}[31mred\\u{7}\\u{9b}2J \\u{202e}txt.exe\\u{200b}↵next tab");
    }
}
