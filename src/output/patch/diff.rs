//! A unified diff, for people and for `patch -p0`.

use similar::TextDiff;

/// The change from one named text to another, with three lines around each hunk; empty where
/// nothing changes.
#[must_use]
pub fn diff((name, before): (&str, &str), (new_name, after): (&str, &str)) -> String {
    if before == after {
        return String::new();
    }
    TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(3)
        .header(name, new_name)
        .to_string()
}
