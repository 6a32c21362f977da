//! What no setting removes: a privilege that the program really needs.

use super::{Remedy, RemedyLayer};
use crate::model::obstacle::{Category, Obstacle};
use crate::model::podsecurity::BASELINE_CAPABILITIES;

pub(super) const REMEDY: Remedy = Remedy {
    id: "real-privilege",
    layer: RemedyLayer::Pod,
    title: "Give this one workload the privilege",
    explain: "Tunnels, packet filters, eBPF, clocks and captures are root's work: a program that is made for it needs the \
              capability, and a user other than root does not get it by `capabilities.add`. Such a workload runs as root with \
              `drop: [ALL]` and the one capability added, in a namespace of its own whose level allows that: baseline for \
              AUDIT_WRITE, CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, MKNOD, NET_BIND_SERVICE, SETFCAP, SETGID, SETPCAP, SETUID \
              and SYS_CHROOT, privileged for every other. Where the nodes support user namespaces, `hostUsers: false` keeps it \
              from being root on the node.",
    removes: &[Category::CapabilityMissing, Category::RawSocket],
    suggest,
    propose: None,
};

/// Capabilities that programs ask for and do without, where they are told to.
const DONE_WITHOUT: [&str; 6] =
    ["IPC_LOCK", "SYS_NICE", "SYS_RESOURCE", "SYS_CHROOT", "SETFCAP", "AUDIT_WRITE"];

/// Whether there is no way around it but to leave the work to somebody else.
pub(super) fn is_certain(obstacle: &Obstacle) -> bool {
    let capability = obstacle.capability.as_deref();
    obstacle.category == Category::CapabilityMissing
        && capability.is_some_and(|name| !DONE_WITHOUT.contains(&name))
}

fn suggest(obstacle: &Obstacle) -> Option<String> {
    let capability = obstacle.capability.as_deref()?;
    let level = if BASELINE_CAPABILITIES.contains(&capability) { "baseline" } else { "privileged" };
    let start =
        if is_certain(obstacle) { "if this is its work" } else { "if it cannot do without" };
    Some(format!(
        "{start}: run this one workload as root with drop: [ALL] and add: [{capability}], in a namespace whose level is \
         {level}; a user other than root does not get it by capabilities.add"
    ))
}
