//! What a scan found, one thing after another: what SARIF, JUnit and Markdown list, what
//! `--fail-on` counts, and what can be accepted.

use serde::Serialize;

/// One thing that was found in a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A Pod Security check, a kind of obstacle, `runs-as-root` or `failing`: what accepts it by
    /// name.
    pub check: String,
    pub class: Class,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
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

impl Class {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Root => "root",
            Class::Baseline => "baseline",
            Class::Restricted => "restricted",
            Class::Failing => "failing",
            Class::Obstacle => "obstacle",
        }
    }
}

/// Why a finding is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Accepted {
    pub reason: String,
    /// The last day, as 2027-03-31.
    pub expires: Option<String>,
    /// Where it was decided: `annotation` or `baseline`.
    pub by: &'static str,
}
