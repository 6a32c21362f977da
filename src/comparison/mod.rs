//! What a copy does not do that the same copy as root does; pure.
//!
//! Each file compares one thing. What is lost is an obstacle with both answers as evidence, and what
//! may have another reason is told in a sentence.

mod checks;
mod listeners;
mod private_files;
mod processes;
mod reloads;
mod replies;
mod restarts;

use std::collections::BTreeMap;

pub use self::private_files::needed;
pub use self::replies::is_same;

use crate::model::behaviour::Behaviour;
use crate::model::inside::Inside;
use crate::model::obstacle::{Category, Evidence, Obstacle, Operation};

/// Where a difference was seen.
const SOURCE: &str = "the copy as root, beside it";

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Difference {
    /// A function that the copy does not have.
    Lost { container: Option<String>, cause: String, evidence: String },
    /// A port that only root may listen on, and the copy does not.
    Port { container: String, port: u16, cause: String },
    /// A file that it is set up with, and may not read.
    Unreadable { container: String, path: String },
    /// It may be so for another reason than the user.
    Noted(String),
}

/// Every comparison, of the copy as root with the other.
const COMPARISONS: &[fn(&Behaviour, &Behaviour) -> Vec<Difference>] = &[
    checks::compare,
    listeners::compare,
    private_files::compare,
    processes::compare,
    replies::compare,
    reloads::compare,
    restarts::compare,
];

/// What a copy shows beside another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    pub obstacles: Vec<Obstacle>,
    /// Sentences about what may have another reason than the user.
    pub notes: Vec<String>,
    /// The copy does not do what the other does: Ready is no proof of it.
    pub differs: bool,
}

/// A copy beside the control: whatever the control does and the copy does not is lost.
#[must_use]
pub fn beside(control: &Behaviour, copy: &Behaviour) -> Comparison {
    let mut comparison = Comparison::default();
    for difference in COMPARISONS.iter().flat_map(|compare| compare(control, copy)) {
        match difference {
            Difference::Noted(note) => comparison.notes.push(note),
            lost => comparison.obstacles.extend(obstacle(lost)),
        }
    }
    comparison.differs = !comparison.obstacles.is_empty();
    comparison
}

/// A copy without a control. `running` is what the pod of today shows, which has other data, so that
/// only its ports and processes are compared and are no proof of a loss. A check that fails, and a
/// second start that does, are.
#[must_use]
pub fn alone(running: &BTreeMap<String, Inside>, copy: &Behaviour) -> Comparison {
    let today = Behaviour { containers: running.clone(), ..Behaviour::default() };
    let mut comparison = Comparison::default();
    let seen = listeners::compare(&today, copy).into_iter().chain(processes::compare(&today, copy));
    for difference in seen {
        match difference {
            Difference::Noted(note) => comparison.notes.push(note),
            Difference::Lost { container, cause, .. } => {
                let container = container.unwrap_or_default();
                comparison.notes.push(format!("container {container}: {cause}"));
            }
            port => comparison
                .obstacles
                .extend(obstacle(port).map(|one| Obstacle { fatal: false, ..one })),
        }
    }
    let lost = checks::failed(copy).into_iter().chain(restarts::failed(copy)).filter_map(obstacle);
    let lost: Vec<Obstacle> = lost.collect();
    comparison.differs = !lost.is_empty();
    comparison.obstacles.extend(lost);
    comparison
}

/// What is lost, as an obstacle that stops the program.
fn obstacle(difference: Difference) -> Option<Obstacle> {
    let (container, cause, text, kind) = match difference {
        Difference::Lost { container, cause, evidence } => {
            let kind = Obstacle::new(Operation::Other, Category::LostFunction);
            (container, cause, evidence, kind)
        }
        Difference::Port { container, port, cause } => {
            let kind = Obstacle::new(Operation::Bind, Category::PrivilegedPort);
            (Some(container), cause.clone(), cause, Obstacle { port: Some(port), ..kind })
        }
        Difference::Unreadable { container, path } => {
            let cause = format!(
                "the program is set up with {path}, which the copy as root may read and this one may not"
            );
            let kind = Obstacle::new(Operation::Open, Category::UnreadableFile);
            (Some(container), cause.clone(), cause, Obstacle { path: Some(path), ..kind })
        }
        Difference::Noted(_) => return None,
    };
    let evidence = Evidence { source: SOURCE.to_owned(), line: None, text };
    Some(Obstacle { container, cause, evidence, ..kind })
}

#[cfg(test)]
mod tests;
