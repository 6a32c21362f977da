//! Workloads of the cluster by their names, their running pods, and the texts about what fails.

use super::target::Target;
use crate::error::{Error, Partial};
use crate::evidence::cluster::{Cluster, Fields, Namespaces, Scope, Selection, Text};
use crate::model::workload::Workload;

/// The workload that a target names. A pod stands for itself, whatever owns it.
///
/// # Errors
/// The cluster does not answer, or has no such workload: `attempt` says what is wanted of it.
pub(super) async fn named(
    cluster: &Cluster,
    target: &Target,
    attempt: &str,
) -> Result<Partial<Workload>, Error> {
    if let (Some(name), "Pod") = (&target.name, target.kind.as_str()) {
        return Ok(Partial::clean(cluster.pod(&cluster.namespace, name).await?));
    }
    let inventory = cluster.inventory(&everything_in(&cluster.namespace)).await?;
    let all = inventory.value.workloads;
    let found = all
        .iter()
        .find(|workload| target.matches(&workload.kind, &workload.name))
        .ok_or_else(|| {
            let name = target.name.as_deref().unwrap_or_default();
            let why = format!("there is none in namespace {}", cluster.namespace);
            Error::input(format!("{attempt} {}/{name}", target.kind.to_lowercase()), why)
                .help(target.hint(all.iter()))
        })?;
    Ok(Partial { value: found.clone(), errors: inventory.errors })
}

/// The workload that a pod is of, among all of its namespace; anything else is its own.
pub(super) fn whole<'w>(workload: &'w Workload, all: &'w [Workload]) -> &'w Workload {
    let is_of = |other: &&Workload| {
        let mut failing = other.failures.iter().filter_map(|failure| failure.pod.as_ref());
        workload.kind == "Pod"
            && (other.metadata.name.as_ref() == Some(&workload.name)
                || failing.any(|pod| *pod == workload.name))
    };
    all.iter().find(is_of).unwrap_or(workload)
}

/// All of a namespace, with every field.
pub(super) fn everything_in(namespace: &str) -> Scope {
    Scope {
        namespaces: Namespaces::One(namespace.to_owned()),
        selection: Selection::default(),
        fields: Fields::All,
    }
}

/// Pods of a workload that may have a running container: the failing one itself, and others that
/// still run.
pub(super) async fn running_pods(cluster: &Cluster, workload: &Workload) -> Vec<String> {
    let namespace = workload.namespace.as_deref().unwrap_or(&cluster.namespace);
    let own = workload.metadata.name.clone().filter(|_| workload.pods > 0);
    let object = cluster.object(&workload.kind, namespace, &workload.name).await.ok().flatten();
    let others = match object {
        Some(object) => cluster.running_pods(&object, namespace).await.unwrap_or_default(),
        None => Vec::new(),
    };
    let mut pods: Vec<String> = others.into_iter().chain(own).collect();
    pods.dedup();
    pods
}

/// The texts about the pod of a workload that fails, else about its newest; and why no pod is made
/// where that fails.
///
/// # Errors
/// The cluster does not answer.
pub(super) async fn failure_texts(
    cluster: &Cluster,
    workload: &Workload,
    container: Option<&str>,
    previous: bool,
) -> Result<Partial<Vec<Text>>, Error> {
    let namespace = workload.namespace.as_deref().unwrap_or(&cluster.namespace);
    let failing = workload.failures.iter().find_map(|failure| failure.pod.as_deref());
    let newest = workload.metadata.name.as_deref().filter(|_| workload.pods > 0);
    let mut read = match failing.or(newest) {
        Some(pod) => cluster.failure_texts(namespace, pod, container, previous).await?,
        None => Partial::clean(Vec::new()),
    };
    let refused = workload.failures.iter().filter(|failure| failure.pod.is_none());
    read.value.extend(refused.map(|failure| Text {
        source: format!("state of {}/{}", workload.kind.to_lowercase(), workload.name),
        container: failure.container.clone(),
        directory: None,
        text: failure.message.clone(),
    }));
    Ok(read)
}
