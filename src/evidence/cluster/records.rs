//! What is read of pods and controllers, whatever form they came in.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Pod, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use serde::{Deserialize, Serialize};

use crate::evidence::pods;
use crate::model::container::Container;
use crate::model::workload::Failure;

/// A pod's metadata and spec, packed.
#[derive(Debug, Clone)]
pub(super) enum Template {
    /// What protobuf brought of them, without what only one pod has, and what reads it back.
    Protobuf(Arc<[u8]>, fn(&[u8]) -> Pod),
    /// All of them.
    Json(Box<str>),
}

impl Template {
    pub(super) fn json(metadata: &ObjectMeta, spec: Option<&PodSpec>) -> Template {
        #[derive(Serialize)]
        struct Borrowed<'a> {
            metadata: &'a ObjectMeta,
            spec: Option<&'a PodSpec>,
        }
        // Writing to memory what was JSON before does not fail.
        Template::Json(
            serde_json::to_string(&Borrowed { metadata, spec }).unwrap_or_default().into(),
        )
    }

    pub(super) fn unpacked(&self) -> (ObjectMeta, PodSpec) {
        match self {
            Template::Protobuf(bytes, read) => {
                let pod = read(bytes);
                (pod.metadata, pod.spec.unwrap_or_default())
            }
            Template::Json(text) => {
                let template: PodTemplateSpec = serde_json::from_str(text).unwrap_or_default();
                (template.metadata.unwrap_or_default(), template.spec.unwrap_or_default())
            }
        }
    }
}

/// What is read of a controller.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "JsonController")]
pub(super) struct Controller {
    pub metadata: ObjectMeta,
    /// `None` where only its metadata was asked for.
    pub declared: Option<Declared>,
}

/// What a controller's spec and status say.
#[derive(Debug, Clone)]
pub(super) struct Declared {
    pub template: Template,
    /// Why it cannot make its pods.
    pub failures: Vec<Failure>,
}

/// The parts of a controller that we read: every built-in kind has them in these places.
#[derive(Debug, Deserialize)]
struct JsonController {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: ControllerSpec,
    #[serde(default)]
    status: ControllerStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ControllerSpec {
    template: Option<PodTemplateSpec>,
    job_template: Option<JobTemplate>,
}

#[derive(Debug, Deserialize)]
struct JobTemplate {
    spec: JobTemplateSpec,
}

#[derive(Debug, Deserialize)]
struct JobTemplateSpec {
    template: PodTemplateSpec,
}

#[derive(Debug, Default, Deserialize)]
struct ControllerStatus {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Debug, Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
}

/// A condition of a controller that says why it cannot create its pods (`ReplicaSetCondition` in
/// k8s.io/api/apps/v1).
pub(super) fn replica_failure(
    kind: &str,
    status: &str,
    reason: String,
    message: String,
) -> Option<Failure> {
    let is_failure = kind == "ReplicaFailure" && status == "True";
    is_failure.then_some(Failure { reason, message, pod: None, container: None, exit_code: None })
}

impl From<JsonController> for Controller {
    fn from(JsonController { metadata, spec, status }: JsonController) -> Self {
        let template = spec.template.or(spec.job_template.map(|job| job.spec.template));
        let failures = status.conditions.into_iter().filter_map(
            |Condition { kind, status, reason, message }| {
                replica_failure(&kind, &status, reason, message)
            },
        );
        let declared = template.map(|template| Declared {
            template: Template::json(
                &template.metadata.unwrap_or_default(),
                template.spec.as_ref(),
            ),
            failures: failures.collect(),
        });
        Controller { metadata, declared }
    }
}

/// What is kept of a pod.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "Pod")]
pub(super) struct PodSummary {
    pub(super) id: Id,
    pub(super) owner: Option<Owner>,
    pub(super) created: Option<Time>,
    /// Where it runs; empty while it is nowhere.
    pub(super) node: String,
    /// Its phase is Failed: it does not run again.
    pub(super) is_over: bool,
    pub(super) containers: Vec<Container>,
    pub(super) failures: Vec<Failure>,
    pub(super) template: Template,
}

impl PodSummary {
    pub(super) fn new(pod: Pod, template: Template) -> PodSummary {
        let failures = pods::failures(&pod);
        let spec = pod.spec.unwrap_or_default();
        let containers = pods::containers(&spec, pod.status.as_ref());
        let owner = owner(&pod.metadata);
        let Key { namespace, name, .. } = key(&pod.metadata, "Pod");
        PodSummary {
            id: Id { namespace, name },
            // A static pod's owner is the node that runs it: nobody's controller.
            owner: owner.filter(|owner| owner.key.kind != "Node"),
            created: pod.metadata.creation_timestamp,
            node: spec.node_name.unwrap_or_default(),
            is_over: pod.status.is_some_and(|status| status.phase.as_deref() == Some("Failed")),
            containers,
            failures,
            template,
        }
    }
}

impl From<Pod> for PodSummary {
    fn from(pod: Pod) -> Self {
        let template = Template::json(&pod.metadata, pod.spec.as_ref());
        PodSummary::new(pod, template)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) namespace: String,
    pub(super) kind: String,
    pub(super) name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Owner {
    pub(super) api_version: String,
    pub(super) key: Key,
}

/// Whose name a pod has, in the order in which the API lists pods.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl AsRef<Owner> for Owner {
    fn as_ref(&self) -> &Owner {
        self
    }
}

impl Id {
    /// The key of the pod as a workload of its own.
    pub(super) fn key(&self) -> Key {
        Key { namespace: self.namespace.clone(), kind: "Pod".to_owned(), name: self.name.clone() }
    }
}

pub(super) fn key(metadata: &ObjectMeta, kind: &str) -> Key {
    Key {
        namespace: metadata.namespace.clone().unwrap_or_default(),
        kind: kind.to_owned(),
        name: metadata.name.clone().unwrap_or_default(),
    }
}

pub(super) fn owner(metadata: &ObjectMeta) -> Option<Owner> {
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
