//! `kubectl nonroot scan`: who runs as root, what Pod Security would refuse, what fails now.

use clap::{Args, ValueEnum};
use futures::stream::{self, StreamExt as _};

use super::explain;
use super::flags::{ClusterFlags, SelectionFlags};
use super::progress::Spinner;
use super::target::{self, Target};
use super::{Fault, exit_code, print, say};
use crate::error::{Error, Read};
use crate::evidence::cluster::{Cluster, Inventory};
use crate::evidence::manifests;
use crate::foresight;
use crate::model::obstacle::Obstacle;
use crate::model::podsecurity::{Level, Namespace, Version};
use crate::model::workload::Workload;
use crate::output::report::{self, ScanReport};
use crate::output::table::{self, View};
use crate::output::terminal::Clean;
use crate::policy;
use crate::trial::diagnosed;

/// Find what runs as root, what Pod Security would refuse and what fails
///
/// Looks at every pod of a namespace, or at manifests with -f, and shows one line for each workload. Reads only.
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
    /// Output format
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
    /// Exit with 0 though something was found
    #[arg(long)]
    exit_zero: bool,
    #[command(flatten)]
    selection: SelectionFlags,
}

const EXAMPLES: &str = "\
Examples:
  kubectl nonroot scan                          # the current namespace
  kubectl nonroot scan -A --only root           # every namespace: what runs as root
  kubectl nonroot scan deploy/web sts/db -o wide
  kubectl nonroot scan -f deploy/ -R            # manifests, no cluster
  helm template ./chart | kubectl nonroot scan -f -

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
}

pub(super) fn judged_level(text: &str) -> Result<Level, String> {
    match text.parse()? {
        Level::Privileged => Err("privileged forbids nothing: use baseline or restricted".to_owned()),
        level => Ok(level),
    }
}

pub(super) async fn run(flags: &ClusterFlags, args: ScanArgs) -> Result<u8, Fault> {
    let live = args.selection.filename.is_empty();
    let Read { value: (mut rows, namespaces), errors } = if live { cluster(flags, &args).await? } else { files(&args) };
    rows.retain(|row| shown(row, &args));
    let found = rows.iter().any(|row| is_found(row, args.level));
    let warnings = errors.iter().map(Error::to_string).collect();
    let report = ScanReport::new(rows, &namespaces, warnings);
    print(&rendered(&report, &args)?)?;
    for error in &errors {
        say(format_args!("warning: {error}"));
    }
    if report.workloads.is_empty() && errors.is_empty() {
        say(format_args!("No workloads found."));
    }
    Ok(exit_code(&errors, found && !args.exit_zero))
}

type Rows = (Vec<report::Workload>, Vec<Namespace>);

async fn cluster(flags: &ClusterFlags, args: &ScanArgs) -> Result<Read<Rows>, Fault> {
    let targets = target::targets(&args.targets)?;
    let cluster = Cluster::connect(&flags.connection()).await?;
    let scope = args.selection.scope(&cluster.namespace);
    let spinner = Spinner::start("reading pods");
    let Read { value: Inventory { workloads, namespaces }, errors } = cluster.inventory(&scope).await?;
    let levels = foresight::se_linux::Shared::among(&workloads);
    let mut read = Read { value: workloads, errors };
    if !targets.is_empty() {
        read = pick(&cluster, &targets, read, args.selection.all_namespaces).await?;
    }
    let diagnosed = diagnose_failing(&cluster, &read.value).await;
    drop(spinner);
    let version = args.pod_security_version;
    let rows = read.value.into_iter().zip(diagnosed).map(|(workload, mut diagnosed)| {
        foresight::devices::recognise(&mut diagnosed.value, &workload.spec);
        let foreseen = foresight::of_spec(&workload, &levels);
        let mut row = row(workload, version, &|_| None);
        let known = |obstacle: &Obstacle| diagnosed.value.iter().any(|known| same_place(known, obstacle));
        let foreseen: Vec<Obstacle> = foreseen.into_iter().filter(|obstacle| !known(obstacle)).collect();
        row.obstacles = diagnosed.value.into_iter().chain(foreseen).map(explain::explained).collect();
        read.errors.extend(diagnosed.errors);
        row
    });
    let rows = rows.collect();
    Ok(Read { value: (rows, namespaces), errors: read.errors })
}

