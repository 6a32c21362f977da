//! `capabilities_baseline` (upstream policy/check_capabilities_baseline.go): adding NET_RAW or
//! capabilities beyond the default set must be disallowed.
//!
//! Restricted field: `spec.containers[*].securityContext.capabilities.add`.
//! Allowed values: undefined, empty, and values from the default set of [`BASELINE_CAPABILITIES`].

use std::collections::BTreeSet;

use super::{Check, Forbidden, Pod, Since, wording};
use crate::model::podsecurity::{BASELINE_CAPABILITIES, Level};

pub(super) const CHECK: Check = Check {
    id: "capabilities_baseline",
    level: Level::Baseline,
    explain: "Containers may add no capability beyond those that a runtime grants by default, and not NET_RAW. A \
              capability is a piece of root's power: SYS_ADMIN is nearly all of it, NET_ADMIN reconfigures the \
              network, NET_RAW forges packets. Remove the ones named from `capabilities.add`; most programs that ask \
              for them work without.",
    versions: &[Since(0, beyond_default, &[])],
};

fn beyond_default(pod: &Pod<'_>) -> Option<Forbidden> {
    let (detail, fields) = added_beyond(&BASELINE_CAPABILITIES, pod)?;
    Some(Forbidden { reason: "non-default capabilities", detail, fields })
}

/// Upstream's sentence on containers that add capabilities which are not allowed, and where they
/// do.
pub(super) fn added_beyond(allowed: &[&str], pod: &Pod<'_>) -> Option<(String, Vec<String>)> {
    let mut bad = Vec::new();
    let mut capabilities = BTreeSet::new();
    let mut fields = Vec::new();
    for container in &pod.containers {
        let added = container.security(|s| s.capabilities.as_ref()?.add.as_ref());
        let forbidden = added
            .into_iter()
            .flatten()
            .enumerate()
            .filter(|(_, name)| !allowed.contains(&name.as_str()));
        let before = fields.len();
        for (index, name) in forbidden {
            capabilities.insert(name.as_str());
            fields.push(container.path(&format!("securityContext.capabilities.add[{index}]")));
        }
        if fields.len() > before {
            bad.push(container);
        }
    }
    let sentence = || {
        let (containers, capabilities) = (wording::containers(&bad), wording::quoted(capabilities));
        format!("{containers} must not include {capabilities} in securityContext.capabilities.add")
    };
    (!bad.is_empty()).then(|| (sentence(), fields))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{BASELINE_CAPABILITIES, CHECK};
    use crate::policy::testing::{allows, forbids};

    #[test]
    fn the_default_set_may_be_added_and_anything_dropped() {
        for capabilities in [
            json!({}),
            json!({"add": []}),
            json!({"add": BASELINE_CAPABILITIES, "drop": ["ALL", "FOO"]}),
        ] {
            let container = json!({"name": "a", "securityContext": {"capabilities": capabilities}});
            allows(&CHECK, 0..=38, &json!({"spec": {"containers": [{"name": "b"}, container]}}));
        }
    }

    #[test]
    fn others_are_named_once_and_sorted() {
        let adding = |name: &str, add: &[&str]| json!({"name": name, "securityContext": {"capabilities": {"add": add}}});
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {"containers": [
                adding("a", &["FOO", "CHOWN", "BAR"]),
                adding("b", &["KILL"]),
                adding("c", &["BAR", "BAR", "BAZ"]),
            ]}}),
            (
                "non-default capabilities",
                r#"containers "a", "c" must not include "BAR", "BAZ", "FOO" in securityContext.capabilities.add"#,
            ),
            &[
                "spec.containers[0].securityContext.capabilities.add[0]",
                "spec.containers[0].securityContext.capabilities.add[2]",
                "spec.containers[2].securityContext.capabilities.add[0]",
                "spec.containers[2].securityContext.capabilities.add[1]",
                "spec.containers[2].securityContext.capabilities.add[2]",
            ],
        );
    }

    #[test]
    fn names_are_compared_as_they_stand() {
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {"containers": [
                {"name": "a", "securityContext": {"capabilities": {"add": ["CAP_CHOWN", "chown", "", "ALL"]}}},
            ]}}),
            (
                "non-default capabilities",
                r#"container "a" must not include "", "ALL", "CAP_CHOWN", "chown" in securityContext.capabilities.add"#,
            ),
            &[
                "spec.containers[0].securityContext.capabilities.add[0]",
                "spec.containers[0].securityContext.capabilities.add[1]",
                "spec.containers[0].securityContext.capabilities.add[2]",
                "spec.containers[0].securityContext.capabilities.add[3]",
            ],
        );
    }
}
