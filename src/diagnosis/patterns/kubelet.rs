//! The kubelet's refusal to start a container whose user it cannot accept.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::reader::{context::LineContext, errno::compile};
use crate::model::obstacle::{Category, Operation};

pub(super) const PATTERN: Pattern = Pattern {
    id: "kubelet-user",
    title: "the kubelet refuses the container's user",
    explain: "With `runAsNonRoot: true` the kubelet compares the uid that a container would get before it starts it: the one of \
              its security context, else USER of the image. Root is refused, and so is a USER by name, which it cannot check.",
    source: "kubernetes pkg/kubelet/kuberuntime/security_context.go: verifyRunAsNonRoot; runc libcontainer/user",
    signals: &[
        "image will run as root",
        "non-numeric user",
        "breaks non-root policy",
        "no matching entries in",
        "run as root",
    ],
    examples: &[
        Example {
            log: "Error: container has runAsNonRoot and image will run as root (pod: \"web_shop(1)\", container: web)",
            expected: "image-user - image-runs-as-root",
        },
        Example {
            log: "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root",
            expected: "image-user - non-numeric-user",
        },
        Example {
            log: "Error: container's runAsUser breaks non-root policy (pod: \"web_shop(1)\", container: web)",
            expected: "image-user - image-runs-as-root",
        },
        Example {
            log: "unable to start container process: unable to find user app: no matching entries in passwd file",
            expected: "getpwuid - missing-passwd-entry",
        },
    ],
    near_misses: &[
        "Supervisor is running as root.",
        "Running as root without --no-sandbox is not supported",
    ],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    static ROOT: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)image will run as root|runAsUser breaks non-root policy|has runAsNonRoot and (?:image|container) (?:will|would) run as root|must not run as root|runAsNonRoot.*runAsUser.*(?:is 0|zero|root)",
        )
    });
    static NON_NUMERIC: LazyLock<Regex> = LazyLock::new(|| {
        compile(r"(?i)image has non-numeric user|non-numeric user \(?.*cannot verify")
    });
    static UNKNOWN: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)unable to find (user|group) (\S+): no matching entries in (?:passwd|group) file",
        )
    });
    let text = context.text();
    if NON_NUMERIC.is_match(text) {
        return Some(Finding::new(Operation::ImageUser, Category::NonNumericUser));
    }
    if ROOT.is_match(text) {
        return Some(Finding::new(Operation::ImageUser, Category::ImageRunsAsRoot));
    }
    let captures = UNKNOWN.captures(text)?;
    let (kind, name) = (captures.get(1)?.as_str(), captures.get(2)?.as_str());
    Some(Finding::new(Operation::Getpwuid, Category::MissingPasswdEntry).cause(format!(
        "the container is to run as {kind} {name}, which the image's /etc/{} does not list",
        if kind == "group" { "group" } else { "passwd" }
    )))
}
