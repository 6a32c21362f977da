//! `capabilities_restricted` (upstream policy/check_capabilities_restricted.go): containers must
//! drop ALL, and may only add NET_BIND_SERVICE.
//!
//! Restricted field: `spec.containers[*].securityContext.capabilities.drop`.
//! Allowed values: must include ALL.
//!
//! Restricted field: `spec.containers[*].securityContext.capabilities.add`.
//! Allowed values: undefined, empty, NET_BIND_SERVICE.

use super::{Check, Forbidden, Pod, Since, capabilities_baseline, wording};
use crate::model::podsecurity::Level;

const OVERRIDES: &[&str] = &[capabilities_baseline::CHECK.id];

pub(super) const CHECK: Check = Check {
    id: "capabilities_restricted",
    level: Level::Restricted,
    explain: "Every container must drop all capabilities, and may add back only NET_BIND_SERVICE. A runtime gives each \
              container a dozen of root's powers, such as changing owners and identities, although few programs need \
              one once they start as the right user. Set `capabilities: {drop: [ALL]}`; a program that listens on a \
              port below 1024 is better served by the sysctl net.ipv4.ip_unprivileged_port_start.",
    versions: &[
        Since(22, not_all_dropped, OVERRIDES),
        // From 1.25 on, validation refuses the field in a Windows pod.
        Since(25, not_all_dropped_outside_windows, OVERRIDES),
    ],
};

fn not_all_dropped(pod: &Pod<'_>) -> Option<Forbidden> {
    let keeping = pod.containers_where(|container| {
        let dropped = container.security(|s| s.capabilities.as_ref()?.drop.as_ref());
        !dropped.is_some_and(|dropped| dropped.iter().any(|name| name == "ALL"))
    });
    let must_drop = (!keeping.is_empty()).then(|| {
        let sentence = format!(
            r#"{} must set securityContext.capabilities.drop=["ALL"]"#,
            wording::containers(&keeping)
        );
        let fields = keeping
            .iter()
            .map(|container| container.path("securityContext.capabilities.drop"))
            .collect();
        (sentence, fields)
    });
    let must_not_add = capabilities_baseline::added_beyond(&["NET_BIND_SERVICE"], pod);
    if must_drop.is_none() && must_not_add.is_none() {
        return None;
    }
    let (sentences, fields): (Vec<String>, Vec<Vec<String>>) =
        must_drop.into_iter().chain(must_not_add).unzip();
    Some(Forbidden {
        reason: "unrestricted capabilities",
        detail: sentences.join("; "),
        fields: fields.concat(),
    })
}

fn not_all_dropped_outside_windows(pod: &Pod<'_>) -> Option<Forbidden> {
    if pod.is_windows() { None } else { not_all_dropped(pod) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::policy::testing::{allows, forbids};

    const REASON: &str = "unrestricted capabilities";

    fn container(name: &str, capabilities: &Value) -> Value {
        json!({"name": name, "securityContext": {"capabilities": capabilities}})
    }

    #[test]
    fn dropping_all_is_enough_and_low_ports_may_be_kept() {
        allows(
            &CHECK,
            22..=38,
            &json!({"spec": {"containers": [
                container("a", &json!({"drop": ["ALL"]})),
                container("b", &json!({"drop": ["KILL", "ALL"], "add": ["NET_BIND_SERVICE", "NET_BIND_SERVICE"]})),
            ]}}),
        );
    }

    #[test]
    fn what_is_kept_and_what_is_added_are_two_sentences() {
        forbids(
            &CHECK,
            22..=38,
            &json!({"spec": {"containers": [
                container("a", &json!({"add": ["FOO", "BAR"]})),
                container("b", &json!({"add": ["BAR", "BAZ"]})),
                container("c", &json!({"add": ["NET_BIND_SERVICE", "CHOWN"], "drop": ["ALL", "FOO"]})),
            ]}}),
            (
                REASON,
                concat!(
                    r#"containers "a", "b" must set securityContext.capabilities.drop=["ALL"]; "#,
                    r#"containers "a", "b", "c" must not include "BAR", "BAZ", "CHOWN", "FOO" "#,
                    "in securityContext.capabilities.add",
                ),
            ),
            &[
                "spec.containers[0].securityContext.capabilities.drop",
                "spec.containers[1].securityContext.capabilities.drop",
                "spec.containers[0].securityContext.capabilities.add[0]",
                "spec.containers[0].securityContext.capabilities.add[1]",
                "spec.containers[1].securityContext.capabilities.add[0]",
                "spec.containers[1].securityContext.capabilities.add[1]",
                "spec.containers[2].securityContext.capabilities.add[1]",
            ],
        );
    }

    #[test]
    fn a_sentence_stands_alone_where_the_other_has_nothing_to_say() {
        forbids(
            &CHECK,
            22..=38,
            &json!({"spec": {"containers": [container("a", &json!({"drop": ["ALL"], "add": ["ALL"]}))]}}),
            (REASON, r#"container "a" must not include "ALL" in securityContext.capabilities.add"#),
            &["spec.containers[0].securityContext.capabilities.add[0]"],
        );
        for missing in [
            json!({"name": "a"}),
            json!({"name": "a", "securityContext": {}}),
            container("a", &json!({})),
        ] {
            forbids(
                &CHECK,
                22..=38,
                &json!({"spec": {"containers": [missing]}}),
                (REASON, r#"container "a" must set securityContext.capabilities.drop=["ALL"]"#),
                &["spec.containers[0].securityContext.capabilities.drop"],
            );
        }
    }

    #[test]
    fn every_capability_by_name_is_not_all() {
        forbids(
            &CHECK,
            22..=38,
            &json!({"spec": {"containers": [container("a", &json!({"drop": ["all", "CAP_ALL", "CHOWN"]}))]}}),
            (REASON, r#"container "a" must set securityContext.capabilities.drop=["ALL"]"#),
            &["spec.containers[0].securityContext.capabilities.drop"],
        );
    }

    #[test]
    fn windows_pods_are_exempt_from_v1_25_on() {
        let pod = |os: &str| json!({"spec": {"os": {"name": os}, "containers": [{"name": "a"}]}});
        let text = (REASON, r#"container "a" must set securityContext.capabilities.drop=["ALL"]"#);
        let fields = ["spec.containers[0].securityContext.capabilities.drop"];
        forbids(&CHECK, 22..=24, &pod("windows"), text, &fields);
        allows(&CHECK, 25..=38, &pod("windows"));
        forbids(&CHECK, 25..=38, &pod("linux"), text, &fields);
    }
}
