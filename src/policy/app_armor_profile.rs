//! `appArmorProfile` (upstream policy/check_appArmorProfile.go): on supported hosts, the
//! `runtime/default` AppArmor profile is applied by default. The baseline policy should prevent
//! overriding or disabling the default AppArmor profile, or restrict overrides to an allowed set of
//! profiles.
//!
//! Restricted field: `metadata.annotations['container.apparmor.security.beta.kubernetes.io/*']`.
//! Allowed values: `runtime/default`, `localhost/*`, empty, undefined.
//!
//! Restricted fields: `spec.securityContext.appArmorProfile.type`,
//! `spec.containers[*].securityContext.appArmorProfile.type`.
//! Allowed values: RuntimeDefault, Localhost, undefined.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::AppArmorProfile;

use super::{Check, Forbidden, Pod, Since, go_quote::quote, pod::Container, wording};
use crate::model::podsecurity::Level;

pub(super) const CHECK: Check = Check {
    id: "appArmorProfile",
    level: Level::Baseline,
    explain: "No container may turn off or replace the AppArmor profile that the runtime applies by default, neither \
              by `appArmorProfile` nor by the older `container.apparmor.security.beta.kubernetes.io/` annotations. \
              The profile keeps a program from mounting, from writing to sensitive files of /proc and from tracing \
              its neighbours, even when it is root. Leave it out, or use RuntimeDefault or a Localhost profile.",
    versions: &[Since(0, other_profile, &[])],
};

const ANNOTATION_PREFIX: &str = "container.apparmor.security.beta.kubernetes.io/";

fn other_profile(pod: &Pod<'_>) -> Option<Forbidden> {
    let in_pod = pod.security(|s| forbidden_type(s.app_armor_profile.as_ref()));
    let bad = pod.containers_where(|container| in_container(container).is_some());
    let annotations: Vec<_> = pod
        .metadata
        .annotations
        .iter()
        .flatten()
        .filter(|(key, value)| key.starts_with(ANNOTATION_PREFIX) && !allowed_annotation(value))
        .collect();

    let mut setters = Vec::new();
    if in_pod.is_some() || !bad.is_empty() {
        setters.push(wording::setters(in_pod.is_some(), &bad));
    }
    if !annotations.is_empty() {
        setters.push(wording::plural(annotations.len(), "annotation", "annotations").to_owned());
    }
    if setters.is_empty() {
        return None;
    }

    let types: BTreeSet<_> =
        in_pod.into_iter().chain(bad.iter().filter_map(|c| in_container(c))).collect();
    let mut settings: Vec<_> =
        annotations.iter().map(|(key, value)| format!("{key}={}", quote(value))).collect();
    settings.sort();
    let values: Vec<_> = types.into_iter().chain(settings.iter().map(String::as_str)).collect();

    let pod_field = in_pod.map(|_| "spec.securityContext.appArmorProfile.type".to_owned());
    let container_fields =
        bad.iter().map(|container| container.path("securityContext.appArmorProfile.type"));
    let annotation_fields =
        annotations.iter().map(|(key, _)| format!("metadata.annotations[{key}]"));
    Some(Forbidden {
        reason: wording::plural(
            values.len(),
            "forbidden AppArmor profile",
            "forbidden AppArmor profiles",
        ),
        detail: format!(
            "{} must not set AppArmor profile type to {}",
            setters.join(" and "),
            wording::quoted(values.iter().copied())
        ),
        fields: pod_field.into_iter().chain(container_fields).chain(annotation_fields).collect(),
    })
}

fn in_container<'a>(container: &Container<'a>) -> Option<&'a str> {
    container.security(|s| forbidden_type(s.app_armor_profile.as_ref()))
}

fn forbidden_type(profile: Option<&AppArmorProfile>) -> Option<&str> {
    profile
        .map(|profile| profile.type_.as_str())
        .filter(|kind| !matches!(*kind, "RuntimeDefault" | "Localhost"))
}

