//! The scan report as JUnit's XML: a suite for each workload, a case for each check that holds for
//! it. What is accepted counts as skipped, with its reason.

use serde::Serialize;

use super::finding::Finding;
use super::report::{ScanReport, Workload};
use super::template;
use crate::error::Error;
use crate::model::acceptance::{FAILING, RUNS_AS_ROOT, workload_key};
use crate::model::podsecurity::{Level, Version};
use crate::policy;

#[derive(Debug, Serialize)]
struct Suites {
    /// The command that made them.
    name: &'static str,
    tests: usize,
    failures: usize,
    skipped: usize,
    suites: Vec<Suite>,
}

#[derive(Debug, Serialize)]
pub(super) struct Suite {
    name: String,
    file: Option<String>,
    failures: usize,
    skipped: usize,
    cases: Vec<Case>,
}

impl Suite {
    pub(super) fn new(name: String, file: Option<String>, cases: Vec<Case>) -> Self {
        let failures = cases.iter().filter(|case| !case.failures.is_empty()).count();
        let skipped = cases.iter().filter(|case| case.skipped.is_some()).count();
        Suite { name, file, failures, skipped, cases }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Case {
    pub(super) check: String,
    pub(super) failures: Vec<CaseFailure>,
    /// Why what the check found does not count.
    pub(super) skipped: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct CaseFailure {
    pub(super) class: &'static str,
    pub(super) message: String,
    pub(super) line: u64,
}

/// # Errors
/// Never because of a report: the template is part of the program.
pub fn junit(report: &ScanReport, level: Level) -> Result<String, Error> {
    let suites: Vec<Suite> =
        report.workloads.iter().map(|workload| suite(workload, level)).collect();
    written("kubectl nonroot scan", suites)
}

/// Suites as XML, with their counts.
///
/// # Errors
/// As [`junit`].
pub(super) fn written(name: &'static str, suites: Vec<Suite>) -> Result<String, Error> {
    let sum = |of: fn(&Suite) -> usize| suites.iter().map(of).sum();
    let (tests, failures, skipped) =
        (sum(|one| one.cases.len()), sum(|one| one.failures), sum(|one| one.skipped));
    template::rendered("junit.xml", &Suites { name, tests, failures, skipped, suites })
}

fn suite(workload: &Workload, level: Level) -> Suite {
    let version = workload.pod_security.version.parse().unwrap_or(Version::Latest);
    let in_force = policy::in_force(level, version).into_iter().map(|check| check.id);
    let mut checks: Vec<&str> = std::iter::once(RUNS_AS_ROOT).chain(in_force).collect();
    if workload.source.is_none() {
        checks.push(FAILING);
    }
    for finding in &workload.findings {
        if !checks.contains(&finding.check.as_str()) {
            checks.push(&finding.check);
        }
    }
    let cases: Vec<Case> = checks.into_iter().map(|check| case(workload, check)).collect();
    let name = workload_key(workload.namespace.as_deref(), &workload.kind, &workload.name);
    Suite::new(name, workload.source.as_ref().map(|source| source.file.clone()), cases)
}

fn case(workload: &Workload, check: &str) -> Case {
    let found = || workload.findings.iter().filter(|finding| finding.check == check);
    let line =
        |finding: &Finding| finding.line.or(workload.source.as_ref().map(|source| source.line));
    let failure = |finding: &Finding| CaseFailure {
        class: finding.class.as_str(),
        message: finding.message.clone(),
        line: line(finding).unwrap_or(1),
    };
    let failures: Vec<CaseFailure> =
        found().filter(|finding| finding.accepted.is_none()).map(failure).collect();
    let accepted = found().find_map(|finding| Some((finding.accepted.as_ref()?, &finding.message)));
    let skipped = accepted.filter(|_| failures.is_empty()).map(|(accepted, message)| {
        format!("accepted by {}: {} ({message})", accepted.by, accepted.reason)
    });
    Case { check: check.to_owned(), failures, skipped }
}
