//! What is known of one container before a remedy is chosen.

use std::collections::BTreeSet;

use crate::model::accounts::Account;
use crate::model::credentials::Credentials;
use crate::model::filesystem::walk::resolve;
use crate::model::filesystem::{Inode, PathStat, Permission, may, path};
use crate::model::identity::Candidate;
use crate::model::volume::{FsGroup, VolumeSource};

/// What a path of a container lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumeKind {
    EmptyDir,
    /// A claim, or an ephemeral or CSI volume: the kubelet changes its group where `fsGroup` says
    /// so.
    Claim,
    /// A ConfigMap, Secret, projected or downward API volume: never writable.
    Projected,
    /// A hostPath or NFS volume: `fsGroup` does nothing there (pkg/volume/nfs, pkg/volume/hostpath:
    /// SetUp ignores it).
    Foreign,
}

impl From<VolumeSource> for VolumeKind {
    fn from(source: VolumeSource) -> VolumeKind {
        match source {
            VolumeSource::EmptyDir => VolumeKind::EmptyDir,
            VolumeSource::PersistentVolumeClaim | VolumeSource::Ephemeral | VolumeSource::Csi => {
                VolumeKind::Claim
            }
            source if source.is_projected() => VolumeKind::Projected,
            _ => VolumeKind::Foreign,
        }
    }
}

/// A volume of the spec, where a container mounts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeMount {
    pub path: String,
    pub kind: VolumeKind,
    pub read_only: bool,
    /// The volume's name in the spec.
    pub volume: String,
    /// `claim data`, or `volume tmp`.
    pub name: String,
    /// What fsGroup would do to its files.
    pub fs_group: FsGroup,
    /// The group that others have who mount the same claim, and who they are.
    pub shared: Option<(u32, String)>,
    /// The other containers of the pod that mount the same volume.
    pub beside: Vec<String>,
    /// Of a claim that the cluster does not have yet: nobody has written anything in it.
    pub is_new: bool,
    /// What the workload's running pod has at the mount point.
    pub root: Option<Inode>,
}

impl VolumeMount {
    /// A volume at a path, of which no more is known: fsGroup applies to it, nobody shares it, and
    /// no pod runs with it.
    #[must_use]
    pub fn new(path: &str, kind: VolumeKind, volume: &str) -> Self {
        Self {
            path: path.to_owned(),
            kind,
            read_only: kind == VolumeKind::Projected,
            volume: volume.to_owned(),
            name: format!("volume {volume}"),
            fs_group: FsGroup::Applied,
            shared: None,
            beside: Vec::new(),
            is_new: false,
            root: None,
        }
    }
}

/// An option of a program, as its own help describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandOption {
    /// `-u` or `--user`: the short one where there are both.
    pub flag: String,
    pub takes_value: bool,
    pub text: String,
}

/// What is known of one container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    pub container: String,
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    /// Nothing has told yet who the image's user is: uid and gid are a guess.
    pub user_is_a_guess: bool,
    /// The users that it could run as, best first.
    pub candidates: Vec<Candidate>,
    /// /etc/passwd of the image.
    pub accounts: Vec<Account>,
    /// What the image has at the paths that were looked at: each step on the way, and the entries
    /// of directories.
    pub stats: Vec<PathStat>,
    /// The uid and gid that looked: of a directory that it may not read, nobody knows what is in
    /// it. Root reads all.
    pub observer_uid: u32,
    /// The looks were at a container that runs: what the program made is there as well as what the
    /// image has.
    pub looked_at_running: bool,
    pub mounts: Vec<VolumeMount>,
    /// Whether the image has sh, cp and mkdir to fill a volume with.
    pub has_shell: bool,
    /// TCP and UDP ports below 1024 that it listens on as root, or that its spec names.
    pub low_ports: Vec<u16>,
    /// The spec's `command`; where it has neither that nor `args`, the words with which the
    /// image's program was seen to run, and empty as long as it was not.
    pub command: Vec<String>,
    /// The spec's `args`.
    pub args: Vec<String>,
    /// PATH in the container.
    pub search_path: Option<String>,
    /// Lines by which the scripts that it is started with become a program: file and line.
    pub calls: Vec<(String, String)>,
    /// What the program says of its options.
    pub options: Vec<CommandOption>,
    /// Words that may name the program: its container, its image, its command, its processes.
    pub names: Vec<String>,
    /// What it wrote as root.
    pub written: Vec<String>,
    /// Where the image has a VOLUME: a directory that it was made to write.
    pub volumes: Vec<String>,
    /// Empty directories that the image has in its working directory, itself among them.
    pub empty: Vec<String>,
    /// Its working directory, by which a relative path in its log becomes absolute.
    pub directory: Option<String>,
    /// Absolute paths that its words, its file and its configuration name.
    pub named: Vec<String>,
    /// Lines of configuration files in the image that speak of what was refused: file and line.
    pub directives: Vec<(String, String)>,
    /// Files that hold a database of a kind that programs write in place, wherever they lie.
    pub databases: Vec<String>,
}

