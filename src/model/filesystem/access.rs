//! May this process do that to this path? The kernel's answer, worked out step by step.
//!
//! The rules are path_resolution(7), inode(7), `generic_permission` and `may_delete` of Linux's
//! `fs/namei.c`, and `setattr_prepare` of `fs/attr.c`. Not considered: POSIX ACLs, security
//! modules, the immutable attribute, and `fs.protected_*` of sysctl, which refuse a few odd
//! operations in world-writable sticky directories. In a user namespace a capability counts only
//! for a file whose owner and group exist in it.

mod mounts;

use std::fmt;

use crate::model::capability::{Capability, Credentials, Set};
use crate::model::obstacle::Errno;

pub use mounts::{Content, Files, Lookup, Mount};

/// Symbolic links that a walk follows before ELOOP: `MAXSYMLINKS` of Linux's
/// `include/linux/namei.h`.
const MAX_SYMLINKS: usize = 40;

const READ: u16 = 4;
const WRITE: u16 = 2;
const SEARCH: u16 = 1;

/// Who asks: the ids and the effective capabilities that the file system sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub capabilities: Set,
}

impl Subject {
    /// A user without any capability: what a container's process is under the restricted standard.
    #[must_use]
    pub fn plain(uid: u32, gid: u32, groups: &[u32]) -> Subject {
        Subject { uid, gid, groups: groups.to_vec(), capabilities: Set::EMPTY }
    }

    fn in_group(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }

    fn has(&self, capability: Capability) -> bool {
        self.capabilities.contains(capability)
    }
}

impl From<&Credentials> for Subject {
    fn from(process: &Credentials) -> Subject {
        Subject {
            uid: process.uid.effective,
            gid: process.gid.effective,
            groups: process.groups.clone(),
            capabilities: process.sets.effective,
        }
    }
}

/// What kind of file a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    File,
    Directory,
    Symlink,
    CharDevice,
    BlockDevice,
    Fifo,
    Socket,
}

impl Kind {
    /// The type as `st_mode` has it (inode(7)).
    #[must_use]
    pub fn mode(self) -> u32 {
        match self {
            Kind::Fifo => 0o010_000,
            Kind::CharDevice => 0o020_000,
            Kind::Directory => 0o040_000,
            Kind::BlockDevice => 0o060_000,
            Kind::File => 0o100_000,
            Kind::Symlink => 0o120_000,
            Kind::Socket => 0o140_000,
        }
    }

    /// The name in JSON output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::File => "file",
            Kind::Directory => "directory",
            Kind::Symlink => "symlink",
            Kind::CharDevice => "char-device",
            Kind::BlockDevice => "block-device",
            Kind::Fifo => "fifo",
            Kind::Socket => "socket",
        }
    }

    /// The letter that ls(1) shows.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Kind::File => '-',
            Kind::Directory => 'd',
            Kind::Symlink => 'l',
            Kind::CharDevice => 'c',
            Kind::BlockDevice => 'b',
            Kind::Fifo => 'p',
            Kind::Socket => 's',
        }
    }
}

/// What the kernel knows of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky: 12 bits.
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    /// Where a symbolic link points.
    pub target: Option<String>,
}

impl Node {
    #[must_use]
    pub fn directory(mode: u16, uid: u32, gid: u32) -> Node {
        Node { kind: Kind::Directory, mode, uid, gid, target: None }
    }

    #[must_use]
    pub fn file(mode: u16, uid: u32, gid: u32) -> Node {
        Node { kind: Kind::File, mode, uid, gid, target: None }
    }

    #[must_use]
    pub fn symlink(target: &str) -> Node {
        Node { kind: Kind::Symlink, mode: 0o777, uid: 0, gid: 0, target: Some(target.to_owned()) }
    }

