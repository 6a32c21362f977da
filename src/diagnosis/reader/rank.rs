//! Which failure of a log stopped the container, and which are warnings before it or consequences.

use std::{cmp::Reverse, collections::HashMap, sync::LazyLock};

use regex::Regex;

use super::{errno::compile, severity::Severity};
use crate::diagnosis::{cause, finding::Finding};
use crate::model::obstacle::{Category, Evidence, Obstacle, Operation};

/// Distinct obstacles that are kept; a log of days repeats itself.
const MAX_FINDINGS: usize = 256;

/// A finding with where it was found.
#[derive(Debug, Clone)]
pub(crate) struct LocatedFinding {
    pub finding: Finding,
    pub severity: Severity,
    pub program: Option<String>,
    pub line: u64,
    pub text: String,
}

/// Findings in the order of the log, equal ones joined.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    found: Vec<LocatedFinding>,
    by_key: HashMap<(Operation, Option<String>, Option<u16>, Category), usize>,
}

impl Collected {
    /// Adds a finding, or joins it to the equal one that came first, with the worst severity of the
    /// two.
    pub(crate) fn add(&mut self, mut new: LocatedFinding) {
        if new.finding.harmless {
            new.severity = new.severity.min(Severity::Warning);
        }
        let finding = &new.finding;
        let key = (finding.operation, finding.path.clone(), finding.port, finding.category);
        if let Some(&index) = self.by_key.get(&key) {
            let old = &mut self.found[index];
            old.finding.errno = old.finding.errno.or(finding.errno);
            old.finding.harmless &= finding.harmless;
            old.severity = old.severity.max(new.severity);
            return;
        }
        if self.found.len() < MAX_FINDINGS {
            self.by_key.insert(key, self.found.len());
            self.found.push(new);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The obstacles, the one that best explains the failure first.
    pub(crate) fn into_obstacles(
        mut self,
        source: &str,
        container: Option<&str>,
        directory: Option<&str>,
        lines: u64,
    ) -> Vec<Obstacle> {
        inherit(&mut self.found);
        self.found = joined(self.found);
        self.found.sort_by_key(|found| Reverse(gravity(found)));
        self.found
            .into_iter()
            .enumerate()
            .map(|(rank, found)| {
                let finding = &found.finding;
                // The only line of a log is why it ended.
                let fatal = rank == 0 && (lines == 1 || !finding.harmless)
                    || !finding.harmless && found.severity >= Severity::Error;
                Obstacle {
                    container: container.map(str::to_owned),
                    program: found.program,
                    operation: finding.operation,
                    errno: finding.errno,
                    path: finding
                        .path
                        .as_deref()
                        .map(|path| absolute(path, finding.operation, directory)),
                    port: finding.port,
                    capability: finding.capability.map(|one| one.name().to_owned()),
                    category: finding.category,
                    fatal,
                    cause: cause::sentence(finding),
                    details: found.finding.details,
                    evidence: Evidence {
                        source: source.to_owned(),
                        line: Some(found.line),
                        text: found.text,
                    },
                }
            })
            .collect()
    }
}

/// A message without an errno often follows one that has it: `Cannot open '/dev/stdout' for writing`
/// after `/dev/stderr: Permission denied`.
fn inherit(found: &mut [LocatedFinding]) {
    for index in 1..found.len() {
        let (before, after) = found.split_at_mut(index);
        let (Some(before), Some(after)) = (before.last(), after.first_mut()) else { continue };
        let same_kind = matches!(after.finding.operation, Operation::Open | Operation::Create)
            && before.finding.path.is_some();
        if after.finding.errno.is_none()
            && same_kind
            && before.finding.category == after.finding.category
            && after.line - before.line < 6
        {
            after.finding.errno = before.finding.errno;
        }
    }
}

/// Lines between two halves of one message, at most.
const BETWEEN: u64 = 3;

/// Joins the halves of one failure: a line that says what was wanted and one near by that says why
/// it failed; and the same refusal once by its path and once with the call that failed.
fn joined(found: Vec<LocatedFinding>) -> Vec<LocatedFinding> {
    let mut all: Vec<LocatedFinding> = Vec::with_capacity(found.len());
    for new in found {
        let near = |old: &LocatedFinding| {
            new.line.abs_diff(old.line) <= BETWEEN && old.finding.harmless == new.finding.harmless
        };
        let of_files = |found: &LocatedFinding| {
            matches!(
                found.finding.operation,
                Operation::Open | Operation::Create | Operation::Mkdir | Operation::Other
            ) && matches!(
                found.finding.category,
                Category::UnwritablePath
                    | Category::HomeUnwritable
                    | Category::UnreadableFile
                    | Category::ReadOnlyRootfs
            )
        };
        let is_half = |a: &LocatedFinding, b: &LocatedFinding| {
            a.finding.path.is_some()
                && a.finding.errno.is_none()
                && b.finding.path.is_none()
                && b.finding.errno.is_some()
        };
        let place = all.iter().rposition(|old| {
            let halves = is_half(old, &new) || is_half(&new, old);
            let again = old.finding.path.is_some()
                && old.finding.path == new.finding.path
                && old.finding.category == new.finding.category
                && old.finding.errno == new.finding.errno
                && old.finding.operation == Operation::Open
                && !matches!(new.finding.operation, Operation::Other | Operation::Open);
            of_files(old) && of_files(&new) && near(old) && (halves || again)
                || near(old) && is_echo(old, &new)
        });
        let Some(old) = place.and_then(|place| all.get_mut(place)) else {
            all.push(new);
            continue;
        };
        let severity = old.severity.max(new.severity);
        if is_half(&new, old) {
            let errno = old.finding.errno;
            *old = LocatedFinding { finding: new.finding.errno(errno), ..new };
        } else if is_echo(old, &new) {
        } else if old.finding.path == new.finding.path {
            old.finding.operation = new.finding.operation;
        } else {
            old.finding.errno = new.finding.errno;
        }
        old.severity = severity;
    }
    all
}

/// Whether a line repeats the one just before without its path: only its severity counts.
fn is_echo(old: &LocatedFinding, new: &LocatedFinding) -> bool {
    let (first, again) = (&old.finding, &new.finding);
    let same = first.operation == again.operation
        || again.operation == Operation::Other
        || again.operation == Operation::Exec && again.errno.is_some();
    let is_nameless = again.path.is_none() && again.port.is_none() && first.path.is_some();
    let is_refused_alike = match again.errno {
        Some(errno) => first.errno == Some(errno),
        None => first.errno.is_some() && first.category == again.category,
    };
    is_nameless && same && is_refused_alike
}

/// What tells which failure of a log stopped the program: the greatest did, of equal ones the first
/// in the log.
///
/// The parts and their order were found by leaving each out, on the 534 failures with a label of
/// two corpora and three tuning sets. Behind each part stands how many first obstacles are wrong
/// without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Gravity {
    level: Level,
    /// 5: a message without its reason often repeats one that has it.
    has_errno: bool,
    /// 0, but an example of the pattern `path` needs it: an exception that another one wraps was
    /// thrown on, and one that stands alone may have been caught.
    is_wrapped: bool,
    /// 1.
    is_error: bool,
}

/// How bad a failure is. A message that states no severity counts as an error: coreutils and shells
/// print none, and entrypoints run with `set -e`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Info,
    Warning,
    /// Scripts often ignore that a change of an owner or of mode bits fails (`|| :`). 1, and one of
    /// the recorded programs of tests/cases/programs.
    Tolerated,
    Error,
    /// The audit log says why the kernel refused what others only report. 1.
    Audited,
    /// 1.
    Fatal,
}

