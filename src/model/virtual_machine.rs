//! What KubeVirt says of its virtual machines, where it is there: which user their virt-launchers run as,
//! and why.

use serde_json::Value;

/// The API group of KubeVirt.
pub const GROUP: &str = "kubevirt.io";

/// The kind whose controller makes virt-launcher pods.
pub const INSTANCE: &str = "VirtualMachineInstance";

/// The annotation by which versions before 0.52 marked an instance
/// (`DeprecatedNonRootVMIAnnotation` in KubeVirt's `api/core/v1/types.go`). It still counts:
/// `IsNonRoot` in its `pkg/vmitrait`.
const NON_ROOT: &str = "kubevirt.io/nonroot";

/// The version from which on a virt-launcher is not root unless the feature gate Root is set
/// (kubevirt/kubevirt pull request 8563); before it was root unless NonRoot, or
/// NonRootExperimental, was.
const NON_ROOT_BY_DEFAULT: (u32, u32) = (0, 59);

/// The version from which on virtiofs works in a virt-launcher that is not root (`CanBeNonRoot` in
/// KubeVirt's `pkg/util` until then).
const VIRTIOFS: (u32, u32) = (0, 58);

/// A VirtualMachineInstance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    pub namespace: String,
    pub name: String,
    /// `status.runtimeUser`: 0 or 107; `None` where it has no status yet.
    pub runtime_user: Option<u64>,
    pub is_annotated: bool,
    /// What it has that a virt-launcher other than root needs help with.
    pub needs: Vec<Need>,
}

/// A part of an instance that has an owner of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// A disk image on the node, by its path.
    HostDisk(String),
    /// A file system that the guest mounts by virtiofs, by its name.
    Virtiofs(String),
    /// A device that is passed through (VFIO): a host device, a GPU, an SR-IOV interface, by its
    /// name.
    Device(&'static str, String),
}

/// The configuration of KubeVirt itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KubeVirtConfiguration {
    /// `kubevirt/kubevirt`: namespace and name of its KubeVirt object.
    pub object: String,
    /// Major and minor version, from `status.observedKubeVirtVersion`.
    pub version: Option<(u32, u32)>,
    pub gates: Vec<String>,
}

/// The virtual machines of some namespaces, and the configuration that decides over them where it
/// may be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VirtualMachines {
    pub instances: Vec<Instance>,
    pub configuration: Option<KubeVirtConfiguration>,
}

impl Instance {
    /// Reads one as the API gives it; what is missing is nothing.
    #[must_use]
    pub fn of(object: &Value) -> Instance {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let devices = &object["spec"]["domain"]["devices"];
        let list = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
        let mut needs = Vec::new();
        for volume in list(&object["spec"]["volumes"]) {
            if volume["hostDisk"].is_object() {
                needs.push(Need::HostDisk(text(&volume["hostDisk"]["path"])));
            }
        }
        let virtiofs =
            list(&devices["filesystems"]).into_iter().filter(|one| one["virtiofs"].is_object());
        needs.extend(virtiofs.map(|one| Need::Virtiofs(text(&one["name"]))));
        let host = list(&devices["hostDevices"])
            .into_iter()
            .map(|one| Need::Device("host device", text(&one["name"])));
        let gpus =
            list(&devices["gpus"]).into_iter().map(|one| Need::Device("GPU", text(&one["name"])));
        let sriov = list(&devices["interfaces"]).into_iter().filter(|one| one["sriov"].is_object());
        let sriov = sriov.map(|one| Need::Device("SR-IOV interface", text(&one["name"])));
        needs.extend(host.chain(gpus).chain(sriov));
        Instance {
            namespace: text(&object["metadata"]["namespace"]),
            name: text(&object["metadata"]["name"]),
            // The field has no omitempty: a status without it is not KubeVirt's.
            runtime_user: object["status"]["runtimeUser"].as_u64(),
            is_annotated: object["metadata"]["annotations"][NON_ROOT].is_string(),
            needs,
        }
    }

    /// Whether its virt-launcher is root, as KubeVirt itself decides it (`IsNonRoot` in its
    /// `pkg/vmitrait`).
    #[must_use]
    pub fn is_root(&self) -> Option<bool> {
        if self.is_annotated { Some(false) } else { self.runtime_user.map(|user| user == 0) }
    }
}

impl KubeVirtConfiguration {
    /// Reads a KubeVirt object.
    #[must_use]
    pub fn of(object: &Value) -> KubeVirtConfiguration {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let gates = object
            .pointer("/spec/configuration/developerConfiguration/featureGates")
            .and_then(Value::as_array);
        KubeVirtConfiguration {
            object: format!(
                "{}/{}",
                text(&object["metadata"]["namespace"]),
                text(&object["metadata"]["name"])
            ),
            version: version(
                object["status"]["observedKubeVirtVersion"].as_str().unwrap_or_default(),
            ),
            gates: gates
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        }
    }

