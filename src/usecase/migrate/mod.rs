//! A namespace on its way to a level: what is there, the proof of each plan, the delivery, the
//! fence, and the way back. What was done is kept after each step, so that a run that was killed is
//! gone on with by the next.

mod delivery;
mod disruption;
mod fence;
mod inventory;
mod proof;
mod restart;
mod rights;
mod undo;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex;

pub use self::fence::enforce;
pub use self::inventory::{NamespaceInventory, inventory};
pub use self::proof::TRIALS;
pub use self::rights::check as check_rights;
pub use self::undo::undo;

use super::fix::targets::FixTarget;
use super::fix::{FixOptions, planning};
use super::target::kind_of;
use crate::apply::migration_state::Store;
use crate::apply::{lease, migration_state};
use crate::error::Error;
use crate::evidence::cluster::Cluster;
use crate::model::migration::{DeliveryState, Migration, MigrationRecord, PlanVerdict};
use crate::output::migrate::{Fence, MigrationReport, Outcome, Row};
use crate::run;

/// How a namespace is migrated.
#[derive(Debug, Clone)]
pub struct MigrateOptions {
    pub fix: FixOptions,
    /// Workloads that are proven at the same time.
    pub parallel: usize,
    /// Change what belongs to a release or an operator, too, and what a disruption budget keeps.
    pub force: bool,
    /// Workloads that are restarted under the level one after another, before the rest are.
    pub canary: usize,
    /// Restart the workloads once the level is enforced.
    pub restarts: bool,
    /// Workloads, as `job/old`, that may be left behind: the level refuses what they make.
    pub accepted: BTreeSet<String>,
    /// For each rollout.
    pub timeout: Duration,
}

/// A migration under way: its state is kept whenever it changes.
pub struct Migrating<'m> {
    pub cluster: &'m Cluster,
    pub options: &'m MigrateOptions,
    store: &'m Store,
    state: Mutex<Migration>,
}

/// What a run goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// Nothing may be kept from before.
    Anew,
    /// What is kept from before is gone on with.
    Resumed,
}

/// Takes the lease of a namespace, which must be held as long as anything is written there.
///
/// # Errors
/// Another migration of it runs, or the lease may not be written.
pub async fn exclusive(cluster: &Cluster) -> Result<lease::Held, Error> {
    lease::take(cluster, &cluster.namespace, migration_state::NAME).await
}

/// A workload of the context's namespace, by `deployment/web`; `None` where it is gone.
async fn current(cluster: &Cluster, name: &str) -> Result<Option<Value>, Error> {
    let Some((kind, name)) = name.split_once('/') else { return Ok(None) };
    let kind = kind_of(kind);
    cluster.object_if_there(&kind, &cluster.namespace, name).await
}

/// Removes the trials of a migration that was interrupted, and comes back with what to say of it.
pub async fn interrupted(cluster: &Cluster) -> Error {
    // A request that is on its way may be carried out all the same.
    tokio::time::sleep(planning::ON_ITS_WAY).await;
    let help = "--resume goes on with it, --undo takes it back";
    match run::clean_named(cluster, &cluster.namespace, proof::TRIALS).await {
        Ok(()) => Error::input("finish the migration", "it was interrupted").help(help),
        Err(error) => error,
    }
}

impl<'m> Migrating<'m> {
    /// Begins, or goes on; removes what trials of a run that was killed left behind.
    ///
    /// # Errors
    /// What is kept cannot be read, or does not go with how it is to begin.
    pub async fn begin(
        cluster: &'m Cluster,
        options: &'m MigrateOptions,
        store: &'m Store,
        begin: Begin,
    ) -> Result<Self, Error> {
        let level = options.fix.level().as_str();
        let attempted = || format!("migrate namespace {}", cluster.namespace);
        let kept = store.load(cluster).await?;
        let state = match (kept, begin) {
            (Some(kept), Begin::Resumed) if kept.level == level => kept,
            (Some(kept), Begin::Resumed) => {
                let why = format!("the migration that was begun is to {}", kept.level);
                let help = format!("go on with --level {}, or --undo it first", kept.level);
                return Err(Error::input(attempted(), why).help(help));
            }
            (Some(_), Begin::Anew) => {
                return Err(Error::input(attempted(), "a migration of it was begun before")
                    .help("--resume goes on with it, --undo takes it back"));
            }
            (None, Begin::Resumed) => {
                let why = "nothing is kept of an earlier run";
                return Err(Error::input(attempted(), why).help("leave --resume out to begin"));
            }
            (None, Begin::Anew) => Migration::new(level),
        };
        run::clean_named(cluster, &cluster.namespace, proof::TRIALS).await?;
        Ok(Migrating { cluster, options, store, state: Mutex::new(state) })
    }

