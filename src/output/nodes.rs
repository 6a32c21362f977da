//! What `nodes` reports: what each node allows a non-root pod, and what each namespace would refuse.

use std::fmt::Write as _;

use serde::Serialize;

use super::API_VERSION;
use super::report::{Policy, Violation};
use super::terminal::{Clean, Tone, painted, tone, wrapped};
use crate::model::answer::Answer as ModelAnswer;
use crate::model::node::{Node as ModelNode, Setting as ModelSetting, device_ownership_setting};
use crate::model::podsecurity::{
    Namespace as ModelNamespace, Policy as ModelPolicy, Violation as ModelViolation,
};
use crate::model::workload::Workload;

/// `kind: Nodes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Nodes {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub warnings: Vec<String>,
    pub nodes: Vec<Node>,
    pub namespaces: Vec<Namespace>,
}

/// One node. A value is null where nothing tells; `why` then says what is likely.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    pub name: String,
    pub kubelet: String,
    pub runtime: Runtime,
    pub kernel: String,
    pub os_image: String,
    pub architecture: String,
    /// Whether a pod of the default runtime handler may have `hostUsers: false`.
    pub user_namespaces: Answer,
    /// Whether ports below 1024 need no privilege in a pod that asks for nothing.
    pub unprivileged_ports: Answer,
    pub se_linux: Answer,
    pub app_armor: Answer,
    pub seccomp_default: Answer,
    pub cgroup_version: CgroupVersion,
    pub device_ownership_from_security_context: Answer,
    /// Where that is set on this node.
    pub device_ownership_setting: Option<Setting>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Runtime {
    pub name: String,
    pub version: String,
}

/// An answer and its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    pub value: Option<bool>,
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CgroupVersion {
    pub value: Option<u8>,
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    pub file: &'static str,
    pub section: &'static str,
    pub line: &'static str,
}

/// What a namespace demands, and what it would refuse if it enforced a level today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Namespace {
    pub name: String,
    pub enforce: Option<Policy>,
    pub audit: Option<Policy>,
    pub warn: Option<Policy>,
    /// The level and version that the workloads were judged by.
    pub judged: Policy,
    pub workloads: usize,
    pub pods: usize,
    pub refused: Vec<Refused>,
}

/// A workload whose pods would be refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    pub kind: String,
    pub name: String,
    pub pods: usize,
    /// Reason and detail are the API server's, character for character.
    pub violations: Vec<Violation>,
}

impl Nodes {
    #[must_use]
    pub fn new(warnings: Vec<String>, nodes: &[ModelNode], namespaces: Vec<Namespace>) -> Self {
        let nodes = nodes.iter().map(Node::from).collect();
        Self { api_version: API_VERSION, kind: "Nodes", warnings, nodes, namespaces }
    }
}

impl From<&ModelNode> for Node {
    fn from(node: &ModelNode) -> Self {
        let (value, why) = node.cgroup_version();
        let setting = device_ownership_setting(&node.runtime);
        Self {
            name: node.name.clone(),
            kubelet: node.kubelet.clone(),
            runtime: Runtime {
                name: node.runtime.name.clone(),
                version: node.runtime.version.clone(),
            },
            kernel: node.kernel.clone(),
            os_image: node.os_image.clone(),
            architecture: node.architecture.clone(),
            user_namespaces: node.user_namespaces("").into(),
            unprivileged_ports: node.low_ports().into(),
            se_linux: node.se_linux().into(),
            app_armor: node.app_armor().into(),
            seccomp_default: node.seccomp_default().into(),
            cgroup_version: CgroupVersion { value, why },
            device_ownership_from_security_context: node.device_ownership().into(),
            device_ownership_setting: setting.map(|ModelSetting { file, section, line }| Setting {
                file,
                section,
                line,
            }),
        }
    }
}

impl From<ModelAnswer> for Answer {
    fn from(ModelAnswer { value, reason }: ModelAnswer) -> Self {
        Self { value, why: reason }
    }
}

