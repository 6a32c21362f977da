//! `hostUsers: false` (KEP-127).

use serde_json::{Value, json};

use crate::plan::fields::{containers_mut, field, remove_if};

/// Root inside is what the namespace is for, so `runAsNonRoot` goes.
pub(super) fn apply(spec: &mut Value) {
    spec["hostUsers"] = json!(false);
    let allow = |holder: &mut Value| {
        remove_if(field(holder, "securityContext"), "runAsNonRoot", |required| {
            *required == json!(true)
        });
    };
    allow(spec);
    containers_mut(spec).for_each(allow);
}
