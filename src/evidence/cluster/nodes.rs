//! What the API server and the kubelets say of the nodes.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt as _};
use k8s_openapi::api::core::v1::Node as ApiNode;
use k8s_openapi::api::node::v1::RuntimeClass;
use kube::api::ListParams;
use kube::core::Request;
use serde::Deserialize;

use super::list::Encoding;
use super::{ApiFailure, Cluster};
use crate::error::{Error, Partial};
use crate::model::node::{Handler, KubeletConfiguration, Node, Runtime};

/// Nodes whose kubelets are asked side by side.
const MAX_CONCURRENT_REQUESTS: usize = 8;

/// The kubelet's answer at /configz, as far as it matters here.
#[derive(Debug, Clone, Deserialize)]
struct Configz {
    kubeletconfig: KubeletConfig,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KubeletConfig {
    #[serde(default)]
    feature_gates: BTreeMap<String, bool>,
    #[serde(default)]
    seccomp_default: bool,
}

impl Cluster {
    /// The nodes that `names` names, else those that a label selector selects, all where there is
    /// neither, with what their kubelets tell through the API server (`nodes/proxy`). What may
    /// not be read is an error beside the rest.
    ///
    /// # Errors
    /// The nodes cannot be read, or one that is named is not there.
    pub async fn nodes(
        &self,
        names: &[String],
        labels: Option<&str>,
    ) -> Result<Partial<Vec<Node>>, Error> {
        let mut nodes = Vec::new();
        if names.is_empty() {
            let params =
                ListParams { label_selector: labels.map(str::to_owned), ..ListParams::default() };
            let take = |found: ApiNode| nodes.push(node(found));
            self.list("/api/v1/nodes", &params, "list nodes", &Encoding::JSON, take)
                .await
                .map_err(|refusal| refusal.error)?;
        }
        for name in names {
            nodes.push(self.bare_node(name).await.map_err(|refusal| {
                match refusal.code {
                    Some(404) => Error::input(format!("show node {name}"), "there is none")
                        .help("see kubectl get nodes"),
                    _ => refusal.error,
                }
            })?);
        }
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        let asked = nodes.iter().map(|node| self.kubelet(&node.name));
        let answers: Vec<_> = stream::iter(asked).buffered(MAX_CONCURRENT_REQUESTS).collect().await;
        let (mut errors, mut closed) = (Vec::new(), 0);
        for (node, (configuration, cgroup)) in nodes.iter_mut().zip(answers) {
            node.cgroup = cgroup;
            match configuration {
                Ok(configuration) => node.configuration = Some(configuration),
                Err(refusal) if refusal.is_forbidden() => closed += 1,
                Err(refusal) => errors.push(refusal.error),
            }
        }
        if closed > 0 {
            let of = if closed == 1 { "one node".to_owned() } else { format!("{closed} nodes") };
            let why = "your permissions do not reach nodes/proxy";
            errors.push(Error::remote(format!("read the kubelet's configuration of {of}"), why));
        }
        Ok(Partial { value: nodes, errors })
    }

    /// One node, with its kubelet's configuration where that may be read.
    ///
    /// # Errors
    /// It is not there, no permission, no answer.
    pub async fn node(&self, name: &str) -> Result<Node, ApiFailure> {
        let mut node = self.bare_node(name).await?;
        node.configuration = self.configuration(name).await.ok();
        Ok(node)
    }

    /// A node as the API server has it, without what only its kubelet tells.
    async fn bare_node(&self, name: &str) -> Result<Node, ApiFailure> {
        let found =
            self.get(&format!("/api/v1/nodes/{name}"), &format!("read node {name}")).await?;
        Ok(node(found))
    }

    /// What a kubelet tells of its configuration.
    async fn configuration(&self, node: &str) -> Result<KubeletConfiguration, ApiFailure> {
        let path = format!("/api/v1/nodes/{node}/proxy/configz");
        let what = format!("read the kubelet's configuration of node {node}");
        let Configz { kubeletconfig } = self.get(&path, &what).await?;
        Ok(KubeletConfiguration {
            feature_gates: kubeletconfig.feature_gates,
            seccomp_default: kubeletconfig.seccomp_default,
        })
    }

