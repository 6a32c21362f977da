//! A workload: what a user deployed and would edit, with the pod it makes.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::model::container::Container;

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub file: String,
    /// 1-based.
    pub line: u64,
    /// Where in its object a pod stands that is not at the place that the kind has for one.
    pub path: Option<String>,
}

/// An object that makes pods of which it does not say enough to judge them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unjudged {
    pub api_version: String,
    pub kind: String,
    pub namespace: Option<String>,
    pub name: String,
    pub source: Location,
    /// What it says of them: paths in the object, each with its line.
    pub fields: Vec<(String, u64)>,
    /// Something there makes a container root, whatever else the pod has.
    pub root: bool,
    /// Something there is forbidden at every level, as a privileged container is.
    pub forbidden: bool,
    /// It only looks as if it made pods: it has replicas, or a template of something.
    pub is_hint: bool,
    /// Why a pod that is there cannot be read.
    pub why: Option<String>,
}

/// The most places that are told where none says who a pod runs as.
const MAX_HINTS: usize = 2;

impl Unjudged {
    /// What was seen and not judged, as a sentence without a full stop.
    #[must_use]
    pub fn told(&self) -> String {
        let Unjudged { kind, name, source, fields, .. } = self;
        let mut places: Vec<String> =
            fields.iter().map(|(path, line)| format!("{path} (line {line})")).collect();
        if self.is_hint {
            places.truncate(MAX_HINTS);
        }
        let how = match (self.root, self.forbidden) {
            (true, _) => ", and makes a container root",
            (false, true) => ", and sets what baseline forbids",
            (false, false) => "",
        };
        let what = match &self.why {
            Some(why) => format!("a pod of it is not judged, since it cannot be read ({why})"),
            None if self.is_hint => "it may make pods, which are not here to be judged".to_owned(),
            None => {
                format!("what it says of pods is not judged, since not all of them is here{how}")
            }
        };
        format!(
            "{}:{}: {}/{name}: {what}; see {}",
            source.file,
            source.line,
            kind.to_lowercase(),
            places.join(", ")
        )
    }
}

/// One workload as evidence found it.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// As `apps/v1`.
    pub api_version: String,
    /// The API's kind: Deployment, StatefulSet, Pod, or any custom controller's.
    pub kind: String,
    /// `None` only in a manifest that names no namespace.
    pub namespace: Option<String>,
    pub name: String,
    /// Its own annotations, not those of its pods.
    pub annotations: BTreeMap<String, String>,
    /// Where it stands in a manifest; `None` for a live one.
    pub source: Option<Location>,
    /// Live pods that belong to it.
    pub pods: usize,
    /// Metadata of its newest pod, or of its pod template.
    pub metadata: ObjectMeta,
    /// Spec of its newest pod, or of its pod template. For reading only: unknown fields are lost.
    pub spec: PodSpec,
    pub containers: Vec<Container>,
    /// What fails now, worst first; empty when all is well or nothing runs.
    pub failures: Vec<Failure>,
}

impl Workload {
    /// Whether any container runs as root; `None` where no container does and one's user is not
    /// known.
    #[must_use]
    pub fn root(&self) -> Option<bool> {
        let any = |root| self.containers.iter().any(|container| container.root == root);
        match (any(Some(true)), any(None)) {
            (true, _) => Some(true),
            (false, true) => None,
            (false, false) => Some(false),
        }
    }
}

/// Why a workload does not work right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The API's own word: CrashLoopBackOff, CreateContainerConfigError, FailedCreate ...
    pub reason: String,
    /// The sentence that goes with it, untrusted.
    pub message: String,
    /// The pod it was seen on.
    pub pod: Option<String>,
    pub container: Option<String>,
    pub exit_code: Option<i32>,
}
