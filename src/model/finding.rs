//! What a scan found, one thing after another: what reports list, what `--fail-on` counts, and what
//! can be accepted.

use k8s_openapi::jiff::civil::Date;

/// One thing that was found in a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// A Pod Security check, a kind of obstacle, `runs-as-root` or `failing`: what accepts it by
    /// name.
    pub check: String,
    pub class: FindingClass,
    pub message: String,
    pub containers: Vec<String>,
    /// Of the workload's manifest.
    pub line: Option<u64>,
    /// The same as long as the workload and what is wrong with it are the same, wherever it
    /// stands.
    pub fingerprint: String,
    pub accepted: Option<Accepted>,
}

/// What `--fail-on` tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingClass {
    /// A container has uid 0.
    Root,
    /// The baseline level forbids it.
    Baseline,
    /// Only the restricted level forbids it.
    Restricted,
    /// It does not work now.
    Failing,
    /// It would stand in the way of running as non-root.
    Obstacle,
}

impl FindingClass {
    pub const ALL: [FindingClass; 5] = [
        FindingClass::Root,
        FindingClass::Baseline,
        FindingClass::Restricted,
        FindingClass::Failing,
        FindingClass::Obstacle,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            FindingClass::Root => "root",
            FindingClass::Baseline => "baseline",
            FindingClass::Restricted => "restricted",
            FindingClass::Failing => "failing",
            FindingClass::Obstacle => "obstacle",
        }
    }
}

/// Why a finding is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    pub reason: String,
    /// The last day on which that counts.
    pub expires: Option<Date>,
    pub by: AcceptedBy,
}

/// Where it was decided to accept a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptedBy {
    /// An annotation of the workload or of its pod template.
    Annotation,
    /// The file of `--baseline`.
    Baseline,
}

impl AcceptedBy {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            AcceptedBy::Annotation => "annotation",
            AcceptedBy::Baseline => "baseline",
        }
    }
}
