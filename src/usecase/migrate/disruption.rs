//! What bounds the way of a plan into the namespace: a workload's disruption budget, its autoscaler,
//! what its pods ask for, and the namespace's quotas.

use std::collections::BTreeMap;

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::core::{Selector, SelectorExt as _};
use serde_json::Value;

use crate::model::disruption::DisruptionLimits;
use crate::plan;

/// With this annotation a pod asks its node's autoscaler to leave it where it is, and with this
/// value (cluster-autoscaler FAQ; karpenter.sh, "Pod-Level Controls").
const ASKS_TO_STAY: [(&str, &str); 3] = [
    ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
    ("karpenter.sh/do-not-disrupt", "true"),
    ("karpenter.sh/do-not-evict", "true"),
];

/// Why the pods of an object may not be replaced now. A rollout does not ask a budget, which
/// only holds for evictions; whoever set one does not want fewer pods all the same.
pub(super) fn forbidden(limits: &DisruptionLimits, object: &Value) -> Option<String> {
    if !takes_a_pod_first(object) {
        return None;
    }
    let labels = labels(object);
    let is_spent = |budget: &&PodDisruptionBudget| {
        let selector = budget.spec.as_ref().and_then(|spec| spec.selector.clone());
        let selector = selector.and_then(|selector| Selector::try_from(selector).ok());
        let allowed = budget.status.as_ref().and_then(|status| status.disruptions_allowed);
        allowed.unwrap_or(0) == 0 && selector.is_some_and(|selector| selector.matches(&labels))
    };
    let budget = limits.budgets.iter().find(is_spent)?;
    Some(format!(
        "poddisruptionbudget/{} allows no disruption now, and its rollout takes a pod away before the new one is ready: go on with --resume when it does, or use --force",
        budget.metadata.name.as_deref().unwrap_or_default()
    ))
}

/// What a reader should know of a rollout of an object.
pub(super) fn notes(limits: &DisruptionLimits, object: &Value) -> Vec<String> {
    let mut notes = Vec::new();
    let is_its = |scaler: &&HorizontalPodAutoscaler| {
        let of = &scaler.spec.scale_target_ref;
        object["kind"] == *of.kind && object["metadata"]["name"] == *of.name
    };
    notes.extend(limits.autoscalers.iter().find(is_its).map(|scaler| {
        format!(
            "horizontalpodautoscaler/{} sets how many replicas it has; that stays so",
            scaler.metadata.name.as_deref().unwrap_or_default()
        )
    }));
    let annotations = template(object).map(|template| &template["metadata"]["annotations"]);
    notes.extend(annotations.into_iter().flat_map(|annotations| {
            let asked = ASKS_TO_STAY.iter().filter(|(key, value)| annotations[*key] == **value);
            asked.map(|(key, value)| {
                format!("its pods ask not to be disrupted ({key}: \"{value}\"), and its rollout replaces them")
            })
        }));
    notes
}

/// Quotas that leave no room for one more pod: neither a copy nor a rollout gets one.
pub(super) fn full_quotas(limits: &DisruptionLimits) -> Vec<String> {
    let full = limits.quotas.iter().filter_map(|quota| {
        let status = quota.status.as_ref()?;
        let (hard, used) = (status.hard.as_ref()?, status.used.as_ref()?);
        let resource = hard.iter().find(|(resource, limit)| {
            matches!(resource.as_str(), "pods" | "count/pods")
                && used.get(*resource).is_some_and(|used| used == *limit)
        })?;
        Some(format!(
            "resourcequota/{} leaves no room for one more pod ({} of {})",
            quota.metadata.name.as_deref().unwrap_or_default(),
            resource.1.0,
            resource.0
        ))
    });
    full.collect()
}

fn template(object: &Value) -> Option<&Value> {
    plan::template_path(object).iter().try_fold(object, |value, key| value.get(key))
}

fn labels(object: &Value) -> BTreeMap<String, String> {
    let labels = template(object).map(|template| &template["metadata"]["labels"]);
    labels.and_then(|labels| serde_json::from_value(labels.clone()).ok()).unwrap_or_default()
}

/// Whether a rollout of an object takes a pod away before the one that follows it is ready
/// (kubernetes, pkg/controller/deployment/util, `ResolveFenceposts`: of a Deployment a percentage of
/// pods that may be missing is rounded down).
fn takes_a_pod_first(object: &Value) -> bool {
    let spec = &object["spec"];
    let replicas = spec["replicas"].as_u64().unwrap_or(1);
    let (strategy, update) = (&spec["strategy"], &spec["updateStrategy"]);
    match object["kind"].as_str() {
        Some("Deployment") if strategy["type"] == "Recreate" => replicas > 0,
        Some("Deployment") => {
            let rolling = &strategy["rollingUpdate"];
            let missing = share(&rolling["maxUnavailable"], replicas).unwrap_or(replicas / 4);
            missing > 0 || share(&rolling["maxSurge"], replicas * 100) == Some(0)
        }
        Some("StatefulSet") => replicas > 0 && update["type"] != "OnDelete",
        Some("DaemonSet") => {
            let missing = share(&update["rollingUpdate"]["maxUnavailable"], 100).unwrap_or(1);
            update["type"] != "OnDelete" && missing > 0
        }
        _ => false,
    }
}

