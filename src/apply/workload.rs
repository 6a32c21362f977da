//! A plan in the cluster: written, watched, and taken back where it fails.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::rollout::Rollout;
use crate::error::Error;
use crate::evidence::cluster::{Cluster, innermost, insist, is_unauthorized, is_uncertain};
use crate::evidence::pods;
use crate::model::waiting_reason::WaitingReason;

/// Who we are to the API server's field management.
pub const FIELD_MANAGER: &str = "kubectl-nonroot";

/// How often a rollout is looked at.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How often a patch is tried against an object that others write as well, by a server that may not
/// answer.
const MAX_ATTEMPTS: usize = 5;

/// What is applied: an object as it was read, the strategic merge patch that makes the plan of it,
/// and where.
#[derive(Debug, Clone, Copy)]
pub struct ObjectChange<'a> {
    pub original: &'a Value,
    pub patch: &'a Value,
    pub namespace: &'a str,
}

/// How a change went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RolloutOutcome {
    /// The API server would take it; nothing was written.
    Accepted,
    /// Every replica is new and ready.
    RolledOut,
    /// Written; its kind has no rollout to wait for.
    Written,
    /// Written, and its rollout fails: [`roll_back`] takes it back.
    Failed {
        why: String,
        /// The pod that failed, if one did.
        pod: Option<String>,
    },
}

/// What is said on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RolloutProgress {
    Accepted,
    Patched,
    /// Ready of all replicas of the new template.
    Rolling(u64, u64),
}

/// Asks the API server whether it would take a change, writes it, and waits until it is rolled out.
///
/// # Errors
/// The API server refuses it, somebody else changed the object meanwhile, or the cluster is gone;
/// the sentence tells whether anything was written.
pub async fn apply(
    cluster: &Cluster,
    change: ObjectChange<'_>,
    (dry_run, timeout): (bool, Duration),
    progress: &(dyn Fn(RolloutProgress) + Sync),
) -> Result<RolloutOutcome, Error> {
    let objects = objects(cluster, change)?;
    let name = change.original["metadata"]["name"].as_str().unwrap_or_default();
    let kind = change.original["kind"].as_str().unwrap_or_default();
    let planned = patch(&objects, change, None).await?;
    progress(RolloutProgress::Accepted);
    if dry_run {
        return Ok(RolloutOutcome::Accepted);
    }
    let before = pods_of(cluster, change).await.unwrap_or_default();
    let before: BTreeSet<String> =
        before.iter().filter_map(|pod| pod.metadata.uid.clone()).collect();
    patch(&objects, change, Some(&planned)).await?;
    progress(RolloutProgress::Patched);
    if !matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet") {
        return Ok(RolloutOutcome::Written);
    }
    let start = Instant::now();
    let (why, pod) = loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        match objects.get(name).await {
            Ok(now) => {
                let rollout = Rollout::of(&now);
                progress(RolloutProgress::Rolling(rollout.ready, rollout.wanted));
                if rollout.is_complete() {
                    return Ok(RolloutOutcome::RolledOut);
                }
                if let Some(why) = rollout.refused {
                    break (why, None);
                }
            }
            Err(error) if is_unauthorized(&error) => {
                let kind = kind.to_lowercase();
                let on = format!(
                    "it is written: kubectl rollout status {kind}/{name} -n {} tells",
                    change.namespace
                );
                return Err(Error::remote(
                    format!("watch the rollout of {kind}/{name}"),
                    innermost(&error),
                )
                .help(on));
            }
            // A look that fails is followed by the next; the time bounds them.
            Err(_) => {}
        }
        if let Ok(pods) = pods_of(cluster, change).await {
            let new = pods
                .iter()
                .filter(|pod| pod.metadata.uid.as_ref().is_some_and(|uid| !before.contains(uid)));
            let failing = new.into_iter().find_map(|pod| Some((failure(pod)?, pod.name_any())));
            if let Some((why, pod)) = failing {
                break (why, Some(pod));
            }
        }
        if start.elapsed() > timeout {
            break (format!("it was not complete after {} s", timeout.as_secs()), None);
        }
    };
    Ok(RolloutOutcome::Failed { why, pod })
}

/// What would come of a change: the API server is asked, and nothing is written.
///
/// # Errors
/// The API server refuses it or does not answer.
pub async fn preview(cluster: &Cluster, change: ObjectChange<'_>) -> Result<Value, Error> {
    let planned = patch(&objects(cluster, change)?, change, None).await?;
    let attempted = || {
        let name = change.original["metadata"]["name"].as_str().unwrap_or_default();
        format!("read what would come of the change to {name}")
    };
    serde_json::to_value(&planned).map_err(|error| Error::remote(attempted(), error))
}

