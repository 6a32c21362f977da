//! `seLinuxOptions` (upstream policy/check_seLinuxOptions.go): setting the SELinux type is
//! restricted, and setting a custom SELinux user or role option is forbidden.
//!
//! Restricted fields: `spec.securityContext.seLinuxOptions.type`,
//! `spec.containers[*].securityContext.seLinuxOptions.type`.
//! Allowed values: undefined, empty, container_t, container_init_t, container_kvm_t;
//! container_engine_t from v1.31 on.
//!
//! Restricted fields: `user` and `role` beside each `type`.
//! Allowed values: undefined, empty.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::SELinuxOptions;

use super::{Check, Forbidden, Pod, Since, pod::Container, wording};
use crate::model::podsecurity::Level;

pub(super) const CHECK: Check = Check {
    id: "seLinuxOptions",
    level: Level::Baseline,
    explain: "Containers may not choose an SELinux user or role, nor a type other than those made for containers: \
              container_t, container_init_t, container_kvm_t and, from v1.31 on, container_engine_t. On a node with \
              SELinux the type is what keeps a container's processes away from the node's files, and spc_t, for \
              example, does not. Leave `seLinuxOptions` out, or set only its `level` or one of these types.",
    versions: &[Since(0, custom_v1_0, &[]), Since(31, custom_v1_31, &[])],
};

const TYPES_V1_0: &[&str] = &["", "container_t", "container_init_t", "container_kvm_t"];
const TYPES_V1_31: &[&str] =
    &["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

fn custom_v1_0(pod: &Pod<'_>) -> Option<Forbidden> {
    custom(TYPES_V1_0, pod)
}

fn custom_v1_31(pod: &Pod<'_>) -> Option<Forbidden> {
    custom(TYPES_V1_31, pod)
}

fn custom(types: &[&str], pod: &Pod<'_>) -> Option<Forbidden> {
    let is_custom = |options: &&SELinuxOptions| !forbidden_fields(types, options).is_empty();
    let in_pod = pod.security(|s| s.se_linux_options.as_ref()).filter(is_custom);
    let bad = pod.containers_where(|container| in_container(container).filter(is_custom).is_some());
    if in_pod.is_none() && bad.is_empty() {
        return None;
    }

    let options: Vec<_> =
        in_pod.into_iter().chain(bad.iter().filter_map(|c| in_container(c))).collect();
    let sets = |field: &str| {
        options.iter().any(|options| forbidden_fields(types, options).contains(&field))
    };
    let forbidden_types: BTreeSet<_> = options
        .iter()
        .filter_map(|options| options.type_.as_deref())
        .filter(|kind| !types.contains(kind))
        .collect();
    let mut complaints = Vec::new();
    if !forbidden_types.is_empty() {
        let noun = wording::plural(forbidden_types.len(), "type", "types");
        complaints.push(format!("{noun} {}", wording::quoted(forbidden_types)));
    }
    if sets("user") {
        complaints.push("user may not be set".to_owned());
    }
    if sets("role") {
        complaints.push("role may not be set".to_owned());
    }

    let pod_fields = in_pod.into_iter().flat_map(|options| forbidden_fields(types, options));
    let pod_fields = pod_fields.map(|field| format!("spec.securityContext.seLinuxOptions.{field}"));
    let container_fields = bad.iter().flat_map(|container| {
        let fields = in_container(container)
            .map(|options| forbidden_fields(types, options))
            .unwrap_or_default();
        fields
            .into_iter()
            .map(|field| container.path(&format!("securityContext.seLinuxOptions.{field}")))
    });
    Some(Forbidden {
        reason: "seLinuxOptions",
        detail: format!(
            "{} set forbidden securityContext.seLinuxOptions: {}",
            wording::setters(in_pod.is_some(), &bad),
            complaints.join("; ")
        ),
        fields: pod_fields.chain(container_fields).collect(),
    })
}

fn in_container<'a>(container: &Container<'a>) -> Option<&'a SELinuxOptions> {
    container.security(|s| s.se_linux_options.as_ref())
}

