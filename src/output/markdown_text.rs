//! How text from outside is put into Markdown.

use super::terminal::Clean;

/// A name or a value as code, which it cannot end.
pub(super) fn code(text: &str) -> String {
    format!("`{}`", Clean(text).to_string().replace('`', "'"))
}

/// The same in a cell of a table, which a bar ends even within code.
pub(super) fn code_in_cell(text: &str) -> String {
    // Before a bar, a backslash of the text would be read as the one that keeps the cell together.
    if text.contains('\\') { plain(text) } else { code(text).replace('|', "\\|") }
}

/// A sentence in which nothing is markup.
pub(super) fn plain(text: &str) -> String {
    let text = Clean(text).to_string();
    text.chars()
        .flat_map(|c| if "\\`*_[]<>|#&~".contains(c) { vec!['\\', c] } else { vec![c] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{code, code_in_cell, plain};

    #[test]
    fn code_and_sentences_hold_whatever_they_say() {
        assert_eq!(code("a`b|c"), "`a'b|c`");
        assert_eq!(code_in_cell("a`b|c"), "`a'b\\|c`");
        assert_eq!(code_in_cell("a\\|c"), "a\\\\\\|c");
        assert_eq!(plain("*a* | [b](c)"), "\\*a\\* \\| \\[b\\](c)");
    }
}
