//! The files of a container as its pod's spec and a look into it tell, for deciding who may do
//! what.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{PodSpec, Volume, VolumeMount};

use crate::model::credentials::Credentials;
use crate::model::filesystem::mounts::MountContent;
use crate::model::filesystem::path;
use crate::model::filesystem::walk::{Entry, Stop, Walkable, walk};
use crate::model::filesystem::{
    Inode, Lookup, Mount, MountInfo, MountOptions, PathStats, Permission, may,
};
use crate::model::volume::{FsGroup, VolumeSource};

/// How the name of a read-only mount ends.
const READ_ONLY: &str = ", read-only";

/// What looks into a running container saw, by one user's eyes: what that user may not reach is not
/// known.
#[derive(Debug, Clone)]
pub struct ObservedFiles {
    observer: Credentials,
    inodes: BTreeMap<String, Inode>,
    asked: BTreeSet<String>,
}

impl ObservedFiles {
    /// Nothing yet.
    #[must_use]
    pub fn by(observer: Credentials) -> ObservedFiles {
        ObservedFiles { observer, inodes: BTreeMap::new(), asked: BTreeSet::new() }
    }

    /// Adds what a look at these paths brought.
    pub fn add(&mut self, asked: impl IntoIterator<Item = String>, found: &PathStats) {
        self.asked.extend(asked);
        let found = found.stats.iter().map(|stat| (stat.path.clone(), stat.inode.clone()));
        self.inodes.extend(found);
    }

    /// What is at a path that has no links in it.
    #[must_use]
    pub fn lookup(&self, path: &str) -> Lookup {
        let path = if path.is_empty() { "/" } else { path };
        if is_of_a_process(path) {
            return Lookup::Unknown;
        }
        if let Some(inode) = self.inodes.get(path) {
            return Lookup::Found(inode.clone());
        }
        let parent = path::parent(path).and_then(|parent| self.inodes.get(parent));
        let is_searched =
            parent.is_some_and(|parent| may(&self.observer, parent, Permission::EXECUTE));
        if is_searched && self.was_asked(path) { Lookup::Missing } else { Lookup::Unknown }
    }

    /// A look goes along the whole way to what it is asked for.
    fn was_asked(&self, path: &str) -> bool {
        let below = format!("{path}/");
        self.asked.contains(path)
            || self.asked.range(below.clone()..).next().is_some_and(|it| it.starts_with(&below))
    }

    /// Where to look next to learn where a path leads; `None` when as much is known as can be.
    #[must_use]
    pub fn unseen(&self, path: &str) -> Option<String> {
        match walk(&mut Unseen(self), vec!["/".to_owned()], path) {
            Ok(places) => (places.len() == 1 && !self.was_asked("/")).then(|| "/".to_owned()),
            Err(Stop::Other(next)) => next,
            Err(Stop::TooManyLinks) => None,
        }
    }
}

/// A walk through the files that were seen. It ends at the first path to look at, or with `None`
/// where a look would not tell more.
struct Unseen<'a>(&'a ObservedFiles);

impl Walkable<str> for Unseen<'_> {
    type Place = String;
    type Stop = Option<String>;

    fn lookup(
        &mut self,
        directory: &String,
        name: &str,
        rest: &[String],
    ) -> Result<Entry<String, String>, Option<String>> {
        let path = path::join(directory, name);
        match self.0.lookup(&path) {
            Lookup::Found(Inode { target: Some(target), .. }) => Ok(Entry::Link(target)),
            Lookup::Found(_) => Ok(Entry::Place(path)),
            Lookup::Unknown if !self.0.was_asked(&path) && !is_of_a_process(&path) => {
                Err(Some(rest.iter().rev().fold(path, |path, name| path::join(&path, name))))
            }
            Lookup::Missing | Lookup::Unknown => Err(None),
        }
    }
}

