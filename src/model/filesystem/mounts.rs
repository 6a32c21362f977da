//! The files of a container: the image's, with volumes mounted over them.

use std::collections::BTreeMap;

use super::inode::{FileType, Inode};
use super::path::{PathText, below};
use super::walk::resolve;

/// What a reader knows of a path. The path is absolute and has no symbolic links, `.` or `..` in
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    Found(Inode),
    Missing,
    /// It lies in a volume whose content is not known.
    Unknown,
}

/// How much is known of what a mount holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MountContent {
    /// The mount point and the entries, and there is nothing else.
    Complete,
    /// The mount point and the entries, and there may be more.
    Partial,
    /// Not even whose the mount point is.
    Unknown,
    /// Whoever answers for the image's files saw through the mount: a look into a running
    /// container.
    Seen,
}

/// Options of a mount that refuse something: mount(8).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MountOptions {
    /// `readOnly: true`, or a kind of volume that is always read-only.
    pub read_only: bool,
    pub noexec: bool,
    pub nosuid: bool,
}

impl MountOptions {
    pub const READ_ONLY: MountOptions =
        MountOptions { read_only: true, noexec: false, nosuid: false };
    pub const NOEXEC: MountOptions = MountOptions { read_only: false, noexec: true, nosuid: false };
}

/// A line of /proc/PID/mountinfo (proc_pid_mountinfo(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountInfo {
    pub point: String,
    /// What of the mounted file system is the mount's root.
    pub root: String,
    pub fs_type: String,
    pub source: String,
    pub options: MountOptions,
}

/// A volume over the image's files, with what is known to be in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted: absolute, without a slash at its end.
    pub path: String,
    /// What it is, in a few words for the reader: "emptyDir tmp".
    pub what: String,
    pub options: MountOptions,
    /// proc or sysfs: only the kernel makes files in it.
    pub fixed: bool,
    /// The mount point itself. A file for a `subPath` of one.
    pub root: Inode,
    /// Known files below it, by their path relative to it.
    pub entries: BTreeMap<String, Inode>,
    pub content: MountContent,
}

impl Mount {
    /// A mount without entries.
    #[must_use]
    pub fn new(path: &str, what: &str, root: Inode, content: MountContent) -> Mount {
        Mount {
            path: path.to_owned(),
            what: what.to_owned(),
            options: MountOptions::default(),
            fixed: false,
            root,
            entries: BTreeMap::new(),
            content,
        }
    }

    /// An emptyDir as it starts: 0777, on memory 1777, and nothing in it. Source: `setupDir` and
    /// `setupTmpfs` in Kubernetes' `pkg/volume/emptydir/empty_dir.go`.
    #[must_use]
    pub fn empty_dir(path: &str, name: &str, memory: bool, fs_group: Option<u32>) -> Mount {
        let root = Inode::directory(if memory { 0o1777 } else { 0o777 }, 0, 0);
        let root = with_fs_group(root, fs_group, false);
        Mount::new(path, &format!("emptyDir {name}"), root, MountContent::Complete)
    }

    /// A configMap, secret, downwardAPI or projected volume, which wraps an emptyDir (all but the
    /// first on memory) and is always mounted read-only. `keys` are its files by their path,
    /// with their modes. The links by which the kubelet swaps the files at an update are left
    /// out: they change nothing for an access.
    #[must_use]
    pub fn of_keys(
        path: &str,
        what: &str,
        keys: &BTreeMap<String, u16>,
        memory: bool,
        fs_group: Option<u32>,
    ) -> Mount {
        let root = Mount::empty_dir("", "", memory, fs_group).root;
        let mut mount = Mount {
            options: MountOptions::READ_ONLY,
            ..Mount::new(path, what, root, MountContent::Complete)
        };
        for (key, mode) in keys {
            for (end, _) in key.match_indices('/') {
                let directory = with_fs_group(Inode::directory(0o755, 0, 0), fs_group, true);
                mount.entries.insert(key[..end].to_owned(), directory);
            }
            mount
                .entries
                .insert(key.clone(), with_fs_group(Inode::file(*mode, 0, 0), fs_group, true));
        }
        mount
    }

