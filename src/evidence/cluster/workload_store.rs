//! Pods and controllers, as they come and go, to workloads.
//!
//! Of each pod little stays: who owns it, what its containers are, what fails, and its spec packed
//! as bytes. So a scan needs the memory of what it shows, and a watch can tell what remains when a
//! pod is gone.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::records::{Controller, Declared, Id, Key, Owner, PodSummary, Template, key, owner};
use crate::evidence::pods;
use crate::model::container::{Container, Role};
use crate::model::defaults;
use crate::model::workload::{Failure, Workload};

/// Kinds that another controller makes as a means: their owner is what a user deployed and would
/// edit.
pub(super) const INTERMEDIATE_OWNERS: [&str; 2] = ["ReplicaSet", "Job"];

/// Kinds that run their pods to an end, so that only the newest pod tells how it goes.
const RUNS_TO_AN_END: [&str; 2] = ["Job", "CronJob"];

/// The annotation in which kubectl keeps the whole object once more, which is nothing that a user
/// wrote there.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Values of which many are alike, each kept once.
#[derive(Debug)]
struct Shared<T: ?Sized>(HashSet<Arc<T>>);

impl<T: ?Sized + Hash + Eq> Shared<T> {
    fn one<V: Into<Arc<T>> + AsRef<T>>(&mut self, value: V) -> Arc<T> {
        if let Some(known) = self.0.get(value.as_ref()) {
            return known.clone();
        }
        let new: Arc<T> = value.into();
        self.0.insert(new.clone());
        new
    }
}

#[derive(Debug)]
struct PodRecord {
    owner: Option<Arc<Owner>>,
    created: Option<Time>,
    node: Arc<str>,
    is_over: bool,
    containers: Arc<[Container]>,
    failures: Box<[Failure]>,
    template: Template,
}

#[derive(Debug)]
struct ControllerRecord {
    api_version: &'static str,
    annotations: BTreeMap<String, String>,
    declared: Option<Declared>,
}

/// A controller could not make a pod.
#[derive(Debug)]
struct FailedCreate {
    seen: Option<Time>,
    message: String,
}

/// What a part of a cluster holds. Everything may come in any order.
#[derive(Debug)]
pub(super) struct WorkloadStore {
    /// Whose means a controller is.
    owners: HashMap<Key, Owner>,
    controllers: HashMap<Key, ControllerRecord>,
    pods: BTreeMap<Id, PodRecord>,
    /// By the controller that it is about.
    failed_creates: HashMap<Key, FailedCreate>,
    shared_owners: Shared<Owner>,
    shared_containers: Shared<[Container]>,
    shared_templates: Shared<[u8]>,
    shared_nodes: Shared<str>,
}

impl Default for WorkloadStore {
    fn default() -> Self {
        WorkloadStore {
            owners: HashMap::new(),
            controllers: HashMap::new(),
            pods: BTreeMap::new(),
            failed_creates: HashMap::new(),
            shared_owners: Shared(HashSet::new()),
            shared_containers: Shared(HashSet::new()),
            shared_templates: Shared(HashSet::new()),
            shared_nodes: Shared(HashSet::new()),
        }
    }
}

impl WorkloadStore {
    /// Takes a controller of a built-in kind. One that another made is only remembered as a step to
    /// its owner.
    pub(super) fn controller(
        &mut self,
        api_version: &'static str,
        kind: &str,
        controller: Controller,
    ) -> Key {
        let Controller { metadata, declared } = controller;
        let key = key(&metadata, kind);
        match owner(&metadata).filter(|_| INTERMEDIATE_OWNERS.contains(&kind)) {
            Some(owner) => drop(self.owners.insert(key.clone(), owner)),
            None => {
                let mut annotations = metadata.annotations.unwrap_or_default();
                annotations.remove(LAST_APPLIED);
                self.controllers
                    .insert(key.clone(), ControllerRecord { api_version, annotations, declared });
            }
        }
        key
    }

    /// A controller is deleted.
    pub(super) fn controller_gone(&mut self, kind: &str, controller: &Controller) {
        self.forget([&key(&controller.metadata, kind)]);
    }

    /// Whether a controller of a kind stands for itself, and nothing but its metadata is known.
    pub(super) fn lacks_declared(&self, kind: &str) -> bool {
        self.controllers
            .iter()
            .any(|(key, controller)| key.kind == kind && controller.declared.is_none())
    }