/// Whether a path is about one process: who looks sees its own there, not that of who asks.
fn is_of_a_process(path: &str) -> bool {
    let name =
        path.strip_prefix("/proc/").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    matches!(name, "self" | "thread-self") || name.starts_with(|c: char| c.is_ascii_digit())
}

/// What is at a path that has no links in it, by a look that walked to it.
#[must_use]
pub fn lookup(found: &PathStats, path: &str) -> Lookup {
    found.at(path).cloned().map_or(Lookup::Missing, Lookup::Found)
}

/// The volumes of a container, where it mounts them, with what a look saw in them.
#[must_use]
pub fn mounts(spec: &PodSpec, container: &str, found: &PathStats) -> Vec<Mount> {
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    let Some(container) = containers.into_iter().find(|known| known.name == container) else {
        return Vec::new();
    };
    let mounted = container.volume_mounts.iter().flatten().filter_map(|mount| {
        let volume = spec.volumes.iter().flatten().find(|volume| volume.name == mount.name)?;
        Some(mount_of(mount, volume, found))
    });
    mounted.collect()
}

fn mount_of(mount: &VolumeMount, volume: &Volume, found: &PathStats) -> Mount {
    let path = mount.mount_path.trim_end_matches('/');
    let source = VolumeSource::of(volume);
    let below = format!("{path}/");
    let entries = found
        .stats
        .iter()
        .filter_map(|stat| Some((stat.path.strip_prefix(&below)?.to_owned(), stat.inode.clone())));
    // A new volume of most kinds is root's, 0755; an emptyDir is everybody's.
    let new =
        || Inode::directory(if source == VolumeSource::EmptyDir { 0o777 } else { 0o755 }, 0, 0);
    let root = found.stats.iter().find(|stat| stat.path == path).map(|stat| stat.inode.clone());
    let read_only = source.is_read_only() || mount.read_only == Some(true);
    Mount {
        options: MountOptions { read_only, ..MountOptions::default() },
        entries: entries.collect(),
        ..Mount::new(
            path,
            &format!("{} {}", source.as_str(), volume.name),
            root.unwrap_or_else(new),
            MountContent::Partial,
        )
    }
}

/// What is mounted in a running container, by its mount table, each named by the spec's volume
/// where it is one; and whether its root file system is read-only. What is in them, whoever looked
/// saw.
#[must_use]
pub fn mounted(
    spec: &PodSpec,
    container: &str,
    table: &[MountInfo],
    takes_group: &dyn Fn(&Volume) -> FsGroup,
) -> (bool, Vec<Mount>) {
    let volumes = volumes(spec, container, takes_group);
    let named = |mount: &MountInfo| {
        let by_path = volumes.iter().find(|volume| volume.path == mount.point);
        // kubelet's directory of a volume: POD/volumes/kubernetes.io~KIND/NAME.
        let by_root = || {
            let name = mount.root.split("/volumes/").nth(1)?.split('/').nth(1)?;
            volumes.iter().find(|volume| volume.what.split([' ', ',']).nth(1) == Some(name))
        };
        by_path.or_else(by_root).map(|volume| volume.what.clone())
    };
    let own = |mount: &MountInfo| match (mount.point.as_str(), mount.fs_type.as_str()) {
        ("/etc/hosts" | "/etc/hostname" | "/etc/resolv.conf" | "/dev/termination-log", _) => {
            "written by the kubelet".to_owned()
        }
        (_, kind) => kind.to_owned(),
    };
    let mounts = table.iter().filter(|mount| mount.point != "/").map(|mount| {
        let what = named(mount).unwrap_or_else(|| own(mount));
        let read_only = mount.options.read_only && !what.ends_with(READ_ONLY);
        Mount {
            options: mount.options,
            fixed: matches!(mount.fs_type.as_str(), "proc" | "sysfs"),
            ..Mount::new(
                &mount.point,
                &format!("{what}{}", if read_only { READ_ONLY } else { "" }),
                Inode::directory(0o755, 0, 0),
                MountContent::Seen,
            )
        }
    });
    (table.iter().any(|mount| mount.point == "/" && mount.options.read_only), mounts.collect())
}

