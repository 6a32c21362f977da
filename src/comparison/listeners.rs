//! Ports and sockets that are listened on.

use std::collections::BTreeSet;

use super::Difference;
use crate::model::behaviour::Behaviour;
use crate::model::inside::{Inside, Listener};
use crate::model::port::{FIRST_EPHEMERAL, FIRST_UNPRIVILEGED};

/// Ports that the copy does not listen on. Those that the kernel chose differ from run to run.
pub(super) fn compare(control: &Behaviour, copy: &Behaviour) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (name, root) in &control.containers {
        let Some(other) = copy.containers.get(name) else { continue };
        let missing: Vec<u16> = ports(root).difference(&ports(other)).copied().collect();
        for port in missing.into_iter().filter(|port| *port < FIRST_EPHEMERAL) {
            let cause = format!("as root it listens on port {port}, and the copy does not");
            differences.push(if port < FIRST_UNPRIVILEGED {
                Difference::Port { container: name.clone(), port, cause }
            } else {
                let evidence = format!("as root: port {port}; the copy: {}", told(other));
                Difference::Lost { container: Some(name.clone()), cause, evidence }
            });
        }
        // A remedy may have moved it to another place.
        for path in sockets(root).difference(&sockets(other)) {
            differences.push(Difference::Noted(format!(
                "container {name}: as root it listens on {path}, and the copy does not"
            )));
        }
    }
    differences
}

fn ports(inside: &Inside) -> BTreeSet<u16> {
    inside.listeners.iter().filter_map(Listener::port).collect()
}

fn sockets(inside: &Inside) -> BTreeSet<&str> {
    let paths = inside.listeners.iter().filter_map(|listener| match listener {
        Listener::Unix { path, .. } if path.starts_with('/') => Some(path.as_str()),
        _ => None,
    });
    paths.collect()
}

fn told(inside: &Inside) -> String {
    let ports: Vec<String> = ports(inside).iter().map(|port| format!("port {port}")).collect();
    if ports.is_empty() { "none".to_owned() } else { ports.join(", ") }
}
