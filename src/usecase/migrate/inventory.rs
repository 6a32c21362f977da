//! What could make a pod in a namespace, where it stands, and who must change it.

use serde_json::Value;

use super::super::fix::planning;
use super::super::fix::targets::{self, FixTarget};
use super::super::live::everything_in;
use super::super::progress::{Tell, Work};
use super::super::target::{Selector, TYPES, Target};
use super::MigrateOptions;
use crate::error::{Error, Partial};
use crate::evidence::cluster::Cluster;
use crate::model::disruption::DisruptionLimits;
use crate::model::podsecurity::Level;
use crate::model::workload::Workload;
use crate::output::migrate::{Outcome, Row};
use crate::policy::{self, newest_version as newest};

/// The workloads of a namespace.
pub struct NamespaceInventory {
    /// Those whose pods a plan can change, in the order in which they are delivered.
    pub targets: Vec<FixTarget>,
    /// Those of other kinds: seen, judged, and changed by who makes them.
    pub others: Vec<Row>,
    /// The level that the namespace enforces now.
    pub enforced: Option<String>,
    /// What bounds how its pods may be replaced.
    pub limits: DisruptionLimits,
}

/// Reads what is in the namespace of the cluster's context.
///
/// # Errors
/// The cluster does not answer.
pub async fn inventory(
    cluster: &Cluster,
    options: &MigrateOptions,
    tell: Tell<'_>,
) -> Result<(NamespaceInventory, Vec<Error>), Error> {
    let _work = Work::begin(tell, "reading workloads");
    let namespace = &cluster.namespace;
    let all = cluster.inventory(&everything_in(namespace)).await?;
    let foreign = all.value.workloads.iter().filter(|one| !is_built_in(one));
    let others = foreign.map(|one| {
        let standing = level_of(|level| {
            !policy::evaluate(&one.metadata, &one.spec, level, newest()).is_empty()
        });
        let is_fine = standing >= options.fix.level() && one.root() == Some(false);
        let kind = one.kind.to_lowercase();
        Row {
            standing: standing.as_str(),
            owner: Some(format!("the controller of {}", one.kind)),
            outcome: if is_fine { Outcome::Admitted } else { Outcome::Foreign },
            next: (!is_fine).then(|| {
                format!("set the security context in {kind}/{}, which makes its pods", one.name)
            }),
            ..Row::new(&format!("{kind}/{}", one.name))
        }
    });
    let others = others.collect();
    let enforced = all.value.namespaces.iter().find(|one| one.name == *namespace);
    let enforced = enforced.and_then(|one| one.enforce).map(|policy| policy.level.to_string());
    let of_every_kind =
        TYPES.iter().map(|(kind, _)| Target { kind: (*kind).to_owned(), name: None });
    let selector = Selector { targets: of_every_kind.collect(), ..Selector::default() };
    let (mut targets, mut errors) = match all.value.workloads.iter().any(is_built_in) {
        true => targets::of_cluster(cluster, &selector, tell).await?,
        false => (Vec::new(), Vec::new()),
    };
    errors.extend(all.errors);
    targets.retain(|target| !has_ended(&target.object));
    targets.sort_by_key(order);
    let Partial { value: limits, errors: unread } = cluster.disruption_limits(namespace).await;
    errors.extend(unread);
    Ok((NamespaceInventory { targets, others, enforced, limits }, errors))
}

fn is_built_in(workload: &Workload) -> bool {
    TYPES.iter().any(|(kind, _)| *kind == workload.kind)
}

/// The highest level that admits something.
fn level_of(forbids: impl Fn(Level) -> bool) -> Level {
    let levels = [Level::Restricted, Level::Baseline];
    levels.into_iter().find(|level| !forbids(*level)).unwrap_or(Level::Privileged)
}

/// The highest level that admits the pods of an object.
pub(super) fn standing(object: &Value) -> Level {
    level_of(|level| !planning::violations(object, level).is_empty())
}