    fn has(&self, gate: &str) -> bool {
        self.gates.iter().any(|known| known == gate)
    }

    /// Why an instance is root, and what makes it another user: two sentences.
    #[must_use]
    pub fn decision(&self) -> (String, String) {
        let object = &self.object;
        let restart = "then restart the virtual machine or migrate it live";
        if self.has("Root") {
            return (
                format!(
                    "the feature gate Root of KubeVirt {object} makes every virt-launcher root"
                ),
                format!("take the feature gate Root out of KubeVirt {object}, {restart}"),
            );
        }
        let is_old = self.version.is_some_and(|version| version < NON_ROOT_BY_DEFAULT);
        if is_old && !self.has("NonRoot") && !self.has("NonRootExperimental") {
            let gate =
                if self.version >= Some(VIRTIOFS) { "NonRoot" } else { "NonRootExperimental" };
            return (
                format!(
                    "KubeVirt {object} is older than 0.59, where every virt-launcher is root without a feature gate"
                ),
                format!(
                    "set the feature gate {gate} of KubeVirt {object}, or update it, {restart}"
                ),
            );
        }
        (
            format!(
                "it was started when KubeVirt {object} was configured otherwise: new virt-launchers are not root"
            ),
            "restart the virtual machine or migrate it live".to_owned(),
        )
    }

    /// Whether virtiofs needs root.
    #[must_use]
    pub fn virtiofs_needs_root(&self) -> bool {
        self.version.is_some_and(|version| version < VIRTIOFS)
    }
}

/// `v1.9.0` or `0.58.1-rc.0`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_instance_is_read_as_kubevirt_reads_it() {
        let object = json!({
            "metadata": {"namespace": "n", "name": "vm"},
            "spec": {
                "domain": {"devices": {
                    "filesystems": [{"name": "share", "virtiofs": {}}],
                    "gpus": [{"name": "gpu", "deviceName": "nvidia.com/x"}],
                    "hostDevices": [{"name": "usb", "deviceName": "v.com/x"}],
                    "interfaces": [{"name": "default", "masquerade": {}}, {"name": "fast", "sriov": {}}],
                }},
                "volumes": [{"name": "disk", "hostDisk": {"path": "/data/disk.img", "type": "Disk"}}, {"name": "root", "containerDisk": {"image": "x"}}],
            },
            "status": {"runtimeUser": 0},
        });
        let found = Instance::of(&object);
        assert_eq!(
            found.needs,
            [
                Need::HostDisk("/data/disk.img".to_owned()),
                Need::Virtiofs("share".to_owned()),
                Need::Device("host device", "usb".to_owned()),
                Need::Device("GPU", "gpu".to_owned()),
                Need::Device("SR-IOV interface", "fast".to_owned()),
            ]
        );
        assert_eq!(found.is_root(), Some(true));
        let of = |more: Value| Instance::of(&more).is_root();
        assert_eq!(of(json!({"status": {"runtimeUser": 107}})), Some(false));
        assert_eq!(
            of(
                json!({"metadata": {"annotations": {"kubevirt.io/nonroot": "true"}}, "status": {"runtimeUser": 0}})
            ),
            Some(false)
        );
        assert_eq!(of(json!({})), None);
    }

    #[test]
    fn gate_and_version_decide() {
        let configuration = |version: &str, gates: Value| {
            KubeVirtConfiguration::of(&json!({
                "metadata": {"namespace": "kubevirt", "name": "kubevirt"},
                "spec": {"configuration": {"developerConfiguration": {"featureGates": gates}}},
                "status": {"observedKubeVirtVersion": version},
            }))
        };
        for (version, gates, why, remedy) in [
            (
                "v1.9.0",
                json!(["Root"]),
                "gate Root of KubeVirt kubevirt/kubevirt",
                "take the feature gate Root out",
            ),
            ("v0.58.0", json!([]), "older than 0.59", "gate NonRoot of"),
            ("v0.51.0", Value::Null, "older than 0.59", "gate NonRootExperimental of"),
            ("v0.58.0", json!(["NonRoot"]), "configured otherwise", "restart"),
            ("v1.0.0", json!([]), "configured otherwise", "migrate it live"),
            ("", json!([]), "configured otherwise", "restart"),
        ] {
            let found = configuration(version, gates).decision();
            assert!(found.0.contains(why) && found.1.contains(remedy), "{version}: {found:?}");
        }
        assert!(configuration("v0.57.1", json!([])).virtiofs_needs_root());
        assert!(!configuration("v0.58.0", json!([])).virtiofs_needs_root());
    }
}