impl Namespace {
    /// `judged` holds every workload of the namespace, with what `level` forbids in it.
    #[must_use]
    pub fn new(
        namespace: &ModelNamespace,
        level: ModelPolicy,
        judged: &[(&Workload, Vec<ModelViolation>)],
    ) -> Self {
        let policy = |policy: ModelPolicy| Policy {
            level: policy.level.as_str(),
            version: policy.version.to_string(),
        };
        let refused = judged.iter().filter(|(_, violations)| !violations.is_empty()).map(
            |(workload, violations)| Refused {
                kind: workload.kind.clone(),
                name: workload.name.clone(),
                pods: workload.pods,
                violations: violations
                    .iter()
                    .map(|one| Violation::new(one.clone(), &|_| None))
                    .collect(),
            },
        );
        Self {
            name: namespace.name.clone(),
            enforce: namespace.enforce.map(policy),
            audit: namespace.audit.map(policy),
            warn: namespace.warn.map(policy),
            judged: policy(level),
            workloads: judged.len(),
            pods: judged.iter().map(|(workload, _)| workload.pods).sum(),
            refused: refused.collect(),
        }
    }
}

/// Columns of a property's name and of its answer.
const COLUMNS: (usize, usize) = (18, 8);
/// Columns that a reason takes beside them.
const LEAST_WHY: usize = 50;

/// The report for a person: nodes that are alike together, then the namespaces, as many columns
/// wide as the terminal.
#[must_use]
pub fn text(report: &Nodes, width: usize) -> String {
    let mut out = String::new();
    for (node, names) in alike(&report.nodes) {
        let Node { kubelet, runtime, kernel, os_image, .. } = node;
        let system = format!(
            "kubelet {}, {} {}, Linux {}, {}",
            Clean(kubelet),
            Clean(&runtime.name),
            Clean(&runtime.version),
            Clean(kernel),
            Clean(os_image)
        );
        let names = names.iter().map(|name| Clean(name).to_string()).collect::<Vec<_>>().join(", ");
        let _ = writeln!(out, "{}", tone(Tone::Strong, &names));
        let _ = wrapped(&mut out, "  ", 2, &system, width);
        for (name, told) in properties(node) {
            let answer = match told.value {
                Some(true) => tone(Tone::Good, "yes"),
                Some(false) => tone(Tone::Faint, "no"),
                None => tone(Tone::Doubtful, "unknown"),
            };
            property(&mut out, name, &answer, &told.why, width);
        }
        let CgroupVersion { value, why } = &node.cgroup_version;
        let answer =
            value.map_or_else(|| tone(Tone::Doubtful, "unknown"), |version| format!("v{version}"));
        property(&mut out, "control groups", &answer, why, width);
        out.push('\n');
    }
    for namespace in &report.namespaces {
        out.push_str(&self::namespace(namespace, width));
    }
    painted(&out)
}