/// The directories in which programs keep what they write, each below its own name: Filesystem
/// Hierarchy Standard 3.0, chapter 5.
pub const STATE_DIRECTORIES: [&str; 4] = ["/var/lib", "/var/cache", "/var/spool", "/var/log"];

/// The directories in which programs make files without one of their own: Filesystem Hierarchy
/// Standard 3.0, chapters 3.15, 3.18 and 5.10.
pub const EVERY_PROGRAMS_DIRECTORIES: [&str; 3] = ["/run", "/var/log", "/tmp"];

impl Facts {
    /// What is at exactly this path.
    #[must_use]
    pub fn inode(&self, path: &str) -> Option<&Inode> {
        self.stats.iter().find(|stat| stat.path == path).map(|stat| &stat.inode)
    }

    /// The entries of a directory that was looked at.
    pub fn entries<'a>(&'a self, directory: &'a str) -> impl Iterator<Item = &'a PathStat> {
        let is_entry = move |stat: &&PathStat| {
            path::below(&stat.path, directory)
                .is_some_and(|rest| !rest.is_empty() && !rest.contains('/'))
        };
        self.stats.iter().filter(is_entry)
    }

    /// Whether the image has anything in a directory, or may have.
    #[must_use]
    pub fn has_content(&self, directory: &str) -> bool {
        let observer = (self.observer_uid, self.observer_uid);
        let is_hidden = |there: &PathStat| {
            there.inode.is_directory()
                && self.observer_uid != 0
                && !self.may(observer, &there.inode, Permission::READ)
        };
        self.entries(directory).next().is_some() || self.existing(directory).is_some_and(is_hidden)
    }

    /// A path with every symbolic link on the way replaced by what it leads to, as far as the looks
    /// tell.
    #[must_use]
    pub fn resolved(&self, path: &str) -> String {
        resolve(path, |path| self.link(path)).path
    }

    /// The directories that are searched on the way to a path, those before each symbolic link
    /// among them: whoever may not search `/var/log/web` does not follow
    /// `/var/log/web/error.log` to `/dev/stderr` either (path_resolution(7)).
    #[must_use]
    pub fn searched(&self, path: &str) -> Vec<String> {
        resolve(path, |path| self.link(path)).searched
    }

    /// The target of a path that is a link.
    fn link(&self, path: &str) -> Option<String> {
        self.inode(path)?.target.clone()
    }

    /// The deepest part of a resolved path that the image has.
    #[must_use]
    pub fn existing(&self, path: &str) -> Option<&PathStat> {
        std::iter::successors(Some(path), |path| path::parent(path))
            .find_map(|path| self.stats.iter().find(|stat| stat.path == path))
    }

    /// Where programs of these names keep what they write: below [`STATE_DIRECTORIES`].
    pub fn state_paths(&self) -> impl Iterator<Item = String> {
        let paths = |name: &String| STATE_DIRECTORIES.map(|directory| path::join(directory, name));
        self.names.iter().flat_map(paths)
    }

