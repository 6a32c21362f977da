//! The page of each kind of obstacle: for `explain NAME`, for docs/obstacles.md and for the help of
//! reports.

use std::fmt::Write as _;

use crate::model::obstacle::Category;
use crate::remedy::REMEDIES;

/// What a person should know of one kind of obstacle.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    pub category: Category,
    pub title: &'static str,
    /// What happened, and why the kernel or the cluster refused it.
    pub meaning: &'static str,
    /// How to see it by hand, with what the container or the cluster has.
    pub check: &'static str,
    /// What people try that does not help; empty where nothing is known.
    pub useless: &'static str,
}

/// Every page, in the order of the JSON contract.
pub const PAGES: [Page; 19] = [
    Page {
        category: Category::UnwritablePath,
        title: "A path that the user may not write",
        meaning: "The program makes, opens or removes a file in a directory of another user, most often root's, and the \
                  mode bits leave this user out (EACCES). To make or remove an entry takes write and search permission \
                  on the directory; the file's own mode does not count for that.",
        check: "In the container: `id`, then `ls -ldn` for each directory on the way to the path. The first class that \
                applies decides: owner, else group, else others (path_resolution(7)).",
        useless: "An emptyDir over a directory with content hides the content. fsGroup does nothing for a path that is \
                  on no volume.",
    },
    Page {
        category: Category::PrivilegedPort,
        title: "A port below 1024",
        meaning: "Ports below `net.ipv4.ip_unprivileged_port_start` need CAP_NET_BIND_SERVICE in the user namespace of \
                  the pod's network (ip(7)). The setting is 1024 in a new network namespace; containerd from 2.0 on \
                  opens all ports by default, CRI-O does not.",
        check: "In the container: `cat /proc/sys/net/ipv4/ip_unprivileged_port_start`, and CapEff in \
                `/proc/1/status`.",
        useless: "`capabilities.add: [NET_BIND_SERVICE]` puts the capability into the bounding set only. A process of a \
                  user other than root gets it from nowhere, since Kubernetes has no ambient capabilities (KEP-2763), \
                  unless the program's file carries it.",
    },
    Page {
        category: Category::OwnershipChange,
        title: "A change of owner or mode",
        meaning: "Only root with CAP_CHOWN may give a file away (chown(2)), and only the owner may change its mode \
                  (chmod(2)). Entrypoints do both to prepare directories for the user that they will run as.",
        check: "`ls -ln` of the path against `id`. A chown to the present owner succeeds.",
        useless: "CHOWN in `capabilities.add`: the restricted level forbids it, and a user other than root would not \
                  get it.",
    },
    Page {
        category: Category::IdentitySwitch,
        title: "A change of user or groups",
        meaning: "setuid, setgid, setgroups and initgroups to another id need CAP_SETUID and CAP_SETGID. Servers and \
                  entrypoints (gosu, su-exec, setpriv) start as root and drop to their own user by them. setuid to \
                  oneself is allowed; setgroups never is without the capability.",
        check: "Uid, Gid and Groups in `/proc/1/status`, against the user that the arguments or the configuration name.",
        useless: "SETUID and SETGID in `capabilities.add`: the restricted level forbids them.",
    },
    Page {
        category: Category::ReadOnlyRootfs,
        title: "A read-only file system",
        meaning: "The path is on a file system that is mounted read-only (EROFS): the root file system under \
                  `readOnlyRootFilesystem: true`, or a ConfigMap, Secret or other read-only volume. Who runs does not \
                  matter.",
        check: "`/proc/self/mountinfo`: the mount with the longest prefix of the path, and its options.",
        useless: "Another user, fsGroup or chmod.",
    },
    Page {
        category: Category::RawSocket,
        title: "A raw socket",
        meaning: "Raw and packet sockets need CAP_NET_RAW (raw(7), packet(7)), which the restricted level forbids. ping \
                  can use the kernel's ICMP sockets instead, where `net.ipv4.ping_group_range` holds its group.",
        check: "In the container: `cat /proc/sys/net/ipv4/ping_group_range`.",
        useless: "NET_RAW in `capabilities.add`: forbidden from baseline on, and without effect for a user other than \
                  root.",
    },
    Page {
        category: Category::DeviceAccess,
        title: "A device",
        meaning: "A device is refused by its mode bits (EACCES), or by the device rules of the container's cgroup \
                  (EPERM). Device plugins and raw block volumes (volumeDevices) give the node's devices with the node's \
                  owners, unless the runtime is told to give them to the container's user. A hostPath to a device is a \
                  bind mount: its cgroup stays closed, to root as well.",
        check: "`ls -ln /dev/...` against `id`; `kubectl nonroot nodes` names the setting of the node's runtime.",
        useless: "fsGroup does nothing for devices and for raw block volumes.",
    },
    Page {
        category: Category::UnreadableFile,
        title: "A file that the user may not read",
        meaning: "A configuration, a key or a data directory is root's with a mode such as 0600, 0640 or 0700, and the \
                  image made no exception.",
        check: "`ls -ldn` of the file and of each directory above it. A group that may read it can be joined.",
        useless: "A copy by an init container: it runs as the same user and may not read it either.",
    },
    Page {
        category: Category::NotExecutable,
        title: "A program that cannot be executed",
        meaning: "execve(2) answers EACCES where the file has no x bit for this user or lies on a noexec mount, and \
                  EPERM where the file carries a capability that is not in the bounding set. (\"Exec format error\" is not \
                  one of these: another architecture, or a script without a #! line.)",
        check: "`ls -ln` and `getcap` of the file, and CapBnd in `/proc/1/status`.",
        useless: "Another user, for a file that carries a capability.",
    },
    Page {
        category: Category::MissingPasswdEntry,
        title: "A user without an entry in /etc/passwd",
        meaning: "The kernel needs no entry for a uid, but programs look themselves up: ssh, PostgreSQL's initdb, Python's \
                  getpass, Java's user.name. Without one HOME is / as well.",
        check: "`id` prints a name where there is an entry.",
        useless: "",
    },
    Page {
        category: Category::HomeUnwritable,
        title: "A home directory that cannot be written",
        meaning: "A uid without an entry in /etc/passwd has `HOME=/`, and the home of root is 0700: caches, settings and \
                  histories fail there.",
        check: "`echo $HOME` and `ls -ldn $HOME` in the container.",
        useless: "",
    },
    Page {
        category: Category::ImageRunsAsRoot,
        title: "runAsNonRoot, and an image that runs as root",
        meaning: "`runAsNonRoot: true` changes no user. The kubelet refuses to start a container whose image has no USER, \
                  or USER 0, unless `runAsUser` names another.",
        check: "`kubectl nonroot image IMAGE`, or the image's configuration.",
        useless: "",
    },
    Page {
        category: Category::NonNumericUser,
        title: "runAsNonRoot, and a USER that is a name",
        meaning: "The kubelet does not read the image's /etc/passwd, so it cannot tell whether a name is root, and refuses.",
        check: "`kubectl nonroot image IMAGE` tells the number.",
        useless: "",
    },
    Page {
        category: Category::PodSecurity,
        title: "Refused by an admission policy",
        meaning: "The namespace enforces a Pod Security level, or the cluster has OpenShift's security context \
                  constraints or another policy, and the pod asks for more than it allows. A Deployment is accepted \
                  all the same: its pods are not made, and only events say why.",
        check: "`kubectl nonroot scan TYPE/NAME` lists what each level forbids; `kubectl get events` shows FailedCreate.",
        useless: "",
    },
    Page {
        category: Category::VolumeOwnership,
        title: "A volume that belongs to another user",
        meaning: "A new volume is root's, or its files were written by root, or by another workload that shares the \
                  claim. The kubelet changes group and mode where fsGroup says so, never the owner: on emptyDir, keys, \
                  local volumes, and claims of a CSI driver whose fsGroupPolicy is File, or \
                  ReadWriteOnceWithFSType where the volume names an fsType and is ReadWriteOnce. On hostPath, on NFS and \
                  on block devices it changes nothing, whether a pod mounts them itself or by a claim. Keys of Secrets are \
                  root's; fsGroup opens those of mode 0600 to the group as well (0640).",
        check: "`ls -ldn` of the mount; `kubectl get pvc,pv`; `kubectl get csidriver -o yaml`: fsGroupPolicy.",
        useless: "fsGroup for a program that must own its directory, or that refuses one which a group may write. fsGroup on \
                  NFS whose server squashes root. Two pods with a fsGroup each on one claim: who starts first shuts the \
                  other out.",
    },
    Page {
        category: Category::Selinux,
        title: "Denied by SELinux",
        meaning: "The label of the process may not do this to the label of the file. Containers have categories of their \
                  own (s0:c208,c620), so that one pod's files are closed to another's, whatever the mode bits say. A thing \
                  whose type is not that of container files (container_file_t) is closed to all of them.",
        check: "`ausearch -m avc` on the node: scontext, the process, against tcontext, the thing. The third part is the \
                type, the rest the level; the process must have all of the thing's categories.",
        useless: "A uid or a mode. `setenforce 0`, privileged and spc_t give up the protection of the whole node.",
    },
    Page {
        category: Category::Seccomp,
        title: "Refused by a seccomp profile",
        meaning: "The container's seccomp profile answers this system call with EPERM or ENOSYS, or kills the process. \
                  RuntimeDefault refuses calls that ordinary programs do not need.",
        check: "Seccomp in `/proc/1/status` is 2; the kernel's log has type=1326 where the profile says so.",
        useless: "Unconfined: the restricted and the baseline level forbid it.",
    },
    Page {
        category: Category::CapabilityMissing,
        title: "A capability that only root has",
        meaning: "The call needs a capability of capabilities(7), such as SYS_CHROOT for chroot, IPC_LOCK for mlock beyond \
                  its limit, or SYS_NICE. A process of a user other than root starts with none.",
        check: "CapEff and CapBnd in `/proc/1/status`, decoded with `capsh --decode`.",
        useless: "`capabilities.add` for a user other than root whose program's file carries none.",
    },
    Page {
        category: Category::LostFunction,
        title: "Ready, and not the same as root",
        meaning: "A copy of the pod is Ready, and a copy as root beside it does more: it answers a request otherwise, \
                  passes a check, survives a reload or a second start. No text tells what was refused: many programs \
                  swallow their errors.",
        check: "The log and the log files of the copy at that time; `fix --trial --strace-image IMAGE` records the calls \
                that the kernel refuses.",
        useless: "A readiness probe: the pod is Ready already.",
    },
];