/// Gives an object the pod template that it had before a change.
///
/// # Errors
/// The cluster does not answer: the sentence tells how to do it by hand.
pub async fn roll_back(cluster: &Cluster, change: ObjectChange<'_>) -> Result<(), Error> {
    let objects = objects(cluster, change)?;
    let name = change.original["metadata"]["name"].as_str().unwrap_or_default();
    let kind = change.original["kind"].as_str().unwrap_or_default().to_lowercase();
    let template =
        if kind == "cronjob" { "/spec/jobTemplate/spec/template" } else { "/spec/template" };
    let operations =
        json!([{"op": "replace", "path": template, "value": change.original.pointer(template)}]);
    let fail = |why: String| {
        Error::remote(format!("take the change to {kind}/{name} back"), why)
            .help(format!("kubectl rollout undo {kind}/{name} -n {} does it", change.namespace))
    };
    let patch: json_patch::Patch =
        serde_json::from_value(operations).map_err(|error| fail(error.to_string()))?;
    let params =
        PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let patch = Patch::<Value>::Json(patch);
    let done = insist(|| objects.patch(name, &params, &patch)).await;
    done.map_err(|error| fail(innermost(&error)))?;
    if kind == "statefulset" {
        // Its controller waits for a pod that will never be ready (kubernetes issue 67250); without
        // it, it goes on.
        let pods: Api<Pod> = Api::namespaced(cluster.client(), change.namespace);
        for pod in pods_of(cluster, change).await.unwrap_or_default() {
            if failure(&pod).is_some() {
                let _ = pods.delete(&pod.name_any(), &kube::api::DeleteParams::default()).await;
            }
        }
    }
    Ok(())
}

fn objects(cluster: &Cluster, change: ObjectChange<'_>) -> Result<Api<DynamicObject>, Error> {
    let text = |key: &str| change.original[key].as_str().unwrap_or_default();
    let kind = text("kind");
    let name = change.original["metadata"]["name"].as_str().unwrap_or_default();
    let attempted = format!("apply the change to {}/{name}", kind.to_lowercase());
    if matches!(kind, "Pod" | "Job") {
        return Err(Error::input(
            attempted,
            format!("the pod template of a {kind} cannot be changed"),
        )
        .help("-o yaml prints the new one: delete the old one and create it"));
    }
    let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
    let resource = ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: text("apiVersion").to_owned(),
        kind: kind.to_owned(),
        plural: format!("{}s", kind.to_lowercase()),
    };
    Ok(Api::namespaced_with(cluster.client(), change.namespace, &resource))
}

/// Sends the patch, with the version that it was made from, and returns the object that comes of
/// it; without what was `planned` it only asks. Where only a report on the object changed
/// meanwhile, it is sent again with the new version, and where the answer got lost, the object
/// tells whether it arrived.
async fn patch(
    objects: &Api<DynamicObject>,
    change: ObjectChange<'_>,
    planned: Option<&DynamicObject>,
) -> Result<DynamicObject, Error> {
    let original = change.original;
    let name = original["metadata"]["name"].as_str().unwrap_or_default();
    let kind = original["kind"].as_str().unwrap_or_default().to_lowercase();
    let attempted = format!("apply the change to {kind}/{name}");
    let fail = |error: &kube::Error| {
        let help = match planned {
            None => "nothing was changed".to_owned(),
            Some(_) if is_uncertain(error) => {
                format!("whether it was written, kubectl get {kind}/{name} -o yaml tells")
            }
            Some(_) => "see kubectl get, and try again".to_owned(),
        };
        Error::remote(attempted.clone(), innermost(error)).help(help)
    };
    let params = PatchParams {
        dry_run: planned.is_none(),
        field_manager: Some(FIELD_MANAGER.to_owned()),
        field_validation: Some(kube::api::ValidationDirective::Warn),
        ..PatchParams::default()
    };
    let mut version = original["metadata"]["resourceVersion"].clone();
    let mut last = None;
    for _ in 0..MAX_ATTEMPTS {
        let mut patch = change.patch.clone();
        patch["metadata"]["resourceVersion"] = version.clone();
        match objects.patch(name, &params, &Patch::Strategic(patch)).await {
            Ok(changed) => return Ok(changed),
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) if is_uncertain(&error) => last = Some(error),
            Err(error) => return Err(fail(&error)),
        }
        // The version in the patch keeps it from being carried out twice.
        let now = insist(|| objects.get(name))
            .await
            .map_err(|error| fail(last.as_ref().unwrap_or(&error)))?;
        let spec = now.data.get("spec");
        if last.is_some() && planned.is_some_and(|planned| planned.data.get("spec") == spec) {
            return Ok(now);
        }
        if spec != original.get("spec") {
            return Err(Error::remote(attempted, "somebody else changed it meanwhile")
                .help("run fix again"));
        }
        version = json!(now.metadata.resource_version);
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Err(match last {
        Some(error) => fail(&error),
        None => Error::remote(attempted, "it is changed all the time").help("run fix again"),
    })
}

async fn pods_of(cluster: &Cluster, change: ObjectChange<'_>) -> Result<Vec<Pod>, Error> {
    cluster.pods_of(change.original, change.namespace).await
}

/// Why a pod will not get ready, if that is plain: a container that ended, or cannot be made.
fn failure(pod: &Pod) -> Option<String> {
    let restarted = pod.status.iter().flat_map(|status| {
        let containers = status.container_statuses.iter().flatten();
        containers.chain(status.init_container_statuses.iter().flatten())
    });
    let crashed = restarted.into_iter().any(|container| container.restart_count > 0);
    let failure = pods::failures(pod).into_iter().next()?;
    // An image that cannot be pulled now may be pulled later.
    let reason = WaitingReason::parse(&failure.reason);
    let stuck = matches!(reason, Some(WaitingReason::Start | WaitingReason::CrashLoop))
        || failure.reason == "Error";
    (crashed || stuck).then(|| match &failure.container {
        Some(container) => format!("container {container} of a new pod fails: {}", failure.reason),
        None => format!("a new pod fails: {}", failure.reason),
    })
}