    /// What the kubelet makes of a volume's file for `fsGroup`: the group, read and write for it,
    /// and on directories search and setgid; never the owner. `read_only` is the volume's, not
    /// the mount's. Source: `changeFilePermission` in Kubernetes' `pkg/volume/volume_linux.go`.
    /// For the volume types that it applies to see the API's `fsGroup` and `CSIDriver.spec.
    /// fsGroupPolicy`; hostPath and NFS are not among them.
    #[must_use]
    pub fn with_fs_group(self, gid: u32, read_only: bool) -> Node {
        let mask = match (self.kind, read_only) {
            (Kind::Symlink, _) => 0,
            (Kind::Directory, false) => 0o2770,
            (Kind::Directory, true) => 0o2550,
            (_, false) => 0o660,
            (_, true) => 0o440,
        };
        Node { gid, mode: self.mode | mask, ..self }
    }
}

/// `drwxr-x--- 0:101`, as ls(1) has it.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}:{}", Mode(self.kind, self.mode), self.uid, self.gid)?;
        match &self.target {
            Some(target) => write!(f, " -> {target}"),
            None => Ok(()),
        }
    }
}

/// A file's kind and mode as ls(1) shows them: `drwxrwxrwt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode(pub Kind, pub u16);

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mode(kind, mode) = *self;
        write!(f, "{}", kind.letter())?;
        for (shift, special, marks) in
            [(6, 0o4000, ['s', 'S']), (3, 0o2000, ['s', 'S']), (0, 0o1000, ['t', 'T'])]
        {
            let bits = mode >> shift;
            let execute = match (mode & special != 0, bits & SEARCH != 0) {
                (true, true) => marks[0],
                (true, false) => marks[1],
                (false, true) => 'x',
                (false, false) => '-',
            };
            write!(
                f,
                "{}{}{execute}",
                if bits & READ != 0 { 'r' } else { '-' },
                if bits & WRITE != 0 { 'w' } else { '-' }
            )?;
        }
        Ok(())
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Read a file, or list a directory.
    Read,
    /// Write a file, or make files in a directory. What does not exist is created, with the
    /// directories above it.
    Write,
    /// Execute a file.
    Execute,
    /// Enter a directory, or reach what is in it.
    Search,
    /// Make this path, new.
    Create,
    /// Remove this path, or rename it.
    Remove,
    Chmod,
    /// Change the owner or the group to these; `None` leaves one as it is.
    Chown {
        uid: Option<u32>,
        gid: Option<u32>,
    },
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Denial {
    /// EACCES: the mode says no.
    Mode,
    /// EPERM: only the owner, or root with its capability, may.
    Owner,
    /// EROFS.
    ReadOnly,
    /// ENOENT.
    Missing,
    /// ENOTDIR.
    NotDirectory,
    /// ELOOP.
    Loop,
}

impl Denial {
    /// The errno that the kernel answers with, if it is one that we tell apart.
    #[must_use]
    pub fn errno(self) -> Option<Errno> {
        match self {
            Denial::Mode => Some(Errno::Eacces),
            Denial::Owner => Some(Errno::Eperm),
            Denial::ReadOnly => Some(Errno::Erofs),
            Denial::Missing => Some(Errno::Enoent),
            Denial::NotDirectory | Denial::Loop => None,
        }
    }
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    Allowed,
    Denied(Denial),
    /// It depends on the content of a volume that is not known.
    Unknown,
}

/// Which of the three permission classes a process falls in: the first that fits, and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    Owner,
    Group,
    Other,
}

/// What one step of the walk showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finding {
    /// A symbolic link, followed.
    Link,
    /// The mode answers: `asked` in the bits of one class (4 read, 2 write, 1 execute or search).
    Mode {
        class: Class,
        asked: u16,
        granted: bool,
    },
    /// The mode says no and a capability overrides it.
    Capability {
        capability: Capability,
        asked: u16,
    },
    /// It is asked for, and whoever owns the file may.
    Owner,
    /// Only the owner may, and the process is another user without the capability that would do.
    NotOwner {
        capability: Capability,
    },
    /// The sticky directory lets only a file's owner or its own remove it.
    Sticky,
    ReadOnly,
    NoExec,
    /// Nobody makes or removes files in this file system.
    Fixed,
    Missing,
    NotDirectory,
    TooManyLinks,
    Unknown,
}

