//! One thing that stands between a container and running as non-root.

use std::fmt;

use crate::model::detail::{Demand, Detail};
use crate::model::launcher::Launcher;

/// What the program, the runtime or the API server attempted when it was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    Mkdir,
    Open,
    Create,
    Bind,
    Chown,
    Chmod,
    Setuid,
    Setgid,
    Setgroups,
    Exec,
    Unlink,
    Rename,
    SocketRaw,
    Mknod,
    Mount,
    Device,
    Lock,
    Getpwuid,
    ImageUser,
    Admission,
    Seccomp,
    Selinux,
    Other,
}

impl Operation {
    /// Every operation, in the order of the JSON contract.
    pub const ALL: [Operation; 23] = [
        Operation::Mkdir,
        Operation::Open,
        Operation::Create,
        Operation::Bind,
        Operation::Chown,
        Operation::Chmod,
        Operation::Setuid,
        Operation::Setgid,
        Operation::Setgroups,
        Operation::Exec,
        Operation::Unlink,
        Operation::Rename,
        Operation::SocketRaw,
        Operation::Mknod,
        Operation::Mount,
        Operation::Device,
        Operation::Lock,
        Operation::Getpwuid,
        Operation::ImageUser,
        Operation::Admission,
        Operation::Seccomp,
        Operation::Selinux,
        Operation::Other,
    ];

    /// The name in JSON output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Mkdir => "mkdir",
            Operation::Open => "open",
            Operation::Create => "create",
            Operation::Bind => "bind",
            Operation::Chown => "chown",
            Operation::Chmod => "chmod",
            Operation::Setuid => "setuid",
            Operation::Setgid => "setgid",
            Operation::Setgroups => "setgroups",
            Operation::Exec => "exec",
            Operation::Unlink => "unlink",
            Operation::Rename => "rename",
            Operation::SocketRaw => "socket-raw",
            Operation::Mknod => "mknod",
            Operation::Mount => "mount",
            Operation::Device => "device",
            Operation::Lock => "lock",
            Operation::Getpwuid => "getpwuid",
            Operation::ImageUser => "image-user",
            Operation::Admission => "admission",
            Operation::Seccomp => "seccomp",
            Operation::Selinux => "selinux",
            Operation::Other => "other",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The error numbers of errno(3) that a refusal can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Errno {
    /// Operation not permitted: a privilege is missing.
    Eperm,
    /// No such file or directory: among others, a user that is not in /etc/passwd.
    Enoent,
    /// Exec format error.
    Enoexec,
    /// Cannot allocate memory: among others, mlock(2) over its limit.
    Enomem,
    /// Permission denied: mode bits, or a privileged port.
    Eacces,
    /// Read-only file system.
    Erofs,
}

impl Errno {
    /// Every errno we tell apart.
    pub const ALL: [Errno; 6] =
        [Errno::Eperm, Errno::Enoent, Errno::Enoexec, Errno::Enomem, Errno::Eacces, Errno::Erofs];

    /// The symbolic name of errno(3), as in JSON output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Errno::Eperm => "EPERM",
            Errno::Enoent => "ENOENT",
            Errno::Enoexec => "ENOEXEC",
            Errno::Enomem => "ENOMEM",
            Errno::Eacces => "EACCES",
            Errno::Erofs => "EROFS",
        }
    }

    /// The number on Linux (asm-generic/errno-base.h).
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Errno::Eperm => 1,
            Errno::Enoent => 2,
            Errno::Enoexec => 8,
            Errno::Enomem => 12,
            Errno::Eacces => 13,
            Errno::Erofs => 30,
        }
    }

    /// The text of strerror(3) in glibc's C locale.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Errno::Eperm => "Operation not permitted",
            Errno::Enoent => "No such file or directory",
            Errno::Enoexec => "Exec format error",
            Errno::Enomem => "Cannot allocate memory",
            Errno::Eacces => "Permission denied",
            Errno::Erofs => "Read-only file system",
        }
    }

    /// The errno with this Linux number, if it is one we tell apart.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Errno> {
        Errno::ALL.into_iter().find(|errno| errno.number() == number)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The kind of an obstacle: what joins a diagnosis to its remedies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Category {
    UnwritablePath,
    PrivilegedPort,
    OwnershipChange,
    IdentitySwitch,
    ReadOnlyRootfs,
    RawSocket,
    DeviceAccess,
    UnreadableFile,
    NotExecutable,
    MissingPasswdEntry,
    HomeUnwritable,
    ImageRunsAsRoot,
    NonNumericUser,
    PodSecurity,
    VolumeOwnership,
    Selinux,
    Seccomp,
    CapabilityMissing,
    /// What root's copy does and this one does not, without a refusal that tells why.
    LostFunction,
}

