//! `seccompProfile_baseline` (upstream policy/check_seccompProfile_baseline.go): if seccomp
//! profiles are specified, only runtime default and localhost profiles are allowed.
//!
//! v1.0 to v1.18, restricted fields:
//! `metadata.annotations['seccomp.security.alpha.kubernetes.io/pod']`, `metadata.annotations['
//! container.seccomp.security.alpha.kubernetes.io/*']`. Allowed values: `runtime/default`,
//! `docker/default`, `localhost/*`, undefined.
//!
//! v1.19 and later, restricted fields: `spec.securityContext.seccompProfile.type`,
//! `spec.containers[*].securityContext.seccompProfile.type`.
//! Allowed values: RuntimeDefault, Localhost, undefined.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::SeccompProfile;

use super::{Check, Forbidden, Pod, Since, go_quote::quote, pod::Container, wording};
use crate::model::podsecurity::Level;

pub(super) const CHECK: Check = Check {
    id: "seccompProfile_baseline",
    level: Level::Baseline,
    explain: "No container may turn seccomp off. A seccomp profile limits the system calls that a program can make, and \
              the runtime's default profile blocks those that containers have been broken out with. Remove \
              `seccompProfile: {type: Unconfined}` (before v1.19 the seccomp annotations with `unconfined`), or use \
              RuntimeDefault or a Localhost profile.",
    versions: &[Since(0, other_annotation, &[]), Since(19, other_type, &[])],
};

const POD_ANNOTATION: &str = "seccomp.security.alpha.kubernetes.io/pod";
const CONTAINER_ANNOTATION_PREFIX: &str = "container.seccomp.security.alpha.kubernetes.io/";

pub(super) const REASON: &str = "seccompProfile";
pub(super) const FIELD: &str = "securityContext.seccompProfile.type";

fn other_annotation(pod: &Pod<'_>) -> Option<Forbidden> {
    let annotations = pod.metadata.annotations.as_ref()?;
    let of_containers = pod
        .containers
        .iter()
        .map(|container| format!("{CONTAINER_ANNOTATION_PREFIX}{}", container.name));
    // Keyed by what upstream prints: containers of one name share an annotation, named once.
    let forbidden: BTreeMap<String, String> = std::iter::once(POD_ANNOTATION.to_owned())
        .chain(of_containers)
        .filter_map(|key| {
            let value = annotations.get(&key).filter(|value| !allowed_annotation(value))?;
            Some((format!("{key}={}", quote(value)), format!("metadata.annotations[{key}]")))
        })
        .collect();
    (!forbidden.is_empty()).then(|| Forbidden {
        reason: REASON,
        detail: format!(
            "forbidden {} {}",
            wording::plural(forbidden.len(), "annotation", "annotations"),
            forbidden.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
        ),
        fields: forbidden.into_values().collect(),
    })
}

fn allowed_annotation(value: &str) -> bool {
    matches!(value, "runtime/default" | "docker/default") || value.starts_with("localhost/")
}

/// From v1.19 on, whatever sets a type must set an allowed one.
pub(super) fn other_type(pod: &Pod<'_>) -> Option<Forbidden> {
    let in_pod = pod.security(|s| forbidden_type(s.seccomp_profile.as_ref()));
    let bad = pod.containers_where(|container| in_container(container).is_some());
    if in_pod.is_none() && bad.is_empty() {
        return None;
    }
    let types: BTreeSet<_> =
        in_pod.into_iter().chain(bad.iter().filter_map(|c| in_container(c))).collect();
    let pod_field = in_pod.map(|_| format!("spec.{FIELD}"));
    Some(Forbidden {
        reason: REASON,
        detail: format!(
            "{} must not set {FIELD} to {}",
            wording::setters(in_pod.is_some(), &bad),
            wording::quoted(types)
        ),
        fields: pod_field
            .into_iter()
            .chain(bad.iter().map(|container| container.path(FIELD)))
            .collect(),
    })
}

