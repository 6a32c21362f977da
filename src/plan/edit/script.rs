//! Scripts of init containers, and the words that they are made of.

use std::borrow::Cow;

/// A function of sh that scripts call; its name is the text before `(`.
pub(super) type Function = &'static str;

/// Some lines for sh, and the functions that they call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    pub(super) lines: String,
    pub(super) functions: Vec<Function>,
}

impl Script {
    pub(super) fn lines(lines: String) -> Self {
        Script { lines, functions: Vec::new() }
    }

    /// `copy FROM TO`, of a function that is named `copy`.
    pub(super) fn call(function: Function, from: &str, to: &str) -> Self {
        let name = function.split('(').next().unwrap_or(function);
        Script {
            lines: format!("{name} {} {}", quoted(from), quoted(to)),
            functions: vec![function],
        }
    }
}

/// All scripts as one that stops at the first command that fails; each function stands in it once.
pub(super) fn joined<'s>(scripts: impl Iterator<Item = &'s Script> + Clone) -> String {
    let mut functions: Vec<Function> = Vec::new();
    for function in scripts.clone().flat_map(|script| &script.functions) {
        if !functions.contains(function) {
            functions.push(function);
        }
    }
    let mut lines = vec!["set -e"];
    lines.extend(functions);
    lines.extend(scripts.map(|script| script.lines.as_str()));
    match lines.as_slice() {
        [_, one] if !one.contains('\n') => (*one).to_owned(),
        lines => lines.join("\n"),
    }
}

/// A word for a shell script in a `command`: quoted where it needs to be, its `$` doubled, since
/// the kubelet expands `$(VAR)` there.
pub(super) fn quoted(text: &str) -> String {
    // A path and a script hold no NUL; one that did would end there in the kernel too.
    let text = text.split('\0').next().unwrap_or_default();
    let quoted = match shlex::try_quote(text).unwrap_or_default() {
        // One pair of quotes reads better than shlex's shortest form.
        Cow::Owned(_) if !text.contains('\'') => format!("'{text}'"),
        quoted => quoted.into_owned(),
    };
    quoted.replace('$', "$$")
}

/// A text as a DNS label (RFC 1123): lower case, digits and hyphens, at most 60 characters so that
/// a number fits.
pub(super) fn label(text: &str) -> String {
    let plain: String = text
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let words: Vec<&str> = plain.split('-').filter(|word| !word.is_empty()).collect();
    let mut joined = words.join("-");
    joined.truncate(60);
    let joined = joined.trim_end_matches('-');
    if joined.is_empty() { "root".to_owned() } else { joined.to_owned() }
}