fn allowed_annotation(value: &str) -> bool {
    value.is_empty() || value == "runtime/default" || value.starts_with("localhost/")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::CHECK;
    use crate::policy::testing::{allows, forbids};

    #[test]
    fn the_default_and_local_profiles_are_allowed() {
        for pod in [
            json!({"spec": {"containers": [{"name": "a"}]}}),
            json!({"spec": {
                "securityContext": {"appArmorProfile": {"type": "RuntimeDefault"}},
                "containers": [
                    {"name": "a", "securityContext": {}},
                    {"name": "b", "securityContext": {"appArmorProfile": {"type": "Localhost", "localhostProfile": "x"}}},
                ],
            }}),
            json!({"metadata": {"annotations": {
                "container.apparmor.security.beta.kubernetes.io/a": "",
                "container.apparmor.security.beta.kubernetes.io/b": "runtime/default",
                "container.apparmor.security.beta.kubernetes.io/c": "localhost/",
                "container.apparmor.security.beta.kubernetes.io/d": "localhost/profile",
                "apparmor.example.com/e": "unconfined",
            }}}),
        ] {
            allows(&CHECK, 0..=38, &pod);
        }
    }

    #[test]
    fn a_container_does_not_inherit_the_blame_for_its_pod() {
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {
                "securityContext": {"appArmorProfile": {"type": "Unconfined"}},
                "containers": [{"name": "a"}],
            }}),
            (
                "forbidden AppArmor profile",
                r#"pod must not set AppArmor profile type to "Unconfined""#,
            ),
            &["spec.securityContext.appArmorProfile.type"],
        );
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {
                "securityContext": {"appArmorProfile": {"type": "RuntimeDefault"}},
                "initContainers": [{"name": "b", "securityContext": {"appArmorProfile": {"type": "Unconfined"}}}],
                "containers": [{"name": "a"}],
            }}),
            (
                "forbidden AppArmor profile",
                r#"container "b" must not set AppArmor profile type to "Unconfined""#,
            ),
            &["spec.initContainers[0].securityContext.appArmorProfile.type"],
        );
    }

    #[test]
    fn annotations_are_named_with_their_values_in_order() {
        forbids(
            &CHECK,
            0..=38,
            &json!({"metadata": {"annotations": {
                "container.apparmor.security.beta.kubernetes.io/f": "unknown",
                "container.apparmor.security.beta.kubernetes.io/": "bogus",
                "container.apparmor.security.beta.kubernetes.io/e": "unconfined",
            }}}),
            (
                "forbidden AppArmor profiles",
                concat!(
                    "annotations must not set AppArmor profile type to ",
                    r#""container.apparmor.security.beta.kubernetes.io/="bogus"", "#,
                    r#""container.apparmor.security.beta.kubernetes.io/e="unconfined"", "#,
                    r#""container.apparmor.security.beta.kubernetes.io/f="unknown"""#,
                ),
            ),
            &[
                "metadata.annotations[container.apparmor.security.beta.kubernetes.io/]",
                "metadata.annotations[container.apparmor.security.beta.kubernetes.io/e]",
                "metadata.annotations[container.apparmor.security.beta.kubernetes.io/f]",
            ],
        );
    }

    #[test]
    fn all_three_setters_are_joined_and_equal_values_named_once() {
        forbids(
            &CHECK,
            0..=38,
            &json!({
                "metadata": {"annotations": {"container.apparmor.security.beta.kubernetes.io/a": "say \"no\"\u{7f}"}},
                "spec": {
                    "securityContext": {"appArmorProfile": {"type": "Unconfined"}},
                    "containers": [
                        {"name": "a", "securityContext": {"appArmorProfile": {"type": "Unconfined"}}},
                        {"name": "b", "securityContext": {"appArmorProfile": {"type": ""}}},
                    ],
                },
            }),
            (
                "forbidden AppArmor profiles",
                concat!(
                    r#"pod and containers "a", "b" and annotation must not set AppArmor profile type to "", "Unconfined", "#,
                    r#""container.apparmor.security.beta.kubernetes.io/a="say \"no\"\x7f"""#,
                ),
            ),
            &[
                "spec.securityContext.appArmorProfile.type",
                "spec.containers[0].securityContext.appArmorProfile.type",
                "spec.containers[1].securityContext.appArmorProfile.type",
                "metadata.annotations[container.apparmor.security.beta.kubernetes.io/a]",
            ],
        );
    }
}
