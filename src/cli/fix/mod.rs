//! `kubectl nonroot fix`: plans for workloads, with --trial their proof, and their way into the
//! cluster or a file.

mod arguments;
mod chart;
mod delivery;
mod render;

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use indicatif::MultiProgress;

use super::flags::ClusterFlags;
use super::{Fault, exit_code, print, print_file, progress, prompts, say};
use crate::error::Error;
use crate::evidence::cluster::Cluster;
use crate::evidence::manifests::ManifestFile;
use crate::run;
use crate::usecase::fix::edited_files::{self, Edited};
use crate::usecase::fix::targets::{self, FixTarget, OfFiles};
use crate::usecase::fix::{FixOptions, Fixed, planning};
use crate::usecase::interrupt::interrupted;
use crate::usecase::progress::{Tell, Work};
pub(super) use arguments::FixArgs;
use arguments::Format;
use render::rendered;

pub(super) async fn run(flags: &ClusterFlags, args: FixArgs) -> Result<u8, Fault> {
    check(&args)?;
    let is_of_files = !args.selection.filename.is_empty();
    let cluster = match Cluster::connect(&flags.connection()).await {
        Ok(cluster) => Some(cluster),
        // Manifests alone need no cluster.
        Err(_) if is_of_files && !args.trial && !args.clean => None,
        Err(error) => return Err(error.into()),
    };
    let cluster = cluster.as_ref();
    if let (true, Some(cluster)) = (args.clean, cluster) {
        return clean(cluster, &args).await;
    }
    let asks =
        args.output.is_none() && !args.yes && !args.apply && !args.write && prompts::is_answered();
    if args.names_nothing() && !asks {
        let error = Error::input("fix", "no workload is named");
        return Err(error.help("name one as TYPE/NAME; kubectl nonroot scan lists them").into());
    }
    let options = args.options()?;
    if let (Some(Format::Policy), Some(cluster)) = (args.output, cluster) {
        policies_are_served(cluster).await?;
    }
    let tell = progress::shown();
    if let Some(chart) = chart::of(cluster, &args)? {
        return chart.run(cluster, &args, &options, &tell).await;
    }
    let (found, mut errors) = found(cluster, &options, &tell).await?;
    if args.is_of_values() {
        return chart::of_release(cluster, &args, &options, found.targets, &tell).await;
    }
    for warning in errors.iter().map(ToString::to_string).chain(found.notes) {
        say(format_args!("warning: {warning}"));
    }
    if found.targets.is_empty() {
        print_rendered(&[], &found.files, &[], &args)?;
        if errors.is_empty() && !found.saw_others {
            say(format_args!("No workloads found."));
        }
        return Ok(exit_code(&errors, found.left_alone));
    }
    if asks {
        return chosen(cluster, &args, &options, found.targets, &tell).await;
    }
    let fixed = planned(cluster, &args, &options, found.targets, &mut errors, &tell).await?;
    let good = fixed.iter().all(Fixed::is_good);
    let all: Vec<&Fixed> = fixed.iter().collect();
    let edited: Vec<Edited> =
        found.files.iter().map(|file| edited_files::edited(file, &all)).collect();
    if args.write || args.prints_files() {
        for error in edited.iter().flat_map(|edited| &edited.errors) {
            say(format_args!("error: {error}"));
            errors.push(error.clone());
        }
    }
    print_rendered(&fixed, &found.files, &edited, &args)?;
    if args.prints_changes() {
        warn(&fixed);
    }
    if args.write {
        for error in found.files.iter().filter_map(|file| delivery::write(file, &all).err()) {
            say(format_args!("error: {error}"));
            errors.push(error);
        }
    }
    let delivered = delivery::all(cluster, &args, &fixed, &mut errors).await;
    Ok(exit_code(&errors, !good || !delivered || found.left_alone))
}

/// Whether a policy would be of any use in a cluster.
async fn policies_are_served(cluster: &Cluster) -> Result<(), Error> {
    let (api_version, kind) = ("admissionregistration.k8s.io/v1", "MutatingAdmissionPolicy");
    if cluster.serves(api_version, kind).await? {
        return Ok(());
    }
    let why = format!("the API server has no {kind} of {api_version}, which is Kubernetes 1.36's");
    Err(Error::input("make a policy (-o policy)", why)
        .help("change the template where its owner takes it from"))
}

/// The workloads of the cluster or of the files, and what could not be read.
async fn found(
    cluster: Option<&Cluster>,
    options: &FixOptions,
    tell: Tell<'_>,
) -> Result<(OfFiles, Vec<Error>), Error> {
    let selector = &options.selector;
    let (mut found, errors) = match cluster {
        Some(cluster) if selector.files.is_empty() => {
            let _work = Work::begin(tell, "reading workloads");
            let (targets, errors) = targets::of_cluster(cluster, selector, tell).await?;
            (OfFiles { targets, ..OfFiles::default() }, errors)
        }
        _ => {
            let namespace = cluster.map_or("default", |cluster| cluster.namespace.as_str());
            targets::of_files(selector, options.level(), namespace)
        }
    };
    if let Some(cluster) = cluster {
        found.ask_schemas(cluster).await;
    }
    Ok((found, errors))
}

