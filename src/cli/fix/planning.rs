//! From a subject to its plan, and where that is asked for, to the proof.

use std::sync::OnceLock;
use std::time::Duration;

use indicatif::MultiProgress;
use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use serde::Deserialize as _;
use serde_json::Value;

use super::super::image;
use super::super::progress::{Live, Spinner};
use super::super::{Fault, explain, say, trace};
use super::arguments::FixArgs;
use super::subject::Subject;
use super::{Fixed, file, stopped, users};
use crate::error::{Error, Partial};
use crate::evidence::cluster::Cluster;
use crate::foresight;
use crate::model::defaults;
use crate::model::edit::Edit;
use crate::model::identity::{Assignment, Candidate};
use crate::model::image::Image;
use crate::model::obstacle::{Errno, Obstacle};
use crate::model::plan::Plan;
use crate::model::podsecurity::Level;
use crate::model::trace::Traced;
use crate::plan;
use crate::policy;
use crate::remedy;
use crate::run::pod::Changes;
use crate::run::{self, Options, Progress, Proven, Trial};
use crate::search::{self, End};

/// How long the API server may take to create what was asked for just before an interrupt.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// Plans for one workload, and proves it where `proves` says so.
pub(super) async fn planned(
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
    let nodes_say =
        plan::pod_spec(&subject.object).and_then(plan::windows).filter(|field| *field != "os.name");
    let mut warnings: Vec<String> = left
        .iter()
        .map(|(container, why)| format!("container {container} is left as it is: {why}"))
        .collect();
    warnings.extend(nodes_say.map(|_| {
        "spec.os.name: windows tells Pod Security that none of Linux' fields are wanted of it"
            .to_owned()
    }));
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
    warnings.extend(subject.configurations.errors.iter().map(Error::to_string));
    let trial = Trial {
        cluster,
        images: images.value,
        configurations: subject.configurations.value.clone(),
        namespace: args.trial_namespace.clone().unwrap_or_else(|| subject.namespace.clone()),
        object: &subject.object,
        id: trial_id(&subject.object),
        runs_to_an_end: matches!(subject.object["kind"].as_str(), Some("Job" | "CronJob")),
        root_pod: subject.root_pod.clone(),
        traces: traces(args, &subject)?,
        volumes: &subject.volumes,
        options: Options {
            search: search::SearchOptions {
                level: args.level(),
                runs: proves,
                max_rounds: args.max_rounds,
                read_only_root: args.read_only_root,
                user_namespace,
                run_as: args.run_as,
                without: [
                    args.without.clone(),
                    subject.refused_remedies().iter().map(ToString::to_string).collect(),
                ]
                .concat(),
                minimize: !args.no_minimize,
                with_volumes: args.with_volumes.clone(),
                strace: args.strace_image.is_some(),
            },
            timeout: Duration::from_secs(args.timeout),
            changes: Changes {
                with_volumes: args.with_volumes.clone(),
                command: args.command.as_ref().map(|words| words.0.clone()).unwrap_or_default(),
                env: args.env.clone(),
            },
            strace_image: args.strace_image.clone(),
            ..Options::default()
        },
        inspection_pod: OnceLock::new(),
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
        warnings.extend(not_shared(&subject.object));
        warnings.extend(proof.notes.iter().cloned());
        (plan, Some(proof))
    } else {
        if proves {
            warnings.push("it is not tried: a copy would need the same privilege".to_owned());
        }
        let _spinner = Spinner::start("looking at what runs");
        let refused = trial
            .traces
            .iter()
            .flat_map(|(.., traced)| &traced.refusals)
            .filter(|one| one.obstacle.fatal);
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
    warnings.extend(plan::pod_spec(&plan.object).map(plan::retained).unwrap_or_default());
    let forbidden = forbidden(&plan.object, args.level());
    let is_admitted = forbidden.is_empty();
    warnings.extend(forbidden);
    warnings.extend(subject.manifest.as_ref().and_then(file::rendered));
    let owner = plan::owner(&subject.object).filter(|_| subject.manifest.is_none());
    Ok(Fixed { subject, plan, proof, warnings, is_admitted, owner, left_behind })
}

/// The images of `--images`, each with its container. One that cannot be read is an error beside
/// the rest.
async fn images(
    cluster: Option<&Cluster>,
    args: &FixArgs,
    subject: &Subject,
) -> Partial<Vec<(String, Image)>> {
    let mut found = Partial::clean(Vec::new());
    let live =
        subject.workload.as_ref().or(subject.manifest.as_ref().map(|manifest| &manifest.workload));
    let Some(workload) = live.filter(|_| args.images) else { return found };
    let _spinner = Spinner::start("reading images");
    for container in &workload.containers {
        let known =
            found.value.iter().find(|(_, image): &&(String, Image)| image.name == container.image);
        if let Some(image) = known.map(|(_, image)| image.clone()) {
            found.value.push((container.name.clone(), image));
            continue;
        }
        let read = match cluster {
            Some(cluster) => {
                image::of_container(cluster, workload, container, &args.registry).await
            }
            None => image::read(&container.image, &args.registry).await.map(Partial::clean),
        };
        match read {
            Ok(Partial { value, errors }) => {
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
        let Some((container, file)) = named.or(names.first().map(|first| (*first, given.as_str())))
        else {
            continue;
        };
        let read = trace::of_file(file, Some(container))?;
        for error in &read.errors {
            say(format_args!("warning: {error}"));
        }
        let (traced, lines) = read.value;
        trace::check(file, &lines)?;
        found.push((container.to_owned(), file.to_owned(), traced));
    }
    Ok(found)
}

/// Devices that no edit of the workload opens, each with what would.
fn devices(object: &Value) -> Vec<String> {
    let Some(Ok(spec)) = plan::pod_spec(object).map(PodSpec::deserialize) else {
        return Vec::new();
    };
    // A hostPath is real privilege, and said to be that already.
    let given = foresight::devices::obstacles(&spec)
        .into_iter()
        .filter(|device| device.errno == Some(Errno::Eacces));
    given
        .map(|device| {
            let container = device.container.as_deref().unwrap_or_default();
            let advice = remedy::remedies(&device)
                .into_iter()
                .next()
                .map(|advice| format!("; {}", advice.summary));
            format!("container {container}: {}{}", device.cause, advice.unwrap_or_default())
        })
        .collect()
}

/// What root wrote on its claims, which the plan's user shall write.
pub(super) fn transfers(subject: &Subject, plan: &Plan) -> Vec<plan::Transfer> {
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
        Ok(texts) => run::diagnosed(&texts.value).obstacles,
        Err(_) => Vec::new(),
    }
}

/// What the level forbids all the same.
fn forbidden(object: &Value, level: Level) -> Vec<String> {
    let template = plan::template_path(object).iter().try_fold(object, |value, key| value.get(key));
    let Some(Ok(template)) = template.map(PodTemplateSpec::deserialize) else { return Vec::new() };
    let (metadata, mut spec) =
        (template.metadata.unwrap_or_default(), template.spec.unwrap_or_default());
    defaults::pod(&mut spec);
    let violations = policy::evaluate(&metadata, &spec, level, policy::newest_version());
    violations
        .into_iter()
        .map(|violation| {
            format!(
                "{} still forbids it: {}: {}",
                level.as_str(),
                violation.reason,
                violation.detail
            )
        })
        .collect()
}

/// What of the node the copy has not had, so that nothing is proven of it.
fn not_shared(object: &Value) -> Option<String> {
    let spec = plan::pod_spec(object)?;
    let shares =
        ["hostNetwork", "hostPID", "hostIPC"].into_iter().filter(|field| spec[*field] == true);
    let volumes = spec["volumes"].as_array().into_iter().flatten();
    let paths = volumes.filter_map(|volume| volume.pointer("/hostPath/path")?.as_str());
    let missing: Vec<&str> = shares.chain(paths).collect();
    let missing = (!missing.is_empty()).then(|| missing.join(", "))?;
    Some(format!(
        "the copy had nothing of the node's ({missing}): what the program needs of that is not proven"
    ))
}

/// Users that are a guess, each with its container: for outputs that show nothing of the plan but
/// the change.
pub(super) fn guesses(plan: &Plan) -> Vec<String> {
    let guessed = plan.identities.iter().filter(|(_, one)| one.assignment == Assignment::Guess);
    guessed
        .map(|(container, Candidate { uid, gid, why, .. })| {
            format!("container {container}: user {uid}:{gid} is a guess: {why}; --trial finds out whether it works")
        })
        .collect()
}

/// Whether a level forbids anything in an object, or a container of it may be root.
pub(super) fn wants(object: &Value, level: Level) -> bool {
    plan::compose(object, level, &[Edit::NonRoot]) != *object
        || !forbidden(object, level).is_empty()
}

/// A name that no other trial has: a workload's, and the time.
fn trial_id(object: &Value) -> String {
    let name = object["metadata"]["name"].as_str().unwrap_or("workload");
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(30)
        .collect();
    let time =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
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
                End::Differs => "ready, and not the same as root",
            };
            let why = round
                .obstacles
                .first()
                .map_or(String::new(), |obstacle| format!(": {}", obstacle.cause));
            live.say(format_args!("{prefix}round {number}: {how} after {} s{why}", round.seconds));
            live.begins(&format!("{prefix}round {number}: looking for a remedy"));
        }
        Progress::LeavingOut(step) => live.say(format_args!("{prefix}  - {}", step.summary)),
        Progress::Adding(step) => live.say(format_args!("{prefix}  + {}", step.summary)),
    }
}
