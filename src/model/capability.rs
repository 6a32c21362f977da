//! Linux capabilities: their names, their sets, the attribute of a file, and what a runtime grants.

use std::fmt;

/// Every capability by its number in `include/uapi/linux/capability.h`, named as a pod's
/// `securityContext.capabilities` names it: without the `CAP_` prefix.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// One capability of capabilities(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Capability(u8);

impl Capability {
    pub const CHOWN: Capability = Capability(0);
    pub const DAC_OVERRIDE: Capability = Capability(1);
    pub const DAC_READ_SEARCH: Capability = Capability(2);
    pub const FOWNER: Capability = Capability(3);
    pub const FSETID: Capability = Capability(4);
    pub const KILL: Capability = Capability(5);
    pub const SETGID: Capability = Capability(6);
    pub const SETUID: Capability = Capability(7);
    pub const SETPCAP: Capability = Capability(8);
    pub const NET_BIND_SERVICE: Capability = Capability(10);
    pub const NET_ADMIN: Capability = Capability(12);
    pub const NET_RAW: Capability = Capability(13);
    pub const IPC_LOCK: Capability = Capability(14);
    pub const SYS_MODULE: Capability = Capability(16);
    pub const SYS_RAWIO: Capability = Capability(17);
    pub const SYS_CHROOT: Capability = Capability(18);
    pub const SYS_PTRACE: Capability = Capability(19);
    pub const SYS_PACCT: Capability = Capability(20);
    pub const SYS_ADMIN: Capability = Capability(21);
    pub const SYS_BOOT: Capability = Capability(22);
    pub const SYS_NICE: Capability = Capability(23);
    pub const SYS_RESOURCE: Capability = Capability(24);
    pub const SYS_TIME: Capability = Capability(25);
    pub const MKNOD: Capability = Capability(27);
    pub const AUDIT_WRITE: Capability = Capability(29);
    pub const SETFCAP: Capability = Capability(31);
    pub const SYSLOG: Capability = Capability(34);
    pub const PERFMON: Capability = Capability(38);
    pub const BPF: Capability = Capability(39);

    /// The capability of this name, in any case, with or without `CAP_`.
    #[must_use]
    pub fn named(name: &str) -> Option<Capability> {
        match name.split_at_checked(4) {
            Some((prefix, bare)) if prefix.eq_ignore_ascii_case("CAP_") => Capability::bare(bare),
            _ => Capability::bare(name),
        }
    }

    fn bare(name: &str) -> Option<Capability> {
        let number = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name))?;
        u8::try_from(number).ok().map(Capability)
    }

    /// The name without `CAP_`, as a pod's spec has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES[usize::from(self.0)]
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of capabilities, one bit each, as /proc/PID/status prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Set(u64);

impl Set {
    pub const EMPTY: Set = Set(0);
    /// Every capability that Linux knows since 5.9.
    pub const ALL: Set = Set((1 << NAMES.len()) - 1);
    /// What containerd gives a container that asks for nothing: `defaultUnixCaps` of its
    /// `pkg/oci/spec.go`.
    pub const CONTAINERD: Set = Set::of(&[
        Capability::CHOWN,
        Capability::DAC_OVERRIDE,
        Capability::FSETID,
        Capability::FOWNER,
        Capability::MKNOD,
        Capability::NET_RAW,
        Capability::SETGID,
        Capability::SETUID,
        Capability::SETFCAP,
        Capability::SETPCAP,
        Capability::NET_BIND_SERVICE,
        Capability::SYS_CHROOT,
        Capability::KILL,
        Capability::AUDIT_WRITE,
    ]);
    /// What CRI-O gives a container that asks for nothing: `default_capabilities` in crio.conf(5).
    pub const CRIO: Set = Set::of(&[
        Capability::CHOWN,
        Capability::DAC_OVERRIDE,
        Capability::FSETID,
        Capability::FOWNER,
        Capability::SETGID,
        Capability::SETUID,
        Capability::SETPCAP,
        Capability::NET_BIND_SERVICE,
        Capability::KILL,
    ]);

