//! `kubectl nonroot fix`: the plan for a workload, and with --trial the proof of it.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::explain;
use super::flags::ClusterFlags;
use super::target;
use super::{Fault, json, print, say};
use crate::error::Error;
use crate::evidence::cluster::Cluster;
use crate::evidence::manifests;
use crate::model::plan::{Plan, Proof};
use crate::model::podsecurity::Level;
use crate::output::fix as report;
use crate::output::patch;
use crate::trial::{self, End, Options, Progress, Proven, Trial};

/// Make a workload run as non-root, and prove it
///
/// With --trial, a copy of the workload's pod runs as non-root in the cluster; what stops it is read and remedied until
/// it is ready. The workload itself is not touched. Trial pods are removed at the end.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct FixArgs {
    /// The workload as TYPE/NAME
    #[arg(value_name = "TYPE/NAME", required_unless_present_any = ["filename", "clean"])]
    target: Vec<String>,
    /// A manifest instead of a workload of the cluster
    #[arg(short, long, value_name = "FILE", conflicts_with = "target")]
    filename: Option<String>,
    /// Run a copy of the pod until it works
    #[arg(long)]
    trial: bool,
    /// Ask nothing: the copy may start, side effects and all
    #[arg(short, long)]
    yes: bool,
    /// Runs at the most
    #[arg(long, default_value = "20", value_name = "N")]
    max_rounds: usize,
    /// Seconds for the whole trial
    #[arg(long, default_value = "600", value_name = "SECONDS")]
    timeout: u64,
    /// Make the root file system read-only too, once the pod works without it
    #[arg(long)]
    read_only_root: bool,
    /// Keep what was added on a guess, even if it may not be needed
    #[arg(long)]
    no_minimize: bool,
    /// Root in a user namespace may be the answer (hostUsers: false)
    #[arg(long)]
    user_namespace: bool,
    /// Namespace in which the copies run, instead of the workload's
    #[arg(long, value_name = "NAME")]
    trial_namespace: Option<String>,
    /// Remove what trials that were cut off left behind, and do nothing else
    #[arg(long)]
    clean: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value = "text")]
    output: Format,
}

const EXAMPLES: &str = "\
Examples:
  kubectl nonroot fix deploy/web --trial
  kubectl nonroot fix deploy/web --trial --yes -o yaml | kubectl apply -f -
  kubectl nonroot fix -f web.yaml --trial --yes -n staging -o json
  kubectl nonroot fix --clean -n shop

Exit codes: 0 proven, 1 not proven, 2 bad usage or input, 3 cluster or permission failure.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// What was found, what is proven, and the diff
    Text,
    /// The plan, its proof, and the whole object
    Json,
    /// The whole object, ready for kubectl apply
    Yaml,
    /// A strategic merge patch for kubectl patch
    Patch,
    /// A JSON patch (RFC 6902) for kubectl patch --type=json
    Json6902,
    /// A unified diff
    Diff,
}

pub(super) async fn run(flags: &ClusterFlags, args: FixArgs) -> Result<u8, Fault> {
    let cluster = Cluster::connect(&flags.connection()).await?;
    if args.clean {
        let namespace = args.trial_namespace.as_deref().unwrap_or(&cluster.namespace);
        let count = trial::clean(&cluster, namespace, None).await?;
        say(format_args!("{count} trial pods removed from namespace {namespace}."));
        return Ok(0);
    }
    let (object, root_pod) = subject(&cluster, &args).await?;
    if !args.trial {
        return Err(Error::input("fix without a trial", "this version only fixes what it can prove")
            .help("add --trial")
            .into());
    }
    confirm(&args, &object)?;
    let namespace = args.trial_namespace.clone().unwrap_or_else(|| cluster.namespace.clone());
    let tell = |progress: Progress<'_>| told(&progress);
    let trial = Trial {
        cluster: &cluster,
        namespace,
        object: &object,
        id: trial_id(&object),
        runs_to_an_end: matches!(object["kind"].as_str(), Some("Job" | "CronJob")),
        root_pod,
        options: Options {
            level: Level::Restricted,
            max_rounds: args.max_rounds,
            timeout: Duration::from_secs(args.timeout),
            read_only_root: args.read_only_root,
            user_namespace: args.user_namespace,
            minimize: !args.no_minimize,
            ..Options::default()
        },
        progress: &tell,
    };
    let proven = tokio::select! {
        proven = trial.prove() => proven,
        () = stopped() => Err(Error::input("finish the trial", "it was interrupted")),
    };
    if let Err(error) = trial.clean_up().await {
        say(format_args!("warning: {error}"));
    }
    let proven = proven?;
    print(&rendered(&object, &proven, args.output)?)?;
    Ok(u8::from(!proven.proof.ready))
}

