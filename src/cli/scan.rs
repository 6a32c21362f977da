//! `kubectl nonroot scan`: who runs as root, what Pod Security would refuse, what fails now.

mod watch;

use std::mem::{self, ManuallyDrop};

use clap::{Args, ValueEnum};
use futures::stream::{self, StreamExt as _};
use serde_json::json;

use super::acceptance::{self, AcceptanceFlags, Row, Scanned};
use super::flags::{ClusterFlags, SelectionFlags};
use super::image::{self, RegistryFlags};
use super::progress::Spinner;
use super::target::{self, Target};
use super::{Fault, exit_code, explain, fix, print, say};
use crate::error::{Error, Partial};
use crate::evidence::cluster::{Cluster, Fields, Inventory, Scope};
use crate::evidence::manifests::{self, Manifest};
use crate::foresight;
use crate::model::obstacle::Obstacle;
use crate::model::podsecurity::{Level, Namespace, Version};
use crate::model::virtual_machine::VirtualMachines;
use crate::model::volume::{self, SharedVolume, Storage};
use crate::model::workload::{Unjudged, Workload};
use crate::output::finding::{Class, Finding};
use crate::output::findings;
use crate::output::fix::Fix;
use crate::output::image::ImageReport;
use crate::output::report::{self, ScanReport};
use crate::output::table::{self, View};
use crate::output::terminal::Clean;
use crate::output::{html, junit, markdown, sarif};
use crate::policy;
use crate::run::diagnosed;

/// Find what runs as root, what Pod Security would refuse and what fails
///
/// Looks at every pod of a namespace, or at manifests with -f, and shows one line for each
/// workload. Reads only.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ScanArgs {
    /// Workloads as TYPE/NAME, TYPE NAME or TYPE; all of the namespace without
    #[arg(value_name = "TYPE/NAME", conflicts_with = "filename")]
    targets: Vec<String>,
    /// Level to judge by
    #[arg(long, default_value = "restricted", value_parser = judged_level)]
    level: Level,
    /// Version of the Pod Security Standards: latest or v1.N
    #[arg(long, default_value = "latest", value_name = "VERSION", value_parser = |text: &str| text.parse::<Version>())]
    pod_security_version: Version,
    /// Show only some workloads
    #[arg(long, value_enum)]
    only: Option<Only>,
    /// Keep the table up to date, or without a terminal print each change, until Ctrl-C
    #[arg(short, long, conflicts_with_all = ["filename", "plan", "images", "write_baseline"])]
    watch: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
    /// What makes the exit code 1, instead of root, what --level forbids and what fails; separated
    /// by commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    fail_on: Vec<FailOn>,
    /// Exit with 0 though something was found
    #[arg(long)]
    exit_zero: bool,
    /// Add the plan of fix to each workload, from what can be read; it looks into running pods by
    /// exec
    #[arg(long)]
    plan: bool,
    /// Read the images of the workloads too: who owns what in them, for -o html and -o json
    #[arg(long)]
    images: bool,
    #[command(flatten)]
    selection: SelectionFlags,
    #[command(flatten)]
    acceptance: AcceptanceFlags,
    #[command(flatten)]
    registry: RegistryFlags,
}

const EXAMPLES: &str = "\
Examples:
  kubectl nonroot scan                          # the current namespace
  kubectl nonroot scan -A --only root           # every namespace: what runs as root
  kubectl nonroot scan deploy/web sts/db -o wide
  kubectl nonroot scan -A --watch               # and what becomes of it
  kubectl nonroot scan -f deploy/ -R            # manifests, no cluster
  helm template ./chart | kubectl nonroot scan -f -
  kubectl nonroot scan -n shop --plan -o html > report.html
  kubectl nonroot scan -f deploy/ -R -o sarif --fail-on root,baseline > nonroot.sarif
  kubectl nonroot scan -f deploy/ -R --baseline accepted.yaml --write-baseline --reason 'until the rewrite'

Exit codes: 0 all is well, 1 something was found, 2 bad usage or input, 3 cluster or permission failure.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Only {
    /// A container runs as root
    Root,
    /// Something fails now
    Failing,
    /// The level forbids something
    Violating,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Wide,
    Json,
    Yaml,
    Name,
    /// For code scanning: SARIF 2.1.0
    Sarif,
    /// A page to read, share or print
    Html,
    /// For a comment or a job's summary
    Markdown,
    /// For CI servers: a test for each check
    Junit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A container runs as root
    Root,
    /// The baseline level forbids something
    Baseline,
    /// The restricted level forbids something
    Restricted,
    /// Something fails now
    Failing,
    /// Something would stand in the way of running as non-root
    Obstacle,
    /// An entry of the baseline has expired or matches nothing
    Stale,
    /// Nothing does
    Never,
}