    /// Takes a pod, or what became of one that is known.
    pub(super) fn pod(&mut self, seen: PodSummary) -> Key {
        let PodSummary { id, owner, created, node, is_over, containers, failures, template } = seen;
        let key = id.key();
        let owner = owner.map(|owner| self.shared_owners.one(owner));
        let containers = self.shared_containers.one(containers);
        let failures = failures.into();
        let node = self.shared_nodes.one(node);
        let template = match template {
            Template::Protobuf(bytes, read) => {
                Template::Protobuf(self.shared_templates.one(bytes), read)
            }
            template => template,
        };
        self.pods.insert(
            id,
            PodRecord { owner, created, node, is_over, containers, failures, template },
        );
        key
    }

    /// A pod is deleted.
    pub(super) fn pod_gone(&mut self, seen: &PodSummary) {
        self.pods.remove(&seen.id);
    }

    /// All of a kind.
    pub(super) fn keys(&self, kind: &str) -> HashSet<Key> {
        let controllers = self
            .controllers
            .keys()
            .chain(self.owners.keys())
            .filter(|key| key.kind == kind)
            .cloned();
        let pods = self.pods.keys().filter(|_| kind == "Pod").map(Id::key);
        controllers.chain(pods).collect()
    }

    /// Drops what is no longer there.
    pub(super) fn forget<'a>(&mut self, gone: impl IntoIterator<Item = &'a Key>) {
        for key in gone {
            self.controllers.remove(key);
            self.owners.remove(key);
            self.failed_creates.remove(key);
            if key.kind == "Pod" {
                self.pods.remove(&Id { namespace: key.namespace.clone(), name: key.name.clone() });
            }
        }
    }

    /// How many templates are kept for all the pods.
    #[cfg(test)]
    pub(super) fn templates(&self) -> usize {
        self.shared_templates.0.len()
    }

    /// Takes a pod as a workload of its own, whoever owns it.
    pub(super) fn bare_pod(&mut self, seen: PodSummary) {
        self.pod(PodSummary { owner: None, ..seen });
    }

    /// Takes a FailedCreate event: a controller could not make a pod. The newest about a controller
    /// counts.
    pub(super) fn failed_create(&mut self, event: Event) {
        let about = event.involved_object;
        let key = Key {
            namespace: about.namespace.unwrap_or_default(),
            kind: about.kind.unwrap_or_default(),
            name: about.name.unwrap_or_default(),
        };
        let seen = event.last_timestamp.or(event.event_time.map(|time| Time(time.0)));
        if self.failed_creates.get(&key).is_none_or(|known| known.seen < seen) {
            self.failed_creates
                .insert(key, FailedCreate { seen, message: event.message.unwrap_or_default() });
        }
    }

    /// The workloads, in the order of namespace, kind and name.
    pub(super) fn workloads(&mut self) -> Vec<Workload> {
        let mut workloads = Vec::new();
        self.each(|workload| workloads.push(workload));
        workloads
    }

    /// Hands over the workloads in this order. Each is unpacked when its turn comes: all of them at
    /// a time take far more memory than what is kept of them.
    pub(super) fn each(&mut self, mut take: impl FnMut(Workload)) {
        self.shared_owners.0.retain(|one| Arc::strong_count(one) > 1);
        self.shared_containers.0.retain(|one| Arc::strong_count(one) > 1);
        self.shared_templates.0.retain(|one| Arc::strong_count(one) > 1);
        self.shared_nodes.0.retain(|one| Arc::strong_count(one) > 1);
        let bare: Vec<Key> = self
            .pods
            .iter()
            .filter(|(_, pod)| pod.owner.is_none())
            .map(|(id, _)| id.key())
            .collect();
        let mut found: BTreeMap<&Key, Members<'_>> = BTreeMap::new();
        for (key, controller) in &self.controllers {
            found.insert(key, Members::of(controller.api_version, Some(controller)));
        }
        let mut bare = bare.iter();
        for (id, pod) in &self.pods {
            let (key, api_version) = match &pod.owner {
                Some(first) => {
                    let top = self.owners.get(&first.key).unwrap_or(first);
                    (&top.key, top.api_version.as_str())
                }
                // There is one for each pod that nobody owns.
                None => match bare.next() {
                    Some(key) => (key, "v1"),
                    None => continue,
                },
            };
            found.entry(key).or_insert_with(|| Members::of(api_version, None)).pods.push((id, pod));
        }
        for (key, failed) in &self.failed_creates {
            let top = self.owners.get(key).map_or(key, |owner| &owner.key);
            if let Some(members) = found.get_mut(top)
                && members.failed.is_none_or(|known| known.seen < failed.seen)
            {
                members.failed = Some(failed);
            }
        }
        found.into_iter().for_each(|(key, members)| take(members.workload(key)));
    }
}

