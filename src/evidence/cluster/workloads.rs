//! The workloads and namespaces of a scope.

use std::cell::RefCell;
use std::collections::BTreeSet;

use bytes::Bytes;
use futures::future::join_all;
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Namespace as ApiNamespace, Pod};
use kube::api::ListParams;
use prost::DecodeError;
use serde_json::Value;

use super::list::Encoding;
use super::records::{Controller, PodSummary};
use super::scope::collection;
use super::workload_store::{self, WorkloadStore};
use super::{ApiFailure, Cluster, Fields, Namespaces, Scope, Selection, protobuf};
use crate::error::{Error, Partial};
use crate::evidence::pods;
use crate::model::podsecurity::Namespace;
use crate::model::workload::Workload;

/// A built-in kind that makes pods.
pub(super) struct Kind {
    /// Its API's path.
    pub api: &'static str,
    pub api_version: &'static str,
    pub kind: &'static str,
    pub resource: &'static str,
    /// How one is read from protobuf.
    pub item: fn(Bytes) -> Result<Controller, DecodeError>,
}

const APPS: Kind = Kind {
    api: "/apis/apps/v1",
    api_version: "apps/v1",
    kind: "",
    resource: "",
    item: protobuf::replicas,
};
const BATCH: Kind =
    Kind { api: "/apis/batch/v1", api_version: "batch/v1", item: protobuf::job, ..APPS };
const CORE: Kind = Kind { api: "/api/v1", api_version: "v1", ..APPS };

pub(super) const CONTROLLERS: [Kind; 7] = [
    Kind { kind: "ReplicaSet", resource: "replicasets", ..APPS },
    Kind { kind: "Job", resource: "jobs", ..BATCH },
    Kind { kind: "Deployment", resource: "deployments", ..APPS },
    Kind { kind: "StatefulSet", resource: "statefulsets", item: protobuf::stateful_set, ..APPS },
    Kind { kind: "DaemonSet", resource: "daemonsets", item: protobuf::daemon_set, ..APPS },
    Kind { kind: "CronJob", resource: "cronjobs", item: protobuf::cron_job, ..BATCH },
    Kind { kind: "ReplicationController", resource: "replicationcontrollers", ..CORE },
];

const POD: Kind = Kind { kind: "Pod", resource: "pods", ..CORE };

fn built_in(kind: &str) -> Option<&'static Kind> {
    CONTROLLERS.iter().chain([&POD]).find(|known| known.kind == kind)
}

/// The path of the collection of a built-in kind in a namespace.
pub(super) fn collection_of(kind: &str, namespace: &str) -> Option<String> {
    built_in(kind).map(|known| collection(known.api, known.resource, Some(namespace)))
}

/// What is asked of a kind of controllers.
pub(super) struct Asked {
    pub params: ListParams,
    /// Those that nobody owns are left out.
    pub steps_only: bool,
}

impl Kind {
    /// Under a selector, controllers that are a means to an end are read in any case, as steps from
    /// the selected pods to their owners, and others only if they match; a field selector
    /// selects pods alone.
    pub(super) fn asked(&self, selection: &Selection) -> Option<Asked> {
        let Selection { labels, fields } = selection;
        let step = workload_store::INTERMEDIATE_OWNERS.contains(&self.kind);
        let params = ListParams {
            label_selector: labels.clone().filter(|_| !step),
            ..ListParams::default()
        };
        let steps_only = step && (labels.is_some() || fields.is_some());
        (step || fields.is_none()).then_some(Asked { params, steps_only })
    }
}

/// How often a list whose pages expire (410 Gone) is begun anew.
const MAX_RESTARTS: u32 = 3;

/// What a scope holds.
#[derive(Debug, Default)]
pub struct Inventory {
    pub workloads: Vec<Workload>,
    pub namespaces: Vec<Namespace>,
}