pub(super) fn judged_level(text: &str) -> Result<Level, String> {
    match text.parse()? {
        Level::Privileged => {
            Err("privileged forbids nothing: use baseline or restricted".to_owned())
        }
        level => Ok(level),
    }
}

pub(super) async fn run(flags: &ClusterFlags, args: ScanArgs) -> Result<u8, Fault> {
    if args.watch {
        return watched(flags, &args).await;
    }
    let live = args.selection.filename.is_empty();
    let Partial { value, errors } =
        if live { cluster(flags, &args).await? } else { files(&args).await };
    let Inventoried { mut rows, namespaces, images, manifests, scanned, notes, unjudged } = value;
    for row in &mut rows {
        row.workload.learn(&images);
    }
    // What could not be read may still be there.
    let scanned = if errors.is_empty() { scanned } else { Scanned::Part };
    let Judged { mut workloads, baseline, mut doubts } = judged(rows, &scanned, &args)?;
    doubts.extend(notes);
    if args.plan && workloads.iter().any(|workload| !workload.findings.is_empty()) {
        doubts.extend(plans(flags, &args, manifests, &mut workloads).await?);
    }
    let open = |finding: &Finding| finding.accepted.is_none() && args.counts(finding.class);
    let stale = baseline
        .as_ref()
        .is_some_and(|file| !file.expired.is_empty() || !file.unmatched.is_empty());
    let tells = |object: &Unjudged| {
        object.root && args.counts(Class::Root) || object.forbidden && args.counts(Class::Baseline)
    };
    let found = workloads.iter().flat_map(|row| &row.findings).any(open)
        || (stale && args.fails_on(FailOn::Stale))
        || unjudged.iter().any(tells);
    let told = unjudged.iter().map(Unjudged::told);
    let warnings =
        errors.iter().map(Error::to_string).chain(doubts.iter().cloned()).chain(told).collect();
    let unjudged = unjudged.into_iter().map(report::Unjudged::from).collect();
    // Given back with the process, as what it was made of.
    let report = ManuallyDrop::new(ScanReport {
        baseline,
        images,
        unjudged,
        ..ScanReport::new(workloads, &namespaces, warnings)
    });
    print(&rendered(&report, &args)?)?;
    for warning in &report.warnings {
        say(format_args!("warning: {warning}"));
    }
    for (entries, what) in report.baseline.iter().flat_map(|file| {
        [
            (&file.expired, "has expired, and accepts nothing"),
            (&file.unmatched, "is about nothing that is found any more"),
        ]
    }) {
        let file =
            args.acceptance.baseline.as_deref().unwrap_or(std::path::Path::new("")).display();
        for report::Entry { line, workload, check, .. } in entries {
            say(format_args!("warning: {file}:{line} {what}: {check} of {workload}"));
        }
    }
    if report.workloads.is_empty() && report.unjudged.is_empty() && errors.is_empty() {
        say(format_args!("No workloads found."));
    }
    Ok(exit_code(&errors, found && !args.exit_zero))
}

/// What is shown, with what was found of it and what of that is accepted.
struct Judged {
    workloads: Vec<report::Workload>,
    baseline: Option<report::Baseline>,
    doubts: Vec<String>,
}

impl Row {
    fn judge(&mut self, args: &ScanArgs) {
        self.workload.findings = findings::of(&self.workload, args.judged_level());
    }
}

fn judged(mut rows: Vec<Row>, scanned: &Scanned, args: &ScanArgs) -> Result<Judged, Error> {
    rows.iter_mut().for_each(|row| row.judge(args));
    let counts = |finding: &Finding| args.counts(finding.class);
    let (baseline, doubts) = acceptance::apply(&args.acceptance, &mut rows, scanned, &counts)?;
    let workloads =
        rows.into_iter().map(|row| row.workload).filter(|workload| shown(workload, args)).collect();
    Ok(Judged { workloads, baseline, doubts })
}

async fn watched(flags: &ClusterFlags, args: &ScanArgs) -> Result<u8, Fault> {
    if !matches!(args.output, Format::Table | Format::Wide) {
        let error = Error::input("watch with this output", "a watch shows a table");
        return Err(error.help("leave out --watch, or use -o table or -o wide").into());
    }
    let targets = target::targets(&args.targets)?;
    let cluster = Cluster::connect(&flags.connection()).await?;
    let scope = args.selection.scope(&cluster.namespace);
    watch::run(&cluster, &scope, &targets, args).await
}

