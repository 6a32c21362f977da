//! `kubectl nonroot fix`: the plan for workloads, with --trial the proof of it, and its way into the cluster or a file.

pub(super) mod ask;
mod deliver;
mod file;
mod subject;
mod users;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::{Args, Parser as _, ValueEnum};
use futures::{StreamExt as _, stream};
use indicatif::MultiProgress;
use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use serde_json::{Value, json};

use super::flags::{ClusterFlags, SelectionFlags};
use super::image::{self, RegistryFlags};
use super::progress::{Live, Spinner};
use super::{Cli, Command, Fault, exit_code, explain, json, print, print_file, say, width};
use crate::error::{Error, Read};
use crate::evidence::cluster::Cluster;
use crate::evidence::manifests::{File, Manifest};
use crate::foresight;
use crate::model::image::Image;
use crate::model::obstacle::{Errno, Obstacle};
use crate::model::plan::{Plan, Proof};
use crate::model::podsecurity::Level;
use crate::model::trace::Traced;
use crate::model::workload::Location;
use crate::output::fix as report;
use crate::output::html;
use crate::output::patch;
use crate::output::terminal::Clean;
use crate::plan::{self, Owner};
use crate::policy;
use crate::remedy;
use crate::trial::copy::Changes;
use crate::trial::{self, End, Options, Progress, Proven, Trial};
use file::Edited;
use subject::Subject;

/// Make workloads run as non-root, and prove it
///
/// The plan comes from what the workload's pods show: who its processes are, what they write and listen on, and why they
/// fail. With --trial a copy of the pod runs as non-root in the cluster; what stops it is read and remedied until it is
/// ready. The workload itself is not touched before you say so, and trial pods are removed at the end.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct FixArgs {
    /// Workloads as TYPE/NAME, or TYPE NAME...
    #[arg(value_name = "TYPE/NAME", conflicts_with = "filename")]
    target: Vec<String>,
    #[command(flatten)]
    selection: SelectionFlags,
    /// Run a copy of the pod until it works
    #[arg(long)]
    trial: bool,
    /// Ask nothing: take the ranked answers; a copy may start, side effects and all
    #[arg(short, long)]
    yes: bool,
    /// Apply the plan to the cluster, watch the rollout, and take it back if that fails
    #[arg(long, conflicts_with = "filename")]
    apply: bool,
    /// With --apply, only ask the API server whether it would take the change
    #[arg(long, value_name = "WHERE", value_parser = ["server"], requires = "apply")]
    dry_run: Option<String>,
    /// Apply even to an object that a release, an operator or another tool would take back
    #[arg(long, requires = "apply")]
    force: bool,
    /// Write the plan into the files of -f
    #[arg(short, long, requires = "filename")]
    write: bool,
    /// Level to satisfy
    #[arg(long, value_enum, default_value = "restricted")]
    level: ChosenLevel,
    /// Run as this user, whatever the evidence says
    #[arg(long, value_name = "UID[:GID]", value_parser = user)]
    run_as: Option<(u32, u32)>,
    /// Leave a remedy out, by its id; may be repeated
    #[arg(long, value_name = "REMEDY")]
    without: Vec<String>,
    /// Make the root file system read-only too, once the pod works without it
    #[arg(long)]
    read_only_root: bool,
    /// Root in a user namespace may be the answer (hostUsers: false)
    #[arg(long)]
    user_namespace: bool,
    /// Runs at the most, of each trial
    #[arg(long, default_value = "20", value_name = "N")]
    max_rounds: usize,
    /// Seconds for the whole trial, and for the rollout of --apply
    #[arg(long, default_value = "600", value_name = "SECONDS")]
    timeout: u64,
    /// Keep what was added on a guess, even if it may not be needed
    #[arg(long)]
    no_minimize: bool,
    /// Trials at a time
    #[arg(long, default_value = "1", value_name = "N")]
    parallel: usize,
    /// Volume that the copies mount with the data it has, which fsGroup may give another group; may be repeated
    #[arg(long, value_name = "VOLUME", value_delimiter = ',', requires = "trial")]
    with_volumes: Vec<String>,
    /// What the copies run instead of the first container's command and arguments, quoted as for a shell
    #[arg(long, value_name = "COMMAND", value_parser = words, requires = "trial")]
    command: Option<Words>,
    /// Variable of the copies; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable, requires = "trial")]
    env: Vec<(String, String)>,
    /// Image with a static strace and sh: a copy that dies and says nothing runs once more under it
    #[arg(long, value_name = "IMAGE", requires = "trial")]
    strace_image: Option<String>,
    /// Namespace in which the copies run, instead of the workload's
    #[arg(long, value_name = "NAME")]
    trial_namespace: Option<String>,
    /// Remove what trials that were cut off left behind, and do nothing else
    #[arg(long)]
    clean: bool,
    /// A strace of the program to plan from, as root or not, of the first container or of the one named; may be repeated
    #[arg(long, value_name = "[CONTAINER=]FILE")]
    trace: Vec<String>,
    /// Read the images too: whom they are made for, what they ship and what their programs carry
    #[arg(long)]
    images: bool,
    /// Output format; without one, and with a terminal, it asks
    #[arg(short, long, value_enum)]
    output: Option<Format>,
    #[command(flatten)]
    registry: RegistryFlags,
}

