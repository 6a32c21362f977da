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

pub use self::private_files::needed;
pub use self::replies::is_same;

use crate::model::behaviour::Behaviour;
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

/// Obstacles for what a copy lost beside the control, and sentences about the rest.
#[must_use]
pub fn differences(control: &Behaviour, copy: &Behaviour) -> (Vec<Obstacle>, Vec<String>) {
    let (mut obstacles, mut notes) = (Vec::new(), Vec::new());
    for difference in COMPARISONS.iter().flat_map(|compare| compare(control, copy)) {
        match difference {
            Difference::Lost { container, cause, evidence } => {
                obstacles.push(lost(container, cause, evidence));
            }
            Difference::Port { container, port, cause } => obstacles.push(Obstacle {
                container: Some(container),
                port: Some(port),
                evidence: evidence(cause.clone()),
                cause,
                ..Obstacle::new(Operation::Bind, Category::PrivilegedPort)
            }),
            Difference::Unreadable { container, path } => {
                let cause = format!(
                    "the program is set up with {path}, which the copy as root may read and this one may not"
                );
                obstacles.push(Obstacle {
                    container: Some(container),
                    path: Some(path),
                    evidence: evidence(cause.clone()),
                    cause,
                    ..Obstacle::new(Operation::Open, Category::UnreadableFile)
                });
            }
            Difference::Noted(note) => notes.push(note),
        }
    }
    (obstacles, notes)
}

/// Obstacles for the checks that a copy does not pass, where there is nothing to compare it with.
#[must_use]
pub fn failed_checks(copy: &Behaviour) -> Vec<Obstacle> {
    let failed = copy.checks.iter().filter(|check| !check.passed);
    failed
        .map(|check| {
            lost(
                None,
                format!("the check {:?} fails: {}", check.check, check.answer),
                String::new(),
            )
        })
        .collect()
}

fn lost(container: Option<String>, cause: String, text: String) -> Obstacle {
    Obstacle {
        container,
        evidence: evidence(if text.is_empty() { cause.clone() } else { text }),
        cause,
        fatal: true,
        ..Obstacle::new(Operation::Other, Category::LostFunction)
    }
}

fn evidence(text: String) -> Evidence {
    Evidence { source: SOURCE.to_owned(), line: None, text }
}

#[cfg(test)]
mod tests;
