//! What was proven of workloads, and what was not.

use std::fmt::Write as _;

use comfy_table::{Table, presets};
use serde::Serialize;

use super::API_VERSION;
use super::explanation::Explained;
use super::junit::{self, Case, CaseFailure, Suite};
use super::markdown_text::{code_in_cell, plain};
use super::terminal::{Clean, Tone, painted, tone, wrapped};
use crate::error::Error;

/// `kind: ProveReport`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProveReport {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub warnings: Vec<String>,
    pub workloads: Vec<Judged>,
}

/// One workload as it is written.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    /// `deployment/web`.
    pub workload: String,
    pub namespace: String,
    pub file: Option<String>,
    /// The level that it was judged by.
    pub level: &'static str,
    /// The level forbids nothing of it.
    pub admitted: bool,
    /// What the level forbids.
    pub forbidden: Vec<String>,
    /// A copy became ready and stayed so.
    pub ready: bool,
    /// And it passed its checks, and did what a copy as root does.
    pub works: bool,
    pub seconds: u64,
    /// The checks that were made beside being ready.
    pub checks: Vec<String>,
    /// What was not looked at.
    pub not_checked: Vec<String>,
    /// What differs from root and may have another reason than the user.
    pub notes: Vec<String>,
    /// What stands in the way, or is refused though it is ready.
    pub obstacles: Vec<Explained>,
}

impl Judged {
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.admitted && self.works
    }
}

impl ProveReport {
    #[must_use]
    pub fn new(warnings: Vec<String>, workloads: Vec<Judged>) -> Self {
        Self { api_version: API_VERSION, kind: "ProveReport", warnings, workloads }
    }
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

/// A line for each workload, and below what keeps it from being proven, what was checked and what
/// was not looked at. Warnings go to standard error.
#[must_use]
pub fn text(report: &ProveReport, width: usize) -> String {
    if report.workloads.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["WORKLOAD", "NAMESPACE", "ADMITTED", "READY", "WORKS", "TIME", ""]);
    for one in &report.workloads {
        let verdict = match one.is_proven() {
            true => tone(Tone::Good, "proven"),
            false => tone(Tone::Bad, "not proven"),
        };
        table.add_row([
            Clean(&one.workload).to_string(),
            Clean(&one.namespace).to_string(),
            yes(one.admitted).to_owned(),
            yes(one.ready).to_owned(),
            yes(one.works).to_owned(),
            format!("{} s", one.seconds),
            verdict,
        ]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut text = String::new();
    for line in table.lines() {
        let _ = writeln!(text, "{}", line.trim_end());
    }
    for one in &report.workloads {
        let mut lines: Vec<String> = one.forbidden.clone();
        lines.extend(one.obstacles.iter().map(|obstacle| obstacle.cause.clone()));
        lines.extend(one.notes.clone());
        lines.extend(one.checks.iter().map(|check| format!("checked: {check}")));
        lines.extend(one.not_checked.iter().map(|gap| format!("not checked: {gap}")));
        if lines.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{}", tone(Tone::Strong, Clean(&one.workload)));
        for line in lines {
            let _ = wrapped(&mut text, "  ", 4, &Clean(&line).to_string(), width);
        }
    }
    painted(&text)
}

/// For a comment or a job's summary.
#[must_use]
pub fn markdown(report: &ProveReport) -> String {
    let mut text = String::new();
    if !report.workloads.is_empty() {
        text.push_str("| workload | admitted | ready | works | |\n|---|---|---|---|---|\n");
    }
    for one in &report.workloads {
        let verdict = if one.is_proven() { "proven" } else { "**not proven**" };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {verdict} |",
            code_in_cell(&one.workload),
            yes(one.admitted),
            yes(one.ready),
            yes(one.works)
        );
    }
    for one in &report.workloads {
        let causes = one.obstacles.iter().map(|obstacle| &obstacle.cause);
        for line in one.forbidden.iter().chain(causes) {
            let _ = writeln!(text, "\n- {}: {}", plain(&one.workload), plain(line));
        }
        if !one.checks.is_empty() {
            let checks: Vec<String> = one.checks.iter().map(|check| plain(check)).collect();
            let _ = writeln!(text, "\n- {}: checked {}", plain(&one.workload), checks.join(", "));
        }
        for gap in &one.not_checked {
            let _ = writeln!(text, "\n- {}: not checked: {}", plain(&one.workload), plain(gap));
        }
    }
    for warning in &report.warnings {
        let _ = writeln!(text, "\n- {}", plain(warning));
    }
    text
}

/// JUnit's XML: a suite for each workload, with the cases admitted, ready and works.
///
/// # Errors
/// Never because of a report: the template is part of the program.
pub fn junit(report: &ProveReport) -> Result<String, Error> {
    junit::written("kubectl nonroot prove", report.workloads.iter().map(suite).collect())
}

fn suite(judged: &Judged) -> Suite {
    let causes = || judged.obstacles.iter().map(|obstacle| obstacle.cause.clone()).collect();
    let cases = vec![
        case("admitted", judged.admitted, judged.forbidden.clone()),
        case("ready", judged.ready, causes()),
        case("works", judged.works, causes()),
    ];
    Suite::new(format!("{}/{}", judged.namespace, judged.workload), judged.file.clone(), cases)
}

fn case(check: &'static str, is_good: bool, mut messages: Vec<String>) -> Case {
    if is_good {
        messages.clear();
    } else if messages.is_empty() {
        messages.push(format!("it is not {check}"));
    }
    let failure = |message| CaseFailure { class: check, message, line: 1 };
    let failures = messages.into_iter().map(failure).collect();
    Case { check: check.to_owned(), failures, skipped: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(admitted: bool, works: bool) -> Judged {
        Judged {
            workload: "deployment/web".to_owned(),
            namespace: "shop".to_owned(),
            file: None,
            level: "restricted",
            admitted,
            forbidden: if admitted { vec![] } else { vec!["restricted forbids it".to_owned()] },
            ready: true,
            works,
            seconds: 9,
            checks: vec!["tcp :80".to_owned()],
            not_checked: vec!["UDP ports are not asked".to_owned()],
            notes: vec![],
            obstacles: vec![],
        }
    }

    #[test]
    fn a_report_says_what_was_checked_what_was_not_and_what_could_not_run() {
        let all = vec![judged(true, true), judged(false, true), judged(true, false)];
        let proven: Vec<bool> = all.iter().map(Judged::is_proven).collect();
        assert_eq!(proven, [true, false, false]);
        let report = ProveReport::new(vec!["cannot read pods".to_owned()], all);
        let (text, markdown) = (text(&report, usize::MAX), markdown(&report));
        for part in ["not proven", "restricted forbids it", "tcp :80", "UDP ports"] {
            assert!(text.contains(part) && markdown.contains(part), "{part}: {text}\n{markdown}");
        }
        assert!(markdown.contains("cannot read pods"), "{markdown}");
        let xml = junit(&report).expect("XML");
        assert_eq!(xml.matches("<testsuite ").count(), 3, "{xml}");
        assert_eq!(xml.matches("<failure").count(), 2, "{xml}");
    }

    #[test]
    fn what_could_not_run_alone_is_no_table() {
        let report = ProveReport::new(vec!["cannot read pods".to_owned()], Vec::new());
        assert_eq!(text(&report, usize::MAX), "");
        assert_eq!(markdown(&report), "\n- cannot read pods\n");
    }
}
