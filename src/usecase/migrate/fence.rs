//! The fence: the level is enforced when nothing that is there would be refused, and then it is
//! shown that it holds.

use serde_json::{Value, json};

use super::super::fix::planning;
use super::{Migrating, NamespaceInventory};
use crate::apply::namespace;
use crate::error::Error;
use crate::model::podsecurity::Level;
use crate::output::migrate::Fence;
use crate::plan;

const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

/// Enforces the level where the API server warns of nothing but what was accepted, and asks
/// afterwards: a pod that violates it is refused, and each workload's pod is not.
///
/// # Errors
/// The namespace may not be read or changed.
pub async fn enforce(
    migrating: &Migrating<'_>,
    inventory: &NamespaceInventory,
) -> Result<Fence, Error> {
    let (cluster, level) = (migrating.cluster, migrating.options.fix.level());
    let namespace = &cluster.namespace;
    let accepted = &migrating.options.accepted;
    let names = inventory.targets.iter().map(|target| (target.name(), &target.object));
    let refused = |object: &Value| !planning::violations(object, level).is_empty();
    let mut in_the_way: Vec<String> = Vec::new();
    for (name, _) in names.clone().filter(|(name, _)| !accepted.contains(name)) {
        let now = migrating.current(&name).await?;
        if now.as_ref().is_some_and(&refused) {
            in_the_way.push(name);
        }
    }
    let others = inventory.others.iter().filter(|row| !row.outcome.is_good());
    in_the_way
        .extend(others.map(|row| row.workload.clone()).filter(|name| !accepted.contains(name)));
    if !in_the_way.is_empty() {
        return Ok(Fence::not_set(in_the_way));
    }
    let labels = [(ENFORCE.to_owned(), Some(level.as_str().to_owned()))].into_iter().collect();
    let warnings = namespace::label(cluster, namespace, &labels, true).await?;
    // The first names the level, each of the others the pods.
    if accepted.is_empty() && !warnings.is_empty() {
        return Ok(Fence::not_set(warnings));
    }
    migrating.label(&[ENFORCE]).await?;
    let probe = violating(level);
    let refusal = namespace::refuses(cluster, namespace, &probe).await?;
    let mut unproven = Vec::new();
    for (name, _) in names.filter(|(name, _)| !accepted.contains(name)) {
        let Some(now) = migrating.current(&name).await? else { continue };
        let Some(pod) = pod_of(&now) else { continue };
        if let Some(why) = namespace::refuses(cluster, namespace, &pod).await? {
            unproven.push(format!("{name}: {why}"));
        }
    }
    Ok(Fence { is_set: true, refusal, in_the_way: Vec::new(), refused: unproven, warnings })
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
