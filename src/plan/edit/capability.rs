//! `capabilities.add` of a container.

use serde_json::{Value, json};

use crate::plan::fields::{add as add_to, field, list, remove_if, with_container};

pub(super) fn add(spec: &mut Value, container: &str, name: &str) {
    with_container(spec, container, |container| {
        let capabilities = field(field(container, "securityContext"), "capabilities");
        add_to(list(capabilities, "add"), json!(name));
    });
}

/// Removes a name, with and without `CAP_`.
pub(super) fn remove(spec: &mut Value, container: &str, name: &str) {
    with_container(spec, container, |container| {
        let Some(capabilities) = container.pointer_mut("/securityContext/capabilities") else {
            return;
        };
        if let Some(added) = capabilities.get_mut("add").and_then(Value::as_array_mut) {
            added.retain(|known| {
                known.as_str().map(|known| known.trim_start_matches("CAP_")) != Some(name)
            });
        }
        remove_if(capabilities, "add", |added| added.as_array().is_some_and(Vec::is_empty));
    });
}