/// The workload's whole object, and a pod of it that runs today.
async fn subject(cluster: &Cluster, args: &FixArgs) -> Result<(Value, Option<(String, String)>), Fault> {
    if let Some(file) = &args.filename {
        let (mut found, mut failed) = (Vec::new(), Vec::new());
        manifests::read(std::slice::from_ref(file), false, &mut |manifest| found.push(manifest.object), &mut |error| {
            failed.push(error)
        });
        if let Some(error) = failed.into_iter().next() {
            return Err(error.into());
        }
        let Some(object) = found.pop().filter(|_| found.is_empty()) else {
            return Err(Error::input(format!("fix {file}"), "it must hold exactly one workload").into());
        };
        return Ok((object, None));
    }
    let mut targets = target::targets(&args.target)?;
    let (Some(target), true) = (targets.pop(), targets.is_empty()) else {
        return Err(Error::input("fix several workloads", "it is one at a time").into());
    };
    let Some(name) = target.name else {
        return Err(Error::input(format!("fix {}", target.kind), "a name is missing").help("use TYPE/NAME").into());
    };
    let namespace = cluster.namespace.clone();
    let Some(object) = cluster.object(&target.kind, &namespace, &name).await? else {
        return Err(Error::input(format!("fix {}/{name}", target.kind), "only built-in kinds can be fixed")
            .help("see its own controller")
            .into());
    };
    let pods = cluster.running_pods(&object, &namespace).await?;
    Ok((object, pods.into_iter().next().map(|pod| (namespace, pod))))
}

/// A copy does what the program does: that is the user's to allow.
fn confirm(args: &FixArgs, object: &Value) -> Result<(), Fault> {
    if args.yes {
        return Ok(());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let attempted = format!("start a copy of {name}");
    if !console::user_attended() || !console::user_attended_stderr() {
        let why = "it does what the program does, and there is no terminal to ask on";
        return Err(Error::input(attempted, why).help("--yes allows it").into());
    }
    say(format_args!(
        "A copy of {name} will run in the cluster, without its volumes' data, and do what the program does: read queues, send mail, talk to what it is configured for."
    ));
    let asked = dialoguer::Confirm::new().with_prompt("Start it?").default(false).interact();
    match asked {
        Ok(true) => Ok(()),
        _ => Err(Error::input(attempted, "it was not allowed").into()),
    }
}

/// Ctrl-C, or the polite end that a supervisor asks for.
async fn stopped() {
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

/// A name that no other trial has: a workload's, and the time.
fn trial_id(object: &Value) -> String {
    let name = object["metadata"]["name"].as_str().unwrap_or("workload");
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).take(30).collect();
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{}-{:x}", name.trim_matches('-'), time.as_millis())
}

fn told(progress: &Progress<'_>) {
    match progress {
        Progress::Survey => say(format_args!("looking at the image")),
        Progress::Running(number) => say(format_args!("round {number}: running")),
        Progress::Ended(number, end, round) => {
            let how = match end {
                End::Works => "ready",
                End::Died => "died",
                End::NotStarted => "was not started",
                End::NotReady => "did not get ready",
            };
            let why = round.obstacles.first().map_or(String::new(), |obstacle| format!(": {}", obstacle.cause));
            say(format_args!("round {number}: {how}{why}"));
        }
        Progress::LeavingOut(step) => say(format_args!("  - {}", step.summary)),
        Progress::Adding(step) => say(format_args!("  + {}", step.summary)),
        Progress::Note(note) => say(format_args!("note: {note}")),
    }
}

fn rendered(object: &Value, proven: &Proven, format: Format) -> Result<String, Error> {
    let Proven { plan, proof } = proven;
    let name = format!(
        "{}/{}",
        object["kind"].as_str().unwrap_or_default().to_lowercase(),
        object["metadata"]["name"].as_str().unwrap_or_default()
    );
    let diff = || patch::diff(&report::applicable(object), &report::applicable(&plan.object), &name);
    Ok(match format {
        Format::Yaml => super::yaml(&report::applicable(&plan.object))?,
        Format::Json => json(&fix(object, plan, proof))?,
        Format::Patch => super::yaml(&patch::strategic(object, &plan.object))?,
        Format::Json6902 => json(&patch::json6902(object, &plan.object))?,
        Format::Diff => diff()?,
        Format::Text => report::text(&fix(object, plan, proof), &diff()?),
    })
}

fn fix(object: &Value, plan: &Plan, proof: &Proof) -> report::Fix {
    let explained =
        |obstacles: &[crate::model::obstacle::Obstacle]| obstacles.iter().cloned().map(explain::explained).collect();
    let rounds = proof
        .rounds
        .iter()
        .map(|round| report::Round { obstacles: explained(&round.obstacles), added: round.added.clone() });
    let proof = report::Proof {
        ready: proof.ready,
        rounds: rounds.collect(),
        seconds: proof.seconds,
        remaining: explained(&proof.remaining),
    };
    report::Fix::new(object, plan, proof)
}
