//! Pods and controllers, as they arrive, to workloads.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::{Event, Pod, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use serde::Deserialize;

use crate::evidence::pods;
use crate::model::container::{Container, Role};
use crate::model::workload::{Failure, Workload};

/// The parts of a controller that we read: every built-in kind has them in these places.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Controller {
    pub metadata: ObjectMeta,
    #[serde(default)]
    pub spec: ControllerSpec,
    #[serde(default)]
    pub status: ControllerStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ControllerSpec {
    pub template: Option<PodTemplateSpec>,
    pub job_template: Option<JobTemplate>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct JobTemplate {
    pub spec: JobTemplateSpec,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct JobTemplateSpec {
    pub template: PodTemplateSpec,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct ControllerStatus {
    #[serde(default)]
    pub conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub kind: String,
    pub status: String,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub message: String,
}

/// Kinds that another controller makes as a means: their owner is what a user deployed and would edit.
pub(super) const MEANS: [&str; 2] = ["ReplicaSet", "Job"];

/// Kinds that run their pods to an end, so that only the newest pod tells how it goes.
const RUNS_TO_AN_END: [&str; 2] = ["Job", "CronJob"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    namespace: String,
    kind: String,
    name: String,
}

#[derive(Debug, Clone)]
struct Owner {
    api_version: String,
    key: Key,
}

/// Workloads in the making. Controllers come first, then pods, then events.
#[derive(Debug, Default)]
pub(super) struct Fold {
    owners: HashMap<Key, Owner>,
    workloads: HashMap<Key, Folded>,
}

#[derive(Debug)]
struct Folded {
    workload: Workload,
    /// When the newest pod was created.
    newest: Option<Time>,
}

impl Fold {
    /// Takes a controller of a built-in kind. One that another made is only remembered as a step to its owner.
    pub(super) fn controller(&mut self, api_version: &str, kind: &str, controller: Controller) {
        let Controller { metadata, spec, status } = controller;
        let key = key(&metadata, kind);
        if MEANS.contains(&kind)
            && let Some(owner) = owner(&metadata)
        {
            self.owners.insert(key, owner);
            return;
        }
        let template = spec.template.or(spec.job_template.map(|job| job.spec.template)).unwrap_or_default();
        let pod_spec = template.spec.unwrap_or_default();
        let containers = pods::containers(&pod_spec, None);
        let owner = Owner { api_version: api_version.to_owned(), key };
        let annotations = metadata.annotations.unwrap_or_default();
        let mut folded = Folded::new(&owner, template.metadata.unwrap_or_default(), pod_spec, containers);
        let conditions = status.conditions.into_iter();
        folded.workload.annotations = annotations;
        folded.workload.failures = conditions
            .filter(|condition| condition.kind == "ReplicaFailure" && condition.status == "True")
            .map(|condition| Failure {
                reason: condition.reason,
                message: condition.message,
                pod: None,
                container: None,
                exit_code: None,
            })
            .collect();
        self.workloads.insert(owner.key, folded);
    }

    /// Takes a pod and counts it to its top owner.
    pub(super) fn pod(&mut self, pod: Pod) {
        let owner = self.top_owner(&pod.metadata);
        self.count(owner, pod);
    }

    /// Takes a pod as a workload of its own, whoever owns it.
    pub(super) fn bare_pod(&mut self, pod: Pod) {
        let key = key(&pod.metadata, "Pod");
        self.count(Owner { api_version: "v1".to_owned(), key }, pod);
    }

    fn count(&mut self, owner: Owner, pod: Pod) {
        let failures = pods::failures(&pod);
        let spec = pod.spec.unwrap_or_default();
        let containers = pods::containers(&spec, pod.status.as_ref());
        let replaced = pod.status.is_some_and(|status| status.phase.as_deref() == Some("Failed"))
            && owner.key.kind != "Pod"
            && !RUNS_TO_AN_END.contains(&owner.key.kind.as_str());
        let created = pod.metadata.creation_timestamp.clone();
        let only_newest = RUNS_TO_AN_END.contains(&owner.key.kind.as_str());
        let folded = self
            .workloads
            .entry(owner.key.clone())
            .or_insert_with(|| Folded::new(&owner, ObjectMeta::default(), PodSpec::default(), Vec::new()));
        let is_newest = folded.newest.is_none() || created > folded.newest;
        let workload = &mut folded.workload;
        workload.pods += 1;
        if is_newest {
            let older = std::mem::replace(&mut workload.containers, containers);
            learn(&mut workload.containers, older);
            workload.metadata = pod.metadata;
            workload.spec = spec;
            folded.newest = created;
        } else {
            learn(&mut workload.containers, containers);
        }
        if only_newest && is_newest {
            workload.failures.retain(|failure| failure.pod.is_none());
        }
        if !replaced && (is_newest || !only_newest) {
            for failure in failures {
                let same = |known: &Failure| (&known.reason, &known.container) == (&failure.reason, &failure.container);
                if !workload.failures.iter().any(same) {
                    workload.failures.push(failure);
                }
            }
        }
    }

    /// Takes a FailedCreate event: a controller could not make a pod. One that is older than the newest pod is past.
    pub(super) fn failed_create(&mut self, event: Event) {
        let about = event.involved_object;
        let key = Key {
            namespace: about.namespace.unwrap_or_default(),
            kind: about.kind.unwrap_or_default(),
            name: about.name.unwrap_or_default(),
        };
        let key = self.owners.get(&key).map_or(key, |owner| owner.key.clone());
        let Some(folded) = self.workloads.get_mut(&key) else { return };
        let seen = event.last_timestamp.or(event.event_time.map(|time| Time(time.0)));
        let failures = &mut folded.workload.failures;
        if seen < folded.newest || failures.iter().any(|known| known.reason == "FailedCreate") {
            return;
        }
        failures.push(Failure {
            reason: "FailedCreate".to_owned(),
            message: event.message.unwrap_or_default(),
            pod: None,
            container: None,
            exit_code: None,
        });
    }

    /// The workloads, in the order of namespace, kind and name.
    pub(super) fn finish(self) -> Vec<Workload> {
        let mut folded: Vec<_> = self.workloads.into_iter().collect();
        folded.sort_by(|(a, _), (b, _)| a.cmp(b));
        folded.into_iter().map(|(_, folded)| folded.workload).collect()
    }

    fn top_owner(&self, metadata: &ObjectMeta) -> Owner {
        let bare = || Owner { api_version: "v1".to_owned(), key: key(metadata, "Pod") };
        // A static pod's owner is the node that runs it: nobody's controller.
        let Some(first) = owner(metadata).filter(|owner| owner.key.kind != "Node") else { return bare() };
        self.owners.get(&first.key).cloned().unwrap_or(first)
    }
}

impl Folded {
    fn new(owner: &Owner, metadata: ObjectMeta, spec: PodSpec, containers: Vec<Container>) -> Self {
        let Key { namespace, kind, name } = owner.key.clone();
        let workload = Workload {
            api_version: owner.api_version.clone(),
            kind,
            namespace: Some(namespace),
            name,
            annotations: BTreeMap::new(),
            source: None,
            pods: 0,
            metadata,
            spec,
            containers,
            failures: Vec::new(),
        };
        Folded { workload, newest: None }
    }
}

fn key(metadata: &ObjectMeta, kind: &str) -> Key {
    Key {
        namespace: metadata.namespace.clone().unwrap_or_default(),
        kind: kind.to_owned(),
        name: metadata.name.clone().unwrap_or_default(),
    }
}

fn owner(metadata: &ObjectMeta) -> Option<Owner> {
    let controls = |owner: &&OwnerReference| owner.controller == Some(true);
    let owner = metadata.owner_references.iter().flatten().find(controls)?;
    Some(Owner {
        api_version: owner.api_version.clone(),
        key: Key {
            namespace: metadata.namespace.clone().unwrap_or_default(),
            kind: owner.kind.clone(),
            name: owner.name.clone(),
        },
    })
}

/// Completes what one pod tells with what another of the same workload tells: the identity of a container that has
/// not started here but did there, and ephemeral containers, which belong to one pod alone.
fn learn(known: &mut Vec<Container>, other: Vec<Container>) {
    for container in other {
        match known.iter_mut().find(|known| known.name == container.name) {
            Some(known) if known.root.is_none() && known.image == container.image => {
                known.user = container.user;
                known.root = container.root;
            }
            Some(_) => {}
            None if container.role == Role::Ephemeral => known.push(container),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn from<T: serde::de::DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).expect("well formed")
    }

    fn pod(name: &str, owner: Value, created: &str, status: Value) -> Pod {
        let owners = if owner.is_null() { json!([]) } else { json!([owner]) };
        from(
            json!({"metadata": {"name": name, "namespace": "n", "ownerReferences": owners, "creationTimestamp": created},
            "spec": {"containers": [{"name": "c", "image": "i"}]}, "status": status}),
        )
    }

    fn controlled_by(kind: &str, name: &str) -> Value {
        json!({"apiVersion": "x/v1", "kind": kind, "name": name, "uid": "u", "controller": true})
    }

    const T1: &str = "2026-01-01T00:00:01Z";
    const T2: &str = "2026-01-01T00:00:02Z";

    #[test]
    fn pods_go_to_their_top_owner() {
        let mut fold = Fold::default();
        let replica_set = json!({"metadata": {"name": "web-1", "namespace": "n", "ownerReferences": [controlled_by("Deployment", "web")]}});
        fold.controller("apps/v1", "ReplicaSet", from(replica_set));
        fold.controller("apps/v1", "Deployment", from(json!({"metadata": {"name": "web", "namespace": "n"}})));
        fold.controller(
            "batch/v1",
            "CronJob",
            from(json!({"metadata": {"name": "idle", "namespace": "n"}, "spec":
            {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}}}})),
        );
        fold.pod(pod("web-1-a", controlled_by("ReplicaSet", "web-1"), T1, json!({})));
        fold.pod(pod("web-1-b", controlled_by("ReplicaSet", "web-1"), T2, json!({})));
        fold.pod(pod("custom-a", controlled_by("Kafka", "custom"), T1, json!({})));
        fold.pod(pod("static", controlled_by("Node", "node1"), T1, json!({})));
        fold.pod(pod("alone", Value::Null, T1, json!({})));
        let found: Vec<_> = fold.finish().into_iter().map(|w| (w.kind, w.name, w.pods, w.containers.len())).collect();
        let expected = [
            ("CronJob", "idle", 0, 1),
            ("Deployment", "web", 2, 1),
            ("Kafka", "custom", 1, 1),
            ("Pod", "alone", 1, 1),
            ("Pod", "static", 1, 1),
        ];
        assert_eq!(found, expected.map(|(kind, name, pods, n)| (kind.to_owned(), name.to_owned(), pods, n)));
    }

    #[test]
    fn of_a_job_only_the_newest_pod_tells() {
        let failed = json!({"phase": "Failed", "containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": {"terminated": {"exitCode": 2}}}]});
        for (old, new, failures) in
            [(failed.clone(), json!({"phase": "Succeeded"}), 0), (json!({"phase": "Succeeded"}), failed, 1)]
        {
            for newest_first in [false, true] {
                let mut fold = Fold::default();
                let mut both = vec![
                    pod("a", controlled_by("Job", "j"), T1, old.clone()),
                    pod("b", controlled_by("Job", "j"), T2, new.clone()),
                ];
                if newest_first {
                    both.reverse();
                }
                both.into_iter().for_each(|pod| fold.pod(pod));
                assert_eq!(fold.finish()[0].failures.len(), failures);
            }
        }
    }

    #[test]
    fn a_container_that_has_not_started_learns_from_one_that_has() {
        let started = json!({"containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": true, "restartCount": 0, "user": {"linux": {"uid": 0, "gid": 0}}}]});
        let mut fold = Fold::default();
        fold.pod(pod("a", controlled_by("StatefulSet", "s"), T1, started));
        fold.pod(pod("b", controlled_by("StatefulSet", "s"), T2, json!({})));
        assert_eq!(fold.finish()[0].containers[0].root, Some(true));
    }

    #[test]
    fn a_failed_create_counts_until_a_newer_pod_exists() {
        let event = |time: &str| {
            from::<Event>(json!({"metadata": {}, "reason": "FailedCreate", "message": "violates PodSecurity",
            "lastTimestamp": time, "involvedObject": {"kind": "StatefulSet", "namespace": "n", "name": "s"}}))
        };
        for (time, failures) in [(T1, 0), ("2026-01-01T00:00:03Z", 1)] {
            let mut fold = Fold::default();
            fold.controller("apps/v1", "StatefulSet", from(json!({"metadata": {"name": "s", "namespace": "n"}})));
            fold.pod(pod("s-0", controlled_by("StatefulSet", "s"), T2, json!({})));
            fold.failed_create(event(time));
            fold.failed_create(event(time));
            assert_eq!(fold.finish()[0].failures.len(), failures);
        }
    }
}
