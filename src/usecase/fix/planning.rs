//! From a target to its plan, and where that is asked for, to the proof.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use serde::Deserialize as _;
use serde_json::Value;

use super::super::interrupt::interrupted;
use super::super::progress::{Activity, Tell, Work};
use super::super::{images, live, trace};
use super::targets::FixTarget;
use super::{FixOptions, Fixed, edited_files, user_namespace};
use crate::error::Error;
use crate::evidence::cluster::Cluster;
use crate::foresight;
use crate::model::check::{self, ProofCheck};
use crate::model::defaults;
use crate::model::edit::Edit;
use crate::model::identity::{Assignment, Candidate};
use crate::model::obstacle::{Errno, Obstacle};
use crate::model::plan::Plan;
use crate::model::podsecurity::Level;
use crate::model::trace::Traced;
use crate::plan;
use crate::policy;
use crate::remedy;
use crate::run::{self, Proven, Trial};
use crate::search;

/// How long the API server may take to create what was asked for just before an interrupt.
pub(in crate::usecase) const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// Plans for one workload, and proves it where `proves` says so.
///
/// # Errors
/// It was interrupted, a trace cannot be read, or the cluster does not answer or does not let us
/// run a trial.
pub async fn planned(
    cluster: Option<&Cluster>,
    options: &FixOptions,
    target: FixTarget,
    proves: bool,
    tell: Tell<'_>,
) -> Result<Fixed, Error> {
    let mut target = target;
    if let Some(cluster) = cluster.filter(|_| proves) {
        target.take_running(cluster, tell).await;
    }
    let checks = [options.trial.checks.clone(), annotated_checks(&target)?].concat();
    let privileged = plan::pod_spec(&target.object).map(plan::privileged).unwrap_or_default();
    let mut warnings = left_as_it_is(&target, &privileged);
    let search = &options.trial.search;
    let without_namespace = match search.user_namespace {
        true => user_namespace::refused(cluster, &target).await,
        false => None,
    };
    let refused = target.refused_remedies().into_iter().map(str::to_owned);
    let search = search::SearchOptions {
        runs: proves,
        user_namespace: search.user_namespace && without_namespace.is_none(),
        without: search.without.iter().cloned().chain(refused).collect(),
        ..search.clone()
    };
    warnings.extend(without_namespace);
    let read = target.known().filter(|_| options.images);
    let images = tokio::select! {
        images = images::of_each(cluster, read, &options.registry, tell) => images,
        () = interrupted() => return Err(Error::input("read the images", "it was interrupted")),
    };
    warnings.extend(images.errors.iter().map(Error::to_string));
    warnings.extend(target.configurations.errors.iter().map(Error::to_string));
    let tell_of_trial = |progress: run::Progress<'_>| tell(progress.into());
    let namespace = options.trial_namespace.as_ref().unwrap_or(&target.namespace);
    let run = run::Options { search, checks, ..options.trial.clone() };
    let trial = Trial {
        images: images.value,
        configurations: target.configurations.value.clone(),
        root_pod: target.root_pod.clone(),
        traces: traces(options, &target, tell)?,
        ..Trial::new(cluster, namespace, &target.object, &target.volumes, run, &tell_of_trial)
    };
    let (plan, proof, left_behind) = if proves && privileged.is_empty() {
        let (proven, left_behind) =
            cleaned_up(&trial, "finish the trial", tell, trial.prove()).await;
        let Proven { plan, proof } = proven?;
        warnings.extend(not_shared(&target.object));
        warnings.extend(proof.notes.iter().cloned());
        (plan, Some(proof), left_behind)
    } else {
        if proves {
            warnings.push("it is not tried: a copy would need the same privilege".to_owned());
        }
        (plan_of(&trial, cluster, &target, tell).await?, None, None)
    };
    warnings.extend(target.volumes.storage.notes.iter().cloned());
    warnings.extend(transfers(&target, &plan).iter().map(plan::Transfer::warning));
    warnings.extend(plan::pod_spec(&plan.object).map(plan::retained).unwrap_or_default());
    let forbidden = forbidden(&plan.object, options.level());
    let is_admitted = forbidden.is_empty();
    warnings.extend(forbidden);
    warnings.extend(target.manifest.as_ref().and_then(edited_files::rendered));
    let owner = plan::owner(&target.object).filter(|_| target.manifest.is_none());
    Ok(Fixed { target, plan, proof, warnings, is_admitted, owner, left_behind })
}

/// The checks of a workload's annotation, or of its pods'.
///
/// # Errors
/// A line that is no check.
pub(in crate::usecase) fn annotated_checks(target: &FixTarget) -> Result<Vec<ProofCheck>, Error> {
    let object = &target.object;
    let template = plan::template_path(object).iter().try_fold(object, |value, key| value.get(key));
    let annotated = |object: &Value| {
        let value = object["metadata"]["annotations"][check::ANNOTATION].as_str()?;
        Some(check::of_annotation(value))
    };
    let checks =
        annotated(object).or_else(|| template.and_then(annotated)).unwrap_or(Ok(Vec::new()));
    checks.map_err(|why| {
        Error::input(format!("read the annotation {} of {}", check::ANNOTATION, target.name()), why)
    })
}

/// What no plan changes of a target: containers that need a privilege, each with the reason, fields
/// for Windows, and devices.
fn left_as_it_is(target: &FixTarget, privileged: &BTreeMap<String, String>) -> Vec<String> {
    let of_containers = privileged
        .iter()
        .map(|(container, why)| format!("container {container} is left as it is: {why}"));
    let mut warnings: Vec<String> = of_containers.collect();
    let windows = plan::pod_spec(&target.object).and_then(plan::windows);
    warnings.extend(windows.filter(|field| *field != "os.name").map(|_| {
        "spec.os.name: windows tells Pod Security that none of Linux' fields are wanted of it"
            .to_owned()
    }));
    warnings.extend(devices(&target.object));
    warnings
}

