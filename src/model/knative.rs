//! What Knative Serving makes of a pod template: how it names containers, and what its webhook
//! takes.
//!
//! Source: knative.dev/serving, pkg/apis/serving/fieldmask.go, with the defaults of
//! pkg/apis/config/features.go: the pod's security context and init containers are features that an
//! administrator has to enable.

use serde_json::{Map, Value, json};

/// How it calls a container that has no name (config-defaults, container-name-template).
const USER_CONTAINER: &str = "user-container";

/// Fields of a container's security context that it takes.
const TAKEN: [&str; 7] = [
    "allowPrivilegeEscalation",
    "capabilities",
    "readOnlyRootFilesystem",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "seccompProfile",
];

/// Fields of a pod's security context that each container can have instead.
const OF_EACH: [&str; 4] = ["runAsNonRoot", "runAsUser", "runAsGroup", "seccompProfile"];

/// Remedies, by their ids, of what is the pod's own.
const OF_POD: [&str; 4] = ["sysctl", "fs-group", "supplemental-groups", "user-namespace"];

/// Remedies, by their ids, that an init container makes.
const OF_INIT_CONTAINERS: [&str; 7] = [
    "config",
    "copied-file",
    "own-directory",
    "passwd-entry",
    "seeded-empty-dir",
    "skipped-command",
    "writable-file",
];

/// The remedies that its webhook refuses to a pod template, unless an administrator has enabled
/// what they need: who uses a feature already has it.
#[must_use]
pub fn refused_remedies(template: &Value) -> Vec<&'static str> {
    let spec = &template["spec"];
    let of_pod = OF_POD.iter().filter(|_| spec.get("securityContext").is_none());
    let of_init = OF_INIT_CONTAINERS.iter().filter(|_| spec.get("initContainers").is_none());
    of_pod.chain(of_init).copied().collect()
}

/// Whether an object is one of its kinds with a pod template.
#[must_use]
pub fn is_of(object: &Value) -> bool {
    let group = object["apiVersion"]
        .as_str()
        .and_then(|version| version.split_once('/'))
        .map(|(group, _)| group);
    let kinds = ["Service", "Configuration", "Revision"];
    group == Some("serving.knative.dev") && kinds.iter().any(|kind| object["kind"] == *kind)
}

/// Names the containers that have no name.
pub(super) fn name_containers(template: &mut Value) {
    let Some(containers) = template.pointer_mut("/spec/containers").and_then(Value::as_array_mut)
    else {
        return;
    };
    let is_alone = containers.len() == 1;
    for (number, container) in containers.iter_mut().enumerate() {
        let named = container["name"].as_str().is_some_and(|name| !name.is_empty());
        if let Some(fields) = container.as_object_mut().filter(|_| !named) {
            let name = if is_alone {
                USER_CONTAINER.to_owned()
            } else {
                format!("{USER_CONTAINER}-{number}")
            };
            fields.insert("name".to_owned(), json!(name));
        }
    }
}

/// A template without the names that it did not have before.
pub(super) fn unnamed(mut template: Value, before: &Value) -> Value {
    let had = before.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    let containers = template
        .pointer_mut("/spec/containers")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten();
    for (container, before) in containers.zip(had) {
        if let Some(fields) = container.as_object_mut().filter(|_| before.get("name").is_none()) {
            fields.shift_remove("name");
        }
    }
    template
}

