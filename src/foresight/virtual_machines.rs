//! Virtual machines whose virt-launcher is root: why, and what holds them back.

use super::obstacle;
use crate::model::obstacle::{Category, Obstacle, Operation};
use crate::model::virtual_machine::{INSTANCE, Need, VirtualMachines};
use crate::model::workload::Workload;

/// The user of a virt-launcher that is not root (`NonRootUID` in KubeVirt's `pkg/util`).
const LAUNCHER: u32 = 107;

/// What stands between a virtual machine and a virt-launcher other than root, each with what
/// removes it: nobody but KubeVirt changes these pods. Nothing for a workload that is not one, or is
/// not root.
#[must_use]
pub fn virtual_machine(workload: &Workload, machines: &VirtualMachines) -> Vec<(Obstacle, String)> {
    let is_it = |namespace: &str, name: &str| {
        workload.kind == INSTANCE
            && workload.namespace.as_deref() == Some(namespace)
            && workload.name == name
    };
    let found =
        machines.instances.iter().find(|instance| is_it(&instance.namespace, &instance.name));
    let Some(instance) = found.filter(|instance| instance.is_root() == Some(true)) else {
        return Vec::new();
    };
    let source = format!("status.runtimeUser of VirtualMachineInstance {}", instance.name);
    let made = |operation, category, cause: String| {
        let obstacle = obstacle("compute", &source, operation, category, cause);
        Obstacle { program: Some("virt-launcher".to_owned()), fatal: false, ..obstacle }
    };
    let (why, remedy) = machines.configuration.as_ref().map_or_else(
        || {
            (
                "its KubeVirt object may not be read, which tells why".to_owned(),
                "ask who runs KubeVirt whether its feature gate Root is set; without it, restart the virtual machine or \
                 migrate it live"
                    .to_owned(),
            )
        },
        |configuration| configuration.decision(),
    );
    let cause = format!("its virt-launcher runs as root (runtimeUser 0): {why}");
    let mut obstacles =
        vec![(made(Operation::ImageUser, Category::ImageRunsAsRoot, cause), remedy)];
    obstacles.extend(instance.needs.iter().map(|need| {
        match need {
            Need::HostDisk(path) => {
                let cause = format!("its disk {path} is a file of the node, which virt-handler gives to uid {LAUNCHER}");
                let obstacle = made(Operation::Chown, Category::VolumeOwnership, cause);
                let remedy = "import the disk into a claim: baseline admits no volume of the node (hostPath)";
                (Obstacle { path: Some(path.clone()), ..obstacle }, remedy.to_owned())
            }
            Need::Virtiofs(name)
                if machines.configuration.as_ref().is_some_and(|one| one.virtiofs_needs_root()) =>
            {
                let cause = format!("its file system {name} is shared by virtiofs, which needs root before KubeVirt 0.58");
                (made(Operation::Mount, Category::VolumeOwnership, cause), "update KubeVirt".to_owned())
            }
            Need::Virtiofs(name) => {
                let cause = format!(
                    "its file system {name} is shared by virtiofs, which reads and writes as uid {LAUNCHER} what root wrote"
                );
                let remedy = format!(
                    "fsGroup {LAUNCHER} of the virt-launcher opens the claim; where fsGroup does nothing, change the owner \
                     of its files to {LAUNCHER} once"
                );
                (made(Operation::Chown, Category::VolumeOwnership, cause), remedy)
            }
            Need::Device(kind, name) => {
                let cause = format!("its {kind} {name} is a device of the node's root");
                let remedy = format!(
                    "nothing for VFIO: virt-handler gives /dev/vfio to uid {LAUNCHER}; of another device plugin, its device \
                     must be open to that uid"
                );
                (made(Operation::Device, Category::DeviceAccess, cause), remedy)
            }
        }
    }));
    obstacles
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::virtual_machine::{Instance, KubeVirtConfiguration};

    fn told(user: u64, version: &str) -> Vec<String> {
        let instance = Instance::of(&json!({
            "metadata": {"namespace": "n", "name": "vm"},
            "spec": {
                "domain": {"devices": {"filesystems": [{"name": "share", "virtiofs": {}}], "gpus": [{"name": "g"}]}},
                "volumes": [{"name": "d", "hostDisk": {"path": "/d.img"}}],
            },
            "status": {"runtimeUser": user},
        }));
        let configuration = KubeVirtConfiguration::of(&json!({
            "metadata": {"namespace": "kubevirt", "name": "kubevirt"},
            "spec": {"configuration": {"developerConfiguration": {"featureGates": ["Root"]}}},
            "status": {"observedKubeVirtVersion": version},
        }));
        let machines =
            VirtualMachines { instances: vec![instance], configuration: Some(configuration) };
        let workload = Workload {
            api_version: "kubevirt.io/v1".to_owned(),
            kind: INSTANCE.to_owned(),
            namespace: Some("n".to_owned()),
            name: "vm".to_owned(),
            source: None,
            pods: 1,
            metadata: Default::default(),
            annotations: Default::default(),
            spec: Default::default(),
            containers: Vec::new(),
            failures: Vec::new(),
        };
        let told = virtual_machine(&workload, &machines).into_iter();
        told.map(|(obstacle, remedy)| {
            format!("{} {} => {remedy}", obstacle.category, obstacle.cause)
        })
        .collect()
    }

    #[test]
    fn what_decides_and_what_holds_back() {
        let found = told(0, "v1.9.0");
        assert_eq!(found.len(), 4, "{found:#?}");
        assert!(
            found[0].starts_with(
                "image-runs-as-root its virt-launcher runs as root (runtimeUser 0): the feature gate Root"
            )
        );
        assert!(
            found[1].contains("/d.img")
                && found[2].contains("uid 107")
                && found[3].contains("GPU g")
        );
        assert!(told(0, "v0.57.0")[2].contains("before KubeVirt 0.58"));
        assert_eq!(told(107, "v1.9.0"), [""; 0]);
    }
}