    /// Changes the state, and keeps it.
    async fn change(&self, change: impl FnOnce(&mut Migration)) -> Result<(), Error> {
        let mut state = self.state.lock().await;
        change(&mut state);
        self.store.save(self.cluster, &state).await
    }

    /// Notes how far the delivery of a workload is.
    async fn note(&self, name: &str, delivery: DeliveryState) -> Result<(), Error> {
        self.change(|state| {
            if let Some(record) = state.workloads.get_mut(name) {
                record.delivery = delivery;
            }
        })
        .await
    }

    /// What is known of a workload.
    async fn record(&self, name: &str) -> Option<MigrationRecord> {
        self.state.lock().await.workloads.get(name).cloned()
    }

    /// A workload as the cluster has it now; `None` where it is gone.
    async fn current(&self, name: &str) -> Result<Option<Value>, Error> {
        current(self.cluster, name).await
    }

    /// The workloads of which a copy is to run.
    pub async fn unproven<'t>(&self, inventory: &'t NamespaceInventory) -> Vec<&'t FixTarget> {
        let state = self.state.lock().await;
        let level = self.options.fix.level();
        let is_new = |target: &&FixTarget| {
            planning::wants(&target.object, level) && !state.workloads.contains_key(&target.name())
        };
        inventory.targets.iter().filter(is_new).collect()
    }

    /// The report on what is there and what was done.
    pub async fn report(
        &self,
        inventory: &NamespaceInventory,
        fence: Option<Fence>,
        errors: &[Error],
    ) -> MigrationReport {
        let state = self.state.lock().await;
        let rows = inventory
            .targets
            .iter()
            .map(|target| self.row(inventory, target, state.workloads.get(&target.name())))
            .chain(inventory.others.iter().cloned());
        let mut report = MigrationReport::new(
            &self.cluster.namespace,
            self.options.fix.level().as_str(),
            inventory.enforced.clone(),
            rows.collect(),
            fence,
            errors.iter().map(Error::to_string).collect(),
        );
        report.notes = disruption::full_quotas(&inventory.limits);
        report
    }

    /// What a reader learns of one workload.
    fn row(
        &self,
        inventory: &NamespaceInventory,
        target: &FixTarget,
        record: Option<&MigrationRecord>,
    ) -> Row {
        let name = target.name();
        let owner = crate::plan::owner(&target.object);
        let mut row = Row {
            owner: owner.as_ref().map(|owner| owner.who.clone()),
            standing: inventory::standing(&target.object).as_str(),
            ..Row::new(&name)
        };
        let Some(record) = record else {
            row.outcome = Outcome::Unknown;
            row.why = vec!["its plan was not proven, because the run ended before".to_owned()];
            return row;
        };
        match &record.verdict {
            PlanVerdict::Admitted => row.outcome = Outcome::Admitted,
            PlanVerdict::NotProven { why } => {
                (row.outcome, row.why) = (Outcome::NotProven, why.clone())
            }
            PlanVerdict::Forbidden { why } => {
                (row.outcome, row.why) = (Outcome::Forbidden, why.clone())
            }
            PlanVerdict::Proven(plan) => {
                row.outcome = match record.delivery {
                    DeliveryState::Pending | DeliveryState::Begun => Outcome::Proven,
                    DeliveryState::Done => Outcome::Applied,
                    DeliveryState::TakenBack => Outcome::TakenBack,
                };
                (row.steps, row.not_checked) = (plan.steps.clone(), plan.not_checked.clone());
                (row.rounds, row.seconds) = (plan.rounds, plan.seconds);
            }
        }
        row.accepted = self.options.accepted.contains(&name);
        let budget = || disruption::forbidden(&inventory.limits, &target.object);
        let others = owner.map(|owner| owner.advice).or_else(budget);
        row.next = inventory::next(target, row.outcome, others.filter(|_| !self.options.force));
        row.notes = disruption::notes(&inventory.limits, &target.object);
        row
    }

    /// The entries of a kustomization that are the plans that work.
    pub async fn entries(&self) -> Vec<Value> {
        let state = self.state.lock().await;
        let proven = state.workloads.values().filter_map(|record| match &record.verdict {
            PlanVerdict::Proven(plan) if !plan.entry.is_null() => Some(plan.entry.clone()),
            _ => None,
        });
        proven.collect()
    }
}
