//! Who a process is, and what execve(2) and setuid(2) make of that: credentials(7).
//!
//! The rules are those of capabilities(7). Where the manual page says nothing, they follow
//! `security/commoncap.c` of Linux 6.18. Securebits other than `SECBIT_KEEP_CAPS` are taken to be
//! off, as container runtimes leave them.

use crate::model::capability::{Capability, FileCapabilities, Set};
use crate::model::filesystem::inode::Inode;
use crate::model::obstacle::Errno;

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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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

    /// A process without any capability: what a container's process is under the restricted
    /// standard.
    #[must_use]
    pub fn unprivileged(uid: u32, gid: u32, groups: &[u32]) -> Credentials {
        Credentials {
            uid: Ids::all(uid),
            gid: Ids::all(gid),
            groups: groups.to_vec(),
            ..Credentials::default()
        }
    }

    /// The same process with these capabilities in effect.
    #[must_use]
    pub fn with_effective(self, effective: Set) -> Credentials {
        let sets = Sets { permitted: effective.or(self.sets.permitted), effective, ..self.sets };
        Credentials { sets, ..self }
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
    /// executed at all is for [`filesystem`](crate::model::filesystem) to say.
    ///
    /// Linux before 6.17 compares the new effective ids with the real ones instead of the effective
    /// ones to decide whether the file changes an id; that differs only for a process that
    /// already runs with two ids and has ambient capabilities or no_new_privs.
    ///
    /// # Errors
    /// [`Refused`] where execve answers EPERM for want of capabilities.
    pub fn execve(&self, file: &Executable, namespace_root: u32) -> Result<Credentials, Refused> {
        let old = self;
        let mut new = self.clone();
        if !file.nosuid && !old.no_new_privs {
            if file.mode & Inode::SETUID != 0 {
                new.uid.effective = file.uid;
            }
            if file.mode & Inode::SETGID_AND_EXECUTABLE == Inode::SETGID_AND_EXECUTABLE {
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
    /// EPERM when one of them is not among the present three, without SETUID.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &str) -> Set {
        names
            .split_whitespace()
            .filter_map(Capability::named)
            .fold(Set::EMPTY, |set, c| set.or(Set::of(&[c])))
    }

    fn forced(permitted: Set) -> Executable {
        let capabilities =
            FileCapabilities { permitted, inheritable: Set::EMPTY, effective: true, root: 0 };
        Executable { capabilities: Some(capabilities), ..Executable::PLAIN }
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
