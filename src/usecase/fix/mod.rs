//! The plan that takes a workload off root, the proof of it, and its way into the cluster or a file.

pub mod chart;
pub mod delivery;
pub mod edited_files;
pub mod planning;
pub mod targets;
mod user_namespace;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::explained::explained;
use super::images::RegistryOptions;
use super::progress::Tell;
use super::target::Selector;
use crate::error::{Error, Partial};
use crate::evidence::cluster::Cluster;
use crate::evidence::manifests::Manifest;
use crate::model::obstacle::Obstacle;
use crate::model::plan::{Plan, Proof};
use crate::model::podsecurity::Level;
use crate::model::workload::Location;
use crate::output::fix as report;
use crate::plan::{self, Owner};
use crate::run;
use targets::FixTarget;

/// What is planned for, and how.
#[derive(Debug, Clone, Default)]
pub struct FixOptions {
    pub selector: Selector,
    /// How plans are searched, and trials run.
    pub trial: run::Options,
    /// The namespace in which the copies run, instead of the workload's.
    pub trial_namespace: Option<String>,
    /// Files of straces to plan from: `[CONTAINER=]FILE`.
    pub traces: Vec<String>,
    /// Read the images.
    pub images: bool,
    pub registry: RegistryOptions,
}

impl FixOptions {
    /// As without any flag, for a level.
    #[must_use]
    pub fn of_level(selector: Selector, level: Level) -> Self {
        let mut options = FixOptions { selector, ..FixOptions::default() };
        options.trial.search.level = level;
        options
    }

    #[must_use]
    pub fn level(&self) -> Level {
        self.trial.search.level
    }
}

/// What came of one workload.
pub struct Fixed {
    pub target: FixTarget,
    pub plan: Plan,
    pub proof: Option<Proof>,
    /// What is left as it is, or forbidden still.
    warnings: Vec<String>,
    /// The level forbids nothing of what the plan leads to.
    is_admitted: bool,
    owner: Option<Owner>,
    /// Why pods of the trial may still be there.
    pub left_behind: Option<Error>,
}

impl Fixed {
    /// The object with the plan in it, as its file or the cluster has it.
    #[must_use]
    pub fn after(&self) -> Value {
        self.target.after(&self.plan.object)
    }

    /// Whether there is anything to change.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.after() != *self.target.before()
    }

    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.proof.as_ref().is_some_and(|proof| proof.works)
    }

    /// Its trial failed.
    #[must_use]
    pub fn is_refuted(&self) -> bool {
        self.proof.as_ref().is_some_and(|proof| !proof.works)
    }

    /// The level forbids nothing of what the plan leads to.
    #[must_use]
    pub fn is_admitted(&self) -> bool {
        self.is_admitted
    }

    /// Nothing is left that an exit code should tell.
    #[must_use]
    pub fn is_good(&self) -> bool {
        !self.is_refuted() && self.is_admitted
    }

    /// Takes steps out of the plan, by their numbers.
    pub fn leave_out(&mut self, without: &BTreeSet<usize>, level: Level) {
        if without.is_empty() {
            return;
        }
        let steps = std::mem::take(&mut self.plan.steps).into_iter().enumerate();
        let steps: Vec<_> =
            steps.filter(|(number, _)| !without.contains(number)).map(|(_, step)| step).collect();
        let edits = plan::edits(&self.target.object, level, &self.plan.identities, &steps);
        self.plan.object = plan::compose(&self.target.object, level, &edits);
        self.plan.steps = steps;
    }

    /// What a reader should know beside the plan.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let owner = self.owner.as_ref().map(|Owner { who, advice }| {
            format!("it belongs to {who}, which would take the change back: {advice}")
        });
        let of_kind = self.target.left_out(&self.plan.object);
        let notes = self.target.notes.iter().cloned();
        notes.chain(self.warnings.iter().cloned()).chain(of_kind).chain(owner).collect()
    }

    /// What is reported of it.
    #[must_use]
    pub fn report(&self) -> report::Fix {
        let explained = |obstacles: &[Obstacle]| obstacles.iter().cloned().map(explained).collect();
        let proof = self.proof.as_ref().map(|proof| report::Proof {
            ready: proof.ready,
            works: proof.works,
            checks: proof.checks.clone(),
            not_checked: proof.not_checked.clone(),
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
        let mut warnings = self.warnings();
        if let Some(manifest) = &self.target.manifest {
            let errors = edited_files::edited(&manifest.file, &[self]).errors;
            warnings.extend(errors.iter().map(ToString::to_string));
        }
        let (before, after) = (self.target.before(), self.after());
        let mut fix =
            report::Fix::new(before, &after, &self.plan, self.is_admitted, proof, warnings);
        if let Some(manifest) = &self.target.manifest {
            fix.workload.name = json!(manifest.workload.name);
        }
        fix
    }
}

/// Each object before and after, with the plans of all its pods.
#[must_use]
pub fn objects(fixed: &[Fixed]) -> Vec<(Value, Value)> {
    let is_same = |one: &Fixed, other: &Fixed| match (&one.target.manifest, &other.target.manifest)
    {
        (Some(one), Some(other)) => {
            Arc::ptr_eq(&one.file, &other.file)
                && (&one.part, one.item) == (&other.part, other.item)
        }
        _ => false,
    };
    let mut objects = Vec::new();
    for of_one in fixed.chunk_by(is_same) {
        let before = of_one[0].target.before().clone();
        let mut after = before.clone();
        of_one.iter().for_each(|one| one.target.put(&one.plan.object, &mut after));
        objects.push((before, after));
    }
    objects
}

/// Trials are of one workload after another; plans only read.
const PLANNED_AT_ONCE: usize = 4;

/// What fix would do, without a trial, to each workload of a cluster that is selected.
///
/// # Errors
/// The cluster does not answer, or a workload that is named is not there.
pub(super) async fn plans_of_cluster(
    cluster: &Cluster,
    options: &FixOptions,
    tell: Tell<'_>,
) -> Result<Partial<Vec<(Option<Location>, report::Fix)>>, Error> {
    let (targets, errors) = targets::of_cluster(cluster, &options.selector, tell).await?;
    Ok(plans(Some(cluster), targets, errors, options, tell).await)
}

/// What fix would do, without a trial, to the workloads of manifests, each with its place in a
/// file.
pub(super) async fn plans_of(
    manifests: Vec<Manifest>,
    options: &FixOptions,
    tell: Tell<'_>,
) -> Partial<Vec<(Option<Location>, report::Fix)>> {
    let targets =
        manifests.into_iter().map(|manifest| targets::of_manifest(manifest, "default")).collect();
    plans(None, targets, Vec::new(), options, tell).await
}

async fn plans(
    cluster: Option<&Cluster>,
    targets: Vec<FixTarget>,
    mut errors: Vec<Error>,
    options: &FixOptions,
    tell: Tell<'_>,
) -> Partial<Vec<(Option<Location>, report::Fix)>> {
    let plans = targets.into_iter().map(|target| async move {
        let place = target.manifest.as_ref().and_then(|manifest| manifest.workload.source.clone());
        let fixed = planning::planned(cluster, options, target, false, tell).await?;
        Ok((place, fixed.report()))
    });
    let results: Vec<Result<_, Error>> =
        stream::iter(plans).buffered(PLANNED_AT_ONCE).collect().await;
    let read = Partial::of(results);
    errors.extend(read.errors);
    Partial { value: read.value, errors }
}