/// One step of the walk, from `/` on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub path: String,
    /// `None` where nothing is, or nothing is known.
    pub node: Option<Node>,
    /// The mount that covers it, as [`Mount::what`] calls it.
    pub mount: Option<String>,
    pub finding: Finding,
}

/// `/var/cache drwxr-xr-x 0:0: others may search`
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let directory = self.node.as_ref().is_some_and(|node| node.kind == Kind::Directory);
        write!(f, "{}", self.path)?;
        if let Some(node) = &self.node {
            write!(f, " {node}")?;
        }
        if let Some(mount) = &self.mount {
            write!(f, " ({mount})")?;
        }
        let verb = |asked| Asked { asked, directory };
        match self.finding {
            Finding::Link => write!(f, ": followed"),
            Finding::Mode { class, asked, granted } => {
                let class = match class {
                    Class::Owner => "its owner",
                    Class::Group => "its group",
                    Class::Other => "others",
                };
                write!(f, ": {class} may {}{}", if granted { "" } else { "not " }, verb(asked))
            }
            Finding::Capability { capability, asked } => {
                write!(f, ": CAP_{capability} lets it {}", verb(asked))
            }
            Finding::Owner => write!(f, ": its owner may"),
            Finding::NotOwner { capability } => {
                write!(f, ": only its owner may, or who has CAP_{capability}")
            }
            Finding::Sticky => {
                write!(
                    f,
                    ": the sticky bit lets only the owner of a file or of the directory remove it"
                )
            }
            Finding::ReadOnly => write!(f, ": read-only"),
            Finding::NoExec => write!(f, ": mounted noexec"),
            Finding::Fixed => write!(f, ": nobody makes or removes files here"),
            Finding::Missing => write!(f, ": does not exist"),
            Finding::NotDirectory => write!(f, ": is no directory"),
            Finding::TooManyLinks => write!(f, ": too many symbolic links"),
            Finding::Unknown => write!(f, ": not known what is in it"),
        }
    }
}

/// `read`, `write and search`.
struct Asked {
    asked: u16,
    directory: bool,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = if self.directory { "search" } else { "execute" };
        let mut first = true;
        for (bit, verb) in [(READ, "read"), (WRITE, "write"), (SEARCH, last)] {
            if self.asked & bit != 0 {
                write!(f, "{}{verb}", if first { "" } else { " and " })?;
                first = false;
            }
        }
        Ok(())
    }
}

/// The answer and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub verdict: Verdict,
    /// Every step in the order in which the kernel takes it; the last one decides.
    pub steps: Vec<Step>,
}

impl Decision {
    #[must_use]
    pub fn allowed(&self) -> bool {
        self.verdict == Verdict::Allowed
    }
}

/// Decides whether `subject` gets `access` to `path`, which is absolute; a relative one is taken
/// from `/`.
#[must_use]
pub fn decide(subject: &Subject, files: &Files<'_>, path: &str, access: Access) -> Decision {
    let mut walk = Walk { subject, files, steps: Vec::new() };
    let verdict = match walk.run(path, access) {
        Ok(()) => Verdict::Allowed,
        Err(stop) => stop,
    };
    Decision { verdict, steps: walk.steps }
}

struct Walk<'w, 'f> {
    subject: &'w Subject,
    files: &'w Files<'f>,
    steps: Vec<Step>,
}

/// Where the walk came to: a directory that may be searched, and the name in it that is asked for.
struct Place {
    directory: (String, Node),
    /// `None` for `/` itself. Where it is missing or unknown, there may be more names below it.
    last: Option<(String, Lookup)>,
}

