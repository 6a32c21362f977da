//! How far a namespace is on its way to a level: what is kept between two runs of `migrate`.
//!
//! No secret is in it: of a workload it holds its name, a digest of its pod template, the verdict
//! of its trial, and two patches with the fields that the plan changes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is kept of one migration.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Migration {
    /// `restricted` or `baseline`.
    pub level: String,
    /// The Pod Security labels that the namespace had before, as far as they were changed; `None`
    /// where it had none.
    pub labels: BTreeMap<String, Option<String>>,
    /// Each workload, by `deployment/web`.
    pub workloads: BTreeMap<String, MigrationRecord>,
}

/// What is kept of one workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MigrationRecord {
    pub template: TemplateDigest,
    pub verdict: PlanVerdict,
    pub delivery: DeliveryState,
    /// Its restart under the level, once that began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<RolloutRestart>,
}

/// That a workload was restarted, so that its own controller shows that its pods are admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RolloutRestart {
    /// What the annotation of its template said before; `None` where it had none.
    pub before: Option<String>,
    pub is_done: bool,
}

/// What a verdict is of: with another template, or other images, it holds no more.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateDigest {
    /// Of the pod template.
    pub digest: String,
    /// The digest of each container's image, where a pod tells it.
    pub images: BTreeMap<String, String>,
}

impl TemplateDigest {
    /// Whether two are the same, as far as is known of the images.
    #[must_use]
    pub fn is_same(&self, other: &TemplateDigest) -> bool {
        let differs = |(container, image): (&String, &String)| {
            other.images.get(container).is_some_and(|known| known != image)
        };
        self.digest == other.digest && !self.images.iter().any(differs)
    }
}

/// What a plan and its trial showed of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum PlanVerdict {
    /// The level admits it as it is, and it is not root: nothing is changed.
    Admitted,
    /// The plan works.
    Proven(Box<ProvenPlan>),
    /// No plan was found that works.
    NotProven { why: Vec<String> },
    /// It needs what the level forbids.
    Forbidden { why: Vec<String> },
}

/// A plan that works.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProvenPlan {
    /// The strategic merge patch that it is.
    pub patch: Value,
    /// The one that takes it back.
    pub undo: Value,
    /// It, as an entry of `patches` in a kustomization.
    pub entry: Value,
    /// What it does, a sentence each.
    pub steps: Vec<String>,
    pub rounds: usize,
    pub seconds: u64,
    /// What its trial did not look at.
    pub not_checked: Vec<String>,
}

/// Whether a plan is in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeliveryState {
    /// Nothing was written.
    Pending,
    /// It was being written, or its rollout watched, when the run that did so ended.
    Begun,
    Done,
    /// It was written and its rollout failed.
    TakenBack,
}

impl MigrationRecord {
    #[must_use]
    pub fn new(template: TemplateDigest, verdict: PlanVerdict) -> Self {
        MigrationRecord { template, verdict, delivery: DeliveryState::Pending, restart: None }
    }

    /// Whether its plan is to be written.
    #[must_use]
    pub fn is_due(&self) -> bool {
        matches!(self.verdict, PlanVerdict::Proven(_))
            && matches!(self.delivery, DeliveryState::Pending | DeliveryState::Begun)
    }

    /// Whether the level admits what it makes once its plan is written.
    #[must_use]
    pub fn is_admitted(&self) -> bool {
        match self.verdict {
            PlanVerdict::Admitted => true,
            PlanVerdict::Proven(_) => self.delivery == DeliveryState::Done,
            PlanVerdict::NotProven { .. } | PlanVerdict::Forbidden { .. } => false,
        }
    }
}

impl Migration {
    #[must_use]
    pub fn new(level: &str) -> Self {
        Migration { level: level.to_owned(), ..Migration::default() }
    }

    /// What is known of a workload with this template. One that the migration itself changed has
    /// another than before, and its record counts as long as it `is_as_planned`.
    #[must_use]
    pub fn known(
        &self,
        name: &str,
        template: &TemplateDigest,
        is_as_planned: bool,
    ) -> Option<&MigrationRecord> {
        let record = self.workloads.get(name)?;
        let is_own_change =
            is_as_planned && matches!(record.delivery, DeliveryState::Begun | DeliveryState::Done);
        (is_own_change || record.template.is_same(template)).then_some(record)
    }

