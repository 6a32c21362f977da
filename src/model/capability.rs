//! Linux capabilities: their names, their sets, and what execve(2) and setuid(2) make of them.
//!
//! The rules are those of capabilities(7); where the manual page is silent they follow
//! `security/commoncap.c` of Linux 6.18. Securebits other than `SECBIT_KEEP_CAPS` are taken to be
//! off, as container runtimes leave them.

use std::fmt;

use crate::model::obstacle::Errno;

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

/// The five sets of a thread, capabilities(7) "Thread capability sets".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Sets {
    pub permitted: Set,
    pub effective: Set,
    pub inheritable: Set,
    pub bounding: Set,
    pub ambient: Set,
}

/// Real, effective and saved id; the file system's id is taken to follow the effective one, as it
/// does unless setfsuid(2) is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ids {
    pub real: u32,
    pub effective: u32,
    pub saved: u32,
}

impl Ids {
    /// All three alike.
    #[must_use]
    pub const fn all(id: u32) -> Ids {
        Ids { real: id, effective: id, saved: id }
    }

    fn contains(self, id: u32) -> bool {
        self.real == id || self.effective == id || self.saved == id
    }
}

/// What the kernel knows of a process when it decides: credentials(7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    pub uid: Ids,
    pub gid: Ids,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    pub sets: Sets,
    /// `allowPrivilegeEscalation: false`, prctl(2) `PR_SET_NO_NEW_PRIVS`.
    pub no_new_privs: bool,
    /// `SECBIT_KEEP_CAPS`: leaving uid 0 keeps the permitted set. execve(2) clears it.
    pub keep_caps: bool,
}

/// The executable, as far as execve(2) reads privilege from it. For a script it is the interpreter:
/// the kernel ignores the bits of the script itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Executable {
    pub uid: u32,
    pub gid: u32,
    /// Permission bits, setuid (04000) and setgid (02000) among them.
    pub mode: u16,
    pub capabilities: Option<FileCapabilities>,
    /// Mounted with `nosuid`: neither bits nor capabilities count.
    pub nosuid: bool,
}

impl Executable {
    /// A file that grants nothing.
    pub const PLAIN: Executable =
        Executable { uid: 0, gid: 0, mode: 0o755, capabilities: None, nosuid: false };
}

/// execve(2) fails with EPERM: the file's effective bit is set, and it would not get all that it is
/// permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// What the file is permitted and the bounding set lacks.
    pub missing: Set,
}

impl Credentials {
    /// What runc and crun make of a container's first process, in the moment before it executes the
    /// entrypoint: the granted capabilities are permitted, effective and bounding for any uid;
    /// none is inheritable (since CVE-2022-24769) or ambient (KEP-2763 is not implemented). For
    /// a uid other than 0 it is the execve that follows which takes them away, save for what
    /// the file brings. Source: `finalizeNamespace` in runc's `libcontainer/init_linux.go`,
    /// `WithCapabilities` in containerd's `pkg/oci/spec_opts.go`.
    #[must_use]
    pub fn of_container(
        uid: u32,
        gid: u32,
        groups: Vec<u32>,
        granted: Set,
        no_new_privs: bool,
    ) -> Credentials {
        let sets = Sets {
            permitted: granted,
            effective: granted,
            inheritable: Set::EMPTY,
            bounding: granted,
            ambient: Set::EMPTY,
        };
        Credentials {
            uid: Ids::all(uid),
            gid: Ids::all(gid),
            groups,
            sets,
            no_new_privs,
            keep_caps: false,
        }
    }