const EXAMPLES: &str = "\
Examples:
  kubectl nonroot fix deploy/web
  kubectl nonroot fix deploy/web --trial --yes -o yaml | kubectl apply -f -
  kubectl nonroot fix deploy/web --trial --yes --apply
  kubectl nonroot fix -f web.yaml -o diff
  kubectl nonroot fix -f web.yaml --images -o diff  # no cluster: what the image tells
  kubectl nonroot fix -f manifests/ -R --write
  kubectl nonroot fix deploy,sts -A --yes -o kustomize
  kubectl nonroot fix --clean -n shop

Exit codes: 0 a plan, or proven, or applied; 1 not proven, or taken back, or needs real privilege; 2 bad usage or input;
3 cluster or permission failure.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// What was found, what is proven, and the diff
    Text,
    /// The plan, its proof, and the whole object
    Json,
    /// The whole object, ready for kubectl apply; with -f the whole file
    Yaml,
    /// A strategic merge patch for kubectl patch
    Patch,
    /// A JSON patch (RFC 6902) for kubectl patch --type=json
    Json6902,
    /// A kustomize component with the patch
    Kustomize,
    /// A unified diff; with -f of the file
    Diff,
    /// A summary for a pull request
    Markdown,
    /// A page to read, share or print
    Html,
    /// Jobs that give what root wrote on claims to the new user, for somebody to run once who may be root
    OwnershipJob,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ChosenLevel {
    Baseline,
    Restricted,
}

impl FixArgs {
    /// Whether what is printed is text of the user's own files.
    fn prints_files(&self) -> bool {
        !self.selection.filename.is_empty() && matches!(self.output, Some(Format::Yaml | Format::Diff))
    }
}

/// `101` or `101:102`.
fn user(text: &str) -> Result<(u32, u32), String> {
    let (uid, gid) = text.split_once(':').unwrap_or((text, text));
    let number = |text: &str| text.parse::<u32>().map_err(|_| format!("{text:?} is no number"));
    match (number(uid)?, number(gid)?) {
        (0, _) => Err("0 is root".to_owned()),
        ids => Ok(ids),
    }
}

/// A command and its arguments.
#[derive(Debug, Clone)]
struct Words(Vec<String>);

/// `nginx -g 'daemon off;'`.
fn words(text: &str) -> Result<Words, String> {
    match shlex::split(text) {
        Some(words) if !words.is_empty() => Ok(Words(words)),
        Some(_) => Err("it is empty".to_owned()),
        None => Err("a quote is not closed".to_owned()),
    }
}

/// `NAME=VALUE`.
fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not NAME=VALUE")),
    }
}

/// How long the API server may take to create what was asked for just before an interrupt.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// What came of one workload.
struct Fixed {
    subject: Subject,
    plan: Plan,
    proof: Option<Proof>,
    /// What is left as it is, or forbidden still.
    warnings: Vec<String>,
    owner: Option<Owner>,
    /// Why pods of the trial may still be there.
    left_behind: Option<Error>,
}

impl Fixed {
    fn is_proven(&self) -> bool {
        self.proof.as_ref().is_some_and(|proof| proof.ready)
    }

    /// Nothing is left that an exit code should tell.
    fn is_good(&self) -> bool {
        self.proof.as_ref().is_none_or(|proof| proof.ready) && !self.is_left_alone()
    }

