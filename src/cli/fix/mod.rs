//! `kubectl nonroot fix`: the plan for workloads, with --trial the proof of it, and its way into
//! the cluster or a file.

mod arguments;
pub(super) mod ask;
mod deliver;
mod file;
mod planning;
mod render;
mod subject;
mod users;

use clap::Parser as _;
use futures::{StreamExt as _, stream};
use indicatif::MultiProgress;

use super::flags::{ClusterFlags, SelectionFlags};
use super::progress::Spinner;
use super::{Cli, Command, Fault, exit_code, print, print_file, say};
use crate::error::{Error, Partial};
use crate::evidence::cluster::Cluster;
use crate::evidence::manifests::Manifest;
use crate::model::plan::{Plan, Proof};
use crate::model::podsecurity::Level;
use crate::model::workload::Location;
use crate::output::fix as report;
use crate::plan::Owner;
use crate::run;
use arguments::ChosenLevel;
pub(super) use arguments::FixArgs;
use file::Edited;
use planning::planned;
use render::{fix, rendered};
use subject::{OfFiles, Subject};

/// What came of one workload.
struct Fixed {
    subject: Subject,
    plan: Plan,
    proof: Option<Proof>,
    /// What is left as it is, or forbidden still.
    warnings: Vec<String>,
    /// The level forbids nothing of what the plan leads to.
    is_admitted: bool,
    owner: Option<Owner>,
    /// Why pods of the trial may still be there.
    left_behind: Option<Error>,
}

impl Fixed {
    /// The object with the plan in it, as its file or the cluster has it.
    fn after(&self) -> serde_json::Value {
        self.subject.after(&self.plan.object)
    }

    /// Whether there is anything to change.
    fn changes(&self) -> bool {
        self.after() != *self.subject.before()
    }

    fn is_proven(&self) -> bool {
        self.proof.as_ref().is_some_and(|proof| proof.ready)
    }

    /// Nothing is left that an exit code should tell.
    fn is_good(&self) -> bool {
        self.proof.as_ref().is_none_or(|proof| proof.ready) && self.is_admitted
    }
}

pub(super) async fn run(flags: &ClusterFlags, args: FixArgs) -> Result<u8, Fault> {
    file::check(&args)?;
    let files = !args.selection.filename.is_empty();
    let asks =
        args.output.is_none() && !args.yes && !args.apply && !args.write && ask::is_answered();
    let cluster = match Cluster::connect(&flags.connection()).await {
        Ok(cluster) => Some(cluster),
        // A manifest alone needs none.
        Err(_) if files && !args.trial && !args.clean => None,
        Err(error) => return Err(error.into()),
    };
    if let (true, Some(cluster)) = (args.clean, &cluster) {
        return clean(cluster, &args).await;
    }
    let nothing_named = args.target.is_empty()
        && args.selection.selector.is_none()
        && !args.selection.all_namespaces;
    if !files && nothing_named && !asks {
        let error = Error::input("fix", "no workload is named");
        return Err(error.help("name one as TYPE/NAME; kubectl nonroot scan lists them").into());
    }
    let (mut found, errors) = match &cluster {
        Some(cluster) if !files => {
            let _spinner = Spinner::start("reading workloads");
            let (subjects, errors) = subject::of_cluster(cluster, &args).await?;
            (OfFiles { subjects, ..OfFiles::default() }, errors)
        }
        _ => subject::of_files(
            &args,
            cluster.as_ref().map_or("default", |cluster| cluster.namespace.as_str()),
        ),
    };
    if let Some(cluster) = &cluster {
        found.ask_schemas(cluster).await;
    }
    let OfFiles { files: texts, mut subjects, notes, saw_others, left_alone, .. } = found;
    for warning in errors.iter().map(ToString::to_string).chain(notes) {
        say(format_args!("warning: {warning}"));
    }
    if subjects.is_empty() {
        let text = rendered(&[], &texts, &[], &args)?;
        if args.prints_files() {
            print_file(&text)?
        } else {
            print(&text)?
        }
        if errors.is_empty() && !saw_others {
            say(format_args!("No workloads found."));
        }
        return Ok(exit_code(&errors, left_alone));
    }
    if asks {
        if !files && nothing_named {
            subjects.retain(|subject| planning::wants(&subject.object, args.level()));
        }
        let chosen = if subjects.len() > 1 { ask::which(&subjects)? } else { 0 };
        if chosen >= subjects.len() {
            say(format_args!("Nothing is left to fix in this namespace."));
            return Ok(0);
        }
        let mut chosen = subjects.swap_remove(chosen);
        if !args.offline && !args.images {
            subject::ask_images(
                cluster.as_ref(),
                &args.registry,
                std::slice::from_mut(&mut chosen),
            )
            .await;
        }
        return deliver::interactive(cluster.as_ref(), &args, chosen).await;
    }
    for volume in &args.with_volumes {
        if !subjects.iter().any(|subject| subject.has_volume(volume)) {
            let why = format!("no workload has a volume of the name {volume}");
            return Err(Error::input("mount a volume with its data (--with-volumes)", why).into());
        }
    }
    if !args.offline && !args.images {
        tokio::select! {
            () = subject::ask_images(cluster.as_ref(), &args.registry, &mut subjects) => {}
            () = stopped() => return Err(Error::input("ask the images for their users", "it was interrupted").into()),
        }
    }
    let several = subjects.len() > 1;
    if several && !args.trace.is_empty() {
        let error = Error::input(
            "plan from a trace (--trace)",
            "it is of one workload, and several are selected",
        );
        return Err(error.help("name the one that was traced").into());
    }
    let lines = MultiProgress::new();
    let lines = &lines;
    let plans = subjects.into_iter().map(|subject| async {
        if args.trial && !args.yes {
            ask::start(&subject, &args.with_volumes)?;
        }
        planned(cluster.as_ref(), &args, subject, args.trial, several.then_some(lines)).await
    });
    let results: Vec<Result<Fixed, Fault>> =
        stream::iter(plans).buffered(args.parallel.max(1)).collect().await;
    let mut errors = errors;
    let mut fixed = Vec::new();
    for result in results {
        match result {
            Ok(one) => fixed.push(one),
            Err(Fault::Error(error)) if several => {
                say(format_args!("error: {error}"));
                errors.push(error);
            }
            Err(fault) => return Err(fault),
        }
    }
    errors.extend(fixed.iter().filter_map(|one| one.left_behind.clone()));
    let good = fixed.iter().all(Fixed::is_good);
    let all: Vec<&Fixed> = fixed.iter().collect();
    let edited: Vec<Edited> = texts.iter().map(|file| file::edited(file, &all)).collect();
    if args.write || args.prints_files() {
        for error in edited.iter().flat_map(|edited| &edited.errors) {
            say(format_args!("error: {error}"));
            errors.push(error.clone());
        }
    }
    let text = rendered(&fixed, &texts, &edited, &args)?;
    if args.prints_files() {
        print_file(&text)?
    } else {
        print(&text)?
    }
    if args.prints_changes() {
        for one in &fixed {
            let guesses =
                if one.proof.is_none() { planning::guesses(&one.plan) } else { Vec::new() };
            for warning in guesses.into_iter().chain(render::warnings(one)) {
                say(format_args!("warning: {}: {warning}", one.subject.name()));
            }
        }
    }
    if args.write {
        for error in texts.iter().filter_map(|file| file::write(file, &all).err()) {
            say(format_args!("error: {error}"));
            errors.push(error);
        }
    }
    let delivered = deliver::all(cluster.as_ref(), &args, &fixed, &mut errors).await?;
    Ok(exit_code(&errors, !good || !delivered || left_alone))
}

