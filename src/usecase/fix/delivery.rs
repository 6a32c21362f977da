//! A plan's way into the cluster.

use super::super::explained::explanation;
use super::super::interrupt::interrupted;
use super::{FixTarget, Fixed};
use crate::apply::{self, ObjectChange, RolloutOutcome};
use crate::error::Error;
use crate::evidence::cluster::Cluster;
use crate::output::explanation::Explanation;
use crate::output::patch;
use crate::run;

/// How a plan is applied.
#[derive(Debug, Clone, Copy)]
pub struct ApplyOptions {
    /// Only ask the API server whether it would take the change.
    pub dry_run: bool,
    /// Apply even to an object that a release, an operator or another tool would take back.
    pub force: bool,
    /// For the rollout.
    pub timeout: std::time::Duration,
}

/// What is told on the way.
#[derive(Debug)]
pub enum Delivery<'d> {
    Goes(apply::RolloutProgress),
    /// The rollout failed, and why; the obstacles of the pod that failed, if one did.
    Failed(&'d str, Option<&'d Explanation>),
    /// It was interrupted; the change is taken back.
    Interrupted,
    /// The rollout failed; the change is taken back.
    TakingBack,
}

/// What became of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// Not applied: its trial failed.
    Refuted,
    /// There was nothing to change.
    Unchanged,
    /// The API server would take it.
    Accepted,
    RolledOut,
    /// Written; the pods that it makes from now on follow.
    Written,
    /// Written, and taken back, because the rollout failed.
    TakenBack,
}

impl Delivered {
    #[must_use]
    pub fn is_good(self) -> bool {
        !matches!(self, Delivered::Refuted | Delivered::TakenBack)
    }
}

/// Applies a plan and watches its rollout; takes it back where that fails.
///
/// # Errors
/// Another tool owns the object, the API server refuses the change, or it was interrupted: the
/// change is taken back then.
pub async fn apply(
    cluster: &Cluster,
    options: ApplyOptions,
    one: &Fixed,
    tell: &(dyn Fn(Delivery<'_>) + Sync),
) -> Result<Delivered, Error> {
    let name = one.target.name();
    if one.is_refuted() {
        return Ok(Delivered::Refuted);
    }
    if one.plan.object == one.target.object {
        return Ok(Delivered::Unchanged);
    }
    if let Some(owner) = one.owner.as_ref().filter(|_| !options.force) {
        let why = format!("it belongs to {}, which would take the change back", owner.who);
        let help = format!("{}; --force applies it here all the same", owner.advice);
        return Err(Error::input(format!("apply the change to {name}"), why).help(help));
    }
    let patch = patch::strategic(&one.target.object, &one.plan.object);
    let change = ObjectChange {
        original: &one.target.object,
        patch: &patch,
        namespace: &one.target.namespace,
    };
    let progress = |progress: apply::RolloutProgress| tell(Delivery::Goes(progress));
    let outcome = tokio::select! {
        outcome = apply::apply(cluster, change, (options.dry_run, options.timeout), &progress) => outcome?,
        () = interrupted() => {
            tell(Delivery::Interrupted);
            apply::roll_back(cluster, change).await?;
            return Err(Error::input(format!("finish the rollout of {name}"), "it was interrupted")
                .help("the pod template is as it was before"));
        }
    };
    match outcome {
        RolloutOutcome::Accepted => Ok(Delivered::Accepted),
        RolloutOutcome::RolledOut => Ok(Delivered::RolledOut),
        RolloutOutcome::Written => Ok(Delivered::Written),
        RolloutOutcome::Failed { why, pod } => {
            let explanation = match pod {
                Some(pod) => explained(cluster, &one.target, &pod).await,
                None => None,
            };
            tell(Delivery::Failed(&why, explanation.as_ref()));
            tell(Delivery::TakingBack);
            apply::roll_back(cluster, change).await?;
            Ok(Delivered::TakenBack)
        }
    }
}

/// Why a new pod failed, read before it is gone.
async fn explained(cluster: &Cluster, target: &FixTarget, pod: &str) -> Option<Explanation> {
    let texts = cluster.failure_texts(&target.namespace, pod, None, false).await.ok()?;
    Some(explanation(Vec::new(), run::diagnosed(&texts.value)))
}
