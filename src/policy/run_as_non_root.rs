//! `runAsNonRoot` (upstream policy/check_runAsNonRoot.go): containers must be required to run as
//! non-root users, unless the pod is in a user namespace (`hostUsers: false`).
//!
//! Restricted fields: `spec.securityContext.runAsNonRoot`,
//! `spec.containers[*].securityContext.runAsNonRoot`. Allowed values: true; undefined or null in a
//! container if the pod says true; any value if `hostUsers` is false.

use super::{Check, Forbidden, Pod, Since, wording};
use crate::model::podsecurity::Level;

pub(super) const CHECK: Check = Check {
    id: "runAsNonRoot",
    level: Level::Restricted,
    explain: "Every container must be required to run as a user other than root, by `runAsNonRoot: true` in the pod or \
              in the container. Root in a container is root on the node for every file and device that it reaches, so \
              a flaw in the runtime or the kernel becomes the node's. The setting changes no user: it makes the \
              kubelet refuse to start a container whose image or `runAsUser` would make it root, so give a numeric \
              `runAsUser` as well where the image's user is root or a name. From v1.35 on, a pod with `hostUsers: \
              false` is exempt.",
    versions: &[
        Since(0, not_required, &[]),
        // KEP-127, keps/sig-node/127-user-namespaces in kubernetes/enhancements. Earlier versions
        // had this relaxation only behind a feature gate that never left alpha, so they
        // stay strict.
        Since(35, not_required_outside_user_namespaces, &[]),
    ],
};

const REASON: &str = "runAsNonRoot != true";
const FIELD: &str = "securityContext.runAsNonRoot";

fn not_required(pod: &Pod<'_>) -> Option<Forbidden> {
    let in_pod = pod.security(|s| s.run_as_non_root);
    let refusing =
        pod.containers_where(|container| container.security(|s| s.run_as_non_root) == Some(false));
    if in_pod == Some(false) || !refusing.is_empty() {
        let pod_field = (in_pod == Some(false)).then(|| format!("spec.{FIELD}"));
        return Some(Forbidden {
            reason: REASON,
            detail: format!(
                "{} must not set securityContext.runAsNonRoot=false",
                wording::setters(in_pod == Some(false), &refusing)
            ),
            fields: pod_field
                .into_iter()
                .chain(refusing.iter().map(|container| container.path(FIELD)))
                .collect(),
        });
    }
    let silent =
        pod.containers_where(|container| container.security(|s| s.run_as_non_root).is_none());
    (in_pod.is_none() && !silent.is_empty()).then(|| Forbidden {
        reason: REASON,
        detail: format!(
            "pod or {} must set securityContext.runAsNonRoot=true",
            wording::containers(&silent)
        ),
        fields: silent.iter().map(|container| container.path(FIELD)).collect(),
    })
}

fn not_required_outside_user_namespaces(pod: &Pod<'_>) -> Option<Forbidden> {
    if pod.in_user_namespace() { None } else { not_required(pod) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{CHECK, REASON};
    use crate::policy::testing::{allows, forbids};

    fn container(name: &str, run_as_non_root: &Value) -> Value {
        json!({"name": name, "securityContext": {"runAsNonRoot": run_as_non_root}})
    }

    #[test]
    fn the_pod_speaks_for_silent_containers() {
        allows(
            &CHECK,
            0..=38,
            &json!({"spec": {
                "securityContext": {"runAsNonRoot": true},
                "containers": [{"name": "a"}, {"name": "b", "securityContext": {}}, container("c", &json!(true))],
            }}),
        );
        allows(&CHECK, 0..=38, &json!({"spec": {"containers": [container("a", &json!(true))]}}));
        allows(&CHECK, 0..=38, &json!({"spec": {"containers": []}}));
    }

    #[test]
    fn silence_is_forbidden_where_the_pod_is_silent_too() {
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {"containers": [{"name": "a"}]}}),
            (REASON, r#"pod or container "a" must set securityContext.runAsNonRoot=true"#),
            &["spec.containers[0].securityContext.runAsNonRoot"],
        );
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {
                "securityContext": {},
                "initContainers": [container("i", &json!(null))],
                "containers": [{"name": "a"}, container("b", &json!(true)), {"name": "c", "securityContext": {}}],
            }}),
            (
                REASON,
                r#"pod or containers "i", "a", "c" must set securityContext.runAsNonRoot=true"#,
            ),
            &[
                "spec.initContainers[0].securityContext.runAsNonRoot",
                "spec.containers[0].securityContext.runAsNonRoot",
                "spec.containers[2].securityContext.runAsNonRoot",
            ],
        );
    }

    #[test]
    fn false_is_forbidden_and_hides_silence() {
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {"securityContext": {"runAsNonRoot": false}, "containers": [{"name": "a"}]}}),
            (REASON, "pod must not set securityContext.runAsNonRoot=false"),
            &["spec.securityContext.runAsNonRoot"],
        );
        // Even where every container overrides it.
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {"securityContext": {"runAsNonRoot": false}, "containers": [container("a", &json!(true))]}}),
            (REASON, "pod must not set securityContext.runAsNonRoot=false"),
            &["spec.securityContext.runAsNonRoot"],
        );
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {
                "securityContext": {"runAsNonRoot": true},
                "containers": [{"name": "a"}, container("b", &json!(false)), container("c", &json!(false))],
            }}),
            (REASON, r#"containers "b", "c" must not set securityContext.runAsNonRoot=false"#),
            &[
                "spec.containers[1].securityContext.runAsNonRoot",
                "spec.containers[2].securityContext.runAsNonRoot",
            ],
        );
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {
                "securityContext": {"runAsNonRoot": false},
                "containers": [{"name": "a"}, container("b", &json!(false))],
            }}),
            (REASON, r#"pod and container "b" must not set securityContext.runAsNonRoot=false"#),
            &[
                "spec.securityContext.runAsNonRoot",
                "spec.containers[1].securityContext.runAsNonRoot",
            ],
        );
    }

    #[test]
    fn a_user_namespace_allows_all_from_v1_35_on() {
        let pod = |host_users: bool| json!({"spec": {"hostUsers": host_users, "containers": [container("a", &json!(false))]}});
        let text = (REASON, r#"container "a" must not set securityContext.runAsNonRoot=false"#);
        let fields = ["spec.containers[0].securityContext.runAsNonRoot"];
        forbids(&CHECK, 0..=34, &pod(false), text, &fields);
        allows(&CHECK, 35..=38, &pod(false));
        forbids(&CHECK, 35..=38, &pod(true), text, &fields);
    }
}
