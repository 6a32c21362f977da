//! The files of a container: the image's, with volumes mounted over them.

use std::collections::BTreeMap;

use super::{Kind, MAX_SYMLINKS, Node, components};

/// What a reader knows of a path. The path is absolute and has no symbolic links, `.` or `..` in
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    Found(Node),
    Missing,
    /// It lies in a volume whose content is not known.
    Unknown,
}

/// How much is known of what a mount holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Content {
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

/// A volume over the image's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted: absolute, without a slash at its end.
    pub path: String,
    /// What it is, in a few words for the reader: "emptyDir tmp".
    pub what: String,
    /// `readOnly: true`, or a kind that is always read-only.
    pub read_only: bool,
    pub noexec: bool,
    pub nosuid: bool,
    /// proc or sysfs: only the kernel makes files in it.
    pub fixed: bool,
    /// The mount point itself. A file for a `subPath` of one.
    pub root: Node,
    /// Known files below it, by their path relative to it.
    pub entries: BTreeMap<String, Node>,
    pub content: Content,
}

impl Mount {
    /// A mount without entries.
    #[must_use]
    pub fn new(path: &str, what: &str, root: Node, content: Content) -> Mount {
        Mount {
            path: path.to_owned(),
            what: what.to_owned(),
            read_only: false,
            noexec: false,
            nosuid: false,
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
        let root = Node::directory(if memory { 0o1777 } else { 0o777 }, 0, 0);
        let root = with_fs_group(root, fs_group, false);
        Mount::new(path, &format!("emptyDir {name}"), root, Content::Complete)
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
        let mut mount =
            Mount { read_only: true, ..Mount::new(path, what, root, Content::Complete) };
        for (key, mode) in keys {
            for (end, _) in key.match_indices('/') {
                let directory = with_fs_group(Node::directory(0o755, 0, 0), fs_group, true);
                mount.entries.insert(key[..end].to_owned(), directory);
            }
            mount
                .entries
                .insert(key.clone(), with_fs_group(Node::file(*mode, 0, 0), fs_group, true));
        }
        mount
    }

    /// What containerd and the kubelet mount in every Linux container that is not privileged:
    /// containerd's `defaultMounts` and `linuxContainerMounts`, the devices of the OCI runtime
    /// specification, and the kubelet's termination log. What is below /proc, /sys and /dev/pts
    /// is not known.
    #[must_use]
    pub fn of_runtime(read_only_root: bool) -> Vec<Mount> {
        let directory = |mode| Node::directory(mode, 0, 0);
        let device = Node { kind: Kind::CharDevice, ..Node::file(0o666, 0, 0) };
        let mut dev = Mount::new("/dev", "devices", directory(0o755), Content::Complete);
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
            dev.entries.insert(name.to_owned(), Node::symlink(target));
        }
        let mut pts = Mount {
            noexec: true,
            ..Mount::new("/dev/pts", "terminals", directory(0o755), Content::Partial)
        };
        pts.entries.insert("ptmx".to_owned(), device);
        let network = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"].map(|path| Mount {
            read_only: read_only_root,
            ..Mount::new(path, "written by the kubelet", Node::file(0o644, 0, 0), Content::Complete)
        });
        let proc = Mount {
            noexec: true,
            fixed: true,
            ..Mount::new("/proc", "proc", directory(0o555), Content::Partial)
        };
        let sys = Mount {
            read_only: true,
            noexec: true,
            ..Mount::new("/sys", "sysfs", directory(0o555), Content::Partial)
        };
        let mqueue = Mount {
            noexec: true,
            ..Mount::new("/dev/mqueue", "message queues", directory(0o1777), Content::Complete)
        };
        let shm = Mount::new("/dev/shm", "shared memory", directory(0o1777), Content::Complete);
        let log = Mount::new(
            "/dev/termination-log",
            "termination log",
            Node::file(0o666, 0, 0),
            Content::Complete,
        );
        [proc, sys, dev, pts, mqueue, shm, log].into_iter().chain(network).collect()
    }

    fn lookup(&self, below: &str) -> Lookup {
        match self.entries.get(below) {
            Some(node) => Lookup::Found(node.clone()),
            None if self.content == Content::Complete => Lookup::Missing,
            None => Lookup::Unknown,
        }
    }
}

fn with_fs_group(node: Node, fs_group: Option<u32>, read_only: bool) -> Node {
    match fs_group {
        Some(gid) => node.with_fs_group(gid, read_only),
        None => node,
    }
}

