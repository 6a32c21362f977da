//! `runAsUser` and `runAsGroup`.

use serde_json::{Value, json};

use crate::plan::fields::{containers_mut, field, remove_if, with_container};

pub(super) fn apply(spec: &mut Value, container: Option<&str>, uid: u32, gid: u32) {
    let set = |holder: &mut Value| {
        let context = field(holder, "securityContext");
        context["runAsUser"] = json!(uid);
        context["runAsGroup"] = json!(gid);
    };
    if let Some(name) = container {
        with_container(spec, name, set);
        return;
    }
    set(spec);
    // A container's own 0 would contradict what is the pod's now.
    for container in containers_mut(spec) {
        if let Some(context) = container.get_mut("securityContext") {
            remove_if(context, "runAsUser", |uid| *uid == json!(0));
        }
    }
}
