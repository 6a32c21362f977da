//! What only the node or its administrator can change.

use super::{Remedy, RemedyLayer};
use crate::model::detail::{Demand, Detail};
use crate::model::node::{DEVICE_OWNERSHIP_SETTINGS, Runtime, device_ownership_setting};
use crate::model::obstacle::{Category, Errno, Obstacle, Operation};
use crate::model::se_linux::Mismatch;

pub(super) const REMEDY: Remedy = Remedy {
    id: "node",
    layer: RemedyLayer::Node,
    title: "Change the node's configuration",
    explain: "Devices belong to the node: containerd and CRI-O give them to the container's user where \
              `device_ownership_from_security_context` is set (`kubectl nonroot nodes` names file and section); fsGroup \
              does nothing for them. A hostPath to a device stays closed: a device plugin opens the container's device \
              cgroup. SELinux types and seccomp profiles are the node's and the administrator's as well; a pod can ask \
              for a level or a profile that is there.",
    removes: &[
        Category::DeviceAccess,
        Category::Selinux,
        Category::Seccomp,
        Category::VolumeOwnership,
        Category::RawSocket,
    ],
    suggest,
    propose: None,
};

fn suggest(obstacle: &Obstacle) -> Option<String> {
    match obstacle.category {
        // A bind mount of a device is none of the runtime's: its cgroup is opened by nobody.
        Category::DeviceAccess if obstacle.errno == Some(Errno::Eperm) => Some(
            "let a device plugin or a DRA driver give the device to the container: it opens its device cgroup, which no hostPath does"
                .to_owned(),
        ),
        Category::DeviceAccess => {
            let [containerd, containerd_1, crio] = DEVICE_OWNERSHIP_SETTINGS;
            Some(format!(
                "on the node, set {containerd} ({} before containerd 2), or in {} of {} for CRI-O, and restart the runtime: \
                 devices then belong to runAsUser and runAsGroup; or join the device's group with supplementalGroups",
                containerd_1.section, crio.section, crio.file
            ))
        }
        Category::Selinux => labelled(obstacle),
        Category::Seccomp if obstacle.details.contains(&Detail::NewSystemCall) => Some(
            "update the runtime and libseccomp of the nodes: they answer EPERM to calls that they do not know; until then use an \
             image whose C library is as old as they are"
                .to_owned(),
        ),
        Category::Seccomp => {
            Some("use a seccompProfile of type Localhost that allows the call, installed on the nodes".to_owned())
        }
        Category::VolumeOwnership if obstacle.demand().is_some_and(|demand| demand != Demand::Owner) => None,
        Category::VolumeOwnership => match obstacle.operation {
            Operation::Chmod => Some(
                "copy the key in an init container into an emptyDir, where it is the user's own with mode 0600".to_owned(),
            ),
            Operation::Mount => Some("let one pod have the claim, or make it ReadWriteOnce or ReadWriteMany".to_owned()),
            Operation::Open => Some("or give the key a mode that others may read (defaultMode 0444)".to_owned()),
            _ if obstacle.demand().is_some() => Some(
                "change the owner of what a claim holds once: by a Job that may be root (kubectl nonroot fix -o ownership-job \
                 prints it), or on the server where NFS squashes root"
                    .to_owned(),
            ),
            _ => Some(
                "where fsGroup does nothing, run as the owner of the files, or change their owner once: by a Job that may \
                 be root (kubectl nonroot fix -o ownership-job prints it), on the server where NFS squashes root"
                    .to_owned(),
            ),
        },
        _ => None,
    }
}

/// The sentence for a device where the node's runtime is known: what is set, where, and that it is
/// asked of the runtime once. `None` where the runtime has no such setting, or where it would not
/// help.
#[must_use]
pub fn device_ownership(obstacle: &Obstacle, runtime: &Runtime) -> Option<String> {
    if obstacle.category != Category::DeviceAccess || obstacle.errno == Some(Errno::Eperm) {
        return None;
    }
    let setting = device_ownership_setting(runtime)?;
    Some(format!(
        "on its node, which runs {runtime}, set {setting} and restart the runtime: devices then belong to runAsUser and runAsGroup"
    ))
}

