//! A plan as it goes into the object of a GitOps controller: the part of it that carries the patches.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::kustomize;
use crate::error::Error;
use crate::model::gitops::{GitOpsKind, GitOpsObject, gitops};
use crate::output::terminal::Clean;
use crate::output::yaml;

/// A YAML document for each GitOps object that some objects come from, given before and after: its
/// name, and the field with the patches of all that come from it. Objects that come from none are
/// left out.
///
/// # Errors
/// A patch that cannot be written as YAML.
pub fn gitops_objects(changes: &[(Value, Value)]) -> Result<String, Error> {
    let mut by_owner: BTreeMap<GitOpsObject, Vec<(Value, Value)>> = BTreeMap::new();
    for (before, after) in changes.iter().filter(|(before, after)| before != after) {
        if let Some(owner) = gitops(before) {
            by_owner.entry(owner).or_default().push((before.clone(), after.clone()));
        }
    }
    let documents = by_owner.iter().map(|(owner, changes)| {
        let patches = kustomize(&anywhere(changes))?["patches"].take();
        Ok(head(owner) + &yaml::to_string(&fragment(owner, patches))?)
    });
    Ok(documents.collect::<Result<Vec<String>, Error>>()?.join("---\n"))
}

/// Objects without their namespaces where their kinds and names tell them apart: what a repository or a
/// chart has may get its namespace only after the patches (kustomize,
/// api/internal/target/kusttarget_configplugin.go: the order of the transformers).
fn anywhere(changes: &[(Value, Value)]) -> Vec<(Value, Value)> {
    let id = |object: &Value| (object["kind"].clone(), object["metadata"]["name"].clone());
    let is_alone =
        |object: &Value| changes.iter().filter(|(other, _)| id(other) == id(object)).count() < 2;
    let stripped = |object: &Value| {
        let mut stripped = object.clone();
        if let Some(metadata) = stripped["metadata"].as_object_mut().filter(|_| is_alone(object)) {
            metadata.shift_remove("namespace");
        }
        stripped
    };
    changes.iter().map(|(before, after)| (stripped(before), stripped(after))).collect()
}

fn fragment(owner: &GitOpsObject, patches: Value) -> Value {
    let (api_version, kind) = owner.kind.type_meta();
    let mut metadata = json!({"name": owner.name});
    if let Some(namespace) = &owner.namespace {
        metadata["namespace"] = json!(namespace);
    }
    let spec = match owner.kind {
        GitOpsKind::FluxHelmRelease => {
            json!({"postRenderers": [{"kustomize": {"patches": patches}}]})
        }
        GitOpsKind::FluxKustomization => json!({"patches": patches}),
        GitOpsKind::ArgoApplication => json!({"source": {"kustomize": {"patches": patches}}}),
    };
    json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec})
}

/// What to do with it.
fn head(owner: &GitOpsObject) -> String {
    let (_, kind) = owner.kind.type_meta();
    let field = owner.kind.field();
    let place = match &owner.namespace {
        Some(namespace) => format!("{kind} {} of namespace {namespace}", owner.name),
        None => format!("{kind} {}", owner.name),
    };
    let mut lines = vec![
        format!("Add this to the file in your repository that declares the {place}."),
        format!("Where {field} is there already, add these patches at its end."),
    ];
    match owner.kind {
        GitOpsKind::FluxHelmRelease => lines.push(
            "What -o values finds goes into spec.values instead; the chart's own fields are the better place."
                .to_owned(),
        ),
        GitOpsKind::FluxKustomization => {}
        GitOpsKind::ArgoApplication => lines.push(
            "If its source is a chart, Argo CD takes no patches: put what -o values finds into spec.source.helm.valuesObject."
                .to_owned(),
        ),
    }
    lines.iter().map(|line| format!("# {}\n", Clean(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, metadata: Value) -> (Value, Value) {
        let mut before = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": {"template": {"spec": {"containers": [{"name": "a"}]}}}});
        before["metadata"]["name"] = json!(name);
        let mut after = before.clone();
        after["spec"]["template"]["spec"]["securityContext"] = json!({"runAsNonRoot": true});
        (before, after)
    }

    fn flux(group: &str) -> Value {
        json!({"namespace": "shop", "labels": {
            format!("{group}.toolkit.fluxcd.io/name"): "apps",
            format!("{group}.toolkit.fluxcd.io/namespace"): "flux-system"}})
    }

    #[test]
    fn each_owner_gets_the_patches_of_all_that_are_its_own() {
        let argo = json!({"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/c"}});
        let text = gitops_objects(&[
            change("a", flux("kustomize")),
            change("b", flux("helm")),
            change("c", argo),
            change("d", flux("kustomize")),
            change("e", json!({})),
        ])
        .expect("YAML");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn who_comes_from_none_gets_none() {
        assert_eq!(gitops_objects(&[change("e", json!({}))]).expect("YAML"), "");
    }
}
