//! A file, as stat(2) shows it.

use std::fmt;

use super::permission::{Permission, PermissionClass};

/// The bits of `st_mode` that hold the type (inode(7)).
const S_IFMT: u32 = 0o170_000;

/// The bits of `st_mode` that hold the permissions.
const PERMISSIONS: u32 = 0o7777;

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileType {
    File,
    Directory,
    Symlink,
    CharDevice,
    BlockDevice,
    Fifo,
    Socket,
}

impl FileType {
    /// The type in `st_mode`; a regular file where there is no type that inode(7) knows.
    #[must_use]
    pub fn of_st_mode(st_mode: u32) -> FileType {
        match st_mode & S_IFMT {
            0o010_000 => FileType::Fifo,
            0o020_000 => FileType::CharDevice,
            0o040_000 => FileType::Directory,
            0o060_000 => FileType::BlockDevice,
            0o120_000 => FileType::Symlink,
            0o140_000 => FileType::Socket,
            _ => FileType::File,
        }
    }

    /// The name in JSON output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            FileType::File => "file",
            FileType::Directory => "directory",
            FileType::Symlink => "symlink",
            FileType::CharDevice => "char-device",
            FileType::BlockDevice => "block-device",
            FileType::Fifo => "fifo",
            FileType::Socket => "socket",
        }
    }

    /// The letter that ls(1) shows.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            FileType::File => '-',
            FileType::Directory => 'd',
            FileType::Symlink => 'l',
            FileType::CharDevice => 'c',
            FileType::BlockDevice => 'b',
            FileType::Fifo => 'p',
            FileType::Socket => 's',
        }
    }
}

/// What the kernel knows of one file, wherever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inode {
    pub file_type: FileType,
    /// Permission bits with setuid, setgid and sticky: 12 bits.
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    /// Where a symbolic link points, as it is written there.
    pub target: Option<String>,
}

impl Inode {
    /// The set-user-ID bit.
    pub const SETUID: u16 = 0o4000;
    /// The set-group-ID bit of a file that its group may execute: on others it means no change of
    /// the group (inode(7)).
    pub const SETGID_AND_EXECUTABLE: u16 = 0o2010;
    /// The sticky bit: only owners remove what is in such a directory.
    pub const STICKY: u16 = 0o1000;

    #[must_use]
    pub fn directory(mode: u16, uid: u32, gid: u32) -> Inode {
        Inode { file_type: FileType::Directory, mode, uid, gid, target: None }
    }

    #[must_use]
    pub fn file(mode: u16, uid: u32, gid: u32) -> Inode {
        Inode { file_type: FileType::File, mode, uid, gid, target: None }
    }

    #[must_use]
    pub fn symlink(target: &str) -> Inode {
        let target = Some(target.to_owned());
        Inode { file_type: FileType::Symlink, mode: 0o777, uid: 0, gid: 0, target }
    }

    /// By the fields of stat(2) and, for a symbolic link, readlink(2).
    #[must_use]
    pub fn of_stat(st_mode: u32, uid: u32, gid: u32, target: Option<String>) -> Inode {
        // The mask leaves twelve bits, so that the conversion is exact.
        let mode = u16::try_from(st_mode & PERMISSIONS).unwrap_or_default();
        Inode { file_type: FileType::of_st_mode(st_mode), mode, uid, gid, target }
    }

    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.file_type == FileType::Directory
    }

    #[must_use]
    pub fn is_file(&self) -> bool {
        self.file_type == FileType::File
    }

    #[must_use]
    pub fn is_symlink(&self) -> bool {
        self.file_type == FileType::Symlink
    }

    /// What the kubelet makes of a volume's file for `fsGroup`: the group, and the bits of
    /// [`fs_group_bits`]; never another owner. `is_read_only` is the volume's, not the mount's. For
    /// the volume types that it applies to see the API's `fsGroup` and `CSIDriver.spec.
    /// fsGroupPolicy`; hostPath and NFS are not among them.
    #[must_use]
    pub fn with_fs_group(self, gid: u32, is_read_only: bool) -> Inode {
        let mode = self.mode | fs_group_bits(self.file_type, is_read_only);
        Inode { gid, mode, ..self }
    }
}