/// Lets a person choose one of the workloads, and then what becomes of it.
async fn chosen(
    cluster: Option<&Cluster>,
    args: &FixArgs,
    options: &FixOptions,
    mut targets: Vec<FixTarget>,
    tell: Tell<'_>,
) -> Result<u8, Fault> {
    if args.names_nothing() {
        targets.retain(|target| planning::wants(&target.object, options.level()));
    }
    let chosen = if targets.len() > 1 { prompts::which(&targets)? } else { 0 };
    if chosen >= targets.len() {
        say(format_args!("Nothing is left to fix in this namespace."));
        return Ok(0);
    }
    let mut chosen = targets.swap_remove(chosen);
    if !args.offline && !args.images {
        let chosen = std::slice::from_mut(&mut chosen);
        targets::ask_images(cluster, &options.registry, chosen, tell).await;
    }
    delivery::interactive(cluster, args, options, chosen).await
}

/// Plans for every workload, and tries the plans where that is asked for.
async fn planned(
    cluster: Option<&Cluster>,
    args: &FixArgs,
    options: &FixOptions,
    mut targets: Vec<FixTarget>,
    errors: &mut Vec<Error>,
    tell: Tell<'_>,
) -> Result<Vec<Fixed>, Fault> {
    for volume in &args.with_volumes {
        if !targets.iter().any(|target| target.has_volume(volume)) {
            let why = format!("no workload has a volume named {volume}");
            return Err(Error::input("mount a volume with its data (--with-volumes)", why).into());
        }
    }
    if !args.offline && !args.images {
        tokio::select! {
            () = targets::ask_images(cluster, &options.registry, &mut targets, tell) => {}
            () = interrupted() => {
                let error = Error::input("ask the images for their users", "it was interrupted");
                return Err(error.into());
            }
        }
    }
    let several = targets.len() > 1;
    if several && !args.trace.is_empty() {
        let error = Error::input(
            "plan from a trace (--trace)",
            "a trace is of one workload, and several are selected",
        );
        return Err(error.help("name the one that was traced").into());
    }
    let lines = MultiProgress::new();
    let lines = &lines;
    let plans = targets.into_iter().map(|target| async move {
        if args.trial && !args.yes {
            prompts::start(&target, &args.with_volumes, options.trial.control)?;
        }
        let prefix = if several { format!("{}: ", target.name()) } else { String::new() };
        plan(cluster, options, target, args.trial, lines, prefix).await
    });
    let results: Vec<Result<Fixed, Fault>> =
        stream::iter(plans).buffered(args.parallel.max(1)).collect().await;
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
    Ok(fixed)
}

/// Plans for one workload and shows what goes on, among the lines of others.
async fn plan(
    cluster: Option<&Cluster>,
    options: &FixOptions,
    target: FixTarget,
    proves: bool,
    lines: &MultiProgress,
    prefix: String,
) -> Result<Fixed, Fault> {
    if proves {
        let tell = progress::shown_trial(lines, prefix);
        return Ok(planning::planned(cluster, options, target, true, &tell).await?);
    }
    let tell = progress::shown_of(prefix);
    Ok(planning::planned(cluster, options, target, false, &tell).await?)
}

fn print_rendered(
    fixed: &[Fixed],
    files: &[Arc<ManifestFile>],
    edited: &[Edited],
    args: &FixArgs,
) -> Result<(), Fault> {
    let text = rendered(fixed, files, edited, args)?;
    if args.prints_files() { print_file(&text) } else { print(&text) }
}

/// Says what a reader should know beside a change that is printed alone.
fn warn(fixed: &[Fixed]) {
    for one in fixed {
        let guesses = if one.proof.is_none() { planning::guesses(&one.plan) } else { Vec::new() };
        for warning in guesses.into_iter().chain(one.warnings()) {
            say(format_args!("warning: {}: {warning}", one.target.name()));
        }
    }
}

/// Refuses to write to standard input, before anything else is done.
fn check(args: &FixArgs) -> Result<(), Error> {
    if args.write && args.selection.filename.iter().any(|name| name == "-") {
        let error = Error::input("write to standard input", "it is not a file");
        return Err(error.help(
            "-o yaml prints the result, -o kustomize a patch for what it was rendered from",
        ));
    }
    Ok(())
}

async fn clean(cluster: &Cluster, args: &FixArgs) -> Result<u8, Fault> {
    let namespace = args.trial_namespace.as_deref().unwrap_or(&cluster.namespace);
    let count = run::clean(cluster, namespace, None).await?;
    say(format_args!("{count} trial pods removed from namespace {namespace}."));
    Ok(0)
}
