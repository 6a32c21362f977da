//! The plans' way into the namespace: one workload after another, each watched until it is rolled
//! out, and taken back where that fails.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::fix::planning;
use super::super::fix::targets::FixTarget;
use super::super::progress::{Activity, Tell, Work};
use super::{Migrating, NamespaceInventory, disruption, inventory};
use crate::apply::{self, ObjectChange, RolloutOutcome, namespace};
use crate::error::Error;
use crate::model::migration::{DeliveryState, MigrationRecord, PlanVerdict};

/// The labels that tell who deploys what the level would refuse, before it does.
const TELLING: [&str; 2] = ["pod-security.kubernetes.io/warn", "pod-security.kubernetes.io/audit"];

impl Migrating<'_> {
    /// Labels the namespace to warn and to audit, and writes every plan that is proven and may be
    /// written. One that fails is taken back, and the next is tried.
    pub async fn deliver(&self, inventory: &NamespaceInventory, tell: Tell<'_>) -> Vec<Error> {
        let mut errors = Vec::new();
        if let Err(error) = self.label(&TELLING).await {
            errors.push(error);
        }
        for target in &inventory.targets {
            if let Err(error) = self.deliver_one(inventory, target, tell).await {
                errors.push(error);
            }
        }
        errors
    }

    /// Gives the namespace's labels the level, and keeps what they were.
    ///
    /// # Errors
    /// The namespace may not be read or changed.
    pub(super) async fn label(&self, names: &[&str]) -> Result<(), Error> {
        let namespace = &self.cluster.namespace;
        let before = namespace::labels(self.cluster, namespace).await?;
        let level = self.options.fix.level().as_str();
        if names.iter().all(|name| before.get(*name).map(String::as_str) == Some(level)) {
            return Ok(());
        }
        self.change(|state| {
            for name in names {
                state.remember_label(name, before.get(*name).map(String::as_str));
            }
        })
        .await?;
        let labels: BTreeMap<String, Option<String>> =
            names.iter().map(|name| ((*name).to_owned(), Some(level.to_owned()))).collect();
        namespace::label(self.cluster, namespace, &labels, false).await.map(drop)
    }

    /// Gives a label of the namespace back what it was before; `false`: it was not changed.
    ///
    /// # Errors
    /// The namespace may not be changed.
    pub(super) async fn lift(&self, name: &str) -> Result<bool, Error> {
        let before = self.state.lock().await.labels.get(name).cloned();
        let Some(before) = before else { return Ok(false) };
        let labels = BTreeMap::from([(name.to_owned(), before)]);
        namespace::label(self.cluster, &self.cluster.namespace, &labels, false).await?;
        Ok(true)
    }

    async fn deliver_one(
        &self,
        inventory: &NamespaceInventory,
        target: &FixTarget,
        tell: Tell<'_>,
    ) -> Result<(), Error> {
        let name = target.name();
        let Some(record) = self.record(&name).await.filter(MigrationRecord::is_due) else {
            return Ok(());
        };
        let PlanVerdict::Proven(plan) = &record.verdict else { return Ok(()) };
        let is_kept = crate::plan::owner(&target.object).is_some()
            || disruption::forbidden(&inventory.limits, &target.object).is_some();
        let is_kept = is_kept && !self.options.force;
        if is_kept || inventory::cannot_be_written(&target.object).is_some() {
            return Ok(());
        }
        let _work = Work::begin(tell, "rolling out");
        // After a run that was killed the object may have the plan already: what it was before is
        // what the way back leads to.
        let before = match record.delivery {
            DeliveryState::Begun => self.before(target, &plan.undo).await?,
            _ => target.object.clone(),
        };
        self.note(&name, DeliveryState::Begun).await?;
        let change = ObjectChange {
            original: &target.object,
            patch: &plan.patch,
            namespace: &target.namespace,
        };
        let quiet = |_: apply::RolloutProgress| ();
        let terms = (false, self.options.timeout);
        match apply::apply(self.cluster, change, terms, &quiet).await? {
            RolloutOutcome::RolledOut | RolloutOutcome::Written => {
                tell(Activity::Note(format!("{name}: rolled out")));
                self.note(&name, DeliveryState::Done).await
            }
            RolloutOutcome::Accepted => Ok(()),
            RolloutOutcome::Failed { why, .. } => {
                tell(Activity::Note(format!("{name}: {why}; taking the change back")));
                let back = ObjectChange { original: &before, ..change };
                apply::roll_back(self.cluster, back).await?;
                self.note(&name, DeliveryState::TakenBack).await
            }
        }
    }

    /// What an object was before its plan was written, whether that was or not.
    async fn before(&self, target: &FixTarget, undo: &Value) -> Result<Value, Error> {
        if planning::wants(&target.object, self.options.fix.level()) {
            return Ok(target.object.clone());
        }
        let change =
            ObjectChange { original: &target.object, patch: undo, namespace: &target.namespace };
        apply::preview(self.cluster, change).await
    }
}
