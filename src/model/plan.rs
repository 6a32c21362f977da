//! What is to be done to a workload, why, and what showed that it works.

use std::fmt;

use serde_json::Value;

use crate::model::edit::Edit;
use crate::model::identity::Candidate;
use crate::model::obstacle::Obstacle;

/// A remedy taken for an obstacle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The remedy's id.
    pub remedy: &'static str,
    /// Where it is applied: pod, env, args, config.
    pub level: &'static str,
    pub summary: String,
    pub edits: Vec<Edit>,
    pub obstacle: Obstacle,
    /// Taken on a guess, or before the identity changed: it may not be needed.
    pub doubtful: bool,
}

/// What a plan is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basis {
    /// A pod of the workload that runs, by its name.
    Pod(String),
    /// A copy of the workload as it is, which ran beside it.
    Control,
    /// What a strace told, by its file.
    Trace(String),
    /// The images, with all that is in them.
    Image,
    /// The configurations of the images alone.
    Configuration,
    Spec,
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Basis::Pod(name) => write!(f, "the running pod {name}"),
            Basis::Control => f.write_str("a copy of it as it is"),
            Basis::Trace(file) => write!(f, "the trace {file}"),
            Basis::Image => f.write_str("its images"),
            Basis::Configuration => f.write_str("the configuration of its images"),
            Basis::Spec => f.write_str("its spec"),
        }
    }
}

/// An identity, and the remedies that go with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Of each container; the first is the one that counts most.
    pub identities: Vec<(String, Candidate)>,
    /// The users that that one could run as, best first.
    pub candidates: Vec<Candidate>,
    pub steps: Vec<Step>,
    /// The whole object with the plan in it.
    pub object: Value,
    /// What it is made from, the most telling first.
    pub basis: Vec<Basis>,
}

/// One run of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    pub obstacles: Vec<Obstacle>,
    /// Summaries of what was added after it.
    pub added: Vec<String>,
    /// From the pod's creation to the moment that told how it went.
    pub seconds: u64,
}

/// What a trial showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// A copy of the pod, with the plan, became ready and stayed so.
    pub ready: bool,
    /// And it passes its checks, and does what a copy of the workload as it is does.
    pub works: bool,
    pub rounds: Vec<Round>,
    pub seconds: u64,
    /// What stands in the way still; with `ready`, what is refused though the pod is ready.
    pub remaining: Vec<Obstacle>,
    /// What the copy does not do that the root pod does.
    pub notes: Vec<String>,
    /// The checks that were made beside being ready.
    pub checks: Vec<String>,
    /// What was not looked at, each in a sentence.
    pub not_checked: Vec<String>,
}
