//! From a workload of a report to its findings.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::explanation::Explained;
use super::finding::{Class, Finding};
use super::report::{Container, Violation, Workload};
use crate::model::acceptance::{FAILING, RUNS_AS_ROOT, workload_key};
use crate::model::podsecurity::Level;

/// Everything in a workload that the level, root's uid or a failure gives cause for, each once.
#[must_use]
pub fn of(workload: &Workload, level: Level) -> Vec<Finding> {
    let key = workload_key(workload.namespace.as_deref(), &workload.kind, &workload.name);
    let fingerprint = |check: &str, rest: &[&str]| {
        let parts = [&[key.as_str(), check], rest].concat().join("\0");
        let digest: [u8; 32] = Sha256::digest(parts).into();
        digest
            .first_chunk()
            .map(|half| format!("{:032x}", u128::from_be_bytes(*half)))
            .unwrap_or_default()
    };
    let mut found: Vec<Finding> = Vec::new();
    for container in workload.containers.iter().filter(|container| container.root == Some(true)) {
        found.push(Finding {
            check: RUNS_AS_ROOT.to_owned(),
            class: Class::Root,
            message: format!(
                "container {:?} runs as root{}: uid 0, {}",
                container.name,
                if workload.user_namespace { " of a user namespace" } else { "" },
                by(container.user.origin)
            ),
            containers: vec![container.name.clone()],
            line: None,
            fingerprint: fingerprint(RUNS_AS_ROOT, &[&container.name]),
            accepted: None,
        });
    }
    let security = &workload.pod_security;
    let forbidden = |violation: &Violation, class: Class| Finding {
        check: violation.check.to_owned(),
        class,
        message: match violation.detail.as_str() {
            "" => violation.reason.clone(),
            detail => format!("{}: {detail}", violation.reason),
        },
        containers: at_fault(violation, &workload.containers),
        line: violation.fields.iter().find_map(|field| field.line),
        fingerprint: fingerprint(violation.check, &[]),
        accepted: None,
    };
    if level != Level::Privileged {
        found.extend(
            security.baseline.iter().map(|violation| forbidden(violation, Class::Baseline)),
        );
    }
    if level == Level::Restricted {
        let new = |violation: &&Violation| {
            !security.baseline.iter().any(|known| known.check == violation.check)
        };
        found.extend(
            security
                .restricted
                .iter()
                .filter(new)
                .map(|violation| forbidden(violation, Class::Restricted)),
        );
    }
    let fails = !workload.failures.is_empty();
    for obstacle in &workload.obstacles {
        let Explained { category, container, operation, path, port, .. } = obstacle;
        let port = port.map(|port| port.to_string()).unwrap_or_default();
        let place = [
            container.as_deref().unwrap_or_default(),
            operation,
            path.as_deref().unwrap_or_default(),
            &port,
        ];
        found.push(Finding {
            check: (*category).to_owned(),
            class: if fails && obstacle.fatal { Class::Failing } else { Class::Obstacle },
            message: obstacle.cause.clone(),
            containers: container.iter().cloned().collect(),
            line: None,
            fingerprint: fingerprint(category, &place),
            accepted: None,
        });
    }
    for failure in &workload.failures {
        let mut message = failure.reason.clone();
        if let Some(code) = failure.exit_code {
            message.push_str(&format!(", exit code {code}"));
        } else if !failure.message.is_empty() {
            message.push_str(&format!(": {}", failure.message));
        }
        let container = failure.container.as_deref().unwrap_or_default();
        found.push(Finding {
            check: FAILING.to_owned(),
            class: Class::Failing,
            message,
            containers: failure.container.iter().cloned().collect(),
            line: None,
            fingerprint: fingerprint(FAILING, &[&failure.reason, container]),
            accepted: None,
        });
    }
    let mut known = BTreeSet::new();
    found.retain(|finding| known.insert(finding.fingerprint.clone()));
    found
}

/// Who says that it is root.
fn by(origin: &str) -> String {
    match origin {
        "container" => "set by its securityContext".to_owned(),
        "pod" => "set by the pod's securityContext".to_owned(),
        "image" => "set by its image".to_owned(),
        "process" => "as its process shows".to_owned(),
        other => other.to_owned(),
    }
}

/// The containers of the fields at fault, `spec.initContainers[0].securityContext`, by name.
fn at_fault(violation: &Violation, containers: &[Container]) -> Vec<String> {
    let mut names = Vec::new();
    for field in &violation.fields {
        let Some((list, rest)) =
            field.path.strip_prefix("spec.").and_then(|path| path.split_once('['))
        else {
            continue;
        };
        let roles: &[&str] = match list {
            "containers" => &["container"],
            "initContainers" => &["init", "sidecar"],
            "ephemeralContainers" => &["ephemeral"],
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
