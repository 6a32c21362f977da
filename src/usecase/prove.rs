//! Judges workloads as they are written: admitted by a level, ready, and the same as root.

use super::explained::explained;
use super::fix::planning;
use super::fix::targets::FixTarget;
use super::progress::Tell;
use crate::error::Error;
use crate::evidence::cluster::Cluster;
use crate::model::podsecurity::Level;
use crate::output::prove::Judged;
use crate::run::{self, Trial, Verdict};

/// How workloads are judged.
#[derive(Debug, Clone)]
pub struct ProveOptions {
    pub level: Level,
    pub trial: run::Options,
    /// The namespace in which the copies run, instead of the workload's.
    pub trial_namespace: Option<String>,
}

/// Judges one workload; comes back with why pods of the trial may still be there, too.
///
/// # Errors
/// It was interrupted, a check of its annotation cannot be read, or the cluster does not answer or
/// does not let us run the copies.
pub async fn judged(
    cluster: &Cluster,
    options: &ProveOptions,
    target: &FixTarget,
    tell: Tell<'_>,
) -> Result<(Judged, Option<Error>), Error> {
    let object = target.as_written();
    let level = options.level.as_str();
    let forbidden = planning::violations(object, options.level);
    let forbidden = forbidden.into_iter().map(|one| format!("{level} forbids it: {one}")).collect();
    let mut of_trial = options.trial.clone();
    of_trial.checks.extend(planning::annotated_checks(target)?);
    let tell_of_trial = |progress: run::Progress<'_>| tell(progress.into());
    let namespace = options.trial_namespace.as_ref().unwrap_or(&target.namespace);
    let volumes = &target.volumes;
    let trial = Trial::new(Some(cluster), namespace, object, volumes, of_trial, &tell_of_trial);
    let (verdict, left_behind) =
        planning::cleaned_up(&trial, "finish the proof", tell, trial.judge()).await;
    Ok((report(target, options.level, forbidden, verdict?), left_behind))
}

fn report(target: &FixTarget, level: Level, forbidden: Vec<String>, verdict: Verdict) -> Judged {
    let Verdict { ready, works, seconds, obstacles, notes, checks, not_checked } = verdict;
    let source = target.manifest.as_ref().and_then(|manifest| manifest.workload.source.as_ref());
    Judged {
        workload: target.name(),
        namespace: target.namespace.clone(),
        file: source.map(|source| source.file.clone()),
        level: level.as_str(),
        admitted: forbidden.is_empty(),
        forbidden,
        ready,
        works,
        seconds,
        checks,
        not_checked,
        notes,
        obstacles: obstacles.into_iter().map(explained).collect(),
    }
}
