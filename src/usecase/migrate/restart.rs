//! The restart of each workload under the fence: its own controller, and not only a dry run of ours,
//! shows that its pods are admitted and become ready.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::super::progress::{Activity, Tell, Work};
use super::{Migrating, NamespaceInventory, disruption, inventory};
use crate::apply::{self, ObjectChange, RolloutOutcome};
use crate::error::Error;
use crate::evidence::cluster::Cluster;
use crate::model::migration::RolloutRestart;
use crate::output::migrate::RestartReport;
use crate::plan;

/// What `kubectl rollout restart` writes (k8s.io/kubectl, pkg/polymorphichelpers/objectrestarter.go).
pub(super) const ANNOTATION: &str = "kubectl.kubernetes.io/restartedAt";

impl Migrating<'_> {
    /// Restarts each workload that has pods: the first `canary` of them one after another, then the
    /// rest side by side. After one that fails no other begins. Comes back with what could not be
    /// asked or written, too.
    pub(super) async fn restart(
        &self,
        inventory: &NamespaceInventory,
        tell: Tell<'_>,
    ) -> (RestartReport, Vec<Error>) {
        let (mut report, mut errors) = (RestartReport::default(), Vec::new());
        let mut due = Vec::new();
        for target in &inventory.targets {
            let name = target.name();
            let record = self.record(&name).await;
            let now = match self.current(&name).await {
                Ok(Some(now)) => now,
                Ok(None) => continue,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            if self.options.accepted.contains(&name) || !has_rollout(&now) {
                continue;
            }
            if record.and_then(|record| record.restart).is_some_and(|restart| restart.is_done) {
                report.restarted.push(name);
                continue;
            }
            match self.kept_from_restart(inventory, &now) {
                Some(why) => report.left.push(format!("{name}: {why}")),
                None => due.push((name, now)),
            }
        }
        let rest = due.split_off(self.options.canary.min(due.len()));
        let side_by_side = self.options.parallel.max(1);
        for (workloads, at_once) in [(due, 1), (rest, side_by_side)] {
            if !report.failed.is_empty() {
                let names = workloads.into_iter().map(|(name, _)| name);
                report.left.extend(names.map(|name| format!("{name}: another failed before it")));
                continue;
            }
            let _work = Work::begin(tell, "restarting workloads under the level");
            let each = workloads.into_iter().map(|(name, now)| async move {
                let done = self.restart_one(&name, &now).await;
                (name, done)
            });
            let mut ended = stream::iter(each).buffered(at_once);
            while let Some((name, done)) = ended.next().await {
                match done {
                    Ok(None) => report.restarted.push(name),
                    Ok(Some(why)) => report.failed.push(format!("{name}: {why}")),
                    Err(error) => errors.push(error),
                }
                if at_once == 1 && !report.failed.is_empty() {
                    break;
                }
            }
        }
        report.failed.iter().for_each(|one| tell(Activity::Note(one.clone())));
        (report, errors)
    }

    /// Why a workload is not restarted.
    fn kept_from_restart(&self, inventory: &NamespaceInventory, object: &Value) -> Option<String> {
        if let Some(why) = inventory::cannot_be_written(object) {
            return Some(why);
        }
        if object["spec"]["updateStrategy"]["type"] == "OnDelete" {
            return Some("its pods are only replaced by hand (OnDelete)".to_owned());
        }
        if self.options.force {
            return None;
        }
        let owner = plan::owner(object).map(|owner| format!("{} would take it back", owner.who));
        owner.or_else(|| disruption::forbidden(&inventory.limits, object))
    }

    /// Restarts one; comes back with why it failed, and then it is as it was before.
    async fn restart_one(&self, name: &str, now: &Value) -> Result<Option<String>, Error> {
        let before = annotation(now).map(str::to_owned);
        self.change(|state| {
            if let Some(record) = state.workloads.get_mut(name) {
                record.restart.get_or_insert(RolloutRestart { before, is_done: false });
            }
        })
        .await?;
        let patch = annotated(Some(&Timestamp::now().to_string()));
        let namespace = &self.cluster.namespace;
        let change = ObjectChange { original: now, patch: &patch, namespace };
        let terms = (false, self.options.timeout);
        if let RolloutOutcome::Failed { why, .. } =
            apply::apply(self.cluster, change, terms, &|_| ()).await?
        {
            // What its annotation was at first stays known: an earlier run may have changed it.
            apply::roll_back(self.cluster, change).await?;
            return Ok(Some(why));
        }
        self.change(|state| {
            let record = state.workloads.get_mut(name);
            if let Some(restart) = record.and_then(|record| record.restart.as_mut()) {
                restart.is_done = true;
            }
        })
        .await?;
        Ok(None)
    }
}

/// Takes the annotation of a restart away again, or gives it its former value.
///
/// # Errors
/// The cluster does not answer or does not let us.
pub(super) async fn undo(
    cluster: &Cluster,
    restart: &RolloutRestart,
    now: &Value,
    timeout: Duration,
) -> Result<RolloutOutcome, Error> {
    let patch = annotated(restart.before.as_deref());
    let change = ObjectChange { original: now, patch: &patch, namespace: &cluster.namespace };
    apply::apply(cluster, change, (false, timeout), &|_| ()).await
}

fn annotation(object: &Value) -> Option<&str> {
    object.pointer("/spec/template/metadata/annotations")?[ANNOTATION].as_str()
}

/// The patch that gives a template the annotation, or takes it away.
fn annotated(value: Option<&str>) -> Value {
    json!({"spec": {"template": {"metadata": {"annotations": {ANNOTATION: value}}}}})
}

/// Whether its pods are replaced by a rollout, and it has any.
fn has_rollout(object: &Value) -> bool {
    let kind = object["kind"].as_str().unwrap_or_default();
    matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet") && object["spec"]["replicas"] != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_pods_is_not_restarted() {
        assert!(has_rollout(&json!({"kind": "DaemonSet", "spec": {}})));
        assert!(has_rollout(&json!({"kind": "Deployment", "spec": {"replicas": 2}})));
        assert!(!has_rollout(&json!({"kind": "Deployment", "spec": {"replicas": 0}})));
        assert!(!has_rollout(&json!({"kind": "CronJob", "spec": {}})));
    }

    #[test]
    fn the_annotation_is_kubectls() {
        let object = annotated(Some("2026-12-01T00:00:00Z"));
        assert_eq!(annotation(&object), Some("2026-12-01T00:00:00Z"));
        assert_eq!(annotation(&annotated(None)), None);
    }
}
