//! What a running container shows of itself.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::model::accounts::Accounts;
use crate::model::capability::FileCapabilities;
use crate::model::credentials::Credentials;
use crate::model::filesystem::{MountInfo, PathStat};

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
    pub changed: Vec<PathStat>,
    /// Directories that were given to another user than root since the container started.
    pub given: Vec<PathStat>,
    /// Empty directories in the working directory, itself among them.
    pub empty: Vec<String>,
    pub mounts: Vec<MountInfo>,
    /// /etc/passwd and /etc/group, as they stand there.
    pub accounts: Accounts,
}

impl Inside {
    /// Adds what another container of the same spec did: what it wrote and listened on.
    pub fn add(&mut self, other: &Inside) {
        for stat in &other.changed {
            if !self.changed.iter().any(|known| known.path == stat.path) {
                self.changed.push(stat.clone());
            }
        }
        for stat in &other.given {
            if !self.given.iter().any(|known| known.path == stat.path) {
                self.given.push(stat.clone());
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
    pub credentials: Credentials,
    /// 0 no filter, 1 strict, 2 filter.
    pub seccomp: u8,
    /// Its file is set-user-ID root: whoever executes it becomes root, unless no_new_privs is set
    /// (execve(2)).
    pub is_set_user_id: bool,
    /// The label of a security module, SELinux or AppArmor, where one is active.
    pub label: Option<String>,
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

/// What decides over access in a container, as a process that exec starts there finds it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessContext {
    /// The process itself: the container's user, with what the runtime grants.
    pub own: Option<Credentials>,
    /// The container's first process, unless the pod's containers share their processes.
    pub first: Option<Credentials>,
    pub mounts: Vec<MountInfo>,
    pub accounts: Accounts,
    /// `net.ipv4.ip_unprivileged_port_start`.
    pub unprivileged_port_start: Option<u16>,
    /// Of the files that were asked for; one is missing where the container has no means to tell.
    pub file_capabilities: BTreeMap<String, Option<FileCapabilities>>,
}

/// What a search in a container brought back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchHits {
    /// Configuration lines: file and line.
    pub directives: Vec<(String, String)>,
    /// Files that hold a database.
    pub databases: Vec<String>,
}
