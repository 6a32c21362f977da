//! Devices that a container is given: a user other than root may mostly not open them.
//!
//! Two things guard a device in a container, in this order (Linux, fs/namei.c, inode_permission):
//! the mode bits of its node, which answer EACCES, and the container's device cgroup, which answers
//! EPERM, to root as well. The runtime makes the node and opens the cgroup for the devices of the
//! CRI, which are block volumes and what device plugins give; both with the owner and mode that the
//! node has. It does neither for a hostPath volume, which is a plain bind mount. Devices
//! of a resource claim come by CDI, which gives them to the container's user by itself where the
//! driver names no owner (tags.cncf.io/container-device-interface, pkg/cdi, ContainerEdits.Apply).

use k8s_openapi::api::core::v1::{Container, PodSpec, Volume};

use super::obstacle;
use crate::model::obstacle::{Category, Errno, Obstacle, Operation};

/// Entries of /dev that are no devices, or that every container has by itself (runc,
/// libcontainer/specconv AllowedDevices).
const ORDINARY: [&str; 13] = [
    "shm",
    "mqueue",
    "hugepages",
    "log",
    "null",
    "zero",
    "full",
    "random",
    "urandom",
    "tty",
    "ptmx",
    "pts",
    "termination-log",
];

/// What stands in the way of each device of a pod's containers for a user other than root.
#[must_use]
pub fn obstacles(spec: &PodSpec) -> Vec<Obstacle> {
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    containers
        .filter(|container| !is_privileged(container))
        .flat_map(|container| of_container(container, spec))
        .collect()
}

/// Corrects what a text alone could not tell: a refused path at which the spec puts a device is a
/// device, wherever it lies and whatever its name. Takes the cause from the spec, which says more
/// than the text.
pub fn recognise(obstacles: &mut [Obstacle], spec: &PodSpec) {
    let given = self::obstacles(spec);
    for obstacle in obstacles {
        let same = |device: &&Obstacle| {
            device.container == obstacle.container
                && device.path.is_some()
                && device.path == obstacle.path
        };
        let Some(device) = given.iter().find(same) else { continue };
        (obstacle.operation, obstacle.category) = (Operation::Device, Category::DeviceAccess);
        obstacle.cause.clone_from(&device.cause);
    }
}

fn of_container(container: &Container, spec: &PodSpec) -> Vec<Obstacle> {
    let source = format!("spec of container {}", container.name);
    let device = |path: Option<&str>, errno, fatal, cause: String| Obstacle {
        path: path.map(str::to_owned),
        errno: Some(errno),
        fatal,
        ..obstacle(&container.name, &source, Operation::Device, Category::DeviceAccess, cause)
    };
    let blocks = container.volume_devices.iter().flatten().map(|block| {
        let path = &block.device_path;
        let cause = format!(
            "the block volume {} at {path} has the owner and mode that its device has on the node, which is root's and closed \
             to others",
            block.name
        );
        device(Some(path), Errno::Eacces, true, cause)
    });
    let mounts = container.volume_mounts.iter().flatten().filter_map(|mount| {
        let volume = spec.volumes.iter().flatten().find(|volume| volume.name == mount.name)?;
        let host = host_device(volume)?;
        let path = &mount.mount_path;
        let cause = format!(
            "{host} of the node is mounted at {path} (hostPath), and the container's device cgroup opens no such device to \
             anybody, root included"
        );
        Some(device(Some(path), Errno::Eperm, true, cause))
    });
    let limits = container.resources.iter().flat_map(|resources| resources.limits.iter().flatten());
    let plugins = limits.filter(|(name, _)| is_extended(name)).map(|(name, _)| {
        let cause = format!(
            "its devices of {name} have the owner and mode that they have on the node, and where these let only root in, no \
             other user may open them"
        );
        device(None, Errno::Eacces, false, cause)
    });
    let claims = container.resources.iter().flat_map(|resources| resources.claims.iter().flatten()).map(|claim| {
        let cause = format!(
            "the devices of its resource claim {} belong to whom its driver names (CDI), and where it names nobody to the \
             container's user",
            claim.name
        );
        device(None, Errno::Eacces, false, cause)
    });
    blocks.chain(mounts).chain(plugins).chain(claims).collect()
}

/// The device of the node, or the directory of devices, that a volume mounts.
fn host_device(volume: &Volume) -> Option<&str> {
    let host = volume.host_path.as_ref()?;
    match host.type_.as_deref() {
        Some("CharDevice" | "BlockDevice") => return Some(&host.path),
        Some("Socket") => return None,
        _ => {}
    }
    let below = host.path.trim_end_matches('/').strip_prefix("/dev")?;
    let first = below.trim_start_matches('/').split('/').next().unwrap_or_default();
    // /dev itself counts; /devices does not.
    let in_dev = below.is_empty() || below.starts_with('/');
    (in_dev && !ORDINARY.contains(&first)).then_some(host.path.as_str())
}

