//! The records of an excerpt to findings: every pattern reads every candidate line, and the surest
//! reading of each counts.

use std::cmp::Reverse;
use std::sync::LazyLock;

use regex::Regex;

use super::finding::{Certainty, Finding};
use super::patterns::{self, PATTERNS};
use super::reader::context::LineContext;
use super::reader::errno::compile;
use super::reader::line::LogLine;
use super::reader::rank::LocatedFinding;
use super::reader::record::Record;
use super::reader::{exclusions, severity::Severity};
use super::{candidates, details};
use crate::model::obstacle::{Errno, Operation};

/// What a record tells.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub found: Vec<LocatedFinding>,
    /// What it looks like where it is no obstacle.
    pub looks_like: Option<&'static str>,
}

/// Reads a record: one failure of a stack trace, one for each candidate line elsewhere.
pub(super) fn read_record(records: &[Record], at: usize) -> Reading {
    let record = &records[at];
    let is_excluded = record.is_trace
        && record.lines.iter().any(|line| !is_frame(&line.text) && exclusions::excludes(line));
    let mut looks_like = None;
    let mut findings: Vec<(usize, Finding)> = Vec::new();
    for (index, line) in record.lines.iter().enumerate() {
        let is_candidate = line.refusal.is_some() || candidates::is_candidate(line.text.as_bytes());
        if !is_candidate || is_whole_frame(&line.text) {
            continue;
        }
        let context = LineContext::new(records, at, index);
        let is_unprivileged_port =
            line.refusal.is_some() && patterns::is_unprivileged_port(&line.text);
        let read = if is_excluded
            || is_unprivileged_port
            || exclusions::excludes(line)
            || is_broken_disk(&context)
        {
            Vec::new()
        } else {
            read_line(&context)
        };
        if read.is_empty() {
            looks_like = looks_like.or_else(|| exclusions::looks_like(&line.text));
        }
        findings.extend(read.into_iter().map(|finding| (index, finding)));
    }
    if record.is_trace {
        findings = one_failure(findings);
    }

    let worst = record.lines.iter().map(|line| line.severity).max().unwrap_or(Severity::Unstated);
    let found = findings.into_iter().map(|(index, mut finding)| {
        let line = &record.lines[index];
        let text = evidence(line);
        finding.details.extend(details::of_message(&finding, text));
        LocatedFinding {
            finding,
            severity: if record.is_trace { line.severity.max(worst) } else { line.severity },
            program: program(&line.text),
            line: line.number,
            text: text.to_owned(),
        }
    });
    Reading { found: found.collect(), looks_like }
}

/// Bytes of a line of the source that are shown as evidence; of a longer one the message alone is.
const LONGEST_EVIDENCE: usize = 600;

fn evidence(line: &LogLine) -> &str {
    line.whole.as_ref().filter(|whole| whole.len() <= LONGEST_EVIDENCE).unwrap_or(&line.text)
}

/// Lines around a refusal in which the kernel may say that a disk fails.
const LINES_AROUND: usize = 24;

/// Whether the kernel itself made the file system read-only, because its disk fails. Then it does
/// not matter which user runs, and no volume helps.
fn is_broken_disk(context: &LineContext) -> bool {
    static FAILS: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)\bremounting filesystem read-only|\b(?:EXT4-fs|XFS|BTRFS)\b[^:]*:? ?(?:error|critical|.*(?:shutdown|corruption|forced readonly))|\bbuffer I/O error|\bblk_update_request: .*error|\bemergency_ro\b",
        )
    });
    let is_read_only = context.refusal().is_some_and(|refusal| refusal.errno == Errno::Erofs);
    is_read_only
        && context
            .before()
            .take(LINES_AROUND)
            .chain(context.after().take(LINES_AROUND))
            .any(|line| FAILS.is_match(&line.text))
}

fn is_frame(text: &str) -> bool {
    text.starts_with("at ")
}

/// A frame of a stack trace, as Java and JavaScript print it. The names in it are no message.
fn is_whole_frame(text: &str) -> bool {
    is_frame(text) && text.ends_with(')')
}

/// The surest reading of a line. Of equally sure ones the first pattern of the list counts.
fn read_line(context: &LineContext) -> Vec<Finding> {
    let readings = PATTERNS.iter().map(|pattern| pattern.read(context));
    let certainty =
        |reading: &Vec<Finding>| reading.first().map(|finding| Reverse(finding.confidence));
    // Of equal ones `max_by_key` takes the last.
    readings.rev().max_by_key(certainty).unwrap_or_default()
}

/// The one failure of a stack trace, which several of its lines may report: the first that names a
/// path or a port. Where that has no errno, the exception that caused it may have one.
fn one_failure(read: Vec<(usize, Finding)>) -> Vec<(usize, Finding)> {
    let best = read
        .iter()
        .position(|(_, finding)| finding.path.is_some() || finding.port.is_some())
        .unwrap_or(0);
    let Some((index, mut finding)) = read.get(best).cloned() else { return read };
    let is_cause = |(_, other): &&(usize, Finding)| {
        other.category == finding.category || (other.path.is_none() && other.port.is_none())
    };
    let causes = || read[best..].iter().filter(is_cause);
    finding.errno = causes().find_map(|(_, cause)| cause.errno);
    // An exception around another repeats its message, and the frames of the call are the inner
    // one's.
    if finding.operation == Operation::Open {
        let inner = causes().find(|(_, cause)| {
            cause.path == finding.path
                && !matches!(cause.operation, Operation::Open | Operation::Other)
                && cause.confidence.certainty == Certainty::Exact
        });
        finding.operation = inner.map_or(finding.operation, |(_, cause)| cause.operation);
    }
    vec![(index, finding)]
}

/// The program that printed the message, where it starts with its name and a colon.
fn program(text: &str) -> Option<String> {
    /// Words that stand there and are no program's name.
    const LABELS: [&str; 11] = [
        "error", "fatal", "warning", "panic", "info", "err", "exec", "mount", "open", "listen",
        "bind",
    ];
    let (name, _) = text.split_once(": ")?;
    let name = name.rsplit('/').next()?;
    let is_name = !name.is_empty()
        && name.len() < 32
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.+".contains(&b));
    (is_name && !LABELS.contains(&name)).then(|| name.to_owned())
}
