//! Runs a copy of a workload's pod as non-root, reads why it dies, adds the remedy, and repeats
//! until it is ready.
//!
//! The one room, beside `apply`, that writes to a cluster: pods of its own, which it removes again.

mod await_pod;
mod check_job;
mod control;
mod dns;
mod exercise;
mod garbage_collection;
mod inspect;
mod judge;
pub mod node_probe;
pub mod pod;
mod proof_limits;
mod requests;
mod second_start;
mod side_effects;
mod states;
mod strace;
pub mod tracer;
mod trial;

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, PropagationPolicy};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::diagnosis::{self, Context, Diagnosed};
use crate::error::Error;
use crate::evidence::cluster::{Cluster, Text, TrialPlace, insist};
use crate::model::check::ProofCheck;
use crate::model::image::{Config, Image};
use crate::model::plan::{Round, Step};
use crate::model::trace::Traced;
use crate::model::volume::Volumes;
use crate::search::{self, End};

pub use self::check_job::is_runnable;
pub use self::judge::Verdict;
pub use self::side_effects::side_effects;
pub use self::trial::Proven;

/// How a trial is run.
#[derive(Debug, Clone)]
pub struct Options {
    pub search: search::SearchOptions,
    /// For all of the trial.
    pub timeout: Duration,
    /// How long a pod that runs may at least take to be ready.
    pub patience: Duration,
    /// How long a pod must stay ready.
    pub settle: Duration,
    pub changes: pod::Changes,
    /// An image with a static strace and sh: what dies in silence runs once more under it.
    pub strace_image: Option<String>,
    /// A copy of the workload as it is runs too, and the others are compared with it.
    pub control: bool,
    /// What a copy must do beside being Ready.
    pub checks: Vec<ProofCheck>,
    /// Jobs and pods of the user's that check a copy.
    pub check_jobs: Vec<Value>,
    /// The ports of a copy are asked.
    pub requests: bool,
    /// Nothing is reloaded or started a second time.
    pub quick: bool,
    /// What the ids of its trials begin with, by which [`clean_named`] finds them.
    pub prefix: &'static str,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            search: search::SearchOptions::default(),
            timeout: Duration::from_secs(600),
            patience: Duration::from_secs(20),
            settle: Duration::from_secs(4),
            changes: pod::Changes::default(),
            strace_image: None,
            control: true,
            checks: Vec::new(),
            check_jobs: Vec::new(),
            requests: true,
            quick: false,
            prefix: "",
        }
    }
}

/// What a trial says on its way.
#[derive(Debug)]
pub enum Progress<'a> {
    /// The image is looked at.
    Survey,
    /// A run begins.
    Running(usize),
    /// A run ended, and told this.
    Ended(usize, End, &'a Round),
    /// A remedy is tried from here on.
    Adding(&'a Step),
    /// What works is tried without this.
    LeavingOut(&'a Step),
    /// Something is worth knowing that is no obstacle.
    Note(String),
}

/// One workload on trial.
pub struct Trial<'a> {
    /// `None` for a plan from a manifest alone.
    pub cluster: Option<&'a Cluster>,
    /// Where the copies run.
    pub namespace: String,
    pub object: &'a Value,
    /// Names this trial's pods and labels.
    pub id: String,
    /// A Job or CronJob: its pod works when it ends well.
    pub runs_to_an_end: bool,
    /// The pod that runs as root today: its name, where it runs.
    pub root_pod: Option<(String, String)>,
    /// What a strace of a container told, and where that comes from: container, source.
    pub traces: Vec<(String, String, Traced)>,
    /// The images of containers that were read: container, image.
    pub images: Vec<(String, Image)>,
    /// The configurations of images of which no more was read: container, configuration.
    pub configurations: Vec<(String, Config)>,
    /// The storage behind its volumes, and who shares them.
    pub volumes: &'a Volumes,
    pub options: Options,
    /// The pod in which the images are looked at, once it runs.
    pub inspection_pod: OnceLock<String>,
    /// What owns its pods: `metadata.ownerReferences`, once it is created.
    pub owner: OnceLock<Value>,
    pub progress: &'a (dyn Fn(Progress<'_>) + Sync),
}

impl<'a> Trial<'a> {
    /// The trial of an object of which nothing else is known.
    #[must_use]
    pub fn new(
        cluster: Option<&'a Cluster>,
        namespace: &str,
        object: &'a Value,
        volumes: &'a Volumes,
        options: Options,
        progress: &'a (dyn Fn(Progress<'_>) + Sync),
    ) -> Self {
        Trial {
            cluster,
            namespace: namespace.to_owned(),
            object,
            id: trial_id(options.prefix, object),
            runs_to_an_end: matches!(object["kind"].as_str(), Some("Job" | "CronJob")),
            root_pod: None,
            traces: Vec::new(),
            images: Vec::new(),
            configurations: Vec::new(),
            volumes,
            options,
            inspection_pod: OnceLock::new(),
            owner: OnceLock::new(),
            progress,
        }
    }
}

/// A name that no other trial has: a workload's, and the time.
fn trial_id(prefix: &str, object: &Value) -> String {
    let name = object["metadata"]["name"].as_str().unwrap_or("workload");
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(30)
        .collect();
    let time =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{prefix}{}-{:x}", name.trim_matches('-'), time.as_nanos())
}

