//! What a system call does to the system, or would do if it were not refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::process::ProcessContext;
use crate::diagnosis::reader::path_kind;
use crate::model::capability::Capability;
use crate::model::inside::Listener;
use crate::model::obstacle::{Category, Errno, Operation};
use crate::model::port::is_privileged;
use crate::model::privilege::privileged_call;
use crate::model::trace::{Argument, Call, PathChange};

/// The effect of a call that may be refused to a uid other than root.
#[derive(Debug, Clone)]
pub(super) struct SyscallEffect {
    pub operation: Operation,
    pub path: Option<String>,
    /// The old name, for a rename.
    pub from: Option<String>,
    /// What bind(2) makes the process listen on.
    pub listener: Option<Listener>,
    pub change: Option<PathChange>,
    pub reads: bool,
    /// It looks and changes nothing: access(2), stat(2).
    pub only_asks: bool,
    /// The capability that it needs whatever the permissions of the path are.
    pub capability: Option<Capability>,
    /// Whether a call that succeeds has used the capability.
    pub needed: bool,
    /// Programs that are refused this continue.
    pub harmless: bool,
    /// The uid that chown(2) gives the path to.
    pub owner: Option<u32>,
    category: Option<Category>,
}

/// A call that names a path: the call, the argument of the directory's descriptor, that of the
/// path, what it does, and what the path then is.
type PathCall = (&'static str, Option<usize>, usize, Operation, Option<PathChange>);

/// Calls that name a path, by the pages of section 2 of the manual.
const PATHS: &[PathCall] = &[
    ("mkdir", None, 0, Operation::Mkdir, Some(PathChange::Directory)),
    ("mkdirat", Some(0), 1, Operation::Mkdir, Some(PathChange::Directory)),
    ("unlink", None, 0, Operation::Unlink, Some(PathChange::Removed)),
    ("unlinkat", Some(0), 1, Operation::Unlink, Some(PathChange::Removed)),
    ("rmdir", None, 0, Operation::Unlink, Some(PathChange::Removed)),
    ("rename", None, 1, Operation::Rename, Some(PathChange::Renamed)),
    ("renameat", Some(2), 3, Operation::Rename, Some(PathChange::Renamed)),
    ("renameat2", Some(2), 3, Operation::Rename, Some(PathChange::Renamed)),
    ("link", None, 1, Operation::Create, Some(PathChange::Linked)),
    ("linkat", Some(2), 3, Operation::Create, Some(PathChange::Linked)),
    ("symlink", None, 1, Operation::Create, Some(PathChange::Linked)),
    ("symlinkat", Some(1), 2, Operation::Create, Some(PathChange::Linked)),
    ("mknod", None, 0, Operation::Mknod, Some(PathChange::Created)),
    ("mknodat", Some(0), 1, Operation::Mknod, Some(PathChange::Created)),
    ("truncate", None, 0, Operation::Open, Some(PathChange::Written)),
    ("ftruncate", Some(0), usize::MAX, Operation::Open, Some(PathChange::Written)),
    ("chmod", None, 0, Operation::Chmod, Some(PathChange::Mode)),
    ("fchmod", Some(0), usize::MAX, Operation::Chmod, Some(PathChange::Mode)),
    ("fchmodat", Some(0), 1, Operation::Chmod, Some(PathChange::Mode)),
    ("fchmodat2", Some(0), 1, Operation::Chmod, Some(PathChange::Mode)),
    ("chown", None, 0, Operation::Chown, Some(PathChange::Owner)),
    ("lchown", None, 0, Operation::Chown, Some(PathChange::Owner)),
    ("fchown", Some(0), usize::MAX, Operation::Chown, Some(PathChange::Owner)),
    ("fchownat", Some(0), 1, Operation::Chown, Some(PathChange::Owner)),
    ("utime", None, 0, Operation::Other, Some(PathChange::Times)),
    ("utimes", None, 0, Operation::Other, Some(PathChange::Times)),
    ("futimesat", Some(0), 1, Operation::Other, Some(PathChange::Times)),
    ("utimensat", Some(0), 1, Operation::Other, Some(PathChange::Times)),
    ("execve", None, 0, Operation::Exec, None),
    ("execveat", Some(0), 1, Operation::Exec, None),
    ("chdir", None, 0, Operation::Open, None),
    ("fchdir", Some(0), usize::MAX, Operation::Open, None),
    ("access", None, 0, Operation::Open, None),
    ("faccessat", Some(0), 1, Operation::Open, None),
    ("faccessat2", Some(0), 1, Operation::Open, None),
    ("stat", None, 0, Operation::Open, None),
    ("lstat", None, 0, Operation::Open, None),
    ("newfstatat", Some(0), 1, Operation::Open, None),
    ("statx", Some(0), 1, Operation::Open, None),
    ("statfs", None, 0, Operation::Open, None),
    ("readlink", None, 0, Operation::Open, None),
    ("readlinkat", Some(0), 1, Operation::Open, None),
    ("flock", Some(0), usize::MAX, Operation::Lock, None),
    ("chroot", None, 0, Operation::Other, None),
    ("mount", None, 1, Operation::Mount, None),
    ("umount2", None, 0, Operation::Mount, None),
    ("pivot_root", None, 0, Operation::Mount, None),
    ("swapon", None, 0, Operation::Other, None),
    ("acct", None, 0, Operation::Other, None),
];

/// Capabilities that programs try to use and do without: they raise a limit or a priority, drop
/// what they do not need, or look at the kernel.
const OPTIONAL: [Capability; 7] = [
    Capability::SYSLOG,
    Capability::BPF,
    Capability::PERFMON,
    Capability::SYS_PTRACE,
    Capability::SYS_NICE,
    Capability::SYS_RESOURCE,
    Capability::SETPCAP,
];

impl SyscallEffect {
    fn new(operation: Operation) -> SyscallEffect {
        SyscallEffect {
            operation,
            path: None,
            from: None,
            listener: None,
            change: None,
            reads: false,
            only_asks: false,
            capability: None,
            needed: false,
            harmless: false,
            owner: None,
            category: None,
        }
    }

    fn privileged(
        operation: Operation,
        category: Category,
        capability: Capability,
    ) -> SyscallEffect {
        SyscallEffect {
            capability: Some(capability),
            category: Some(category),
            needed: true,
            ..SyscallEffect::new(operation)
        }
    }

    /// The effect of a call of a process; `None` where the result does not depend on the user.
    pub(super) fn of(call: &Call, process: &ProcessContext) -> Option<SyscallEffect> {
        let name = call.name.as_str();
        match name {
            "open" | "creat" | "openat" | "openat2" => return Some(open(call, process)),
            "bind" => return bind(call, process),
            "connect" => return connect(call),
            "socket" => return raw_socket(call),
            "setuid" | "setreuid" | "setresuid" | "setfsuid" => {
                let needed = changes(call, process.uid);
                let effect = SyscallEffect::privileged(
                    Operation::Setuid,
                    Category::IdentitySwitch,
                    Capability::SETUID,
                );
                return Some(SyscallEffect { needed, ..effect });
            }
            "setgid" | "setregid" | "setresgid" | "setfsgid" => {
                let needed = changes(call, process.gid);
                let effect = SyscallEffect::privileged(
                    Operation::Setgid,
                    Category::IdentitySwitch,
                    Capability::SETGID,
                );
                return Some(SyscallEffect { needed, ..effect });
            }
            "setgroups" => {
                return Some(SyscallEffect::privileged(
                    Operation::Setgroups,
                    Category::IdentitySwitch,
                    Capability::SETGID,
                ));
            }
            "prctl" if call.word(0) == Some("PR_CAPBSET_DROP") => {
                let effect = SyscallEffect::privileged(
                    Operation::Other,
                    Category::CapabilityMissing,
                    Capability::SETPCAP,
                );
                return Some(SyscallEffect { harmless: true, ..effect });
            }
            "setsockopt" => return socket_option(call),
            "ioctl" => return control(call),
            _ => {}
        }
        let mut effect = match PATHS.iter().find(|(known, ..)| *known == name) {
            Some((_, at, path, operation, change)) => SyscallEffect {
                path: process.path(call, *at, *path),
                change: *change,
                ..SyscallEffect::new(*operation)
            },
            None => SyscallEffect::new(Operation::Other),
        };
        if let Some(row) = privileged_call(name) {
            effect.category = Some(if matches!(name, "unshare" | "setns") {
                Category::Seccomp
            } else {
                Category::CapabilityMissing
            });
            effect.capability = Some(row.capability);
            effect.needed = row.always;
            effect.harmless = OPTIONAL.contains(&row.capability);
            return Some(effect);
        }
        match effect.operation {
            Operation::Other if effect.change.is_none() => return None,
            Operation::Chown => chown(&mut effect, call, process),
            Operation::Mknod => mknod(&mut effect, call),
            Operation::Rename => {
                effect.from = match name {
                    "rename" => process.path(call, None, 0),
                    _ => process.path(call, Some(0), 1),
                };
            }
            Operation::Open if effect.change.is_none() => {
                effect.reads = true;
                effect.only_asks = name != "chdir" && name != "fchdir";
                let mode = if name == "access" { 1 } else { 2 };
                if name.contains("access") && call.has_flag(mode, "W_OK") {
                    effect.reads = false;
                }
            }
            _ => {}
        }
        Some(effect)
    }

    /// The operation and the category of a refusal, as a log of it would have them.
    pub(super) fn refused(&self, errno: Errno) -> (Operation, Category) {
        let path = self.path.as_deref().unwrap_or_default();
        let operation = match self.operation {
            Operation::Open if path_kind::is_device(path) => Operation::Device,
            operation => operation,
        };
        let category = if errno == Errno::Erofs {
            Category::ReadOnlyRootfs
        } else if let Some(category) = self.category {
            category
        } else if path_kind::is_device(path) {
            Category::DeviceAccess
        } else {
            match operation {
                Operation::Chown | Operation::Chmod => Category::OwnershipChange,
                Operation::Other => Category::OwnershipChange,
                Operation::Exec if errno == Errno::Eperm => Category::CapabilityMissing,
                Operation::Exec => Category::NotExecutable,
                Operation::Open if self.reads => Category::UnreadableFile,
                _ if path_kind::is_in_home(path) => Category::HomeUnwritable,
                _ => Category::UnwritablePath,
            }
        };
        (operation, category)
    }
}

fn open(call: &Call, process: &ProcessContext) -> SyscallEffect {
    let (at, path, flags) = match call.name.as_str() {
        "open" | "creat" => (None, 0, 1),
        _ => (Some(0), 1, 2),
    };
    let creates = call.name == "creat"
        || call.has_flag(flags, "O_CREAT")
        || call.has_flag(flags, "O_TMPFILE");
    let writes =
        creates || ["O_WRONLY", "O_RDWR", "O_TRUNC"].iter().any(|flag| call.has_flag(flags, flag));
    SyscallEffect {
        path: process.path(call, at, path),
        change: writes.then_some(if creates { PathChange::Created } else { PathChange::Written }),
        reads: !writes,
        only_asks: call.has_flag(flags, "O_PATH"),
        ..SyscallEffect::new(if creates { Operation::Create } else { Operation::Open })
    }
}

fn bind(call: &Call, process: &ProcessContext) -> Option<SyscallEffect> {
    if call.member(1, "sa_family") == Some("AF_UNIX") {
        let path = quoted(call.member(1, "sun_path")?)?;
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("{}/{path}", process.cwd.as_deref().unwrap_or_default().trim_end_matches('/'))
        };
        let listener = Listener::Unix { path: path.clone(), process: None };
        return Some(SyscallEffect {
            path: Some(path),
            listener: Some(listener),
            change: Some(PathChange::Socket),
            ..SyscallEffect::new(Operation::Bind)
        });
    }
    let (address, port) = address(call, 1)?;
    let is_datagram = process.socket(call, 0).is_some_and(|(_, kind)| kind.contains("SOCK_DGRAM"))
        || call.note(0).is_some_and(|note| note.starts_with("UDP"));
    let listener = if is_datagram {
        Listener::Udp { address, port, process: None }
    } else {
        Listener::Tcp { address, port, process: None }
    };
    let effect = SyscallEffect::privileged(
        Operation::Bind,
        Category::PrivilegedPort,
        Capability::NET_BIND_SERVICE,
    );
    Some(SyscallEffect { listener: Some(listener), needed: is_privileged(port), ..effect })
}

