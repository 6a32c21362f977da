//! Findings as the JSON has them.

use serde::{Serialize, Serializer};

use crate::model::finding::{self, FindingClass};

/// One thing that was found in a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A Pod Security check, a kind of obstacle, `runs-as-root` or `failing`.
    pub check: String,
    #[serde(serialize_with = "class")]
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

/// Why a finding is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Accepted {
    pub reason: String,
    /// The last day, as 2027-03-31.
    pub expires: Option<String>,
    /// Where it was decided: `annotation` or `baseline`.
    pub by: &'static str,
}

impl From<finding::Finding> for Finding {
    fn from(finding: finding::Finding) -> Self {
        let finding::Finding { check, class, message, containers, line, fingerprint, accepted } =
            finding;
        let accepted = accepted.map(|accepted| Accepted {
            reason: accepted.reason,
            expires: accepted.expires.map(|day| day.to_string()),
            by: accepted.by.as_str(),
        });
        Finding { check, class, message, containers, line, fingerprint, accepted }
    }
}

fn class<S: Serializer>(class: &FindingClass, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(class.as_str())
}
