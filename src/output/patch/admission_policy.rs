//! A plan as a policy of the API server's own, for a workload whose template nobody may change: it
//! changes the pods when they are made (KEP-3962; admissionregistration.k8s.io/v1,
//! `MutatingAdmissionPolicy`).

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::cel;
use crate::error::Error;
use crate::output::terminal::Clean;
use crate::output::yaml;

/// An object, and its pod template as it is and as it is to be.
pub struct TemplateChange {
    pub object: Value,
    pub before: Value,
    pub after: Value,
}

/// Policies as YAML documents, and the workloads for which none can be made, each with the reason.
#[derive(Debug, PartialEq)]
pub struct AdmissionPolicies {
    pub documents: String,
    pub left_out: Vec<(String, &'static str)>,
}

/// A policy and its binding for each object that changes, with how to take it back in the head.
/// `review` is the day by which somebody should look whether it is still needed.
///
/// # Errors
/// A policy that cannot be written as YAML.
pub fn admission_policies(
    changes: &[TemplateChange],
    review: &str,
) -> Result<AdmissionPolicies, Error> {
    let (mut documents, mut left_out) = (Vec::new(), Vec::new());
    for change in changes.iter().filter(|change| change.before != change.after) {
        match policy(change) {
            Ok(policy) => {
                let binding = binding(&policy);
                let head = head(&policy, &name(&change.object), review);
                let parts = [yaml::to_string(&policy)?, yaml::to_string(&binding)?];
                documents.push(head + &parts.join("---\n"));
            }
            Err(why) => left_out.push((name(&change.object), why)),
        }
    }
    Ok(AdmissionPolicies { documents: documents.join("---\n"), left_out })
}

/// `deployment/web`.
fn name(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{}/{}", text(&object["kind"]).to_lowercase(), text(&object["metadata"]["name"]))
}

fn head(policy: &Value, workload: &str, review: &str) -> String {
    let name = policy["metadata"]["name"].as_str().unwrap_or_default();
    let lines = [
        format!(
            "Changes the pods of {workload} when they are made; its template stays as its owner has it."
        ),
        "Pods that run are not changed: restart the workload once. It needs Kubernetes 1.36."
            .to_owned(),
        format!(
            "Way back: kubectl delete mutatingadmissionpolicybinding,mutatingadmissionpolicy {name}"
        ),
        format!(
            "Look again by {review}: once the owner can set these fields, it is no longer needed."
        ),
    ];
    lines.iter().fold(String::new(), |mut head, line| {
        let _ = writeln!(head, "# {}", Clean(line));
        head
    })
}

/// The policy of one workload.
fn policy(change: &TemplateChange) -> Result<Value, &'static str> {
    let TemplateChange { object, before, after } = change;
    let owner = is_made_by(object)?;
    let labels = &before["metadata"]["labels"];
    if labels.as_object().is_none_or(serde_json::Map::is_empty) {
        return Err("its pods have no labels to be found by");
    }
    let namespace = object["metadata"]["namespace"].as_str().ok_or("it has no namespace")?;
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
    let cel::JsonPatch { variables, expression } = cel::json_patch(before, after);
    let variables: Vec<Value> = variables
        .into_iter()
        .map(|(name, expression)| json!({"name": name, "expression": expression}))
        .collect();
    Ok(json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": format!("nonroot.{namespace}.{kind}.{name}")},
        "spec": {
            "failurePolicy": "Fail",
            // A second run would add again what the first added.
            "reinvocationPolicy": "Never",
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "objectSelector": {"matchLabels": labels},
                "resourceRules": [{
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["pods"],
                }],
            },
            "matchConditions": [{"name": "of-the-workload", "expression": owner}],
            "variables": variables,
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}],
        },
    }))
}

fn binding(policy: &Value) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": policy["metadata"]["name"]},
        "spec": {"policyName": policy["metadata"]["name"]},
    })
}

/// Whether a pod is the workload's, in CEL: by the controller that makes it, and that one's name.
fn is_made_by(object: &Value) -> Result<String, &'static str> {
    let name = object["metadata"]["name"].as_str().ok_or("it has no name")?;
    let made = |kind: &str, name: String| {
        format!(
            "has(object.metadata.ownerReferences) && object.metadata.ownerReferences.exists(o, has(o.controller) && o.controller && o.kind == {} && {name})",
            cel::literal(&json!(kind))
        )
    };
    let is = || format!("o.name == {}", cel::literal(&json!(name)));
    // What stands between adds a hash or a time to the name.
    let begins = || {
        let start = cel::literal(&json!(format!("{name}-")));
        format!("o.name.startsWith({start}) && !o.name.substring({}).contains('-')", name.len() + 1)
    };
    match object["kind"].as_str() {
        Some("Deployment") => Ok(made("ReplicaSet", begins())),
        Some("CronJob") => Ok(made("Job", begins())),
        Some(
            kind @ ("StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" | "ReplicationController"),
        ) => Ok(made(kind, is())),
        Some("Pod") => Err("it is a pod by itself: create it as the plan has it"),
        _ => Err("no controller of Kubernetes' own makes its pods"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(spec: Value) -> Value {
        json!({"metadata": {"labels": {"app": "web"}}, "spec": spec})
    }

    fn object(kind: &str) -> Value {
        json!({"kind": kind, "metadata": {"name": "web", "namespace": "shop"}})
    }

    #[test]
    fn a_plan_becomes_a_policy_on_pods() {
        let before = template(json!({"containers": [{"name": "web", "image": "web",
            "volumeMounts": [{"name": "old", "mountPath": "/old"}]}], "volumes": [{"name": "old", "emptyDir": {}}], "securityContext": {}}));
        let after = template(json!({
            "initContainers": [{"name": "seed", "image": "web"}],
            "containers": [{"name": "web", "image": "web",
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                "volumeMounts": [{"name": "old", "mountPath": "/old"}, {"name": "run", "mountPath": "/run"}]}],
            "volumes": [{"name": "old", "emptyDir": {}}, {"name": "run", "emptyDir": {}}],
            "securityContext": {"runAsUser": 101, "runAsNonRoot": true}}));
        let change = TemplateChange { object: object("Deployment"), before, after };
        let policies = admission_policies(&[change], "2027-03-01").expect("YAML");
        assert_eq!(policies.left_out, []);
        insta::assert_snapshot!(policies.documents);
    }

    #[test]
    fn what_no_controller_makes_is_told() {
        let (before, after) = (template(json!({})), template(json!({"hostUsers": false})));
        let change = TemplateChange { object: object("Pod"), before, after };
        let policies = admission_policies(&[change], "").expect("YAML");
        assert_eq!((policies.documents.as_str(), policies.left_out.len()), ("", 1));
    }
}