/// connect(2) to a socket's file.
fn connect(call: &Call) -> Option<SyscallEffect> {
    let path = quoted(call.member(1, "sun_path")?)?;
    let effect =
        SyscallEffect { path: Some(path.to_owned()), ..SyscallEffect::new(Operation::Other) };
    Some(SyscallEffect { category: Some(Category::UnwritablePath), ..effect })
}

/// The address and the port of an internet socket: `sin_addr=inet_addr("0.0.0.0")`,
/// `inet_pton(AF_INET6, "::", ...)`.
fn address(call: &Call, index: usize) -> Option<(IpAddr, u16)> {
    let Argument::Structure(text) = call.arguments.get(index)? else { return None };
    let port = call.member(index, "sin_port").or_else(|| call.member(index, "sin6_port"))?;
    let digits: String = port.chars().filter(char::is_ascii_digit).collect();
    let address = text.split('"').find_map(|part| part.parse::<IpAddr>().ok());
    let address = address.unwrap_or(if text.contains("AF_INET6") {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    } else {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    });
    Some((address, digits.parse().ok()?))
}

fn raw_socket(call: &Call) -> Option<SyscallEffect> {
    let is_raw = call.word(0) == Some("AF_PACKET")
        || call.has_flag(1, "SOCK_RAW") && call.word(0) != Some("AF_NETLINK");
    is_raw.then(|| {
        SyscallEffect::privileged(Operation::SocketRaw, Category::RawSocket, Capability::NET_RAW)
    })
}

