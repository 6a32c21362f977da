//! The JSON that tools read: its own types, so that its fields outlive any change inside.

use serde::Serialize;

use super::explanation::Explained;
use crate::model::container::Container as ModelContainer;
use crate::model::podsecurity::{
    Namespace as ModelNamespace, Policy as ModelPolicy, Version, Violation as ModelViolation,
};
use crate::model::workload::{Failure as ModelFailure, Workload as ModelWorkload};

/// The version of this contract.
pub const API_VERSION: &str = "nonroot/v1";

/// `kind: ScanReport`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScanReport {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub warnings: Vec<String>,
    pub summary: Summary,
    pub namespaces: Vec<Namespace>,
    pub workloads: Vec<Workload>,
}

/// Counts over the workloads of the report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub workloads: usize,
    /// Workloads with a container whose first process has uid 0.
    pub root: usize,
    /// Workloads without one, but with a container of which it is not known.
    pub unknown: usize,
    /// Workloads whose pods a namespace that enforces baseline would admit.
    pub baseline: usize,
    /// Workloads whose pods a namespace that enforces restricted would admit.
    pub restricted: usize,
    pub failing: usize,
}

/// What a namespace demands of its pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Namespace {
    pub name: String,
    pub enforce: Option<Policy>,
    pub audit: Option<Policy>,
    pub warn: Option<Policy>,
}

/// A level at a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Policy {
    pub level: &'static str,
    pub version: String,
}

/// One workload, replicas folded.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    pub api_version: String,
    pub kind: String,
    pub namespace: Option<String>,
    pub name: String,
    pub source: Option<Source>,
    pub pods: usize,
    /// Whether any container runs as root; null where none does but of some it is not known.
    pub root: Option<bool>,
    /// Whether its pods have a user namespace (`hostUsers: false`): root in it is an unprivileged uid of the node.
    pub user_namespace: bool,
    pub pod_security: PodSecurity,
    pub containers: Vec<Container>,
    pub failures: Vec<Failure>,
    /// What the failures' logs, states and events tell, the one that best explains them first.
    pub obstacles: Vec<Explained>,
}

/// A place in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    pub file: String,
    pub line: u64,
}

/// What each level forbids in a workload's pods.
#[derive(Debug, Clone, Serialize)]
pub struct PodSecurity {
    pub version: String,
    pub baseline: Vec<Violation>,
    pub restricted: Vec<Violation>,
}

/// One thing that a level forbids, in upstream's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    pub check: &'static str,
    pub reason: String,
    pub detail: String,
    /// The fields at fault or missing, relative to the pod template, each with its line in a manifest.
    pub fields: Vec<Field>,
}

/// A field of the pod template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    pub path: String,
    pub line: Option<u64>,
}

/// One container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Container {
    pub name: String,
    pub role: &'static str,
    pub image: String,
    pub user: User,
    pub root: Option<bool>,
}

/// The identity of a container's first process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    pub uid: Option<i64>,
    pub gid: Option<i64>,
    pub groups: Vec<i64>,
    pub origin: &'static str,
}

/// Why a workload does not work now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    pub reason: String,
    pub message: String,
    pub pod: Option<String>,
    pub container: Option<String>,
    pub exit_code: Option<i32>,
}

impl ScanReport {
    /// Completes the counts over the workloads.
    #[must_use]
    pub fn new(workloads: Vec<Workload>, namespaces: &[ModelNamespace], warnings: Vec<String>) -> Self {
        let count = |which: &dyn Fn(&Workload) -> bool| workloads.iter().filter(|workload| which(workload)).count();
        let summary = Summary {
            workloads: workloads.len(),
            root: count(&|workload| workload.root == Some(true)),
            unknown: count(&|workload| workload.root.is_none()),
            baseline: count(&|workload| workload.pod_security.baseline.is_empty()),
            restricted: count(&|workload| workload.pod_security.restricted.is_empty()),
            failing: count(&|workload| !workload.failures.is_empty()),
        };
        let namespaces = namespaces.iter().map(Namespace::from).collect();
        Self { api_version: API_VERSION, kind: "ScanReport", warnings, summary, namespaces, workloads }
    }
}

impl Workload {
    /// Builds the row of a workload; `line` finds the line of a field of its pod template, for one from a manifest.
    #[must_use]
    pub fn new(
        workload: ModelWorkload,
        version: Version,
        [baseline, restricted]: [Vec<ModelViolation>; 2],
        line: &dyn Fn(&str) -> Option<u64>,
    ) -> Self {
        let violations = |found: Vec<ModelViolation>| found.into_iter().map(|one| Violation::new(one, line)).collect();
        let roots = || workload.containers.iter().map(|container| container.root);
        let root = match (roots().any(|root| root == Some(true)), roots().all(|root| root == Some(false))) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        };
        Self {
            api_version: workload.api_version,
            kind: workload.kind,
            namespace: workload.namespace,
            name: workload.name,
            source: workload.source.map(|source| Source { file: source.file, line: source.line }),
            pods: workload.pods,
            root,
            user_namespace: workload.spec.host_users == Some(false),
            pod_security: PodSecurity {
                version: version.to_string(),
                baseline: violations(baseline),
                restricted: violations(restricted),
            },
            containers: workload.containers.into_iter().map(Container::from).collect(),
            failures: workload.failures.into_iter().map(Failure::from).collect(),
            obstacles: Vec::new(),
        }
    }
}

impl Violation {
    pub(super) fn new(violation: ModelViolation, line: &dyn Fn(&str) -> Option<u64>) -> Self {
        let field = |path: String| Field { line: line(&path), path };
        Self {
            check: violation.check,
            reason: violation.reason,
            detail: violation.detail,
            fields: violation.fields.into_iter().map(field).collect(),
        }
    }
}

impl From<ModelContainer> for Container {
    fn from(container: ModelContainer) -> Self {
        let user = container.user;
        Self {
            name: container.name,
            role: container.role.as_str(),
            image: container.image,
            user: User { uid: user.uid, gid: user.gid, groups: user.groups, origin: user.origin.as_str() },
            root: container.root,
        }
    }
}

impl From<ModelFailure> for Failure {
    fn from(failure: ModelFailure) -> Self {
        let ModelFailure { reason, message, pod, container, exit_code } = failure;
        Self { reason, message, pod, container, exit_code }
    }
}

impl From<&ModelNamespace> for Namespace {
    fn from(namespace: &ModelNamespace) -> Self {
        let policy = |policy: ModelPolicy| Policy { level: policy.level.as_str(), version: policy.version.to_string() };
        Self {
            name: namespace.name.clone(),
            enforce: namespace.enforce.map(policy),
            audit: namespace.audit.map(policy),
            warn: namespace.warn.map(policy),
        }
    }
}
