//! Why a container failed, and what would remove it.

use std::path::Path;

use super::access_steps::{self, AccessSteps};
use super::decided;
use super::explained::{self, explanation};
use super::images::RegistryOptions;
use super::live;
use super::progress::{Tell, Work};
use super::target::Target;
use crate::diagnosis::{Context, Diagnosed, Diagnosis, search};
use crate::error::{Error, Partial};
use crate::evidence::cluster::{Cluster, Connection};
use crate::evidence::logs;
use crate::foresight;
use crate::output::explanation::{Explained, Explanation};
use crate::remedy;
use crate::run::diagnosed;

/// A pod of the cluster, or the failing pod of a workload.
#[derive(Debug, Clone)]
pub struct FailingPod {
    pub target: Target,
    /// Only this container.
    pub container: Option<String>,
    /// The logs of containers that ended, not of those that replaced them.
    pub previous: bool,
    /// How the images are read that tell which remedies apply; `None`: they are not.
    pub images: Option<RegistryOptions>,
}

/// Explains a log on standard input.
#[must_use]
pub fn standard_input() -> Partial<Explanation> {
    let mut diagnosis =
        Diagnosis::new(Context { source: "stdin".to_owned(), ..Context::default() });
    let read =
        logs::standard_input(search, |piece, searched| diagnosis.feed_searched(piece, &searched));
    report(Partial { value: diagnosis.finish(), errors: read.errors })
}

/// Explains a log in a file.
///
/// # Errors
/// The file cannot be opened.
pub fn file(path: &str) -> Result<Partial<Explanation>, Error> {
    let mut diagnosis = Diagnosis::new(Context { source: path.to_owned(), ..Context::default() });
    let read = logs::file(Path::new(path), search, |piece, searched| {
        diagnosis.feed_searched(piece, &searched)
    })?;
    Ok(report(Partial { value: diagnosis.finish(), errors: read.errors }))
}

/// Explains what a cluster says about a pod.
///
/// # Errors
/// The cluster does not answer, or has no such pod.
pub async fn live(
    connection: &Connection,
    pod: &FailingPod,
    tell: Tell<'_>,
) -> Result<Partial<Explanation>, Error> {
    let cluster = Cluster::connect(connection).await?;
    let _work = Work::begin(tell, "reading logs and events");
    let Partial { value: workload, errors: of_workload } =
        live::named(&cluster, &pod.target, "explain").await?;
    let Partial { value: texts, mut errors } =
        live::failure_texts(&cluster, &workload, pod.container.as_deref(), pod.previous).await?;
    errors.extend(of_workload);
    let mut diagnosed = diagnosed(&texts);
    foresight::devices::recognise(&mut diagnosed.obstacles, &workload.spec);
    let running = live::running_pods(&cluster, &workload).await;
    let mut steps =
        access_steps::of_each(&cluster, &workload, &running, &mut diagnosed.obstacles).await;
    let node = access_steps::node(&cluster, &workload, &diagnosed.obstacles).await;
    for (one, obstacle) in steps.iter_mut().zip(&diagnosed.obstacles) {
        one.steps.extend(access_steps::by_the_node(obstacle, &workload, node.value.as_ref()));
    }
    errors.extend(node.errors);
    let runtime = node.value.map(|node| node.runtime);
    let settings: Vec<Option<String>> = diagnosed
        .obstacles
        .iter()
        .map(|obstacle| remedy::device_ownership(obstacle, runtime.as_ref()?))
        .collect();
    let decided =
        decided::decided(&cluster, &workload, &diagnosed.obstacles, pod.images.as_ref(), tell)
            .await;
    let mut read = report(Partial { value: diagnosed, errors });
    let each = read.value.obstacles.iter_mut().zip(decided).zip(steps).zip(settings);
    for (((explained, decided), mut steps), setting) in each {
        match decided {
            Ok(decided) => {
                explained.remedies = explained::remedies(decided.remedies);
                if steps.steps.is_empty() {
                    steps.steps = decided.why;
                }
            }
            Err(why) => explained.undecided = Some(why),
        }
        complete(explained, steps, setting);
    }
    Ok(read)
}

/// Adds to an obstacle how it came about, and what to set on the pod's node, where that is known
/// and helps.
fn complete(explained: &mut Explained, steps: AccessSteps, setting: Option<String>) {
    explained.why = steps.steps;
    if steps.ignores_fs_group {
        explained.remedies.retain(|remedy| remedy.id != "fs-group");
    }
    let mut of_node = explained
        .remedies
        .iter_mut()
        .filter(|remedy| remedy.level == remedy::RemedyLayer::Node.as_str());
    if let (Some(advice), Some(setting)) = (of_node.next(), setting) {
        advice.summary = setting;
    }
}

/// The report on what was diagnosed.
fn report(Partial { value: diagnosed, errors }: Partial<Diagnosed>) -> Partial<Explanation> {
    let warnings = errors.iter().map(Error::to_string).collect();
    Partial { value: explanation(warnings, diagnosed), errors }
}