impl Cluster {
    /// Reads every pod of a scope, grouped by top owner, the controllers that have no pods, and
    /// what the namespaces demand. What may not be read is an error beside the rest.
    ///
    /// # Errors
    /// Only when no pod list at all could be read.
    pub async fn inventory(&self, scope: &Scope) -> Result<Partial<Inventory>, Error> {
        match &scope.namespaces {
            Namespaces::One(name) => {
                self.inventory_of(scope, Some(name)).await.map_err(|refusal| refusal.error)
            }
            Namespaces::All => match self.inventory_of(scope, None).await {
                Err(refusal) if refusal.is_forbidden() => {
                    self.inventory_by_namespace(scope, refusal).await
                }
                other => other.map_err(|refusal| refusal.error),
            },
        }
    }

    /// `-A` for someone who may not list across namespaces: every namespace alone, or at least the
    /// context's own.
    async fn inventory_by_namespace(
        &self,
        scope: &Scope,
        refusal: ApiFailure,
    ) -> Result<Partial<Inventory>, Error> {
        let mut read = Partial { value: Inventory::default(), errors: vec![refusal.error] };
        let mut names = BTreeSet::from([self.namespace.clone()]);
        let all = |namespace: ApiNamespace| {
            names.extend(namespace.metadata.name);
        };
        if let Err(refusal) = self
            .list(
                "/api/v1/namespaces",
                &ListParams::default(),
                "list namespaces",
                &Encoding::JSON,
                all,
            )
            .await
        {
            read.errors
                .push(refusal.error.help(format!("only namespace {} is shown", self.namespace)));
        }
        let mut closed = Vec::new();
        for name in &names {
            match self.inventory_of(scope, Some(name)).await {
                Ok(part) => {
                    read.value.workloads.extend(part.value.workloads);
                    read.value.namespaces.extend(part.value.namespaces);
                    read.errors.extend(part.errors);
                }
                Err(refusal) if refusal.is_forbidden() => closed.push(name.as_str()),
                Err(refusal) => read.errors.push(refusal.error),
            }
        }
        if closed.len() == names.len() {
            return Err(read.errors.swap_remove(0));
        }
        if !closed.is_empty() {
            let why = format!("your permissions do not reach: {}", closed.join(", "));
            read.errors
                .push(Error::remote(format!("list pods in {} namespaces", closed.len()), why));
        }
        Ok(read)
    }

    /// One namespace, or with `None` all at once.
    async fn inventory_of(
        &self,
        scope: &Scope,
        namespace: Option<&str>,
    ) -> Result<Partial<Inventory>, ApiFailure> {
        let mut restarts = 0;
        loop {
            match self.try_inventory_of(scope, namespace).await {
                Err(refusal) if refusal.code == Some(410) && restarts < MAX_RESTARTS => {
                    restarts += 1
                }
                other => return other,
            }
        }
    }

    async fn try_inventory_of(
        &self,
        scope: &Scope,
        namespace: Option<&str>,
    ) -> Result<Partial<Inventory>, ApiFailure> {
        let (mut errors, mut closed) = (Vec::new(), Vec::new());
        let store = RefCell::new(WorkloadStore::default());
        let place =
            namespace.map_or("all namespaces".to_owned(), |name| format!("namespace {name}"));
        let controllers =
            CONTROLLERS.iter().map(|kind| self.controllers(kind, scope, namespace, &place, &store));
        let selected = scope.selection.of_pods();
        let failed_create = ListParams::default().fields("reason=FailedCreate");
        let paths = ["pods", "events"].map(|resource| collection("/api/v1", resource, namespace));
        let what = ["pods", "events"].map(|resource| format!("list {resource} in {place}"));
        let encoding = match scope.fields {
            Fields::PolicyOnly => Encoding::objects(protobuf::pod),
            Fields::All => Encoding::JSON,
        };
        let (controllers, pods, listed, namespaces) = tokio::join!(
            join_all(controllers),
            self.list(&paths[0], &selected, &what[0], &encoding, |pod: PodSummary| drop(
                store.borrow_mut().pod(pod)
            )),
            self.list(&paths[1], &failed_create, &what[1], &Encoding::JSON, |event: Event| {
                store.borrow_mut().failed_create(event);
            }),
            self.namespaces(namespace),
        );
        pods?;
        for (kind, answer) in CONTROLLERS.iter().zip(controllers) {
            match answer {
                Ok(()) => {}
                Err(refusal) if refusal.code == Some(410) => return Err(refusal),
                Err(refusal) if refusal.is_forbidden() => closed.push(kind.resource),
                Err(refusal) => errors.push(refusal.error),
            }
        }
        match listed {
            Err(refusal) if refusal.is_forbidden() => closed.push("events"),
            other => errors.extend(other.err().map(|refusal| refusal.error)),
        }
        if !closed.is_empty() {
            let attempted = format!("list {} in {place}", closed.join(", "));
            let why = "your permissions do not reach that far";
            errors.push(Error::remote(attempted, why).help("owners and failures may be missing"));
        }
        errors.extend(namespaces.errors);
        Ok(Partial {
            value: Inventory {
                workloads: store.borrow_mut().workloads(),
                namespaces: namespaces.value,
            },
            errors,
        })
    }

