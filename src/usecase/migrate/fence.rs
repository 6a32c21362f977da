//! The fence: the level is enforced when nothing that is there would be refused, and then it is
//! shown that it holds.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::super::fix::planning;
use super::super::fix::targets::FixTarget;
use super::super::progress::Tell;
use super::{Migrating, NamespaceInventory};
use crate::apply::namespace;
use crate::error::Error;
use crate::model::podsecurity::Level;
use crate::output::migrate::Fence;
use crate::plan;
use crate::policy;

const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

/// How long the pods of an older template may take to be gone.
const LEAVING: Duration = Duration::from_secs(120);

/// Controllers above a pod, as a CronJob's two; nobody keeps the API server from having a circle.
const MAX_OWNERS: usize = 4;

const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Enforces the level where nothing that makes or is a pod there would be refused but what was
/// accepted, and asks afterwards: a pod that violates it is refused, and each workload's own is not.
/// Then each is restarted; comes back with what that failed of, too.
///
/// # Errors
/// The namespace may not be read or changed.
pub async fn enforce(
    migrating: &Migrating<'_>,
    inventory: &NamespaceInventory,
    tell: Tell<'_>,
) -> Result<(Fence, Vec<Error>), Error> {
    let (cluster, level) = (migrating.cluster, migrating.options.fix.level());
    let accepted = &migrating.options.accepted;
    let names: Vec<String> = inventory.targets.iter().map(FixTarget::name).collect();
    let others = inventory.others.iter().filter(|row| !row.outcome.is_good());
    let mut in_the_way: Vec<String> = others.map(|row| row.workload.clone()).collect();
    let mut workloads = Vec::new();
    for name in names {
        let Some(now) = migrating.current(&name).await? else { continue };
        if !planning::violations(&now, level).is_empty() {
            in_the_way.push(name.clone());
        }
        workloads.push((name, now));
    }
    in_the_way.retain(|name| !accepted.contains(name));
    if in_the_way.is_empty() {
        in_the_way = remaining(migrating).await?;
    }
    if !in_the_way.is_empty() {
        return Ok((Fence::not_set(in_the_way), Vec::new()));
    }
    let labels = [(ENFORCE.to_owned(), Some(level.as_str().to_owned()))].into_iter().collect();
    let warnings = namespace::label(cluster, &cluster.namespace, &labels, true).await?;
    let is_explained = !accepted.is_empty() || has_ended_pod(migrating).await?;
    if !warnings.is_empty() && !is_explained {
        return Ok((Fence::not_set(warnings), Vec::new()));
    }
    migrating.label(&[ENFORCE]).await?;
    let refusal = namespace::refuses(cluster, &cluster.namespace, &violating(level)).await?;
    let mut refused = Vec::new();
    for (name, now) in workloads.iter().filter(|(name, _)| !accepted.contains(name)) {
        let Some(pod) = pod_of(now) else { continue };
        if let Some(why) = namespace::refuses(cluster, &cluster.namespace, &pod).await? {
            refused.push(format!("{name}: {why}"));
        }
    }
    let mut fence = Fence { is_set: true, refusal, refused, warnings, ..Fence::default() };
    let mut errors = Vec::new();
    if fence.holds() && migrating.options.restarts {
        (fence.restarts, errors) = migrating.restart(inventory, tell).await;
        if !fence.restarts.failed.is_empty() {
            match migrating.lift(ENFORCE).await {
                Ok(is_lifted) => fence.is_set = !is_lifted,
                Err(error) => errors.push(error),
            }
            fence.in_the_way.clone_from(&fence.restarts.failed);
        }
    }
    Ok((fence, errors))
}

/// The pods that violate the level and run on, those of accepted workloads left out; those of older
/// templates get some time to be gone.
async fn remaining(migrating: &Migrating<'_>) -> Result<Vec<String>, Error> {
    let begin = Instant::now();
    loop {
        let pods = violating_pods(migrating, false).await?;
        let mut names = Vec::new();
        for pod in &pods {
            if !is_accepted(migrating, pod).await {
                names.push(format!("pod/{}", pod.name_any()));
            }
        }
        if names.is_empty() || begin.elapsed() > LEAVING {
            return Ok(names);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Whether a pod that is done violates the level: the API server warns of it, and it harms nobody.
async fn has_ended_pod(migrating: &Migrating<'_>) -> Result<bool, Error> {
    Ok(!violating_pods(migrating, true).await?.is_empty())
}

/// The pods of the namespace that violate the level, those that have ended or those that have not.
async fn violating_pods(migrating: &Migrating<'_>, ended: bool) -> Result<Vec<Pod>, Error> {
    let level = migrating.options.fix.level();
    let mut pods = migrating.cluster.pods_in(&migrating.cluster.namespace).await?;
    pods.retain(|pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        let spec = pod.spec.as_ref();
        let violates = spec.is_some_and(|spec| {
            !policy::evaluate(&pod.metadata, spec, level, policy::newest_version()).is_empty()
        });
        violates && ended == matches!(phase, Some("Succeeded" | "Failed"))
    });
    Ok(pods)
}

/// Whether a pod is accepted, or who makes it is.
async fn is_accepted(migrating: &Migrating<'_>, pod: &Pod) -> bool {
    let accepted = &migrating.options.accepted;
    let mut names = vec![format!("pod/{}", pod.name_any())];
    let mut references = pod.owner_references().to_vec();
    for _ in 0..MAX_OWNERS {
        let mut above = references.into_iter();
        let Some(owner) = above.find(|owner| owner.controller == Some(true)) else { break };
        let name = format!("{}/{}", owner.kind.to_lowercase(), owner.name);
        // Of another kind nobody reads whose it is.
        let object = migrating.current(&name).await.ok().flatten().unwrap_or_default();
        names.push(name);
        let above = object["metadata"]["ownerReferences"].clone();
        references = serde_json::from_value(above).unwrap_or_default();
    }
    names.iter().any(|name| accepted.contains(name))
}

/// A pod that a level forbids, and that nothing else keeps from being made.
fn violating(level: Level) -> Value {
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "nonroot-probe-"},
        "spec": {
            "automountServiceAccountToken": false,
            "containers": [{"name": "probe", "image": "probe", "securityContext": {"runAsUser": 0}}],
        },
    });
    if level == Level::Baseline {
        pod["spec"]["hostPID"] = json!(true);
    }
    pod
}

/// The pod that an object would make now, by itself; `None` where the object says nothing of it.
fn pod_of(object: &Value) -> Option<Value> {
    let path = plan::template_path(object);
    let template = path.iter().try_fold(object, |value, key| value.get(key))?;
    Some(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "nonroot-probe-", "annotations": template["metadata"]["annotations"]},
        "spec": template["spec"],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_violates_the_level_and_not_the_one_below() {
        for (level, below) in
            [(Level::Restricted, Level::Baseline), (Level::Baseline, Level::Privileged)]
        {
            assert!(!planning::violations(&violating(level), level).is_empty());
            assert!(planning::violations(&violating(level), below).is_empty());
        }
    }

    #[test]
    fn the_pod_of_a_workload_has_its_template() {
        let template = json!({"spec": {"containers": []}});
        let object =
            json!({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": template}}}});
        assert_eq!(pod_of(&object).expect("a pod")["spec"], json!({"containers": []}));
    }
}
