//! `supplementalGroups` of the pod.

use serde_json::{Value, json};

use crate::plan::fields::{add, field, list};

pub(super) fn apply(spec: &mut Value, gid: u32) {
    add(list(field(spec, "securityContext"), "supplementalGroups"), json!(gid));
}