/// The bits that the kubelet adds to the mode of a volume's file for `fsGroup`: the group may read
/// it, may write it unless the volume is read-only, and may search a directory, which gets the
/// setgid bit as well. Source: `rwMask`, `roMask`, `execMask` and `changeFilePermission` in
/// Kubernetes' `pkg/volume/volume_linux.go`.
#[must_use]
pub fn fs_group_bits(file_type: FileType, is_read_only: bool) -> u16 {
    const READ_WRITE: u16 = 0o660;
    const READ_ONLY: u16 = 0o440;
    const SEARCH_AND_SETGID: u16 = 0o2110;
    let bits = if is_read_only { READ_ONLY } else { READ_WRITE };
    match file_type {
        FileType::Symlink => 0,
        FileType::Directory => bits | SEARCH_AND_SETGID,
        _ => bits,
    }
}

/// `drwxr-x--- 0:101`, as ls(1) has it.
impl fmt::Display for Inode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}:{}", Mode(self.file_type, self.mode), self.uid, self.gid)?;
        match &self.target {
            Some(target) => write!(f, " -> {target}"),
            None => Ok(()),
        }
    }
}

/// A file's type and mode as ls(1) shows them: `drwxrwxrwt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode(pub FileType, pub u16);

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mode(file_type, mode) = *self;
        write!(f, "{}", file_type.letter())?;
        for (class, special, marks) in [
            (PermissionClass::Owner, 0o4000, ['s', 'S']),
            (PermissionClass::Group, 0o2000, ['s', 'S']),
            (PermissionClass::Other, 0o1000, ['t', 'T']),
        ] {
            let granted = class.granted(mode);
            let execute = match (mode & special != 0, granted.contains(Permission::EXECUTE)) {
                (true, true) => marks[0],
                (true, false) => marks[1],
                (false, true) => 'x',
                (false, false) => '-',
            };
            let read = if granted.contains(Permission::READ) { 'r' } else { '-' };
            let write = if granted.contains(Permission::WRITE) { 'w' } else { '-' };
            write!(f, "{read}{write}{execute}")?;
        }
        Ok(())
    }
}

/// What is at a path, symbolic links not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathStat {
    /// Absolute.
    pub path: String,
    pub inode: Inode,
}

impl PathStat {
    #[must_use]
    pub fn new(path: impl Into<String>, inode: Inode) -> PathStat {
        PathStat { path: path.into(), inode }
    }
}

/// What a look at some paths brought back: every step from the root to each path that was asked
/// for, and the entries of those that are directories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathStats {
    pub stats: Vec<PathStat>,
}

impl PathStats {
    /// What is at exactly this path; `/` for an empty one.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Inode> {
        let path = if path.is_empty() { "/" } else { path };
        self.stats.iter().find(|stat| stat.path == path).map(|stat| &stat.inode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fs_group_is_the_kubelets() {
        let directory = |mode, uid| Inode::directory(mode, uid, uid);
        let file = |mode| Inode::file(mode, 9, 9);
        for (inode, is_read_only, expected) in [
            (directory(0o777, 0), false, "drwxrwsrwx 0:5"),
            (directory(0o700, 9), true, "drwxr-s--- 9:5"),
            (file(0o600), false, "-rw-rw---- 9:5"),
            (file(0o4755), true, "-rwsr-xr-x 9:5"),
            (Inode::symlink("x"), false, "lrwxrwxrwx 0:5 -> x"),
        ] {
            assert_eq!(inode.with_fs_group(5, is_read_only).to_string(), expected);
        }
    }

    #[test]
    fn stat_is_read() {
        let shown = |st_mode| Inode::of_stat(st_mode, 1, 2, None).to_string();
        assert_eq!(
            [0o040_755, 0o101_644, 0o120_777, 0o020_666, 0o140_600].map(shown),
            [
                "drwxr-xr-x 1:2",
                "-rw-r--r-T 1:2",
                "lrwxrwxrwx 1:2",
                "crw-rw-rw- 1:2",
                "srw------- 1:2"
            ]
        );
    }
}
