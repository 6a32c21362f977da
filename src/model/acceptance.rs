//! What somebody decided to live with: findings of a scan that are accepted, each with its reason.

use std::collections::BTreeMap;

use k8s_openapi::jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// The annotation, of a workload or of its pod template, that accepts what is found in it; with
/// `.CHECK` behind it, only what that check finds. Its value is the reason.
pub const ANNOTATION: &str = "nonroot/accept";

/// The check that finds containers with uid 0.
pub const RUNS_AS_ROOT: &str = "runs-as-root";

/// The check that finds what does not work now.
pub const FAILING: &str = "failing";

/// One decision, as a baseline file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// `NAMESPACE/KIND/NAME`, or `KIND/NAME` for a manifest that names no namespace; `*` stands
    /// for any one part.
    pub workload: String,
    /// A Pod Security check, a kind of obstacle, `runs-as-root` or `failing`; `*` for all of them
    /// but `failing`.
    pub check: String,
    /// The containers that it was decided for; none means whichever. A finding that names another
    /// one is a new one.
    #[serde(default)]
    pub containers: Vec<String>,
    pub reason: String,
    /// The last day on which it counts.
    #[serde(default)]
    pub expires: Option<Date>,
}

/// `shop/deployment/web`, or `deployment/web` without a namespace.
#[must_use]
pub fn workload_key(namespace: Option<&str>, kind: &str, name: &str) -> String {
    let namespace = namespace.map(|namespace| format!("{namespace}/")).unwrap_or_default();
    format!("{namespace}{}/{name}", kind.to_lowercase())
}

impl Acceptance {
    /// Whether it is about this workload, a [`workload_key`].
    #[must_use]
    pub fn is_about(&self, workload: &str) -> bool {
        let (wanted, given) = (self.workload.split('/'), workload.split('/'));
        wanted.clone().count() == given.clone().count()
            && wanted.zip(given).all(|(wanted, given)| wanted == "*" || wanted == given)
    }

    /// Whether it accepts what `check` found in these containers of a workload. Whether it still
    /// counts is another question.
    #[must_use]
    pub fn covers(&self, workload: &str, check: &str, containers: &[String]) -> bool {
        let named = self.check == check || (self.check == "*" && check != FAILING);
        named
            && self.is_about(workload)
            && (self.containers.is_empty()
                || containers.iter().all(|container| self.containers.contains(container)))
    }

    #[must_use]
    pub fn is_expired(&self, today: Date) -> bool {
        self.expires.is_some_and(|last| last < today)
    }
}

/// What annotations accept of the workload that bears them, and the ones that give no reason and so
/// accept nothing.
#[must_use]
pub fn of_annotations(
    workload: &str,
    annotations: &BTreeMap<String, String>,
) -> (Vec<Acceptance>, Vec<String>) {
    let (mut accepted, mut unreasoned) = (Vec::new(), Vec::new());
    for (key, reason) in annotations {
        let Some(rest) = key.strip_prefix(ANNOTATION) else { continue };
        let check = match rest.strip_prefix('.') {
            Some(check) => check,
            None if rest.is_empty() => "*",
            None => continue,
        };
        if reason.trim().is_empty() {
            unreasoned.push(key.clone());
            continue;
        }
        accepted.push(Acceptance {
            workload: workload.to_owned(),
            check: check.to_owned(),
            containers: Vec::new(),
            reason: reason.trim().to_owned(),
            expires: None,
        });
    }
    (accepted, unreasoned)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::civil::date;

    use super::*;

    fn acceptance(workload: &str, check: &str, containers: &[&str]) -> Acceptance {
        Acceptance {
            workload: workload.to_owned(),
            check: check.to_owned(),
            containers: containers.iter().map(|name| (*name).to_owned()).collect(),
            reason: "why not".to_owned(),
            expires: Some(date(2026, 11, 25)),
        }
    }

    #[test]
    fn a_container_that_was_not_there_is_a_new_finding() {
        let one = acceptance("shop/deployment/web", "runAsNonRoot", &["web"]);
        let names =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert!(one.covers("shop/deployment/web", "runAsNonRoot", &names(&["web"])));
        assert!(one.covers("shop/deployment/web", "runAsNonRoot", &[]));
        assert!(!one.covers("shop/deployment/web", "runAsNonRoot", &names(&["web", "new"])));
        assert!(!one.covers("shop/deployment/web", "privileged", &names(&["web"])));
        assert!(!one.covers("test/deployment/web", "runAsNonRoot", &names(&["web"])));
        assert!(!one.covers("deployment/web", "runAsNonRoot", &names(&["web"])));
    }

    #[test]
    fn a_star_is_one_part_and_never_what_fails() {
        let all = acceptance("kube-system/*/*", "*", &[]);
        assert!(all.covers("kube-system/daemonset/kube-proxy", "privileged", &[]));
        assert!(!all.covers("kube-system/daemonset/kube-proxy", FAILING, &[]));
        assert!(!all.covers("shop/daemonset/kube-proxy", "privileged", &[]));
        assert!(!acceptance("*", "*", &[]).covers("shop/deployment/web", "privileged", &[]));
    }

    #[test]
    fn the_last_day_counts() {
        let one = acceptance("a/b/c", "*", &[]);
        assert!(!one.is_expired(date(2026, 11, 25)));
        assert!(one.is_expired(date(2026, 11, 26)));
    }

    #[test]
    fn annotations_need_a_reason() {
        let annotations = [
            ("nonroot/accept.privileged", " needs the host "),
            ("nonroot/accept", ""),
            ("nonroot/acceptance", "other"),
            ("example.com/accept", "other"),
        ];
        let annotations = annotations.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let (accepted, unreasoned) = of_annotations("shop/pod/a", &annotations);
        assert_eq!(accepted.len(), 1);
        assert_eq!(
            (accepted[0].check.as_str(), accepted[0].reason.as_str()),
            ("privileged", "needs the host")
        );
        assert_eq!(unreasoned, ["nonroot/accept"]);
    }
}
