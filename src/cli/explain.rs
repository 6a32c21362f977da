//! `kubectl nonroot explain`: why a container failed, and what would remove it.

use std::path::Path;

use clap::Args;

use super::flags::{ClusterFlags, RefusalFlags};
use super::progress::Spinner;
use super::target::{self, Target};
use super::why::Why;
use super::{Fault, exit_code, print, say, width};
use crate::diagnosis::{Context, Diagnosed, Diagnosis, search};
use crate::error::{Error, Partial};
use crate::evidence::cluster::{Cluster, Fields, Namespaces, Scope, Selection, Text};
use crate::evidence::logs;
use crate::foresight;
use crate::model::node::Runtime;
use crate::model::obstacle::{Category, Obstacle};
use crate::model::workload::Workload;
use crate::output::explanation::{self, Explained, Explanation, Terminal};
use crate::output::obstacles;
use crate::remedy;
use crate::run::diagnosed;

/// Explain why a container failed: a pod, a log, or the name of an obstacle
///
/// Reads the logs, states and events of a pod, or of the failing pod of a workload, and says what
/// was refused, why, and what would remove it. Reads only.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ExplainArgs {
    /// A pod, a workload as TYPE/NAME, - for a log on standard input, or the name of an obstacle
    #[arg(value_name = "POD|TYPE/NAME|-|OBSTACLE", required_unless_present = "filename")]
    what: Vec<String>,
    /// A log to read; - for standard input
    #[arg(short, long, value_name = "FILE", conflicts_with = "what")]
    filename: Option<String>,
    /// Keep to one container
    #[arg(short, long, value_name = "NAME", conflicts_with = "filename")]
    container: Option<String>,
    /// Read the logs of containers that ended, not of those that replaced them
    #[arg(short, long, conflicts_with = "filename")]
    previous: bool,
    /// Show every remedy, not only the first three of each obstacle
    #[arg(long)]
    all_remedies: bool,
    #[command(flatten)]
    shown: RefusalFlags,
}

const EXAMPLES: &str = "\
Examples:
  kubectl nonroot explain web-7d4b9c6f5-x2x9z
  kubectl nonroot explain deploy/web -n shop
  kubectl logs web-0 --previous | kubectl nonroot explain -
  kubectl nonroot explain -f crash.log -o json
  kubectl nonroot explain privileged-port       # what this kind of obstacle means

Exit codes: 0 nothing points at running as non-root, 1 obstacles found, 2 bad usage or input, 3 cluster or permission
failure.";

pub(super) async fn run(flags: &ClusterFlags, args: ExplainArgs) -> Result<u8, Fault> {
    let words: Vec<&str> = args.what.iter().map(String::as_str).collect();
    let (mut why, mut runtime) = (Vec::new(), None);
    let read = match (args.filename.as_deref(), words.as_slice()) {
        (None | Some("-"), [] | ["-"]) => {
            let mut diagnosis =
                Diagnosis::new(Context { source: "stdin".to_owned(), ..Context::default() });
            let read = logs::standard_input(search, |piece, searched| {
                diagnosis.feed_searched(piece, &searched)
            });
            Partial { value: diagnosis.finish(), errors: read.errors }
        }
        (Some(path), _) => {
            let mut diagnosis =
                Diagnosis::new(Context { source: path.to_owned(), ..Context::default() });
            let read = logs::file(Path::new(path), search, |piece, searched| {
                diagnosis.feed_searched(piece, &searched)
            })?;
            Partial { value: diagnosis.finish(), errors: read.errors }
        }
        (None, [name]) if category(name).is_some() => {
            print(&category(name).map(obstacles::page).unwrap_or_default())?;
            return Ok(0);
        }
        (None, [name]) => live(flags, &args, &mut why, &mut runtime)
            .await
            .map_err(|fault| misspelt(name, fault))?,
        (None, _) => live(flags, &args, &mut why, &mut runtime).await?,
    };
    let found = !read.value.obstacles.is_empty();
    let warnings = read.errors.iter().map(Error::to_string).collect();
    let settings: Vec<Option<String>> =
        read.value.obstacles.iter().map(|obstacle| setting(obstacle, runtime.as_ref())).collect();
    let mut explanation = explanation(warnings, read.value);
    for (explained, steps) in explanation.obstacles.iter_mut().zip(why) {
        explained.why = steps.steps;
        if steps.ignores_fs_group {
            explained.remedies.retain(|remedy| remedy.id != "fs-group");
        }
    }
    for (explained, setting) in explanation.obstacles.iter_mut().zip(settings) {
        let advice = explained
            .remedies
            .iter_mut()
            .find(|remedy| remedy.level == remedy::Level::Node.as_str());
        if let (Some(advice), Some(setting)) = (advice, setting) {
            advice.summary = setting;
        }
    }
    let text = || {
        let shown = if args.all_remedies { explanation.clone() } else { explanation.brief() };
        Terminal { explanation: &shown, all: args.shown.all, width: width() }.to_string()
    };
    print(&args.shown.output.rendered(&explanation, text)?)?;
    for error in &read.errors {
        say(format_args!("warning: {error}"));
    }
    Ok(exit_code(&read.errors, found && !args.shown.exit_zero))
}

/// What to set on the node of the pod, where that is known and helps.
fn setting(obstacle: &Obstacle, runtime: Option<&Runtime>) -> Option<String> {
    remedy::device_ownership(obstacle, runtime?)
}

fn category(name: &str) -> Option<Category> {
    Category::ALL.into_iter().find(|category| category.as_str() == name)
}

