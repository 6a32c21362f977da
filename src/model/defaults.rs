//! What the API server fills into a pod before anything is judged (k8s.io/kubernetes,
//! pkg/apis/core/v1/defaults.go), as far as a verdict depends on it.

use k8s_openapi::api::core::v1::{Container, EmptyDirVolumeSource, PodSpec, Volume};

/// Completes a pod, or the pod that a template makes.
pub fn pod(spec: &mut PodSpec) {
    for volume in spec.volumes.iter_mut().flatten().filter(|volume| has_no_source(volume)) {
        volume.empty_dir = Some(EmptyDirVolumeSource::default());
    }
    host_network_ports(spec);
}

/// The host ports of a pod in the node's network.
pub fn host_network_ports(spec: &mut PodSpec) {
    if spec.host_network == Some(true) {
        spec.init_containers.iter_mut().flatten().chain(&mut spec.containers).for_each(host_ports);
    }
}

/// `SetDefaults_Volume`: no source of any kind.
fn has_no_source(volume: &Volume) -> bool {
    *volume == Volume { name: volume.name.clone(), ..Volume::default() }
}

/// `defaultHostNetworkPorts`: what listens in the node's network listens on the node's ports.
fn host_ports(container: &mut Container) {
    for port in container.ports.iter_mut().flatten() {
        if port.host_port.unwrap_or_default() == 0 {
            port.host_port = Some(port.container_port);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn completed(spec: Value) -> Value {
        let mut spec: PodSpec = serde_json::from_value(spec).expect("a pod spec");
        pod(&mut spec);
        serde_json::to_value(spec).expect("JSON")
    }

    #[test]
    fn a_volume_without_a_source_is_an_empty_dir() {
        let volumes = json!([{"name": "a"}, {"name": "b", "emptyDir": null}, {"name": "c", "nfs": {"path": "/", "server": "s"}}, {"name": "d", "emptyDir": {"medium": "Memory"}}]);
        let expected = json!([{"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {}}, {"name": "c", "nfs": {"path": "/", "server": "s"}}, {"name": "d", "emptyDir": {"medium": "Memory"}}]);
        assert_eq!(completed(json!({"containers": [], "volumes": volumes}))["volumes"], expected);
    }

    #[test]
    fn ports_in_the_nodes_network_are_the_nodes() {
        let spec = |host_network: bool| {
            json!({"hostNetwork": host_network,
                "initContainers": [{"name": "i", "ports": [{"containerPort": 1, "hostPort": 2}]}],
                "containers": [{"name": "c", "ports": [{"containerPort": 3}, {"containerPort": 4, "hostPort": 0}]}]})
        };
        let ports = |spec: Value| {
            let completed = completed(spec);
            [("initContainers", 0), ("containers", 0), ("containers", 1)]
                .map(|(list, at)| completed[list][0]["ports"][at]["hostPort"].clone())
        };
        assert_eq!(ports(spec(true)), [2, 3, 4]);
        assert_eq!(ports(spec(false)), [json!(2), Value::Null, json!(0)]);
    }
}
