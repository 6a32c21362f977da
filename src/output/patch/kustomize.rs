//! A kustomize component (kustomize.config.k8s.io/v1alpha1) that carries a patch for each object.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::json6902;
use super::strategic::{self, Order};
use crate::error::Error;
use crate::output::yaml;

/// The kinds with a pod template whose schema kustomize carries (sigs.k8s.io/kustomize/kyaml,
/// openapi/kubernetesapi). Of others it knows no merge key, and a list in a patch would take the
/// place of the whole.
const KNOWN: [(&str, &[&str]); 3] = [
    ("v1", &["Pod", "PodTemplate", "ReplicationController"]),
    ("apps/v1", &["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"]),
    ("batch/v1", &["Job", "CronJob"]),
];

/// What kustomize takes an object without a namespace to be in (kyaml, resid/resid.go,
/// EffectiveNamespace).
const UNNAMED: &str = "default";

/// One component with a patch for each object that changes, given before and after. It goes into a
/// folder of its own and is listed under `components` of the kustomization that has the objects.
///
/// # Errors
/// A patch that cannot be written as YAML.
pub fn kustomize(changes: &[(Value, Value)]) -> Result<Value, Error> {
    Ok(
        json!({"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "patches": patches(changes)?}),
    )
}

/// What a post-renderer's script has helm's output as.
const RENDERED: &str = "all.yaml";

/// How to use a kustomization as a post-renderer.
const AS_POST_RENDERER: &str = "\
# Save this as kustomization.yaml in a directory of its own, and beside it, executable, as post-render:
#
#   #!/bin/sh
#   cd \"$(dirname \"$0\")\" && cat > all.yaml
#   exec kubectl kustomize .
#
# helm upgrade RELEASE CHART --values VALUES --post-renderer DIRECTORY/post-render  (Helm 3)
# With Flux: the list below is spec.postRenderers[].kustomize.patches of the HelmRelease.
";

/// A kustomization with a patch for each object that changes, given as a chart renders it and as it
/// is to be, and in its head how it becomes a post-renderer. Of a name that is made up at each
/// rendering, what it begins and ends with is given.
///
/// # Errors
/// A patch that cannot be written as YAML.
pub fn post_renderer(
    changes: &[(Value, Value)],
    made_up: &BTreeMap<String, (String, String)>,
) -> Result<String, Error> {
    let mut patches = patches(changes)?;
    for entry in &mut patches {
        let name = entry["target"]["name"].as_str().unwrap_or_default();
        let made_up = made_up.iter().find(|(known, _)| escaped(known) == name);
        if let Some((_, (start, end))) = made_up {
            entry["target"]["name"] = json!(format!("{}.*{}", escaped(start), escaped(end)));
        }
    }
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [RENDERED],
        "patches": patches,
    });
    Ok(AS_POST_RENDERER.to_owned() + &yaml::to_string(&kustomization)?)
}

fn patches(changes: &[(Value, Value)]) -> Result<Vec<Value>, Error> {
    let mut entries = Vec::new();
    // Without a name a selector would match every object of the kind.
    let is_named =
        |object: &Value| object["metadata"]["name"].as_str().is_some_and(|name| !name.is_empty());
    for (before, after) in
        changes.iter().filter(|(before, after)| before != after && is_named(before))
    {
        let same = |(other, _): &&(Value, Value)| id(other) == id(before);
        let is_alone = changes.iter().filter(same).count() < 2;
        let patch =
            if is_known(before) { with_order(before, after) } else { json6902(before, after) };
        let yaml = yaml::to_string(&patch)?;
        entries.push(json!({"target": target(before, is_alone), "patch": yaml}));
    }
    Ok(entries)
}

fn id(object: &Value) -> (&Value, &Value, &Value) {
    (&object["apiVersion"], &object["kind"], &object["metadata"]["name"])
}

