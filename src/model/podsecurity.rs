//! The words of the Pod Security Standards: levels, versions and what a level forbids.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A level that a namespace can enforce (k8s.io/pod-security-admission, api/constants.go).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    Privileged,
    Baseline,
    Restricted,
}

impl Level {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Privileged => "privileged",
            Level::Baseline => "baseline",
            Level::Restricted => "restricted",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "privileged" => Ok(Level::Privileged),
            "baseline" => Ok(Level::Baseline),
            "restricted" => Ok(Level::Restricted),
            _ => Err(format!("{text:?} is not a level: use privileged, baseline or restricted")),
        }
    }
}

/// A version of the standards: `latest`, or `v1.N`. Ordered, `latest` last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    Minor(u32),
    Latest,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Version::Minor(minor) => write!(f, "v1.{minor}"),
            Version::Latest => f.write_str("latest"),
        }
    }
}

impl FromStr for Version {
    type Err = String;

    /// As upstream's `api.ParseVersion`: `latest`, or `v1.N` without leading zeros.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "latest" {
            return Ok(Version::Latest);
        }
        text.strip_prefix("v1.")
            .filter(|minor| *minor == "0" || minor.starts_with(|c: char| ('1'..='9').contains(&c)))
            .filter(|minor| minor.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|minor| minor.parse().ok())
            .map(Version::Minor)
            .ok_or_else(|| format!("{text:?} is not a version: use latest or v1.N, such as v1.37"))
    }
}

/// One thing that a level forbids in a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Upstream's check ID, such as `runAsNonRoot`.
    pub check: &'static str,
    /// Upstream's `ForbiddenReason`, character for character.
    pub reason: String,
    /// Upstream's `ForbiddenDetail`, character for character; may be empty.
    pub detail: String,
    /// The fields at fault, relative to the pod template, as
    /// `spec.containers[0].securityContext.privileged`. A field that should be there and is
    /// not counts too. Upstream has no such thing: it is for file and line.
    pub fields: Vec<String>,
}

/// What both levels forbid in a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdicts {
    pub version: Version,
    pub baseline: Vec<Violation>,
    /// What the baseline level forbids is among it.
    pub restricted: Vec<Violation>,
    /// The lines of the fields at fault in the pod's manifest; none for a live pod.
    pub lines: BTreeMap<String, u64>,
}

impl Verdicts {
    /// The line of a field at fault.
    #[must_use]
    pub fn line(&self, field: &str) -> Option<u64> {
        self.lines.get(field).copied()
    }
}

/// A level at a version, as a namespace's labels give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    pub level: Level,
    pub version: Version,
}

/// What a namespace demands of its pods, by its `pod-security.kubernetes.io/` labels. `None`: not
/// labelled, so the API server's own default holds, which is privileged unless its administrator
/// set another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    pub name: String,
    pub enforce: Option<Policy>,
    pub audit: Option<Policy>,
    pub warn: Option<Policy>,
}

impl Namespace {
    /// Reads the labels as upstream does (api/helpers.go, PolicyToEvaluate): an unknown level
    /// counts as restricted and an unknown version as latest.
    #[must_use]
    pub fn from_labels(name: String, labels: &BTreeMap<String, String>) -> Self {
        let policy = |mode: &str| {
            let level = labels.get(&format!("pod-security.kubernetes.io/{mode}"))?;
            let version = labels.get(&format!("pod-security.kubernetes.io/{mode}-version"));
            Some(Policy {
                level: level.parse().unwrap_or(Level::Restricted),
                version: version
                    .map_or(Version::Latest, |text| text.parse().unwrap_or(Version::Latest)),
            })
        };
        Self { enforce: policy("enforce"), audit: policy("audit"), warn: policy("warn"), name }
    }
}

/// Capabilities that the baseline level lets a container add, those that a runtime grants by itself
/// without NET_RAW (k8s.io/pod-security-admission, policy/check_capabilities_baseline.go).
pub const BASELINE_CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];
