//! `allowPrivilegeEscalation` (upstream policy/check_allowPrivilegeEscalation.go): privilege
//! escalation, such as via set-user-ID or set-group-ID file mode, should not be allowed.
//!
//! Restricted field: `spec.containers[*].securityContext.allowPrivilegeEscalation`.
//! Allowed value: false.

use super::{Check, Forbidden, Pod, Since, wording};
use crate::model::podsecurity::Level;

pub(super) const CHECK: Check = Check {
    id: "allowPrivilegeEscalation",
    level: Level::Restricted,
    explain: "Every container must set `allowPrivilegeEscalation: false`. Otherwise a program can gain privileges that \
              its parent does not have, by starting a set-user-ID, set-group-ID or file-capability executable such as \
              sudo or ping; the setting turns on the kernel's no_new_privs flag, which makes those executables start \
              without their extra privileges. A program that never relies on them does not notice.",
    versions: &[
        // Kubernetes 1.8 added the field.
        Since(8, not_false, &[]),
        // From 1.25 on, validation refuses the field in a Windows pod.
        Since(25, not_false_outside_windows, &[]),
    ],
};

fn not_false(pod: &Pod<'_>) -> Option<Forbidden> {
    let bad = pod.containers_where(|container| {
        container.security(|s| s.allow_privilege_escalation) != Some(false)
    });
    (!bad.is_empty()).then(|| Forbidden {
        reason: "allowPrivilegeEscalation != false",
        detail: format!(
            "{} must set securityContext.allowPrivilegeEscalation=false",
            wording::containers(&bad)
        ),
        fields: bad
            .iter()
            .map(|container| container.path("securityContext.allowPrivilegeEscalation"))
            .collect(),
    })
}

fn not_false_outside_windows(pod: &Pod<'_>) -> Option<Forbidden> {
    if pod.is_windows() { None } else { not_false(pod) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::CHECK;
    use crate::policy::testing::{allows, forbids};

    #[test]
    fn every_container_must_say_false() {
        let pod = json!({"spec": {
            "initContainers": [{"name": "init", "securityContext": {"allowPrivilegeEscalation": false}}],
            "containers": [
                {"name": "a"},
                {"name": "b", "securityContext": {}},
                {"name": "c", "securityContext": {"allowPrivilegeEscalation": true}},
                {"name": "d", "securityContext": {"allowPrivilegeEscalation": false}},
            ],
            "ephemeralContainers": [{"name": "debug"}],
        }});
        let text = (
            "allowPrivilegeEscalation != false",
            r#"containers "a", "b", "c", "debug" must set securityContext.allowPrivilegeEscalation=false"#,
        );
        let fields = [
            "spec.containers[0].securityContext.allowPrivilegeEscalation",
            "spec.containers[1].securityContext.allowPrivilegeEscalation",
            "spec.containers[2].securityContext.allowPrivilegeEscalation",
            "spec.ephemeralContainers[0].securityContext.allowPrivilegeEscalation",
        ];
        forbids(&CHECK, 8..=38, &pod, text, &fields);
    }

    #[test]
    fn windows_pods_are_exempt_from_v1_25_on() {
        let pod = |os: &str| json!({"spec": {"os": {"name": os}, "containers": [{"name": "a"}]}});
        let text = (
            "allowPrivilegeEscalation != false",
            r#"container "a" must set securityContext.allowPrivilegeEscalation=false"#,
        );
        let fields = ["spec.containers[0].securityContext.allowPrivilegeEscalation"];
        forbids(&CHECK, 8..=24, &pod("windows"), text, &fields);
        allows(&CHECK, 25..=38, &pod("windows"));
        forbids(&CHECK, 25..=38, &pod("linux"), text, &fields);
        forbids(&CHECK, 25..=38, &pod("Windows"), text, &fields);
    }

    #[test]
    fn a_pod_without_containers_has_nothing_to_set() {
        allows(&CHECK, 8..=38, &json!({"spec": {"containers": []}}));
    }
}