    /// The controllers of one kind.
    async fn controllers(
        &self,
        kind: &Kind,
        scope: &Scope,
        namespace: Option<&str>,
        place: &str,
        store: &RefCell<WorkloadStore>,
    ) -> Result<(), ApiFailure> {
        let Some(Asked { params, steps_only }) = kind.asked(&scope.selection) else {
            return Ok(());
        };
        let path = collection(kind.api, kind.resource, namespace);
        let what = format!("list {} in {place}", kind.resource);
        let take = |controller: Controller| {
            if !steps_only || controller.metadata.owner_references.is_some() {
                store.borrow_mut().controller(kind.api_version, kind.kind, controller);
            }
        };
        let whole = match scope.fields {
            Fields::PolicyOnly => Encoding::objects(kind.item),
            Fields::All => Encoding::JSON,
        };
        if !workload_store::INTERMEDIATE_OWNERS.contains(&kind.kind) {
            return self.list(&path, &params, &what, &whole, take).await.map(drop);
        }
        // Of most only the owner is of interest. Where one has none, it is asked for what it
        // declares.
        self.list(&path, &params, &what, &Encoding::metadata(protobuf::metadata), take).await?;
        if store.borrow().lacks_declared(kind.kind) {
            self.list(&path, &params, &what, &whole, take).await?;
        }
        Ok(())
    }

    /// One pod as a workload of its own.
    ///
    /// # Errors
    /// No such pod, no permission, no answer.
    pub async fn pod(&self, namespace: &str, name: &str) -> Result<Workload, Error> {
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
        let pod: PodSummary = self
            .get(&path, &format!("get pod {namespace}/{name}"))
            .await
            .map_err(|refusal| refusal.error)?;
        let mut store = WorkloadStore::default();
        store.bare_pod(pod);
        store
            .workloads()
            .pop()
            .ok_or_else(|| Error::remote(format!("get pod {namespace}/{name}"), "it is gone"))
    }

