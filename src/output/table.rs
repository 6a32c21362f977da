//! The scan report for a person: one line a workload, worst first.

use std::cmp::Reverse;
use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use super::explanation::Explained;
use super::report::{
    Badness, Container, Failure, Namespace, Policy, ScanReport, Summary, User, Violation, Workload,
};
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
    /// All namespaces were asked for: each row names its own, even if there is only one.
    pub all_namespaces: bool,
    /// Columns of the terminal.
    pub width: usize,
}

/// The report as a table with a summary, coloured; ends in a line break. Nothing for a report
/// without workloads.
#[must_use]
pub fn scan(report: &ScanReport, view: View) -> String {
    let mut rows = Rows::new(view);
    report.workloads.iter().for_each(|workload| rows.add(workload));
    rows.table(&report.namespaces)
}

/// What a table shows of workloads that come one by one: their cells are all that is kept of them.
#[derive(Debug)]
pub struct Rows {
    view: View,
    rows: Vec<Row>,
    summary: Summary,
    /// Workloads with root in a user namespace.
    inside: usize,
    /// Of one workload alone.
    details: String,
}

/// The cells of one workload.
#[derive(Debug)]
struct Row {
    badness: Badness,
    namespace: Option<String>,
    kind: String,
    name: String,
    /// Its place in a manifest; else how many pods it has.
    place: String,
    root: String,
    verdict: String,
    /// Where everything is shown.
    wide: Option<[String; 2]>,
    /// `None` for one of a manifest.
    now: Option<Now>,
}

#[derive(Debug)]
struct Now {
    cell: String,
    /// Whether that is worth a line of its own: what works has nothing to tell.
    tells: bool,
}

impl Rows {
    #[must_use]
    pub fn new(view: View) -> Self {
        Rows {
            view,
            rows: Vec::new(),
            summary: Summary::default(),
            inside: 0,
            details: String::new(),
        }
    }

    /// One workload more, in any order.
    pub fn add(&mut self, workload: &Workload) {
        let View { level, wide, .. } = self.view;
        self.summary.add(workload);
        self.inside += usize::from(workload.root == Some(true) && workload.user_namespace);
        self.details =
            if self.rows.is_empty() { details(workload, self.view) } else { String::new() };
        let is_open =
            workload.pods > 0 && workload.root == Some(false) && !workload.obstacles.is_empty();
        let tells = !workload.failures.is_empty() || is_open;
        self.rows.push(Row {
            badness: workload.badness(),
            namespace: workload.namespace.clone(),
            kind: workload.kind.clone(),
            name: workload.name.clone(),
            place: match &workload.source {
                Some(source) => Clean(&format!("{}:{}", source.file, source.line)).to_string(),
                None => workload.pods.to_string(),
            },
            root: root(workload),
            verdict: verdict(workload, level),
            wide: wide.then(|| [users(&workload.containers), checks(violations(workload, level))]),
            now: workload.source.is_none().then(|| Now { cell: now(workload), tells }),
        });
    }

