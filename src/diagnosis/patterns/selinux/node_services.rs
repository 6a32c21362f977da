//! Services of a node. What SELinux denies to them is no container's failure.

/// Regular expressions for the names of their programs: the units of Fedora CoreOS and of Red Hat
/// Enterprise Linux that a node of Kubernetes or OpenShift has.
pub(super) const NAMES: &[&str] = &[
    r"systemd[\w-]*",
    "sshd",
    "chronyd",
    "NetworkManager",
    "polkitd",
    r"abrt\S*",
    "rsyslogd",
    "logrotate",
    "firewalld",
    "auditd",
    r"dbus-\S+",
    r"gdm\S*",
    "kubelet",
    "crio",
    "containerd",
    "dockerd",
    "runc",
    "conmon",
];