    fn is_left_alone(&self) -> bool {
        plan::pod_spec(&self.subject.object).is_some_and(|spec| {
            let left = plan::privileged(spec);
            let containers = spec["containers"].as_array().into_iter().flatten();
            !left.is_empty() && containers.filter_map(|one| one["name"].as_str()).all(|name| left.contains_key(name))
        })
    }
}

pub(super) async fn run(flags: &ClusterFlags, args: FixArgs) -> Result<u8, Fault> {
    file::check(&args)?;
    let files = !args.selection.filename.is_empty();
    let asks = args.output.is_none() && !args.yes && !args.apply && !args.write && ask::is_answered();
    let cluster = match Cluster::connect(&flags.connection()).await {
        Ok(cluster) => Some(cluster),
        // A manifest alone needs none.
        Err(_) if files && !args.trial && !args.clean => None,
        Err(error) => return Err(error.into()),
    };
    if let (true, Some(cluster)) = (args.clean, &cluster) {
        return clean(cluster, &args).await;
    }
    let nothing_named = args.target.is_empty() && args.selection.selector.is_none() && !args.selection.all_namespaces;
    if !files && nothing_named && !asks {
        let error = Error::input("fix", "no workload is named");
        return Err(error.help("name one as TYPE/NAME; kubectl nonroot scan lists them").into());
    }
    let (texts, mut subjects, errors) = match &cluster {
        Some(cluster) if !files => {
            let _spinner = Spinner::start("reading workloads");
            let (subjects, errors) = subject::of_cluster(cluster, &args).await?;
            (Vec::new(), subjects, errors)
        }
        _ => subject::of_files(&args, cluster.as_ref().map_or("default", |cluster| cluster.namespace.as_str())),
    };
    for error in &errors {
        say(format_args!("warning: {error}"));
    }
    if subjects.is_empty() {
        let text = rendered(&[], &texts, &[], &args)?;
        if args.prints_files() {
            print_file(&text)?
        } else {
            print(&text)?
        }
        return Ok(exit_code(&errors, true));
    }
    if asks {
        if !files && nothing_named {
            subjects.retain(|subject| plan::compose(&subject.object, level(&args), &[]) != subject.object);
        }
        let chosen = if subjects.len() > 1 { ask::which(&subjects)? } else { 0 };
        if chosen >= subjects.len() {
            say(format_args!("Nothing is left to fix in this namespace."));
            return Ok(0);
        }
        return deliver::interactive(cluster.as_ref(), &args, subjects.swap_remove(chosen)).await;
    }
    for volume in &args.with_volumes {
        if !subjects.iter().any(|subject| subject.has_volume(volume)) {
            let why = format!("no workload has a volume of the name {volume}");
            return Err(Error::input("mount a volume with its data (--with-volumes)", why).into());
        }
    }
    let several = subjects.len() > 1;
    if several && !args.trace.is_empty() {
        let error = Error::input("plan from a trace (--trace)", "it is of one workload, and several are selected");
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
    let results: Vec<Result<Fixed, Fault>> = stream::iter(plans).buffered(args.parallel.max(1)).collect().await;
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
    if args.write {
        for error in texts.iter().filter_map(|file| file::write(file, &all).err()) {
            say(format_args!("error: {error}"));
            errors.push(error);
        }
    }
    let delivered = deliver::all(cluster.as_ref(), &args, &fixed, &mut errors).await?;
    Ok(exit_code(&errors, !good || !delivered))
}

/// Trials are of one workload after another; plans only read.
const PLANNED_AT_ONCE: usize = 4;

/// What fix would do to each workload, without a trial: for the reports of scan. `manifests` stand for themselves; without
/// any, targets and selection tell which of the cluster are meant. Each with its place in a file.
pub(super) async fn plans(
    flags: &ClusterFlags,
    targets: &[String],
    selection: &SelectionFlags,
    level: Level,
    manifests: Vec<Manifest>,
) -> Result<Read<Vec<(Option<Location>, report::Fix)>>, Fault> {
    let args = FixArgs {
        target: targets.to_vec(),
        selection: selection.clone(),
        level: if level == Level::Baseline { ChosenLevel::Baseline } else { ChosenLevel::Restricted },
        ..plain()?
    };
    let files = !selection.filename.is_empty();
    let cluster = if files { None } else { Some(Cluster::connect(&flags.connection()).await?) };
    let (subjects, mut errors) = match &cluster {
        Some(cluster) => subject::of_cluster(cluster, &args).await?,
        None => (manifests.into_iter().map(|manifest| subject::of_manifest(manifest, "default")).collect(), Vec::new()),
    };
    let (args, cluster) = (&args, cluster.as_ref());
    let plans = subjects.into_iter().map(|subject| async move {
        let place = subject.manifest.as_ref().and_then(|manifest| manifest.workload.source.clone());
        planned(cluster, args, subject, false, None).await.map(|fixed| (place, fix(&fixed)))
    });
    let results: Vec<Result<_, Fault>> = stream::iter(plans).buffered(PLANNED_AT_ONCE).collect().await;
    let mut value = Vec::new();
    for result in results {
        match result {
            Ok(one) => value.push(one),
            Err(Fault::Error(error)) => errors.push(error),
            Err(fault) => return Err(fault),
        }
    }
    Ok(Read { value, errors })
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
    let count = trial::clean(cluster, namespace, None).await?;
    say(format_args!("{count} trial pods removed from namespace {namespace}."));
    Ok(0)
}

fn level(args: &FixArgs) -> Level {
    match args.level {
        ChosenLevel::Baseline => Level::Baseline,
        ChosenLevel::Restricted => Level::Restricted,
    }
}

/// Plans for one workload, and proves it where `proves` says so.
async fn planned(
    cluster: Option<&Cluster>,
    args: &FixArgs,
    subject: Subject,
    proves: bool,
    several: Option<&MultiProgress>,
) -> Result<Fixed, Fault> {
    let prefix = if several.is_some() { format!("{}: ", subject.name()) } else { String::new() };
    let live = proves.then(|| Live::start(several.unwrap_or(&MultiProgress::new())));
    let tell = |progress: Progress<'_>| told(&progress, &prefix, live.as_ref());
    let left = plan::pod_spec(&subject.object).map(plan::privileged).unwrap_or_default();
    let mut warnings: Vec<String> =
        left.iter().map(|(container, why)| format!("container {container} is left as it is: {why}")).collect();
    warnings.extend(devices(&subject.object));
    let without_namespace = match args.user_namespace {
        true => users::refused(cluster, &subject).await,
        false => None,
    };
    let user_namespace = args.user_namespace && without_namespace.is_none();
    warnings.extend(without_namespace);
    let images = tokio::select! {
        images = images(cluster, args, &subject) => images,
        () = stopped() => return Err(Error::input("read the images", "it was interrupted").into()),
    };
    warnings.extend(images.errors.iter().map(Error::to_string));
    let trial = Trial {
        cluster,
        images: images.value,
        namespace: args.trial_namespace.clone().unwrap_or_else(|| subject.namespace.clone()),
        object: &subject.object,
        id: trial_id(&subject.object),
        runs_to_an_end: matches!(subject.object["kind"].as_str(), Some("Job" | "CronJob")),
        root_pod: subject.root_pod.clone(),
        traces: traces(args, &subject)?,
        volumes: &subject.volumes,
        options: Options {
            level: level(args),
            max_rounds: args.max_rounds,
            timeout: Duration::from_secs(args.timeout),
            read_only_root: args.read_only_root,
            user_namespace,
            minimize: !args.no_minimize,
            runs: proves,
            run_as: args.run_as,
            without: args.without.clone(),
            changes: Changes {
                with_volumes: args.with_volumes.clone(),
                command: args.command.as_ref().map(|words| words.0.clone()).unwrap_or_default(),
                env: args.env.clone(),
            },
            strace_image: args.strace_image.clone(),
            ..Options::default()
        },
        owner: OnceLock::new(),
        progress: &tell,
    };
    let mut left_behind = None;
    let (plan, proof) = if proves && left.is_empty() {
        let proven = tokio::select! {
            proven = trial.prove() => proven,
            () = stopped() => {
                // A request that is on its way may be carried out all the same.
                tokio::time::sleep(ON_ITS_WAY).await;
                Err(Error::input("finish the trial", "it was interrupted"))
            }
        };
        left_behind = trial.clean_up().await.err();
        if let Some(error) = &left_behind {
            tell(Progress::Note(error.to_string()));
        }
        let Proven { plan, proof } = proven?;
        warnings.extend(proof.notes.iter().cloned());
        (plan, Some(proof))
    } else {
        if proves {
            warnings.push("it is not tried: a copy would need the same privilege".to_owned());
        }
        let _spinner = Spinner::start("looking at what runs");
        let refused = trial.traces.iter().flat_map(|(.., traced)| &traced.refusals).filter(|one| one.obstacle.fatal);
        let refused: Vec<Obstacle> = refused.map(|one| one.obstacle.clone()).collect();
        let plan = async {
            let mut stops = failed(cluster, &subject).await;
            stops.extend(refused);
            trial.plan(stops).await
        };
        let plan = tokio::select! {
            plan = plan => plan,
            () = stopped() => Err(Error::input(format!("plan for {}", subject.name()), "it was interrupted")),
        };
        (plan?, None)
    };
    warnings.extend(subject.volumes.storage.notes.iter().cloned());
    warnings.extend(transfers(&subject, &plan).iter().map(plan::Transfer::warning));
    warnings.extend(forbidden(&plan.object, level(args)));
    warnings.extend(subject.manifest.as_ref().and_then(file::rendered));
    let owner = plan::owner(&subject.object).filter(|_| subject.manifest.is_none());
    Ok(Fixed { subject, plan, proof, warnings, owner, left_behind })
}

/// The images of `--images`, each with its container. One that cannot be read is an error beside the rest.
async fn images(cluster: Option<&Cluster>, args: &FixArgs, subject: &Subject) -> Read<Vec<(String, Image)>> {
    let mut found = Read::clean(Vec::new());
    let live = subject.workload.as_ref().or(subject.manifest.as_ref().map(|manifest| &manifest.workload));
    let Some(workload) = live.filter(|_| args.images) else { return found };
    let _spinner = Spinner::start("reading images");
    for container in &workload.containers {
        let known = found.value.iter().find(|(_, image): &&(String, Image)| image.name == container.image);
        if let Some(image) = known.map(|(_, image)| image.clone()) {
            found.value.push((container.name.clone(), image));
            continue;
        }
        let read = match cluster {
            Some(cluster) => image::of_container(cluster, workload, container, &args.registry).await,
            None => image::read(&container.image, &args.registry).await.map(Read::clean),
        };
        match read {
            Ok(Read { value, errors }) => {
                found.value.push((container.name.clone(), value));
                found.errors.extend(errors);
            }
            Err(error) => found.errors.push(error),
        }
    }
    found
}

/// The traces of `--trace`, each with its container.
fn traces(args: &FixArgs, subject: &Subject) -> Result<Vec<(String, String, Traced)>, Error> {
    let spec = plan::pod_spec(&subject.object);
    let containers = spec.and_then(|spec| spec["containers"].as_array()).into_iter().flatten();
    let init = spec.and_then(|spec| spec["initContainers"].as_array()).into_iter().flatten();
    let names: Vec<&str> = containers.chain(init).filter_map(|one| one["name"].as_str()).collect();
    let mut found = Vec::new();
    for given in &args.trace {
        let named = given.split_once('=').filter(|(name, _)| names.contains(name));
        let Some((container, file)) = named.or(names.first().map(|first| (*first, given.as_str()))) else { continue };
        let read = super::trace::of_file(file, Some(container))?;
        for error in &read.errors {
            say(format_args!("warning: {error}"));
        }
        let (traced, lines) = read.value;
        super::trace::check(file, &lines)?;
        found.push((container.to_owned(), file.to_owned(), traced));
    }
    Ok(found)
}

/// Devices that no edit of the workload opens, each with what would.
fn devices(object: &Value) -> Vec<String> {
    let spec = plan::pod_spec(object).cloned().unwrap_or_default();
    let Ok(spec) = serde_json::from_value::<PodSpec>(spec) else { return Vec::new() };
    // A hostPath is real privilege, and said to be that already.
    let given = foresight::devices::obstacles(&spec).into_iter().filter(|device| device.errno == Some(Errno::Eacces));
    given
        .map(|device| {
            let container = device.container.as_deref().unwrap_or_default();
            let advice = remedy::remedies(&device).into_iter().next().map(|advice| format!("; {}", advice.summary));
            format!("container {container}: {}{}", device.cause, advice.unwrap_or_default())
        })
        .collect()
}

/// What root wrote on its claims, which the plan's user shall write.
fn transfers(subject: &Subject, plan: &Plan) -> Vec<plan::Transfer> {
    let storage = &subject.volumes.storage;
    let was_root = |container: &str| subject.was_root(container);
    plan::transfers(&plan.object, &subject.namespace, &plan.identities, storage, &was_root)
}

/// What stops the workload now, if it fails.
async fn failed(cluster: Option<&Cluster>, subject: &Subject) -> Vec<Obstacle> {
    let (Some(cluster), Some(workload)) = (cluster, &subject.workload) else { return Vec::new() };
    if workload.failures.is_empty() {
        return Vec::new();
    }
    match explain::failure_texts(cluster, workload, None, false).await {
        Ok(texts) => trial::diagnosed(&texts.value).obstacles,
        Err(_) => Vec::new(),
    }
}

/// What the level forbids all the same.
fn forbidden(object: &Value, level: Level) -> Vec<String> {
    let template = plan::template_path(object).iter().try_fold(object, |value, key| value.get(key));
    let Some(Ok(template)) = template.map(|template| serde_json::from_value::<PodTemplateSpec>(template.clone()))
    else {
        return Vec::new();
    };
    let (metadata, spec) = (template.metadata.unwrap_or_default(), template.spec.unwrap_or_default());
    let violations = policy::evaluate(&metadata, &spec, level, policy::newest_version());
    violations
        .into_iter()
        .map(|violation| format!("{} still forbids it: {}: {}", level.as_str(), violation.reason, violation.detail))
        .collect()
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

/// A name that no other trial has: a workload's, and the time.
fn trial_id(object: &Value) -> String {
    let name = object["metadata"]["name"].as_str().unwrap_or("workload");
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).take(30).collect();
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{}-{:x}", name.trim_matches('-'), time.as_nanos())
}

/// What a trial says; of a plan without one, only what is worth knowing.
fn told(progress: &Progress<'_>, prefix: &str, live: Option<&Live>) {
    let Some(live) = live else {
        if let Progress::Note(note) = progress {
            say(format_args!("{prefix}note: {note}"));
        }
        return;
    };
    match progress {
        Progress::Note(note) => live.say(format_args!("{prefix}note: {note}")),
        Progress::Survey => live.begins(&format!("{prefix}looking at the image")),
        Progress::Running(number) => live.begins(&format!("{prefix}round {number}: running")),
        Progress::Ended(number, end, round) => {
            let how = match end {
                End::Works => "ready",
                End::Died => "died",
                End::NotStarted => "was not started",
                End::NotReady => "did not get ready",
            };
            let why = round.obstacles.first().map_or(String::new(), |obstacle| format!(": {}", obstacle.cause));
            live.say(format_args!("{prefix}round {number}: {how} after {} s{why}", round.seconds));
            live.begins(&format!("{prefix}round {number}: looking for a remedy"));
        }
        Progress::LeavingOut(step) => live.say(format_args!("{prefix}  - {}", step.summary)),
        Progress::Adding(step) => live.say(format_args!("{prefix}  + {}", step.summary)),
    }
}

/// Every fix in the format asked for: YAML documents one after another, JSON as a list where there are several. Of files,
/// YAML and the diff are those of the files.
fn rendered(fixed: &[Fixed], files: &[Arc<File>], edited: &[Edited], args: &FixArgs) -> Result<String, Error> {
    let format = args.output.unwrap_or(Format::Text);
    match format {
        Format::Json => match fixed {
            [one] => json(&fix(one)),
            several => {
                let items: Vec<report::Fix> = several.iter().map(fix).collect();
                json(&json!({"apiVersion": crate::output::report::API_VERSION, "kind": "FixList", "items": items}))
            }
        },
        Format::Html => html::fixes(&fixed.iter().map(fix).collect::<Vec<_>>()),
        Format::Json6902 => {
            let patches = fixed.iter().map(|one| json(&patch::json6902(&one.subject.object, &one.plan.object)));
            Ok(patches.collect::<Result<Vec<_>, _>>()?.concat())
        }
        Format::Kustomize => {
            let changed = fixed.iter().filter(|one| one.plan.object != one.subject.object);
            let patches: Vec<Value> =
                changed.map(|one| patch::strategic(&one.subject.object, &one.plan.object)).collect();
            super::yaml(&patch::kustomize(&patches)?)
        }
        Format::Yaml if fixed.is_empty() => Ok(file::stream(files.iter().map(|file| file.text.as_str()))),
        Format::Yaml if !files.is_empty() => Ok(file::stream(edited.iter().map(|edited| edited.text.as_str()))),
        Format::Diff if !files.is_empty() => {
            Ok(files.iter().zip(edited).map(|(file, edited)| edited.diff(file)).collect())
        }
        Format::Yaml => yaml(fixed),
        Format::Patch => {
            let patches = fixed.iter().map(|one| super::yaml(&patch::strategic(&one.subject.object, &one.plan.object)));
            Ok(patches.collect::<Result<Vec<_>, _>>()?.join("---\n"))
        }
        Format::Diff => fixed.iter().map(diff).collect::<Result<Vec<_>, _>>().map(|diffs| diffs.concat()),
        Format::Markdown => {
            let parts = fixed.iter().map(|one| Ok(report::markdown(&fix(one), &diff(one)?)));
            parts.collect::<Result<Vec<_>, Error>>().map(|parts| parts.join("\n"))
        }
        Format::OwnershipJob => ownership_jobs(fixed),
        Format::Text => {
            let parts = fixed.iter().map(|one| {
                let title = if fixed.len() > 1 { format!("{}\n", one.subject.name()) } else { String::new() };
                Ok(title + &report::text(&fix(one), &diff(one)?, width()))
            });
            parts.collect::<Result<Vec<_>, Error>>().map(|parts| parts.join("\n"))
        }
    }
}

/// A Job for each claim, with what to know before it is run; nothing where no root wrote on a claim.
fn ownership_jobs(fixed: &[Fixed]) -> Result<String, Error> {
    let mut jobs = Vec::new();
    for one in fixed {
        let name = one.subject.name();
        for transfer in transfers(&one.subject, &one.plan) {
            let job = super::yaml(&plan::job(&one.subject.object, &transfer))?;
            let plan::Transfer { claim, uid, gid, .. } = &transfer;
            let lines = [
                format!(
                    "Gives every file of claim {claim} to {uid}:{gid}. It runs as root: the namespace must not enforce restricted."
                ),
                format!("Run it once, while {name} has no pods, and then apply the plan of kubectl nonroot fix."),
                "An NFS server that squashes root refuses it: then only the server can change the owner.".to_owned(),
            ];
            let comment: String = lines.iter().map(|line| format!("# {}\n", Clean(line))).collect();
            jobs.push(comment + &job);
        }
    }
    if jobs.is_empty() {
        say(format_args!("No claim is known that root wrote."));
    }
    Ok(jobs.join("---\n"))
}

/// Whole objects.
fn yaml(fixed: &[Fixed]) -> Result<String, Error> {
    let objects = fixed.iter().map(|one| super::yaml(&report::applicable(&one.plan.object)));
    Ok(objects.collect::<Result<Vec<_>, _>>()?.join("---\n"))
}

/// What changes in its file, or where the file cannot be edited and in a cluster, in the object.
fn diff(one: &Fixed) -> Result<String, Error> {
    if let Some(file) = one.subject.manifest.as_ref().map(|manifest| &manifest.file) {
        let edited = file::edited(file, &[one]);
        if edited.errors.is_empty() {
            return Ok(edited.diff(file));
        }
    }
    let text = |object: &Value| super::yaml(&report::applicable(object));
    let name = Clean(&one.subject.name()).to_string();
    let (before, after) = report::discreet(&one.subject.object, &one.plan.object);
    let (before, after) = (text(&before)?, text(&after)?);
    Ok(patch::diff((&name, &before), (&format!("{name} (nonroot)"), &after)))
}

fn fix(one: &Fixed) -> report::Fix {
    let explained = |obstacles: &[Obstacle]| obstacles.iter().cloned().map(explain::explained).collect();
    let proof = one.proof.as_ref().map(|proof| report::Proof {
        ready: proof.ready,
        rounds: proof
            .rounds
            .iter()
            .map(|round| report::Round {
                obstacles: explained(&round.obstacles),
                added: round.added.clone(),
                seconds: round.seconds,
            })
            .collect(),
        seconds: proof.seconds,
        remaining: explained(&proof.remaining),
    });
    let mut warnings = one.warnings.clone();
    if let Some(manifest) = &one.subject.manifest {
        warnings.extend(file::edited(&manifest.file, &[one]).errors.iter().map(ToString::to_string));
    }
    if let Some(Owner { who, advice }) = &one.owner {
        warnings.push(format!("it belongs to {who}, which would take the change back: {advice}"));
    }
    report::Fix::new(&one.subject.object, &one.plan, proof, warnings)
}