    /// The table with a summary, worst first, coloured; ends in a line break. Nothing without
    /// workloads.
    #[must_use]
    pub fn table(mut self, of: &[Namespace]) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        self.rows
            .sort_by(|a, b| (Reverse(&a.badness), a.key()).cmp(&(Reverse(&b.badness), b.key())));
        let mut lines = vec![self.summary()];
        lines.extend(namespaces(of, self.view.wide));
        let (details, view) = (std::mem::take(&mut self.details), self.view);
        let mut out = self.drawn(view.width);
        out.push('\n');
        out.push_str(&details);
        for line in lines {
            let _ = terminal::wrapped(&mut out, "", 0, &line, view.width);
        }
        painted(&out)
    }

    /// The lines of the table, coloured: the header without a name, then each workload with its
    /// own, in the order of names.
    #[must_use]
    pub fn lines(mut self) -> Vec<(Option<String>, String)> {
        self.rows.sort_by(|a, b| a.key().cmp(&b.key()));
        let names = self.rows.iter().map(|row| {
            let namespace = row.namespace.as_deref().unwrap_or_default();
            Some(Clean(&format!("{namespace}/{}", row.workload())).to_string())
        });
        let names: Vec<_> = std::iter::once(None).chain(names).collect();
        // Whatever the width, each has one line.
        names.into_iter().zip(self.drawn(usize::MAX).lines().map(painted)).collect()
    }

    fn is_live(&self) -> bool {
        self.rows.iter().any(|row| row.now.is_some())
    }

    fn drawn(self, width: usize) -> String {
        let first = self.rows.first().and_then(|row| row.namespace.as_ref());
        let many =
            self.view.all_namespaces || self.rows.iter().any(|row| row.namespace.as_ref() != first);
        let (live, wide) = (self.is_live(), self.view.wide);
        let level = self.view.level.as_str().to_uppercase();
        let mut header = Vec::new();
        if many {
            header.push(NAMESPACE);
        }
        header.extend([WORKLOAD, if live { PODS } else { LINE }, "ROOT", &level]);
        if wide {
            header.extend(["USERS", "CHECKS"]);
        }
        if live {
            header.push(NOW);
        }
        let tells = |row: &Row| !live || row.now.as_ref().is_some_and(|now| now.tells);
        let tells: Vec<bool> = self.rows.iter().map(tells).collect();
        let cells = self.rows.into_iter().map(|row| {
            let mut cells = Vec::with_capacity(header.len());
            if many {
                cells.push(Clean(row.namespace.as_deref().unwrap_or("-")).to_string());
            }
            cells.push(Clean(&row.workload()).to_string());
            cells.extend([row.place, row.root, row.verdict]);
            cells.extend(row.wide.into_iter().flatten());
            if live {
                cells.push(row.now.map_or_else(|| "-".to_owned(), |now| now.cell));
            }
            cells
        });
        let grid = Grid { rows: cells.collect(), header };
        if wide {
            grid.drawn(&[])
        } else {
            narrowed(grid, if live { NOW } else { LINE }, &tells, width)
        }
    }

    fn summary(&self) -> String {
        let summary = self.summary;
        let plural = if summary.workloads == 1 { "workload" } else { "workloads" };
        let inside = match self.inside {
            0 => String::new(),
            count => format!(" ({count} inside a user namespace)"),
        };
        let mut parts = vec![format!("{} as root{inside}", summary.root)];
        if summary.unknown > 0 {
            parts.push(format!("{} unknown", summary.unknown));
        }
        parts.push(match self.view.level {
            Level::Baseline => format!("{} admitted by baseline", summary.baseline),
            _ => format!("{} admitted by restricted", summary.restricted),
        });
        if self.is_live() {
            parts.push(format!("{} failing now", summary.failing));
        }
        if summary.accepted > 0 {
            let plural = if summary.accepted == 1 { "finding" } else { "findings" };
            parts.push(format!("{} {plural} accepted", summary.accepted));
        }
        tone(Tone::Strong, format_args!("{} {plural}: {}.", summary.workloads, parts.join(", ")))
    }
}

impl Row {
    fn key(&self) -> (&Option<String>, &String, &String) {
        (&self.namespace, &self.kind, &self.name)
    }

    /// `deployment/web`
    fn workload(&self) -> String {
        format!("{}/{}", self.kind.to_lowercase(), self.name)
    }
}

const NAMESPACE: &str = "NAMESPACE";
const WORKLOAD: &str = "WORKLOAD";
const PODS: &str = "PODS";
const LINE: &str = "LINE";
const NOW: &str = "NOW";

/// Columns that names keep at least, the last one's sentence keeps, and names keep where it stands
/// below its row.
const LEAST_NAME: usize = 16;
const LEAST_PATH: usize = 20;
const LEAST_NOW: usize = 24;
const LEAST_NAME_ALONE: usize = 12;

/// A table that fits the width: as it is; with names shortened; else with the column that tells
/// most below each row, where it is worth telling; else as a list.
fn narrowed(grid: Grid<'_>, tail: &str, tells: &[bool], width: usize) -> String {
    if grid.width() <= width {
        return grid.drawn(&[]);
    }
    let mut table = grid.clone();
    table.shorten(NOW, LEAST_NOW, width, terminal::cut);
    // The end of a path tells most, and the name of a workload tells more than its directory.
    table.shorten(LINE, LEAST_PATH, width, ending);
    [NAMESPACE, WORKLOAD]
        .into_iter()
        .for_each(|name| table.shorten(name, LEAST_NAME, width, shortened));
    if table.width() <= width {
        return table.drawn(&[]);
    }
    let mut table = grid.clone();
    let tails = table.take(tail).into_iter().zip(tells).map(|(text, tells)| {
        let mut below = String::new();
        if *tells {
            let _ = terminal::wrapped(&mut below, "  ", 2, &text, width);
        }
        below
    });
    let tails: Vec<String> = tails.collect();
    [NAMESPACE, WORKLOAD]
        .into_iter()
        .for_each(|name| table.shorten(name, LEAST_NAME_ALONE, width, shortened));
    if table.width() <= width {
        return table.drawn(&tails);
    }
    let mut rest = grid;
    rest.take(tail);
    let names = rest.take(WORKLOAD);
    let mut out = String::new();
    for ((name, row), tail) in names.iter().zip(&rest.rows).zip(&tails) {
        let _ = writeln!(out, "{name}");
        let cells = rest
            .header
            .iter()
            .zip(row)
            .map(|(name, cell)| format!("{} {cell}", name.to_lowercase()));
        let _ = terminal::wrapped(&mut out, "  ", 2, &cells.collect::<Vec<_>>().join(", "), width);
        out.push_str(tail);
    }
    out
}