/// What makes up one workload.
struct Members<'a> {
    api_version: &'a str,
    controller: Option<&'a ControllerRecord>,
    pods: Vec<(&'a Id, &'a PodRecord)>,
    failed: Option<&'a FailedCreate>,
}

impl<'a> Members<'a> {
    fn of(api_version: &'a str, controller: Option<&'a ControllerRecord>) -> Self {
        Members { api_version, controller, pods: Vec::new(), failed: None }
    }

    fn declared(&self) -> Option<&'a Declared> {
        self.controller?.declared.as_ref()
    }

    fn workload(&self, key: &Key) -> Workload {
        let mut newest: Option<(&Id, &PodRecord)> = None;
        for (id, pod) in &self.pods {
            if newest.is_none_or(|(_, known)| pod.created > known.created) {
                newest = Some((id, pod));
            }
        }
        let template = newest
            .map(|(_, pod)| &pod.template)
            .or(self.declared().map(|declared| &declared.template));
        let (mut metadata, mut spec) = template.map(Template::unpacked).unwrap_or_default();
        // Those of pods are there; a template has them only once a pod is made of it.
        defaults::host_network_ports(&mut spec);
        if let Some((id, pod)) = newest {
            (metadata.name, metadata.creation_timestamp) =
                (Some(id.name.clone()), pod.created.clone());
            spec.node_name = Some(pod.node.to_string()).filter(|node| !node.is_empty());
        }
        let newest = newest.map(|(_, pod)| pod);
        let mut containers = match newest {
            Some(pod) => pod.containers.to_vec(),
            None => pods::containers(&spec, None),
        };
        for (_, pod) in &self.pods {
            if !containers.iter().eq(pod.containers.iter()) {
                learn(&mut containers, &pod.containers);
            }
        }
        let Key { namespace, kind, name } = key.clone();
        Workload {
            api_version: self.api_version.to_owned(),
            failures: self.failures(&kind, newest),
            kind,
            namespace: Some(namespace),
            name,
            annotations: self
                .controller
                .map(|controller| controller.annotations.clone())
                .unwrap_or_default(),
            source: None,
            pods: self.pods.len(),
            metadata,
            spec,
            containers,
        }
    }

    /// What fails: of its controller, of its pods, and of pods that could not be made since the
    /// newest was.
    fn failures(&self, kind: &str, newest: Option<&PodRecord>) -> Vec<Failure> {
        let mut failures =
            self.declared().map(|declared| declared.failures.clone()).unwrap_or_default();
        let to_an_end = RUNS_TO_AN_END.contains(&kind);
        for (_, pod) in &self.pods {
            // A controller replaces a pod that is over, and it stays as a record.
            let replaced = pod.is_over && kind != "Pod" && !to_an_end;
            let past = to_an_end && !newest.is_some_and(|newest| std::ptr::eq(newest, *pod));
            if replaced || past {
                continue;
            }
            for failure in &pod.failures {
                let same = |known: &Failure| {
                    (&known.reason, &known.container) == (&failure.reason, &failure.container)
                };
                if !failures.iter().any(same) {
                    failures.push(failure.clone());
                }
            }
        }
        let created = newest.and_then(|pod| pod.created.clone());
        if let Some(failed) = self.failed.filter(|failed| failed.seen >= created)
            && !failures.iter().any(|known| known.reason == "FailedCreate")
        {
            failures.push(Failure {
                reason: "FailedCreate".to_owned(),
                message: failed.message.clone(),
                pod: None,
                container: None,
                exit_code: None,
            });
        }
        failures
    }
}