    /// The set of these.
    #[must_use]
    pub const fn of(capabilities: &[Capability]) -> Set {
        let mut bits = 0;
        let mut i = 0;
        while i < capabilities.len() {
            bits |= 1 << capabilities[i].0;
            i += 1;
        }
        Set(bits)
    }

    /// The set with this mask, as the kernel holds it; bits that no capability has are kept.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Set {
        Set(bits)
    }

    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// A mask of /proc/PID/status: up to 16 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Set> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        u64::from_str_radix(text, 16).ok().map(Set)
    }

    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub const fn contains(self, capability: Capability) -> bool {
        self.0 >> capability.0 & 1 == 1
    }

    #[must_use]
    pub const fn is_subset(self, of: Set) -> bool {
        self.0 & !of.0 == 0
    }

    #[must_use]
    pub const fn and(self, other: Set) -> Set {
        Set(self.0 & other.0)
    }

    #[must_use]
    pub const fn or(self, other: Set) -> Set {
        Set(self.0 | other.0)
    }

    #[must_use]
    pub const fn without(self, other: Set) -> Set {
        Set(self.0 & !other.0)
    }

    /// The capabilities in it that have a name, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        (0..NAMES.len())
            .filter_map(|number| u8::try_from(number).ok())
            .map(Capability)
            .filter(move |c| self.contains(*c))
    }
}

/// `NET_BIND_SERVICE, NET_RAW`; `none` when empty.
impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        for (i, capability) in self.iter().enumerate() {
            write!(f, "{}{capability}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// What a file's `security.capability` attribute grants whoever executes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileCapabilities {
    pub permitted: Set,
    pub inheritable: Set,
    /// One bit for the whole file: what is permitted is in effect from the start.
    pub effective: bool,
    /// The user who is root of the namespace that the capabilities are for, as the file system's
    /// own namespace numbers it (version 3 of the attribute); 0 for every namespace.
    pub root: u32,
}

impl FileCapabilities {
    /// Decodes the attribute's bytes: `struct vfs_cap_data` or `vfs_ns_cap_data` of
    /// linux/capability.h, little endian, in its versions 1, 2 and 3. `None` where the kernel
    /// would answer EINVAL. Bits of capabilities that do not exist are dropped, as the kernel
    /// drops them.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<FileCapabilities> {
        const REVISION: u32 = 0xff00_0000;
        const EFFECTIVE: u32 = 0x1;
        let mut words =
            bytes.chunks_exact(4).map(|b| u64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]])));
        let magic = u32::try_from(words.next()?).ok()?;
        let masks = match (magic & REVISION, bytes.len()) {
            (0x0100_0000, 12) => 1,
            (0x0200_0000, 20) | (0x0300_0000, 24) => 2,
            _ => return None,
        };
        let (mut permitted, mut inheritable) = (0, 0);
        for i in 0..masks {
            permitted |= words.next()? << (32 * i);
            inheritable |= words.next()? << (32 * i);
        }
        Some(FileCapabilities {
            permitted: Set(permitted).and(Set::ALL),
            inheritable: Set(inheritable).and(Set::ALL),
            effective: magic & EFFECTIVE != 0,
            root: u32::try_from(words.next().unwrap_or(0)).ok()?,
        })
    }
}

/// As getcap(8) prints it: `cap_net_raw=ep`, `cap_chown,cap_kill=i cap_net_raw+ep`.
impl fmt::Display for FileCapabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let both = self.permitted.and(self.inheritable);
        let groups = [
            (both, "ip"),
            (self.permitted.without(both), "p"),
            (self.inheritable.without(both), "i"),
        ]
        .into_iter();
        let mut empty = true;
        for (set, flags) in groups.filter(|(set, _)| !set.is_empty()) {
            f.write_str(if empty { "" } else { " " })?;
            for (i, capability) in set.iter().enumerate() {
                write!(
                    f,
                    "{}cap_{}",
                    if i == 0 { "" } else { "," },
                    capability.name().to_ascii_lowercase()
                )?;
            }
            write!(f, "={}{flags}", if self.effective { "e" } else { "" })?;
            empty = false;
        }
        if empty {
            f.write_str("=")?;
        }
        if self.root != 0 {
            write!(f, " [rootid={}]", self.root)?;
        }
        Ok(())
    }
}

