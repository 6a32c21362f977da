//! How far a changed workload is.

use kube::core::DynamicObject;
use serde_json::Value;

/// How far a rollout is.
pub(super) struct Rollout {
    observed: bool,
    /// New replicas that are ready, and those that are wanted.
    pub(super) ready: u64,
    pub(super) wanted: u64,
    /// Replicas of an older template that are still there.
    old: u64,
    /// Why no pod is made.
    pub(super) refused: Option<String>,
}

impl Rollout {
    /// As `kubectl rollout status` sees it (k8s.io/kubectl,
    /// pkg/polymorphichelpers/rollout_status.go).
    pub(super) fn of(object: &DynamicObject) -> Rollout {
        let number = |pointer: &str| object.data.pointer(pointer).and_then(Value::as_u64);
        let status = |key: &str| number(&format!("/status/{key}")).unwrap_or(0);
        let generation = object.metadata.generation.unwrap_or(0);
        let observed =
            i64::try_from(status("observedGeneration")).is_ok_and(|seen| seen >= generation);
        let conditions = object
            .data
            .pointer("/status/conditions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let refused = conditions
            .filter(|condition| {
                condition["type"] == "ReplicaFailure" && condition["status"] == "True"
            })
            .filter_map(|condition| condition["message"].as_str().map(str::to_owned))
            .next();
        let daemon = object.types.as_ref().is_some_and(|types| types.kind == "DaemonSet");
        let (wanted, updated, available, all) = if daemon {
            let wanted = status("desiredNumberScheduled");
            (wanted, status("updatedNumberScheduled"), status("numberAvailable"), wanted)
        } else {
            let wanted = number("/spec/replicas").unwrap_or(1);
            (wanted, status("updatedReplicas"), status("availableReplicas"), status("replicas"))
        };
        Rollout {
            observed,
            ready: updated.min(available),
            wanted,
            old: all.saturating_sub(updated),
            refused: refused.filter(|_| observed),
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.observed && self.ready >= self.wanted && self.old == 0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rollout(object: Value) -> Rollout {
        Rollout::of(&serde_json::from_value(object).expect("an object"))
    }

    #[test]
    fn a_rollout_is_complete_when_every_replica_is_new_and_available() {
        let deployment = |updated: u64, available: u64, all: u64, seen: u64| {
            rollout(
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": {
                "observedGeneration": seen, "updatedReplicas": updated, "availableReplicas": available, "replicas": all}}),
            )
        };
        assert!(deployment(2, 2, 2, 2).is_complete());
        for unfinished in [
            deployment(2, 2, 2, 1),
            deployment(1, 2, 2, 2),
            deployment(2, 1, 2, 2),
            deployment(2, 2, 3, 2),
        ] {
            assert!(!unfinished.is_complete());
        }
    }

    #[test]
    fn what_may_not_be_made_is_told() {
        let refused = rollout(
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generation": 1}, "status": {
            "observedGeneration": 1, "conditions": [{"type": "ReplicaFailure", "status": "True", "message": "forbidden"}]}}),
        );
        assert_eq!(refused.refused.as_deref(), Some("forbidden"));
    }
}
