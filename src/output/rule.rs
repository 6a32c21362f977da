//! Everything that a scan can find, with the text that explains it: what SARIF calls a rule.

use super::obstacles::{self, PAGES};
use crate::model::acceptance::{FAILING, RUNS_AS_ROOT};
use crate::model::finding::FindingClass;
use crate::model::podsecurity::Level;
use crate::policy::CHECKS;

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub id: &'static str,
    pub class: FindingClass,
    pub title: String,
    /// One paragraph.
    pub explain: String,
    /// All there is to say, as Markdown.
    pub help: String,
}

/// Every rule, in an order that only grows at its end within each kind.
#[must_use]
pub fn all() -> Vec<Rule> {
    let own = [
        (
            RUNS_AS_ROOT,
            FindingClass::Root,
            "A container runs as root",
            "The first process of the container has uid 0, by its security context, by its image, or as the runtime \
             reports of the running process. Root in a container is root of the node for the kernel: a fault in the \
             runtime, a writable hostPath or a leaked capability is then a way out. `kubectl nonroot fix --trial` finds \
             the user and the volumes with which it works without.",
        ),
        (
            FAILING,
            FindingClass::Failing,
            "A workload does not work",
            "Its pods are not made, do not start, crash or do not become ready. Where the cause has to do with running as \
             non-root, a finding of its own names it; `kubectl nonroot explain TYPE/NAME` shows the evidence.",
        ),
    ];
    let own = own.into_iter().map(|(id, class, title, explain)| Rule {
        id,
        class,
        title: title.to_owned(),
        explain: explain.to_owned(),
        help: explain.to_owned(),
    });
    let checks = CHECKS.iter().map(|check| Rule {
        id: check.id,
        class: if check.level == Level::Baseline { FindingClass::Baseline } else { FindingClass::Restricted },
        title: format!("Pod Security, {}: {}", check.level, check.id),
        explain: check.explain.to_owned(),
        help: format!(
            "{}\n\nA check of the [Pod Security Standards](https://kubernetes.io/docs/concepts/security/pod-security-standards/), \
             level {}.",
            check.explain, check.level
        ),
    });
    let obstacles = PAGES.iter().map(|page| Rule {
        id: page.category.as_str(),
        class: FindingClass::Obstacle,
        title: page.title.to_owned(),
        explain: page.meaning.to_owned(),
        help: obstacles::page(page.category),
    });
    own.chain(checks).chain(obstacles).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn no_two_rules_share_a_name() {
        let rules = super::all();
        let names: BTreeSet<_> = rules.iter().map(|rule| rule.id).collect();
        assert_eq!(names.len(), rules.len());
    }
}