    /// The directories among [`Facts::state_paths`] and [`EVERY_PROGRAMS_DIRECTORIES`] that the
    /// image has.
    #[must_use]
    pub fn usual_places(&self) -> Vec<String> {
        let shared = EVERY_PROGRAMS_DIRECTORIES.map(str::to_owned);
        let places: BTreeSet<String> = self.state_paths().chain(shared).collect();
        places
            .into_iter()
            .map(|place| self.resolved(&place))
            .filter(|place| self.inode(place).is_some_and(Inode::is_directory))
            .collect()
    }

    /// The directories that the program names, and those of the files that it names, and the one
    /// that it works in, but for those that are shared by many programs.
    #[must_use]
    pub fn named_places(&self) -> Vec<String> {
        let place = |path: &String| {
            // What is not there yet is to be made in the directory that is.
            let there = self.existing(&self.resolved(path))?;
            let directory = match there.inode.is_directory() {
                true => there.path.as_str(),
                false => path::parent(&there.path)?,
            };
            (!is_shared(directory) && self.inode(directory).is_some()).then(|| directory.to_owned())
        };
        let places: BTreeSet<String> =
            self.named.iter().chain(&self.directory).filter_map(place).collect();
        places.into_iter().collect()
    }

    /// The directories that the program names and the image has not, each to be made in one that is
    /// shared by many programs and closed to this user. A name with a dot is a file's.
    #[must_use]
    pub fn missing_places(&self) -> Vec<String> {
        let place = |path: &String| {
            let path = self.resolved(path);
            let parent = self
                .existing(&path)
                .filter(|there| there.inode.is_directory() && is_shared(&there.path))?;
            let name = path::below(&path, &parent.path)?.split('/').next()?;
            let is_wanted =
                !name.is_empty() && !name.contains('.') && !parent.path.starts_with("/usr");
            let is_closed = !self.user_may(&parent.inode, Permission::WRITE);
            (is_wanted && is_closed).then(|| path::join(&parent.path, name))
        };
        let places: BTreeSet<String> = self.named.iter().filter_map(place).collect();
        places.into_iter().collect()
    }

    /// The volume that a path lies on.
    #[must_use]
    pub fn mount(&self, path: &str) -> Option<&VolumeMount> {
        let holds = |mount: &&VolumeMount| path::below(path, &mount.path).is_some();
        self.mounts.iter().filter(holds).max_by_key(|mount| mount.path.len())
    }

    /// What stands at a path; at a mount point, what the running pod has there and not the volume
    /// of a copy.
    #[must_use]
    pub fn live_inode(&self, path: &str) -> Option<&Inode> {
        let mounted = self.mount(path).filter(|mount| mount.path.trim_end_matches('/') == path);
        mounted.and_then(|mount| mount.root.as_ref()).or_else(|| self.inode(path))
    }

    /// Whether a user with the groups of this container has a permission for a file. Without
    /// capabilities, as a user other than root has none.
    #[must_use]
    pub fn may(&self, (uid, gid): (u32, u32), inode: &Inode, asked: Permission) -> bool {
        may(&Credentials::unprivileged(uid, gid, &self.groups), inode, asked)
    }

    /// [`Facts::may`] for the user that the container is to run as.
    #[must_use]
    pub fn user_may(&self, inode: &Inode, asked: Permission) -> bool {
        self.may((self.uid, self.gid), inode, asked)
    }
}

