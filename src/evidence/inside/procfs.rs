//! The text files of /proc, as a container's shell copied them.
//!
//! Not read by `procfs-core` 0.18: there a line that does not parse costs the whole table, a status
//! without any one of twenty lines (gVisor's) is an error, blanks in a mount point stay escaped, and
//! of a unix socket the flag is dropped that tells whether it listens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::model::capability::Set;
use crate::model::credentials::{Credentials, Ids, Sets};
use crate::model::filesystem::{MountInfo, MountOptions};
use crate::model::inside::{Listener, Process};

/// `36 35 98:0 /root /point rw,noatime shared:1 - ext4 /dev/root rw,errors=continue`
pub(super) fn mount(line: &str) -> Option<MountInfo> {
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(3);
    let (root, point, options) = (fields.next()?, fields.next()?, fields.next()?);
    let mut fields = after.split(' ');
    let (fs_type, source, super_options) =
        (fields.next()?, fields.next()?, fields.next().unwrap_or_default());
    let has = |options: &str, wanted| options.split(',').any(|option| option == wanted);
    Some(MountInfo {
        point: unescaped(point),
        root: unescaped(root),
        fs_type: fs_type.to_owned(),
        source: unescaped(source),
        options: MountOptions {
            read_only: has(options, "ro") || has(super_options, "ro"),
            noexec: has(options, "noexec"),
            nosuid: has(options, "nosuid"),
        },
    })
}

/// The kernel writes blanks and backslashes of paths in octal: `\040`.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        match after.get(..3).and_then(|octal| u8::from_str_radix(octal, 8).ok()) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = &after[3..];
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The fields of /proc/PID/status (proc_pid_status(5)).
struct Status<'a>(&'a str);

impl<'a> Status<'a> {
    fn field(&self, name: &str) -> Option<&'a str> {
        let mut lines = self.0.lines();
        Some(lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?.trim())
    }

    fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        self.field(name)?.parse().ok()
    }

    /// The file system's id is the fourth: see [`Ids`].
    fn ids(&self, name: &str) -> Option<Ids> {
        let mut ids = self.field(name)?.split_ascii_whitespace().map(|id| id.parse().ok());
        Some(Ids { real: ids.next()??, effective: ids.next()??, saved: ids.next()?? })
    }

    fn groups(&self) -> Option<Vec<u32>> {
        self.field("Groups")?.split_ascii_whitespace().map(|id| id.parse().ok()).collect()
    }

    fn set(&self, name: &str) -> Option<Set> {
        Set::from_hex(self.field(name)?)
    }

    fn no_new_privs(&self) -> Option<bool> {
        self.field("NoNewPrivs").map(|value| value != "0")
    }
}

/// The credentials in the text of /proc/PID/status; `None` when one of the lines it takes is
/// missing or unreadable. The keep-caps bit is not in there and taken to be off.
#[must_use]
pub fn credentials(status: &str) -> Option<Credentials> {
    let status = Status(status);
    Some(Credentials {
        uid: status.ids("Uid")?,
        gid: status.ids("Gid")?,
        groups: status.groups()?,
        sets: Sets {
            permitted: status.set("CapPrm")?,
            effective: status.set("CapEff")?,
            inheritable: status.set("CapInh")?,
            bounding: status.set("CapBnd")?,
            ambient: status.set("CapAmb")?,
        },
        no_new_privs: status.no_new_privs()?,
        keep_caps: false,
    })
}

/// The process in the text of its /proc/PID/status. What is missing or unreadable in it is 0: a
/// sandbox such as gVisor leaves lines out.
pub(super) fn process(pid: u32, status: &str) -> Process {
    let status = Status(status);
    let set = |name| status.set(name).unwrap_or_default();
    Process {
        pid,
        parent: status.number("PPid").unwrap_or_default(),
        name: status.field("Name").unwrap_or_default().to_owned(),
        credentials: Credentials {
            uid: status.ids("Uid").unwrap_or_default(),
            gid: status.ids("Gid").unwrap_or_default(),
            groups: status.groups().unwrap_or_default(),
            sets: Sets {
                permitted: set("CapPrm"),
                effective: set("CapEff"),
                inheritable: set("CapInh"),
                bounding: set("CapBnd"),
                ambient: set("CapAmb"),
            },
            no_new_privs: status.no_new_privs().unwrap_or_default(),
            keep_caps: false,
        },
        seccomp: status.number("Seccomp").unwrap_or_default(),
        ..Process::default()
    }
}

