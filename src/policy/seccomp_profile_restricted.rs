//! `seccompProfile_restricted` (upstream policy/check_seccompProfile_restricted.go): seccomp
//! profiles must be specified, and only runtime default and localhost profiles are allowed.
//!
//! Restricted fields: `spec.securityContext.seccompProfile.type`,
//! `spec.containers[*].securityContext.seccompProfile.type`.
//! Allowed values: RuntimeDefault, Localhost. A container's may be undefined if the pod's is
//! specified.

use super::{Check, Forbidden, Pod, Since, seccomp_profile_baseline as baseline, wording};
use crate::model::podsecurity::Level;

const OVERRIDES: &[&str] = &[baseline::CHECK.id];

pub(super) const CHECK: Check = Check {
    id: "seccompProfile_restricted",
    level: Level::Restricted,
    explain: "Every container must have a seccomp profile, set in the pod or in the container. A profile limits the \
              system calls that a program can make, but Kubernetes applies none unless the pod asks for it. Set \
              `seccompProfile: {type: RuntimeDefault}` in the pod's securityContext: the runtime's own profile, which \
              ordinary programs never notice.",
    versions: &[
        // Kubernetes 1.19 added the field.
        Since(19, not_confined, OVERRIDES),
        // From 1.25 on, validation refuses the field in a Windows pod.
        Since(25, not_confined_outside_windows, OVERRIDES),
    ],
};

fn not_confined(pod: &Pod<'_>) -> Option<Forbidden> {
    baseline::other_type(pod).or_else(|| {
        if pod.security(|s| s.seccomp_profile.as_ref()).is_some() {
            return None;
        }
        let silent = pod.containers_where(|container| {
            container.security(|s| s.seccomp_profile.as_ref()).is_none()
        });
        (!silent.is_empty()).then(|| Forbidden {
            reason: baseline::REASON,
            detail: format!(
                r#"pod or {} must set {} to "RuntimeDefault" or "Localhost""#,
                wording::containers(&silent),
                baseline::FIELD
            ),
            fields: silent.iter().map(|container| container.path(baseline::FIELD)).collect(),
        })
    })
}

fn not_confined_outside_windows(pod: &Pod<'_>) -> Option<Forbidden> {
    if pod.is_windows() { None } else { not_confined(pod) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::policy::testing::{allows, forbids};

    const REASON: &str = "seccompProfile";

    fn container(name: &str, profile: &str) -> Value {
        json!({"name": name, "securityContext": {"seccompProfile": {"type": profile}}})
    }

    #[test]
    fn the_pod_speaks_for_silent_containers() {
        allows(
            &CHECK,
            19..=38,
            &json!({"spec": {
                "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [{"name": "a"}, {"name": "b", "securityContext": {}}, container("c", "Localhost")],
            }}),
        );
        allows(
            &CHECK,
            19..=38,
            &json!({"spec": {"containers": [container("a", "RuntimeDefault")]}}),
        );
    }

    #[test]
    fn silence_is_forbidden_where_the_pod_is_silent_too() {
        forbids(
            &CHECK,
            19..=38,
            &json!({"spec": {"containers": [{"name": "a"}]}}),
            (
                REASON,
                r#"pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost""#,
            ),
            &["spec.containers[0].securityContext.seccompProfile.type"],
        );
        forbids(
            &CHECK,
            19..=38,
            &json!({"spec": {"securityContext": {}, "containers": [
                {"name": "a"},
                {"name": "b", "securityContext": {}},
                container("d", "RuntimeDefault"),
            ]}}),
            (
                REASON,
                concat!(
                    r#"pod or containers "a", "b" must set securityContext.seccompProfile.type to "#,
                    r#""RuntimeDefault" or "Localhost""#,
                ),
            ),
            &[
                "spec.containers[0].securityContext.seccompProfile.type",
                "spec.containers[1].securityContext.seccompProfile.type",
            ],
        );
    }

    #[test]
    fn other_types_are_forbidden_and_hide_silence() {
        forbids(
            &CHECK,
            19..=38,
            &json!({"spec": {
                "securityContext": {"seccompProfile": {"type": "Unconfined"}},
                "containers": [{"name": "a"}],
            }}),
            (REASON, r#"pod must not set securityContext.seccompProfile.type to "Unconfined""#),
            &["spec.securityContext.seccompProfile.type"],
        );
        forbids(
            &CHECK,
            19..=38,
            &json!({"spec": {"containers": [{"name": "a"}, container("c", "Unconfined"), container("d", "Unconfined")]}}),
            (
                REASON,
                r#"containers "c", "d" must not set securityContext.seccompProfile.type to "Unconfined""#,
            ),
            &[
                "spec.containers[1].securityContext.seccompProfile.type",
                "spec.containers[2].securityContext.seccompProfile.type",
            ],
        );
    }

    #[test]
    fn windows_pods_are_exempt_from_v1_25_on() {
        let pod = |os: &str| json!({"spec": {"os": {"name": os}, "containers": [container("a", "Unconfined")]}});
        let text = (
            REASON,
            r#"container "a" must not set securityContext.seccompProfile.type to "Unconfined""#,
        );
        let fields = ["spec.containers[0].securityContext.seccompProfile.type"];
        forbids(&CHECK, 19..=24, &pod("windows"), text, &fields);
        allows(&CHECK, 25..=38, &pod("windows"));
        forbids(&CHECK, 25..=38, &pod("linux"), text, &fields);
    }
}