impl Category {
    /// Every category, in the order of the JSON contract.
    pub const ALL: [Category; 19] = [
        Category::UnwritablePath,
        Category::PrivilegedPort,
        Category::OwnershipChange,
        Category::IdentitySwitch,
        Category::ReadOnlyRootfs,
        Category::RawSocket,
        Category::DeviceAccess,
        Category::UnreadableFile,
        Category::NotExecutable,
        Category::MissingPasswdEntry,
        Category::HomeUnwritable,
        Category::ImageRunsAsRoot,
        Category::NonNumericUser,
        Category::PodSecurity,
        Category::VolumeOwnership,
        Category::Selinux,
        Category::Seccomp,
        Category::CapabilityMissing,
        Category::LostFunction,
    ];

    /// The name in JSON output, in the docs and for `kubectl nonroot explain NAME`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Category::UnwritablePath => "unwritable-path",
            Category::PrivilegedPort => "privileged-port",
            Category::OwnershipChange => "ownership-change",
            Category::IdentitySwitch => "identity-switch",
            Category::ReadOnlyRootfs => "read-only-rootfs",
            Category::RawSocket => "raw-socket",
            Category::DeviceAccess => "device-access",
            Category::UnreadableFile => "unreadable-file",
            Category::NotExecutable => "not-executable",
            Category::MissingPasswdEntry => "missing-passwd-entry",
            Category::HomeUnwritable => "home-unwritable",
            Category::ImageRunsAsRoot => "image-runs-as-root",
            Category::NonNumericUser => "non-numeric-user",
            Category::PodSecurity => "pod-security",
            Category::VolumeOwnership => "volume-ownership",
            Category::Selinux => "selinux",
            Category::Seccomp => "seccomp",
            Category::CapabilityMissing => "capability-missing",
            Category::LostFunction => "lost-function",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a fact comes from, so that a reader can check it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What was read: "log of container web", "events of pod web-0", "stdin", a file name.
    pub source: String,
    /// The 1-based line in that source, where it has lines.
    pub line: Option<u64>,
    /// The telling text, as it stood there: untrusted, not yet fit for a terminal.
    pub text: String,
}

/// One thing between a container and running as non-root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// The container it happened in, where that is known.
    pub container: Option<String>,
    /// The program that was refused, where the text names it.
    pub program: Option<String>,
    pub operation: Operation,
    pub errno: Option<Errno>,
    /// The path as the program gave it, made absolute when the text allows it.
    pub path: Option<String>,
    pub port: Option<u16>,
    /// A capability of capabilities(7) without its `CAP_` prefix, where the text names one.
    pub capability: Option<String>,
    pub category: Category,
    /// Whether it stops the program, as opposed to a warning or a consequence.
    pub fatal: bool,
    /// Why it was refused, in one sentence without remedies.
    pub cause: String,
    /// What else is known, for the remedies.
    pub details: Vec<Detail>,
    pub evidence: Evidence,
}

impl Obstacle {
    /// One that stops the program, and of which no more is known than this.
    #[must_use]
    pub fn new(operation: Operation, category: Category) -> Self {
        Self {
            container: None,
            program: None,
            operation,
            errno: None,
            path: None,
            port: None,
            capability: None,
            category,
            fatal: true,
            cause: String::new(),
            details: Vec::new(),
            evidence: Evidence { source: String::new(), line: None, text: String::new() },
        }
    }
    /// What the program demands of the path beyond access.
    #[must_use]
    pub fn demand(&self) -> Option<Demand> {
        self.details.iter().find_map(|detail| match detail {
            Detail::Demand(demand) => Some(*demand),
            _ => None,
        })
    }

    /// The launcher that was refused.
    #[must_use]
    pub fn launcher(&self) -> Option<&'static Launcher> {
        self.details.iter().find_map(|detail| match detail {
            Detail::Launcher(launcher) => Some(*launcher),
            _ => None,
        })
    }

    /// The users and groups that the message names, by name or number.
    pub fn named_users(&self) -> impl Iterator<Item = &str> {
        self.details.iter().filter_map(|detail| match detail {
            Detail::NamedUser(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The command that was refused, where it was one of a script.
    #[must_use]
    pub fn command(&self) -> Option<&'static str> {
        self.details.iter().find_map(|detail| match detail {
            Detail::Command(command) => Some(*command),
            _ => None,
        })
    }
}
