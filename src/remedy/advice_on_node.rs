//! What only the node or its administrator can change.

use super::{Level, Remedy, no_edits};
use crate::model::obstacle::{Category, Obstacle};

pub(super) const REMEDY: Remedy = Remedy {
    id: "node",
    level: Level::Node,
    title: "Change the node's configuration",
    explain: "Devices belong to the node: containerd and CRI-O give them to the container's user where \
              `device_ownership_from_security_context` is set. SELinux labels and seccomp profiles are the node's and \
              the administrator's as well; a pod can ask for a level or a profile that is there.",
    removes: &[
        Category::DeviceAccess,
        Category::Selinux,
        Category::Seccomp,
        Category::VolumeOwnership,
        Category::RawSocket,
    ],
    suggest,
    propose: no_edits,
};

fn suggest(obstacle: &Obstacle) -> Option<String> {
    match obstacle.category {
        Category::DeviceAccess => Some(
            "set device_ownership_from_security_context in the configuration of the node's container runtime, or join \
             the device's group with supplementalGroups"
                .to_owned(),
        ),
        Category::Selinux => Some(
            "give the pods that share the volume one seLinuxOptions.level, or let the kubelet relabel the volume".to_owned(),
        ),
        Category::Seccomp => {
            Some("use a seccompProfile of type Localhost that allows the call, installed on the nodes".to_owned())
        }
        Category::VolumeOwnership => {
            Some("where fsGroup does nothing (hostPath, NFS with root squash), change the owner on the server or the node once".to_owned())
        }
        _ => None,
    }
}