impl ScanArgs {
    fn view(&self) -> View {
        View {
            level: self.level,
            wide: self.output == Format::Wide,
            all_namespaces: self.selection.all_namespaces,
            width: super::width(),
        }
    }

    /// The level that findings are about: what --fail-on asks for is looked for.
    fn judged_level(&self) -> Level {
        if self.fail_on.contains(&FailOn::Restricted) { Level::Restricted } else { self.level }
    }

    fn fails_on(&self, what: FailOn) -> bool {
        match self.fail_on.as_slice() {
            [] => match what {
                FailOn::Root | FailOn::Baseline | FailOn::Failing => true,
                FailOn::Restricted => self.level == Level::Restricted,
                FailOn::Obstacle | FailOn::Stale | FailOn::Never => false,
            },
            // The restricted level forbids what the baseline level does.
            some => {
                some.contains(&what)
                    || (what == FailOn::Baseline && some.contains(&FailOn::Restricted))
            }
        }
    }

    /// Whether a finding of this class makes the exit code 1, if it is not accepted.
    fn counts(&self, class: Class) -> bool {
        let what = match class {
            Class::Root => FailOn::Root,
            Class::Baseline => FailOn::Baseline,
            Class::Restricted => FailOn::Restricted,
            Class::Failing => FailOn::Failing,
            Class::Obstacle => FailOn::Obstacle,
        };
        self.fails_on(what) && !self.fail_on.contains(&FailOn::Never)
    }
}

/// What was read, from a cluster or from files.
struct Inventoried {
    rows: Vec<Row>,
    namespaces: Vec<Namespace>,
    images: Vec<ImageReport>,
    /// Where a plan is asked for: what standard input said cannot be read again.
    manifests: Vec<Manifest>,
    scanned: Scanned,
    /// What stays unknown though nothing failed.
    notes: Vec<String>,
    unjudged: Vec<Unjudged>,
}

async fn cluster(flags: &ClusterFlags, args: &ScanArgs) -> Result<Partial<Inventoried>, Fault> {
    let targets = target::targets(&args.targets)?;
    let cluster = Cluster::connect(&flags.connection()).await?;
    // Who pulls an image and what it starts is nothing that the rest of a scan looks at.
    let fields = if args.images { Fields::All } else { Fields::PolicyOnly };
    let scope = Scope { fields, ..args.selection.scope(&cluster.namespace) };
    let spinner = Spinner::start("reading pods");
    let Partial { value: Inventory { workloads, namespaces }, errors } =
        cluster.inventory(&scope).await?;
    let mut around = Around::of(&workloads);
    let mut read = Partial { value: workloads, errors };
    if !targets.is_empty() {
        read = pick(&cluster, &targets, read, args.selection.all_namespaces).await?;
    }
    let (diagnosed, storage, machines) = tokio::join!(
        diagnose_failing(&cluster, &read.value),
        cluster.storage(&read.value),
        cluster.virtual_machines(&read.value),
    );
    read.errors.extend(machines.errors);
    (around.storage, around.machines) = (storage, machines.value);
    drop(spinner);
    let mut images = Partial::clean(Vec::new());
    if args.images {
        images = image::of_workloads(Some(&cluster), &read.value, &args.registry).await;
    }
    read.errors.extend(images.errors);
    let rows = read.value.into_iter().zip(diagnosed).map(|(workload, diagnosed)| {
        read.errors.extend(diagnosed.errors);
        live_row(workload, args.pod_security_version, diagnosed.value, &around)
    });
    let rows = rows.collect();
    let SelectionFlags { selector, field_selector, all_namespaces, .. } = &args.selection;
    let scanned = match all_namespaces {
        _ if !targets.is_empty() || selector.is_some() || field_selector.is_some() => Scanned::Part,
        true => Scanned::Everything,
        false => Scanned::Namespace(cluster.namespace.clone()),
    };
    let (images, notes) = (images.value, around.storage.notes);
    let manifests = Vec::new();
    let value =
        Inventoried { rows, namespaces, images, manifests, scanned, notes, unjudged: Vec::new() };
    Ok(Partial { value, errors: read.errors })
}

/// What a workload is judged by beside itself.
struct Around {
    levels: foresight::se_linux::Shared,
    shared: Vec<SharedVolume>,
    storage: Storage,
    machines: VirtualMachines,
}

