//! `sysctls` (upstream policy/check_sysctls.go): sysctls can disable security mechanisms or affect
//! all containers on a host, and should be disallowed except for an allowed "safe" subset. A sysctl
//! is considered safe if it is namespaced in the container or the pod, and it is isolated from
//! other pods or processes on the same node.
//!
//! Restricted field: `spec.securityContext.sysctls[*].name`.
//! Allowed values: [`SAFE`], each from its version on.

use super::{Check, Forbidden, Pod, Since};
use crate::model::podsecurity::Level;

pub(super) const CHECK: Check = Check {
    id: "sysctls",
    level: Level::Baseline,
    explain: "A pod may set only sysctls known to be safe: those whose effect ends at the pod. Others change the node's \
              kernel for every pod on it, or turn off its protections. Remove the ones named; a list that grows with \
              the version of the standards allows, among others, net.ipv4.ip_unprivileged_port_start, \
              net.ipv4.ping_group_range, net.ipv4.ip_local_port_range and the TCP keepalive times.",
    versions: &[
        Since(0, not_safe_in_v1_0, &[]),
        Since(27, not_safe_in_v1_27, &[]),
        Since(29, not_safe_in_v1_29, &[]),
        Since(32, not_safe_in_v1_32, &[]),
        Since(37, not_safe_in_v1_37, &[]),
    ],
};

/// The safe sysctls, with N of the v1.N that began to allow them.
const SAFE: [(u32, &str); 14] = [
    (0, "kernel.shm_rmid_forced"),
    (0, "net.ipv4.ip_local_port_range"),
    (0, "net.ipv4.tcp_syncookies"),
    (0, "net.ipv4.ping_group_range"),
    (0, "net.ipv4.ip_unprivileged_port_start"),
    (27, "net.ipv4.ip_local_reserved_ports"),
    (29, "net.ipv4.tcp_keepalive_time"),
    (29, "net.ipv4.tcp_fin_timeout"),
    (29, "net.ipv4.tcp_keepalive_intvl"),
    (29, "net.ipv4.tcp_keepalive_probes"),
    (32, "net.ipv4.tcp_rmem"),
    (32, "net.ipv4.tcp_wmem"),
    (37, "net.ipv4.tcp_slow_start_after_idle"),
    (37, "net.ipv4.tcp_notsent_lowat"),
];

fn not_safe_in_v1_0(pod: &Pod<'_>) -> Option<Forbidden> {
    not_safe_at(0, pod)
}

fn not_safe_in_v1_27(pod: &Pod<'_>) -> Option<Forbidden> {
    not_safe_at(27, pod)
}

fn not_safe_in_v1_29(pod: &Pod<'_>) -> Option<Forbidden> {
    not_safe_at(29, pod)
}

fn not_safe_in_v1_32(pod: &Pod<'_>) -> Option<Forbidden> {
    not_safe_at(32, pod)
}

fn not_safe_in_v1_37(pod: &Pod<'_>) -> Option<Forbidden> {
    not_safe_at(37, pod)
}

fn not_safe_at(minor: u32, pod: &Pod<'_>) -> Option<Forbidden> {
    let is_safe = |name: &str| SAFE.iter().any(|(since, safe)| *since <= minor && *safe == name);
    let sysctls = pod.security(|s| s.sysctls.as_ref()).into_iter().flatten().enumerate();
    let bad: Vec<_> = sysctls.filter(|(_, sysctl)| !is_safe(&sysctl.name)).collect();
    (!bad.is_empty()).then(|| Forbidden {
        reason: "forbidden sysctls",
        detail: bad.iter().map(|(_, sysctl)| sysctl.name.as_str()).collect::<Vec<_>>().join(", "),
        fields: bad
            .iter()
            .map(|(index, _)| format!("spec.securityContext.sysctls[{index}].name"))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{CHECK, SAFE};
    use crate::policy::testing::{allows, forbids};

    fn setting(names: &[&str]) -> Value {
        let sysctls: Vec<_> =
            names.iter().map(|name| json!({"name": name, "value": "1"})).collect();
        json!({"spec": {"securityContext": {"sysctls": sysctls}}})
    }

    #[test]
    fn each_safe_sysctl_is_allowed_from_its_version_on() {
        for (since, name) in SAFE {
            forbids(
                &CHECK,
                0..since,
                &setting(&[name]),
                ("forbidden sysctls", name),
                &["spec.securityContext.sysctls[0].name"],
            );
            allows(&CHECK, since..=38, &setting(&[name]));
        }
    }

    #[test]
    fn others_are_named_as_they_come_with_repetitions() {
        forbids(
            &CHECK,
            0..=38,
            &setting(&["b", "kernel.shm_rmid_forced", "a", "b", "KERNEL.SHM_RMID_FORCED", ""]),
            ("forbidden sysctls", "b, a, b, KERNEL.SHM_RMID_FORCED, "),
            &[
                "spec.securityContext.sysctls[0].name",
                "spec.securityContext.sysctls[2].name",
                "spec.securityContext.sysctls[3].name",
                "spec.securityContext.sysctls[4].name",
                "spec.securityContext.sysctls[5].name",
            ],
        );
    }

    /// The one case in which upstream forbids without a detail.
    #[test]
    fn a_single_sysctl_without_name_leaves_no_detail() {
        forbids(
            &CHECK,
            0..=38,
            &setting(&[""]),
            ("forbidden sysctls", ""),
            &["spec.securityContext.sysctls[0].name"],
        );
    }

    #[test]
    fn no_sysctls_are_allowed() {
        allows(&CHECK, 0..=38, &setting(&[]));
        allows(&CHECK, 0..=38, &json!({"spec": {"containers": [{"name": "a"}]}}));
    }
}