impl Trial<'_> {
    /// The cluster that a run needs.
    fn cluster(&self) -> Result<&Cluster, Error> {
        self.cluster.ok_or_else(|| Error::input("run a trial", "there is no cluster to run it in"))
    }

    fn pods(&self) -> Result<Api<Pod>, Error> {
        Ok(Api::namespaced(self.cluster()?.client(), &self.namespace))
    }

    /// The image of a container, if it was read.
    fn image(&self, container: &str) -> Option<&Image> {
        self.images.iter().find(|(name, _)| name == container).map(|(_, image)| image)
    }

    /// The name of one of its pods.
    fn pod_name(&self, part: &str) -> String {
        format!("{}{}-{part}", TrialPlace::PREFIX, self.id)
    }

    /// A copy of the workload's pod with a plan in it.
    fn copy(&self, planned: &Value, name: &str) -> Value {
        pod::copy(planned, name, &self.id, self.options.timeout.as_secs(), &self.options.changes)
    }

    async fn remove(&self, name: &str) {
        let Ok(pods) = self.pods() else { return };
        if let Err(error) = pods.delete(name, &DeleteParams::default().grace_period(0)).await {
            tracing::debug!(%error, name, "not removed yet; the clean-up and its deadline follow");
        }
    }

    /// Removes every pod of this trial; run it at the end, however that came.
    ///
    /// # Errors
    /// The cluster does not answer: the pods' own deadline ends them then.
    pub async fn clean_up(&self) -> Result<(), Error> {
        let cluster = self.cluster()?;
        let mut cleaned = clean(cluster, &self.namespace, Some(&self.id)).await;
        // Nobody comes after this: a fault that passes must leave nothing.
        for _ in 0..2 {
            if cleaned.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            cleaned = clean(cluster, &self.namespace, Some(&self.id)).await;
        }
        cleaned.map(|_| ())
    }
}

/// Removes the pods and their owner of one trial, or of every trial, in a namespace, and tells how
/// many pods there were.
///
/// # Errors
/// The cluster does not answer, or does not let us.
pub async fn clean(
    cluster: &Cluster,
    namespace: &str,
    trial: Option<&str>,
) -> Result<usize, Error> {
    let selector = trial.map_or(pod::LABEL.to_owned(), |trial| format!("{}={trial}", pod::LABEL));
    let fail = |error: &kube::Error| {
        let why = crate::evidence::cluster::innermost(error);
        Error::remote(format!("remove the trial pods of namespace {namespace}"), why)
            .help("their deadline removes them; so does kubectl nonroot fix --clean")
    };
    let pods: Api<Pod> = Api::namespaced(cluster.client(), namespace);
    let removed = remove_all(&pods, &selector).await.map_err(|error| fail(&error))?;
    let jobs: Api<Job> = Api::namespaced(cluster.client(), namespace);
    match remove_all(&jobs, &selector).await {
        Ok(_) => {}
        // Who may not list jobs has created none.
        Err(kube::Error::Api(status)) if status.code == 403 => {}
        Err(error) => return Err(fail(&error)),
    }
    Ok(removed)
}

/// Removes the pods and owners of every trial in a namespace whose id begins with a prefix.
///
/// # Errors
/// The cluster does not answer, or does not let us.
pub async fn clean_named(cluster: &Cluster, namespace: &str, prefix: &str) -> Result<(), Error> {
    let fail = |error: &kube::Error| {
        let attempted = format!("list the trial pods of namespace {namespace}");
        Error::remote(attempted, crate::evidence::cluster::innermost(error))
    };
    let selected = ListParams::default().labels(pod::LABEL);
    let pods: Api<Pod> = Api::namespaced(cluster.client(), namespace);
    let jobs: Api<Job> = Api::namespaced(cluster.client(), namespace);
    let pods = insist(|| pods.list_metadata(&selected)).await.map_err(|error| fail(&error))?;
    let jobs = insist(|| jobs.list_metadata(&selected)).await.map_err(|error| fail(&error))?;
    let labels = pods
        .items
        .iter()
        .map(|pod| pod.metadata.labels.as_ref())
        .chain(jobs.items.iter().map(|job| job.metadata.labels.as_ref()));
    let trials: BTreeSet<&String> = labels
        .filter_map(|labels| labels?.get(pod::LABEL))
        .filter(|trial| trial.starts_with(prefix))
        .collect();
    for trial in trials {
        clean(cluster, namespace, Some(trial)).await?;
    }
    Ok(())
}

/// Removes all objects of a kind that a label selector selects, at once, and what they own in the
/// background.
async fn remove_all<K>(api: &Api<K>, selector: &str) -> Result<usize, kube::Error>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let selected = ListParams::default().labels(selector);
    let found = insist(|| api.list(&selected)).await?;
    let delete = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Background),
        ..DeleteParams::default().grace_period(0)
    };
    for one in &found.items {
        let name = one.meta().name.as_deref().unwrap_or_default();
        match insist(|| api.delete(name, &delete)).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found.items.len())
}

/// What the texts about one failure tell, the most telling first.
#[must_use]
pub fn diagnosed(texts: &[Text]) -> Diagnosed {
    diagnosis::merge(texts.iter().map(|text| {
        let context = Context {
            source: text.source.clone(),
            container: text.container.clone(),
            directory: text.directory.clone(),
        };
        diagnosis::diagnose(text.text.as_bytes(), context)
    }))
}