/// The page of one kind, as Markdown.
#[must_use]
pub fn page(category: Category) -> String {
    PAGES
        .iter()
        .find(|page| page.category == category)
        .map_or_else(String::new, |page| written(page, "#"))
}

/// All pages, as docs/obstacles.md has them.
#[must_use]
pub fn document() -> String {
    let mut out = String::from(
        "# Obstacles\n\nWhat stands between a container and running as non-root: each kind that `kubectl nonroot explain` \
         and `scan` name, and what removes it, lowest rung first. `kubectl nonroot explain NAME` prints one of these \
         pages. This file is made from the program's own text: `UPDATE=1 cargo test --test docs`.\n",
    );
    for page in &PAGES {
        out.push('\n');
        out.push_str(&written(page, "##"));
    }
    out
}

fn written(page: &Page, heading: &str) -> String {
    let Page { category, title, meaning, check, useless } = page;
    let mut out = format!("{heading} {category}\n\n**{title}.** {meaning}\n\nBy hand: {check}\n");
    if !useless.is_empty() {
        let _ = write!(out, "\nDoes not help: {useless}\n");
    }
    out.push_str("\nWhat removes it:\n\n");
    for remedy in REMEDIES.iter().filter(|remedy| remedy.removes.contains(category)) {
        let _ = writeln!(
            out,
            "- **{}** (`{}`, {}): {}",
            remedy.title, remedy.id, remedy.layer, remedy.explain
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_page_in_order() {
        assert_eq!(PAGES.map(|page| page.category), Category::ALL);
    }
}