/// A number of pods, or a percentage of all of them, rounded down.
fn share(value: &Value, all: u64) -> Option<u64> {
    let percentage = || value.as_str()?.strip_suffix('%')?.parse::<u64>().ok();
    value.as_u64().or_else(|| percentage().map(|percentage| percentage.saturating_mul(all) / 100))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn limits(value: Value) -> DisruptionLimits {
        let of = |key: &str| value.get(key).cloned().unwrap_or_else(|| json!([]));
        DisruptionLimits {
            budgets: serde_json::from_value(of("budgets")).expect("budgets"),
            autoscalers: serde_json::from_value(of("autoscalers")).expect("autoscalers"),
            quotas: serde_json::from_value(of("quotas")).expect("quotas"),
        }
    }

    fn budget(allowed: u64) -> DisruptionLimits {
        limits(json!({"budgets": [{
            "metadata": {"name": "web"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
            "status": {"disruptionsAllowed": allowed, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1},
        }]}))
    }

    fn workload(kind: &str, label: &str, more: Value) -> Value {
        let mut object = json!({"kind": kind, "metadata": {"name": "web"}, "spec": more});
        object["spec"]["template"]["metadata"]["labels"] = json!({"app": label});
        object
    }

    #[test]
    fn a_spent_budget_is_respected_by_what_takes_a_pod_first() {
        let set = |label| workload("StatefulSet", label, json!({"replicas": 1}));
        assert!(forbidden(&budget(0), &set("web")).is_some_and(|why| why.contains("budget/web")));
        assert_eq!(forbidden(&budget(1), &set("web")), None);
        assert_eq!(forbidden(&budget(0), &set("db")), None, "it is another's budget");
    }

    #[test]
    fn a_deployment_takes_no_pod_first_while_it_may_have_one_more() {
        let forbids = |spec| forbidden(&budget(0), &workload("Deployment", "web", spec)).is_some();
        let rolling = |missing: Value, surge: Value| json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": missing, "maxSurge": surge}});
        let (quarter, none) = (json!("25%"), json!(0));
        assert!(!forbids(
            json!({"replicas": 1, "strategy": rolling(quarter.clone(), quarter.clone())})
        ));
        assert!(forbids(json!({"replicas": 4, "strategy": rolling(quarter.clone(), quarter)})));
        assert!(forbids(json!({"replicas": 1, "strategy": rolling(none.clone(), none.clone())})));
        assert!(!forbids(json!({"replicas": 4, "strategy": rolling(none, json!(1))})));
        assert!(forbids(json!({"replicas": 1, "strategy": {"type": "Recreate"}})));
        assert!(!forbids(json!({"replicas": 0, "strategy": {"type": "Recreate"}})));
    }

    #[test]
    fn what_is_only_replaced_by_hand_takes_nothing() {
        for kind in ["StatefulSet", "DaemonSet"] {
            let by_hand = workload(kind, "web", json!({"updateStrategy": {"type": "OnDelete"}}));
            assert_eq!(forbidden(&budget(0), &by_hand), None);
            assert!(forbidden(&budget(0), &workload(kind, "web", json!({}))).is_some());
        }
    }

    #[test]
    fn an_autoscaler_and_a_wish_to_stay_are_named() {
        let scaler = limits(json!({"autoscalers": [{
            "metadata": {"name": "web"},
            "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "web"}},
        }]}));
        let mut object = workload("Deployment", "web", json!({}));
        assert_eq!(notes(&scaler, &object).len(), 1);
        assert!(notes(&scaler, &workload("StatefulSet", "web", json!({}))).is_empty());
        object["spec"]["template"]["metadata"]["annotations"] =
            json!({"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"});
        assert_eq!(notes(&scaler, &object).len(), 2);
    }

    #[test]
    fn a_full_quota_is_named() {
        let quota = |used: &str| {
            limits(json!({"quotas": [{
                "metadata": {"name": "small"},
                "status": {"hard": {"pods": "10", "requests.cpu": "4"}, "used": {"pods": used, "requests.cpu": "4"}},
            }]}))
        };
        assert!(full_quotas(&quota("10"))[0].contains("resourcequota/small"));
        assert!(full_quotas(&quota("9")).is_empty());
    }
}
