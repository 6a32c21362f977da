//! `kubectl nonroot prove`: does a workload work as it is written.

use std::time::Duration;

use clap::{Args, ValueEnum};
use futures::{StreamExt as _, stream};
use indicatif::MultiProgress;

use super::flags::{ClusterFlags, ProofFlags, SelectionFlags, judged_level};
use super::{Fault, exit_code, json, print, progress, prompts, say, width, yaml};
use crate::error::Error;
use crate::evidence::cluster::Cluster;
use crate::model::podsecurity::Level;
use crate::output::prove::{self as report, Judged, ProveReport};
use crate::run;
use crate::usecase::fix::targets;
use crate::usecase::prove::{self, ProveOptions};

/// Tell whether workloads work as they are written, compared with copies as root
///
/// Runs a copy of each workload, changes nothing in it, and tells whether the level admits it,
/// whether it becomes ready and stays so while it is used, and whether it passes its checks and
/// does what a copy as root does. Judges anybody's patch, and a new version of an image.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ProveArgs {
    /// Workloads as TYPE/NAME, or TYPE NAME...
    #[arg(value_name = "TYPE/NAME", conflicts_with = "filename")]
    target: Vec<String>,
    #[command(flatten)]
    selection: SelectionFlags,
    /// Level that is to admit them
    #[arg(long, default_value = "restricted", value_parser = judged_level)]
    level: Level,
    #[command(flatten)]
    proof: ProofFlags,
    /// Start the copies without asking, with all their side effects
    #[arg(short, long)]
    yes: bool,
    /// Workloads at the same time
    #[arg(long, default_value = "1", value_name = "N")]
    parallel: usize,
    /// Seconds for each workload
    #[arg(long, default_value = "300", value_name = "SECONDS")]
    timeout: u64,
    /// Namespace in which the copies run, instead of the workload's
    #[arg(long, value_name = "NAME")]
    trial_namespace: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
}

const EXAMPLES: &str = "\
Examples:
  kubectl nonroot prove deploy/web --yes
  kubectl nonroot prove -f patched.yaml --yes --check 'http :8080/healthz 200'
  kubectl nonroot prove -f deploy/ -R --yes --parallel 4 -o junit > proof.xml
  kubectl nonroot prove deploy/web --yes --check-job smoke-test.yaml

A workload may bring its checks: the annotation nonroot/check holds them, one a line.

Exit codes: 0 all are proven, 1 one is not, 2 bad usage or input, 3 cluster or permission failure.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Yaml,
    /// For CI servers: a suite for each workload
    Junit,
    /// For a comment or a job's summary
    Markdown,
}

pub(super) async fn run(flags: &ClusterFlags, args: ProveArgs) -> Result<u8, Fault> {
    let selector = args.selection.selector(&args.target)?;
    if selector.files.is_empty()
        && selector.targets.is_empty()
        && selector.labels.is_none()
        && !selector.all_namespaces
    {
        let error = Error::input("prove", "no workload is named");
        return Err(error.help("name one as TYPE/NAME; kubectl nonroot scan lists them").into());
    }
    let mut trial =
        run::Options { timeout: Duration::from_secs(args.timeout), ..run::Options::default() };
    trial.search.level = args.level;
    args.proof.apply(&mut trial)?;
    let cluster = Cluster::connect(&flags.connection()).await?;
    let tell = progress::shown();
    let (targets, mut errors) = match selector.files.is_empty() {
        true => targets::of_cluster(&cluster, &selector, &tell).await?,
        false => {
            let (found, errors) = targets::of_files(&selector, args.level, &cluster.namespace);
            found.notes.iter().for_each(|note| say(format_args!("warning: {note}")));
            (found.targets, errors)
        }
    };
    let options =
        ProveOptions { level: args.level, trial, trial_namespace: args.trial_namespace.clone() };
    if !args.yes {
        for target in &targets {
            prompts::start(target, &[], options.trial.control)?;
        }
    }
    let lines = MultiProgress::new();
    let (lines, several) = (&lines, targets.len() > 1);
    let (cluster, options) = (&cluster, &options);
    let each = targets.iter().map(|target| async move {
        let prefix = if several { format!("{}: ", target.name()) } else { String::new() };
        let tell = progress::shown_trial(lines, prefix);
        prove::judged(cluster, options, target, &tell).await
    });
    let results: Vec<Result<(Judged, Option<Error>), Error>> =
        stream::iter(each).buffered(args.parallel.max(1)).collect().await;
    let mut judged = Vec::new();
    for result in results {
        match result {
            Ok((one, left_behind)) => {
                judged.push(one);
                errors.extend(left_behind);
            }
            Err(error) => errors.push(error),
        }
    }
    let is_any_unproven = judged.iter().any(|one| !one.is_proven());
    let warnings = errors.iter().map(Error::to_string).collect();
    let report = ProveReport::new(warnings, judged);
    print(&rendered(&report, args.output)?)?;
    for error in &errors {
        say(format_args!("error: {error}"));
    }
    if report.workloads.is_empty() && errors.is_empty() {
        say(format_args!("No workloads found."));
    }
    Ok(exit_code(&errors, is_any_unproven))
}

fn rendered(report: &ProveReport, format: Format) -> Result<String, Error> {
    match format {
        Format::Table => Ok(report::text(report, width())),
        Format::Json => json(report),
        Format::Yaml => yaml(report),
        Format::Junit => report::junit(report),
        Format::Markdown => Ok(report::markdown(report)),
    }
}