/// Options that need CAP_NET_ADMIN (socket(7), ip(7)).
fn socket_option(call: &Call) -> Option<SyscallEffect> {
    const OPTIONS: [&str; 7] = [
        "SO_MARK",
        "SO_SNDBUFFORCE",
        "SO_RCVBUFFORCE",
        "SO_DEBUG",
        "IP_TRANSPARENT",
        "IPV6_TRANSPARENT",
        "SO_BINDTODEVICE",
    ];
    let option = call.word(2).filter(|option| OPTIONS.contains(option))?;
    let effect = SyscallEffect::privileged(
        Operation::Other,
        Category::CapabilityMissing,
        Capability::NET_ADMIN,
    );
    let is_forced = option.ends_with("BUFFORCE");
    // Since Linux 5.7 a socket that is bound to no device yet may be bound by anybody.
    Some(SyscallEffect { harmless: is_forced, needed: option != "SO_BINDTODEVICE", ..effect })
}

/// Requests that change interfaces and routes (netdevice(7)).
fn control(call: &Call) -> Option<SyscallEffect> {
    let request = call.word(1)?;
    let is_network = request.starts_with("SIOCS") && request != "SIOCSPGRP"
        || ["TUNSETIFF", "SIOCADDRT", "SIOCDELRT", "SIOCBRADDBR"].contains(&request);
    is_network.then(|| {
        SyscallEffect::privileged(
            Operation::Other,
            Category::CapabilityMissing,
            Capability::NET_ADMIN,
        )
    })
}