/// Types of objects that containers reach once a boolean of the policy is set (container-selinux,
/// container_selinux(8)).
const BOOLEANS: [(&str, &str); 6] = [
    ("nfs_t", "virt_use_nfs"),
    ("cifs_t", "virt_use_samba"),
    ("fusefs_t", "virt_use_fusefs"),
    ("cephfs_t", "container_use_cephfs"),
    ("device_t", "container_use_devices"),
    ("cgroup_t", "container_manage_cgroup"),
];

/// What the node's administrator does about a label.
fn labelled(obstacle: &Obstacle) -> Option<String> {
    let mismatch = obstacle.details.iter().find_map(|detail| match detail {
        Detail::Labels(mismatch) => Some(mismatch),
        _ => None,
    });
    match mismatch {
        // It is no file that could be labelled anew.
        Some(Mismatch::OtherProcess) => Some(
            "turn off what reads the /proc of other processes; what has to, as a monitor of the node, needs a policy of its own on \
             the nodes (udica writes one), which the pod names in seLinuxOptions.type"
                .to_owned(),
        ),
        Some(Mismatch::Type { object }) => Some(match BOOLEANS.iter().find(|(kind, _)| kind == object) {
            Some((_, boolean)) => format!("on the nodes, setsebool -P {boolean} on, which opens objects of that type to containers"),
            None => "on the node, give the directory the type of container files for good: semanage fcontext -a -t \
                     container_file_t 'DIR(/.*)?' and restorecon -R DIR; Podman and Docker do that with :z (for all containers) \
                     or :Z (for one)"
                .to_owned(),
        }),
        // The pod names its categories.
        Some(Mismatch::Categories) => None,
        None => Some("ausearch -m avc -ts recent on the node shows both labels, of the process and of the object".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::obstacle::Operation;

    fn device(errno: Errno) -> Obstacle {
        Obstacle {
            errno: Some(errno),
            path: Some("/dev/xvda".to_owned()),
            ..Obstacle::new(Operation::Device, Category::DeviceAccess)
        }
    }

    #[test]
    fn the_setting_is_named_where_it_helps() {
        let containerd = Runtime::parse("containerd://2.4.2");
        let told = device_ownership(&device(Errno::Eacces), &containerd).expect("a sentence");
        assert!(
            told.contains(
                "[plugins.'io.containerd.cri.v1.runtime'] of /etc/containerd/config.toml"
            ),
            "{told}"
        );
        assert_eq!(
            device_ownership(&device(Errno::Eperm), &containerd),
            None,
            "the device cgroup is closed"
        );
        assert_eq!(
            device_ownership(&device(Errno::Eacces), &Runtime::parse("docker://27.0")),
            None
        );
        // Without a version, what every runtime reads is named.
        assert_eq!(
            device_ownership(&device(Errno::Eacces), &Runtime::parse("containerd://Unknown")),
            None
        );
        let told = suggest(&device(Errno::Eacces)).expect("a sentence");
        for section in DEVICE_OWNERSHIP_SETTINGS.map(|setting| setting.section) {
            assert!(told.contains(section), "{told}");
        }
    }

    #[test]
    fn a_type_has_its_boolean_and_categories_are_the_pods() {
        let told = |mismatch: Mismatch| {
            labelled(&Obstacle {
                details: vec![Detail::Labels(mismatch)],
                ..Obstacle::new(Operation::Selinux, Category::Selinux)
            })
        };
        let of_type = |object: &str| Mismatch::Type { object: object.to_owned() };
        assert!(told(of_type("nfs_t")).is_some_and(|told| told.contains("virt_use_nfs")));
        assert!(told(of_type("var_t")).is_some_and(|told| told.contains("semanage fcontext")));
        let of_process = told(Mismatch::OtherProcess);
        assert!(of_process.is_some_and(|told| !told.contains("semanage")));
        assert_eq!(told(Mismatch::Categories), None);
    }
}
