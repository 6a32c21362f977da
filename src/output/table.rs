//! The scan report for a person: one line a workload, worst first.

use std::cmp::Reverse;
use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use super::explanation::Explained;
use super::report::{Container, Failure, Namespace, Policy, ScanReport, User, Violation, Workload};
use super::terminal::{self, Clean, Tone, painted, tone};
use crate::model::acceptance::RUNS_AS_ROOT;
use crate::model::podsecurity::Level;

/// What the table shows.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// The level whose verdict is shown.
    pub level: Level,
    /// Everything in full, whatever the width.
    pub wide: bool,
    /// Columns of the terminal.
    pub width: usize,
}

/// Columns left for the last column, which is cut first.
const LEAST_NOW: usize = 24;

/// The report as a table with a summary, coloured; ends in a line break. Nothing for a report without workloads.
#[must_use]
pub fn scan(report: &ScanReport, view: View) -> String {
    let mut out = String::new();
    if report.workloads.is_empty() {
        return out;
    }
    let mut workloads: Vec<&Workload> = report.workloads.iter().collect();
    workloads.sort_by_cached_key(|workload| {
        let Workload { namespace, kind, name, .. } = workload;
        (Reverse(workload.badness()), (namespace, kind, name))
    });
    out.push_str(&rows(&workloads, view));
    out.push('\n');
    if let [workload] = workloads.as_slice() {
        out.push_str(&details(workload, view.level));
    }
    out.push_str(&summary(report));
    for line in namespaces(&report.namespaces, view.wide) {
        out.push_str(&line);
    }
    painted(&out)
}

