//! The way back: every object and label as it was.

use super::super::progress::{Activity, Tell};
use super::restart;
use crate::apply::migration_state::Store;
use crate::apply::{self, ObjectChange, RolloutOutcome, namespace};
use crate::error::Error;
use crate::evidence::cluster::Cluster;
use crate::model::migration::{DeliveryState, Migration, PlanVerdict};

/// Takes back what a migration wrote: the labels first, so that nothing is refused, then each plan.
/// What could not be taken back stays in the state, and its error comes back.
///
/// # Errors
/// No migration is kept, or its state cannot be read.
pub async fn undo(
    cluster: &Cluster,
    store: &Store,
    timeout: std::time::Duration,
    tell: Tell<'_>,
) -> Result<Vec<Error>, Error> {
    let namespace = &cluster.namespace;
    let Some(mut state) = store.load(cluster).await? else {
        let attempted = format!("take the migration of namespace {namespace} back");
        return Err(Error::input(attempted, "nothing is kept of one"));
    };
    if !state.labels.is_empty() {
        namespace::label(cluster, namespace, &state.labels, false).await?;
        state.labels.clear();
        store.save(cluster, &state).await?;
    }
    let names: Vec<String> = state.written().map(|(name, _)| name.clone()).collect();
    let mut errors = Vec::new();
    for name in names {
        match one(cluster, &state, &name, timeout).await {
            Ok(()) => {
                tell(Activity::Note(format!("{name}: as it was before")));
                if let Some(record) = state.workloads.get_mut(&name) {
                    record.delivery = DeliveryState::TakenBack;
                }
                store.save(cluster, &state).await?;
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        store.remove(cluster).await?;
    }
    Ok(errors)
}

/// Takes one plan back and waits for its rollout. What is gone needs no way back.
async fn one(
    cluster: &Cluster,
    state: &Migration,
    name: &str,
    timeout: std::time::Duration,
) -> Result<(), Error> {
    let Some(record) = state.workloads.get(name) else { return Ok(()) };
    let Some(mut now) = super::current(cluster, name).await? else { return Ok(()) };
    if let Some(restart) = &record.restart {
        failed(name, restart::undo(cluster, restart, &now, timeout).await?)?;
        let Some(after) = super::current(cluster, name).await? else { return Ok(()) };
        now = after;
    }
    let PlanVerdict::Proven(plan) = &record.verdict else { return Ok(()) };
    let namespace = &cluster.namespace;
    let forward = ObjectChange { original: &now, patch: &plan.patch, namespace };
    // What a run that was killed had not written yet, or somebody took back, has nothing to undo.
    if apply::preview(cluster, forward).await?["spec"] != now["spec"] {
        return Ok(());
    }
    let back = ObjectChange { original: &now, patch: &plan.undo, namespace };
    failed(name, apply::apply(cluster, back, (false, timeout), &|_| ()).await?)
}

fn failed(name: &str, outcome: RolloutOutcome) -> Result<(), Error> {
    match outcome {
        RolloutOutcome::Failed { why, .. } => {
            Err(Error::remote(format!("take the change to {name} back"), why)
                .help("its template is as it was before; its pods do not get ready"))
        }
        _ => Ok(()),
    }
}