/// The files of a container: the image's, and what is mounted over them.
pub struct Files<'a> {
    image: &'a dyn Fn(&str) -> Lookup,
    read_only: bool,
    /// The later ones lie over the earlier ones.
    mounts: Vec<Mount>,
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
        mounts.sort_by_key(|mount| components(&mount.path).len());
        for mut mount in mounts {
            mount.path = files.physical(&mount.path);
            files.mounts.push(mount);
        }
        files
    }

    /// Where a path leads when every link in it is followed, whoever may or may not. What does not
    /// exist is taken as it is written.
    fn physical(&self, path: &str) -> String {
        let mut names = components(path);
        let mut here = String::new();
        let mut links = 0;
        while let Some(name) = names.pop() {
            if name == ".." {
                here.truncate(here.rfind('/').unwrap_or(0));
                continue;
            }
            let next = format!("{here}/{name}");
            match self.lookup(&next) {
                Lookup::Found(Node { target: Some(target), .. }) if links < MAX_SYMLINKS => {
                    links += 1;
                    if target.starts_with('/') {
                        here.clear();
                    }
                    names.extend(components(&target));
                }
                _ => here = next,
            }
        }
        here
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
    pub fn nosuid(&self, path: &str) -> bool {
        self.mount(path).is_some_and(|mount| mount.nosuid)
    }

    pub(super) fn read_only(&self, path: &str) -> bool {
        self.mount(path).map_or(self.read_only, |mount| mount.read_only)
    }

    pub(super) fn lookup(&self, path: &str) -> Lookup {
        // The runtime makes what is missing of the way to a mount point, as root and 0755.
        let made = || self.mounts.iter().any(|mount| below(&mount.path, path).is_some());
        let found = match self.mount(path).filter(|mount| mount.content != Content::Seen) {
            Some(mount) if mount.content == Content::Unknown => return Lookup::Unknown,
            Some(mount) => match below(path, &mount.path) {
                Some("") | None => return Lookup::Found(mount.root.clone()),
                Some(rest) => mount.lookup(rest),
            },
            None => (self.image)(path),
        };
        match found {
            Lookup::Missing if made() => Lookup::Found(Node::directory(0o755, 0, 0)),
            found => found,
        }
    }
}

/// The part of `path` below `directory`, empty for the directory itself, or `None` outside it.
fn below<'p>(path: &'p str, directory: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(directory.trim_end_matches('/'))?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

#[cfg(test)]
mod tests {
    use super::super::{Access, Subject, Verdict, decide};
    use super::*;
    use crate::model::capability::Set;

    #[test]
    fn a_mount_goes_where_the_images_links_lead() {
        let image = |path: &str| match path {
            "/" | "/var" | "/run" => Lookup::Found(Node::directory(0o755, 0, 0)),
            "/var/run" => Lookup::Found(Node::symlink("../run")),
            _ => Lookup::Missing,
        };
        let token = BTreeMap::from([("token".to_owned(), 0o600)]);
        let secrets = "/var/run/secrets/kubernetes.io/serviceaccount";
        let files = Files::new(
            &image,
            false,
            vec![Mount::of_keys(secrets, "token", &token, true, Some(2000))],
        );
        assert_eq!(files.mounts[0].path, "/run/secrets/kubernetes.io/serviceaccount");
        let ask = |gid| {
            decide(
                &Subject::plain(1000, gid, &[]),
                &files,
                &format!("{secrets}/token"),
                Access::Read,
            )
            .verdict
        };
        assert_eq!(ask(2000), Verdict::Allowed);
        assert_ne!(ask(1000), Verdict::Allowed);
        assert_eq!(files.mounts[0].root.to_string(), "drwxrwsrwt 0:2000", "as a real pod shows it");
    }

    #[test]
    fn what_the_runtime_mounts_lies_over_the_image() {
        let image = |path: &str| match path {
            "/" | "/etc" => Lookup::Found(Node::directory(0o777, 0, 0)),
            _ => Lookup::Missing,
        };
        let files = Files::new(&image, true, Mount::of_runtime(true));
        let ask =
            |path, access| decide(&Subject::plain(1000, 1000, &[]), &files, path, access).verdict;
        assert_eq!(ask("/dev/null", Access::Write), Verdict::Allowed);
        assert_eq!(ask("/dev/shm/x", Access::Create), Verdict::Allowed);
        assert_eq!(ask("/dev/termination-log", Access::Write), Verdict::Allowed);
        assert_eq!(
            ask("/dev/stdout", Access::Write),
            Verdict::Unknown,
            "it depends on where the output goes"
        );
        assert_eq!(ask("/etc/hosts", Access::Read), Verdict::Allowed);
        assert_ne!(ask("/etc/hosts", Access::Write), Verdict::Allowed);
        assert_ne!(ask("/dev/x", Access::Create), Verdict::Allowed);
        assert_ne!(ask("/sys/x", Access::Write), Verdict::Allowed);
        let root = Subject { capabilities: Set::ALL, ..Subject::plain(0, 0, &[]) };
        assert_ne!(
            decide(&root, &files, "/proc", Access::Write).verdict,
            Verdict::Allowed,
            "not even root"
        );
    }
}