fn rows(workloads: &[&Workload], view: View) -> String {
    let first = workloads.first().and_then(|workload| workload.namespace.as_ref());
    let many_namespaces = workloads.iter().any(|workload| workload.namespace.as_ref() != first);
    let live = workloads.iter().any(|workload| workload.source.is_none());
    let mut header = Vec::new();
    if many_namespaces {
        header.push("NAMESPACE".to_owned());
    }
    header.push("WORKLOAD".to_owned());
    header.push(if live { "PODS" } else { "LINE" }.to_owned());
    header.push("ROOT".to_owned());
    header.push(view.level.as_str().to_uppercase());
    if view.wide {
        header.extend(["USERS", "CHECKS"].map(str::to_owned));
    }
    if live {
        header.push("NOW".to_owned());
    }
    let mut rows: Vec<Vec<String>> = Vec::with_capacity(workloads.len());
    for workload in workloads {
        let mut row = Vec::new();
        if many_namespaces {
            row.push(Clean(workload.namespace.as_deref().unwrap_or("-")).to_string());
        }
        row.push(Clean(&format!("{}/{}", workload.kind.to_lowercase(), workload.name)).to_string());
        row.push(match &workload.source {
            Some(source) => Clean(&format!("{}:{}", source.file, source.line)).to_string(),
            None => workload.pods.to_string(),
        });
        row.push(root(workload));
        row.push(verdict(workload, view.level));
        if view.wide {
            row.push(users(&workload.containers));
            row.push(checks(violations(workload, view.level)));
        }
        if live {
            row.push(now(workload));
        }
        rows.push(row);
    }
    if !view.wide {
        fit(&mut rows, &header, view.width, live);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(&header);
    for row in rows {
        table.add_row(row);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        let last = index + 1 == header.len();
        column.set_padding((0, if last { 0 } else { 2 }));
        if header[index] == "PODS" {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut out = String::new();
    for line in table.lines() {
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Shortens names in their middle and the last column at its end, until a row fits the width.
fn fit(rows: &mut [Vec<String>], header: &[String], width: usize, live: bool) {
    let columns = header.len();
    let natural = |rows: &[Vec<String>], column: usize| {
        let cells = rows.iter().map(|row| console::measure_text_width(&row[column]));
        cells.chain([header[column].len()]).max().unwrap_or(0)
    };
    let last = columns - 1;
    let total = |rows: &[Vec<String>], but: usize| -> usize {
        (0..columns).filter(|column| *column != but).map(|column| natural(rows, column) + 2).sum()
    };
    // The last column carries sentences where there is a cluster, and a verdict that stays whole where there is none.
    let tail = if live { natural(rows, last).min(LEAST_NOW) } else { natural(rows, last) };
    for column in 0..columns.min(3) {
        if !matches!(header[column].as_str(), "NAMESPACE" | "WORKLOAD" | "LINE") {
            continue;
        }
        let others = total(rows, last) + tail;
        let excess = others.saturating_sub(width);
        if excess > 0 {
            let room = natural(rows, column).saturating_sub(excess).max(16);
            rows.iter_mut().for_each(|row| row[column] = shortened(&row[column], room));
        }
    }
    if live {
        let room = width.saturating_sub(total(rows, last)).max(LEAST_NOW);
        rows.iter_mut().for_each(|row| row[last] = terminal::cut(&row[last], room));
    }
}

/// `a-very-long-name` as `a-ve…name`: both ends tell names apart.
fn shortened(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        return text.to_owned();
    }
    let head = width / 2;
    let tail = width - head - 1;
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(count - tail).collect();
    format!("{start}…{end}")
}

fn root(workload: &Workload) -> String {
    let containers = &workload.containers;
    let as_root = containers.iter().filter(|container| container.root == Some(true)).count();
    match workload.root {
        // Root inside, and nobody outside.
        Some(true) if workload.user_namespace => tone(Tone::Doubtful, "inside"),
        Some(true) if counts(workload, RUNS_AS_ROOT) == (0, as_root) => tone(Tone::Doubtful, "accepted"),
        Some(true) if as_root == containers.len() => tone(Tone::Bad, "yes"),
        Some(true) => tone(Tone::Bad, format_args!("{as_root} of {}", containers.len())),
        Some(false) => tone(Tone::Good, "no"),
        None => tone(Tone::Doubtful, "unknown"),
    }
}

fn violations(workload: &Workload, level: Level) -> &[Violation] {
    match level {
        Level::Privileged => &[],
        Level::Baseline => &workload.pod_security.baseline,
        Level::Restricted => &workload.pod_security.restricted,
    }
}

fn verdict(workload: &Workload, level: Level) -> String {
    let violations = violations(workload, level);
    let accepted = violations.iter().filter(|violation| counts(workload, violation.check).1 > 0).count();
    let open = violations.len() - accepted;
    let baseline = workload.pod_security.baseline.iter().any(|violation| counts(workload, violation.check).1 == 0);
    let found = match (open, accepted) {
        (0, 0) => return tone(Tone::Good, "admitted"),
        (0, n) => return tone(Tone::Doubtful, format_args!("{n} accepted")),
        (n, 0) => format!("{n} to fix"),
        (n, accepted) => format!("{n} to fix, {accepted} accepted"),
    };
    tone(if baseline { Tone::Bad } else { Tone::Doubtful }, found)
}

/// How many findings of a check are open, and how many are accepted.
fn counts(workload: &Workload, check: &str) -> (usize, usize) {
    let found = workload.findings.iter().filter(|finding| finding.check == check);
    let (accepted, open): (Vec<_>, Vec<_>) = found.partition(|finding| finding.accepted.is_some());
    (open.len(), accepted.len())
}

fn users(containers: &[Container]) -> String {
    let user = |container: &Container| {
        let id = |id: Option<i64>| id.map_or("?".to_owned(), |id| id.to_string());
        let user = &container.user;
        format!("{}={}:{} ({})", Clean(&container.name), id(user.uid), id(user.gid), user.origin)
    };
    containers.iter().map(user).collect::<Vec<_>>().join(" ")
}

fn checks(violations: &[Violation]) -> String {
    violations.iter().map(|violation| violation.check).collect::<Vec<_>>().join(",")
}

fn now(workload: &Workload) -> String {
    let Some(failure) = workload.failures.first() else {
        return match workload.obstacles.first() {
            _ if workload.pods == 0 => "-".to_owned(),
            // What would stop another user than root is no matter of today.
            Some(obstacle) if workload.root == Some(false) => {
                let place = obstacle.path.clone().unwrap_or_default();
                tone(Tone::Doubtful, Clean(&format!("ok, but {} {place}", obstacle.category)))
            }
            _ => tone(Tone::Good, "ok"),
        };
    };
    // What was refused says more than the API's word for its consequence, and the end of this column may be cut.
    let text = match workload.obstacles.first() {
        Some(obstacle) => format!("{} ({})", refused(obstacle), failed(failure)),
        None => told(failure),
    };
    tone(Tone::Bad, Clean(&text))
}

/// `mkdir /var/cache/nginx/client_temp EACCES`
fn refused(obstacle: &Explained) -> String {
    let place = obstacle.path.clone().or_else(|| obstacle.port.map(|port| format!("port {port}")));
    let errno = obstacle.errno.map(str::to_owned);
    let told = place.is_some() || errno.is_some();
    let what = if told { obstacle.operation } else { obstacle.category };
    [Some(what.to_owned()), place, errno].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// A failure in a word or two: the reason, and the exit code where there is one.
fn failed(failure: &Failure) -> String {
    match failure.exit_code {
        Some(code) => format!("{}, exit {code}", failure.reason),
        None => failure.reason.clone(),
    }
}

/// A failure with the sentence that goes with it.
fn told(failure: &Failure) -> String {
    match (failure.exit_code, failure.message.as_str()) {
        (Some(_), _) | (None, "") => failed(failure),
        // The API server begins with the name of the pod that it did not create, which helps nobody.
        (None, message) => {
            format!("{}: {}", failed(failure), message.split_once("is forbidden: ").map_or(message, |(_, why)| why))
        }
    }
}

/// One workload alone is shown whole: who its containers are, what fails, what the level forbids and where.
fn details(workload: &Workload, level: Level) -> String {
    let mut out = String::new();
    for container in &workload.containers {
        let User { uid, gid, groups, origin } = &container.user;
        let id = |id: &Option<i64>| id.map_or("unknown".to_owned(), |id| id.to_string());
        let _ = write!(out, "  {} {}: ", container.role, Clean(&container.name));
        let _ = match uid {
            None if container.root == Some(false) => write!(out, "no root, its uid is the image's"),
            None => write!(out, "the image decides"),
            Some(_) => write!(out, "uid {} gid {} by {}", id(uid), id(gid), by(origin)),
        };
        if !groups.is_empty() {
            let groups: Vec<String> = groups.iter().map(i64::to_string).collect();
            let _ = write!(out, ", groups {}", groups.join(" "));
        }
        let _ = writeln!(out, " ({})", Clean(&container.image));
    }
    if workload.user_namespace {
        out.push_str(
            "  its pods have a user namespace (hostUsers: false): root inside is an unprivileged uid of the node\n",
        );
    }
    for failure in &workload.failures {
        let _ = writeln!(out, "  {}", tone(Tone::Bad, Clean(&told(failure))));
    }
    // What is foreseen stops nothing yet, and is what there is to know of a workload that works.
    let told = |obstacle: &&Explained| obstacle.fatal || workload.failures.is_empty();
    for obstacle in workload.obstacles.iter().filter(told) {
        let _ = writeln!(out, "  {}: {}", obstacle.category, Clean(&obstacle.cause));
    }
    let is_open = |violation: &&Violation| counts(workload, violation.check).1 == 0;
    let violations: Vec<&Violation> = violations(workload, level).iter().filter(is_open).collect();
    if !violations.is_empty() {
        let _ = writeln!(out, "\nThe {level} level forbids:");
    }
    for violation in violations {
        out.push_str("  ");
        let line = violation.fields.iter().find_map(|field| field.line);
        if let (Some(source), Some(line)) = (&workload.source, line) {
            let _ = write!(out, "{} ", tone(Tone::Faint, format_args!("{}:{line}", Clean(&source.file))));
        }
        let _ = write!(out, "{}", Clean(&violation.reason));
        if !violation.detail.is_empty() {
            let _ = write!(out, ": {}", Clean(&violation.detail));
        }
        out.push('\n');
    }
    let accepted = workload.findings.iter().filter_map(|finding| Some((finding, finding.accepted.as_ref()?)));
    for (index, (finding, accepted)) in accepted.enumerate() {
        if index == 0 {
            out.push_str("\nAccepted:\n");
        }
        let until = accepted.expires.as_ref().map(|date| format!(" until {date}")).unwrap_or_default();
        let _ = writeln!(out, "  {}: {} (by {}{until})", finding.check, Clean(&accepted.reason), accepted.by);
    }
    out.push('\n');
    out
}

/// Where a uid comes from, as a person would say it.
fn by(origin: &str) -> &str {
    match origin {
        "container" => "the container's securityContext",
        "pod" => "the pod's securityContext",
        "image" => "the image",
        other => other,
    }
}

fn summary(report: &ScanReport) -> String {
    let summary = report.summary;
    let plural = if summary.workloads == 1 { "workload" } else { "workloads" };
    let mut parts = vec![format!("{} as root", summary.root)];
    if summary.unknown > 0 {
        parts.push(format!("{} unknown", summary.unknown));
    }
    parts.push(format!("{} admitted by restricted", summary.restricted));
    if report.workloads.iter().any(|workload| workload.source.is_none()) {
        parts.push(format!("{} failing now", summary.failing));
    }
    if summary.accepted > 0 {
        let plural = if summary.accepted == 1 { "finding" } else { "findings" };
        parts.push(format!("{} {plural} accepted", summary.accepted));
    }
    format!("{}\n", tone(Tone::Strong, format_args!("{} {plural}: {}.", summary.workloads, parts.join(", "))))
}

/// What namespaces demand: a line for each that is labelled, and one for all that are not.
fn namespaces(namespaces: &[Namespace], wide: bool) -> Vec<String> {
    let policy = |mode: &str, policy: &Option<Policy>| {
        policy.as_ref().map(|policy| format!("{mode} {}:{}", policy.level, policy.version))
    };
    let labels = |namespace: &Namespace| {
        let modes = [
            policy("enforces", &namespace.enforce),
            policy("audits", &namespace.audit),
            policy("warns", &namespace.warn),
        ];
        modes.into_iter().flatten().collect::<Vec<_>>().join(", ")
    };
    let (labelled, open): (Vec<_>, Vec<_>) = namespaces.iter().partition(|namespace| !labels(namespace).is_empty());
    let line = |namespace: &Namespace| format!("Namespace {} {}.\n", Clean(&namespace.name), labels(namespace));
    let mut lines: Vec<String> = labelled.into_iter().map(line).collect();
    match open.as_slice() {
        [] => {}
        [one] => lines.push(format!("Namespace {} enforces no Pod Security level.\n", Clean(&one.name))),
        some if wide => {
            let names: Vec<_> = some.iter().map(|namespace| Clean(&namespace.name).to_string()).collect();
            lines.push(format!("These namespaces enforce no Pod Security level: {}.\n", names.join(", ")));
        }
        some => lines.push(format!("{} namespaces enforce no Pod Security level.\n", some.len())),
    }
    lines
}
