//! What holds for the workload and not for its copy, which has other labels and may be in another
//! namespace.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use kube::api::ListParams;
use kube::core::{Selector, SelectorExt as _};
use serde_json::Value;

use super::{Trial, pod};
use crate::plan;

impl Trial<'_> {
    /// What of the workload's surroundings the proof does not cover, a sentence each.
    pub(super) async fn proof_limits(&self) -> Vec<String> {
        let mut notes = self.blocks_left_out();
        let Ok(cluster) = self.cluster() else { return notes };
        let home = self
            .object
            .pointer("/metadata/namespace")
            .and_then(Value::as_str)
            .unwrap_or(&self.namespace);
        let policies: Api<NetworkPolicy> = Api::namespaced(cluster.client(), home);
        match policies.list(&ListParams::default()).await {
            Ok(list) => {
                let elsewhere = home != self.namespace;
                let names: Vec<String> = list
                    .items
                    .into_iter()
                    .filter(|policy| {
                        selects(policy, &self.labels())
                            && (elsewhere || !selects(policy, &copy_labels(&self.id)))
                    })
                    .filter_map(|policy| policy.metadata.name)
                    .collect();
                if !names.is_empty() {
                    let which = if names.len() == 1 { "NetworkPolicy" } else { "NetworkPolicies" };
                    notes.push(format!(
                        "{which} {} of the workload did not hold for the copy, which has labels of its own",
                        names.join(", ")
                    ));
                }
            }
            Err(error) => tracing::debug!(%error, "network policies cannot be read"),
        }
        if home != self.namespace {
            let (own, other) = (cluster.terms(home).await, cluster.terms(&self.namespace).await);
            if let (Some(own), Some(other)) = (own, other)
                && own.enforced != other.enforced
            {
                let level =
                    |enforced: Option<String>| enforced.unwrap_or_else(|| "nothing".to_owned());
                notes.push(format!(
                    "the trial ran in namespace {}, which enforces {}; namespace {home} enforces {}",
                    self.namespace,
                    level(other.enforced),
                    level(own.enforced)
                ));
            }
        }
        notes
    }

    /// Block volumes that the copy does not have.
    fn blocks_left_out(&self) -> Vec<String> {
        let Some(spec) = plan::pod_spec(self.object) else { return Vec::new() };
        let containers = ["initContainers", "containers"]
            .into_iter()
            .filter_map(|list| spec[list].as_array())
            .flatten();
        let devices = containers.flat_map(|container| {
            let name = container["name"].as_str().unwrap_or_default();
            container["volumeDevices"]
                .as_array()
                .into_iter()
                .flatten()
                .map(move |device| (name, device))
        });
        let is_kept =
            |name: &Value| self.options.changes.with_volumes.iter().any(|kept| name == kept);
        devices
            .filter(|(_, device)| !is_kept(&device["name"]))
            .map(|(container, device)| {
                let path = device["devicePath"].as_str().unwrap_or_default();
                format!("container {container}: the copy had no block volume at {path}")
            })
            .collect()
    }

    /// The labels of the workload's pods.
    fn labels(&self) -> BTreeMap<String, String> {
        let template = plan::template_path(self.object)
            .iter()
            .try_fold(self.object, |value, key| value.get(key));
        let labels = template
            .and_then(|template| template.pointer("/metadata/labels"))
            .cloned()
            .unwrap_or_default();
        serde_json::from_value(labels).unwrap_or_default()
    }
}

fn copy_labels(trial: &str) -> BTreeMap<String, String> {
    pod::labels(trial).into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Whether a policy is about pods with some labels.
fn selects(policy: &NetworkPolicy, labels: &BTreeMap<String, String>) -> bool {
    let selector = policy.spec.clone().and_then(|spec| spec.pod_selector).unwrap_or_default();
    Selector::try_from(selector).is_ok_and(|selector| selector.matches(labels))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_of_the_workload_does_not_hold_for_its_copy() {
        let policy = |selector: Value| -> NetworkPolicy {
            serde_json::from_value(json!({"spec": {"podSelector": selector}})).expect("a policy")
        };
        let web = BTreeMap::from([("app".to_owned(), "web".to_owned())]);
        let named = policy(json!({"matchLabels": {"app": "web"}}));
        assert!(selects(&named, &web) && !selects(&named, &copy_labels("t")));
        let all = policy(json!({}));
        assert!(selects(&all, &web) && selects(&all, &copy_labels("t")));
        let other = policy(
            json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}),
        );
        assert!(!selects(&other, &web));
    }
}
