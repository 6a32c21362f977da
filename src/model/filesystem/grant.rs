//! What a file lets a process do.

use super::inode::{FileType, Inode};
use super::permission::{Permission, PermissionClass};
use crate::model::capability::Capability;
use crate::model::credentials::Credentials;

/// How the kernel comes to its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grant {
    /// The mode grants it to the class of the process.
    ByMode(PermissionClass),
    /// The mode refuses it, and a capability overrides the mode.
    ByCapability(Capability),
    /// The mode refuses it to the class of the process.
    Refused(PermissionClass),
}

/// Whether a process has a permission for a file: `generic_permission` of Linux's `fs/namei.c`. The
/// first class that fits decides alone; only then come capabilities.
#[must_use]
pub fn grant(credentials: &Credentials, inode: &Inode, asked: Permission) -> Grant {
    let class = if credentials.uid.effective == inode.uid {
        PermissionClass::Owner
    } else if credentials.in_group(inode.gid) {
        PermissionClass::Group
    } else {
        PermissionClass::Other
    };
    if class.granted(inode.mode).contains(asked) {
        return Grant::ByMode(class);
    }
    let executable_by_somebody = inode.mode & 0o111 != 0;
    let (reads, overrides) = match inode.file_type {
        FileType::Directory => (!asked.contains(Permission::WRITE), true),
        // Root may not execute what nobody may.
        _ => (
            asked == Permission::READ,
            !asked.contains(Permission::EXECUTE) || executable_by_somebody,
        ),
    };
    for (applies, capability) in
        [(reads, Capability::DAC_READ_SEARCH), (overrides, Capability::DAC_OVERRIDE)]
    {
        if applies && credentials.has(capability) {
            return Grant::ByCapability(capability);
        }
    }
    Grant::Refused(class)
}

/// [`grant`], as yes or no.
#[must_use]
pub fn may(credentials: &Credentials, inode: &Inode, asked: Permission) -> bool {
    !matches!(grant(credentials, inode, asked), Grant::Refused(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_class_applies() {
        let directory = Inode::directory(0o470, 7, 4);
        let may_write = |uid, gid, groups: &[u32]| {
            may(&Credentials::unprivileged(uid, gid, groups), &directory, Permission::WRITE)
        };
        assert!(!may_write(7, 4, &[]), "the owner class says no though the group class says yes");
        assert!(may_write(8, 8, &[4]), "a supplementary group counts");
        assert!(!may_write(8, 8, &[5]));
        let locked_out = Inode::file(0o077, 1000, 1000);
        let owner = Credentials::unprivileged(1000, 1000, &[]);
        assert_eq!(
            grant(&owner, &locked_out, Permission::READ),
            Grant::Refused(PermissionClass::Owner)
        );
    }
}
