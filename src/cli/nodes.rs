//! `kubectl nonroot nodes`: what each node lets a pod do that is not root, and what each namespace
//! would refuse.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use super::fix::ask;
use super::flags::{ClusterFlags, Format};
use super::progress::Spinner;
use super::{Fault, exit_code, print, say, width};
use crate::error::{Error, Partial};
use crate::evidence::cluster::{Cluster, Fields, Inventory, Namespaces, Place, Scope, Selection};
use crate::model::answer::Answer;
use crate::model::node::{Node, Probed};
use crate::model::podsecurity::{Level, Policy, Version, Violation};
use crate::model::workload::Workload;
use crate::output::nodes::{self as report, Nodes};
use crate::policy;
use crate::run;
use crate::run::node_probe::Probe;

/// Show what each node allows a pod that is not root, and what each namespace would refuse
///
/// Of each node: versions, user namespaces, low ports, SELinux, AppArmor, seccomp, control groups
/// and who owns devices. Of each namespace: its Pod Security labels, and every workload that it
/// would refuse if it enforced a level today. Reads only, unless --probe is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct NodesArgs {
    /// Nodes; all without
    #[arg(value_name = "NODE")]
    nodes: Vec<String>,
    /// Label selector of nodes, such as node-role.kubernetes.io/worker
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// All namespaces, as without -n
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// Level that each namespace is judged by
    #[arg(long, default_value = "restricted", value_parser = super::scan::judged_level)]
    level: Level,
    /// Version of the Pod Security Standards: latest or v1.N
    #[arg(long, default_value = "latest", value_name = "VERSION", value_parser = |text: &str| text.parse::<Version>())]
    pod_security_version: Version,
    /// Run two tiny pods on each node, in the namespace of -n or of the context, and read what the
    /// kernel shows them
    #[arg(long)]
    probe: bool,
    /// Image of these pods; it needs sh and cat
    #[arg(long, value_name = "IMAGE", default_value = "busybox:stable", requires = "probe")]
    probe_image: String,
    /// Ask nothing before the pods are created
    #[arg(short, long, requires = "probe")]
    yes: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value = "text")]
    output: Format,
}

const EXAMPLES: &str = "\
Examples:
  kubectl nonroot nodes
  kubectl nonroot nodes worker-1 --probe --yes -n default
  kubectl nonroot nodes -n shop --level baseline
  kubectl nonroot nodes -o json

Exit codes: 0 done, 2 bad usage or input, 3 cluster or permission failure.";

pub(super) async fn run(flags: &ClusterFlags, args: NodesArgs) -> Result<u8, Fault> {
    let cluster = Cluster::connect(&flags.connection()).await?;
    let spinner = Spinner::start("reading nodes and pods");
    let namespaces = match &flags.namespace {
        Some(name) if !args.all_namespaces => Namespaces::One(name.clone()),
        _ => Namespaces::All,
    };
    let scope = Scope { namespaces, selection: Selection::default(), fields: Fields::PolicyOnly };
    let (nodes, inventory) = tokio::join!(
        cluster.nodes(&args.nodes, args.selector.as_deref()),
        cluster.inventory(&scope)
    );
    drop(spinner);
    let (nodes, inventory) = match (nodes, inventory) {
        // A node that is not there is the user's to correct, and no part of an answer.
        (Err(error), _) if error.class.exit_code() == 2 => return Err(error.into()),
        (Err(error), Err(_)) => return Err(error.into()),
        (nodes, inventory) => (part(nodes), part(inventory)),
    };
    let (mut nodes, mut errors) = (nodes.value, [nodes.errors, inventory.errors].concat());
    let Inventory { workloads, namespaces } = inventory.value;
    if args.probe {
        errors.extend(probed(&cluster, &args, &mut nodes, &workloads).await?);
    }
    let level = Policy { level: args.level, version: args.pod_security_version };
    let judge = |workload: &Workload| -> Vec<Violation> {
        policy::evaluate(&workload.metadata, &workload.spec, level.level, level.version)
    };
    let namespaces = namespaces.iter().map(|namespace| {
        let own = workloads
            .iter()
            .filter(|workload| workload.namespace.as_ref() == Some(&namespace.name));
        let judged: Vec<_> = own.map(|workload| (workload, judge(workload))).collect();
        report::Namespace::new(namespace, level, &judged)
    });
    let namespaces = namespaces.collect();
    let report = Nodes::new(errors.iter().map(Error::to_string).collect(), &nodes, namespaces);
    print(&args.output.rendered(&report, || report::text(&report, width()))?)?;
    for error in &errors {
        say(format_args!("warning: {error}"));
    }
    Ok(exit_code(&errors, false))
}

/// What could be read; what could not is an error beside it.
fn part<T: Default>(answer: Result<Partial<T>, Error>) -> Partial<T> {
    answer.unwrap_or_else(|error| Partial { value: T::default(), errors: vec![error] })
}

/// Probes every node, after a yes, and looks at the devices of containers that run there.
async fn probed(
    cluster: &Cluster,
    args: &NodesArgs,
    nodes: &mut [Node],
    workloads: &[Workload],
) -> Result<Vec<Error>, Fault> {
    let namespace = cluster.namespace.as_str();
    allowed(args, nodes.len(), namespace)?;
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let id = format!("probe-{:x}", time.as_nanos());
    let probe = Probe { namespace, image: &args.probe_image, id: &id };
    probe.check_rights(cluster).await?;
    let _spinner = Spinner::start("probing nodes");
    let mut errors = Vec::new();
    let work = async {
        for (number, node) in
            nodes.iter_mut().enumerate().filter(|(_, node)| node.operating_system != "windows")
        {
            let read = probe.node(cluster, &node.name, number).await;
            errors.extend(read.errors);
            let device_ownership = device_ownership(cluster, &node.name, workloads).await;
            node.probed = Some(Probed { device_ownership, ..read.value });
        }
    };
    let done = tokio::select! {
        () = work => true,
        () = super::fix::stopped() => false,
    };
    if let Err(error) = run::clean(cluster, namespace, Some(&id)).await {
        errors.push(error);
    }
    if !done {
        return Err(Error::input("finish the probe", "it was interrupted").into());
    }
    Ok(errors)
}

/// Pods are created only after a yes.
fn allowed(args: &NodesArgs, nodes: usize, namespace: &str) -> Result<(), Fault> {
    if args.yes {
        return Ok(());
    }
    let attempted = "create the pods of --probe";
    if !ask::is_answered() {
        return Err(Error::input(attempted, "there is no terminal to ask on")
            .help("--yes allows it")
            .into());
    }
    let of = if nodes == 1 { "one node".to_owned() } else { format!("each of {nodes} nodes") };
    say(format_args!(
        "Two pods of {} will run on {of}, one after the other, in namespace {namespace}, as non-root, for seconds.",
        args.probe_image
    ));
    match ask::is_confirmed("Create them?")? {
        true => Ok(()),
        false => Err(Error::input(attempted, "it was not allowed").into()),
    }
}

/// Whom the block volume of a non-root container belongs to, of one that runs on the node.
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
