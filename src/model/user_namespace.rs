//! User namespaces of pods (KEP-127, `hostUsers: false`): when the kubelet has them, and what
//! forbids them. <https://kubernetes.io/docs/concepts/workloads/pods/user-namespaces/>

use k8s_openapi::api::core::v1::{PodSpec, Volume};

use super::answer::Answer;

/// Ids that a pod's user namespace maps: 0 to this, exclusive. The kubelet's default,
/// pkg/kubelet/userns.
const IDS: i64 = 65_536;

/// Whether a kubelet of v1.`minor` gives user namespaces, by the history of its gate
/// `UserNamespacesSupport` (pkg/features/kube_features.go): alpha 1.25, off until 1.33, locked from
/// 1.36 on. `set` is the gate's value where the kubelet's configuration names it.
#[must_use]
pub fn gate(minor: u32, set: Option<bool>) -> Answer {
    const GATE: &str = "the gate UserNamespacesSupport";
    match (minor, set) {
        (36.., _) => Answer::yes("kubelets from v1.36 on always do"),
        (25.., Some(true)) => Answer::yes(format!("{GATE} of its kubelet is on")),
        (25.., Some(false)) => Answer::no(format!("{GATE} of its kubelet is off")),
        (33.., None) => Answer::yes("kubelets from v1.33 on do by default"),
        (25.., None) => {
            Answer::unknown(format!("{GATE} of its kubelet is off before v1.33 unless it is set"))
        }
        _ => Answer::no(format!("its kubelet is v1.{minor}, and none before v1.25 can")),
    }
}

/// Why a pod of this spec may not have `hostUsers: false`, a sentence each. The first four are what
/// the API server refuses (pkg/apis/core/validation, validateHostUsers), the rest what the kubelet
/// or the runtime fails on.
#[must_use]
pub fn forbidden(spec: &PodSpec) -> Vec<String> {
    let mut reasons = Vec::new();
    for (field, shares) in
        [("hostNetwork", spec.host_network), ("hostPID", spec.host_pid), ("hostIPC", spec.host_ipc)]
    {
        if shares == Some(true) {
            reasons.push(format!(
                "{field} shares a namespace of the node, which the API server refuses beside hostUsers: false"
            ));
        }
    }
    let containers = || spec.init_containers.iter().flatten().chain(&spec.containers);
    for container in containers() {
        if let Some(device) = container.volume_devices.iter().flatten().next() {
            let path = &device.device_path;
            let name = &container.name;
            reasons.push(format!("container {name} has the block volume {path} (volumeDevices), which the API server refuses beside hostUsers: false"));
        }
    }
    reasons.extend(spec.volumes.iter().flatten().filter_map(unmappable));
    let of_pod = spec.security_context.iter().flat_map(|context| {
        [
            ("runAsUser", context.run_as_user),
            ("runAsGroup", context.run_as_group),
            ("fsGroup", context.fs_group),
        ]
        .into_iter()
        .chain(
            context
                .supplemental_groups
                .iter()
                .flatten()
                .map(|group| ("supplementalGroups", Some(*group))),
        )
    });
    let of_containers =
        containers().filter_map(|container| container.security_context.as_ref()).flat_map(
            |context| [("runAsUser", context.run_as_user), ("runAsGroup", context.run_as_group)],
        );
    for (field, id) in of_pod.chain(of_containers) {
        if let Some(id) = id.filter(|id| *id >= IDS) {
            reasons.push(format!(
                "{field} {id} is beyond the {IDS} ids that a pod's user namespace has"
            ));
        }
    }
    reasons
}

/// A volume whose file system cannot be mounted with mapped ids, which the kubelet asks for with
/// every volume (mount_setattr(2), MOUNT_ATTR_IDMAP). NFS cannot in any kernel so far, nor can SMB,
/// which Azure's files are.
fn unmappable(volume: &Volume) -> Option<String> {
    let kinds = [
        ("an NFS", volume.nfs.is_some()),
        ("an Azure Files (SMB)", volume.azure_file.is_some()),
        ("a GlusterFS", volume.glusterfs.is_some()),
        ("a Quobyte", volume.quobyte.is_some()),
    ];
    let (kind, _) = kinds.into_iter().find(|(_, is)| *is)?;
    Some(format!(
        "volume {} is {kind} volume, and that file system cannot be mounted with mapped ids",
        volume.name
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn reasons(spec: Value) -> Vec<String> {
        forbidden(&serde_json::from_value(spec).expect("a spec"))
    }

    #[test]
    fn the_gate_has_a_history() {
        let value = |minor, set| gate(minor, set).value;
        assert_eq!(
            [value(24, Some(true)), value(25, None), value(25, Some(true))],
            [Some(false), None, Some(true)]
        );
        assert_eq!(
            [value(32, None), value(33, None), value(33, Some(false))],
            [None, Some(true), Some(false)]
        );
        assert_eq!(value(36, Some(false)), Some(true), "it is locked");
    }

    #[test]
    fn an_ordinary_pod_may() {
        let volumes = json!([{"name": "a", "emptyDir": {}}, {"name": "b", "persistentVolumeClaim": {"claimName": "c"}},
            {"name": "d", "hostPath": {"path": "/srv"}}, {"name": "e", "secret": {"secretName": "s"}}]);
        let context = json!({"runAsUser": 0, "fsGroup": 65535, "supplementalGroups": [4]});
        let spec = json!({"containers": [{"name": "a"}], "volumes": volumes, "securityContext": context, "hostPID": false});
        assert_eq!(reasons(spec), Vec::<String>::new());
    }

    #[test]
    fn each_reason_is_told() {
        let found = reasons(json!({
            "hostNetwork": true, "hostPID": true, "hostIPC": true,
            "initContainers": [{"name": "init", "volumeDevices": [{"name": "disk", "devicePath": "/dev/xvda"}]}],
            "containers": [{"name": "a", "securityContext": {"runAsUser": 1_000_680_000}}],
            "volumes": [{"name": "share", "nfs": {"server": "s", "path": "/"}}],
            "securityContext": {"supplementalGroups": [70000]},
        }));
        let words = [
            "hostNetwork",
            "hostPID",
            "hostIPC",
            "/dev/xvda",
            "share",
            "supplementalGroups 70000",
            "runAsUser 1000680000",
        ];
        assert_eq!(found.len(), words.len(), "{found:#?}");
        for (reason, word) in found.iter().zip(words) {
            assert!(reason.contains(word), "{reason} has no {word}");
        }
    }
}