impl Walk<'_, '_> {
    fn run(&mut self, path: &str, access: Access) -> Result<(), Verdict> {
        let follow = access != Access::Remove;
        let Place { directory, last } = self.resolve(path, follow)?;
        let (path, node) = match last {
            None => directory.clone(),
            Some((path, Lookup::Found(node))) => (path, node),
            Some((path, Lookup::Missing)) => {
                let create = access == Access::Create || access == Access::Write;
                if !create {
                    return self.stop(&path, None, Finding::Missing);
                }
                self.note(&path, None, Finding::Missing);
                return self.change(&directory.0, &directory.1);
            }
            Some((path, Lookup::Unknown)) => {
                let changes = !matches!(access, Access::Read | Access::Execute | Access::Search);
                let finding = if changes && self.files.read_only(&path) {
                    Finding::ReadOnly
                } else {
                    Finding::Unknown
                };
                return self.stop(&path, None, finding);
            }
        };
        match access {
            Access::Read => self.permit(&path, &node, READ),
            Access::Search if node.kind != Kind::Directory => {
                self.stop(&path, Some(&node), Finding::NotDirectory)
            }
            Access::Search => self.permit(&path, &node, SEARCH),
            Access::Execute => {
                self.permit(&path, &node, SEARCH)?;
                if node.kind != Kind::File
                    || self.files.mount(&path).is_some_and(|mount| mount.noexec)
                {
                    return self.stop(&path, Some(&node), Finding::NoExec);
                }
                Ok(())
            }
            Access::Write if node.kind == Kind::Directory => self.change(&path, &node),
            Access::Write => {
                self.permit(&path, &node, WRITE)?;
                // A device is not changed by writing to it.
                if node.kind == Kind::File && self.files.read_only(&path) {
                    return self.stop(&path, Some(&node), Finding::ReadOnly);
                }
                Ok(())
            }
            Access::Create => self.change(&directory.0, &directory.1),
            Access::Remove => {
                self.change(&directory.0, &directory.1)?;
                let (uid, sticky) = (self.subject.uid, directory.1.mode & 0o1000 != 0);
                if sticky
                    && uid != node.uid
                    && uid != directory.1.uid
                    && !self.subject.has(Capability::FOWNER)
                {
                    return self.stop(&path, Some(&node), Finding::Sticky);
                }
                Ok(())
            }
            Access::Chmod => self.own(&path, &node, Capability::FOWNER, true),
            Access::Chown { uid, gid } => {
                let permitted = uid.is_none_or(|uid| uid == node.uid)
                    && gid.is_none_or(|g| g == node.gid || self.subject.in_group(g));
                self.own(&path, &node, Capability::CHOWN, permitted)
            }
        }
    }

    /// Follows the path as far as it exists. Every directory on the way must let the subject search
    /// it.
    fn resolve(&mut self, path: &str, follow: bool) -> Result<Place, Verdict> {
        let mut names: Vec<String> = components(path);
        let mut links = 0;
        let root = match self.files.lookup("/") {
            Lookup::Found(node) => node,
            // An image need not have an entry for its root; the runtime makes one.
            Lookup::Missing | Lookup::Unknown => Node::directory(0o755, 0, 0),
        };
        // The directories from / to where the walk stands; `..` goes back along them.
        let mut above: Vec<(String, Node)> = Vec::new();
        let mut here = ("/".to_owned(), root.clone());
        loop {
            let Some(name) = names.pop() else {
                let last =
                    (!above.is_empty()).then(|| (here.0.clone(), Lookup::Found(here.1.clone())));
                return Ok(Place { directory: above.pop().unwrap_or(here), last });
            };
            if here.1.kind != Kind::Directory {
                return self.stop(&here.0, Some(&here.1), Finding::NotDirectory);
            }
            self.permit(&here.0, &here.1, SEARCH)?;
            if name == ".." {
                here = above.pop().unwrap_or(here);
                continue;
            }
            let path =
                if here.0 == "/" { format!("/{name}") } else { format!("{}/{name}", here.0) };
            match self.files.lookup(&path) {
                Lookup::Found(link @ Node { kind: Kind::Symlink, .. })
                    if follow || !names.is_empty() =>
                {
                    links += 1;
                    if links > MAX_SYMLINKS {
                        return self.stop(&path, Some(&link), Finding::TooManyLinks);
                    }
                    self.note(&path, Some(&link), Finding::Link);
                    let target = link.target.unwrap_or_default();
                    if target.starts_with('/') {
                        above.clear();
                        here = ("/".to_owned(), root.clone());
                    }
                    names.extend(components(&target));
                }
                Lookup::Found(node) => above.push(std::mem::replace(&mut here, (path, node))),
                other => return Ok(Place { directory: here, last: Some((path, other)) }),
            }
        }
    }

