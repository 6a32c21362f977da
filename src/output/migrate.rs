//! How far a namespace is on its way to a level.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use comfy_table::{Table, presets};
use serde::Serialize;
use serde_json::{Value, json};

use super::API_VERSION;
use super::markdown_text::{code, code_in_cell, plain};
use super::template::rendered;
use super::terminal::{Clean, Tone, painted, tone, wrapped};
use super::yaml;
use crate::error::Error;

/// `kind: MigrationReport`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MigrationReport {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub namespace: String,
    /// The level that it is on its way to.
    pub level: &'static str,
    /// The level that it enforced when the run began.
    pub enforced: Option<String>,
    /// Whether to enforce baseline first, and why.
    pub baseline_first: Option<String>,
    /// How many workloads came to which outcome.
    pub counts: BTreeMap<&'static str, usize>,
    pub workloads: Vec<Row>,
    /// What came of enforcing the level, where that was tried.
    pub fence: Option<Fence>,
    /// What bounds the namespace, and a reader should know.
    pub notes: Vec<String>,
    pub warnings: Vec<String>,
}

/// One workload.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// `deployment/web`.
    pub workload: String,
    /// Who makes the object, and would take a change of it back.
    pub owner: Option<String>,
    /// The highest level that admits it today.
    pub standing: &'static str,
    pub outcome: Outcome,
    /// It may be left behind.
    pub accepted: bool,
    /// What its plan does.
    pub steps: Vec<String>,
    pub rounds: usize,
    pub seconds: u64,
    /// Why there is no plan that works.
    pub why: Vec<String>,
    /// What was not looked at.
    pub not_checked: Vec<String>,
    /// What bounds its rollout, and a reader should know.
    pub notes: Vec<String>,
    /// What is left to do.
    pub next: Option<String>,
}

/// What came of a workload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The level admits it as it is.
    Admitted,
    /// Its plan is in the cluster and rolled out.
    Applied,
    /// Its plan works, and is not in the cluster.
    Proven,
    /// Its plan was written, its rollout failed, and it is as it was before.
    TakenBack,
    /// No plan was found that works.
    NotProven,
    /// It needs what the level forbids.
    Forbidden,
    /// The controller of another kind makes its pods.
    Foreign,
    /// The run ended before anything was known.
    #[default]
    Unknown,
}

impl Outcome {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Admitted => "admitted",
            Outcome::Applied => "applied",
            Outcome::Proven => "proven",
            Outcome::TakenBack => "taken back",
            Outcome::NotProven => "not proven",
            Outcome::Forbidden => "forbidden",
            Outcome::Foreign => "not ours",
            Outcome::Unknown => "unknown",
        }
    }

    /// The level admits what it makes now.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Outcome::Admitted | Outcome::Applied)
    }

    fn tone(self) -> Tone {
        match self {
            Outcome::Admitted | Outcome::Applied | Outcome::Proven => Tone::Good,
            Outcome::Unknown | Outcome::Foreign => Tone::Doubtful,
            Outcome::TakenBack | Outcome::NotProven | Outcome::Forbidden => Tone::Bad,
        }
    }
}

/// What came of enforcing the level.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fence {
    /// The namespace enforces the level.
    pub is_set: bool,
    /// With which words the API server refused a pod that violates it; `null`: it did not.
    pub refusal: Option<String>,
    /// Why it is not enforced: workloads that it would refuse, or the API server's warnings.
    pub in_the_way: Vec<String>,
    /// Workloads whose pods it refuses all the same, each with the API server's words.
    pub refused: Vec<String>,
    /// What the API server warned of.
    pub warnings: Vec<String>,
    pub restarts: RestartReport,
}

/// Which workloads were restarted under the level, so that their controllers showed that it lets
/// their pods in.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestartReport {
    /// Restarted, and ready.
    pub restarted: Vec<String>,
    /// Restarted, not ready, and as they were before: each with its reason.
    pub failed: Vec<String>,
    /// Not restarted: each with its reason.
    pub left: Vec<String>,
}

