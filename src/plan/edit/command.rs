//! `command` and `args` of a container.

use serde_json::{Value, json};

use crate::plan::fields::with_container;

/// Without words a field goes: the image's own holds then.
pub(super) fn apply(spec: &mut Value, container: &str, command: &[String], args: &[String]) {
    with_container(spec, container, |container| {
        for (key, words) in [("command", command), ("args", args)] {
            // The kubelet expands `$(VAR)` there, and `$$` stands for a dollar.
            let words: Vec<String> = words.iter().map(|word| word.replace('$', "$$")).collect();
            match (words.is_empty(), container.as_object_mut()) {
                (true, Some(fields)) => drop(fields.shift_remove(key)),
                _ => container[key] = json!(words),
            }
        }
    });
}
