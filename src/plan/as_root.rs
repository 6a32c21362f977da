//! A workload as it would run as root: what a proof compares it with.

use serde_json::{Value, json};

use super::compose::template_path;
use super::fields::{containers_mut, field, remove_if};

/// Fields of a container's security context that take something from root.
const OF_CONTAINER: [&str; 6] = [
    "runAsUser",
    "runAsGroup",
    "runAsNonRoot",
    "capabilities",
    "allowPrivilegeEscalation",
    "readOnlyRootFilesystem",
];

/// The object with root as the user of every container, without the fields that confine it. What an
/// image gives its own user is not changed for root: all else stays as it is.
#[must_use]
pub fn as_root(object: &Value) -> Value {
    let mut changed = object.clone();
    let template = template_path(object).iter().fold(&mut changed, |value, key| field(value, key));
    let spec = field(template, "spec");
    remove_if(spec, "hostUsers", |_| true);
    for container in containers_mut(spec) {
        if let Some(context) = container.get_mut("securityContext") {
            OF_CONTAINER.iter().for_each(|key| remove_if(context, key, |_| true));
        }
    }
    let context = field(spec, "securityContext");
    for key in ["runAsGroup", "runAsNonRoot", "supplementalGroups"] {
        remove_if(context, key, |_| true);
    }
    context["runAsUser"] = json!(0);
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_has_what_the_level_took() {
        let object = json!({"kind": "Pod", "spec": {
            "hostUsers": false,
            "securityContext": {"runAsUser": 7, "runAsGroup": 7, "runAsNonRoot": true, "fsGroup": 9},
            "containers": [{"name": "a", "securityContext": {
                "capabilities": {"drop": ["ALL"]}, "runAsUser": 8, "seccompProfile": {"type": "RuntimeDefault"}}}],
        }});
        assert_eq!(
            as_root(&object),
            json!({"kind": "Pod", "spec": {
                "securityContext": {"runAsUser": 0, "fsGroup": 9},
                "containers": [{"name": "a", "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}],
            }})
        );
    }
}