fn properties(node: &Node) -> [(&'static str, &Answer); 6] {
    [
        ("user namespaces", &node.user_namespaces),
        ("low ports open", &node.unprivileged_ports),
        ("SELinux", &node.se_linux),
        ("AppArmor", &node.app_armor),
        ("seccomp default", &node.seccomp_default),
        ("device ownership", &node.device_ownership_from_security_context),
    ]
}

/// Nodes of which all is the same but the name, in the order of the first of them.
fn alike(nodes: &[Node]) -> Vec<(&Node, Vec<&str>)> {
    let mut groups: Vec<(&Node, Vec<&str>)> = Vec::new();
    for node in nodes {
        let same = |group: &&mut (&Node, Vec<&str>)| {
            Node { name: group.0.name.clone(), ..node.clone() } == *group.0
        };
        match groups.iter_mut().find(same) {
            Some((_, names)) => names.push(&node.name),
            None => groups.push((node, vec![&node.name])),
        }
    }
    groups
}

fn property(out: &mut String, name: &str, answer: &str, why: &str, width: usize) {
    let pad = |text: &str, columns: usize| {
        " ".repeat(columns.saturating_sub(console::measure_text_width(text)))
    };
    let head = format!("  {name}{}{answer}{}", pad(name, COLUMNS.0), pad(answer, COLUMNS.1));
    let (indent, why) = (console::measure_text_width(&head), Clean(why).to_string());
    // Names of settings are long: where there is no room beside the answer, the reason stands below
    // it.
    if width.saturating_sub(indent) < LEAST_WHY {
        let _ = writeln!(out, "{}", head.trim_end());
        let _ = wrapped(out, "    ", 4, &why, width);
    } else {
        let _ = wrapped(out, &head, indent, &why, width);
    }
}

fn namespace(namespace: &Namespace, width: usize) -> String {
    let Namespace { name, enforce, audit, warn, judged, workloads, pods, refused } = namespace;
    let mode = |mode: &str, policy: &Option<Policy>| {
        policy.as_ref().map(|policy| format!("{mode} {}:{}", policy.level, policy.version))
    };
    let modes = [mode("enforces", enforce), mode("audits", audit), mode("warns", warn)];
    let labels = modes.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let labels = if labels.is_empty() { "has no Pod Security label".to_owned() } else { labels };
    let level = format!("{}:{}", judged.level, judged.version);
    let of = |workloads: usize, pods: usize| {
        format!("{} with {}", count(workloads, "workload"), count(pods, "pod"))
    };
    let all = of(*workloads, *pods);
    let refuses = if refused.is_empty() {
        format!("none of {all}.")
    } else {
        format!("{} of {all}:", of(refused.len(), refused.iter().map(|one| one.pods).sum()))
    };
    let mut out = String::new();
    let name = tone(Tone::Strong, Clean(name));
    let _ = wrapped(
        &mut out,
        "",
        0,
        &format!("Namespace {name} {labels}. {level} would refuse {refuses}"),
        width,
    );
    for Refused { kind, name, pods, violations } in refused {
        let reasons = violations
            .iter()
            .map(|violation| violation.reason.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        let name = format!("{}/{}", Clean(&kind.to_lowercase()), Clean(name));
        // Names may be long.
        let _ = wrapped(
            &mut out,
            "  ",
            4,
            &format!("{name} ({}): {}", count(*pods, "pod"), Clean(&reasons)),
            width,
        );
    }
    out
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::node::Runtime as ModelRuntime;

    fn node(name: &str, kubelet: &str) -> ModelNode {
        ModelNode {
            name: name.to_owned(),
            kubelet: kubelet.to_owned(),
            runtime: ModelRuntime::parse("containerd://2.4.2"),
            operating_system: "linux".to_owned(),
            os_image: "Debian GNU/Linux 12 (bookworm)".to_owned(),
            kernel: "6.18.0".to_owned(),
            ..ModelNode::default()
        }
    }

    #[test]
    fn nodes_that_are_alike_are_told_once() {
        let nodes = [node("a", "v1.37.2"), node("b", "v1.36.0"), node("c", "v1.37.2")];
        let report = Nodes::new(Vec::new(), &nodes, Vec::new());
        let text = text(&report, 200);
        assert_eq!(text.matches("user namespaces").count(), 2, "{text}");
        assert!(text.contains("a, c") && !text.contains("a, b"), "{text}");
    }

    #[test]
    fn what_is_not_known_is_null_and_fits_the_terminal() {
        let report = Nodes::new(Vec::new(), &[node("a", "v1.37.2")], Vec::new());
        let json = serde_json::to_value(&report).expect("JSON");
        assert!(json["nodes"][0]["unprivilegedPorts"]["value"].is_null());
        assert!(json["nodes"][0]["cgroupVersion"]["value"].is_null());
        assert_eq!(
            json["nodes"][0]["deviceOwnershipSetting"]["file"],
            "/etc/containerd/config.toml"
        );
        for width in [60, 80, 120] {
            let text = text(&report, width);
            let longest = text.lines().map(console::measure_text_width).max();
            assert!(longest.is_some_and(|longest| longest <= width), "{width}: {text}");
        }
    }

    #[test]
    fn a_hostile_name_stays_text() {
        let report = Nodes::new(Vec::new(), &[node("a\u{1b}[2J", "v1.37.2\u{7}")], Vec::new());
        let text = text(&report, 100);
        assert!(!text.contains("\u{1b}[2J") && !text.contains('\u{7}'), "{text:?}");
    }
}
