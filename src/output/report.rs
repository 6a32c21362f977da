//! The JSON that tools read: its own types, so that its fields outlive any change inside.

use serde::Serialize;
use serde_json::Value;

use super::API_VERSION;
use super::explanation::Explained;
use super::finding::Finding;
use super::fix::{Fix, Plan};
use super::image::ImageReport;
use crate::model::container::Container as ModelContainer;
use crate::model::finding::FindingClass;
use crate::model::podsecurity::{
    Namespace as ModelNamespace, Policy as ModelPolicy, Verdicts, Violation as ModelViolation,
};
use crate::model::workload::{
    Failure as ModelFailure, Location, Unjudged as ModelUnjudged, Workload as ModelWorkload,
};

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
    /// Objects of manifests that make pods, and do not say enough of them to judge them.
    pub unjudged: Vec<Unjudged>,
    /// The file of accepted findings, where one was named.
    pub baseline: Option<Baseline>,
    /// What the containers run, where that was asked for.
    pub images: Vec<ImageReport>,
}

/// What a file of accepted findings says that no longer holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Baseline {
    pub file: String,
    /// Entries whose last day is over: what they accepted counts again.
    pub expired: Vec<Entry>,
    /// Entries of workloads that were scanned, for what is no longer found there.
    pub unmatched: Vec<Entry>,
}

/// An entry of such a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub line: u64,
    pub workload: String,
    pub check: String,
    pub reason: String,
    pub expires: Option<String>,
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
    /// Findings that are accepted, not workloads.
    pub accepted: usize,
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
    /// Whether its pods have a user namespace (`hostUsers: false`): root in it is an unprivileged
    /// uid of the node.
    pub user_namespace: bool,
    pub pod_security: PodSecurity,
    pub containers: Vec<Container>,
    pub failures: Vec<Failure>,
    /// What the failures' logs, states and events tell, the one that best explains them first.
    pub obstacles: Vec<Explained>,
    /// All of the above that counts at the level that was asked for, one thing after another.
    pub findings: Vec<Finding>,
    /// The plan to take it off root, where that was asked for.
    pub plan: Option<Planned>,
}

/// What `fix` would do, as far as can be told without a trial.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    #[serde(flatten)]
    pub plan: Plan,
    /// What it changes of the object, as a strategic merge patch.
    pub strategic_patch: Value,
    pub warnings: Vec<String>,
}

impl From<Fix> for Planned {
    fn from(fix: Fix) -> Self {
        Self { plan: fix.plan, strategic_patch: fix.strategic_patch, warnings: fix.warnings }
    }
}

/// A place in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    pub file: String,
    pub line: u64,
    /// Where in its object the pod stands, if not at the place that the kind has for a pod.
    pub path: Option<String>,
}

/// An object that was seen and not judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unjudged {
    pub api_version: String,
    pub kind: String,
    pub namespace: Option<String>,
    pub name: String,
    pub source: Source,
    /// What it says of its pods, in the object.
    pub fields: Vec<Field>,
    /// Something there makes a container root.
    pub root: bool,
    /// Something there is forbidden at every level.
    pub forbidden: bool,
    /// Why a pod that is there cannot be read.
    pub why: Option<String>,
}

impl From<ModelUnjudged> for Unjudged {
    fn from(unjudged: ModelUnjudged) -> Self {
        let ModelUnjudged {
            api_version,
            kind,
            namespace,
            name,
            source,
            fields,
            root,
            forbidden,
            why,
            ..
        } = unjudged;
        let fields =
            fields.into_iter().map(|(path, line)| Field { path, line: Some(line) }).collect();
        Self {
            api_version,
            kind,
            namespace,
            name,
            source: Source::from(&source),
            fields,
            root,
            forbidden,
            why,
        }
    }
}

impl From<&Location> for Source {
    fn from(Location { file, line, path }: &Location) -> Self {
        Self { file: file.clone(), line: *line, path: path.clone() }
    }
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
    /// The fields at fault or missing, relative to the pod template, each with its line in a
    /// manifest.
    pub fields: Vec<Field>,
}

