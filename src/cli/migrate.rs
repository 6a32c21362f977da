//! `kubectl nonroot migrate`: a whole namespace to a level, proven all the way.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::MultiProgress;

use super::flags::{ClusterFlags, ProofFlags, RegistryFlags, judged_level};
use super::{Fault, exit_code, json, print, progress, prompts, say, width, yaml};
use crate::apply;
use crate::apply::migration_state::Store;
use crate::error::Error;
use crate::evidence::cluster::Cluster;
use crate::model::podsecurity::Level;
use crate::output::migrate::{self as report, MigrationReport};
use crate::usecase::fix::FixOptions;
use crate::usecase::interrupt::interrupted;
use crate::usecase::migrate::{self, Begin, MigrateOptions, Migrating};
use crate::usecase::target::Selector;

/// Take a whole namespace to a Pod Security level, with every plan proven
///
/// Plans for each workload of a namespace and runs a copy of each with its plan. With --apply it
/// writes the plans that work, one rollout after another, and then enforces the level, restarts
/// every workload under it and shows that it holds. What it found is kept in the namespace, so that --resume goes on where a run
/// ended and --undo takes all of it back.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MigrateArgs {
    /// The namespace; without it that of the context
    #[arg(value_name = "NAMESPACE")]
    name: Option<String>,
    /// Level that it is to enforce
    #[arg(long, default_value = "restricted", value_parser = judged_level)]
    level: Level,
    /// Write the plans that work, and enforce the level where nothing is in the way
    #[arg(long, conflicts_with = "undo")]
    apply: bool,
    /// Go on with what an earlier run began
    #[arg(long, conflicts_with = "undo")]
    resume: bool,
    /// Take back what a migration wrote: templates and labels
    #[arg(long)]
    undo: bool,
    /// Write a kustomize component with the plans, the namespace's labels and a text for a pull
    /// request into this directory
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "undo")]
    out: Option<PathBuf>,
    /// Workload that may be left behind and is refused from then on, as job/old; may be repeated
    #[arg(long, value_name = "TYPE/NAME")]
    accept: Vec<String>,
    /// Write to objects of a release or an operator, too, which may take it back, and against a
    /// PodDisruptionBudget
    #[arg(long)]
    force: bool,
    /// Workloads that are restarted under the level one after another, before the rest are
    #[arg(long, default_value = "0", value_name = "N", requires = "apply")]
    canary: usize,
    /// Restart nothing once the level is enforced
    #[arg(long, requires = "apply", conflicts_with = "canary")]
    no_restart: bool,
    /// File that keeps what was found, instead of a ConfigMap of the namespace
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Workloads that are proven at the same time
    #[arg(long, default_value = "4", value_name = "N")]
    parallel: usize,
    /// Seconds for each trial, and for each rollout
    #[arg(long, default_value = "600", value_name = "SECONDS")]
    timeout: u64,
    /// Let root in a user namespace be the last resort
    #[arg(long)]
    user_namespace: bool,
    /// Start the copies without asking, with all their side effects
    #[arg(short, long)]
    yes: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
    #[command(flatten)]
    proof: ProofFlags,
    #[command(flatten)]
    registry: RegistryFlags,
}

const EXAMPLES: &str = "\
Examples:
  kubectl nonroot migrate shop                      # plan and prove; writes to no workload
  kubectl nonroot migrate shop --yes --out shop-restricted/
  kubectl nonroot migrate shop --yes --apply
  kubectl nonroot migrate shop --yes --apply --resume --accept daemonset/agent
  kubectl nonroot migrate shop --undo

Exit codes: 0 every workload is admitted or proven, and with --apply the level is enforced and holds; 1 something is left to
do; 2 bad usage or input; 3 cluster or permission failure.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Yaml,
    /// For a pull request
    Markdown,
    /// A page to read, share or print
    Html,
}