fn is_known(object: &Value) -> bool {
    KNOWN.iter().any(|(version, kinds)| {
        object["apiVersion"] == *version && kinds.iter().any(|kind| object["kind"] == *kind)
    })
}

/// A strategic merge patch as kustomize applies it: it knows no `$setElementOrder`, and puts the
/// items of a patch before those that the patch does not name.
fn with_order(before: &Value, after: &Value) -> Value {
    let mut patch = strategic::patch(before, after, Order::Named);
    // The namespace is the kustomization's to set; the target has it.
    if let Some(metadata) = patch["metadata"].as_object_mut() {
        metadata.shift_remove("namespace");
    }
    patch
}

/// The selector of one object. Its fields are regular expressions, which kustomize anchors
/// (api/types/selector.go); an empty one matches everything.
fn target(object: &Value, is_alone: bool) -> Value {
    let text = |value: &Value| value.as_str().map(escaped).filter(|text| !text.is_empty());
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let namespace = object["metadata"]["namespace"].as_str().or((!is_alone).then_some(UNNAMED));
    let fields = [
        ("group", Some(escaped(group)).filter(|group| !group.is_empty())),
        ("version", Some(escaped(version))),
        ("kind", text(&object["kind"])),
        ("name", text(&object["metadata"]["name"])),
        ("namespace", namespace.map(escaped)),
    ];
    fields.into_iter().filter_map(|(field, text)| Some((field.to_owned(), json!(text?)))).collect()
}

/// A text that a regular expression of Go's takes for itself.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, namespace: Option<&str>) -> (Value, Value) {
        let mut before = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [{"name": "a"}, {"name": "b"}]}});
        if let Some(namespace) = namespace {
            before["metadata"]["namespace"] = json!(namespace);
        }
        let mut after = before.clone();
        after["spec"]["containers"][1]["securityContext"] = json!({"privileged": false});
        (before, after)
    }

    fn entries(changes: &[(Value, Value)]) -> Vec<Value> {
        kustomize(changes).expect("a component")["patches"].as_array().expect("patches").clone()
    }

    #[test]
    fn a_target_names_one_object() {
        let entries = entries(&[pod("web.x", Some("shop")), pod("api", None)]);
        assert_eq!(
            entries[0]["target"],
            json!({"version": "v1", "kind": "Pod", "name": r"web\.x", "namespace": "shop"})
        );
        assert_eq!(entries[1]["target"], json!({"version": "v1", "kind": "Pod", "name": "api"}));
    }

    #[test]
    fn what_has_no_name_is_left_out() {
        let (mut before, after) = pod("web", None);
        before["metadata"] = json!({"generateName": "web-"});
        assert_eq!(entries(&[(before, after)]), Vec::<Value>::new());
    }

    #[test]
    fn of_two_with_one_name_each_has_its_namespace() {
        let entries = entries(&[pod("web", Some("shop")), pod("web", None)]);
        let namespaces: Vec<&Value> =
            entries.iter().map(|entry| &entry["target"]["namespace"]).collect();
        assert_eq!(namespaces, ["shop", "default"]);
    }

    #[test]
    fn the_containers_before_one_that_changes_are_named() {
        let entries = entries(&[pod("web", None)]);
        let patch: Value =
            serde_saphyr::from_str(entries[0]["patch"].as_str().expect("text")).expect("YAML");
        let names =
            [json!({"name": "a"}), json!({"name": "b", "securityContext": {"privileged": false}})];
        assert_eq!(patch["spec"]["containers"], json!(names));
    }

    #[test]
    fn a_kind_without_a_schema_gets_a_json_patch() {
        let (mut before, mut after) = pod("web", None);
        for object in [&mut before, &mut after] {
            object["apiVersion"] = json!("example.com/v1");
            object["kind"] = json!("Runner");
        }
        let patch = entries(&[(before, after)])[0]["patch"].as_str().expect("text").to_owned();
        assert!(patch.starts_with("- op: test"), "{patch}");
    }
}