/// The cells of a table by their columns.
#[derive(Debug, Clone)]
struct Grid<'n> {
    header: Vec<&'n str>,
    rows: Vec<Vec<String>>,
}

/// Columns between two cells.
const GAP: usize = 2;

impl Grid<'_> {
    /// The columns that the cells of a column need.
    fn natural(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| console::measure_text_width(&row[column]));
        cells.chain([self.header[column].len()]).max().unwrap_or(0)
    }

    fn width(&self) -> usize {
        let columns = self.header.len();
        (0..columns).map(|column| self.natural(column)).sum::<usize>()
            + GAP * columns.saturating_sub(1)
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| *column == name)
    }

    /// Shortens the cells of a column until the table fits, but not below `least`.
    fn shorten(
        &mut self,
        name: &str,
        least: usize,
        width: usize,
        by: impl Fn(&str, usize) -> String,
    ) {
        let Some(column) = self.column(name) else { return };
        let excess = self.width().saturating_sub(width);
        if excess > 0 {
            let room = self.natural(column).saturating_sub(excess).max(least);
            self.rows.iter_mut().for_each(|row| row[column] = by(&row[column], room));
        }
    }

    /// Takes a column out of the table.
    fn take(&mut self, name: &str) -> Vec<String> {
        let Some(column) = self.column(name) else { return Vec::new() };
        self.header.remove(column);
        self.rows.iter_mut().map(|row| row.remove(column)).collect()
    }

    /// The table, with lines of its own below each row.
    fn drawn(&self, below: &[String]) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(&self.header);
        table.add_rows(&self.rows);
        let last = self.header.len().saturating_sub(1);
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, if index == last { 0 } else { 2 }));
            if self.header[index] == PODS {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let mut out = String::new();
        // The header has nothing below it.
        let below = std::iter::once("")
            .chain(below.iter().map(String::as_str))
            .chain(std::iter::repeat(""));
        for (line, below) in table.lines().zip(below) {
            let _ = writeln!(out, "{}", line.trim_end());
            out.push_str(below);
        }
        out
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

/// `manifests/base/web.yaml:12` as `…base/web.yaml:12`.
fn ending(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        return text.to_owned();
    }
    let end: String = text.chars().skip(count - width.saturating_sub(1)).collect();
    format!("…{end}")
}

/// Whether a container asks for uid 0 and forbids it, so that nothing ever runs.
fn cannot_start(workload: &Workload) -> bool {
    workload
        .containers
        .iter()
        .any(|container| container.user.uid == Some(0) && container.root == Some(false))
}

fn root(workload: &Workload) -> String {
    let containers = &workload.containers;
    let as_root = containers.iter().filter(|container| container.root == Some(true)).count();
    match workload.root {
        // Root inside, an unprivileged uid outside.
        Some(true) if workload.user_namespace => tone(Tone::Doubtful, "inside"),
        Some(true) if counts(workload, RUNS_AS_ROOT) == (0, as_root) => {
            tone(Tone::Doubtful, "accepted")
        }
        Some(true) if as_root == containers.len() => tone(Tone::Bad, "yes"),
        Some(true) => tone(Tone::Bad, format_args!("{as_root} of {}", containers.len())),
        Some(false) if cannot_start(workload) => tone(Tone::Bad, "cannot start"),
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
    let accepted =
        violations.iter().filter(|violation| counts(workload, violation.check).1 > 0).count();
    let open = violations.len() - accepted;
    let baseline = workload
        .pod_security
        .baseline
        .iter()
        .any(|violation| counts(workload, violation.check).1 == 0);
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
            // What would stop another user than root does not matter today.
            Some(obstacle) if workload.root == Some(false) => {
                let place = obstacle.path.clone().unwrap_or_default();
                tone(Tone::Doubtful, Clean(&format!("ok, but {} {place}", obstacle.category)))
            }
            _ => tone(Tone::Good, "ok"),
        };
    };
    // What was refused says more than the API's word for its consequence, and the end of this
    // column may be cut.
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
        // The API server begins with the name of the pod that it did not create, which helps
        // nobody.
        (None, message) => {
            format!(
                "{}: {}",
                failed(failure),
                message.split_once("is forbidden: ").map_or(message, |(_, why)| why)
            )
        }
    }
}

