//! The scan report as Markdown, for a comment or a job's summary; and how text from outside is put into Markdown.

use std::fmt::Write as _;

use super::finding::Finding;
use super::report::{ScanReport, Workload};
use super::terminal::Clean;
use crate::model::acceptance::workload_key;

/// A name or a value as code, which it cannot end.
pub(super) fn code(text: &str) -> String {
    format!("`{}`", Clean(text).to_string().replace('`', "'"))
}

/// The same in a cell of a table, which a bar ends even within code.
fn code_in_cell(text: &str) -> String {
    // Before a bar, a backslash of the text would be read as the one that keeps the cell together.
    if text.contains('\\') { plain(text) } else { code(text).replace('|', "\\|") }
}

/// A sentence in which nothing is markup.
pub(super) fn plain(text: &str) -> String {
    let text = Clean(text).to_string();
    text.chars().flat_map(|c| if "\\`*_[]<>|#&~".contains(c) { vec!['\\', c] } else { vec![c] }).collect()
}

/// The report: the numbers, what is open, and what is accepted; ends in a line break.
#[must_use]
pub fn scan(report: &ScanReport) -> String {
    let summary = report.summary;
    let open = |workload: &&Workload| workload.findings.iter().any(|finding| finding.accepted.is_none());
    let with_open: Vec<&Workload> = report.workloads.iter().filter(open).collect();
    let mut out = String::from("## kubectl nonroot scan\n\n");
    let _ = writeln!(out, "| workloads | as root | unknown | admitted by restricted | failing | accepted findings |");
    let _ = writeln!(out, "|--:|--:|--:|--:|--:|--:|");
    let _ = writeln!(
        out,
        "| {} | {} | {} | {} | {} | {} |",
        summary.workloads, summary.root, summary.unknown, summary.restricted, summary.failing, summary.accepted
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
        workload.findings.iter().filter_map(move |finding| Some((key.clone(), finding, finding.accepted.as_ref()?)))
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
        Some(source) => code_in_cell(&format!("{}:{}", source.file, finding.line.unwrap_or(source.line))),
        None if finding.containers.is_empty() => String::new(),
        None => code_in_cell(&finding.containers.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{code, code_in_cell, plain};

    #[test]
    fn code_and_sentences_hold_whatever_they_say() {
        assert_eq!(code("a`b|c"), "`a'b|c`");
        assert_eq!(code_in_cell("a`b|c"), "`a'b\\|c`");
        assert_eq!(code_in_cell("a\\|c"), "a\\\\\\|c");
        assert_eq!(plain("*a* | [b](c)"), "\\*a\\* \\| \\[b\\](c)");
    }
}