impl Around {
    /// What the workloads of a scope tell of each other; the rest is to be read.
    fn of(workloads: &[Workload]) -> Self {
        Around {
            levels: foresight::se_linux::Shared::among(workloads),
            shared: volume::shared(workloads),
            storage: Storage::default(),
            machines: VirtualMachines::default(),
        }
    }
}

/// A live workload with what stands in its way, by its logs, and what would, by its spec.
fn live_row(
    workload: Workload,
    version: Version,
    mut diagnosed: Vec<Obstacle>,
    around: &Around,
) -> Row {
    foresight::devices::recognise(&mut diagnosed, &workload.spec);
    let mut foreseen = foresight::of_spec(&workload, &around.levels);
    foreseen.extend(foresight::volumes(&workload, &around.storage, &around.shared));
    let of_machine = foresight::virtual_machine(&workload, &around.machines).into_iter();
    let mut row = row(&workload, version, &|_| None);
    let known = |obstacle: &Obstacle| diagnosed.iter().any(|known| same_place(known, obstacle));
    foreseen.retain(|obstacle| !known(obstacle));
    let explained = diagnosed.into_iter().chain(foreseen).map(explain::explained);
    let of_machine =
        of_machine.map(|(obstacle, remedy)| explain::explained_by_kubevirt(obstacle, remedy));
    row.workload.obstacles = explained.chain(of_machine).collect();
    row
}

/// Adds to each workload of which something was found what fix would do; comes back with what could
/// not be planned.
async fn plans(
    flags: &ClusterFlags,
    args: &ScanArgs,
    manifests: Vec<Manifest>,
    workloads: &mut [report::Workload],
) -> Result<Vec<String>, Fault> {
    let Partial { value: fixes, errors } =
        fix::plans(flags, &args.targets, &args.selection, args.level, manifests).await?;
    for workload in workloads.iter_mut().filter(|workload| !workload.findings.is_empty()) {
        let name = |fix: &Fix| {
            (fix.workload.namespace.clone(), fix.workload.kind.clone(), fix.workload.name.clone())
        };
        let wanted = (json!(workload.namespace), json!(workload.kind), json!(workload.name));
        let source = workload.source.as_ref().map(|source| (&source.file, source.line));
        let same = fixes.iter().find(|(place, fix)| {
            name(fix) == wanted && place.as_ref().map(|place| (&place.file, place.line)) == source
        });
        workload.plan = same.map(|(_, fix)| fix.clone().into());
    }
    Ok(errors.iter().map(Error::to_string).collect())
}

/// What was foreseen and has come true is told once.
fn same_place(one: &Obstacle, other: &Obstacle) -> bool {
    (&one.container, one.category, &one.path) == (&other.container, other.category, &other.path)
}

/// What stands in the way of each workload that fails, in the order of the workloads.
async fn diagnose_failing(
    cluster: &Cluster,
    workloads: &[Workload],
) -> Vec<Partial<Vec<Obstacle>>> {
    let each = workloads.iter().map(|workload| async {
        if workload.failures.is_empty() {
            return Partial::clean(Vec::new());
        }
        match explain::failure_texts(cluster, workload, None, false).await {
            Ok(texts) => Partial { value: diagnosed(&texts.value).obstacles, errors: texts.errors },
            Err(error) => Partial { value: Vec::new(), errors: vec![error] },
        }
    });
    stream::iter(each).buffered(DIAGNOSED_AT_ONCE).collect().await
}

/// Failing workloads whose logs are read side by side: as many as the API server answers without
/// queueing one user's requests behind each other.
const DIAGNOSED_AT_ONCE: usize = 8;

/// The workloads that targets name; a pod is one by itself then, whoever owns it.
async fn pick(
    cluster: &Cluster,
    targets: &[Target],
    all: Partial<Vec<Workload>>,
    everywhere: bool,
) -> Result<Partial<Vec<Workload>>, Fault> {
    let mut picked = Partial { value: Vec::new(), errors: all.errors };
    for target in targets {
        let named_pod = target.name.as_deref().filter(|_| target.kind == "Pod" && !everywhere);
        if let Some(name) = named_pod {
            match cluster.pod(&cluster.namespace, name).await {
                Ok(workload) => picked.value.push(workload),
                Err(error) => picked.errors.push(error),
            }
            continue;
        }
        let before = picked.value.len();
        let meant = |workload: &&Workload| target.matches(&workload.kind, &workload.name);
        picked.value.extend(all.value.iter().filter(meant).cloned());
        if picked.value.len() == before && (target.name.is_some() || !target.is_built_in()) {
            let place = if everywhere {
                "any namespace".to_owned()
            } else {
                format!("namespace {}", cluster.namespace)
            };
            let name = target.name.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
            let attempted = format!("scan {}{name}", target.kind.to_lowercase());
            let error = Error::input(attempted, format!("there is none in {place}"));
            picked.errors.push(error.help(target.hint(all.value.iter())));
        }
    }
    Ok(picked)
}

