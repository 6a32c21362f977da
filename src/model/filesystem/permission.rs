//! The permission bits of a file and the three classes that they are for: inode(7).

use std::fmt;

bitflags::bitflags! {
    /// What is asked of a file, in the bits of one class of its mode (inode(7)).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct Permission: u16 {
        const READ = 4;
        const WRITE = 2;
        /// To execute a file, or to search a directory: to reach what is in it.
        const EXECUTE = 1;
    }
}

impl Permission {
    /// What it takes to make and remove files in a directory.
    pub const CHANGE_DIRECTORY: Permission = Permission::WRITE.union(Permission::EXECUTE);
    /// What it takes to list a directory and to see what is in it.
    pub const LIST_DIRECTORY: Permission = Permission::READ.union(Permission::EXECUTE);

    /// As a sentence has it: `write and search` for a directory, `execute` for a file.
    #[must_use]
    pub fn verbs(self, is_directory: bool) -> Verbs {
        Verbs { asked: self, is_directory }
    }
}

/// [`Permission::verbs`].
#[derive(Debug, Clone, Copy)]
pub struct Verbs {
    asked: Permission,
    is_directory: bool,
}

impl fmt::Display for Verbs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = if self.is_directory { "search" } else { "execute" };
        let verbs =
            [(Permission::READ, "read"), (Permission::WRITE, "write"), (Permission::EXECUTE, last)];
        let mut is_first = true;
        for (_, verb) in verbs.into_iter().filter(|(bit, _)| self.asked.contains(*bit)) {
            write!(f, "{}{verb}", if is_first { "" } else { " and " })?;
            is_first = false;
        }
        Ok(())
    }
}

/// Which of the three permission classes a process falls in: the first that fits, and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PermissionClass {
    Owner,
    Group,
    Other,
}

impl PermissionClass {
    /// What a mode grants to this class.
    #[must_use]
    pub fn granted(self, mode: u16) -> Permission {
        Permission::from_bits_truncate(match self {
            PermissionClass::Owner => mode >> 6,
            PermissionClass::Group => mode >> 3,
            PermissionClass::Other => mode,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_said_in_words() {
        assert_eq!(Permission::all().verbs(true).to_string(), "read and write and search");
        assert_eq!(Permission::EXECUTE.verbs(false).to_string(), "execute");
    }

    #[test]
    fn each_class_has_its_bits() {
        use PermissionClass::{Group, Other, Owner};
        let granted = [Owner, Group, Other].map(|class| class.granted(0o4751));
        assert_eq!(granted, [Permission::all(), Permission::LIST_DIRECTORY, Permission::EXECUTE]);
    }
}