impl Fence {
    /// It is not enforced, because of these.
    #[must_use]
    pub fn not_set(in_the_way: Vec<String>) -> Self {
        Fence { in_the_way, ..Fence::default() }
    }

    /// It is enforced, a violating pod was refused, and no workload's own is.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.is_set
            && self.refusal.is_some()
            && self.refused.is_empty()
            && self.restarts.failed.is_empty()
    }
}

impl Row {
    #[must_use]
    pub fn new(workload: &str) -> Self {
        Row { workload: workload.to_owned(), ..Row::default() }
    }
}

impl MigrationReport {
    #[must_use]
    pub fn new(
        namespace: &str,
        level: &'static str,
        enforced: Option<String>,
        mut workloads: Vec<Row>,
        fence: Option<Fence>,
        warnings: Vec<String>,
    ) -> Self {
        workloads.sort_by(|one, other| {
            (one.outcome, &one.workload).cmp(&(other.outcome, &other.workload))
        });
        let mut counts = BTreeMap::new();
        for row in &workloads {
            *counts.entry(row.outcome.as_str()).or_default() += 1;
        }
        let baseline_first = baseline_first(level, enforced.as_deref(), &workloads);
        MigrationReport {
            api_version: API_VERSION,
            kind: "MigrationReport",
            namespace: namespace.to_owned(),
            level,
            enforced,
            baseline_first,
            counts,
            workloads,
            fence,
            notes: Vec::new(),
            warnings,
        }
    }

    /// Nothing is left to do.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match &self.fence {
            Some(fence) => fence.holds(),
            None => self
                .workloads
                .iter()
                .all(|row| row.accepted || row.outcome.is_good() || row.outcome == Outcome::Proven),
        }
    }
}

/// Baseline can be had at once where some workload cannot have restricted yet and none violates
/// baseline.
fn baseline_first(level: &str, enforced: Option<&str>, workloads: &[Row]) -> Option<String> {
    let stuck = workloads.iter().filter(|row| !row.accepted && row.outcome.tone() == Tone::Bad);
    let count = stuck.count();
    let is_below = level == "restricted" && !matches!(enforced, Some("baseline" | "restricted"));
    let all_fit = workloads.iter().all(|row| row.accepted || row.standing != "privileged");
    (is_below && count > 0 && all_fit).then(|| {
        format!("enforce baseline now: all that is here is admitted by it, and {count} cannot have restricted yet")
    })
}

/// A line for each workload, and below what is left to do.
#[must_use]
pub fn text(report: &MigrationReport, width: usize) -> String {
    let mut text = String::new();
    let enforced = report.enforced.as_deref().unwrap_or("nothing");
    let _ = writeln!(
        text,
        "Namespace {} enforced {}; it goes to {}.\n",
        Clean(&report.namespace),
        Clean(enforced),
        report.level
    );
    text.push_str(&table(report));
    for row in &report.workloads {
        let lines = lines(row);
        if lines.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{}", tone(Tone::Strong, Clean(&row.workload)));
        for line in lines {
            let _ = wrapped(&mut text, "  ", 4, &Clean(&line).to_string(), width);
        }
    }
    if !report.workloads.is_empty() {
        text.push('\n');
    }
    for line in conclusion(report) {
        let _ = wrapped(&mut text, "", 2, &Clean(&line).to_string(), width);
    }
    painted(&text)
}

