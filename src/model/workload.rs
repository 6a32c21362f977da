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