    /// What containerd and the kubelet mount in every Linux container that is not privileged:
    /// containerd's `defaultMounts` and `linuxContainerMounts`, the devices of the OCI runtime
    /// specification, and the kubelet's termination log. What is below /proc, /sys and /dev/pts
    /// is not known.
    #[must_use]
    pub fn of_runtime(read_only_root: bool) -> Vec<Mount> {
        let directory = |mode| Inode::directory(mode, 0, 0);
        let device = Inode { file_type: FileType::CharDevice, ..Inode::file(0o666, 0, 0) };
        let mut dev = Mount::new("/dev", "devices", directory(0o755), MountContent::Complete);
        for name in ["null", "zero", "full", "random", "urandom", "tty"] {
            dev.entries.insert(name.to_owned(), device.clone());
        }
        for (name, target) in [
            ("fd", "/proc/self/fd"),
            ("stdin", "/proc/self/fd/0"),
            ("stdout", "/proc/self/fd/1"),
            ("stderr", "/proc/self/fd/2"),
            ("ptmx", "pts/ptmx"),
        ] {
            dev.entries.insert(name.to_owned(), Inode::symlink(target));
        }
        let mut pts = Mount {
            options: MountOptions::NOEXEC,
            ..Mount::new("/dev/pts", "terminals", directory(0o755), MountContent::Partial)
        };
        pts.entries.insert("ptmx".to_owned(), device);
        let network = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"].map(|path| Mount {
            options: MountOptions { read_only: read_only_root, ..MountOptions::default() },
            ..Mount::new(
                path,
                "written by the kubelet",
                Inode::file(0o644, 0, 0),
                MountContent::Complete,
            )
        });
        let proc = Mount {
            options: MountOptions::NOEXEC,
            fixed: true,
            ..Mount::new("/proc", "proc", directory(0o555), MountContent::Partial)
        };
        let sys = Mount {
            options: MountOptions { read_only: true, ..MountOptions::NOEXEC },
            ..Mount::new("/sys", "sysfs", directory(0o555), MountContent::Partial)
        };
        let mqueue = Mount {
            options: MountOptions::NOEXEC,
            ..Mount::new("/dev/mqueue", "message queues", directory(0o1777), MountContent::Complete)
        };
        let shm =
            Mount::new("/dev/shm", "shared memory", directory(0o1777), MountContent::Complete);
        let log = Mount::new(
            "/dev/termination-log",
            "termination log",
            Inode::file(0o666, 0, 0),
            MountContent::Complete,
        );
        [proc, sys, dev, pts, mqueue, shm, log].into_iter().chain(network).collect()
    }

    fn lookup(&self, below: &str) -> Lookup {
        match self.entries.get(below) {
            Some(inode) => Lookup::Found(inode.clone()),
            None if self.content == MountContent::Complete => Lookup::Missing,
            None => Lookup::Unknown,
        }
    }
}

fn with_fs_group(inode: Inode, fs_group: Option<u32>, read_only: bool) -> Inode {
    match fs_group {
        Some(gid) => inode.with_fs_group(gid, read_only),
        None => inode,
    }
}

/// The files of a container: the image's, and what is mounted over them.
pub struct Files<'a> {
    image: &'a dyn Fn(&str) -> Lookup,
    read_only: bool,
    /// The later ones lie over the earlier ones.
    pub(super) mounts: Vec<Mount>,
}

impl<'a> Files<'a> {
    /// `image` says what the image has at a path; `read_only` is `readOnlyRootFilesystem`. The
    /// mounts are made as the runtimes make them: those with the shorter paths first, each
    /// where the links that are there by then lead.
    #[must_use]
    pub fn new(
        image: &'a dyn Fn(&str) -> Lookup,
        read_only: bool,
        mut mounts: Vec<Mount>,
    ) -> Files<'a> {
        let mut files = Files { image, read_only, mounts: Vec::new() };
        mounts.sort_by_key(|mount| mount.path.names().count());
        for mut mount in mounts {
            mount.path = resolve(&mount.path, |path| files.link(path)).path;
            files.mounts.push(mount);
        }
        files
    }

    /// The target of a path that is a link.
    fn link(&self, path: &str) -> Option<String> {
        match self.lookup(path) {
            Lookup::Found(inode) => inode.target,
            Lookup::Missing | Lookup::Unknown => None,
        }
    }

    /// The mount that holds a path without links: the longest that is a prefix of it, the last of
    /// those that are equal.
    pub(super) fn mount(&self, path: &str) -> Option<&Mount> {
        self.mounts
            .iter()
            .filter(|mount| below(path, &mount.path).is_some())
            .max_by_key(|mount| mount.path.len())
    }

    /// Whether a path without links lies on a mount where setuid bits and file capabilities do not
    /// count.
    #[must_use]
    pub fn is_nosuid(&self, path: &str) -> bool {
        self.mount(path).is_some_and(|mount| mount.options.nosuid)
    }

    pub(super) fn is_read_only(&self, path: &str) -> bool {
        self.mount(path).map_or(self.read_only, |mount| mount.options.read_only)
    }

    pub(super) fn lookup(&self, path: &str) -> Lookup {
        // The runtime makes what is missing of the way to a mount point, as root and 0755.
        let made = || self.mounts.iter().any(|mount| below(&mount.path, path).is_some());
        let found = match self.mount(path).filter(|mount| mount.content != MountContent::Seen) {
            Some(mount) if mount.content == MountContent::Unknown => return Lookup::Unknown,
            Some(mount) => match below(path, &mount.path) {
                Some("") | None => return Lookup::Found(mount.root.clone()),
                Some(rest) => mount.lookup(rest),
            },
            None => (self.image)(path),
        };
        match found {
            Lookup::Missing if made() => Lookup::Found(Inode::directory(0o755, 0, 0)),
            found => found,
        }
    }
}
