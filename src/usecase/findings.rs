//! What a scan finds in a workload: decided from the workload, the verdicts and the obstacles.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use crate::model::acceptance::{FAILING, RUNS_AS_ROOT, workload_key};
use crate::model::container::{Container, Role};
use crate::model::finding::{Finding, FindingClass};
use crate::model::identity::Origin;
use crate::model::obstacle::Obstacle;
use crate::model::podsecurity::{Level, Verdicts, Violation};
use crate::model::workload::{Failure, Workload};

/// Everything in a workload that the level forbids, that runs as root, that fails, or that stands
/// in the way of running as non-root, each once.
#[must_use]
pub fn of<'o>(
    workload: &Workload,
    verdicts: &Verdicts,
    obstacles: impl Iterator<Item = &'o Obstacle>,
    level: Level,
) -> Vec<Finding> {
    let key = workload_key(workload.namespace.as_deref(), &workload.kind, &workload.name);
    let is_failing = !workload.failures.is_empty();
    let mut found: Vec<Finding> = Vec::new();
    let root = workload.containers.iter().filter(|container| container.root == Some(true));
    found.extend(root.map(|container| runs_as_root(&key, workload, container)));
    let forbidden = |violation: &Violation, class| {
        let line = violation.fields.iter().find_map(|field| verdicts.line(field));
        forbidden(&key, violation, class, at_fault(violation, &workload.containers), line)
    };
    if level != Level::Privileged {
        found.extend(verdicts.baseline.iter().map(|one| forbidden(one, FindingClass::Baseline)));
    }
    if level == Level::Restricted {
        let is_new = |violation: &&Violation| {
            !verdicts.baseline.iter().any(|known| known.check == violation.check)
        };
        let new = verdicts.restricted.iter().filter(is_new);
        found.extend(new.map(|one| forbidden(one, FindingClass::Restricted)));
    }
    found.extend(obstacles.map(|obstacle| in_the_way(&key, obstacle, is_failing)));
    found.extend(workload.failures.iter().map(|failure| failing(&key, failure)));

    let mut known = BTreeSet::new();
    found.retain(|finding| known.insert(finding.fingerprint.clone()));
    found
}

fn runs_as_root(key: &str, workload: &Workload, container: &Container) -> Finding {
    let whose = if workload.spec.host_users == Some(false) { " of a user namespace" } else { "" };
    let source = match container.user.origin {
        Origin::Container => "set by its securityContext",
        Origin::Pod => "set by the pod's securityContext",
        Origin::Image => "set by its image",
        Origin::Process => "as its process shows",
        Origin::Unknown => Origin::Unknown.as_str(),
    };
    Finding {
        check: RUNS_AS_ROOT.to_owned(),
        class: FindingClass::Root,
        message: format!("container {:?} runs as root{whose}: uid 0, {source}", container.name),
        containers: vec![container.name.clone()],
        line: None,
        fingerprint: fingerprint(&[key, RUNS_AS_ROOT, &container.name]),
        accepted: None,
    }
}

fn forbidden(
    key: &str,
    violation: &Violation,
    class: FindingClass,
    containers: Vec<String>,
    line: Option<u64>,
) -> Finding {
    Finding {
        check: violation.check.to_owned(),
        class,
        message: match violation.detail.as_str() {
            "" => violation.reason.clone(),
            detail => format!("{}: {detail}", violation.reason),
        },
        containers,
        line,
        fingerprint: fingerprint(&[key, violation.check]),
        accepted: None,
    }
}

fn in_the_way(key: &str, obstacle: &Obstacle, is_failing: bool) -> Finding {
    let Obstacle { category, container, operation, path, port, .. } = obstacle;
    let port = port.map(|port| port.to_string()).unwrap_or_default();
    let parts = [
        key,
        category.as_str(),
        container.as_deref().unwrap_or_default(),
        operation.as_str(),
        path.as_deref().unwrap_or_default(),
        &port,
    ];
    Finding {
        check: category.as_str().to_owned(),
        class: if is_failing && obstacle.fatal {
            FindingClass::Failing
        } else {
            FindingClass::Obstacle
        },
        message: obstacle.cause.clone(),
        containers: container.iter().cloned().collect(),
        line: None,
        fingerprint: fingerprint(&parts),
        accepted: None,
    }
}

fn failing(key: &str, failure: &Failure) -> Finding {
    let mut message = failure.reason.clone();
    if let Some(code) = failure.exit_code {
        message.push_str(&format!(", exit code {code}"));
    } else if !failure.message.is_empty() {
        message.push_str(&format!(": {}", failure.message));
    }
    let container = failure.container.as_deref().unwrap_or_default();
    Finding {
        check: FAILING.to_owned(),
        class: FindingClass::Failing,
        message,
        containers: failure.container.iter().cloned().collect(),
        line: None,
        fingerprint: fingerprint(&[key, FAILING, &failure.reason, container]),
        accepted: None,
    }
}

/// What is the same as long as the workload and what is wrong with it are the same: half of a
/// SHA-256, in hexadecimal digits.
fn fingerprint(parts: &[&str]) -> String {
    let digest: [u8; 32] = Sha256::digest(parts.join("\0")).into();
    let half = digest.first_chunk().map(|half| u128::from_be_bytes(*half));
    half.map(|half| format!("{half:032x}")).unwrap_or_default()
}

/// The containers of the fields at fault, `spec.initContainers[0].securityContext`, by name.
fn at_fault(violation: &Violation, containers: &[Container]) -> Vec<String> {
    let mut names = Vec::new();
    for field in &violation.fields {
        let Some((list, rest)) = field.strip_prefix("spec.").and_then(|path| path.split_once('['))
        else {
            continue;
        };
        let roles: &[Role] = match list {
            "containers" => &[Role::Container],
            "initContainers" => &[Role::Init, Role::Sidecar],
            "ephemeralContainers" => &[Role::Ephemeral],
            _ => continue,
        };
        let index = rest.split(']').next().and_then(|index| index.parse::<usize>().ok());
        let mut listed = containers.iter().filter(|container| roles.contains(&container.role));
        if let Some(container) = index.and_then(|index| listed.nth(index))
            && !names.contains(&container.name)
        {
            names.push(container.name.clone());
        }
    }
    names
}
