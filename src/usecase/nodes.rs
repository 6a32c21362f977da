//! What each node allows a non-root pod, and what each namespace would refuse.

use std::time::{SystemTime, UNIX_EPOCH};

use super::interrupt::interrupted;
use super::progress::{Activity, Tell, Work};
use crate::error::{Class, Error, Partial};
use crate::evidence::cluster::{Cluster, Fields, Inventory, Namespaces, Place, Scope, Selection};
use crate::model::answer::Answer;
use crate::model::node::{Node, Probed};
use crate::model::podsecurity::{Namespace, Policy, Violation};
use crate::model::workload::Workload;
use crate::output::nodes::{self as report, Nodes};
use crate::policy;
use crate::run;
use crate::run::node_probe::Probe;

/// Which nodes and namespaces.
#[derive(Debug, Clone)]
pub struct NodesOptions {
    /// Nodes by name; all without.
    pub names: Vec<String>,
    /// Label selector of nodes.
    pub labels: Option<String>,
    pub namespaces: Namespaces,
}

/// Nodes, and the workloads of namespaces.
pub struct NodesAndWorkloads {
    pub nodes: Vec<Node>,
    workloads: Vec<Workload>,
    namespaces: Vec<Namespace>,
}

/// Reads nodes and pods. What may not be read is an error beside the rest.
///
/// # Errors
/// A node that is named is not there, or nothing could be read.
pub async fn read(
    cluster: &Cluster,
    options: &NodesOptions,
    tell: Tell<'_>,
) -> Result<Partial<NodesAndWorkloads>, Error> {
    let _work = Work::begin(tell, "reading nodes and pods");
    let scope = Scope {
        namespaces: options.namespaces.clone(),
        selection: Selection::default(),
        fields: Fields::PolicyOnly,
    };
    let (nodes, inventory) = tokio::join!(
        cluster.nodes(&options.names, options.labels.as_deref()),
        cluster.inventory(&scope)
    );
    let (nodes, inventory) = match (nodes, inventory) {
        // A node that is not there is the user's to correct, and no part of an answer.
        (Err(error), _) if error.class == Class::Input => return Err(error),
        (Err(error), Err(_)) => return Err(error),
        (nodes, inventory) => (part(nodes), part(inventory)),
    };
    let Inventory { workloads, namespaces } = inventory.value;
    let value = NodesAndWorkloads { nodes: nodes.value, workloads, namespaces };
    Ok(Partial { value, errors: [nodes.errors, inventory.errors].concat() })
}

/// What could be read; what could not is an error beside it.
fn part<T: Default>(answer: Result<Partial<T>, Error>) -> Partial<T> {
    answer.unwrap_or_else(|error| Partial { value: T::default(), errors: vec![error] })
}

impl NodesAndWorkloads {
    /// Runs pods on every node, and looks at the devices of containers that run there. Comes back
    /// with what could not be learnt.
    ///
    /// # Errors
    /// A right is missing, or it was interrupted.
    pub async fn probe(
        &mut self,
        cluster: &Cluster,
        image: &str,
        tell: Tell<'_>,
    ) -> Result<Vec<Error>, Error> {
        let namespace = cluster.namespace.as_str();
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let id = format!("probe-{:x}", time.as_nanos());
        let probe = Probe { namespace, image, id: &id };
        probe.check_rights(cluster).await?;
        let _work = Work::begin(tell, "probing nodes");
        let mut errors = Vec::new();
        let work = async {
            let nodes = self.nodes.iter_mut().enumerate();
            for (number, node) in nodes.filter(|(_, node)| node.operating_system != "windows") {
                let read = probe.node(cluster, &node.name, number).await;
                errors.extend(read.errors);
                let device_ownership = device_ownership(cluster, &node.name, &self.workloads).await;
                node.probed = Some(Probed { device_ownership, ..read.value });
            }
        };
        let done = tokio::select! {
            () = work => true,
            () = interrupted() => false,
        };
        if let Err(error) = run::clean(cluster, namespace, Some(&id)).await {
            tell(Activity::Note(error.to_string()));
            errors.push(error);
        }
        if !done {
            return Err(Error::input("finish the probe", "it was interrupted"));
        }
        Ok(errors)
    }

    /// The report, with every workload judged by this level.
    #[must_use]
    pub fn report(&self, level: Policy, errors: &[Error]) -> Nodes {
        let judge = |workload: &Workload| -> Vec<Violation> {
            policy::evaluate(&workload.metadata, &workload.spec, level.level, level.version)
        };
        let namespaces = self.namespaces.iter().map(|namespace| {
            let own = self
                .workloads
                .iter()
                .filter(|workload| workload.namespace.as_ref() == Some(&namespace.name));
            let judged: Vec<_> = own.map(|workload| (workload, judge(workload))).collect();
            report::Namespace::new(namespace, level, &judged)
        });
        let namespaces = namespaces.collect();
        Nodes::new(errors.iter().map(Error::to_string).collect(), &self.nodes, namespaces)
    }
}

/// Whether the block volume of a non-root container that runs on the node belongs to its user.
async fn device_ownership(cluster: &Cluster, node: &str, workloads: &[Workload]) -> Option<Answer> {
    for workload in
        workloads.iter().filter(|workload| workload.spec.node_name.as_deref() == Some(node))
    {
        for container in &workload.spec.containers {
            let Some(device) = container.volume_devices.iter().flatten().next() else { continue };
            let user = workload
                .containers
                .iter()
                .find(|known| known.name == container.name)
                .map(|known| &known.user);
            let Some(uid) = user.and_then(|user| user.uid).filter(|uid| *uid != 0) else {
                continue;
            };
            let (Some(namespace), Some(pod)) = (&workload.namespace, &workload.metadata.name)
            else {
                continue;
            };
            let place = Place { namespace, pod, container: &container.name };
            let path = device.device_path.as_str();
            let Ok(Some(found)) = cluster.look_at(place, &[path]).await else { continue };
            let Some(inode) = found.at(path) else { continue };
            let reason = format!(
                "{path} of container {} of pod {namespace}/{pod}, which runs as uid {uid}, belongs to uid {}",
                container.name, inode.uid
            );
            return Some(Answer { value: Some(i64::from(inode.uid) == uid), reason });
        }
    }
    None
}