fn gravity(found: &LocatedFinding) -> Gravity {
    let LocatedFinding { finding, severity, text, .. } = found;
    let is_tolerated = matches!(finding.operation, Operation::Chmod | Operation::Chown)
        || finding.category == Category::OwnershipChange;
    let level = match severity {
        Severity::Info => Level::Info,
        Severity::Warning => Level::Warning,
        Severity::Unstated | Severity::Error if is_tolerated => Level::Tolerated,
        Severity::Unstated | Severity::Error if finding.category == Category::Selinux => {
            Level::Audited
        }
        Severity::Unstated | Severity::Error => Level::Error,
        Severity::Fatal if is_tolerated => Level::Error,
        Severity::Fatal => Level::Fatal,
    };
    Gravity {
        level,
        has_errno: finding.errno.is_some(),
        is_wrapped: is_wrapped(text),
        is_error: *severity >= Severity::Error,
    }
}

/// `some.module.WrapperError: PermissionError: ...`
fn is_wrapped(text: &str) -> bool {
    static WRAPPED: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"^(?:[\w$]+\.)+[A-Z]\w*(?:Error|Exception): (?:[\w$]+\.)*[A-Z]\w*(?:Error|Exception): ",
        )
    });
    WRAPPED.is_match(text)
}

/// A relative path in the container's working directory, where that is known.
fn absolute(path: &str, operation: Operation, directory: Option<&str>) -> String {
    // A command without a slash is searched for in PATH, not in the working directory (execvp(3)).
    let is_command = operation == Operation::Exec && !path.contains('/');
    match directory {
        Some(directory) if !path.starts_with('/') && !path.starts_with('~') && !is_command => {
            format!("{}/{}", directory.trim_end_matches('/'), path.trim_start_matches("./"))
        }
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_is_in_the_working_directory_and_a_command_is_not() {
        assert_eq!(absolute("data/x", Operation::Open, Some("/srv/")), "/srv/data/x");
        assert_eq!(absolute("ping", Operation::Exec, Some("/")), "ping");
        assert_eq!(absolute("./run", Operation::Exec, Some("/srv")), "/srv/run");
        assert_eq!(absolute("x", Operation::Open, None), "x");
    }
}
