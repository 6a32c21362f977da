//! `fsGroup` of the pod.

use serde_json::{Value, json};

use crate::plan::fields::field;

/// Owners are changed only where the volume's top is not right yet (KEP-695): a large volume would
/// else delay every start.
pub(super) fn apply(spec: &mut Value, gid: u32) {
    let context = field(spec, "securityContext");
    context["fsGroup"] = json!(gid);
    context["fsGroupChangePolicy"] = json!("OnRootMismatch");
}
