//! `kubectl nonroot scan`: what runs as root, what Pod Security would refuse, what fails now.

mod watch;

use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use k8s_openapi::jiff::civil::Date;

use super::flags::{ClusterFlags, RegistryFlags, SelectionFlags, judged_level};
use super::{Fault, exit_code, print, progress, say};
use crate::error::{Error, Partial};
use crate::evidence::cluster::Cluster;
use crate::model::finding::FindingClass;
use crate::model::podsecurity::{Level, Version};
use crate::output::report::{self, ScanReport};
use crate::output::table::{self, View};
use crate::output::terminal::Clean;
use crate::output::{html, junit, markdown, sarif};
use crate::usecase::acceptance::AcceptanceOptions;
use crate::usecase::scan::{self, ScanOptions};

/// Find what runs as root, what Pod Security would refuse and what fails
///
/// Looks at every pod of a namespace, or at manifests with -f, and shows one line for each
/// workload. Reads only.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ScanArgs {
    /// Workloads as TYPE/NAME, TYPE NAME or TYPE; by default all of the namespace
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
    /// Keep the table up to date until Ctrl-C; without a terminal, print each change
    #[arg(short, long, conflicts_with_all = ["filename", "plan", "images", "write_baseline"])]
    watch: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
    /// What makes the exit code 1, separated by commas; by default root, what --level forbids and
    /// what fails
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    fail_on: Vec<FailOn>,
    /// Exit with 0 even if something was found
    #[arg(long)]
    exit_zero: bool,
    /// Add the plan of fix to each workload, without a trial; reads running pods by exec
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
  kubectl nonroot scan -A --watch               # and how that changes
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
    /// Something would prevent running as non-root
    Obstacle,
    /// An entry of the baseline has expired or matches nothing
    Stale,
    /// Nothing makes the exit code 1
    Never,
}

/// Findings that are accepted.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Accepted findings")]
struct AcceptanceFlags {
    /// File of accepted findings, each with its reason
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write the findings that count into the file of --baseline, and remove entries that match
    /// nothing
    #[arg(long, requires = "baseline")]
    write_baseline: bool,
    /// Reason of the entries that --write-baseline adds
    #[arg(long, value_name = "TEXT", requires = "write_baseline")]
    reason: Option<String>,
    /// Last day of the entries that --write-baseline adds or renews, such as 2027-03-31
    #[arg(long, value_name = "DATE", requires = "write_baseline", value_parser = date)]
    expires: Option<Date>,
}

fn date(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| format!("{text:?} is not a date: write it as 2027-03-31"))
}

pub(super) async fn run(flags: &ClusterFlags, args: ScanArgs) -> Result<u8, Fault> {
    if args.watch {
        return watched(flags, &args).await;
    }
    let options = args.options()?;
    let Partial { value: report, errors } =
        scan::scan(&flags.connection(), &options, &progress::shown()).await?;
    // It is given back with the process: one thing after the other takes as long as to judge it.
    let report = ManuallyDrop::new(report);
    print(&rendered(&report, &args)?)?;
    for warning in &report.warnings {
        say(format_args!("warning: {warning}"));
    }
    warn_of_stale(&report, args.acceptance.baseline.as_deref());
    if report.workloads.is_empty() && report.unjudged.is_empty() && errors.is_empty() {
        say(format_args!("No workloads found."));
    }
    Ok(exit_code(&errors, is_found(&report, &args) && !args.exit_zero))
}

/// Whether the report has anything that makes the exit code 1.
fn is_found(report: &ScanReport, args: &ScanArgs) -> bool {
    let mut findings = report.workloads.iter().flat_map(|workload| &workload.findings);
    let is_stale = report
        .baseline
        .as_ref()
        .is_some_and(|file| !file.expired.is_empty() || !file.unmatched.is_empty());
    let counts = |object: &report::Unjudged| {
        object.root && args.counts(FindingClass::Root)
            || object.forbidden && args.counts(FindingClass::Baseline)
    };
    findings.any(|finding| finding.accepted.is_none() && args.counts(finding.class))
        || (is_stale && args.fails_on(FailOn::Stale))
        || report.unjudged.iter().any(counts)
}

/// Says which entries of the baseline no longer hold.
fn warn_of_stale(report: &ScanReport, baseline: Option<&Path>) {
    let file = baseline.unwrap_or(Path::new("")).display();
    let lists = report.baseline.iter().flat_map(|read| {
        [
            (&read.expired, "has expired, and accepts nothing"),
            (&read.unmatched, "matches no finding any more"),
        ]
    });
    for (entries, what) in lists {
        for report::Entry { line, workload, check, .. } in entries {
            say(format_args!("warning: {file}:{line} {what}: {check} of {workload}"));
        }
    }
}

async fn watched(flags: &ClusterFlags, args: &ScanArgs) -> Result<u8, Fault> {
    if !matches!(args.output, Format::Table | Format::Wide) {
        let error = Error::input("watch with this output", "a watch shows a table");
        return Err(error.help("leave out --watch, or use -o table or -o wide").into());
    }
    let options = args.options()?;
    let cluster = Cluster::connect(&flags.connection()).await?;
    watch::run(&cluster, &options, args.view()).await
}

impl ScanArgs {
    fn options(&self) -> Result<ScanOptions, Error> {
        let AcceptanceFlags { baseline, write_baseline, reason, expires } = &self.acceptance;
        Ok(ScanOptions {
            selector: self.selection.selector(&self.targets)?,
            level: self.level,
            judged_level: self.judged_level(),
            version: self.pod_security_version,
            only: self.only.map(|only| match only {
                Only::Root => scan::Only::Root,
                Only::Failing => scan::Only::Failing,
                Only::Violating => scan::Only::Violating,
            }),
            plan: self.plan,
            images: self.images,
            registry: self.registry.registry(),
            acceptance: AcceptanceOptions {
                baseline: baseline.clone(),
                write: *write_baseline,
                reason: reason.clone(),
                expires: *expires,
            },
            counts: FindingClass::ALL.into_iter().filter(|class| self.counts(*class)).collect(),
        })
    }

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
    fn counts(&self, class: FindingClass) -> bool {
        let what = match class {
            FindingClass::Root => FailOn::Root,
            FindingClass::Baseline => FailOn::Baseline,
            FindingClass::Restricted => FailOn::Restricted,
            FindingClass::Failing => FailOn::Failing,
            FindingClass::Obstacle => FailOn::Obstacle,
        };
        self.fails_on(what) && !self.fail_on.contains(&FailOn::Never)
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
