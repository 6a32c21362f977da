//! Refusals by OpenShift's security context constraints, by legacy PodSecurityPolicy, and by policy
//! engines.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::reader::{context::LineContext, errno::compile};
use crate::model::obstacle::{Category, Operation};

pub(super) const PATTERN: Pattern = Pattern {
    id: "admission-policy",
    title: "an admission policy refuses the pod's security context",
    explain: "OpenShift's security context constraints, PodSecurityPolicy before Kubernetes 1.25, and policy engines such as \
              Kyverno or Gatekeeper refuse pods as Pod Security admission does, by rules of their own. OpenShift allows only the \
              uids of the namespace's annotation `openshift.io/sa.scc.uid-range`.",
    source: "openshift/apiserver-library-go securitycontextconstraints/sccadmission; kubernetes 1.24 plugin/pkg/admission/security/podsecuritypolicy; kyverno, gatekeeper",
    signals: &[
        "security context constraint",
        "pod security policy",
        "podsecuritypolicy",
        "admission webhook",
        "disallowed by",
        "validatingadmissionpolicy",
        "validation error",
        "gatekeeper",
        "runasnonroot",
        "allowprivilegeescalation",
        "readonlyrootfilesystem",
        "running as root is not",
        "not run as root",
        "privileged mode",
    ],
    examples: &[
        Example {
            log: "Error creating: pods \"web-\" is forbidden: unable to validate against any security context constraint: [provider restricted: .spec.securityContext.fsGroup: Invalid value: []int64{1000}: 1000 is not an allowed group]",
            expected: "admission - pod-security",
        },
        Example {
            log: "message: 'pods \"web-\" is forbidden: unable to validate against any\n  security context constraint: [provider restricted-v2: .containers[0].runAsUser:\n  Invalid value: 1000: must be in the ranges: [1000700000, 1000709999]]'",
            expected: "admission - pod-security",
        },
        Example {
            log: "Error creating: pods\n\"web-\" is forbidden: unable to validate against\nany security context constraint:\n[spec.containers[0].securityContext.runAsUser: Invalid value:\n1001: must be in the ranges: [1000620000, 1000629999]]",
            expected: "admission - pod-security",
        },
        Example {
            log: "policy no-root -> resource shop/Deployment/web failed:\n1. autogen-no-root: Running as root is not allowed. Set runAsNonRoot to true.",
            expected: "admission - pod-security",
        },
        Example {
            log: "Error from server: admission webhook \"validate.example.svc\" denied the request:\n\nresource Deployment/shop/web was blocked due to the following policies\n\nno-root:\n  autogen-check: 'validation error: Running as root is not allowed.'",
            expected: "admission - pod-security",
        },
        Example {
            log: "FAIL - web.yaml - main - Containers must not run as root in Deployment web",
            expected: "admission - pod-security",
        },
        Example {
            log: "pods \"web\" is forbidden: unable to validate against any pod security policy: []",
            expected: "admission - pod-security",
        },
        Example {
            log: "admission webhook \"validate.kyverno.svc-fail\" denied the request: policy Pod/shop/web for resource violation: require-run-as-nonroot: validation error: Running as root is not allowed.",
            expected: "admission - pod-security",
        },
    ],
    near_misses: &[
        "applied policy restricted to deployment web: runAsNonRoot=true allowPrivilegeEscalation=false",
        "admission webhook \"vingress.elbv2.k8s.aws\" denied the request: invalid ingress class",
        "exceeded quota: compute, requested: pods=1",
    ],
    read: Read::One(read),
};

/// Lines around a rule in which the policy is named.
const NEAR: usize = 6;

fn read(context: &LineContext) -> Option<Finding> {
    static RULES: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)against any (?:security context constraint|pod security policy)|^(?:any )?security context constraint:(?: \[|$)|PodSecurityPolicy: unable to|violates? (?:the )?PodSecurityPolicy",
        )
    });
    static ENGINE: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)admission webhook|ValidatingAdmissionPolicy|disallowed by|blocked due to|gatekeeper|kyverno",
        )
    });
    static OF_THIS_KIND: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)runAsNonRoot|run-?as-?non-?root|runAsUser|runAsGroup|run(?:ning)? as root|privileged|privilege escalation|allowPrivilegeEscalation|capabilit|seccomp|hostNetwork|hostPath|host(?:PID|IPC| namespace| path| port)|readOnlyRootFilesystem|read-?only root|securityContext|fsGroup|sysctl|procMount|SELinux|AppArmor|root user|root group",
        )
    });
    // Who enforces it, where the message itself does not say: engines print the rules below the
    // policies' names.
    static POLICY: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)\bpolic(?:y|ies)\b|\bkyverno|gatekeeper|\bconstraint|admission|conftest|\bopa\b|^FAIL -|validati(?:ng|on)\b",
        )
    });
    static REFUSES: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)\bnot allowed|disallowed|\bmust (?:not )?(?:be|set|have|run|use|define|specify)|\bforbidden\b|\bdenied\b|\bblocked\b|violat|\b(?:is|are) required|\bshould (?:not )?(?:be|run|have|set)|does not set|not set to",
        )
    });
    // Fields and sentences that stand in no other message.
    static FIELD: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"runAsNonRoot|runAsUser|runAsGroup|allowPrivilegeEscalation|readOnlyRootFilesystem|securityContext\b|hostNetwork|hostPID|hostIPC|(?i:running as root is not allowed|containers? (?:must|should|may) not run as (?:root|privileged)|privileged (?:mode|containers?) (?:is|are) (?:not allowed|disallowed)|privilege escalation (?:is )?(?:not allowed|disallowed))",
        )
    });
    let text = context.text();
    let near = || context.before().take(NEAR).chain(context.after().take(NEAR));
    let denied_below = || {
        static DENIED: LazyLock<Regex> = LazyLock::new(|| compile(r"(?i)denied the request:?\s*$"));
        // Or the line was broken in the middle of the reason.
        let broken = || {
            let next = context.after().next().map_or("", |line| line.text.as_str());
            OF_THIS_KIND.is_match(&format!("{text} {next}"))
        };
        broken()
            || DENIED.is_match(text)
                && context.after().take(2 * NEAR).any(|line| OF_THIS_KIND.is_match(&line.text))
    };
    let by_field = || {
        FIELD.is_match(text)
            && REFUSES.is_match(text)
            && (POLICY.is_match(text) || near().any(|line| POLICY.is_match(&line.text)))
    };
    let applies = RULES.is_match(text)
        || (ENGINE.is_match(text) && (OF_THIS_KIND.is_match(text) || denied_below()))
        || by_field();
    applies.then(|| Finding::new(Operation::Admission, Category::PodSecurity))
}
