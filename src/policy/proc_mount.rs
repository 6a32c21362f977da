//! `procMount` (upstream policy/check_procMount_baseline.go): the default /proc masks are set up to
//! reduce attack surface, and should be required by the baseline policy unless the pod is in a user
//! namespace (`hostUsers: false`).
//!
//! Restricted field: `spec.containers[*].securityContext.procMount`.
//! Allowed values: undefined, null, Default (or any value if `hostUsers` is false).

use std::collections::BTreeSet;

use super::{Check, Forbidden, Pod, Since, pod::Container, wording};
use crate::model::podsecurity::Level;

pub(super) const CHECK: Check = Check {
    id: "procMount",
    level: Level::Baseline,
    explain: "Containers may not unmask /proc. The runtime hides or write-protects the parts of /proc and /sys that show \
              or change the node's kernel, such as /proc/kcore and /proc/sys; `procMount: Unmasked` opens them to root \
              in the container. Leave `procMount` out. Nested container builders that need it may have it in a pod \
              with `hostUsers: false`, whose root is nobody on the node.",
    versions: &[Since(0, not_default, &[]), Since(35, not_default_outside_user_namespaces, &[])],
};

pub(super) fn not_default(pod: &Pod<'_>) -> Option<Forbidden> {
    let bad = pod.containers_where(|container| forbidden_type(container).is_some());
    let types: BTreeSet<_> = bad.iter().filter_map(|container| forbidden_type(container)).collect();
    (!bad.is_empty()).then(|| Forbidden {
        reason: "procMount",
        detail: format!(
            "{} must not set securityContext.procMount to {}",
            wording::containers(&bad),
            wording::quoted(types)
        ),
        fields: bad.iter().map(|container| container.path("securityContext.procMount")).collect(),
    })
}

fn not_default_outside_user_namespaces(pod: &Pod<'_>) -> Option<Forbidden> {
    if pod.in_user_namespace() { None } else { not_default(pod) }
}

fn forbidden_type<'a>(container: &Container<'a>) -> Option<&'a str> {
    container.security(|s| s.proc_mount.as_deref()).filter(|kind| *kind != "Default")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::policy::testing::{allows, forbids};

    fn unmasked(host_users: &Value) -> Value {
        json!({"spec": {"hostUsers": host_users, "containers": [
            {"name": "a"},
            {"name": "b", "securityContext": {}},
            {"name": "c", "securityContext": {"procMount": "Default"}},
            {"name": "d", "securityContext": {"procMount": "Unmasked"}},
            {"name": "e", "securityContext": {"procMount": "other"}},
            {"name": "f", "securityContext": {"procMount": "Unmasked"}},
            {"name": "g", "securityContext": {"procMount": ""}},
        ]}})
    }

    #[test]
    fn other_types_are_named_once_and_sorted() {
        let text = (
            "procMount",
            r#"containers "d", "e", "f", "g" must not set securityContext.procMount to "", "Unmasked", "other""#,
        );
        let fields = [
            "spec.containers[3].securityContext.procMount",
            "spec.containers[4].securityContext.procMount",
            "spec.containers[5].securityContext.procMount",
            "spec.containers[6].securityContext.procMount",
        ];
        forbids(&CHECK, 0..=34, &unmasked(&json!(false)), text, &fields);
        for host_users in [json!(null), json!(true)] {
            forbids(&CHECK, 0..=38, &unmasked(&host_users), text, &fields);
        }
    }

    #[test]
    fn a_user_namespace_allows_all_from_v1_35_on() {
        allows(&CHECK, 35..=38, &unmasked(&json!(false)));
    }
}