/// `nvidia.com/gpu` and its like (pkg/apis/core/helper, IsExtendedResourceName).
fn is_extended(name: &str) -> bool {
    let domain = name.split_once('/').map(|(domain, _)| domain);
    domain.is_some_and(|domain| {
        domain != "kubernetes.io"
            && !domain.ends_with(".kubernetes.io")
            && !domain.starts_with("requests.")
    })
}

fn is_privileged(container: &Container) -> bool {
    container.security_context.as_ref().is_some_and(|context| context.privileged == Some(true))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(value: Value) -> PodSpec {
        serde_json::from_value(value).expect("a spec")
    }

    fn found(value: Value) -> Vec<(Option<String>, Option<Errno>, bool)> {
        obstacles(&spec(value))
            .into_iter()
            .map(|obstacle| (obstacle.path, obstacle.errno, obstacle.fatal))
            .collect()
    }

    fn path(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn every_kind_of_device_is_seen() {
        let resources = json!({"limits": {"nvidia.com/gpu": "1", "cpu": "1", "hugepages-2Mi": "2Mi", "kubernetes.io/x": "1"},
            "claims": [{"name": "fpga"}]});
        let container = json!({"name": "a", "resources": resources,
            "volumeDevices": [{"name": "disk", "devicePath": "/data/disk"}],
            "volumeMounts": [{"name": "kvm", "mountPath": "/dev/kvm"}, {"name": "shm", "mountPath": "/dev/shm"}]});
        let volumes = json!([{"name": "kvm", "hostPath": {"path": "/dev/kvm"}}, {"name": "shm", "hostPath": {"path": "/dev/shm"}}]);
        let expected = [
            (path("/data/disk"), Some(Errno::Eacces), true),
            (path("/dev/kvm"), Some(Errno::Eperm), true),
            (None, Some(Errno::Eacces), false),
            (None, Some(Errno::Eacces), false),
        ];
        assert_eq!(found(json!({"containers": [container], "volumes": volumes})), expected);
    }

    #[test]
    fn a_privileged_container_and_what_is_no_device_are_left_alone() {
        let volumes = json!([{"name": "v", "hostPath": {"path": "/dev/sda"}}]);
        let mounts = json!([{"name": "v", "mountPath": "/dev/sda"}]);
        let privileged =
            json!({"name": "a", "securityContext": {"privileged": true}, "volumeMounts": mounts});
        assert_eq!(found(json!({"containers": [privileged], "volumes": volumes})), []);
        for host in ["/devices", "/var/dev/x", "/dev/log", "/dev/pts/0", "/dev/shm/x"] {
            let volumes = json!([{"name": "v", "hostPath": {"path": host}}]);
            assert_eq!(
                found(
                    json!({"containers": [{"name": "a", "volumeMounts": mounts}], "volumes": volumes})
                ),
                [],
                "{host}"
            );
        }
        for host in [
            json!({"path": "/dev"}),
            json!({"path": "/dev/dri/"}),
            json!({"path": "/dev/log", "type": "CharDevice"}),
        ] {
            let volumes = json!([{"name": "v", "hostPath": host}]);
            assert_eq!(
                found(json!({"containers": [{"name": "a", "volumeMounts": mounts}], "volumes": volumes})).len(),
                1,
                "{host}"
            );
        }
    }

    #[test]
    fn a_refused_path_at_which_a_device_is_put_is_a_device() {
        let spec = spec(
            json!({"containers": [{"name": "a", "volumeDevices": [{"name": "disk", "devicePath": "/data/disk"}]}]}),
        );
        let refused = |container: &str, path: &str| Obstacle {
            path: Some(path.to_owned()),
            errno: Some(Errno::Eacces),
            ..obstacle(
                container,
                "log",
                Operation::Open,
                Category::UnwritablePath,
                "it was refused".to_owned(),
            )
        };
        let mut obstacles =
            [refused("a", "/data/disk"), refused("a", "/data/other"), refused("b", "/data/disk")];
        recognise(&mut obstacles, &spec);
        let categories = obstacles.each_ref().map(|obstacle| obstacle.category);
        assert_eq!(
            categories,
            [Category::DeviceAccess, Category::UnwritablePath, Category::UnwritablePath]
        );
        assert!(obstacles[0].cause.contains("block volume disk"), "{}", obstacles[0].cause);
    }
}
