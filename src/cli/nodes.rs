//! `kubectl nonroot nodes`: what each node allows a non-root pod, and what each namespace would
//! refuse.

use clap::Args;

use super::flags::{ClusterFlags, Format, judged_level};
use super::{Fault, exit_code, print, progress, prompts, say, width};
use crate::error::Error;
use crate::evidence::cluster::{Cluster, Namespaces};
use crate::model::podsecurity::{Level, Policy, Version};
use crate::output::nodes as report;
use crate::usecase::nodes::{self, NodesOptions};

/// Show what each node allows a non-root pod, and what each namespace would refuse
///
/// Of each node: versions, user namespaces, low ports, SELinux, AppArmor, seccomp, control groups
/// and who owns devices. Of each namespace: its Pod Security labels, and every workload that it
/// would refuse if it enforced a level today. Reads only, unless --probe is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct NodesArgs {
    /// Nodes; by default all
    #[arg(value_name = "NODE")]
    nodes: Vec<String>,
    /// Label selector of nodes, such as node-role.kubernetes.io/worker
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// All namespaces, as without -n
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// Level that each namespace is judged by
    #[arg(long, default_value = "restricted", value_parser = judged_level)]
    level: Level,
    /// Version of the Pod Security Standards: latest or v1.N
    #[arg(long, default_value = "latest", value_name = "VERSION", value_parser = |text: &str| text.parse::<Version>())]
    pod_security_version: Version,
    /// Run two small pods on each node, in the namespace of -n or of the context, and read what
    /// the kernel shows them
    #[arg(long)]
    probe: bool,
    /// Image of these pods; it needs sh and cat
    #[arg(long, value_name = "IMAGE", default_value = "busybox:stable", requires = "probe")]
    probe_image: String,
    /// Create the pods without asking
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
    let tell = progress::shown();
    let options = NodesOptions {
        names: args.nodes.clone(),
        labels: args.selector.clone(),
        namespaces: match &flags.namespace {
            Some(name) if !args.all_namespaces => Namespaces::One(name.clone()),
            _ => Namespaces::All,
        },
    };
    let read = nodes::read(&cluster, &options, &tell).await?;
    let (mut found, mut errors) = (read.value, read.errors);
    if args.probe {
        allowed(&args, found.nodes.len(), &cluster.namespace)?;
        errors.extend(found.probe(&cluster, &args.probe_image, &tell).await?);
    }
    let level = Policy { level: args.level, version: args.pod_security_version };
    let report = found.report(level, &errors);
    print(&args.output.rendered(&report, || report::text(&report, width()))?)?;
    for error in &errors {
        say(format_args!("warning: {error}"));
    }
    Ok(exit_code(&errors, false))
}

/// Pods are created only after a yes.
fn allowed(args: &NodesArgs, nodes: usize, namespace: &str) -> Result<(), Fault> {
    if args.yes {
        return Ok(());
    }
    let attempted = "create the pods of --probe";
    if !prompts::is_answered() {
        return Err(Error::input(attempted, "there is no terminal to ask on")
            .help("--yes allows it")
            .into());
    }
    let of = if nodes == 1 { "one node".to_owned() } else { format!("each of {nodes} nodes") };
    say(format_args!(
        "Two pods of {} will run on {of}, one after the other, in namespace {namespace}, as non-root, for some seconds.",
        args.probe_image
    ));
    match prompts::is_confirmed("Create them?")? {
        true => Ok(()),
        false => Err(Error::input(attempted, "it was not allowed").into()),
    }
}