/// The volumes of a container as it starts, by its pod's spec alone. Whose a claim or a directory
/// of the node is, the spec does not tell; what fsGroup does to each, `takes_group` does.
#[must_use]
pub fn volumes(
    spec: &PodSpec,
    container: &str,
    takes_group: &dyn Fn(&Volume) -> FsGroup,
) -> Vec<Mount> {
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    let Some(container) = containers.into_iter().find(|known| known.name == container) else {
        return Vec::new();
    };
    let fs_group = spec.security_context.as_ref().and_then(|context| context.fs_group);
    let fs_group = fs_group.and_then(|gid| u32::try_from(gid).ok());
    let mounts = container.volume_mounts.iter().flatten().map(|mount| {
        let volume = spec.volumes.iter().flatten().find(|volume| volume.name == mount.name);
        volume_of(mount, volume, fs_group, volume.map(takes_group))
    });
    mounts.collect()
}

/// `None` for a volume that the spec does not have: a claim of a StatefulSet's templates.
fn volume_of(
    mount: &VolumeMount,
    volume: Option<&Volume>,
    fs_group: Option<u32>,
    takes_group: Option<FsGroup>,
) -> Mount {
    let path = mount.mount_path.trim_end_matches('/');
    let source = volume.map_or(VolumeSource::PersistentVolumeClaim, VolumeSource::of);
    let read_only = source.is_read_only() || mount.read_only == Some(true);
    let part = mount
        .sub_path
        .as_deref()
        .or(mount.sub_path_expr.as_deref())
        .filter(|part| !part.is_empty());
    let group = fs_group.map_or(String::new(), |gid| match takes_group {
        Some(FsGroup::Unchanged(why)) => format!(", fsGroup {gid} without effect: {why}"),
        _ => format!(", fsGroup {gid}"),
    });
    let what = [
        format!("{} {}", source.as_str(), mount.name),
        part.map_or(String::new(), |part| format!(", subPath {part}")),
        group,
        (if read_only { READ_ONLY } else { "" }).to_owned(),
    ]
    .concat();
    let unknown = Mount::new(path, &what, Inode::directory(0o755, 0, 0), MountContent::Unknown);
    let whole = match volume {
        Some(volume) if volume.empty_dir.is_some() => {
            let memory = volume
                .empty_dir
                .as_ref()
                .is_some_and(|source| source.medium.as_deref() == Some("Memory"));
            Mount { what, ..Mount::empty_dir(path, &mount.name, memory, fs_group) }
        }
        Some(volume) => match keys(volume) {
            Some((keys, memory)) => Mount::of_keys(path, &what, &keys, memory, fs_group),
            None => unknown,
        },
        None => unknown,
    };
    let options = MountOptions { read_only, ..whole.options };
    let mut whole = Mount { options, ..whole };
    if let Some(part) = part
        && whole.content != MountContent::Unknown
    {
        let known = whole.entries.get(part).cloned();
        match (known, source) {
            (Some(inode), _) => whole.root = inode,
            // The kubelet makes a missing directory with the mode of the volume itself
            // (`doSafeMakeDir` in its pkg/volume/util/subpath).
            (None, VolumeSource::EmptyDir) => {}
            (None, _) => whole.content = MountContent::Unknown,
        }
        whole.entries.clear();
    }
    whole
}