pub(super) async fn run(flags: &ClusterFlags, args: MigrateArgs) -> Result<u8, Fault> {
    let mut connection = flags.connection();
    if let Some(name) = &args.name {
        connection.namespace = Some(name.clone());
    }
    let cluster = Cluster::connect(&connection).await?;
    let store = match &args.state {
        Some(path) => Store::File(path.clone()),
        None => Store::ConfigMap(cluster.namespace.clone()),
    };
    let options = options(&args)?;
    migrate::check_rights(&cluster, &store, args.apply || args.undo).await?;
    let mut lease = migrate::exclusive(&cluster).await?;
    let work = async {
        match args.undo {
            true => undo(&cluster, &store, &options).await,
            false => migrated(&cluster, &options, &store, &args).await,
        }
    };
    let done = tokio::select! {
        done = work => done,
        lost = lease.keep() => Err(lost.into()),
        () = interrupted() => Err(migrate::interrupted(&cluster).await.into()),
    };
    lease.release().await;
    done
}

fn options(args: &MigrateArgs) -> Result<MigrateOptions, Error> {
    let timeout = Duration::from_secs(args.timeout);
    let mut fix = FixOptions::of_level(Selector::default(), args.level);
    fix.trial.timeout = timeout;
    fix.trial.prefix = migrate::TRIALS;
    fix.trial.search.user_namespace = args.user_namespace;
    args.proof.apply(&mut fix.trial)?;
    fix.registry = args.registry.registry();
    Ok(MigrateOptions {
        fix,
        parallel: args.parallel,
        force: args.force,
        canary: args.canary,
        restarts: !args.no_restart,
        accepted: args.accept.iter().cloned().collect(),
        timeout,
    })
}

async fn undo(cluster: &Cluster, store: &Store, options: &MigrateOptions) -> Result<u8, Fault> {
    let errors = migrate::undo(cluster, store, options.timeout, &progress::shown()).await?;
    for error in &errors {
        say(format_args!("error: {error}"));
    }
    if errors.is_empty() {
        say(format_args!("Namespace {} is as it was before.", cluster.namespace));
    }
    Ok(exit_code(&errors, false))
}

async fn migrated(
    cluster: &Cluster,
    options: &MigrateOptions,
    store: &Store,
    args: &MigrateArgs,
) -> Result<u8, Fault> {
    if let Some(directory) = &args.out {
        apply::check_new(directory, report::FILES.into_iter())?;
    }
    let begin = if args.resume { Begin::Resumed } else { Begin::Anew };
    let migrating = Migrating::begin(cluster, options, store, begin).await?;
    let tell = progress::shown();
    let (inventory, mut errors) = migrate::inventory(cluster, options, &tell).await?;
    if !args.yes {
        for target in migrating.unproven(&inventory).await {
            prompts::start(target, &[], options.fix.trial.control)?;
        }
    }
    let lines = MultiProgress::new();
    let tell_of = |prefix: String| progress::shown_trial(&lines, prefix);
    let (inventory, failed) = migrating.prove(inventory, tell_of).await;
    errors.extend(failed);
    let mut fence = None;
    if args.apply {
        errors.extend(migrating.deliver(&inventory, &tell).await);
        match migrate::enforce(&migrating, &inventory, &tell).await {
            Ok((came, failed)) => {
                fence = Some(came);
                errors.extend(failed);
            }
            Err(error) => errors.push(error),
        }
    }
    let report = migrating.report(&inventory, fence, &errors).await;
    print(&rendered(&report, args.output)?)?;
    if let Some(directory) = &args.out {
        let files = report::files(&migrating.entries().await, &report)?;
        apply::write_all_new(directory, &files)?;
        say(format_args!("Written to {}.", directory.display()));
    }
    for error in &errors {
        say(format_args!("error: {error}"));
    }
    Ok(exit_code(&errors, !report.is_complete()))
}

fn rendered(report: &MigrationReport, format: Format) -> Result<String, Error> {
    match format {
        Format::Table => Ok(report::text(report, width())),
        Format::Json => json(report),
        Format::Yaml => yaml(report),
        Format::Markdown => Ok(report::markdown(report)),
        Format::Html => report::html(report),
    }
}
