//! `privileged` (upstream policy/check_privileged.go): privileged pods disable most security
//! mechanisms and must be disallowed.
//!
//! Restricted field: `spec.containers[*].securityContext.privileged`.
//! Allowed values: false, undefined, null.

use super::{Check, Forbidden, Pod, Since, wording};
use crate::model::podsecurity::Level;

pub(super) const CHECK: Check = Check {
    id: "privileged",
    level: Level::Baseline,
    explain: "No container may be privileged. A privileged container has all capabilities, all devices of the node and \
              neither a seccomp nor an AppArmor nor an SELinux profile: root in it is root on the node. Remove \
              `privileged: true`; where a program needs one thing of it, a capability, a sysctl or a device plugin \
              usually gives just that.",
    versions: &[Since(0, privileged, &[])],
};

fn privileged(pod: &Pod<'_>) -> Option<Forbidden> {
    let bad = pod.containers_where(|container| container.security(|s| s.privileged) == Some(true));
    (!bad.is_empty()).then(|| Forbidden {
        reason: "privileged",
        detail: format!(
            "{} must not set securityContext.privileged=true",
            wording::containers(&bad)
        ),
        fields: bad.iter().map(|container| container.path("securityContext.privileged")).collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::CHECK;
    use crate::policy::testing::{allows, forbids};

    #[test]
    fn only_true_is_forbidden() {
        allows(
            &CHECK,
            0..=38,
            &json!({"spec": {"containers": [
                {"name": "a"},
                {"name": "b", "securityContext": {}},
                {"name": "c", "securityContext": {"privileged": false}},
            ]}}),
        );
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {
                "initContainers": [{"name": "d", "securityContext": {"privileged": true}}],
                "containers": [
                    {"name": "a", "securityContext": {"privileged": true}},
                    {"name": "b"},
                ],
                "ephemeralContainers": [{"name": "c", "securityContext": {"privileged": true}}],
            }}),
            (
                "privileged",
                r#"containers "d", "a", "c" must not set securityContext.privileged=true"#,
            ),
            &[
                "spec.initContainers[0].securityContext.privileged",
                "spec.containers[0].securityContext.privileged",
                "spec.ephemeralContainers[0].securityContext.privileged",
            ],
        );
    }

    #[test]
    fn names_are_repeated_and_quotes_in_them_left_alone() {
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {"containers": [
                {"name": "a\", \"b\\\n\u{202e}", "securityContext": {"privileged": true}},
                {"name": "", "securityContext": {"privileged": true}},
                {"name": "", "securityContext": {"privileged": true}},
            ]}}),
            (
                "privileged",
                "containers \"a\", \"b\\\n\u{202e}\", \"\", \"\" must not set securityContext.privileged=true",
            ),
            &[
                "spec.containers[0].securityContext.privileged",
                "spec.containers[1].securityContext.privileged",
                "spec.containers[2].securityContext.privileged",
            ],
        );
    }
}