    /// Reads the text of /proc/PID/status; `None` when one of the lines it needs is missing or
    /// unreadable. The keep-caps bit is not in there and taken to be off.
    #[must_use]
    pub fn from_status(text: &str) -> Option<Credentials> {
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(str::split_ascii_whitespace)
        };
        let ids = |name| {
            let mut ids = field(name)?.map(|id| id.parse().ok());
            Some(Ids { real: ids.next()??, effective: ids.next()??, saved: ids.next()?? })
        };
        let set = |name| Set::from_hex(field(name)?.next()?);
        Some(Credentials {
            uid: ids("Uid")?,
            gid: ids("Gid")?,
            groups: field("Groups")?.map(|id| id.parse().ok()).collect::<Option<_>>()?,
            sets: Sets {
                permitted: set("CapPrm")?,
                effective: set("CapEff")?,
                inheritable: set("CapInh")?,
                bounding: set("CapBnd")?,
                ambient: set("CapAmb")?,
            },
            no_new_privs: field("NoNewPrivs")?.next()? != "0",
            keep_caps: false,
        })
    }

    /// Whether the process may use a privilege now.
    #[must_use]
    pub fn has(&self, capability: Capability) -> bool {
        self.sets.effective.contains(capability)
    }

    /// Whether the process is in this group.
    #[must_use]
    pub fn in_group(&self, gid: u32) -> bool {
        self.gid.effective == gid || self.groups.contains(&gid)
    }

    /// The credentials after a successful execve(2) of `file`, in a user namespace whose root is
    /// `namespace_root` (0 unless the pod has `hostUsers: false`). Whether the file may be
    /// executed at all is for [`access`](crate::model::access) to say.
    ///
    /// Linux before 6.17 compares the new effective ids with the real ones instead of the effective
    /// ones to decide whether the file changes an id; that differs only for a process that
    /// already runs with two ids and has ambient capabilities or no_new_privs.
    ///
    /// # Errors
    /// [`Refused`] where execve answers EPERM for want of capabilities.
    pub fn execve(&self, file: &Executable, namespace_root: u32) -> Result<Credentials, Refused> {
        const SETUID: u16 = 0o4000;
        const SETGID_AND_EXECUTABLE: u16 = 0o2010;
        let old = self;
        let mut new = self.clone();
        if !file.nosuid && !old.no_new_privs {
            if file.mode & SETUID != 0 {
                new.uid.effective = file.uid;
            }
            if file.mode & SETGID_AND_EXECUTABLE == SETGID_AND_EXECUTABLE {
                new.gid.effective = file.gid;
            }
        }

        let granted = file.capabilities.filter(|granted| {
            !file.nosuid && (granted.root == 0 || granted.root == namespace_root)
        });
        let mut effective = granted.is_some_and(|granted| granted.effective);
        let mut permitted = Set::EMPTY;
        if let Some(granted) = granted {
            permitted = granted
                .permitted
                .and(old.sets.bounding)
                .or(granted.inheritable.and(old.sets.inheritable));
            let missing = granted.permitted.without(permitted);
            if effective && !missing.is_empty() {
                return Err(Refused { missing });
            }
        }
        // A setuid-root file that has capabilities too is meant to have only those, for anybody but
        // root.
        let setuid_root_with_capabilities =
            granted.is_some() && new.uid.real != 0 && new.uid.effective == 0;
        if !setuid_root_with_capabilities {
            if new.uid.real == 0 || new.uid.effective == 0 {
                permitted = old.sets.bounding.or(old.sets.inheritable);
            }
            effective |= new.uid.effective == 0;
        }

        let id_changed = new.uid.effective != old.uid.effective || !old.in_group(new.gid.effective);
        if old.no_new_privs && !permitted.is_subset(old.sets.permitted) {
            new.uid.effective = new.uid.real;
            new.gid.effective = new.gid.real;
            permitted = permitted.and(old.sets.permitted);
        }
        new.uid.saved = new.uid.effective;
        new.gid.saved = new.gid.effective;
        if granted.is_some() || id_changed {
            new.sets.ambient = Set::EMPTY;
        }
        new.sets.permitted = permitted.or(new.sets.ambient);
        new.sets.effective = if effective { new.sets.permitted } else { new.sets.ambient };
        new.keep_caps = false;
        Ok(new)
    }

    /// setuid(2).
    ///
    /// # Errors
    /// EPERM for a uid that is neither the real nor the saved one, without SETUID.
    pub fn setuid(&self, uid: u32) -> Result<Credentials, Errno> {
        if self.has(Capability::SETUID) {
            Ok(self.with_uids(Ids::all(uid)))
        } else if uid == self.uid.real || uid == self.uid.saved {
            Ok(self.with_uids(Ids { effective: uid, ..self.uid }))
        } else {
            Err(Errno::Eperm)
        }
    }

    /// setresuid(2), all three given.
    ///
    /// # Errors
    /// EPERM when one of them is none of the present three, without SETUID.
    pub fn setresuid(&self, uid: Ids) -> Result<Credentials, Errno> {
        let known =
            [uid.real, uid.effective, uid.saved].into_iter().all(|id| self.uid.contains(id));
        if known || self.has(Capability::SETUID) {
            Ok(self.with_uids(uid))
        } else {
            Err(Errno::Eperm)
        }
    }

    /// setgid(2).
    ///
    /// # Errors
    /// EPERM for a gid that is neither the real nor the saved one, without SETGID.
    pub fn setgid(&self, gid: u32) -> Result<Credentials, Errno> {
        if self.has(Capability::SETGID) {
            Ok(Credentials { gid: Ids::all(gid), ..self.clone() })
        } else if gid == self.gid.real || gid == self.gid.saved {
            Ok(Credentials { gid: Ids { effective: gid, ..self.gid }, ..self.clone() })
        } else {
            Err(Errno::Eperm)
        }
    }

    /// setgroups(2), which asks for SETGID even where nothing would change.
    ///
    /// # Errors
    /// EPERM without SETGID.
    pub fn setgroups(&self, groups: Vec<u32>) -> Result<Credentials, Errno> {
        if self.has(Capability::SETGID) {
            Ok(Credentials { groups, ..self.clone() })
        } else {
            Err(Errno::Eperm)
        }
    }

    /// capabilities(7), "Effect of user ID changes on capabilities".
    fn with_uids(&self, uid: Ids) -> Credentials {
        let mut sets = self.sets;
        if self.uid.contains(0) && !uid.contains(0) {
            if !self.keep_caps {
                sets.permitted = Set::EMPTY;
                sets.effective = Set::EMPTY;
            }
            sets.ambient = Set::EMPTY;
        }
        match (self.uid.effective, uid.effective) {
            (0, 1..) => sets.effective = Set::EMPTY,
            (1.., 0) => sets.effective = sets.permitted,
            _ => {}
        }
        Credentials { uid, sets, ..self.clone() }
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

    fn forced(permitted: Set) -> Executable {
        let capabilities =
            FileCapabilities { permitted, inheritable: Set::EMPTY, effective: true, root: 0 };
        Executable { capabilities: Some(capabilities), ..Executable::PLAIN }
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
    fn status_is_read_whole_or_not_at_all() {
        let status = "Name:\tx\nUid:\t1000\t0\t0\t0\nGid:\t1\t2\t3\t2\nGroups:\t4 24 \nCapInh:\t0000000000000000\n\
                      CapPrm:\t0000000000000400\nCapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\n\
                      CapAmb:\t0000000000000000\nNoNewPrivs:\t1\n";
        let read = Credentials::from_status(status).unwrap();
        assert_eq!(read.uid, Ids { real: 1000, effective: 0, saved: 0 });
        assert_eq!(read.gid, Ids { real: 1, effective: 2, saved: 3 });
        assert_eq!(read.groups, [4, 24]);
        assert_eq!(read.sets.permitted, Set::of(&[Capability::NET_BIND_SERVICE]));
        assert_eq!(read.sets.bounding, Set::CONTAINERD);
        assert!(read.no_new_privs);
        for line in status.lines().skip(1) {
            assert_eq!(Credentials::from_status(&status.replace(line, "")), None, "without {line}");
        }
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

    #[test]
    fn adding_a_capability_does_nothing_for_another_uid_unless_the_file_has_it() {
        let of =
            |uid| Credentials::of_container(uid, uid, Vec::new(), set("NET_BIND_SERVICE"), true);
        assert!(of(0).execve(&Executable::PLAIN, 0).unwrap().has(Capability::NET_BIND_SERVICE));

        let plain = of(1000).execve(&Executable::PLAIN, 0).unwrap();
        assert_eq!(plain.sets, Sets { bounding: set("NET_BIND_SERVICE"), ..Sets::default() });

        // Started by the runtime the file's capability is no gain over what runc holds, so
        // no_new_privs lets it be; behind a shell it is one.
        let server = forced(set("NET_BIND_SERVICE"));
        assert!(of(1000).execve(&server, 0).unwrap().has(Capability::NET_BIND_SERVICE));
        assert_eq!(plain.execve(&server, 0).unwrap().sets.effective, Set::EMPTY);
    }

    #[test]
    fn a_file_capability_outside_the_bounding_set_cannot_be_executed() {
        let dropped_all = Credentials::of_container(1000, 1000, Vec::new(), Set::EMPTY, false);
        let ping = forced(set("NET_RAW"));
        assert_eq!(dropped_all.execve(&ping, 0), Err(Refused { missing: set("NET_RAW") }));
        let root = Credentials::of_container(0, 0, Vec::new(), Set::EMPTY, false);
        assert_eq!(root.execve(&ping, 0), Err(Refused { missing: set("NET_RAW") }));
        let mut not_effective = ping;
        not_effective.capabilities =
            not_effective.capabilities.map(|c| FileCapabilities { effective: false, ..c });
        assert!(dropped_all.execve(&not_effective, 0).is_ok());
        let another_namespaces = Executable {
            capabilities: ping.capabilities.map(|c| FileCapabilities { root: 65536, ..c }),
            ..ping
        };
        assert!(dropped_all.execve(&another_namespaces, 0).is_ok());
        assert!(dropped_all.execve(&another_namespaces, 65536).is_err());
    }

    #[test]
    fn dropping_to_ones_own_uid_passes_and_dropping_groups_does_not() {
        let user = Credentials::of_container(999, 999, vec![999], Set::EMPTY, true);
        assert_eq!(user.setuid(999).as_ref(), Ok(&user));
        assert_eq!(user.setgid(999).as_ref(), Ok(&user));
        assert_eq!(user.setuid(0), Err(Errno::Eperm));
        assert_eq!(user.setgroups(vec![999]), Err(Errno::Eperm));

        let root = Credentials::of_container(0, 0, Vec::new(), Set::CONTAINERD, false);
        let dropped = root
            .setgroups(vec![999])
            .and_then(|p| p.setgid(999))
            .and_then(|p| p.setuid(999))
            .unwrap();
        assert_eq!(dropped.sets, Sets { bounding: Set::CONTAINERD, ..Sets::default() });
        assert!(dropped.setuid(0).is_err());
    }
}