/// A process needs no capability to give its own file to one of its groups.
fn chown(effect: &mut SyscallEffect, call: &Call, process: &ProcessContext) {
    let first = match call.name.as_str() {
        "fchownat" => 2,
        _ => 1,
    };
    let id = |index: usize| {
        call.number(index).and_then(|id| u32::try_from(id).ok()).filter(|id| *id != u32::MAX)
    };
    let (uid, gid) = (id(first), id(first + 1));
    let own = |id: Option<u32>, known: [Option<u32>; 3]| {
        id.is_none_or(|id| Some(id) == known[1].or(Some(0)))
    };
    effect.owner = uid;
    effect.capability = Some(Capability::CHOWN);
    effect.needed = !own(uid, process.uid) || !own(gid, process.gid);
}

/// Only a device needs a capability; a pipe, a socket or a file does not.
fn mknod(effect: &mut SyscallEffect, call: &Call) {
    let mode = if call.name == "mknod" { 1 } else { 2 };
    if call.has_flag(mode, "S_IFCHR") || call.has_flag(mode, "S_IFBLK") {
        (effect.category, effect.capability, effect.needed) =
            (Some(Category::CapabilityMissing), Some(Capability::MKNOD), true);
    } else {
        effect.operation = Operation::Create;
    }
}

/// Whether set*id(2) asks for an id that the process does not have.
fn changes(call: &Call, known: [Option<u32>; 3]) -> bool {
    let wanted =
        (0..3).filter_map(|index| call.number(index)).filter_map(|id| u32::try_from(id).ok());
    let known: Vec<u32> = known.iter().map(|id| id.unwrap_or(0)).collect();
    wanted.filter(|id| *id != u32::MAX).any(|id| !known.contains(&id))
}

/// The text in quotes; a name in the abstract namespace, `@"name"`, is no path.
fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.split('"').next().filter(|path| !path.is_empty())
}