fn in_container<'a>(container: &Container<'a>) -> Option<&'a str> {
    container.security(|s| forbidden_type(s.seccomp_profile.as_ref()))
}

fn forbidden_type(profile: Option<&SeccompProfile>) -> Option<&str> {
    profile
        .map(|profile| profile.type_.as_str())
        .filter(|kind| !matches!(*kind, "RuntimeDefault" | "Localhost"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::policy::testing::{allows, forbids};

    fn container(name: &str, profile: &str) -> Value {
        json!({"name": name, "securityContext": {"seccompProfile": {"type": profile}}})
    }

    #[test]
    fn annotations_count_up_to_v1_18() {
        let pod = json!({
            "metadata": {"annotations": {
                "seccomp.security.alpha.kubernetes.io/pod": "unconfined",
                "container.seccomp.security.alpha.kubernetes.io/b": "",
                "container.seccomp.security.alpha.kubernetes.io/a": "un\"conf\"\u{0}ined",
                "container.seccomp.security.alpha.kubernetes.io/c": "docker/default",
                "container.seccomp.security.alpha.kubernetes.io/d": "localhost/x",
                "container.seccomp.security.alpha.kubernetes.io/e": "runtime/default",
                "container.seccomp.security.alpha.kubernetes.io/nobody": "unconfined",
            }},
            "spec": {
                "initContainers": [{"name": "b"}],
                "containers": [{"name": "a"}, {"name": "c"}, {"name": "d"}, {"name": "e"}, {"name": "f"}],
                "ephemeralContainers": [{"name": "a"}],
            },
        });
        forbids(
            &CHECK,
            0..=18,
            &pod,
            (
                "seccompProfile",
                concat!(
                    r#"forbidden annotations container.seccomp.security.alpha.kubernetes.io/a="un\"conf\"\x00ined", "#,
                    r#"container.seccomp.security.alpha.kubernetes.io/b="", "#,
                    r#"seccomp.security.alpha.kubernetes.io/pod="unconfined""#,
                ),
            ),
            &[
                "metadata.annotations[container.seccomp.security.alpha.kubernetes.io/a]",
                "metadata.annotations[container.seccomp.security.alpha.kubernetes.io/b]",
                "metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]",
            ],
        );
        allows(&CHECK, 19..=38, &pod);
    }

    #[test]
    fn one_annotation_is_singular() {
        forbids(
            &CHECK,
            0..=18,
            &json!({"metadata": {"annotations": {"seccomp.security.alpha.kubernetes.io/pod": "localhost"}}}),
            (
                "seccompProfile",
                r#"forbidden annotation seccomp.security.alpha.kubernetes.io/pod="localhost""#,
            ),
            &["metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]"],
        );
    }

    #[test]
    fn fields_count_from_v1_19_on() {
        let pod = json!({"spec": {
            "securityContext": {"seccompProfile": {"type": "Unconfined"}},
            "containers": [
                {"name": "a"},
                {"name": "b", "securityContext": {}},
                container("c", "Unconfined"),
                container("d", "unknown"),
                container("e", "RuntimeDefault"),
                container("f", "Localhost"),
            ],
        }});
        allows(&CHECK, 0..=18, &pod);
        forbids(
            &CHECK,
            19..=38,
            &pod,
            (
                "seccompProfile",
                concat!(
                    r#"pod and containers "c", "d" must not set securityContext.seccompProfile.type to "#,
                    r#""Unconfined", "unknown""#,
                ),
            ),
            &[
                "spec.securityContext.seccompProfile.type",
                "spec.containers[2].securityContext.seccompProfile.type",
                "spec.containers[3].securityContext.seccompProfile.type",
            ],
        );
    }

    #[test]
    fn setting_nothing_is_allowed() {
        allows(&CHECK, 0..=38, &json!({"spec": {"containers": [{"name": "a"}]}}));
        allows(
            &CHECK,
            0..=38,
            &json!({"spec": {"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}, "containers": []}}),
        );
    }
}
