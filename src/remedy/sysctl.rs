//! Open low ports, or ICMP sockets, to the pod.

use super::{Proposal, Remedy, RemedyLayer};
use crate::model::edit::Edit;
use crate::model::facts::Facts;
use crate::model::obstacle::{Category, Obstacle};
use crate::model::port::{UNPRIVILEGED_PORT_SYSCTL, is_privileged};

pub(super) const REMEDY: Remedy = Remedy {
    id: "sysctl",
    layer: RemedyLayer::Pod,
    title: "Set a safe sysctl of the pod's network",
    explain: "`net.ipv4.ip_unprivileged_port_start` names the lowest port that needs no privilege, in the network of the \
              pod alone; `net.ipv4.ping_group_range` opens ICMP sockets. Both are safe sysctls, so every level of the \
              Pod Security Standards allows them and no node has to be changed. A pod in the host's network cannot \
              have them. Adding NET_BIND_SERVICE instead does nothing: a user other than root gets no capability from \
              capabilities.add unless the program's file has it.",
    removes: &[Category::PrivilegedPort, Category::RawSocket],
    suggest,
    propose: Some(propose),
};

const PING_GROUPS: &str = "net.ipv4.ping_group_range";

fn suggest(obstacle: &Obstacle) -> Option<String> {
    Some(match (obstacle.category, obstacle.port) {
        (Category::RawSocket, _) => {
            format!(
                "set the sysctl {PING_GROUPS} to \"0 2147483647\" in the pod, if all that it does is ping"
            )
        }
        (_, Some(port)) => format!(
            "set the sysctl {UNPRIVILEGED_PORT_SYSCTL} to \"{port}\" in the pod, or let the program listen on a port from 1024 on"
        ),
        (_, None) => {
            format!(
                "set the sysctl {UNPRIVILEGED_PORT_SYSCTL} to \"0\" in the pod, or let the program listen on a port from 1024 on"
            )
        }
    })
}

fn propose(obstacle: &Obstacle, facts: &Facts) -> Vec<Proposal> {
    let (name, value) = match obstacle.category {
        Category::RawSocket => (PING_GROUPS, "0 2147483647".to_owned()),
        _ => (UNPRIVILEGED_PORT_SYSCTL, lowest_port(obstacle, facts).to_string()),
    };
    let sysctl = |value: &str| {
        REMEDY.proposal(
            format!("set the sysctl {name}={value}"),
            vec![Edit::Sysctl { name: name.to_owned(), value: value.to_owned() }],
        )
    };
    let mut found = vec![sysctl(&value)];
    if obstacle.category == Category::PrivilegedPort && value != "0" {
        found.push(sysctl("0"));
    }
    found
}

/// A low port: which, nothing tells.
pub(super) fn speculative(_: &Facts) -> Vec<Proposal> {
    vec![REMEDY.proposal(
        "let it listen on every port: nothing tells which it wants".to_owned(),
        vec![Edit::Sysctl { name: UNPRIVILEGED_PORT_SYSCTL.to_owned(), value: "0".to_owned() }],
    )]
}

/// The lowest port that the program is known to want, 0 where none is known.
fn lowest_port(obstacle: &Obstacle, facts: &Facts) -> u16 {
    facts
        .low_ports
        .iter()
        .copied()
        .chain(obstacle.port)
        .filter(|port| is_privileged(*port))
        .min()
        .unwrap_or(0)
}