/// Trials are of one workload after another; plans only read.
const PLANNED_AT_ONCE: usize = 4;

/// What fix would do to each workload, without a trial: for the reports of scan. `manifests` stand
/// for themselves; without any, targets and selection tell which of the cluster are meant. Each
/// with its place in a file.
pub(super) async fn plans(
    flags: &ClusterFlags,
    targets: &[String],
    selection: &SelectionFlags,
    level: Level,
    manifests: Vec<Manifest>,
) -> Result<Partial<Vec<(Option<Location>, report::Fix)>>, Fault> {
    let args = FixArgs {
        target: targets.to_vec(),
        selection: selection.clone(),
        level: if level == Level::Baseline {
            ChosenLevel::Baseline
        } else {
            ChosenLevel::Restricted
        },
        ..plain()?
    };
    let files = !selection.filename.is_empty();
    let cluster = if files { None } else { Some(Cluster::connect(&flags.connection()).await?) };
    let (subjects, mut errors) = match &cluster {
        Some(cluster) => subject::of_cluster(cluster, &args).await?,
        None => (
            manifests
                .into_iter()
                .map(|manifest| subject::of_manifest(manifest, "default"))
                .collect(),
            Vec::new(),
        ),
    };
    let (args, cluster) = (&args, cluster.as_ref());
    let plans = subjects.into_iter().map(|subject| async move {
        let place = subject.manifest.as_ref().and_then(|manifest| manifest.workload.source.clone());
        planned(cluster, args, subject, false, None).await.map(|fixed| (place, fix(&fixed)))
    });
    let results: Vec<Result<_, Fault>> =
        stream::iter(plans).buffered(PLANNED_AT_ONCE).collect().await;
    let mut value = Vec::new();
    for result in results {
        match result {
            Ok(one) => value.push(one),
            Err(Fault::Error(error)) => errors.push(error),
            Err(fault) => return Err(fault),
        }
    }
    Ok(Partial { value, errors })
}

/// The arguments as they are where no flag is given.
fn plain() -> Result<FixArgs, Error> {
    match Cli::try_parse_from(["kubectl-nonroot", "fix"]) {
        Ok(Cli { command: Command::Fix(args), .. }) => Ok(args),
        _ => Err(Error::input("plan", "fix has no plain form")),
    }
}

async fn clean(cluster: &Cluster, args: &FixArgs) -> Result<u8, Fault> {
    let namespace = args.trial_namespace.as_deref().unwrap_or(&cluster.namespace);
    let count = run::clean(cluster, namespace, None).await?;
    say(format_args!("{count} trial pods removed from namespace {namespace}."));
    Ok(0)
}

/// Ctrl-C, or the polite end that a supervisor asks for.
pub(super) async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