    /// Adds to, or takes from, a directory.
    fn change(&mut self, path: &str, directory: &Node) -> Result<(), Verdict> {
        if self.files.read_only(path) {
            return self.stop(path, Some(directory), Finding::ReadOnly);
        }
        self.permit(path, directory, WRITE | SEARCH)?;
        if self.files.mount(path).is_some_and(|mount| mount.fixed) {
            return self.stop(path, Some(directory), Finding::Fixed);
        }
        Ok(())
    }

    /// What the owner may do, if it is `permitted` at all, or who has the capability.
    fn own(
        &mut self,
        path: &str,
        node: &Node,
        capability: Capability,
        permitted: bool,
    ) -> Result<(), Verdict> {
        if self.files.read_only(path) {
            self.stop(path, Some(node), Finding::ReadOnly)
        } else if permitted && self.subject.uid == node.uid {
            self.note(path, Some(node), Finding::Owner);
            Ok(())
        } else if self.subject.has(capability) {
            self.note(path, Some(node), Finding::Capability { capability, asked: 0 });
            Ok(())
        } else {
            self.stop(path, Some(node), Finding::NotOwner { capability })
        }
    }

    fn permit(&mut self, path: &str, node: &Node, asked: u16) -> Result<(), Verdict> {
        let finding = permission(self.subject, node, asked);
        match finding {
            Finding::Mode { granted: false, .. } => self.stop(path, Some(node), finding),
            _ => {
                self.note(path, Some(node), finding);
                Ok(())
            }
        }
    }

    fn note(&mut self, path: &str, node: Option<&Node>, finding: Finding) {
        let mount = self.files.mount(path).map(|mount| mount.what.clone());
        self.steps.push(Step { path: path.to_owned(), node: node.cloned(), mount, finding });
    }

    fn stop<T>(&mut self, path: &str, node: Option<&Node>, finding: Finding) -> Result<T, Verdict> {
        self.note(path, node, finding);
        Err(match finding {
            Finding::Mode { .. } | Finding::NoExec | Finding::Fixed => {
                Verdict::Denied(Denial::Mode)
            }
            Finding::NotOwner { .. } | Finding::Sticky => Verdict::Denied(Denial::Owner),
            Finding::ReadOnly => Verdict::Denied(Denial::ReadOnly),
            Finding::Missing => Verdict::Denied(Denial::Missing),
            Finding::NotDirectory => Verdict::Denied(Denial::NotDirectory),
            Finding::TooManyLinks => Verdict::Denied(Denial::Loop),
            Finding::Unknown | Finding::Link | Finding::Capability { .. } | Finding::Owner => {
                Verdict::Unknown
            }
        })
    }
}

/// The names of a path, the last first. `.` and empty ones are nothing.
fn components(path: &str) -> Vec<String> {
    path.rsplit('/').filter(|name| !name.is_empty() && *name != ".").map(str::to_owned).collect()
}

