//! One planned object, every rendering: each applied to the original gives the same object.

mod admission_policy;
mod cel;
mod diff;
mod gitops;
mod json6902;
mod kustomize;
mod manifest;
mod merge;
mod strategic;

use serde_json::{Value, json};

pub use self::admission_policy::{AdmissionPolicies, TemplateChange, admission_policies};
pub use self::diff::diff;
pub use self::gitops::gitops_objects;
pub use self::json6902::json6902;
pub use self::kustomize::{kustomize, post_renderer};
pub use self::manifest::{Unfit, manifest};
pub use self::merge::merge;
pub use self::strategic::strategic;
use super::API_VERSION;

/// The groups of kinds of which the API server and kubectl know the merge keys.
const BUILT_IN: [&str; 4] = ["", "apps", "batch", "extensions"];

/// Whether a strategic merge patch can be made for an object: how lists of custom kinds
/// merge is not known.
#[must_use]
pub fn is_strategic(object: &Value) -> bool {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    // OpenShift's kinds had no group once.
    BUILT_IN.contains(&group) && !(group.is_empty() && object["kind"] == "DeploymentConfig")
}

/// The patch of an object for `kubectl patch`, and the `--type` that it is of.
#[must_use]
pub fn kubectl(original: &Value, planned: &Value) -> (&'static str, Value) {
    if is_strategic(original) {
        ("strategic", strategic(original, planned))
    } else {
        ("merge", merge(original, planned))
    }
}

/// Patches of several objects as one document, each with the object that it is for and its
/// `--type`.
#[must_use]
pub fn list<'a>(patches: impl Iterator<Item = (&'a Value, &'static str, Value)>) -> Value {
    let items: Vec<Value> = patches
        .map(|(object, kind, patch)| {
            let mut target = json!({"apiVersion": object["apiVersion"], "kind": object["kind"]});
            for field in ["namespace", "name"]
                .into_iter()
                .filter(|field| object["metadata"][*field].is_string())
            {
                target[field] = object["metadata"][field].clone();
            }
            json!({"target": target, "type": kind, "patch": patch})
        })
        .collect();
    json!({"apiVersion": API_VERSION, "kind": "PatchList", "items": items})
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn workload() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"replicas": 2, "template": {"spec": {
                "securityContext": {"runAsUser": 0, "sysctls": [{"name": "a", "value": "1"}]},
                "initContainers": [{"name": "own", "image": "i"}],
                "containers": [
                    {"name": "nginx", "image": "n", "env": [{"name": "A", "value": "1"}], "volumeMounts": [{"name": "v", "mountPath": "/v"}]},
                    {"name": "log", "image": "l"},
                ],
                "volumes": [{"name": "v", "emptyDir": {}}],
            }}},
        })
    }

    fn planned() -> Value {
        let mut planned = workload();
        let spec = &mut planned["spec"]["template"]["spec"];
        spec["securityContext"] = json!({"runAsNonRoot": true, "runAsUser": 101, "sysctls": [{"name": "b", "value": "0"}]});
        spec["containers"][0]["securityContext"] = json!({"capabilities": {"drop": ["ALL"]}});
        spec["containers"][0]["env"]
            .as_array_mut()
            .expect("env")
            .push(json!({"name": "HOME", "value": "/tmp"}));
        spec["containers"][0]["volumeMounts"]
            .as_array_mut()
            .expect("mounts")
            .push(json!({"name": "run", "mountPath": "/run"}));
        spec["volumes"]
            .as_array_mut()
            .expect("volumes")
            .push(json!({"name": "run", "emptyDir": {"sizeLimit": "1Gi"}}));
        spec["initContainers"]
            .as_array_mut()
            .expect("inits")
            .insert(0, json!({"name": "fill", "image": "n"}));
        planned
    }

    #[test]
    fn json6902_gives_the_planned_object_and_refuses_another() {
        let patch: json_patch::Patch =
            serde_json::from_value(json6902(&workload(), &planned())).expect("a patch");
        let mut object = workload();
        json_patch::patch(&mut object, &patch).expect("it applies");
        assert_eq!(object, planned());
        let mut reordered = workload();
        reordered["spec"]["template"]["spec"]["containers"]
            .as_array_mut()
            .expect("containers")
            .reverse();
        assert!(
            json_patch::patch(&mut reordered, &patch).is_err(),
            "its indices would name other containers"
        );
    }

    #[test]
    fn strategic_names_what_it_changes_by_merge_key() {
        let patch = strategic(&workload(), &planned());
        assert_eq!(
            (&patch["kind"], &patch["metadata"]),
            (&json!("Deployment"), &json!({"name": "web", "namespace": "shop"}))
        );
        assert!(patch["spec"].get("replicas").is_none(), "what stays is not in it");
        let spec = &patch["spec"]["template"]["spec"];
        assert_eq!(spec["containers"].as_array().map(Vec::len), Some(1), "{spec:#}");
        assert_eq!(spec["containers"][0]["name"], "nginx");
        assert_eq!(spec["containers"][0]["env"], json!([{"name": "HOME", "value": "/tmp"}]));
        assert_eq!(
            spec["$setElementOrder/initContainers"],
            json!([{"name": "fill"}, {"name": "own"}])
        );
        assert_eq!(
            spec["securityContext"]["sysctls"],
            json!([{"name": "b", "value": "0"}]),
            "a list without a merge key is replaced"
        );
    }

    #[test]
    fn the_diff_shows_only_what_changes() {
        let text = |object: &Value| serde_saphyr::to_string(object).expect("YAML");
        let (before, after) = (text(&workload()), text(&planned()));
        let diff_of = diff(("deployment/web", &before), ("deployment/web (nonroot)", &after));
        assert!(
            diff_of.starts_with("--- deployment/web\n+++ deployment/web (nonroot)\n"),
            "{diff_of}"
        );
        assert!(
            diff_of.contains("+        runAsNonRoot: true\n") && !diff_of.contains("-  replicas"),
            "{diff_of}"
        );
        assert_eq!(diff(("x", &before), ("x", &before)), "");
    }
}
