//! `sysctls` of the pod.

use serde_json::{Value, json};

use crate::plan::fields::{field, list, named};

pub(super) fn apply(spec: &mut Value, name: &str, value: &str) {
    named(list(field(spec, "securityContext"), "sysctls"), name)["value"] = json!(value);
}