/// `generic_permission` of Linux's `fs/namei.c`: the first class that fits decides alone; only then
/// come capabilities.
#[must_use]
pub fn permission(subject: &Subject, node: &Node, asked: u16) -> Finding {
    let (class, shift) = if subject.uid == node.uid {
        (Class::Owner, 6)
    } else if subject.in_group(node.gid) {
        (Class::Group, 3)
    } else {
        (Class::Other, 0)
    };
    let granted = node.mode >> shift & asked == asked;
    if granted {
        return Finding::Mode { class, asked, granted };
    }
    let (reads, overrides) = match node.kind {
        Kind::Directory => (asked & WRITE == 0, true),
        // Root may not execute what nobody may.
        _ => (asked == READ, asked & SEARCH == 0 || node.mode & 0o111 != 0),
    };
    for (applies, capability) in
        [(reads, Capability::DAC_READ_SEARCH), (overrides, Capability::DAC_OVERRIDE)]
    {
        if applies && subject.has(capability) {
            return Finding::Capability { capability, asked };
        }
    }
    Finding::Mode { class, asked, granted: false }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// An image in a few lines: `PATH MODE UID GID`, or `PATH -> TARGET`.
    fn image(text: &'static str) -> impl Fn(&str) -> Lookup {
        let nodes: BTreeMap<&str, Node> = text
            .lines()
            .map(|line| match line.trim().split(' ').collect::<Vec<_>>()[..] {
                [path, "->", target] => (path, Node::symlink(target)),
                [path, mode, uid, gid] => {
                    let kind = if path.ends_with('/') { Kind::Directory } else { Kind::File };
                    let mode = u16::from_str_radix(mode, 8).unwrap();
                    let path = if path == "/" { path } else { path.trim_end_matches('/') };
                    (
                        path,
                        Node {
                            kind,
                            mode,
                            uid: uid.parse().unwrap(),
                            gid: gid.parse().unwrap(),
                            target: None,
                        },
                    )
                }
                _ => panic!("{line}"),
            })
            .collect();
        move |path| nodes.get(path).cloned().map_or(Lookup::Missing, Lookup::Found)
    }

    const NGINX: &str = "/ 755 0 0
        /etc/ 755 0 0
        /etc/shadow 640 0 42
        /usr/ 755 0 0
        /usr/sbin/ 755 0 0
        /usr/sbin/nginx 755 0 0
        /run/ 755 0 0
        /tmp/ 1777 0 0
        /tmp/theirs 666 7 7
        /var/ 755 0 0
        /var/run -> /run
        /var/cache/ 755 0 0
        /var/cache/nginx/ 700 101 0
        /var/log/ 755 0 0
        /var/log/nginx/ 2770 0 4
        /var/log/nginx/access.log -> /dev/stdout
        /loop -> ./loop";

    fn ask(subject: &Subject, path: &str, access: Access) -> Decision {
        let nginx = image(NGINX);
        decide(subject, &Files::new(&nginx, false, Vec::new()), path, access)
    }

    fn verdict(subject: &Subject, path: &str, access: Access) -> Verdict {
        ask(subject, path, access).verdict
    }

    const EACCES: Verdict = Verdict::Denied(Denial::Mode);
    const EPERM: Verdict = Verdict::Denied(Denial::Owner);
    const EROFS: Verdict = Verdict::Denied(Denial::ReadOnly);
    const ENOENT: Verdict = Verdict::Denied(Denial::Missing);

    #[test]
    fn the_first_class_that_fits_decides_alone() {
        assert_eq!(
            verdict(&Subject::plain(101, 101, &[]), "/var/cache/nginx", Access::Write),
            Verdict::Allowed
        );
        assert_eq!(
            verdict(&Subject::plain(1000, 0, &[]), "/var/cache/nginx", Access::Write),
            EACCES
        );
        assert_eq!(
            verdict(&Subject::plain(1000, 1000, &[4]), "/var/log/nginx/new", Access::Write),
            Verdict::Allowed
        );
        assert_eq!(
            verdict(&Subject::plain(1000, 4, &[]), "/var/log/nginx/new", Access::Create),
            Verdict::Allowed
        );
        let locked_out = Node::file(0o077, 1000, 1000);
        let owner = permission(&Subject::plain(1000, 1000, &[]), &locked_out, READ);
        assert_eq!(owner, Finding::Mode { class: Class::Owner, asked: READ, granted: false });
    }

    #[test]
    fn capabilities_override_modes_but_never_make_a_file_executable() {
        let root = |capabilities| Subject { capabilities, ..Subject::plain(0, 0, &[]) };
        assert_eq!(verdict(&root(Set::EMPTY), "/var/cache/nginx/x", Access::Read), EACCES);
        let reader = Subject {
            capabilities: Set::of(&[Capability::DAC_READ_SEARCH]),
            ..Subject::plain(1, 1, &[])
        };
        assert_eq!(verdict(&reader, "/etc/shadow", Access::Read), Verdict::Allowed);
        assert_eq!(verdict(&reader, "/etc/shadow", Access::Write), EACCES);
        assert_eq!(
            verdict(&root(Set::CONTAINERD), "/var/cache/nginx/x", Access::Create),
            Verdict::Allowed
        );
        let override_ = Subject {
            capabilities: Set::of(&[Capability::DAC_OVERRIDE]),
            ..Subject::plain(1, 1, &[])
        };
        assert_eq!(verdict(&override_, "/etc/shadow", Access::Write), Verdict::Allowed);
        assert_eq!(verdict(&override_, "/etc/shadow", Access::Execute), EACCES);
        assert_eq!(verdict(&override_, "/usr/sbin/nginx", Access::Execute), Verdict::Allowed);
    }

    #[test]
    fn links_lead_where_they_point() {
        let decision = ask(&Subject::plain(1000, 1000, &[]), "/var/run/nginx.pid", Access::Write);
        assert_eq!(decision.verdict, EACCES);
        let shown: Vec<String> = decision.steps.iter().map(Step::to_string).collect();
        assert_eq!(
            shown,
            [
                "/ drwxr-xr-x 0:0: others may search",
                "/var drwxr-xr-x 0:0: others may search",
                "/var/run lrwxrwxrwx 0:0 -> /run: followed",
                "/ drwxr-xr-x 0:0: others may search",
                "/run drwxr-xr-x 0:0: others may search",
                "/run/nginx.pid: does not exist",
                "/run drwxr-xr-x 0:0: others may not write and search",
            ]
        );
        assert_eq!(
            verdict(&Subject::plain(1, 1, &[]), "/loop", Access::Read),
            Verdict::Denied(Denial::Loop)
        );
        assert_eq!(verdict(&Subject::plain(1, 1, &[]), "/loop", Access::Remove), EACCES);
        assert_eq!(
            verdict(&Subject::plain(1, 1, &[]), "/usr/../../etc/./shadow", Access::Read),
            EACCES
        );
        assert_eq!(
            verdict(&Subject::plain(1, 1, &[]), "/etc/shadow/x", Access::Read),
            Verdict::Denied(Denial::NotDirectory)
        );
        assert_eq!(verdict(&Subject::plain(1, 1, &[]), "/nowhere/x", Access::Read), ENOENT);
    }

    #[test]
    fn only_owners_change_owners_and_remove_from_sticky_directories() {
        let user = Subject::plain(7, 7, &[8]);
        assert_eq!(verdict(&user, "/tmp/theirs", Access::Chmod), Verdict::Allowed);
        assert_eq!(verdict(&user, "/tmp/theirs", Access::Remove), Verdict::Allowed);
        assert_eq!(
            verdict(&user, "/tmp/theirs", Access::Chown { uid: Some(7), gid: Some(8) }),
            Verdict::Allowed
        );
        assert_eq!(verdict(&user, "/tmp/theirs", Access::Chown { uid: Some(0), gid: None }), EPERM);
        assert_eq!(verdict(&user, "/tmp/theirs", Access::Chown { uid: None, gid: Some(9) }), EPERM);
        let other = Subject::plain(1000, 1000, &[]);
        assert_eq!(verdict(&other, "/tmp/theirs", Access::Write), Verdict::Allowed);
        assert_eq!(verdict(&other, "/tmp/theirs", Access::Chmod), EPERM);
        assert_eq!(
            verdict(&other, "/tmp/theirs", Access::Chown { uid: Some(7), gid: Some(7) }),
            EPERM
        );
        assert_eq!(verdict(&other, "/tmp/theirs", Access::Remove), EPERM);
        let owner = Subject { capabilities: Set::of(&[Capability::FOWNER]), ..other };
        assert_eq!(verdict(&owner, "/tmp/theirs", Access::Remove), Verdict::Allowed);
    }

    #[test]
    fn volumes_cover_what_is_below_them() {
        let nginx = image(NGINX);
        let keys = BTreeMap::from([("conf.d/web.conf".to_owned(), 0o440)]);
        let config = Mount::of_keys("/etc/nginx", "configMap web", &keys, false, Some(3000));
        let claim = Mount {
            content: Content::Partial,
            root: Node::directory(0o755, 0, 0).with_fs_group(2000, false),
            ..Mount::empty_dir("/var/lib/data", "data", false, None)
        };
        let mounts = vec![
            Mount::empty_dir("/var/cache/nginx", "cache", false, None),
            Mount::empty_dir("/var/run/lock/deep", "lock", true, Some(2000)),
            config,
            Mount { read_only: true, ..claim.clone() },
            Mount { path: "/var/lib/data/own".to_owned(), ..claim },
        ];
        let files = Files::new(&nginx, true, mounts);
        let ask = |groups: &[u32], path: &str, access| {
            decide(&Subject::plain(1000, 1000, groups), &files, path, access).verdict
        };
        assert_eq!(ask(&[], "/var/cache/nginx/client_temp", Access::Create), Verdict::Allowed);
        assert_eq!(ask(&[], "/tmp/x", Access::Create), EROFS);
        assert_eq!(ask(&[], "/tmp/theirs", Access::Write), EROFS);
        assert_eq!(
            ask(&[], "/etc/shadow", Access::Write),
            EACCES,
            "the kernel looks at the mode of a file first"
        );
        assert_eq!(ask(&[], "/etc/nginx/conf.d/web.conf", Access::Read), EACCES);
        assert_eq!(ask(&[3000], "/etc/nginx/conf.d/web.conf", Access::Read), Verdict::Allowed);
        assert_eq!(ask(&[3000], "/etc/nginx/conf.d/web.conf", Access::Write), EACCES);
        assert_eq!(ask(&[], "/etc/nginx/conf.d/web.conf", Access::Remove), EROFS);
        assert_eq!(ask(&[], "/etc/nginx/missing", Access::Read), ENOENT);
        assert_eq!(
            ask(&[], "/run/lock", Access::Search),
            Verdict::Allowed,
            "the runtime makes the way to a mount"
        );
        assert_eq!(
            ask(&[], "/run/lock/deep/x", Access::Create),
            Verdict::Allowed,
            "and follows the image's links"
        );
        assert_eq!(ask(&[], "/var/lib/data/file", Access::Read), Verdict::Unknown);
        assert_eq!(ask(&[], "/var/lib/data/file", Access::Write), EROFS);
        assert_eq!(ask(&[], "/var/lib/data/own", Access::Write), EACCES);
        assert_eq!(ask(&[2000], "/var/lib/data/own", Access::Write), Verdict::Allowed);
        assert_eq!(ask(&[2000], "/var/lib/data/own/file", Access::Write), Verdict::Unknown);
    }

    #[test]
    fn fs_group_is_the_kubelets() {
        assert_eq!(
            Node::directory(0o777, 0, 0).with_fs_group(5, false).to_string(),
            "drwxrwsrwx 0:5"
        );
        assert_eq!(
            Node::directory(0o700, 9, 9).with_fs_group(5, true).to_string(),
            "drwxr-s--- 9:5"
        );
        assert_eq!(Node::file(0o600, 9, 9).with_fs_group(5, false).to_string(), "-rw-rw---- 9:5");
        assert_eq!(Node::file(0o4755, 9, 9).with_fs_group(5, true).to_string(), "-rwsr-xr-x 9:5");
        assert_eq!(Node::symlink("x").with_fs_group(5, false).to_string(), "lrwxrwxrwx 0:5 -> x");
        assert_eq!(Mount::empty_dir("/x", "x", true, None).root.to_string(), "drwxrwxrwt 0:0");
    }
}
