//! `hostPorts` (upstream policy/check_hostPorts.go): HostPort ports must be forbidden.
//!
//! Restricted field: `spec.containers[*].ports[*].hostPort`.
//! Allowed values: undefined, 0.

use std::collections::BTreeSet;

use super::{Check, Forbidden, Pod, Since, wording};
use crate::model::podsecurity::Level;

pub(super) const CHECK: Check = Check {
    id: "hostPorts",
    level: Level::Baseline,
    explain: "Containers may not claim a port of the node. Such a port listens on the node's own addresses, past \
              Services and often past network policies, can take the place of a node service, and lets only one such \
              pod run on a node. Remove `hostPort` and reach the pod through a Service. A pod with `hostNetwork: \
              true` has each containerPort as a hostPort, because the API server fills it in.",
    versions: &[Since(0, host_port, &[])],
};

fn host_port(pod: &Pod<'_>) -> Option<Forbidden> {
    let mut bad = Vec::new();
    // Upstream sorts the ports as text: 10 stands before 9.
    let mut ports = BTreeSet::new();
    let mut fields = Vec::new();
    for container in &pod.containers {
        let before = fields.len();
        for (index, port) in container.ports.iter().enumerate() {
            if let Some(host_port) = port.host_port.filter(|port| *port != 0) {
                ports.insert(host_port.to_string());
                fields.push(container.path(&format!("ports[{index}].hostPort")));
            }
        }
        if fields.len() > before {
            bad.push(container);
        }
    }
    (!bad.is_empty()).then(|| Forbidden {
        reason: "hostPort",
        detail: format!(
            "{} {} {} {}",
            wording::containers(&bad),
            wording::plural(bad.len(), "uses", "use"),
            wording::plural(ports.len(), "hostPort", "hostPorts"),
            ports.into_iter().collect::<Vec<_>>().join(", ")
        ),
        fields,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::CHECK;
    use crate::policy::testing::{allows, forbids};

    #[test]
    fn zero_and_absent_are_allowed() {
        allows(
            &CHECK,
            0..=38,
            &json!({"spec": {"containers": [
                {"name": "a"},
                {"name": "b", "ports": [{"containerPort": 80}, {"containerPort": 81, "hostPort": 0}]},
            ]}}),
        );
    }

    #[test]
    fn each_port_is_named_once_and_sorted_as_text() {
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {"containers": [
                {"name": "a", "ports": [{"containerPort": 1, "hostPort": 0}]},
                {"name": "b", "ports": [{"containerPort": 1}, {"containerPort": 2, "hostPort": 20}]},
                {"name": "c", "ports": [{"containerPort": 1, "hostPort": 10}, {"containerPort": 2, "hostPort": 9}]},
                {"name": "d", "ports": [{"containerPort": 1, "hostPort": 10}]},
            ]}}),
            ("hostPort", r#"containers "b", "c", "d" use hostPorts 10, 20, 9"#),
            &[
                "spec.containers[1].ports[1].hostPort",
                "spec.containers[2].ports[0].hostPort",
                "spec.containers[2].ports[1].hostPort",
                "spec.containers[3].ports[0].hostPort",
            ],
        );
    }

    #[test]
    fn one_container_uses_one_port() {
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {"initContainers": [{"name": "a", "ports": [{"containerPort": 80, "hostPort": -1}]}]}}),
            ("hostPort", r#"container "a" uses hostPort -1"#),
            &["spec.initContainers[0].ports[0].hostPort"],
        );
    }
}
