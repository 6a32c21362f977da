//! `scan --watch`: the table, kept up to date.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use super::{Around, ScanArgs, live_row, shown};
use crate::cli::acceptance;
use crate::cli::target::Target;
use crate::cli::{Fault, print, say};
use crate::error::{Error, Partial};
use crate::evidence::cluster::{Cluster, Scope, Watch};
use crate::model::obstacle::Obstacle;
use crate::model::virtual_machine::{self, VirtualMachines};
use crate::model::volume::{Storage, claim_name};
use crate::model::workload::{Failure, Workload};
use crate::output::report::Namespace;
use crate::output::table::Rows;

/// What a shell makes of an interrupt (128 + SIGINT): `kubectl get -w` ends with the same.
const INTERRUPTED: u8 = 130;

/// Between two looks at what changed: a rollout changes much at once, and nobody reads faster.
const PAUSE: Duration = Duration::from_millis(500);

/// How long what is behind claims counts as read: it is not watched, and a claim is bound some
/// seconds after it is made.
const STORAGE_FOR: Duration = Duration::from_secs(10);

/// Shows the workloads of a scope and what becomes of them, until an interrupt.
pub(super) async fn run(
    cluster: &Cluster,
    scope: &Scope,
    targets: &[Target],
    args: &ScanArgs,
) -> Result<u8, Fault> {
    let watch = cluster.watch(scope);
    let show = async {
        let mut screen = Screen::new();
        let mut known = Known::default();
        loop {
            watch.changed().await;
            screen.show(picture(&watch, targets, args, &known)?)?;
            if known.learn(cluster, &watch, targets).await {
                screen.show(picture(&watch, targets, args, &known)?)?;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        error = watch.run() => Err(error.into()),
        fault = show => fault,
        _ = tokio::signal::ctrl_c() => Ok(INTERRUPTED),
    }
}

fn meant(workload: &Workload, targets: &[Target]) -> bool {
    targets.is_empty()
        || targets.iter().any(|target| target.matches(&workload.kind, &workload.name))
}

/// Those that are wanted. The rest is passed by: of 10,000 pods all workloads unpacked take some
/// dozen MB.
fn picked(watch: &Watch<'_>, wanted: impl Fn(&Workload) -> bool) -> Vec<Workload> {
    let mut picked = Vec::new();
    watch.each(|workload| {
        if wanted(&workload) {
            picked.push(workload);
        }
    });
    picked
}

/// What the screen shows.
struct Picture {
    rows: Rows,
    namespaces: Vec<Namespace>,
    /// All since the watch began.
    warnings: Vec<String>,
}

/// What is known now. One workload after the other is judged, and goes but for its cells.
fn picture(
    watch: &Watch<'_>,
    targets: &[Target],
    args: &ScanArgs,
    known: &Known,
) -> Result<Picture, Error> {
    let sharing = picked(watch, |workload| claims(workload).next().is_some());
    let around = Around {
        storage: known.storage.clone(),
        machines: known.machines.clone(),
        ..Around::of(&sharing)
    };
    drop(sharing);
    let baseline = acceptance::read(&args.acceptance)?;
    let (mut rows, mut doubts) = (Rows::new(args.view()), Vec::new());
    watch.each(|workload| {
        if !meant(&workload, targets) {
            return;
        }
        let obstacles = known.of(&workload);
        let mut row = live_row(workload, args.pod_security_version, obstacles, &around);
        row.judge(args);
        doubts.extend(acceptance::accept(&mut row, baseline.as_ref()));
        if shown(&row.workload, args) {
            rows.add(&row.workload);
        }
    });
    let Partial { value: namespaces, errors } = watch.namespaces();
    let errors = errors.iter().chain(&known.errors).map(Error::to_string);
    let warnings = errors.chain(doubts).chain(around.storage.notes).collect();
    Ok(Picture { rows, namespaces: namespaces.iter().map(Namespace::from).collect(), warnings })
}

/// Namespace, kind and name.
type Name = (Option<String>, String, String);

/// What was read beside the watch.
#[derive(Default)]
struct Known {
    /// What the logs of failing workloads told, each read once for each way in which it fails.
    diagnoses: HashMap<Name, (Vec<Failure>, Vec<Obstacle>)>,
    /// What is behind the claims, the claims, and when it was read.
    storage: Storage,
    claims: BTreeSet<(Option<String>, String)>,
    storage_read: Option<Instant>,
    machines: VirtualMachines,
    errors: Vec<Error>,
}

impl Known {
    fn name(workload: &Workload) -> Name {
        (workload.namespace.clone(), workload.kind.clone(), workload.name.clone())
    }

    fn of(&self, workload: &Workload) -> Vec<Obstacle> {
        let known = self
            .diagnoses
            .get(&Self::name(workload))
            .filter(|(failures, _)| *failures == workload.failures);
        known.map(|(_, obstacles)| obstacles.clone()).unwrap_or_default()
    }

    /// Reads what is new, and says whether there was anything.
    async fn learn(&mut self, cluster: &Cluster, watch: &Watch<'_>, targets: &[Target]) -> bool {
        let is_told_of = |workload: &Workload| {
            let is_asked_about =
                claims(workload).next().is_some() || workload.kind == virtual_machine::INSTANCE;
            meant(workload, targets) && (is_asked_about || !workload.failures.is_empty())
        };
        let workloads = picked(watch, is_told_of);
        self.errors.clear();
        // One after the other: both take what the other leaves of the server's patience with one
        // user.
        let is_any = self.learn_storage(cluster, &workloads).await;
        self.learn_failures(cluster, workloads).await || is_any
    }

    async fn learn_storage(&mut self, cluster: &Cluster, workloads: &[Workload]) -> bool {
        let claims: BTreeSet<_> = workloads.iter().flat_map(claims).collect();
        let is_fresh = self.storage_read.is_some_and(|read| read.elapsed() < STORAGE_FOR);
        if claims == self.claims && (claims.is_empty() || is_fresh) && self.storage_read.is_some() {
            return false;
        }
        let (storage, machines) =
            tokio::join!(cluster.storage(workloads), cluster.virtual_machines(workloads));
        self.errors.extend(machines.errors);
        (self.storage, self.machines, self.claims) = (storage, machines.value, claims);
        self.storage_read = Some(Instant::now());
        true
    }

    /// Reads the logs of what fails otherwise than before.
    async fn learn_failures(&mut self, cluster: &Cluster, mut failing: Vec<Workload>) -> bool {
        failing.retain(|workload| !workload.failures.is_empty());
        let names: HashSet<Name> = failing.iter().map(Self::name).collect();
        self.diagnoses.retain(|name, _| names.contains(name));
        failing.retain(|workload| {
            self.diagnoses
                .get(&Self::name(workload))
                .is_none_or(|(failures, _)| *failures != workload.failures)
        });
        let diagnosed = super::diagnose_failing(cluster, &failing).await;
        let is_any = !failing.is_empty();
        for (workload, read) in failing.into_iter().zip(diagnosed) {
            self.errors.extend(read.errors);
            self.diagnoses.insert(Self::name(&workload), (workload.failures, read.value));
        }
        is_any
    }
}

/// The claims of a workload, and inline volumes of CSI drivers by their own names.
fn claims(workload: &Workload) -> impl Iterator<Item = (Option<String>, String)> {
    let volumes = workload.spec.volumes.iter().flatten();
    let names = volumes.filter_map(move |volume| {
        let claim = claim_name(volume, workload.metadata.name.as_deref());
        claim.or_else(|| volume.csi.as_ref().map(|_| volume.name.clone()))
    });
    names.map(move |name| (workload.namespace.clone(), name))
}

/// What is shown already.
struct Screen {
    /// Lines of the last table on a terminal; `None` where there is none, and only changes are
    /// printed.
    drawn: Option<usize>,
    /// The last line of each workload without its spaces, which the width of others changes.
    lines: HashMap<String, String>,
    /// Warnings that were printed.
    told: HashSet<String>,
}

impl Screen {
    fn new() -> Self {
        let drawn = std::io::stdout().is_terminal().then_some(0);
        Self { drawn, lines: HashMap::new(), told: HashSet::new() }
    }

    fn show(&mut self, picture: Picture) -> Result<(), Fault> {
        for warning in picture.warnings {
            if !self.told.contains(&warning) {
                say(format_args!("warning: {warning}"));
                self.told.insert(warning);
            }
        }
        match self.drawn {
            Some(lines) => self.redraw(lines, picture.rows, &picture.namespaces),
            None => self.print_changes(picture.rows),
        }
    }

    fn redraw(&mut self, before: usize, rows: Rows, namespaces: &[Namespace]) -> Result<(), Fault> {
        let terminal = console::Term::stdout();
        let text = match rows.table(namespaces) {
            text if text.is_empty() => "No workloads found.\n".to_owned(),
            text => text,
        };
        let text = fitted(&text, usize::from(terminal.size().0).saturating_sub(1));
        let failed = |error: std::io::Error| Error::input("write to the terminal", error);
        terminal.clear_last_lines(before).map_err(failed)?;
        self.drawn = Some(text.lines().count());
        print(&text)
    }

    fn print_changes(&mut self, rows: Rows) -> Result<(), Fault> {
        let is_first = self.lines.is_empty();
        let mut out = String::new();
        let mut now = HashMap::new();
        for (name, line) in rows.lines() {
            let cells = line.split_whitespace().collect::<Vec<_>>().join(" ");
            let is_new = match &name {
                Some(name) => self.lines.get(name) != Some(&cells),
                None => is_first,
            };
            if is_new {
                out.push_str(&line);
                out.push('\n');
            }
            now.extend(name.map(|name| (name, cells)));
        }
        let mut gone: Vec<&String> =
            self.lines.keys().filter(|name| !now.contains_key(*name)).collect();
        gone.sort();
        for name in gone {
            out.push_str(name);
            out.push_str("  gone\n");
        }
        self.lines = now;
        print(&out)
    }
}

/// Leaves out what does not fit the height, from the end of the table, and says how much.
fn fitted(text: &str, height: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= height {
        return text.to_owned();
    }
    let after_table = lines.iter().rposition(|line| line.is_empty()).unwrap_or(lines.len());
    let summary = &lines[after_table..];
    let room = height.saturating_sub(summary.len() + 1);
    let hidden = after_table.saturating_sub(room);
    let mut out: Vec<String> = lines.iter().take(room).map(ToString::to_string).collect();
    out.push(format!("... {hidden} more: a higher window or --only shows them"));
    out.extend(summary.iter().map(ToString::to_string));
    out.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted() {
        let text = "HEAD\na\nb\nc\nd\n\nsummary\nnamespaces\n";
        assert_eq!(fitted(text, 8), text);
        assert_eq!(
            fitted(text, 7),
            "HEAD\na\nb\n... 2 more: a higher window or --only shows them\n\nsummary\nnamespaces\n"
        );
        assert_eq!(fitted(text, 0).lines().count(), 4);
    }
}