/// `l-wx------ 1 root root 64 Nov 24 10:40 3 -> /var/log/x`: the link's own bits are the modes that
/// the file is open for (proc_pid_fd(5)).
pub(super) fn descriptor(line: &str) -> Option<(bool, &str)> {
    let (link, target) = line.split_once(" -> ")?;
    Some((link.as_bytes().get(2) == Some(&b'w'), target))
}

/// A descriptor's target that is a path of the container's own, and neither a device nor deleted.
pub(super) fn is_file(target: &str) -> bool {
    target.starts_with('/')
        && !["/dev/", "/proc/", "/sys/"].iter().any(|dir| target.starts_with(dir))
        && !target.ends_with(" (deleted)")
}

/// A row of /proc/net/{tcp,udp}{,6} or unix that waits for others: a TCP socket in LISTEN, a UDP
/// socket that is bound and not connected, a unix socket with a path that accepts connections
/// (proc_net(5); linux/net/tcp_states.h).
pub(super) fn listener(
    table: &str,
    row: &str,
    process_of: &dyn Fn(u64) -> Option<u32>,
) -> Option<Listener> {
    const LISTEN: &str = "0A";
    const UNCONNECTED: &str = "07";
    const ACCEPTS: &str = "00010000";
    let fields: Vec<&str> = row.split_whitespace().collect();
    if table == "unix" {
        let [_, _, _, flags, _, _, inode, path] = fields.as_slice() else { return None };
        let listens = *flags == ACCEPTS && path.starts_with('/');
        return listens.then(|| Listener::Unix {
            path: (*path).to_owned(),
            process: inode.parse().ok().and_then(process_of),
        });
    }
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?.parse().ok()?);
    let (address, port) = local.split_once(':')?;
    let (address, port) = (address_of(address)?, u16::from_str_radix(port, 16).ok()?);
    let process = process_of(inode);
    match table {
        "tcp" | "tcp6" if *state == LISTEN => Some(Listener::Tcp { address, port, process }),
        "udp" | "udp6" if *state == UNCONNECTED => Some(Listener::Udp { address, port, process }),
        _ => None,
    }
}

/// The kernel prints an address as 32-bit words in the machine's byte order; every machine that
/// Kubernetes runs on but s390x is little-endian.
fn address_of(hex: &str) -> Option<IpAddr> {
    let mut octets = Vec::with_capacity(16);
    for start in (0..hex.len()).step_by(8) {
        let word = u32::from_str_radix(hex.get(start..start + 8)?, 16).ok()?;
        octets.extend(word.to_le_bytes());
    }
    match octets.len() {
        4 => <[u8; 4]>::try_from(octets).ok().map(|octets| IpAddr::V4(Ipv4Addr::from(octets))),
        16 => <[u8; 16]>::try_from(octets).ok().map(|octets| IpAddr::V6(Ipv6Addr::from(octets))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::capability::Capability;

    #[test]
    fn status_is_read_whole_or_not_at_all() {
        let status = "Name:\tx\nUid:\t1000\t0\t0\t0\nGid:\t1\t2\t3\t2\nGroups:\t4 24 \nCapInh:\t0000000000000000\n\
                      CapPrm:\t0000000000000400\nCapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\n\
                      CapAmb:\t0000000000000000\nNoNewPrivs:\t1\n";
        let read = credentials(status).unwrap();
        assert_eq!(read.uid, Ids { real: 1000, effective: 0, saved: 0 });
        assert_eq!(read.gid, Ids { real: 1, effective: 2, saved: 3 });
        assert_eq!(read.groups, [4, 24]);
        assert_eq!(read.sets.permitted, Set::of(&[Capability::NET_BIND_SERVICE]));
        assert_eq!(read.sets.bounding, Set::CONTAINERD);
        assert!(read.no_new_privs);
        for line in status.lines().skip(1) {
            assert_eq!(credentials(&status.replace(line, "")), None, "without {line}");
        }
    }

    #[test]
    fn a_status_with_less_is_still_a_process() {
        let read = process(9, "Name:\tweb: main\nUid:\t7\t7\t7\t7\nCapEff:\t0000000000000400\n");
        assert_eq!(
            (read.pid, read.name.as_str(), read.credentials.uid),
            (9, "web: main", Ids::all(7))
        );
        assert!(read.credentials.has(Capability::NET_BIND_SERVICE));
    }
}