/// A word that is no pod may have been meant for the name of an obstacle.
fn misspelt(name: &str, fault: Fault) -> Fault {
    match (fault, target::nearest(name, Category::ALL.iter().map(|category| category.as_str()))) {
        (Fault::Error(error), Some(near)) => {
            error.help(format!("did you mean the obstacle {near}?")).into()
        }
        (fault, _) => fault,
    }
}

/// The report on what was diagnosed, whatever it was diagnosed from.
fn explanation(warnings: Vec<String>, diagnosed: Diagnosed) -> Explanation {
    let obstacles = diagnosed.obstacles.into_iter().map(explained).collect();
    Explanation::new(warnings, obstacles, diagnosed.looks_like.map(str::to_owned))
}

/// An obstacle with what would remove it.
pub(super) fn explained(obstacle: Obstacle) -> Explained {
    let remedies = remedy::remedies(&obstacle).into_iter();
    let remedies = remedies
        .map(|suggestion| explanation::Remedy {
            id: suggestion.id,
            level: suggestion.level.as_str(),
            summary: suggestion.summary,
        })
        .collect();
    Explained::new(obstacle, remedies)
}

/// An obstacle of a pod that nobody but KubeVirt changes, with what makes KubeVirt do so.
pub(super) fn explained_by_kubevirt(obstacle: Obstacle, summary: String) -> Explained {
    Explained::new(obstacle, vec![explanation::Remedy { id: "kubevirt", level: "node", summary }])
}

/// What a cluster says about a pod, or about the failing pod of a workload.
async fn live(
    flags: &ClusterFlags,
    args: &ExplainArgs,
    why: &mut Vec<Why>,
    runtime: &mut Option<Runtime>,
) -> Result<Partial<Diagnosed>, Fault> {
    let target = target::one(&args.what, "explain")?;
    let cluster = Cluster::connect(&flags.connection()).await?;
    let _spinner = Spinner::start("reading logs and events");
    let workload = meant(&cluster, &target, "explain").await?;
    let mut texts =
        failure_texts(&cluster, &workload.value, args.container.as_deref(), args.previous).await?;
    texts.errors.extend(workload.errors);
    let mut diagnosed = diagnosed(&texts.value);
    foresight::devices::recognise(&mut diagnosed.obstacles, &workload.value.spec);
    let running = running(&cluster, &workload.value).await;
    *why = super::why::steps(&cluster, &workload.value, &running, &mut diagnosed.obstacles).await;
    let node = super::why::node(&cluster, &workload.value, &diagnosed.obstacles).await;
    for (steps, obstacle) in why.iter_mut().zip(&diagnosed.obstacles) {
        steps.steps.extend(super::why::by_the_node(obstacle, &workload.value, node.value.as_ref()));
    }
    texts.errors.extend(node.errors);
    *runtime = node.value.map(|node| node.runtime);
    Ok(Partial { value: diagnosed, errors: texts.errors })
}

/// The workload that a target names; a pod is one of its own, whoever owns it.
pub(super) async fn meant(
    cluster: &Cluster,
    target: &Target,
    attempt: &str,
) -> Result<Partial<Workload>, Fault> {
    if let (Some(name), "Pod") = (&target.name, target.kind.as_str()) {
        return Ok(Partial::clean(cluster.pod(&cluster.namespace, name).await?));
    }
    let scope = Scope {
        namespaces: Namespaces::One(cluster.namespace.clone()),
        selection: Selection::default(),
        fields: Fields::All,
    };
    let inventory = cluster.inventory(&scope).await?;
    let all = inventory.value.workloads;
    let found = all
        .iter()
        .find(|workload| target.matches(&workload.kind, &workload.name))
        .ok_or_else(|| {
            let name = target.name.as_deref().unwrap_or_default();
            let why = format!("there is none in namespace {}", cluster.namespace);
            Error::input(format!("{attempt} {}/{name}", target.kind.to_lowercase()), why)
                .help(target.hint(all.iter()))
        })?;
    Ok(Partial { value: found.clone(), errors: inventory.errors })
}

/// Pods of a workload that may have a running container: the failing one itself, and others that
/// still run.
pub(super) async fn running(cluster: &Cluster, workload: &Workload) -> Vec<String> {
    let namespace = workload.namespace.as_deref().unwrap_or(&cluster.namespace);
    let own = workload.metadata.name.clone().filter(|_| workload.pods > 0);
    let object = cluster.object(&workload.kind, namespace, &workload.name).await.ok().flatten();
    let others = match object {
        Some(object) => cluster.running_pods(&object, namespace).await.unwrap_or_default(),
        None => Vec::new(),
    };
    let mut pods: Vec<String> = others.into_iter().chain(own).collect();
    pods.dedup();
    pods
}

/// The texts about the pod of a workload that fails, else about its newest; and why there is no pod
/// where there is none.
pub(super) async fn failure_texts(
    cluster: &Cluster,
    workload: &Workload,
    container: Option<&str>,
    previous: bool,
) -> Result<Partial<Vec<Text>>, Error> {
    let namespace = workload.namespace.as_deref().unwrap_or(&cluster.namespace);
    let failing = workload.failures.iter().find_map(|failure| failure.pod.as_deref());
    let newest = workload.metadata.name.as_deref().filter(|_| workload.pods > 0);
    let mut read = match failing.or(newest) {
        Some(pod) => cluster.failure_texts(namespace, pod, container, previous).await?,
        None => Partial::clean(Vec::new()),
    };
    let refused = workload.failures.iter().filter(|failure| failure.pod.is_none());
    read.value.extend(refused.map(|failure| Text {
        source: format!("state of {}/{}", workload.kind.to_lowercase(), workload.name),
        container: failure.container.clone(),
        directory: None,
        text: failure.message.clone(),
    }));
    Ok(read)
}
