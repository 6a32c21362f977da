//! `runAsNonRoot`, which the level's demand sets.

use serde_json::{Value, json};

use crate::plan::fields::{containers_mut, remove_if};

/// Removes the pod's uid 0 where every container has a uid of its own: nobody has the pod's any
/// more, and the kubelet would refuse it beside `runAsNonRoot`.
pub(in crate::plan) fn settle(spec: &mut Value) {
    let is_own = |container: &mut Value| container["securityContext"]["runAsUser"].is_u64();
    if !containers_mut(spec).all(is_own) {
        return;
    }
    if let Some(context) = spec.get_mut("securityContext") {
        remove_if(context, "runAsUser", |uid| *uid == json!(0));
    }
}
