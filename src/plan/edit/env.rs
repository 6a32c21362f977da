//! A variable of a container, with a plain value.

use serde_json::{Value, json};

use crate::plan::fields::{list, named, with_container};

pub(super) fn apply(spec: &mut Value, container: &str, name: &str, value: &str) {
    with_container(spec, container, |container| {
        let variable = named(list(container, "env"), name);
        variable["value"] = json!(value);
        if let Some(fields) = variable.as_object_mut() {
            fields.shift_remove("valueFrom");
        }
    });
}