/// One workload alone is shown whole: who its containers are, what fails, what the level forbids
/// and where.
fn details(workload: &Workload, View { level, width, .. }: View) -> String {
    let mut out = String::new();
    let mut line = |text: &str| {
        let _ = terminal::wrapped(&mut out, "  ", 4, text, width);
    };
    for container in &workload.containers {
        let User { uid, gid, groups, origin } = &container.user;
        let id = |id: &Option<i64>| id.map_or("unknown".to_owned(), |id| id.to_string());
        let user = match uid {
            None if container.root == Some(false) => "not root: the image sets the uid".to_owned(),
            None => "the image decides".to_owned(),
            Some(_) => format!("uid {} gid {} by {}", id(uid), id(gid), by(origin)),
        };
        let groups = match groups.as_slice() {
            [] => String::new(),
            groups => format!(
                ", groups {}",
                groups.iter().map(i64::to_string).collect::<Vec<_>>().join(" ")
            ),
        };
        let (name, image) = (Clean(&container.name), Clean(&container.image));
        line(&format!("{} {name}: {user}{groups} ({image})", container.role));
    }
    if let Some(path) = workload.source.as_ref().and_then(|source| source.path.as_ref()) {
        line(&format!("its pod stands at {}", Clean(path)));
    }
    if workload.user_namespace {
        line(
            "its pods have a user namespace (hostUsers: false): root inside is an unprivileged uid of the node",
        );
    }
    for failure in &workload.failures {
        line(&tone(Tone::Bad, Clean(&told(failure))));
    }
    // What is foreseen stops nothing yet, and is what there is to know of a workload that works.
    let told = |obstacle: &&Explained| obstacle.fatal || workload.failures.is_empty();
    for obstacle in workload.obstacles.iter().filter(told) {
        line(&format!("{}: {}", obstacle.category, Clean(&obstacle.cause)));
    }
    let is_open = |violation: &&Violation| counts(workload, violation.check).1 == 0;
    for (index, violation) in violations(workload, level).iter().filter(is_open).enumerate() {
        if index == 0 {
            let _ = writeln!(out, "\nThe {level} level forbids:");
        }
        let at = violation.fields.iter().find_map(|field| field.line);
        let place = workload.source.as_ref().zip(at).map_or(String::new(), |(source, line)| {
            format!("{} ", tone(Tone::Faint, format_args!("{}:{line}", Clean(&source.file))))
        });
        let detail = if violation.detail.is_empty() { "" } else { ": " };
        let what =
            format!("{place}{}{detail}{}", Clean(&violation.reason), Clean(&violation.detail));
        let _ = terminal::wrapped(&mut out, "  ", 4, &what, width);
    }
    let accepted =
        workload.findings.iter().filter_map(|finding| Some((finding, finding.accepted.as_ref()?)));
    for (index, (finding, accepted)) in accepted.enumerate() {
        if index == 0 {
            out.push_str("\nAccepted:\n");
        }
        let until =
            accepted.expires.as_ref().map(|date| format!(" until {date}")).unwrap_or_default();
        let what =
            format!("{}: {} (by {}{until})", finding.check, Clean(&accepted.reason), accepted.by);
        let _ = terminal::wrapped(&mut out, "  ", 4, &what, width);
    }
    out.push('\n');
    out
}

/// Where a uid comes from, for a person.
fn by(origin: &str) -> &str {
    match origin {
        "container" => "the container's securityContext",
        "pod" => "the pod's securityContext",
        "image" => "the image",
        other => other,
    }
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
    let (labelled, open): (Vec<_>, Vec<_>) =
        namespaces.iter().partition(|namespace| !labels(namespace).is_empty());
    let line = |namespace: &Namespace| {
        format!("Namespace {} {}.", Clean(&namespace.name), labels(namespace))
    };
    let mut lines: Vec<String> = labelled.into_iter().map(line).collect();
    match open.as_slice() {
        [] => {}
        [one] => {
            lines.push(format!("Namespace {} enforces no Pod Security level.", Clean(&one.name)))
        }
        some if wide => {
            let names: Vec<_> =
                some.iter().map(|namespace| Clean(&namespace.name).to_string()).collect();
            lines.push(format!(
                "These namespaces enforce no Pod Security level: {}.",
                names.join(", ")
            ));
        }
        some => lines.push(format!("{} namespaces enforce no Pod Security level.", some.len())),
    }
    lines
}