/// The files of a volume that is made of keys, with their modes, where the spec lists them, and
/// whether it is on memory.
fn keys(volume: &Volume) -> Option<(BTreeMap<String, u16>, bool)> {
    const DEFAULT_MODE: i32 = 0o644;
    let (items, mode, memory) = match (&volume.config_map, &volume.secret) {
        (Some(source), _) => (&source.items, source.default_mode, false),
        (_, Some(source)) => (&source.items, source.default_mode, true),
        _ => return None,
    };
    let mode_of =
        |of_item: Option<i32>| u16::try_from(of_item.or(mode).unwrap_or(DEFAULT_MODE)).ok();
    let files = items.as_ref()?.iter().map(|item| Some((item.path.clone(), mode_of(item.mode)?)));
    Some((files.collect::<Option<_>>()?, memory))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::filesystem::{Access, AccessVerdict, Files, PathStat, decide};
    use crate::model::volume::Storage;

    #[test]
    fn a_volume_answers_for_its_paths() {
        let spec: PodSpec = serde_json::from_value(json!({
            "containers": [{"name": "a", "volumeMounts": [
                {"name": "tmp", "mountPath": "/tmp/"}, {"name": "conf", "mountPath": "/etc/app"}, {"name": "data", "mountPath": "/data"}]}],
            "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "conf", "configMap": {"name": "x"}}, {"name": "data", "persistentVolumeClaim": {"claimName": "y"}}],
        }))
        .expect("a spec");
        let stat = |path: &str, mode| PathStat::new(path, Inode::directory(mode, 0, 0));
        let stats = vec![stat("/", 0o755), stat("/data", 0o2775), stat("/srv", 0o755)];
        let look = PathStats { stats };
        let image = |path: &str| lookup(&look, path);
        let files = Files::new(&image, false, mounts(&spec, "a", &look));
        let says = |path: &str, subject: &Credentials| {
            let decision = decide(subject, &files, path, Access::Write);
            (decision.allowed(), decision.steps.last().map(ToString::to_string).unwrap_or_default())
        };
        let user = Credentials::unprivileged(1000, 1000, &[]);
        assert!(says("/tmp", &user).0);
        let (allowed, why) = says("/etc/app/x", &user);
        assert!(!allowed && why.contains("configMap conf") && why.contains("read-only"), "{why}");
        assert!(!says("/data", &user).0);
        assert!(says("/data", &Credentials::unprivileged(1000, 0, &[])).0);
        assert!(!says("/srv/x", &user).0);
    }

    #[test]
    fn what_was_seen_tells_what_is_missing_from_what_is_hidden() {
        let directory = |path: &str, mode| PathStat::new(path, Inode::directory(mode, 0, 0));
        let link = |path: &str, target| PathStat::new(path, Inode::symlink(target));
        let mut seen = ObservedFiles::by(Credentials::unprivileged(1000, 1000, &[]));
        let path = "/var/run/app/x";
        assert_eq!(seen.unseen(path).as_deref(), Some(path));
        let stats =
            vec![directory("/", 0o755), directory("/var", 0o755), link("/var/run", "../run")];
        seen.add([path.to_owned()], &PathStats { stats });
        assert_eq!(seen.unseen(path).as_deref(), Some("/run/app/x"));
        let stats = vec![directory("/run", 0o755), directory("/run/app", 0o700)];
        seen.add(["/run/app/x".to_owned()], &PathStats { stats });
        assert_eq!(seen.unseen(path), None);
        assert_eq!(seen.lookup("/run/app/x"), Lookup::Unknown, "nobody but root may look");
        assert_eq!(seen.lookup("/run/other"), Lookup::Unknown, "nobody looked");
        seen.add(["/run/other/y".to_owned(), "/run/app-x".to_owned()], &PathStats::default());
        assert_eq!(seen.lookup("/run/other"), Lookup::Missing);
        let stats = vec![link("/proc/self", "51")];
        seen.add(["/proc/self/fd".to_owned()], &PathStats { stats });
        assert_eq!(
            (seen.lookup("/proc/self"), seen.unseen("/proc/self/fd/1")),
            (Lookup::Unknown, None)
        );
        let mut loops = ObservedFiles::by(Credentials::unprivileged(0, 0, &[]));
        let stats = vec![directory("/", 0o755), link("/l", "l")];
        loops.add(["/l".to_owned()], &PathStats { stats });
        assert_eq!(loops.unseen("/l"), None, "a loop ends");
    }

    #[test]
    fn volumes_are_what_the_spec_says() {
        let spec: PodSpec = serde_json::from_value(json!({
            "securityContext": {"fsGroup": 2000},
            "containers": [{"name": "a", "volumeMounts": [
                {"name": "tmp", "mountPath": "/tmp"}, {"name": "conf", "mountPath": "/etc/app"},
                {"name": "conf", "mountPath": "/etc/one", "subPath": "a.conf"}, {"name": "key", "mountPath": "/key"},
                {"name": "data", "mountPath": "/data"}, {"name": "node", "mountPath": "/node", "readOnly": true}]}],
            "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "key", "secret": {"secretName": "k"}},
                {"name": "conf", "configMap": {"name": "x", "items": [{"key": "a", "path": "a.conf", "mode": 0o400}]}},
                {"name": "node", "hostPath": {"path": "/x"}}],
        }))
        .expect("a spec");
        let nothing = |_: &str| Lookup::Missing;
        let takes_group =
            |volume: &Volume| Storage::default().backing(volume, "n", None).fs_group();
        let files = Files::new(&nothing, false, volumes(&spec, "a", &takes_group));
        let says = |gid, path: &str, access| {
            let decision = decide(&Credentials::unprivileged(1000, gid, &[]), &files, path, access);
            (decision.verdict, decision.steps.last().map(ToString::to_string).unwrap_or_default())
        };
        let allowed = |gid, path, access| says(gid, path, access).0 == AccessVerdict::Allowed;
        assert!(allowed(7, "/tmp/x", Access::Write));
        assert!(
            allowed(2000, "/etc/app/a.conf", Access::Read)
                && !allowed(7, "/etc/app/a.conf", Access::Read)
        );
        assert!(allowed(2000, "/etc/one", Access::Read) && !allowed(7, "/etc/one", Access::Read));
        let (verdict, why) = says(7, "/etc/app/new", Access::Write);
        assert!(why.contains("(configMap conf, fsGroup 2000, read-only): read-only"), "{why}");
        assert_ne!(verdict, AccessVerdict::Allowed);
        assert_eq!(says(7, "/key/x", Access::Read).0, AccessVerdict::Unknown);
        let (verdict, why) = says(2000, "/data/x", Access::Write);
        assert_eq!(verdict, AccessVerdict::Unknown);
        assert!(why.contains("persistentVolumeClaim data, fsGroup 2000"), "{why}");
        assert_ne!(
            says(0, "/node/x", Access::Write).0,
            AccessVerdict::Unknown,
            "it is read-only, whatever is in it"
        );
    }

    #[test]
    fn a_mount_table_names_volumes() {
        let spec: PodSpec = serde_json::from_value(json!({
            "containers": [{"name": "a", "volumeMounts": [{"name": "tmp", "mountPath": "/var/run/tmp"}]}],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        }))
        .expect("a spec");
        let mount = |point: &str, root: &str, read_only| MountInfo {
            point: point.to_owned(),
            root: root.to_owned(),
            fs_type: "ext4".to_owned(),
            source: String::new(),
            options: MountOptions { read_only, noexec: false, nosuid: point == "/x" },
        };
        let table = [
            mount("/", "/", true),
            mount("/run/tmp", "/pods/u/volumes/kubernetes.io~empty-dir/tmp", false),
            mount("/x", "/", true),
            mount("/etc/hosts", "/pods/u/etc-hosts", false),
        ];
        let (read_only, mounts) = mounted(&spec, "a", &table, &|_| FsGroup::Applied);
        assert!(read_only);
        let names: Vec<_> = mounts.iter().map(|mount| mount.what.as_str()).collect();
        assert_eq!(names, ["emptyDir tmp", "ext4, read-only", "written by the kubelet"]);
        assert!(mounts[1].options.nosuid);
    }
}