/// Completes what one pod tells with what another of the same workload tells: the identity of a
/// container that has not started here but did there, and ephemeral containers, which belong to one
/// pod alone.
fn learn(known: &mut Vec<Container>, other: &[Container]) {
    for container in other {
        match known.iter_mut().find(|known| known.name == container.name) {
            Some(known) if known.root.is_none() && known.image == container.image => {
                known.user = container.user.clone();
                known.root = container.root;
            }
            Some(_) => {}
            None if container.role == Role::Ephemeral => known.push(container.clone()),
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

    fn pod(name: &str, owner: Value, created: &str, status: Value) -> PodSummary {
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
        let mut store = WorkloadStore::default();
        let replica_set = json!({"metadata": {"name": "web-1", "namespace": "n", "ownerReferences": [controlled_by("Deployment", "web")]}});
        store.controller("apps/v1", "ReplicaSet", from(replica_set));
        store.controller(
            "apps/v1",
            "Deployment",
            from(json!({"metadata": {"name": "web", "namespace": "n"}})),
        );
        store.controller(
            "batch/v1",
            "CronJob",
            from(json!({"metadata": {"name": "idle", "namespace": "n"}, "spec":
            {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}}}})),
        );
        store.pod(pod("web-1-a", controlled_by("ReplicaSet", "web-1"), T1, json!({})));
        store.pod(pod("web-1-b", controlled_by("ReplicaSet", "web-1"), T2, json!({})));
        store.pod(pod("custom-a", controlled_by("Kafka", "custom"), T1, json!({})));
        store.pod(pod("static", controlled_by("Node", "node1"), T1, json!({})));
        store.pod(pod("alone", Value::Null, T1, json!({})));
        let found: Vec<_> = store
            .workloads()
            .into_iter()
            .map(|w| (w.kind, w.name, w.pods, w.containers.len()))
            .collect();
        let expected = [
            ("CronJob", "idle", 0, 1),
            ("Deployment", "web", 2, 1),
            ("Kafka", "custom", 1, 1),
            ("Pod", "alone", 1, 1),
            ("Pod", "static", 1, 1),
        ];
        assert_eq!(
            found,
            expected.map(|(kind, name, pods, n)| (kind.to_owned(), name.to_owned(), pods, n))
        );
    }

    #[test]
    fn a_workload_has_the_annotations_of_its_controller() {
        let mut store = WorkloadStore::default();
        let annotations = json!({"a": "b", LAST_APPLIED: "{}"});
        let stateful_set =
            json!({"metadata": {"name": "s", "namespace": "n", "annotations": annotations}});
        store.controller("apps/v1", "StatefulSet", from(stateful_set));
        store.pod(pod("s-0", controlled_by("StatefulSet", "s"), T1, json!({})));
        let expected = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        assert_eq!(store.workloads()[0].annotations, expected);
    }

    #[test]
    fn of_a_job_only_the_newest_pod_tells() {
        let failed = json!({"phase": "Failed", "containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": {"terminated": {"exitCode": 2}}}]});
        for (old, new, failures) in [
            (failed.clone(), json!({"phase": "Succeeded"}), 0),
            (json!({"phase": "Succeeded"}), failed, 1),
        ] {
            for newest_first in [false, true] {
                let mut store = WorkloadStore::default();
                let mut both = vec![
                    pod("a", controlled_by("Job", "j"), T1, old.clone()),
                    pod("b", controlled_by("Job", "j"), T2, new.clone()),
                ];
                if newest_first {
                    both.reverse();
                }
                both.into_iter().for_each(|pod| drop(store.pod(pod)));
                assert_eq!(store.workloads()[0].failures.len(), failures);
            }
        }
    }

    #[test]
    fn a_container_that_has_not_started_learns_from_one_that_has() {
        let started = json!({"containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": true, "restartCount": 0, "user": {"linux": {"uid": 0, "gid": 0}}}]});
        let mut store = WorkloadStore::default();
        store.pod(pod("a", controlled_by("StatefulSet", "s"), T1, started));
        store.pod(pod("b", controlled_by("StatefulSet", "s"), T2, json!({})));
        assert_eq!(store.workloads()[0].containers[0].root, Some(true));
    }

    #[test]
    fn a_failed_create_counts_until_a_newer_pod_exists() {
        let event = |time: &str| {
            from::<Event>(
                json!({"metadata": {}, "reason": "FailedCreate", "message": "violates PodSecurity",
            "lastTimestamp": time, "involvedObject": {"kind": "StatefulSet", "namespace": "n", "name": "s"}}),
            )
        };
        for (time, failures) in [(T1, 0), ("2026-01-01T00:00:03Z", 1)] {
            let mut store = WorkloadStore::default();
            store.controller(
                "apps/v1",
                "StatefulSet",
                from(json!({"metadata": {"name": "s", "namespace": "n"}})),
            );
            store.pod(pod("s-0", controlled_by("StatefulSet", "s"), T2, json!({})));
            store.failed_create(event(time));
            store.failed_create(event(time));
            assert_eq!(store.workloads()[0].failures.len(), failures);
        }
    }
}