/// Does what a trial is for and removes its pods, however that ends; comes back with why some may
/// still be there.
pub(in crate::usecase) async fn cleaned_up<T>(
    trial: &Trial<'_>,
    attempt: &str,
    tell: Tell<'_>,
    work: impl Future<Output = Result<T, Error>>,
) -> (Result<T, Error>, Option<Error>) {
    let result = tokio::select! {
        result = work => result,
        () = interrupted() => {
            // A request that is on its way may be carried out all the same.
            tokio::time::sleep(ON_ITS_WAY).await;
            Err(Error::input(attempt, "it was interrupted"))
        }
    };
    let left_behind = trial.clean_up().await.err();
    if let Some(error) = &left_behind {
        tell(Activity::Note(error.to_string()));
    }
    (result, left_behind)
}

/// The plan without a trial, from what runs, what failed and what traces tell.
async fn plan_of(
    trial: &Trial<'_>,
    cluster: Option<&Cluster>,
    target: &FixTarget,
    tell: Tell<'_>,
) -> Result<Plan, Error> {
    let _work = Work::begin(tell, "looking at what runs");
    let refused = trial.traces.iter().flat_map(|(.., traced)| &traced.refusals);
    let refused = refused.map(|one| &one.obstacle).filter(|obstacle| obstacle.fatal);
    let plan = async {
        let mut stops = failed(cluster, target).await;
        stops.extend(refused.cloned());
        trial.plan(stops).await
    };
    tokio::select! {
        plan = plan => plan,
        () = interrupted() => {
            Err(Error::input(format!("plan for {}", target.name()), "it was interrupted"))
        }
    }
}

/// The traces of `--trace`, each with its container.
fn traces(
    options: &FixOptions,
    target: &FixTarget,
    tell: Tell<'_>,
) -> Result<Vec<(String, String, Traced)>, Error> {
    let spec = plan::pod_spec(&target.object);
    let containers = spec.and_then(|spec| spec["containers"].as_array()).into_iter().flatten();
    let init = spec.and_then(|spec| spec["initContainers"].as_array()).into_iter().flatten();
    let names: Vec<&str> = containers.chain(init).filter_map(|one| one["name"].as_str()).collect();
    let mut found = Vec::new();
    for given in &options.traces {
        let named = given.split_once('=').filter(|(name, _)| names.contains(name));
        let Some((container, file)) = named.or(names.first().map(|first| (*first, given.as_str())))
        else {
            continue;
        };
        let read = trace::of_file(file, Some(container))?;
        for error in &read.errors {
            tell(Activity::Warning(error.to_string()));
        }
        read.value.check()?;
        found.push((container.to_owned(), file.to_owned(), read.value.traced));
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

/// What root wrote on its claims, and the plan's user must write.
#[must_use]
pub fn transfers(target: &FixTarget, plan: &Plan) -> Vec<plan::Transfer> {
    let storage = &target.volumes.storage;
    let was_root = |container: &str| target.was_root(container);
    plan::transfers(&plan.object, &target.namespace, &plan.identities, storage, &was_root)
}

/// What stops the workload now, if it fails.
async fn failed(cluster: Option<&Cluster>, target: &FixTarget) -> Vec<Obstacle> {
    let (Some(cluster), Some(workload)) = (cluster, &target.workload) else { return Vec::new() };
    if workload.failures.is_empty() {
        return Vec::new();
    }
    match live::failure_texts(cluster, workload, None, false).await {
        Ok(texts) => run::diagnosed(&texts.value).obstacles,
        Err(_) => Vec::new(),
    }
}

/// What the level forbids all the same.
fn forbidden(object: &Value, level: Level) -> Vec<String> {
    let violations = violations(object, level).into_iter();
    violations
        .map(|violation| format!("{} still forbids it: {violation}", level.as_str()))
        .collect()
}

/// What a level forbids in an object's pods, each in Pod Security's own words.
pub(in crate::usecase) fn violations(object: &Value, level: Level) -> Vec<String> {
    let template = plan::template_path(object).iter().try_fold(object, |value, key| value.get(key));
    let Some(Ok(template)) = template.map(PodTemplateSpec::deserialize) else { return Vec::new() };
    let (metadata, mut spec) =
        (template.metadata.unwrap_or_default(), template.spec.unwrap_or_default());
    defaults::pod(&mut spec);
    let violations = policy::evaluate(&metadata, &spec, level, policy::newest_version());
    let told = violations.into_iter().map(|one| match one.detail.as_str() {
        "" => one.reason,
        detail => format!("{}: {detail}", one.reason),
    });
    told.collect()
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
#[must_use]
pub fn guesses(plan: &Plan) -> Vec<String> {
    let guessed = plan.identities.iter().filter(|(_, one)| one.assignment == Assignment::Guess);
    guessed
        .map(|(container, Candidate { uid, gid, why, .. })| {
            format!("container {container}: user {uid}:{gid} is a guess: {why}; --trial finds out whether it works")
        })
        .collect()
}

/// Whether a level forbids anything in an object, or a container of it may be root.
#[must_use]
pub fn wants(object: &Value, level: Level) -> bool {
    plan::compose(object, level, &[Edit::NonRoot]) != *object
        || !forbidden(object, level).is_empty()
}