/// A field of the pod template, or of an object.
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

impl Summary {
    /// Counts one workload more.
    pub(super) fn add(&mut self, workload: &Workload) {
        self.workloads += 1;
        self.root += usize::from(workload.root == Some(true));
        self.unknown += usize::from(workload.root.is_none());
        self.baseline += usize::from(workload.pod_security.baseline.is_empty());
        self.restricted += usize::from(workload.pod_security.restricted.is_empty());
        self.failing += usize::from(!workload.failures.is_empty());
        self.accepted +=
            workload.findings.iter().filter(|finding| finding.accepted.is_some()).count();
    }
}

impl ScanReport {
    /// Completes the counts over the workloads.
    #[must_use]
    pub fn new(
        workloads: Vec<Workload>,
        namespaces: &[ModelNamespace],
        warnings: Vec<String>,
    ) -> Self {
        let mut summary = Summary::default();
        workloads.iter().for_each(|workload| summary.add(workload));
        let namespaces = namespaces.iter().map(Namespace::from).collect();
        Self {
            api_version: API_VERSION,
            kind: "ScanReport",
            warnings,
            summary,
            namespaces,
            workloads,
            unjudged: Vec::new(),
            baseline: None,
            images: Vec::new(),
        }
    }
}

impl Workload {
    /// What a scan says of a workload. The findings and the plan are added later.
    #[must_use]
    pub fn new(workload: &ModelWorkload, verdicts: Verdicts, obstacles: Vec<Explained>) -> Self {
        let Verdicts { version, baseline, restricted, lines } = verdicts;
        let line = |field: &str| lines.get(field).copied();
        let violations = |found: Vec<ModelViolation>| {
            found.into_iter().map(|one| Violation::new(one, &line)).collect()
        };
        Self {
            api_version: workload.api_version.clone(),
            kind: workload.kind.clone(),
            namespace: workload.namespace.clone(),
            name: workload.name.clone(),
            source: workload.source.as_ref().map(Source::from),
            pods: workload.pods,
            root: workload.root(),
            user_namespace: workload.spec.host_users == Some(false),
            pod_security: PodSecurity {
                version: version.to_string(),
                baseline: violations(baseline),
                restricted: violations(restricted),
            },
            containers: workload.containers.iter().map(Container::from).collect(),
            failures: workload.failures.iter().cloned().map(Failure::from).collect(),
            obstacles,
            findings: Vec::new(),
            plan: None,
        }
    }
}

/// What is to be fixed first is the greatest: by the first thing in which two differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Badness {
    is_failing: bool,
    is_root: bool,
    is_below_baseline: bool,
    /// How much there is to fix.
    to_fix: usize,
    is_unknown: bool,
}

impl Workload {
    /// What is accepted counts as good.
    pub(super) fn badness(&self) -> Badness {
        let open = |class| {
            self.findings.iter().filter(|one| one.class == class && one.accepted.is_none()).count()
        };
        Badness {
            is_failing: open(FindingClass::Failing) > 0,
            is_root: open(FindingClass::Root) > 0,
            is_below_baseline: open(FindingClass::Baseline) > 0,
            to_fix: open(FindingClass::Baseline) + open(FindingClass::Restricted),
            is_unknown: self.root.is_none(),
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

impl From<&ModelContainer> for Container {
    fn from(container: &ModelContainer) -> Self {
        let user = &container.user;
        Self {
            name: container.name.clone(),
            role: container.role.as_str(),
            image: container.image.clone(),
            user: User {
                uid: user.uid,
                gid: user.gid,
                groups: user.groups.clone(),
                origin: user.origin.as_str(),
            },
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
        let policy = |policy: ModelPolicy| Policy {
            level: policy.level.as_str(),
            version: policy.version.to_string(),
        };
        Self {
            name: namespace.name.clone(),
            enforce: namespace.enforce.map(policy),
            audit: namespace.audit.map(policy),
            warn: namespace.warn.map(policy),
        }
    }
}
