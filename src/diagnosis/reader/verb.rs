//! Verbs as whole words.

use regex::Regex;

use super::errno::compile;

/// Any of `words` (regular expressions, in lower case), in any case, not inside a longer word or a
/// path.
pub(crate) fn any_of(words: &[&str]) -> Regex {
    compile(&format!(r"(?i)(?:^|[^a-z0-9_/.\\-])(?:{})(?:\(\)|\b)", words.join("|")))
}