    /// The runtime handler of a RuntimeClass; `None` where it may not be read or is not there.
    pub async fn runtime_handler(&self, class: &str) -> Option<String> {
        let path = format!("/apis/node.k8s.io/v1/runtimeclasses/{class}");
        let found: RuntimeClass =
            self.get(&path, &format!("read RuntimeClass {class}")).await.ok()?;
        Some(found.handler)
    }

    /// What a kubelet tells of its configuration and of its control groups.
    async fn kubelet(&self, node: &str) -> (Result<KubeletConfiguration, ApiFailure>, Option<u8>) {
        let configuration = self.configuration(node).await;
        if configuration.is_err() {
            return (configuration, None);
        }
        let metrics = Request::new(format!("/api/v1/nodes/{node}/proxy/metrics"))
            .list(&ListParams::default());
        let cgroup = match metrics {
            Ok(request) => {
                self.client.request_text(request).await.ok().and_then(|text| cgroup_version(&text))
            }
            Err(_) => None,
        };
        (configuration, cgroup)
    }
}

/// The gauge `kubelet_cgroup_version` (kubelets from v1.31 on).
fn cgroup_version(metrics: &str) -> Option<u8> {
    let line = metrics.lines().find_map(|line| line.strip_prefix("kubelet_cgroup_version "))?;
    line.trim().parse().ok().filter(|version| matches!(version, 1 | 2))
}

fn node(node: ApiNode) -> Node {
    let status = node.status.unwrap_or_default();
    let info = status.node_info.unwrap_or_default();
    let handlers = status.runtime_handlers.into_iter().flatten().map(|handler| Handler {
        name: handler.name.unwrap_or_default(),
        user_namespaces: handler.features.and_then(|features| features.user_namespaces),
    });
    let messages =
        status.conditions.into_iter().flatten().filter(|condition| condition.type_ == "Ready");
    Node {
        name: node.metadata.name.unwrap_or_default(),
        labels: node.metadata.labels.unwrap_or_default(),
        operating_system: info.operating_system,
        architecture: info.architecture,
        os_image: info.os_image,
        kernel: info.kernel_version,
        kubelet: info.kubelet_version,
        runtime: Runtime::parse(&info.container_runtime_version),
        handlers: handlers.collect(),
        configuration: None,
        says_app_armor: messages
            .filter_map(|ready| ready.message)
            .any(|message| message.contains("AppArmor enabled")),
        cgroup: None,
        probed: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_is_read_as_its_kubelet_reports_it() {
        let reported = json!({
            "metadata": {"name": "n1", "labels": {"zone": "a"}},
            "status": {
                "conditions": [{"type": "Ready", "status": "True", "message": "kubelet is posting ready status. AppArmor enabled"}],
                "nodeInfo": {"machineID": "", "systemUUID": "", "bootID": "", "kernelVersion": "6.18.0", "osImage": "Debian",
                    "containerRuntimeVersion": "containerd://2.4.2", "kubeletVersion": "v1.37.2", "kubeProxyVersion": "",
                    "operatingSystem": "linux", "architecture": "amd64"},
                "runtimeHandlers": [{"name": "", "features": {"userNamespaces": true}}, {"name": "gvisor"}],
            },
        });
        let node = node(serde_json::from_value(reported).expect("a node"));
        assert_eq!(
            (node.name.as_str(), node.runtime.to_string().as_str()),
            ("n1", "containerd 2.4.2")
        );
        assert!(node.says_app_armor);
        assert_eq!(node.handlers[0].user_namespaces, Some(true));
        assert_eq!(node.handlers[1].user_namespaces, None);
    }

    #[test]
    fn a_kubelet_tells_its_gates_and_its_control_groups() {
        let text = r#"{"kubeletconfig": {"seccompDefault": true, "featureGates": {"UserNamespacesSupport": false}, "maxPods": 110}}"#;
        let read: Configz = serde_json::from_str(text).expect("a configuration");
        assert!(
            read.kubeletconfig.seccomp_default
                && !read.kubeletconfig.feature_gates["UserNamespacesSupport"]
        );
        assert_eq!(cgroup_version("# HELP x\nkubelet_cgroup_version 2\nother 1\n"), Some(2));
        assert_eq!(
            [
                cgroup_version(""),
                cgroup_version("kubelet_cgroup_version 7"),
                cgroup_version("kubelet_cgroup_version_x 1")
            ],
            [None; 3]
        );
    }
}