    /// A workload of a built-in kind as the API server has it, with every field; `None` for another
    /// kind.
    ///
    /// # Errors
    /// No such object, no permission, no answer.
    pub async fn object(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Value>, Error> {
        let Some(known) = built_in(kind) else { return Ok(None) };
        let read = self.read_object(known, namespace, name).await;
        read.map(Some).map_err(|refusal| refusal.error)
    }

    /// The same, or `None` where there is none of that name.
    ///
    /// # Errors
    /// No permission, no answer.
    pub async fn object_if_there(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Value>, Error> {
        let Some(known) = built_in(kind) else { return Ok(None) };
        match self.read_object(known, namespace, name).await {
            Ok(object) => Ok(Some(object)),
            Err(refusal) if refusal.code == Some(404) => Ok(None),
            Err(refusal) => Err(refusal.error),
        }
    }

    async fn read_object(
        &self,
        known: &Kind,
        namespace: &str,
        name: &str,
    ) -> Result<Value, ApiFailure> {
        let path = format!("{}/{name}", collection(known.api, known.resource, Some(namespace)));
        let what = format!("get {}/{name} in namespace {namespace}", known.kind.to_lowercase());
        let mut object: Value = self.get(&path, &what).await?;
        // A single object comes without them only from very old servers; edits need them in any
        // case.
        object["apiVersion"] = known.api_version.into();
        object["kind"] = known.kind.into();
        Ok(object)
    }

    /// The pods that a workload's selector finds: newest first is not promised.
    ///
    /// # Errors
    /// No permission, no answer.
    pub async fn pods_of(&self, object: &Value, namespace: &str) -> Result<Vec<Pod>, Error> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let path = collection("/api/v1", "pods", Some(namespace));
        let params = if object["kind"] == "Pod" {
            ListParams::default().fields(&format!("metadata.name={name}"))
        } else {
            let selector =
                object.pointer("/spec/selector/matchLabels").or(object.pointer("/spec/selector"));
            let labels = selector.and_then(Value::as_object).map(|labels| {
                let pairs = labels
                    .iter()
                    .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)));
                pairs.collect::<Vec<_>>().join(",")
            });
            let Some(labels) = labels.filter(|labels| !labels.is_empty()) else {
                return Ok(Vec::new());
            };
            ListParams::default().labels(&labels)
        };
        let mut found = Vec::new();
        let take = |pod: Pod| found.push(pod);
        self.list(&path, &params, &format!("list the pods of {name}"), &Encoding::JSON, take)
            .await
            .map_err(|refusal| refusal.error)?;
        Ok(found)
    }

    /// Every pod of a namespace.
    ///
    /// # Errors
    /// No permission, no answer.
    pub async fn pods_in(&self, namespace: &str) -> Result<Vec<Pod>, Error> {
        let path = collection("/api/v1", "pods", Some(namespace));
        let what = format!("list the pods of namespace {namespace}");
        let mut found = Vec::new();
        let take = |pod: Pod| found.push(pod);
        self.list(&path, &ListParams::default(), &what, &Encoding::JSON, take)
            .await
            .map_err(|refusal| refusal.error)?;
        Ok(found)
    }

    /// The names of the pods of a workload that run and are well.
    ///
    /// # Errors
    /// As [`Cluster::pods_of`].
    pub async fn running_pods(
        &self,
        object: &Value,
        namespace: &str,
    ) -> Result<Vec<String>, Error> {
        let well = |pod: &Pod| {
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            phase == Some("Running")
                && pods::failures(pod).is_empty()
                && pod.metadata.deletion_timestamp.is_none()
        };
        let pods = self.pods_of(object, namespace).await?;
        Ok(pods.into_iter().filter(well).filter_map(|pod| pod.metadata.name).collect())
    }

    /// A pod of a workload that runs, and whether it is well. Where none is, one whose containers
    /// all run tells as much of what they do.
    ///
    /// # Errors
    /// As [`Cluster::pods_of`].
    pub async fn live_pod(
        &self,
        object: &Value,
        namespace: &str,
    ) -> Result<Option<(String, bool)>, Error> {
        let pods = self.pods_of(object, namespace).await?;
        let live =
            pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none() && all_run(pod));
        let told = live
            .filter_map(|pod| Some((pod.metadata.name.clone()?, pods::failures(pod).is_empty())));
        Ok(told.max_by_key(|(_, is_well)| *is_well))
    }

    /// What one namespace, or with `None` every one, demands of its pods.
    pub(super) async fn namespaces(&self, name: Option<&str>) -> Partial<Vec<Namespace>> {
        let mut found = Vec::new();
        let mut take = |namespace: ApiNamespace| {
            let name = namespace.metadata.name.unwrap_or_default();
            found
                .push(Namespace::from_labels(name, &namespace.metadata.labels.unwrap_or_default()));
        };
        let answer = match name {
            Some(name) => {
                let what = format!("read the Pod Security labels of namespace {name}");
                self.get(&format!("/api/v1/namespaces/{name}"), &what).await.map(&mut take)
            }
            None => {
                let what = "read the Pod Security labels of namespaces";
                self.list("/api/v1/namespaces", &ListParams::default(), what, &Encoding::JSON, take)
                    .await
                    .map(drop)
            }
        };
        let errors = answer.err().map(|refusal| refusal.error).into_iter().collect();
        Partial { value: found, errors }
    }
}

/// Whether every container of a pod runs now.
fn all_run(pod: &Pod) -> bool {
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let runs = |status: &ContainerStatus| {
        status.state.as_ref().is_some_and(|state| state.running.is_some())
    };
    let count = pod.spec.as_ref().map_or(0, |spec| spec.containers.len());
    count > 0 && statuses.filter(|status| runs(status)).count() == count
}
