//! Which remedies apply to what stops a workload of the cluster, by what it is made from.

use std::time::Duration;

use super::access_steps::by_look;
use super::images::{self, RegistryOptions};
use super::live::{self, everything_in};
use super::progress::{Tell, Work};
use crate::error::{Error, Partial};
use crate::evidence::cluster::Cluster;
use crate::model::filesystem::PathStats;
use crate::model::image::Image;
use crate::model::obstacle::Obstacle;
use crate::model::volume::{Volumes, shared};
use crate::model::workload::Workload;
use crate::remedy::Suggestion;
use crate::run::{self, Trial};
use crate::search::RemedyDecision;

/// How long the images may take to be read.
const IMAGE_TIMEOUT: Duration = Duration::from_secs(20);

/// Why nothing is left to try.
const NONE: &str = "by what its image has, none of them that changes the workload does";

/// What would remove an obstacle, and by what that was decided.
pub(super) struct Decided {
    /// In the order in which they should be tried.
    pub(super) remedies: Vec<Suggestion>,
    /// How the refusal comes about, step by step, by what the container has on the way to its path.
    pub(super) why: Vec<String>,
}

/// Decides on each obstacle: by the workload's images and by a pod of it that is well. An error is the
/// reason why nothing is decided.
pub(super) async fn decided(
    cluster: &Cluster,
    workload: &Workload,
    obstacles: &[Obstacle],
    registry: Option<&RegistryOptions>,
    tell: Tell<'_>,
) -> Vec<Result<Decided, String>> {
    let _work = Work::begin(tell, "deciding what applies");
    let all = |why: String| obstacles.iter().map(|_| Err(why.clone())).collect();
    if obstacles.is_empty() {
        return Vec::new();
    }
    match decisions(cluster, workload, obstacles, registry, tell).await {
        Ok(Partial { value, errors }) => {
            let why = unread(registry.is_some(), &errors);
            let decided =
                value.into_iter().zip(obstacles).map(|(decision, obstacle)| match decision {
                    RemedyDecision::Decided(remedies, _) if remedies.is_empty() => {
                        Err(NONE.to_owned())
                    }
                    RemedyDecision::Decided(remedies, stats) => {
                        let steps = by_look(workload, obstacle, Some(&PathStats { stats }));
                        Ok(Decided { remedies, why: steps.unwrap_or_default() })
                    }
                    RemedyDecision::Unknown | RemedyDecision::Learn(_) => Err(why.clone()),
                });
            decided.collect()
        }
        Err(error) => all(error.to_string()),
    }
}

async fn decisions(
    cluster: &Cluster,
    workload: &Workload,
    obstacles: &[Obstacle],
    registry: Option<&RegistryOptions>,
    tell: Tell<'_>,
) -> Result<Partial<Vec<RemedyDecision>>, Error> {
    let namespace = workload.namespace.as_deref().unwrap_or(&cluster.namespace);
    // Who may not list the others still learns what its own images tell.
    let inventory = cluster.inventory(&everything_in(namespace)).await;
    let all = inventory.map(|inventory| inventory.value.workloads).unwrap_or_default();
    let whole = live::whole(workload, &all);
    let object = cluster.object(&whole.kind, namespace, &whole.name).await?;
    let object = match object {
        Some(object) => object,
        None => {
            cluster.object(&workload.kind, namespace, &workload.name).await?.ok_or_else(|| {
                let kind = workload.kind.to_lowercase();
                Error::input(format!("read {kind}/{}", workload.name), "it is of no built-in kind")
            })?
        }
    };
    let storage = cluster.storage(std::slice::from_ref(whole)).await;
    let volumes = Volumes { storage, shared: shared(&all) };
    let well = cluster.live_pod(&object, namespace).await.ok().flatten();
    let well = well.filter(|(_, is_well)| *is_well).map(|(pod, _)| (namespace.to_owned(), pod));
    // What a pod that runs has made since, its image has not: the image tells more.
    let Partial { value: images, errors } = match registry {
        Some(registry) => images(cluster, workload, registry, tell).await,
        None => Partial::clean(Vec::new()),
    };
    let mut options = run::Options::default();
    (options.search.runs, options.search.foresees) = (false, false);
    // What a look cannot tell is a decision that is not made, and told as that.
    let quiet = |_: run::Progress<'_>| ();
    let trial = Trial {
        images,
        root_pod: well,
        ..Trial::new(Some(cluster), namespace, &object, &volumes, options, &quiet)
    };
    Ok(Partial { value: trial.decide(obstacles).await?, errors })
}

async fn images(
    cluster: &Cluster,
    workload: &Workload,
    registry: &RegistryOptions,
    tell: Tell<'_>,
) -> Partial<Vec<(String, Image)>> {
    let read = images::of_each(Some(cluster), Some(workload), registry, tell);
    match tokio::time::timeout(IMAGE_TIMEOUT, read).await {
        Ok(images) => images,
        Err(_) => {
            let why = format!("it took more than {} s", IMAGE_TIMEOUT.as_secs());
            let error = Error::remote("read its images", why);
            Partial { value: Vec::new(), errors: vec![error] }
        }
    }
}

/// Why nothing is known of what a container has.
fn unread(asked: bool, errors: &[Error]) -> String {
    match errors.first() {
        Some(error) => error.to_string(),
        None if asked => "its image cannot be looked at".to_owned(),
        None => "no pod of it is well, and its image is not read (--offline)".to_owned(),
    }
}
