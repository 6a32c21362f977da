//! `hostNamespaces` (upstream policy/check_hostNamespaces.go): sharing the host network, PID, and
//! IPC namespaces must be disallowed.
//!
//! Restricted fields: `spec.hostNetwork`, `spec.hostPID`, `spec.hostIPC`.
//! Allowed values: undefined, false.

use super::{Check, Forbidden, Pod, Since};
use crate::model::podsecurity::Level;

pub(super) const CHECK: Check = Check {
    id: "hostNamespaces",
    level: Level::Baseline,
    explain: "A pod may not share the node's network, process or IPC namespace. In the network namespace it reaches \
              what listens on the node's loopback and sees the node's traffic; in the process namespace it sees, and \
              as root kills or traces, every process of the node; in the IPC namespace it reads shared memory. Remove \
              `hostNetwork`, `hostPID` and `hostIPC`, and reach the pod through a Service.",
    versions: &[Since(0, shared_with_host, &[])],
};

fn shared_with_host(pod: &Pod<'_>) -> Option<Forbidden> {
    let namespaces = [
        ("hostNetwork", pod.spec.host_network),
        ("hostPID", pod.spec.host_pid),
        ("hostIPC", pod.spec.host_ipc),
    ];
    let shared: Vec<_> = namespaces
        .into_iter()
        .filter(|(_, value)| *value == Some(true))
        .map(|(name, _)| name)
        .collect();
    (!shared.is_empty()).then(|| Forbidden {
        reason: "host namespaces",
        detail: shared.iter().map(|name| format!("{name}=true")).collect::<Vec<_>>().join(", "),
        fields: shared.iter().map(|name| format!("spec.{name}")).collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::CHECK;
    use crate::policy::testing::{allows, forbids};

    #[test]
    fn namespaces_are_named_in_the_order_network_pid_ipc() {
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {"hostIPC": true, "hostPID": true, "hostNetwork": true}}),
            ("host namespaces", "hostNetwork=true, hostPID=true, hostIPC=true"),
            &["spec.hostNetwork", "spec.hostPID", "spec.hostIPC"],
        );
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {"hostIPC": false, "hostPID": true}}),
            ("host namespaces", "hostPID=true"),
            &["spec.hostPID"],
        );
    }

    #[test]
    fn false_and_absent_are_allowed() {
        allows(
            &CHECK,
            0..=38,
            &json!({"spec": {"hostIPC": false, "hostPID": false, "hostNetwork": false}}),
        );
        allows(&CHECK, 0..=38, &json!({"spec": {"hostUsers": true}}));
    }
}