/// A Job that is done makes no pod any more, and neither does a pod that is.
fn has_ended(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let is_end = |condition: &&Value| {
        matches!(condition["type"].as_str(), Some("Complete" | "Failed"))
            && condition["status"] == "True"
    };
    match object["kind"].as_str() {
        Some("Job") => conditions.into_iter().any(|one| is_end(&one)),
        Some("Pod") => matches!(object["status"]["phase"].as_str(), Some("Succeeded" | "Failed")),
        _ => false,
    }
}

/// Those that share a claim stand side by side, the one that writes it alone first; else by name.
fn order(target: &FixTarget) -> (String, String) {
    let spec = crate::plan::pod_spec(&target.object);
    let volumes = spec.and_then(|spec| spec["volumes"].as_array()).into_iter().flatten();
    let claim = volumes
        .filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str())
        .min()
        .unwrap_or_default();
    (claim.to_owned(), target.name())
}

/// What is left to do for a workload, and by whom.
pub(super) fn next(target: &FixTarget, outcome: Outcome, others: Option<String>) -> Option<String> {
    let name = target.name();
    match outcome {
        Outcome::Admitted | Outcome::Applied => None,
        Outcome::Proven => match cannot_be_written(&target.object) {
            Some(why) => Some(why),
            None => others,
        },
        Outcome::TakenBack | Outcome::NotProven => {
            Some(format!("kubectl nonroot fix {name} --trial shows each round"))
        }
        Outcome::Forbidden => Some(
            "run it in a namespace of its own with a lower level, or accept it: --accept"
                .to_owned(),
        ),
        Outcome::Unknown => Some("go on with --resume".to_owned()),
        Outcome::Foreign => None,
    }
}

/// Why the API server takes no plan for an object, or does nothing about it.
pub(super) fn cannot_be_written(object: &Value) -> Option<String> {
    match object["kind"].as_str() {
        Some(kind @ ("Pod" | "Job")) => {
            let name = crate::plan::name(object);
            Some(format!(
                "the template of a {kind} cannot be changed: delete it and create what kubectl nonroot fix {name} -o yaml prints"
            ))
        }
        _ if object["spec"]["paused"] == true => {
            Some("its rollout is paused: resume it first (kubectl rollout resume)".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_ended_makes_no_pod() {
        let ended = |object: Value| has_ended(&object);
        let job = |kind: &str| json!({"kind": "Job", "status": {"conditions": [{"type": kind, "status": "True"}]}});
        assert!(ended(job("Complete")) && ended(job("Failed")));
        assert!(!ended(job("Suspended")));
        assert!(ended(json!({"kind": "Pod", "status": {"phase": "Succeeded"}})));
        assert!(!ended(json!({"kind": "Pod", "status": {"phase": "Running"}})));
        assert!(!ended(json!({"kind": "Deployment"})));
    }

    #[test]
    fn a_level_is_the_highest_that_admits() {
        let pod = |spec: Value| json!({"kind": "Pod", "spec": spec});
        let root = json!({"containers": [{"name": "a", "image": "a"}]});
        assert_eq!(standing(&pod(root)), Level::Baseline);
        let host = json!({"hostNetwork": true, "containers": [{"name": "a", "image": "a"}]});
        assert_eq!(standing(&pod(host)), Level::Privileged);
    }

    #[test]
    fn a_paused_rollout_waits_for_its_owner() {
        let deployment = json!({"kind": "Deployment", "spec": {"paused": true}});
        assert!(cannot_be_written(&deployment).is_some_and(|why| why.contains("paused")));
        assert!(cannot_be_written(&json!({"kind": "Deployment", "spec": {}})).is_none());
        let pod = json!({"kind": "Pod", "metadata": {"name": "a"}});
        assert!(cannot_be_written(&pod).is_some_and(|why| why.contains("delete it")));
    }
}