/// Whether a directory is many programs' (Filesystem Hierarchy Standard 3.0): /data and /app are a
/// program's own; /srv, /var and the rest of the standard's are not.
fn is_shared(dir: &str) -> bool {
    const OF_VAR: [&str; 9] =
        ["lib", "cache", "spool", "log", "run", "tmp", "opt", "mail", "local"];
    let dir = dir.trim_end_matches('/');
    match dir.rsplit_once('/') {
        None => true,
        Some(("", name)) => ["var", "run", "srv", "opt", "home", "mnt", "usr"].contains(&name),
        Some(("/var", name)) => OF_VAR.contains(&name),
        Some(("/usr" | "/usr/local", _)) => true,
        Some(_) => ["/var/lib/dpkg", "/var/lib/apt", "/var/cache/apt"].contains(&dir),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(path: &str, kind: VolumeKind) -> VolumeMount {
        VolumeMount::new(path, kind, "v")
    }

    fn facts() -> Facts {
        let dir = |path: &str, mode, uid| PathStat::new(path, Inode::directory(mode, uid, uid));
        let link = |path: &str, target| PathStat::new(path, Inode::symlink(target));
        Facts {
            stats: vec![
                dir("/", 0o755, 0),
                dir("/var", 0o755, 0),
                link("/var/run", "/run"),
                dir("/run", 0o755, 0),
                dir("/run/app", 0o750, 33),
                link("/loop", "loop"),
            ],
            mounts: vec![
                mount("/data", VolumeKind::Claim),
                mount("/data/cache/", VolumeKind::EmptyDir),
            ],
            ..Facts::default()
        }
    }

    #[test]
    fn links_are_followed_and_loops_end() {
        let facts = facts();
        assert_eq!(facts.resolved("/var/run/app/../x.pid"), "/run/x.pid");
        assert_eq!(facts.resolved("//var/./run/"), "/run");
        assert_eq!(facts.resolved("/loop"), "/loop");
        assert_eq!(facts.resolved("/../.."), "/");
    }

    #[test]
    fn the_deepest_part_that_is_there() {
        let facts = facts();
        assert_eq!(
            facts.existing("/run/app/a/b").map(|inode| inode.path.as_str()),
            Some("/run/app")
        );
        assert_eq!(facts.existing("/nowhere/x").map(|inode| inode.path.as_str()), Some("/"));
        assert_eq!(
            facts.entries("/run").map(|stat| stat.path.as_str()).collect::<Vec<_>>(),
            ["/run/app"]
        );
    }

    #[test]
    fn what_nobody_may_see_may_be_there() {
        let facts = Facts { observer_uid: 1000, ..facts() };
        assert!(facts.has_content("/run"));
        assert!(facts.has_content("/run/app"), "mode 0750 hides it");
        assert!(!Facts { observer_uid: 33, ..facts }.has_content("/run/app"));
    }

    #[test]
    fn the_innermost_mount_counts() {
        let facts = facts();
        assert_eq!(facts.mount("/data/x").map(|mount| mount.kind), Some(VolumeKind::Claim));
        assert_eq!(
            facts.mount("/data/cache/x").map(|mount| mount.kind),
            Some(VolumeKind::EmptyDir)
        );
        assert_eq!(facts.mount("/database"), None);
    }

    #[test]
    fn usual_places_are_those_that_are_there() {
        assert_eq!(Facts { names: vec!["app".to_owned()], ..facts() }.usual_places(), ["/run"]);
    }

    #[test]
    fn named_places_are_the_programs_own() {
        let named = ["/run/app/x.sock", "/run/other.pid", "/var/lib/app", "/srv/none", "/data"];
        let named = named.map(str::to_owned).to_vec();
        assert_eq!(Facts { named, ..facts() }.named_places(), ["/run/app"]);
    }

    #[test]
    fn missing_places_are_to_be_made_where_nobody_may() {
        let dir = |path: &str, mode| PathStat::new(path, Inode::directory(mode, 0, 0));
        let named = [
            "/data/a/b",
            "/srv/none",
            "/srv/none/x",
            "/srv/x.pid",
            "/run/y",
            "/app/z",
            "/usr/local/share",
        ];
        let stats = vec![
            dir("/", 0o755),
            dir("/srv", 0o755),
            dir("/run", 0o777),
            dir("/app", 0o755),
            dir("/usr/local", 0o755),
        ];
        let facts = Facts {
            uid: 7,
            gid: 7,
            named: named.map(str::to_owned).to_vec(),
            stats,
            ..Facts::default()
        };
        assert_eq!(facts.missing_places(), ["/data", "/srv/none"]);
    }
}