    /// Notes what a label was before this migration changed it, once.
    pub fn remember_label(&mut self, label: &str, value: Option<&str>) {
        self.labels.entry(label.to_owned()).or_insert_with(|| value.map(str::to_owned));
    }

    /// The workloads whose plans are in the cluster, or may be, and those that were restarted.
    pub fn written(&self) -> impl Iterator<Item = (&String, &MigrationRecord)> {
        self.workloads.iter().filter(|(_, record)| {
            matches!(record.delivery, DeliveryState::Begun | DeliveryState::Done)
                || record.restart.is_some()
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(digest: &str) -> TemplateDigest {
        TemplateDigest { digest: digest.to_owned(), ..TemplateDigest::default() }
    }

    fn proven() -> PlanVerdict {
        PlanVerdict::Proven(Box::new(ProvenPlan {
            patch: json!({"spec": {}}),
            steps: vec!["run as 101".to_owned()],
            ..ProvenPlan::default()
        }))
    }

    #[test]
    fn what_is_kept_comes_back() {
        let mut migration = Migration::new("restricted");
        migration.remember_label("pod-security.kubernetes.io/enforce", None);
        migration.remember_label("pod-security.kubernetes.io/enforce", Some("restricted"));
        for (name, verdict) in [
            ("deployment/a", PlanVerdict::Admitted),
            ("deployment/b", proven()),
            ("job/c", PlanVerdict::NotProven { why: vec!["it died".to_owned()] }),
            ("daemonset/d", PlanVerdict::Forbidden { why: vec!["privileged".to_owned()] }),
        ] {
            migration
                .workloads
                .insert(name.to_owned(), MigrationRecord::new(template("d"), verdict));
        }
        let text = serde_json::to_string(&migration).expect("JSON");
        assert_eq!(serde_json::from_str::<Migration>(&text).expect("JSON"), migration);
        let before = &migration.labels["pod-security.kubernetes.io/enforce"];
        assert_eq!(*before, None, "what it was at first is what comes back");
    }

    #[test]
    fn nothing_is_proven_twice_unless_it_changed() {
        let mut migration = Migration::new("restricted");
        let (one, two, a) = (template("1"), template("2"), "deployment/a");
        migration.workloads.insert(a.to_owned(), MigrationRecord::new(one.clone(), proven()));
        assert!(migration.known(a, &one, false).is_some());
        assert!(migration.known(a, &two, false).is_none());
        assert!(migration.known(a, &two, true).is_none(), "somebody else changed it");
        assert!(migration.known("deployment/b", &one, false).is_none());
        migration.workloads.get_mut(a).expect("a record").delivery = DeliveryState::Begun;
        assert!(migration.known(a, &two, true).is_some(), "the migration changed it");
        assert!(migration.known(a, &two, false).is_none(), "and somebody else after it");
    }

    #[test]
    fn another_image_of_the_same_name_is_another_template() {
        let of = |images: &[(&str, &str)]| TemplateDigest {
            images: images.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
            ..template("1")
        };
        let known = of(&[("web", "sha256:1")]);
        assert!(known.is_same(&of(&[("web", "sha256:1")])));
        assert!(known.is_same(&of(&[])), "no pod runs that tells");
        assert!(!known.is_same(&of(&[("web", "sha256:2")])));
    }

    #[test]
    fn what_is_begun_is_due_and_what_is_done_is_admitted() {
        let mut record = MigrationRecord::new(template("1"), proven());
        assert!(record.is_due() && !record.is_admitted());
        record.delivery = DeliveryState::Begun;
        assert!(record.is_due());
        record.delivery = DeliveryState::Done;
        assert!(!record.is_due() && record.is_admitted());
        record.delivery = DeliveryState::TakenBack;
        assert!(!record.is_due() && !record.is_admitted());
        assert!(MigrationRecord::new(template("1"), PlanVerdict::Admitted).is_admitted());
    }
}
