//! `runAsUser` (upstream policy/check_runAsUser.go): containers must not set `runAsUser: 0`, unless
//! the pod is in a user namespace (`hostUsers: false`).
//!
//! Restricted fields: `spec.securityContext.runAsUser`,
//! `spec.containers[*].securityContext.runAsUser`. Allowed values: non-zero values, undefined,
//! null; any value if `hostUsers` is false.

use super::{Check, Forbidden, Pod, Since, wording};
use crate::model::podsecurity::Level;

pub(super) const CHECK: Check = Check {
    id: "runAsUser",
    level: Level::Restricted,
    explain: "Neither the pod nor a container may set `runAsUser: 0`. Uid 0 is root, on the node as in the container, \
              for every file and device that the container reaches. Set the uid of the program's own user in the \
              image, or any other number above 0. From v1.35 on, a pod with `hostUsers: false` is exempt, because its \
              root is an unprivileged user of the node.",
    versions: &[
        Since(23, root, &[]),
        // KEP-127, keps/sig-node/127-user-namespaces in kubernetes/enhancements. Earlier versions
        // had this relaxation only behind a feature gate that never left alpha, so they
        // stay strict.
        Since(35, root_outside_user_namespaces, &[]),
    ],
};

const FIELD: &str = "securityContext.runAsUser";

fn root(pod: &Pod<'_>) -> Option<Forbidden> {
    let in_pod = pod.security(|s| s.run_as_user) == Some(0);
    let bad = pod.containers_where(|container| container.security(|s| s.run_as_user) == Some(0));
    let pod_field = in_pod.then(|| format!("spec.{FIELD}"));
    (in_pod || !bad.is_empty()).then(|| Forbidden {
        reason: "runAsUser=0",
        detail: format!("{} must not set runAsUser=0", wording::setters(in_pod, &bad)),
        fields: pod_field
            .into_iter()
            .chain(bad.iter().map(|container| container.path(FIELD)))
            .collect(),
    })
}

fn root_outside_user_namespaces(pod: &Pod<'_>) -> Option<Forbidden> {
    if pod.in_user_namespace() { None } else { root(pod) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::CHECK;
    use crate::policy::testing::{allows, forbids};

    #[test]
    fn only_zero_is_forbidden() {
        allows(
            &CHECK,
            23..=38,
            &json!({"spec": {
                "securityContext": {"runAsUser": 1},
                "containers": [
                    {"name": "a"},
                    {"name": "b", "securityContext": {"runAsUser": 1000, "runAsGroup": 0}},
                    {"name": "c", "securityContext": {"runAsUser": null}},
                ],
            }}),
        );
    }

    #[test]
    fn the_pod_and_its_containers_are_named() {
        let pod =
            json!({"spec": {"securityContext": {"runAsUser": 0}, "containers": [{"name": "a"}]}});
        let text = ("runAsUser=0", "pod must not set runAsUser=0");
        forbids(&CHECK, 23..=38, &pod, text, &["spec.securityContext.runAsUser"]);
        forbids(
            &CHECK,
            23..=38,
            &json!({"spec": {
                "securityContext": {"runAsUser": 1000},
                "containers": [
                    {"name": "a"},
                    {"name": "b", "securityContext": {"runAsUser": 0}},
                    {"name": "c", "securityContext": {"runAsUser": 0}},
                    {"name": "d", "securityContext": {"runAsUser": 1}},
                ],
            }}),
            ("runAsUser=0", r#"containers "b", "c" must not set runAsUser=0"#),
            &[
                "spec.containers[1].securityContext.runAsUser",
                "spec.containers[2].securityContext.runAsUser",
            ],
        );
        forbids(
            &CHECK,
            23..=38,
            &json!({"spec": {
                "securityContext": {"runAsUser": 0},
                "initContainers": [{"name": "a", "securityContext": {"runAsUser": 0}}],
            }}),
            ("runAsUser=0", r#"pod and container "a" must not set runAsUser=0"#),
            &["spec.securityContext.runAsUser", "spec.initContainers[0].securityContext.runAsUser"],
        );
    }

    #[test]
    fn a_user_namespace_allows_root_from_v1_35_on() {
        let pod = |host_users: bool| json!({"spec": {"hostUsers": host_users, "securityContext": {"runAsUser": 0}}});
        let text = ("runAsUser=0", "pod must not set runAsUser=0");
        forbids(&CHECK, 23..=34, &pod(false), text, &["spec.securityContext.runAsUser"]);
        allows(&CHECK, 35..=38, &pod(false));
        forbids(&CHECK, 35..=38, &pod(true), text, &["spec.securityContext.runAsUser"]);
    }
}