fn table(report: &MigrationReport) -> String {
    if report.workloads.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["WORKLOAD", "TODAY", "OUTCOME", "ROUNDS", "TIME", "OWNER"]);
    for row in &report.workloads {
        let (rounds, time) = match row.rounds {
            0 => (String::new(), String::new()),
            rounds => (rounds.to_string(), format!("{} s", row.seconds)),
        };
        let accepted = if row.accepted { ", accepted" } else { "" };
        table.add_row([
            Clean(&row.workload).to_string(),
            row.standing.to_owned(),
            tone(row.outcome.tone(), format!("{}{accepted}", row.outcome.as_str())),
            rounds,
            time,
            Clean(row.owner.as_deref().unwrap_or_default()).to_string(),
        ]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut text = String::new();
    for line in table.lines() {
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// What a reader must know of a workload beside its row.
fn lines(row: &Row) -> Vec<String> {
    let next = row.next.iter().map(|next| format!("next: {next}"));
    let gaps = row.not_checked.iter().map(|gap| format!("not checked: {gap}"));
    let notes = row.notes.iter().map(|note| format!("note: {note}"));
    row.why.iter().cloned().chain(gaps).chain(notes).chain(next).collect()
}

/// What it all comes to, a sentence each.
fn conclusion(report: &MigrationReport) -> Vec<String> {
    let count: usize = report.counts.values().sum();
    let parts: Vec<String> =
        report.counts.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    let workloads = if count == 1 { "workload" } else { "workloads" };
    let mut lines = match count {
        0 => vec!["No workloads found.".to_owned()],
        _ => vec![format!("{count} {workloads}: {}.", parts.join(", "))],
    };
    lines.extend(report.baseline_first.iter().map(|advice| format!("Advice: {advice}.")));
    lines.extend(report.notes.iter().map(|note| format!("Note: {note}.")));
    let Some(fence) = &report.fence else { return lines };
    if !fence.is_set {
        lines.push(format!("{} is not enforced. In the way:", report.level));
        lines.extend(fence.in_the_way.iter().map(|one| format!("- {one}")));
        return lines;
    }
    lines.push(match &fence.refusal {
        Some(_) => format!(
            "{} is enforced: a pod that violates it is refused, and every workload's own is not.",
            report.level
        ),
        None => format!(
            "{} is enforced by label, and a pod that violates it was NOT refused: Pod Security admission is off here, or exempts you.",
            report.level
        ),
    });
    lines.extend(fence.refused.iter().map(|one| format!("refused: {one}")));
    let restarts = &fence.restarts;
    match restarts.restarted.len() {
        0 => {}
        1 => lines.push(format!("{} was restarted under it, and is ready.", restarts.restarted[0])),
        count => lines.push(format!("{count} workloads were restarted under it, and are ready.")),
    }
    lines.extend(restarts.failed.iter().map(|one| format!("not ready after its restart: {one}")));
    lines.extend(restarts.left.iter().map(|one| format!("not restarted: {one}")));
    lines
}

/// For a pull request: before, after, the proof of each, what to look at, and the way back.
#[must_use]
pub fn markdown(report: &MigrationReport) -> String {
    let mut text = format!(
        "## Namespace {}: to {}\n\nIt enforced {} when this was made.\n\n",
        code(&report.namespace),
        report.level,
        plain(report.enforced.as_deref().unwrap_or("nothing"))
    );
    if !report.workloads.is_empty() {
        text.push_str("| workload | today | outcome | rounds | owner |\n|---|---|---|---|---|\n");
    }
    for row in &report.workloads {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            code_in_cell(&row.workload),
            row.standing,
            row.outcome.as_str(),
            row.rounds,
            plain(row.owner.as_deref().unwrap_or_default())
        );
    }
    for row in report.workloads.iter().filter(|row| !row.steps.is_empty() || !lines(row).is_empty())
    {
        let _ = writeln!(text, "\n### {}\n", code(&row.workload));
        for line in row.steps.iter().cloned().chain(lines(row)) {
            let _ = writeln!(text, "- {}", plain(&line));
        }
    }
    text.push('\n');
    for line in conclusion(report) {
        let _ = writeln!(text, "{}\n", plain(&line));
    }
    text
}

/// A page to read, share or print.
///
/// # Errors
/// Never because of a report.
pub fn html(report: &MigrationReport) -> Result<String, Error> {
    let rows = report.workloads.iter().map(|row| PageRow {
        row,
        told: row.outcome.as_str(),
        notes: lines(row),
    });
    let page = Page { report, workloads: rows.collect(), conclusion: conclusion(report) };
    rendered("migration.html", &page)
}

/// What the page shows beside the report.
#[derive(Serialize)]
struct Page<'r> {
    #[serde(flatten)]
    report: &'r MigrationReport,
    #[serde(rename = "rows")]
    workloads: Vec<PageRow<'r>>,
    conclusion: Vec<String>,
}

#[derive(Serialize)]
struct PageRow<'r> {
    #[serde(flatten)]
    row: &'r Row,
    told: &'static str,
    notes: Vec<String>,
}

