//! Whether `--user-namespace` can be had at all: asked before anything is planned.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodSpec;
use serde::Deserialize as _;

use super::targets::FixTarget;
use crate::evidence::cluster::Cluster;
use crate::model::node::Node;
use crate::model::user_namespace;
use crate::plan;

/// Why no user namespace is tried for a workload: its spec forbids it, or no node that it may run
/// on has it. `None` where it may work: the trial shows what is not known.
pub(super) async fn refused(cluster: Option<&Cluster>, target: &FixTarget) -> Option<String> {
    let spec = PodSpec::deserialize(plan::pod_spec(&target.object)?).ok()?;
    let forbidden = user_namespace::forbidden(&spec);
    if !forbidden.is_empty() {
        return Some(format!("no user namespace is tried: {}", forbidden.join("; ")));
    }
    let cluster = cluster?;
    let handler = match spec.runtime_class_name.as_deref().filter(|name| !name.is_empty()) {
        Some(class) => cluster.runtime_handler(class).await?,
        None => String::new(),
    };
    let nodes = cluster.nodes(&[], None).await.ok()?.value;
    unsupported(&nodes, &spec.node_selector.unwrap_or_default(), &handler)
}

/// Why none of the nodes that a selector leaves can, if all of them say so.
fn unsupported(
    nodes: &[Node],
    selector: &BTreeMap<String, String>,
    handler: &str,
) -> Option<String> {
    let eligible = nodes.iter().filter(|node| node.is_selected(selector));
    let told: Vec<_> = eligible.map(|node| (node, node.user_namespaces(handler))).collect();
    if told.iter().any(|(_, told)| told.value != Some(false)) {
        return None;
    }
    let (node, told) = told.first()?;
    Some(format!(
        "no user namespace is tried: no node that it may run on has them; {}: {}",
        node.name, told.reason
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::node::{Handler, Runtime};

    fn node(name: &str, kubelet: &str, user_namespaces: bool) -> Node {
        Node {
            name: name.to_owned(),
            labels: BTreeMap::from([("name".to_owned(), name.to_owned())]),
            kubelet: kubelet.to_owned(),
            runtime: Runtime::parse("containerd://1.7.0"),
            handlers: vec![Handler { name: String::new(), user_namespaces: Some(user_namespaces) }],
            ..Node::default()
        }
    }

    #[test]
    fn one_node_that_can_is_enough_and_the_selector_counts() {
        let nodes = [node("old", "v1.37.0", false), node("new", "v1.37.0", true)];
        assert_eq!(unsupported(&nodes, &BTreeMap::new(), ""), None);
        let only = |name: &str| BTreeMap::from([("name".to_owned(), name.to_owned())]);
        let refused = unsupported(&nodes, &only("old"), "").expect("a reason");
        assert!(refused.contains("old: containerd 1.7.0 cannot"), "{refused}");
        assert_eq!(unsupported(&nodes, &only("new"), ""), None);
        assert_eq!(
            unsupported(&nodes, &only("none"), ""),
            None,
            "the scheduler will say that there is none"
        );
    }
}
