//! What a running container shows of itself.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::model::accounts::Accounts;
use crate::model::capability::{Credentials, FileCapabilities};

/// Everything that one look into a running container brought back. Lists are bounded by the reader.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inside {
    /// PATH, as a shell that is started in it has it.
    pub search_path: Option<String>,
    /// The working directory: the spec's, else the image's WORKDIR.
    pub directory: Option<String>,
    pub processes: Vec<Process>,
    pub listeners: Vec<Listener>,
    /// Files that a process holds open for writing, as /proc names them.
    pub open_for_writing: Vec<OpenFile>,
    /// What was created or modified since the container started, on its root file system and in
    /// volumes of its image.
    pub changed: Vec<Inode>,
    pub mounts: Vec<Mount>,
    /// /etc/passwd and /etc/group, as they stand there.
    pub accounts: Accounts,
}

impl Inside {
    /// Adds what another container of the same spec did: what it wrote and listened on.
    pub fn add(&mut self, other: &Inside) {
        for inode in &other.changed {
            if !self.changed.iter().any(|known| known.path == inode.path) {
                self.changed.push(inode.clone());
            }
        }
        for open in &other.open_for_writing {
            if !self.open_for_writing.iter().any(|known| known.path == open.path) {
                self.open_for_writing.push(open.clone());
            }
        }
        for listener in &other.listeners {
            if !self.listeners.iter().any(|known| known.port() == listener.port()) {
                self.listeners.push(listener.clone());
            }
        }
    }
}

/// A process, by proc_pid_status(5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    pub parent: u32,
    /// The command's name, at most 15 bytes.
    pub name: String,
    /// Its arguments. They can hold secrets: read them, never show them.
    pub arguments: Vec<String>,
    pub uid: Ids,
    pub gid: Ids,
    pub groups: Vec<u32>,
    pub capabilities: CapabilityMasks,
    pub no_new_privs: bool,
    /// 0 no filter, 1 strict, 2 filter.
    pub seccomp: u8,
    /// The label of a security module, SELinux or AppArmor, where one is active.
    pub label: Option<String>,
}

/// The four ids of credentials(7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ids {
    pub real: u32,
    pub effective: u32,
    pub saved: u32,
    pub filesystem: u32,
}

/// The five sets of capabilities(7), a bit each by linux/capability.h.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CapabilityMasks {
    pub inheritable: u64,
    pub permitted: u64,
    pub effective: u64,
    pub bounding: u64,
    pub ambient: u64,
}

/// A socket that waits for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listener {
    Tcp { address: IpAddr, port: u16, process: Option<u32> },
    Udp { address: IpAddr, port: u16, process: Option<u32> },
    Unix { path: String, process: Option<u32> },
}

impl Listener {
    /// The port of a TCP or UDP socket.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match self {
            Listener::Tcp { port, .. } | Listener::Udp { port, .. } => Some(*port),
            Listener::Unix { .. } => None,
        }
    }
}

/// A file that a process may write through an open descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFile {
    pub process: u32,
    pub path: String,
}

/// What stat(2) says of a path, symbolic links not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inode {
    pub path: String,
    /// Type and permission bits, as `st_mode` has them.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Where a symbolic link leads, as it is written there.
    pub target: Option<String>,
}

impl Inode {
    const S_IFMT: u32 = 0o170_000;

    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.mode & Self::S_IFMT == 0o040_000
    }

    #[must_use]
    pub fn is_file(&self) -> bool {
        self.mode & Self::S_IFMT == 0o100_000
    }

    #[must_use]
    pub fn is_symlink(&self) -> bool {
        self.mode & Self::S_IFMT == 0o120_000
    }
}

/// A line of /proc/PID/mountinfo (proc_pid_mountinfo(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    pub point: String,
    /// What of the mounted file system is the mount's root.
    pub root: String,
    pub fs_type: String,
    pub source: String,
    pub read_only: bool,
    pub noexec: bool,
    pub nosuid: bool,
}

/// What decides over access in a container, as a process that exec starts there finds it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The process itself: the container's user, with what the runtime grants.
    pub own: Option<Credentials>,
    /// The container's first process, unless the pod's containers share their processes.
    pub first: Option<Credentials>,
    pub mounts: Vec<Mount>,
    pub accounts: Accounts,
    /// `net.ipv4.ip_unprivileged_port_start`.
    pub unprivileged_port_start: Option<u16>,
    /// Of the files that were asked for; one is missing where the container has no means to tell.
    pub file_capabilities: BTreeMap<String, Option<FileCapabilities>>,
}

/// What a look at some paths brought back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// Every step from the root to each path that was asked for, and the entries of those that are
    /// directories.
    pub inodes: Vec<Inode>,
}

/// What a search brought back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Configuration lines: file and line.
    pub directives: Vec<(String, String)>,
    /// Files that hold a database.
    pub databases: Vec<String>,
}