/// The names of [`files`].
pub const FILES: [&str; 3] = ["kustomization.yaml", "namespace.yaml", "PULL_REQUEST.md"];

/// What goes into a repository, by its file names: a component with the plans, the namespace's
/// labels, and the text of a pull request.
///
/// # Errors
/// A patch that cannot be written as YAML.
pub fn files(
    entries: &[Value],
    report: &MigrationReport,
) -> Result<[(&'static str, String); 3], Error> {
    let component = json!({
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "patches": entries,
    });
    let labels: BTreeMap<String, &str> = ["enforce", "warn", "audit"]
        .map(|mode| (format!("pod-security.kubernetes.io/{mode}"), report.level))
        .into();
    let namespace = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": report.namespace, "labels": labels},
    });
    Ok([
        (FILES[0], yaml::to_string(&component)?),
        (FILES[1], yaml::to_string(&namespace)?),
        (FILES[2], markdown(report) + REVIEW),
    ])
}

/// What a reviewer is told at the end.
const REVIEW: &str = "\
### How to take this in

- List this directory under `components` of the kustomization that has the workloads. The patches name no namespace: no
  other namespace in it may have workloads of the same names.
- When every workload has rolled out, apply `namespace.yaml`: from then on the level is enforced.
- Way back: take the labels away first, then the component; the old templates come back with it.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn row(workload: &str, outcome: Outcome, standing: &'static str) -> Row {
        Row { outcome, standing, ..Row::new(workload) }
    }

    fn report(workloads: Vec<Row>, fence: Option<Fence>) -> MigrationReport {
        MigrationReport::new("shop", "restricted", None, workloads, fence, Vec::new())
    }

    #[test]
    fn baseline_is_advised_where_all_fit_and_some_are_stuck() {
        let stuck = || row("daemonset/b", Outcome::NotProven, "baseline");
        assert!(report(vec![stuck()], None).baseline_first.is_some());
        let host = row("daemonset/c", Outcome::Forbidden, "privileged");
        assert!(report(vec![stuck(), host.clone()], None).baseline_first.is_none());
        let accepted = Row { accepted: true, ..host };
        assert!(report(vec![stuck(), accepted], None).baseline_first.is_some());
        let fine = row("deployment/a", Outcome::Proven, "baseline");
        assert!(report(vec![fine], None).baseline_first.is_none());
    }

    #[test]
    fn it_is_complete_when_the_fence_holds() {
        let proven = || vec![row("deployment/a", Outcome::Proven, "baseline")];
        assert!(report(proven(), None).is_complete(), "a plan is proven");
        let set = Fence { is_set: true, ..Fence::default() };
        assert!(!report(proven(), Some(set.clone())).is_complete(), "nothing was refused");
        let holds = Fence { refusal: Some("violates".to_owned()), ..set };
        assert!(report(proven(), Some(holds.clone())).is_complete());
        let refused = Fence { refused: vec!["deployment/a: no".to_owned()], ..holds };
        assert!(!report(proven(), Some(refused)).is_complete());
        assert!(!report(vec![row("job/a", Outcome::Unknown, "baseline")], None).is_complete());
    }

    #[test]
    fn what_is_left_is_said() {
        let left = Row {
            why: vec!["it died\u{1b}[31m".to_owned()],
            next: Some("look".to_owned()),
            ..row("deployment/a", Outcome::NotProven, "baseline")
        };
        let text = text(
            &report(vec![left.clone()], Some(Fence::not_set(vec!["deployment/a".to_owned()]))),
            80,
        );
        for part in ["not proven", "next: look", "restricted is not enforced", "- deployment/a"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("it died\u{1b}"), "no escape of theirs: {text}");
        assert!(markdown(&report(vec![left.clone()], None)).contains("it died"));
        let page = html(&report(vec![left], None)).expect("a page");
        for part in ["it died", "next: look", "badge bad", "1</b> not proven"] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}