/// The capabilities that a container runtime grants: its `defaults` with the `add` and `drop` of
/// `securityContext.capabilities`, or all of them for a privileged container. `ALL` goes first in
/// both lists, then every `add`, then every `drop`, as `WithCapabilities` of containerd's
/// `internal/cri/opts/spec_opts.go` has it. A name that the kernel does not know is ignored, and so
/// is one with the prefix `CAP_`: containerd prefixes it again, and runc warns and goes on.
#[must_use]
pub fn granted(defaults: Set, add: &[String], drop: &[String], privileged: bool) -> Set {
    let all = |names: &[String]| names.iter().any(|name| name.eq_ignore_ascii_case("ALL"));
    let named = |names: &[String]| {
        names
            .iter()
            .filter_map(|name| Capability::bare(name))
            .fold(Set::EMPTY, |set, c| set.or(Set::of(&[c])))
    };
    if privileged {
        return Set::ALL;
    }
    let first = match (all(add), all(drop)) {
        (_, true) => Set::EMPTY,
        (true, false) => Set::ALL,
        (false, false) => defaults,
    };
    first.or(named(add)).without(named(drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &str) -> Set {
        names
            .split_whitespace()
            .filter_map(Capability::named)
            .fold(Set::EMPTY, |set, c| set.or(Set::of(&[c])))
    }

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn names_and_numbers_are_the_kernels() {
        assert_eq!(Capability::named("cap_net_bind_service"), Some(Capability::NET_BIND_SERVICE));
        assert_eq!(Capability::named("Checkpoint_Restore"), Some(Capability(40)));
        assert_eq!(Capability::named("CAP_ALL"), None);
        assert_eq!(Capability::named("é"), None);
        assert_eq!(set("CHOWN NET_RAW SETFCAP"), Set(1 | 1 << 13 | 1 << 31));
        assert_eq!(Set::from_hex("00000000a80425fb"), Some(Set::CONTAINERD));
        assert_eq!(Set::from_hex("000001ffffffffff"), Some(Set::ALL));
        assert_eq!(Set::from_hex("+1"), None);
        assert_eq!(set("NET_RAW KILL").to_string(), "KILL, NET_RAW");
        assert_eq!(Set::EMPTY.to_string(), "none");
    }

    #[test]
    fn file_capabilities_are_decoded_in_every_version() {
        let decoded = |bytes: &[u8]| FileCapabilities::decode(bytes).map(|c| c.to_string());
        let v2 = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(decoded(&v2).as_deref(), Some("cap_net_raw=ep"));
        let v3 =
            [0, 0, 0, 3, 0, 0x20, 0, 0, 0, 0x04, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0xe8, 3, 0, 0];
        assert_eq!(
            decoded(&v3).as_deref(),
            Some("cap_net_raw,cap_bpf=p cap_net_bind_service=i [rootid=1000]")
        );
        let v1 = [1, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0];
        assert_eq!(decoded(&v1).as_deref(), Some("cap_chown=eip"));
        let unknown_bits = [1, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0];
        assert_eq!(decoded(&unknown_bits).as_deref(), Some("cap_chown=ep"));
        assert_eq!(decoded(&v2[..19]), None);
        assert_eq!(decoded(&[]), None);
        assert_eq!(decoded(&[1, 0, 0, 4, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }

    #[test]
    fn pods_lists_are_applied_as_containerd_does() {
        let net_bind = strings(&["NET_BIND_SERVICE"]);
        assert_eq!(
            granted(Set::CONTAINERD, &net_bind, &strings(&["ALL"]), false),
            set("NET_BIND_SERVICE")
        );
        assert_eq!(granted(Set::CONTAINERD, &[], &strings(&["all"]), false), Set::EMPTY);
        assert_eq!(
            granted(Set::CONTAINERD, &strings(&["ALL"]), &strings(&["chown"]), false),
            Set::ALL.without(set("CHOWN"))
        );
        assert_eq!(
            granted(Set::CONTAINERD, &[], &strings(&["CAP_CHOWN", "nonsense"]), false),
            Set::CONTAINERD
        );
        assert_eq!(granted(Set::CONTAINERD, &[], &strings(&["ALL"]), true), Set::ALL);
    }
}