/// A planned template as its webhook takes it, and what that leaves out. What was there before is
/// its own matter.
#[must_use]
pub fn fitted(before: &Value, planned: &Value) -> (Value, Vec<String>) {
    let mut fitted = planned.clone();
    let mut left_out = Vec::new();
    let Some(spec) = fitted.get_mut("spec").filter(|spec| spec.is_object()) else {
        return (fitted, left_out);
    };
    let old = &before["spec"];
    // Who has a pod's security context there has enabled it.
    if old.get("securityContext").is_none() {
        let context = remove(spec, "securityContext");
        for (field, value) in context.as_ref().and_then(Value::as_object).into_iter().flatten() {
            if OF_EACH.contains(&field.as_str()) {
                containers(spec).for_each(|container| {
                    let context = &mut container["securityContext"];
                    if context.get(field).is_none() {
                        context[field] = value.clone();
                    }
                });
            } else {
                left_out.push(format!("securityContext.{field} of the pod"));
            }
        }
    }
    if old.get("hostUsers").is_none() && remove(spec, "hostUsers").is_some() {
        left_out.push("hostUsers".to_owned());
    }
    if old.get("initContainers").is_none()
        && let Some(Value::Array(init)) = remove(spec, "initContainers")
    {
        let names: Vec<&str> =
            init.iter().filter_map(|container| container["name"].as_str()).collect();
        left_out.push(format!(
            "the init container {}, and what it would have filled",
            names.join(" and ")
        ));
        let mounts =
            init.iter().filter_map(|container| container["volumeMounts"].as_array()).flatten();
        let filled: Vec<Value> = mounts.map(|mount| mount["name"].clone()).collect();
        let is_old = |name: &Value| {
            old["volumes"].as_array().into_iter().flatten().any(|volume| volume["name"] == *name)
        };
        let is_filled = |name: &Value| filled.contains(name) && !is_old(name);
        retain(spec, "volumes", &|volume| !is_filled(&volume["name"]));
        containers(spec).for_each(|container| {
            retain(container, "volumeMounts", &|mount| !is_filled(&mount["name"]))
        });
    }
    for (number, container) in containers(spec).enumerate() {
        let had =
            old.pointer(&format!("/containers/{number}/securityContext")).unwrap_or(&Value::Null);
        let Some(context) = container["securityContext"].as_object_mut() else { continue };
        let refused =
            |field: &String| !TAKEN.contains(&field.as_str()) && had.get(field.as_str()).is_none();
        let gone: Vec<String> = context.keys().filter(|field| refused(field)).cloned().collect();
        for field in gone {
            context.shift_remove(&field);
            left_out.push(format!("securityContext.{field} of a container"));
        }
    }
    (fitted, left_out)
}

fn containers(spec: &mut Value) -> impl Iterator<Item = &mut Value> {
    spec.get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten()
}

fn remove(value: &mut Value, field: &str) -> Option<Value> {
    value.as_object_mut().and_then(|fields: &mut Map<String, Value>| fields.shift_remove(field))
}

/// Keeps some items of a list, and no list without items.
fn retain(value: &mut Value, list: &str, keeps: &dyn Fn(&Value) -> bool) {
    let Some(items) = value.get_mut(list).and_then(Value::as_array_mut) else { return };
    items.retain(|item| keeps(item));
    if items.is_empty() {
        remove(value, list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_without_a_name_are_named_as_it_names_them() {
        let named = |containers: Value| {
            let mut template = json!({"spec": {"containers": containers}});
            name_containers(&mut template);
            let names: Vec<Value> = containers_of(&template)
                .iter()
                .map(|container| container["name"].clone())
                .collect();
            names
        };
        assert_eq!(named(json!([{"image": "a"}])), ["user-container"]);
        assert_eq!(named(json!([{"image": "a"}, {"name": "log"}])), ["user-container-0", "log"]);
    }

    fn containers_of(template: &Value) -> &Vec<Value> {
        template["spec"]["containers"].as_array().expect("containers")
    }

    #[test]
    fn who_uses_a_feature_has_it() {
        assert_eq!(
            refused_remedies(&json!({"spec": {}})).len(),
            OF_POD.len() + OF_INIT_CONTAINERS.len()
        );
        let both = json!({"spec": {"securityContext": {}, "initContainers": []}});
        assert_eq!(refused_remedies(&both), Vec::<&str>::new());
    }

    #[test]
    fn only_what_its_webhook_takes_is_left() {
        let before = json!({"spec": {"containers": [{"name": "a", "image": "i"}]}});
        let planned = json!({"spec": {
            "securityContext": {"runAsNonRoot": true, "runAsUser": 7, "fsGroup": 8, "sysctls": [], "seccompProfile": {"type": "RuntimeDefault"}},
            "initContainers": [{"name": "fill-a", "volumeMounts": [{"name": "run", "mountPath": "/nonroot/run"}]}],
            "containers": [{"name": "a", "image": "i",
                "volumeMounts": [{"name": "run", "mountPath": "/run"}, {"name": "tmp", "mountPath": "/tmp"}],
                "securityContext": {"runAsUser": 9, "allowPrivilegeEscalation": false}}],
            "volumes": [{"name": "run", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]}});
        let (fitted, left_out) = fitted(&before, &planned);
        let context = json!({"runAsUser": 9, "allowPrivilegeEscalation": false, "runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
        let container = json!({"name": "a", "image": "i", "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}], "securityContext": context});
        assert_eq!(
            fitted,
            json!({"spec": {"containers": [container], "volumes": [{"name": "tmp", "emptyDir": {}}]}})
        );
        assert_eq!(
            left_out,
            [
                "securityContext.fsGroup of the pod",
                "securityContext.sysctls of the pod",
                "the init container fill-a, and what it would have filled"
            ]
        );
    }
}