async fn files(args: &ScanArgs) -> Partial<Inventoried> {
    let version = args.pod_security_version;
    let paths = &args.selection.filename;
    let Partial { value, mut errors } =
        manifests::read(paths, args.selection.recursive, |manifest| {
            let row = row(&manifest.workload, version, &|field| Some(manifest.line(field)));
            let planned = (args.plan && manifest.pod.is_whole).then(|| manifest.clone());
            // In a box: all three are large, and are handed on more than once.
            Box::new((row, manifest.workload, planned))
        });
    let manifests::ManifestContents { workloads: read, unjudged, notes } = value;
    let (mut rows, mut workloads) =
        (Vec::with_capacity(read.len()), Vec::with_capacity(read.len()));
    let mut manifests = Vec::new();
    for one in read {
        let (row, workload, planned) = *one;
        rows.push(row);
        workloads.push(workload);
        manifests.extend(planned);
    }
    let levels = foresight::se_linux::Shared::among(&workloads);
    let (storage, shared) = (Storage::default(), volume::shared(&workloads));
    for (row, workload) in rows.iter_mut().zip(&workloads) {
        let of_spec = foresight::of_spec(workload, &levels).into_iter();
        let foreseen = of_spec.chain(foresight::volumes(workload, &storage, &shared));
        row.workload.obstacles = foreseen.map(explain::explained).collect();
    }
    let mut images = Vec::new();
    if args.images {
        let read = image::of_workloads(None, &workloads, &args.registry).await;
        images = read.value;
        errors.extend(read.errors);
    }
    // The process ends soon, and gives them back at once: one after the other takes longer than to
    // judge them.
    mem::forget(workloads);
    // Files one by one are what a commit changed; a directory is all there is.
    let is_directory = |path: &String| std::path::Path::new(path).is_dir();
    let scanned = if paths.iter().any(is_directory) { Scanned::Everything } else { Scanned::Part };
    Partial {
        value: Inventoried {
            rows,
            namespaces: Vec::new(),
            images,
            manifests,
            scanned,
            notes,
            unjudged,
        },
        errors,
    }
}

fn row(workload: &Workload, version: Version, line: &dyn Fn(&str) -> Option<u64>) -> Row {
    let judge = |level| policy::evaluate(&workload.metadata, &workload.spec, level, version);
    let verdicts = [judge(Level::Baseline), judge(Level::Restricted)];
    let mut annotations = workload.metadata.annotations.clone().unwrap_or_default();
    annotations.extend(workload.annotations.clone());
    Row { workload: report::Workload::new(workload, version, verdicts, line), annotations }
}

fn violates(row: &report::Workload, level: Level) -> bool {
    match level {
        Level::Privileged => false,
        Level::Baseline => !row.pod_security.baseline.is_empty(),
        Level::Restricted => !row.pod_security.restricted.is_empty(),
    }
}

fn shown(row: &report::Workload, args: &ScanArgs) -> bool {
    match args.only {
        None => true,
        Some(Only::Root) => row.root == Some(true),
        Some(Only::Failing) => !row.failures.is_empty(),
        Some(Only::Violating) => violates(row, args.level),
    }
}

fn rendered(report: &ScanReport, args: &ScanArgs) -> Result<String, Error> {
    Ok(match args.output {
        Format::Table | Format::Wide => table::scan(report, args.view()),
        Format::Json => super::json(report)?,
        Format::Yaml => super::yaml(report)?,
        Format::Name => report.workloads.iter().map(name).collect(),
        Format::Sarif => super::json(&sarif::sarif(report))?,
        Format::Html => html::html(report)?,
        Format::Markdown => markdown::scan(report),
        Format::Junit => junit::junit(report, args.judged_level())?,
    })
}

/// `deployment.apps/web`, as `kubectl get -o name` prints it.
fn name(row: &report::Workload) -> String {
    let group =
        row.api_version.split_once('/').map_or(String::new(), |(group, _)| format!(".{group}"));
    format!("{}{group}/{}\n", Clean(&row.kind.to_lowercase()), Clean(&row.name))
}
