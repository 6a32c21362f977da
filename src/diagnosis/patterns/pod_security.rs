//! Refusals and warnings of Pod Security admission.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::reader::{context::LineContext, errno::compile};
use crate::model::obstacle::{Category, Operation};

pub(super) const PATTERN: Pattern = Pattern {
    id: "pod-security",
    title: "the pod breaks the Pod Security Standard of its namespace",
    explain: "The namespace's label `pod-security.kubernetes.io/enforce` names a level, and the API server refuses every pod that \
              breaks it. A Deployment is accepted all the same: only its ReplicaSet's events tell.",
    source: "k8s.io/pod-security-admission/admission/admission.go: EvaluatePod",
    signals: &["violate podsecurity", "violates podsecurity", "podsecurity \\\""],
    examples: &[
        Example {
            log: "Error creating: pods \"web-1\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true (pod or container \"web\" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container \"web\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")",
            expected: "admission - pod-security",
        },
        Example {
            log: "Warning: would violate PodSecurity \"baseline:v1.37\": privileged (container \"web\" must not set securityContext.privileged=true)",
            expected: "admission - pod-security",
        },
    ],
    near_misses: &[
        "pods is forbidden: User \"system:serviceaccount:shop:web\" cannot list resource \"pods\" in API group \"\"",
    ],
    read: Read::Many(read),
};

/// One finding for each violation.
fn read(context: &LineContext) -> Vec<Finding> {
    static VIOLATES: LazyLock<Regex> =
        LazyLock::new(|| compile(r#"(would violate|violates) PodSecurity \\?"([^"\\]*)\\?":?\s*"#));
    let Some(captures) = VIOLATES.captures(context.text()) else { return Vec::new() };
    let level = &captures[2];
    // A warning is what admission says where it only warns or audits.
    let harmless = &captures[1] == "would violate";
    let rest = captures.get(0).map_or("", |all| &context.text()[all.end()..]);
    let mut violations: Vec<Finding> = violations(rest)
        .into_iter()
        .map(|violation| {
            Finding::new(Operation::Admission, Category::PodSecurity)
                .harmless(harmless)
                .cause(format!("Pod Security {level} forbids it: {violation}"))
        })
        .collect();
    if violations.is_empty() {
        let finding = Finding::new(Operation::Admission, Category::PodSecurity).harmless(harmless);
        violations.push(finding.cause(format!("the pod breaks Pod Security {level}")));
    }
    violations
}

/// `reason (detail), reason (detail)`: upstream joins them with `, `, and a detail holds commas and
/// quotes of its own.
fn violations(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    found.push(text[start..=at].trim_start_matches([',', ' ']));
                    start = at + 1;
                }
            }
            _ => {}
        }
    }
    found.truncate(32);
    found
}
