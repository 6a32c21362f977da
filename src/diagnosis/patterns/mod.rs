//! The families of messages, one file each, and the list of them.

mod bind;
mod capability;
mod chmod;
mod chown;
mod connect;
mod create;
mod device;
mod exec;
mod identity;
mod kubelet;
mod lock;
mod mkdir;
mod no_errno;
mod open;
mod passwd;
mod path;
mod pod_security;
mod privileged_call;
mod rename;
mod root_required;
mod runtime;
mod seccomp;
mod security_context_constraints;
mod selinux;
mod unlink;
mod volume;

pub(super) use self::bind::is_unprivileged_port;

use super::finding::Finding;
use super::reader::context::LineContext;

/// One family of messages.
pub struct Pattern {
    /// Unique, in kebab case.
    pub id: &'static str,
    pub title: &'static str,
    /// What it means, for a reader who does not know the system call.
    pub explain: &'static str,
    /// Where the knowledge comes from: man pages and upstream files.
    pub source: &'static str,
    /// Every line that the pattern reads contains one of these words, in any ASCII case, or words
    /// or a number that give an errno.
    pub signals: &'static [&'static str],
    /// Tests: each must be read as expected.
    pub examples: &'static [Example],
    /// Tests: none of them may give an obstacle.
    pub near_misses: &'static [&'static str],
    read: Read,
}

/// A message, and what it must be read as: `OPERATION ERRNO [PATH|PORT] CATEGORY`, `-` for no
/// errno.
pub struct Example {
    pub log: &'static str,
    pub expected: &'static str,
}

enum Read {
    One(fn(&LineContext) -> Option<Finding>),
    Many(fn(&LineContext) -> Vec<Finding>),
}

impl Pattern {
    pub(super) fn read(&self, context: &LineContext) -> Vec<Finding> {
        match self.read {
            Read::One(read) => read(context).into_iter().collect(),
            Read::Many(read) => read(context),
        }
    }
}

/// Every pattern. Of two that read one line equally well, the first counts.
pub const PATTERNS: &[&Pattern] = &[
    &pod_security::PATTERN,
    &security_context_constraints::PATTERN,
    &kubelet::PATTERN,
    &selinux::PATTERN,
    &seccomp::PATTERN,
    &volume::PATTERN,
    &passwd::PATTERN,
    &identity::PATTERN,
    &privileged_call::PATTERN,
    &bind::PATTERN,
    &connect::PATTERN,
    &mkdir::PATTERN,
    &chown::PATTERN,
    &chmod::PATTERN,
    &unlink::PATTERN,
    &rename::PATTERN,
    &runtime::PATTERN,
    &exec::PATTERN,
    &lock::PATTERN,
    &device::PATTERN,
    &open::PATTERN,
    &create::PATTERN,
    &no_errno::PATTERN,
    &capability::PATTERN,
    &root_required::PATTERN,
    &path::PATTERN,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::{Context, diagnose};
    use crate::model::obstacle::Errno;

    fn reading(log: &str) -> Option<String> {
        let obstacle = diagnose(log.as_bytes(), Context::default()).obstacles.into_iter().next()?;
        let errno = obstacle.errno.map_or("-", Errno::as_str);
        let place = obstacle.path.or(obstacle.port.map(|port| port.to_string()));
        let words = [
            Some(obstacle.operation.as_str()),
            Some(errno),
            place.as_deref(),
            Some(obstacle.category.as_str()),
        ];
        Some(words.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn every_example_is_read_as_expected() {
        let mut wrong = Vec::new();
        for pattern in PATTERNS {
            for Example { log, expected } in pattern.examples {
                let reading = reading(log);
                if reading.as_deref() != Some(expected) {
                    let id = pattern.id;
                    wrong.push(format!("{id}: {log}\n  expected {expected}\n  read {reading:?}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn no_near_miss_gives_an_obstacle() {
        let mut wrong = Vec::new();
        for pattern in PATTERNS {
            for near_miss in pattern.near_misses {
                if let Some(reading) = reading(near_miss) {
                    wrong.push(format!("{}: {near_miss}\n  read {reading}", pattern.id));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn ids_are_unique_and_every_pattern_has_examples_and_near_misses() {
        for (at, pattern) in PATTERNS.iter().enumerate() {
            let has_tests = !pattern.examples.is_empty() && !pattern.near_misses.is_empty();
            assert!(has_tests, "{}", pattern.id);
            assert!(PATTERNS[..at].iter().all(|other| other.id != pattern.id), "{}", pattern.id);
        }
    }
}
