//! The scan report as Markdown, for a comment or a job's summary.

use std::fmt::Write as _;

use super::finding::Finding;
use super::markdown_text::{code, code_in_cell, plain};
use super::report::{ScanReport, Workload};
use crate::model::acceptance::workload_key;

/// The report: the numbers, what is open, and what is accepted; ends in a line break.
#[must_use]
pub fn scan(report: &ScanReport) -> String {
    let summary = report.summary;
    let open =
        |workload: &&Workload| workload.findings.iter().any(|finding| finding.accepted.is_none());
    let with_open: Vec<&Workload> = report.workloads.iter().filter(open).collect();
    let mut out = String::from("## kubectl nonroot scan\n\n");
    let _ = writeln!(
        out,
        "| workloads | as root | unknown | admitted by restricted | failing | accepted findings |"
    );
    let _ = writeln!(out, "|--:|--:|--:|--:|--:|--:|");
    let _ = writeln!(
        out,
        "| {} | {} | {} | {} | {} | {} |",
        summary.workloads,
        summary.root,
        summary.unknown,
        summary.restricted,
        summary.failing,
        summary.accepted
    );
    if with_open.is_empty() {
        out.push_str("\nNothing is open.\n");
    }
    for workload in with_open {
        let key = workload_key(workload.namespace.as_deref(), &workload.kind, &workload.name);
        let _ = write!(out, "\n### {}\n\n", code(&key));
        let _ = writeln!(out, "| finding | what | where |\n|---|---|---|");
        for finding in workload.findings.iter().filter(|finding| finding.accepted.is_none()) {
            let _ = writeln!(
                out,
                "| {} | {} | {} |",
                code_in_cell(&finding.check),
                plain(&finding.message),
                place(workload, finding)
            );
        }
    }
    let accepted = report.workloads.iter().flat_map(|workload| {
        let key = workload_key(workload.namespace.as_deref(), &workload.kind, &workload.name);
        workload
            .findings
            .iter()
            .filter_map(move |finding| Some((key.clone(), finding, finding.accepted.as_ref()?)))
    });
    let accepted: Vec<_> = accepted.collect();
    if !accepted.is_empty() {
        out.push_str("\n### Accepted\n\n| workload | finding | reason | until | by |\n|---|---|---|---|---|\n");
    }
    for (key, finding, accepted) in accepted {
        let until = accepted.expires.as_deref().unwrap_or("-");
        let _ = writeln!(
            out,
            "| {} | {} | {} | {until} | {} |",
            code_in_cell(&key),
            code_in_cell(&finding.check),
            plain(&accepted.reason),
            accepted.by
        );
    }
    for warning in &report.warnings {
        let _ = writeln!(out, "\n> {}", plain(warning));
    }
    out
}

/// `examples/web.yaml:16`, or the containers of a live workload.
fn place(workload: &Workload, finding: &Finding) -> String {
    match &workload.source {
        Some(source) => {
            code_in_cell(&format!("{}:{}", source.file, finding.line.unwrap_or(source.line)))
        }
        None if finding.containers.is_empty() => String::new(),
        None => code_in_cell(&finding.containers.join(", ")),
    }
}
