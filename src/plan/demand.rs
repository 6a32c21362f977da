//! What a level demands of a pod: set where it is missing, and nowhere else.

use serde_json::{Value, json};

use super::fields::{containers_mut, field, remove_if};
use super::privilege::is_retained;
use crate::model::podsecurity::Level;

/// Annotations of AppArmor before its field (kubernetes/kubernetes,
/// pkg/apis/core/annotation_key_constants.go), each for the container whose name follows.
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// Sets in a pod template what the level demands and the template lacks, and takes away what it
/// forbids and nothing needs. `non_root`: every container shall be kept from being root. `is_left`:
/// containers that stay as they are; what would be the pod's is each other container's own then.
pub(super) fn demand(
    template: &mut Value,
    level: Level,
    non_root: bool,
    is_left: &dyn Fn(&str) -> bool,
) {
    if level == Level::Privileged && !non_root {
        return;
    }
    if level != Level::Privileged {
        confine(template, is_left);
    }
    let spec = field(template, "spec");
    let of_pod = !containers_mut(spec).any(|container| is_named(container, is_left));
    if non_root {
        let is_met = |context: &Value, pod: &Value| {
            own_or_pods(context, pod, "runAsNonRoot") == &json!(true)
        };
        each_or_pod(spec, of_pod, is_left, &is_met, "runAsNonRoot", &json!(true));
    }
    if level != Level::Restricted {
        return;
    }
    let is_met =
        |context: &Value, pod: &Value| is_profile(own_or_pods(context, pod, "seccompProfile"));
    each_or_pod(
        spec,
        of_pod,
        is_left,
        &is_met,
        "seccompProfile",
        &json!({"type": "RuntimeDefault"}),
    );
    for container in containers_mut(spec).filter(|container| !is_named(container, is_left)) {
        demand_of_container(container, level);
    }
}

fn is_named(container: &Value, is_left: &dyn Fn(&str) -> bool) -> bool {
    container["name"].as_str().is_some_and(is_left)
}

fn own_or_pods<'v>(context: &'v Value, pod: &'v Value, key: &str) -> &'v Value {
    if context[key].is_null() { &pod[key] } else { &context[key] }
}

fn is_profile(profile: &Value) -> bool {
    matches!(profile["type"].as_str(), Some("RuntimeDefault" | "Localhost"))
}

/// Makes a field that a container may leave to its pod hold for every container: at the pod, and no
/// container then contradicts it; where some containers are left alone, at each other one that
/// lacks it. Where it holds already, nothing changes.
fn each_or_pod(
    spec: &mut Value,
    of_pod: bool,
    is_left: &dyn Fn(&str) -> bool,
    is_met: &dyn Fn(&Value, &Value) -> bool,
    key: &str,
    value: &Value,
) {
    let pod = spec["securityContext"].clone();
    let mut lacking = containers_mut(spec)
        .filter(|container| {
            !is_named(container, is_left) && !is_met(&container["securityContext"], &pod)
        })
        .peekable();
    // What a pod forbids itself counts even where each of its containers has its own.
    let is_contradicted = of_pod && !pod[key].is_null() && !is_met(&Value::Null, &pod);
    if lacking.peek().is_none() && !is_contradicted {
        return;
    }
    if !of_pod {
        lacking.for_each(|container| field(container, "securityContext")[key] = value.clone());
        return;
    }
    drop(lacking);
    if !is_met(&Value::Null, &pod) {
        field(spec, "securityContext")[key] = value.clone();
    }
    for container in containers_mut(spec) {
        if let Some(context) = container.get_mut("securityContext") {
            remove_if(context, key, |own| !is_met(&json!({ key: own }), &Value::Null));
        }
    }
}

/// What the restricted level demands of one container and its pod cannot give it.
pub(super) fn demand_of_container(container: &mut Value, level: Level) {
    if level != Level::Restricted {
        return;
    }
    if container.pointer("/securityContext/allowPrivilegeEscalation") != Some(&json!(false)) {
        field(container, "securityContext")["allowPrivilegeEscalation"] = json!(false);
    }
    let drops = container.pointer("/securityContext/capabilities/drop").and_then(Value::as_array);
    if !drops.is_some_and(|drops| drops.contains(&json!("ALL"))) {
        field(field(container, "securityContext"), "capabilities")["drop"] = json!(["ALL"]);
    }
    let Some(capabilities) = container.pointer_mut("/securityContext/capabilities") else { return };
    if let Some(added) = capabilities.get_mut("add").and_then(Value::as_array_mut) {
        added.retain(|name| *name == json!("NET_BIND_SERVICE") || is_retained(name));
    }
    remove_if(capabilities, "add", |added| added.as_array().is_some_and(Vec::is_empty));
}

