//! The phrases that upstream's sentences share (policy/helpers.go), letter for letter.

use super::pod::Container;

/// Upstream's `joinQuote`: `"a", "b"`. Names are not escaped, so a quote inside a name stands as it
/// is.
pub(super) fn quoted<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for item in items {
        text.push_str(if text.is_empty() { "\"" } else { ", \"" });
        text.push_str(item);
        text.push('"');
    }
    text
}

/// Upstream's `pluralize`.
pub(super) fn plural(count: usize, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

/// `container "a"` or `containers "a", "b"`.
pub(super) fn containers(named: &[&Container<'_>]) -> String {
    let names = named.iter().map(|container| container.name);
    format!("{} {}", plural(named.len(), "container", "containers"), quoted(names))
}

/// Who set a field that the pod and each container can set: `pod`, `container "a"`, `pod and
/// containers "a", "b"`.
pub(super) fn setters(pod: bool, named: &[&Container<'_>]) -> String {
    match (pod, named.is_empty()) {
        (true, true) => "pod".to_owned(),
        (true, false) => format!("pod and {}", containers(named)),
        (false, _) => containers(named),
    }
}
