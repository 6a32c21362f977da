//! The proof of each plan, once for each template.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::super::fix::targets::{self, FixTarget};
use super::super::fix::{Fixed, planning};
use super::super::progress::Tell;
use super::{Migrating, NamespaceInventory, restart};
use crate::error::Error;
use crate::evidence::cluster::Cluster;
use crate::model::migration::{MigrationRecord, PlanVerdict, ProvenPlan, TemplateDigest};
use crate::output::migrate::Row;
use crate::output::patch;
use crate::plan;

/// What the ids of its trials begin with.
pub const TRIALS: &str = "migrate-";

/// What is told of a plan that does not work.
const MAX_REASONS: usize = 3;

impl Migrating<'_> {
    /// Plans and proves what is not known yet, and keeps each verdict at once. What fails is an error
    /// beside the rest. `tell_of` makes what is told of one workload's trial.
    pub async fn prove<T: Fn(super::super::progress::Activity<'_>) + Sync>(
        &self,
        inventory: NamespaceInventory,
        tell_of: impl Fn(String) -> T,
    ) -> (NamespaceInventory, Vec<Error>) {
        let NamespaceInventory { mut targets, others, enforced, limits } = inventory;
        let tell = tell_of(String::new());
        targets::ask_images(Some(self.cluster), &self.options.fix.registry, &mut targets, &tell)
            .await;
        let each = targets.into_iter().map(|target| {
            let tell = tell_of(format!("{}: ", target.name()));
            async move { self.one(target, &tell).await }
        });
        let results: Vec<(Result<FixTarget, Row>, Option<Error>)> =
            stream::iter(each).buffered(self.options.parallel.max(1)).collect().await;
        let mut proven = NamespaceInventory { targets: Vec::new(), others, enforced, limits };
        let mut errors = Vec::new();
        for (result, error) in results {
            match result {
                Ok(target) => proven.targets.push(target),
                Err(row) => proven.others.push(row),
            }
            errors.extend(error);
        }
        (proven, errors)
    }

    /// The verdict on one workload is known or made, and kept; a row where neither could be.
    async fn one(
        &self,
        target: FixTarget,
        tell: Tell<'_>,
    ) -> (Result<FixTarget, Row>, Option<Error>) {
        let name = target.name();
        let level = self.options.fix.level();
        let template = template(self.cluster, &target).await;
        let is_as_planned = !planning::wants(&target.object, level);
        if self.state.lock().await.known(&name, &template, is_as_planned).is_some() {
            return (Ok(target), None);
        }
        let (target, verdict) = match is_as_planned {
            true => (target, PlanVerdict::Admitted),
            false => match self.judged(target, tell).await {
                Ok(judged) => judged,
                Err(error) => {
                    let why = vec![error.to_string()];
                    return (Err(Row { why, ..Row::new(&name) }), Some(error));
                }
            },
        };
        let record = MigrationRecord::new(template, verdict);
        let kept = self.change(|state| drop(state.workloads.insert(name, record))).await;
        (Ok(target), kept.err())
    }

    async fn judged(
        &self,
        target: FixTarget,
        tell: Tell<'_>,
    ) -> Result<(FixTarget, PlanVerdict), Error> {
        let fixed =
            planning::planned(Some(self.cluster), &self.options.fix, target, true, tell).await?;
        let verdict = verdict(&fixed);
        match fixed.left_behind {
            Some(error) => Err(error),
            None => Ok((fixed.target, verdict)),
        }
    }
}

/// What a plan and its trial showed.
fn verdict(fixed: &Fixed) -> PlanVerdict {
    let (before, after) = (&fixed.target.object, &fixed.plan.object);
    let Some(proof) = fixed.proof.as_ref().filter(|_| fixed.is_admitted() && before != after)
    else {
        return PlanVerdict::Forbidden { why: fixed.warnings() };
    };
    if !proof.works {
        let causes = proof.remaining.iter().map(|obstacle| obstacle.cause.clone());
        return PlanVerdict::NotProven { why: causes.take(MAX_REASONS).collect() };
    }
    // What a repository has of the object may leave the namespace to its kustomization.
    let component = patch::kustomize(&[(anywhere(before), anywhere(after))]).unwrap_or_default();
    PlanVerdict::Proven(Box::new(ProvenPlan {
        patch: patch::strategic(before, after),
        undo: patch::strategic(after, before),
        entry: component["patches"][0].clone(),
        steps: fixed.plan.steps.iter().map(|step| step.summary.clone()).collect(),
        rounds: proof.rounds.len(),
        seconds: proof.seconds,
        not_checked: proof.not_checked.clone(),
    }))
}

/// An object without its namespace.
fn anywhere(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.shift_remove("namespace");
    }
    object
}

/// What the verdict on a workload is of.
async fn template(cluster: &Cluster, target: &FixTarget) -> TemplateDigest {
    let path = plan::template_path(&target.object);
    let template = path.iter().try_fold(&target.object, |value, key| value.get(key));
    let digest = Sha256::digest(spec_of(&target.object, template).to_string().as_bytes());
    let mut images = BTreeMap::new();
    let workload = target.workload.as_ref().filter(|workload| workload.pods > 0);
    if let Some((workload, pod)) =
        workload.and_then(|workload| Some((workload, workload.metadata.name.as_ref()?)))
    {
        for container in &workload.containers {
            if let Ok(Some(id)) = cluster.image_id(&target.namespace, pod, &container.name).await {
                images.insert(container.name.clone(), id);
            }
        }
    }
    let hex = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    TemplateDigest { digest: hex, images }
}

/// Of a pod by itself only its spec counts: its status is none of the template. That pods were
/// restarted changes nothing in them.
fn spec_of(object: &Value, template: Option<&Value>) -> Value {
    if object["kind"] == "Pod" {
        return object["spec"].clone();
    }
    let mut template = template.cloned().unwrap_or_default();
    if let Some(metadata) = template["metadata"].as_object_mut()
        && let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut)
    {
        annotations.shift_remove(restart::ANNOTATION);
        if annotations.is_empty() {
            metadata.shift_remove("annotations");
        }
    }
    template
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_restart_is_no_change_of_the_template() {
        let template = |annotations: Value| json!({"metadata": {"annotations": annotations}, "spec": {"containers": []}});
        let of = |template: &Value| spec_of(&json!({"kind": "Deployment"}), Some(template));
        let bare = json!({"metadata": {}, "spec": {"containers": []}});
        assert_eq!(of(&template(json!({restart::ANNOTATION: "now"}))), bare);
        let other = template(json!({"a": "b"}));
        assert_eq!(of(&template(json!({"a": "b", restart::ANNOTATION: "now"}))), other);
    }
}
