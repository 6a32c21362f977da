//! The scan report as SARIF 2.1.0 (OASIS, March 2020), for code scanning. Only what we fill of it.

use serde::Serialize;

use super::finding::Finding;
use super::report::{ScanReport, Workload};
use super::rule::{self, Rule};
use super::terminal::Clean;
use crate::model::acceptance::workload_key;
use crate::model::finding::FindingClass;

/// The root of a SARIF file.
#[derive(Debug, Serialize)]
pub struct Sarif {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    /// Always successful: what could not be read leaves the other findings valid.
    invocations: [Invocation; 1],
    results: Vec<Result>,
    column_kind: &'static str,
}

#[derive(Debug, Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    information_uri: &'static str,
    rules: Vec<ReportingDescriptor>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportingDescriptor {
    id: &'static str,
    short_description: Message,
    full_description: Message,
    help: Help,
    default_configuration: Configuration,
    properties: Properties,
}

#[derive(Debug, Serialize)]
struct Help {
    text: String,
    markdown: String,
}

#[derive(Debug, Serialize)]
struct Configuration {
    level: &'static str,
}

/// GitHub sorts alerts by these.
#[derive(Debug, Serialize)]
struct Properties {
    tags: [&'static str; 2],
    #[serde(rename = "security-severity")]
    security_severity: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Debug, Serialize)]
struct Notification {
    level: &'static str,
    message: Message,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Result {
    rule_id: String,
    rule_index: usize,
    level: &'static str,
    message: Message,
    locations: [Location; 1],
    partial_fingerprints: Fingerprints,
    /// Present for every result if one has it (3.27.23): empty means that it is not accepted.
    suppressions: Vec<Suppression>,
}

#[derive(Debug, Serialize)]
struct Message {
    text: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    physical_location: Option<PhysicalLocation>,
    logical_locations: [LogicalLocation; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactLocation {
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri_base_id: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    name: String,
    fully_qualified_name: String,
    kind: &'static str,
}

#[derive(Debug, Serialize)]
struct Fingerprints {
    #[serde(rename = "nonroot/v1")]
    nonroot: String,
}

#[derive(Debug, Serialize)]
struct Suppression {
    kind: &'static str,
    status: &'static str,
    justification: String,
}

/// The report as one run.
#[must_use]
pub fn sarif(report: &ScanReport) -> Sarif {
    let rules = rule::all();
    let results = report.workloads.iter().flat_map(|workload| {
        let rules = &rules;
        workload.findings.iter().filter_map(move |finding| result(workload, finding, rules))
    });
    let results = results.collect();
    let warnings = report
        .warnings
        .iter()
        .map(|text| Notification { level: "warning", message: message(text) });
    Sarif {
        schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "kubectl-nonroot",
                    semantic_version: env!("CARGO_PKG_VERSION"),
                    information_uri: env!("CARGO_PKG_REPOSITORY"),
                    rules: rules.into_iter().map(descriptor).collect(),
                },
            },
            invocations: [Invocation {
                execution_successful: true,
                tool_execution_notifications: warnings.collect(),
            }],
            results,
            column_kind: "unicodeCodePoints",
        }],
    }
}

fn descriptor(rule: Rule) -> ReportingDescriptor {
    let Rule { id, class, title, explain, help } = rule;
    ReportingDescriptor {
        id,
        short_description: Message { text: title },
        full_description: Message { text: explain.clone() },
        help: Help { text: explain, markdown: help },
        default_configuration: Configuration { level: level(class) },
        properties: Properties {
            tags: ["security", "kubernetes"],
            security_severity: severity(class),
        },
    }
}

fn level(class: FindingClass) -> &'static str {
    match class {
        FindingClass::Root | FindingClass::Baseline | FindingClass::Failing => "error",
        FindingClass::Restricted => "warning",
        FindingClass::Obstacle => "note",
    }
}

/// On the scale of CVSS, which GitHub cuts at 4.0 and 7.0.
fn severity(class: FindingClass) -> &'static str {
    match class {
        FindingClass::Baseline => "8.0",
        FindingClass::Root => "7.0",
        FindingClass::Restricted => "4.0",
        FindingClass::Failing | FindingClass::Obstacle => "2.0",
    }
}

fn result(workload: &Workload, finding: &Finding, rules: &[Rule]) -> Option<Result> {
    let rule_index = rules.iter().position(|rule| rule.id == finding.check)?;
    let key = workload_key(workload.namespace.as_deref(), &workload.kind, &workload.name);
    let physical_location =
        workload.source.as_ref().filter(|source| source.file != "stdin").map(|source| {
            let relative = !source.file.starts_with('/');
            PhysicalLocation {
                artifact_location: ArtifactLocation {
                    uri: uri(&source.file),
                    uri_base_id: relative.then_some("%SRCROOT%"),
                },
                region: Region { start_line: finding.line.unwrap_or(source.line) },
            }
        });
    let suppressions = finding.accepted.iter().map(|accepted| Suppression {
        kind: if accepted.by == "annotation" { "inSource" } else { "external" },
        status: "accepted",
        justification: Clean(&accepted.reason).to_string(),
    });
    Some(Result {
        rule_id: finding.check.clone(),
        rule_index,
        level: level(finding.class),
        message: message(&format!("{key}: {}", finding.message)),
        locations: [Location {
            physical_location,
            logical_locations: [LogicalLocation {
                name: Clean(&workload.name).to_string(),
                fully_qualified_name: Clean(&key).to_string(),
                kind: "resource",
            }],
        }],
        partial_fingerprints: Fingerprints { nonroot: finding.fingerprint.clone() },
        suppressions: suppressions.collect(),
    })
}

/// Text from outside that no viewer shows as a link: `[text](target)` is one even in plain text
/// (3.11.6).
fn message(text: &str) -> Message {
    Message { text: Clean(text).to_string().replace("](", "] (") }
}

/// A path as a URI reference (RFC 3986): what is not plain in a path is percent-encoded.
fn uri(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    let mut uri = scheme.to_owned();
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte))
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::{message, uri};

    #[test]
    fn paths_become_uris() {
        assert_eq!(uri("./deploy/a b:ü.yaml"), "deploy/a%20b%3A%C3%BC.yaml");
        assert_eq!(uri("/srv/a.yaml"), "file:///srv/a.yaml");
    }

    #[test]
    fn names_make_no_links() {
        assert_eq!(
            message("a [click](https://example.com) drop=[\"ALL\"]").text,
            "a [click] (https://example.com) drop=[\"ALL\"]"
        );
    }
}