/// Gives the runtime's AppArmor profile back to what runs without one: by field (KEP-24) and by
/// annotation.
fn confine(template: &mut Value, is_left: &dyn Fn(&str) -> bool) {
    if let Some(annotations) =
        template.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut)
    {
        for (key, value) in annotations.iter_mut() {
            let container = key.strip_prefix(APP_ARMOR);
            let profile = value.as_str().unwrap_or_default();
            let is_confined =
                matches!(profile, "" | "runtime/default") || profile.starts_with("localhost/");
            if container.is_some_and(|name| !is_left(name)) && !is_confined {
                *value = json!("runtime/default");
            }
        }
    }
    let spec = field(template, "spec");
    let confine = |context: &mut Value| {
        let profile = &context["appArmorProfile"];
        if profile.is_object() && !is_profile(profile) {
            context["appArmorProfile"] = json!({"type": "RuntimeDefault"});
        }
    };
    if !containers_mut(spec).any(|container| is_named(container, is_left)) {
        spec.get_mut("securityContext").map(confine);
    }
    for container in containers_mut(spec).filter(|container| !is_named(container, is_left)) {
        container.get_mut("securityContext").map(confine);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demanded(mut template: Value) -> Value {
        demand(&mut template, Level::Restricted, true, &|_| false);
        template
    }

    fn container(context: Value) -> Value {
        json!({"name": "a", "securityContext": context})
    }

    #[test]
    fn what_is_met_stays_as_it_is() {
        for pod in [
            json!({"securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "Localhost", "localhostProfile": "p"}}, "containers": [
                container(json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["NET_RAW", "ALL"]}}))]}),
            json!({"containers": [container(json!({
                "runAsNonRoot": true,
                "seccompProfile": {"type": "RuntimeDefault"},
                "allowPrivilegeEscalation": false,
                "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
            }))]}),
        ] {
            assert_eq!(demanded(json!({"spec": pod})), json!({"spec": pod}));
        }
    }

    #[test]
    fn only_what_is_missing_is_set() {
        let full = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"},
            "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
        let without = |key: &str| {
            let mut context = full.clone();
            context.as_object_mut().and_then(|fields| fields.shift_remove(key));
            context
        };
        for (key, of_pod) in
            [("allowPrivilegeEscalation", false), ("runAsNonRoot", true), ("seccompProfile", true)]
        {
            let template = demanded(json!({"spec": {"containers": [container(without(key))]}}));
            let place =
                if of_pod { "/spec/securityContext" } else { "/spec/containers/0/securityContext" };
            assert_eq!(
                template.pointer(place).and_then(|context| context.get(key)),
                Some(&full[key]),
                "{key}"
            );
        }
    }

    #[test]
    fn a_container_does_not_contradict_its_pod() {
        let pod = json!({"securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}, "containers": [
            container(json!({"runAsNonRoot": false, "seccompProfile": {"type": "Unconfined"}, "capabilities": {"drop": ["ALL"]}, "allowPrivilegeEscalation": false}))]});
        let template = demanded(json!({"spec": pod}));
        let context = json!({"capabilities": {"drop": ["ALL"]}, "allowPrivilegeEscalation": false});
        assert_eq!(template.pointer("/spec/containers/0/securityContext"), Some(&context));
    }

    #[test]
    fn app_armor_is_given_back_by_field_and_by_annotation() {
        let unconfined = json!({"type": "Unconfined"});
        let template = demanded(json!({
            "metadata": {"annotations": {format!("{APP_ARMOR}a"): "unconfined", "other": "unconfined"}},
            "spec": {"containers": [container(json!({"appArmorProfile": unconfined}))], "securityContext": {"appArmorProfile": unconfined}},
        }));
        let annotations =
            json!({format!("{APP_ARMOR}a"): "runtime/default", "other": "unconfined"});
        assert_eq!(template["metadata"]["annotations"], annotations);
        for place in [
            "/spec/securityContext/appArmorProfile/type",
            "/spec/containers/0/securityContext/appArmorProfile/type",
        ] {
            assert_eq!(template.pointer(place), Some(&json!("RuntimeDefault")));
        }
    }

    #[test]
    fn a_capability_that_only_root_has_use_for_goes_and_one_of_real_privilege_stays() {
        let added = json!({"capabilities": {"add": ["CHOWN", "IPC_LOCK", "NET_BIND_SERVICE"]}});
        let template = demanded(json!({"spec": {"containers": [container(added)]}}));
        let capabilities = json!({"add": ["IPC_LOCK", "NET_BIND_SERVICE"], "drop": ["ALL"]});
        assert_eq!(
            template.pointer("/spec/containers/0/securityContext/capabilities"),
            Some(&capabilities)
        );
    }
}