/// What was foreseen and has come true is told once.
fn same_place(one: &Obstacle, other: &Obstacle) -> bool {
    (&one.container, one.category, &one.path) == (&other.container, other.category, &other.path)
}

/// What stands in the way of each workload that fails, in the order of the workloads.
async fn diagnose_failing(cluster: &Cluster, workloads: &[Workload]) -> Vec<Read<Vec<Obstacle>>> {
    let each = workloads.iter().map(|workload| async {
        if workload.failures.is_empty() {
            return Read::clean(Vec::new());
        }
        match explain::failure_texts(cluster, workload, None, false).await {
            Ok(texts) => Read { value: diagnosed(&texts.value).obstacles, errors: texts.errors },
            Err(error) => Read { value: Vec::new(), errors: vec![error] },
        }
    });
    stream::iter(each).buffered(DIAGNOSED_AT_ONCE).collect().await
}

/// Failing workloads whose logs are read side by side: as many as the API server answers without queueing one user's
/// requests behind each other.
const DIAGNOSED_AT_ONCE: usize = 8;

/// The workloads that targets name; a pod is one by itself then, whoever owns it.
async fn pick(
    cluster: &Cluster,
    targets: &[Target],
    all: Read<Vec<Workload>>,
    everywhere: bool,
) -> Result<Read<Vec<Workload>>, Fault> {
    let mut picked = Read { value: Vec::new(), errors: all.errors };
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
        if let Some(name) = &target.name
            && picked.value.len() == before
        {
            let place =
                if everywhere { "any namespace".to_owned() } else { format!("namespace {}", cluster.namespace) };
            let error = Error::input(
                format!("scan {}/{name}", target.kind.to_lowercase()),
                format!("there is none in {place}"),
            );
            picked.errors.push(error.help("see kubectl nonroot scan -A"));
        }
    }
    Ok(picked)
}

fn files(args: &ScanArgs) -> Read<Rows> {
    let (mut rows, mut errors) = (Vec::new(), Vec::new());
    let version = args.pod_security_version;
    let mut workloads = Vec::new();
    let mut found = |manifest: manifests::Manifest| {
        let row = row(manifest.workload.clone(), version, &|field| Some(manifest.line(field)));
        rows.push(row);
        workloads.push(manifest.workload);
    };
    manifests::read(&args.selection.filename, args.selection.recursive, &mut found, &mut |error| errors.push(error));
    let levels = foresight::se_linux::Shared::among(&workloads);
    for (row, workload) in rows.iter_mut().zip(&workloads) {
        row.obstacles = foresight::of_spec(workload, &levels).into_iter().map(explain::explained).collect();
    }
    Read { value: (rows, Vec::new()), errors }
}

fn row(workload: Workload, version: Version, line: &dyn Fn(&str) -> Option<u64>) -> report::Workload {
    let judge = |level| policy::evaluate(&workload.metadata, &workload.spec, level, version);
    let verdicts = [judge(Level::Baseline), judge(Level::Restricted)];
    report::Workload::new(workload, version, verdicts, line)
}

fn violates(row: &report::Workload, level: Level) -> bool {
    match level {
        Level::Privileged => false,
        Level::Baseline => !row.pod_security.baseline.is_empty(),
        Level::Restricted => !row.pod_security.restricted.is_empty(),
    }
}

fn is_found(row: &report::Workload, level: Level) -> bool {
    row.root == Some(true) || !row.failures.is_empty() || violates(row, level)
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
        Format::Table | Format::Wide => {
            let view = View { level: args.level, wide: args.output == Format::Wide, width: super::width() };
            table::scan(report, view)
        }
        Format::Json => super::json(report)?,
        Format::Yaml => super::yaml(report)?,
        Format::Name => report.workloads.iter().map(name).collect(),
    })
}

/// `deployment.apps/web`, as `kubectl get -o name` prints it.
fn name(row: &report::Workload) -> String {
    let group = row.api_version.split_once('/').map_or(String::new(), |(group, _)| format!(".{group}"));
    format!("{}{group}/{}\n", Clean(&row.kind.to_lowercase()), Clean(&row.name))
}