fn forbidden_fields(types: &[&str], options: &SELinuxOptions) -> Vec<&'static str> {
    let is_set = |value: &Option<String>| value.as_deref().is_some_and(|value| !value.is_empty());
    let fields = [
        ("type", options.type_.as_deref().is_some_and(|kind| !types.contains(&kind))),
        ("user", is_set(&options.user)),
        ("role", is_set(&options.role)),
    ];
    fields.into_iter().filter(|(_, forbidden)| *forbidden).map(|(field, _)| field).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::policy::testing::{allows, forbids};

    const REASON: &str = "seLinuxOptions";

    fn container(name: &str, options: &Value) -> Value {
        json!({"name": name, "securityContext": {"seLinuxOptions": options}})
    }

    #[test]
    fn levels_and_the_types_for_containers_are_allowed() {
        allows(
            &CHECK,
            0..=38,
            &json!({"spec": {
                "securityContext": {"seLinuxOptions": {"level": "s0:c1,c2"}},
                "containers": [
                    {"name": "a"},
                    container("b", &json!({"type": "", "user": "", "role": ""})),
                    container("c", &json!({"type": "container_t"})),
                    container("d", &json!({"type": "container_init_t"})),
                    container("e", &json!({"type": "container_kvm_t"})),
                ],
            }}),
        );
    }

    #[test]
    fn the_container_engine_type_came_with_v1_31() {
        let pod = json!({"spec": {"containers": [container("a", &json!({"type": "container_engine_t"}))]}});
        let text = (
            REASON,
            r#"container "a" set forbidden securityContext.seLinuxOptions: type "container_engine_t""#,
        );
        forbids(
            &CHECK,
            0..=30,
            &pod,
            text,
            &["spec.containers[0].securityContext.seLinuxOptions.type"],
        );
        allows(&CHECK, 31..=38, &pod);
    }

    #[test]
    fn each_field_has_its_complaint() {
        for (options, complaint, field) in [
            (json!({"type": "bad"}), r#"type "bad""#, "type"),
            (json!({"user": "bad"}), "user may not be set", "user"),
            (json!({"role": "bad"}), "role may not be set", "role"),
        ] {
            forbids(
                &CHECK,
                0..=38,
                &json!({"spec": {"securityContext": {"seLinuxOptions": options}}}),
                (REASON, &format!("pod set forbidden securityContext.seLinuxOptions: {complaint}")),
                &[&format!("spec.securityContext.seLinuxOptions.{field}")],
            );
        }
    }

    #[test]
    fn complaints_are_made_once_for_all() {
        forbids(
            &CHECK,
            31..=38,
            &json!({"spec": {
                "securityContext": {"seLinuxOptions": {"type": "foo", "user": "bar", "role": "baz"}},
                "containers": [
                    container("a", &json!({"type": "container_t"})),
                    container("e", &json!({"type": "bar"})),
                    container("f", &json!({"user": "bar"})),
                    container("g", &json!({"role": "baz", "type": "foo"})),
                ],
            }}),
            (
                REASON,
                concat!(
                    r#"pod and containers "e", "f", "g" set forbidden securityContext.seLinuxOptions: "#,
                    r#"types "bar", "foo"; user may not be set; role may not be set"#,
                ),
            ),
            &[
                "spec.securityContext.seLinuxOptions.type",
                "spec.securityContext.seLinuxOptions.user",
                "spec.securityContext.seLinuxOptions.role",
                "spec.containers[1].securityContext.seLinuxOptions.type",
                "spec.containers[2].securityContext.seLinuxOptions.user",
                "spec.containers[3].securityContext.seLinuxOptions.type",
                "spec.containers[3].securityContext.seLinuxOptions.role",
            ],
        );
    }
}
