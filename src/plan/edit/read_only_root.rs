//! `readOnlyRootFilesystem` of every container.

use serde_json::{Value, json};

use crate::plan::fields::{containers_mut, field};

pub(super) fn apply(spec: &mut Value, is_left: &dyn Fn(&str) -> bool) {
    for container in containers_mut(spec) {
        if !container["name"].as_str().is_some_and(is_left) {
            field(container, "securityContext")["readOnlyRootFilesystem"] = json!(true);
        }
    }
}
