//! The committed sample: pods of our own in `tests/cases/policy/<check>.yaml`, and beside them in
//! `<check>.json` what k8s.io/pod-security-admission says about them.

use std::{collections::BTreeMap, fs, path::PathBuf};

use nonroot::{
    model::podsecurity::{Level, Version, Violation},
    policy,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A violation without our own addition, the fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finding {
    pub(crate) check: String,
    pub(crate) reason: String,
    pub(crate) detail: String,
}

impl From<Violation> for Finding {
    fn from(Violation { check, reason, detail, .. }: Violation) -> Finding {
        Finding { check: check.to_owned(), reason, detail }
    }
}

/// What a level forbids in a pod from a version on, up to the next stage.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stage {
    pub(crate) since: String,
    pub(crate) forbids: Vec<Finding>,
}

/// The stages that a pod goes through with growing versions, by level and by the pod's name.
pub(crate) type Verdicts = BTreeMap<String, BTreeMap<String, Vec<Stage>>>;

/// One file of the sample.
pub(crate) struct Case {
    /// The pods by name.
    pub(crate) pods: BTreeMap<String, Value>,
    /// Where their verdicts are recorded.
    pub(crate) recorded: PathBuf,
}

/// The files of the sample, by the ID of the check that each is named after.
pub(crate) fn cases() -> BTreeMap<&'static str, Case> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases/policy");
    let case = |check: &'static policy::Check| {
        let file = directory.join(format!("{}.yaml", check.id));
        let text =
            fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let pods: Vec<Value> = serde_saphyr::from_multiple(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let name = |pod: &Value| {
            pod["metadata"]["name"].as_str().expect("a pod of the sample has a name").to_owned()
        };
        let pods = pods.into_iter().map(|pod| (name(&pod), pod)).collect();
        (check.id, Case { pods, recorded: file.with_extension("json") })
    };
    policy::CHECKS.iter().map(case).collect()
}

pub(crate) const LEVELS: [Level; 2] = [Level::Baseline, Level::Restricted];

/// Every version from v1.0 to one beyond the newest that changed anything, and latest.
pub(crate) fn versions() -> Vec<Version> {
    let Version::Minor(newest) = policy::newest_version() else {
        panic!("the newest version has a number")
    };
    (0..=newest + 1).map(Version::Minor).chain([Version::Latest]).collect()
}

/// What a level forbids in a pod, told at the versions at which that changes.
pub(crate) fn stages(mut forbids: impl FnMut(Version) -> Vec<Finding>) -> Vec<Stage> {
    let mut stages = Vec::<Stage>::new();
    for version in versions() {
        let forbids = forbids(version);
        if stages.last().is_none_or(|stage| stage.forbids != forbids) {
            stages.push(Stage { since: version.to_string(), forbids });
        }
    }
    stages
}
