//! What will stand in the way, from what the program does as root today, and from what its spec
//! gives it.

pub mod devices;
mod identity;
pub mod image;
pub mod se_linux;
pub mod trace;
mod virtual_machines;
mod volumes;

use std::collections::{BTreeMap, BTreeSet};

pub use self::virtual_machines::virtual_machine;
pub use self::volumes::{closed_key, volumes};

use crate::model::facts::VolumeMount;
use crate::model::filesystem::{MountInfo, PathStat};
use crate::model::inside::Inside;
use crate::model::obstacle::{Category, Evidence, Obstacle, Operation};
use crate::model::port::{FIRST_UNPRIVILEGED, is_privileged};
use crate::model::workload::Workload;

/// What a workload's spec lets foresee, beside those that it shares claims with.
#[must_use]
pub fn of_spec(workload: &Workload, shared: &se_linux::Shared) -> Vec<Obstacle> {
    // Who works without root already has its devices.
    let works = workload.pods > 0 && workload.failures.is_empty();
    let without_root = workload.containers.iter().all(|container| container.root == Some(false));
    let mut foreseen =
        if works && without_root { Vec::new() } else { devices::obstacles(&workload.spec) };
    foreseen.extend_from_slice(shared.obstacles(workload));
    foreseen.extend(identity::contradictions(workload));
    foreseen
}

/// TCP and UDP ports that a container listens on and that take a privilege, lowest first.
#[must_use]
pub fn low_ports(inside: &Inside) -> Vec<u16> {
    let mut ports: Vec<u16> =
        inside.listeners.iter().filter_map(|listener| listener.port()).collect();
    ports.retain(|port| is_privileged(*port));
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// Siblings above which the directory that they are in stands for them: a spool with a thousand
/// directories is one.
const MAX_SIBLINGS: usize = 3;

/// What a container wrote as root: files held open for writing, and what is newer than its start; a
/// directory stands for more than a few things in it. Left out is what the runtime and the kubelet
/// put there, and what changed in /etc: an entrypoint that rewrites its configuration does so to be
/// helpful, and says so where it cannot. What is held open for writing there is state.
#[must_use]
pub fn written<'a>(inside: &'a Inside) -> Vec<String> {
    let open = inside.open_for_writing.iter().map(|open| open.path.as_str());
    let open = open.filter(|path| is_the_programs(path) || path.starts_with("/etc/"));
    let mounted =
        |stat: &PathStat| inside.mounts.iter().any(|mount| is_below(&mount.point, &stat.path));
    let changed = inside.changed.iter().filter(|stat| !is_only_parent(stat, &inside.changed));
    // The runtime made the mount points in it, and nobody wrote.
    let changed = changed
        .filter(|stat| !(stat.inode.is_directory() && mounted(stat)))
        .map(|stat| stat.path.as_str());
    let mut paths: BTreeSet<&'a str> =
        open.chain(changed.filter(|path| is_the_programs(path))).collect();
    loop {
        let mut siblings: BTreeMap<&'a str, usize> = BTreeMap::new();
        for path in &paths {
            if let Some(parent) = parent(path) {
                *siblings.entry(parent).or_default() += 1;
            }
        }
        let fold = |path: &&'a str| {
            parent(path).filter(|parent| siblings[parent] > MAX_SIBLINGS).unwrap_or(path)
        };
        let folded: BTreeSet<&str> = paths.iter().map(fold).collect();
        if folded == paths {
            return paths.into_iter().map(str::to_owned).collect();
        }
        paths = folded;
    }
}

/// The directory that a path is in, unless that is the root or right below it: everybody's, and no
/// one's to stand for.
fn parent(path: &str) -> Option<&str> {
    let parent = &path[..path.rfind('/')?];
    (parent.matches('/').count() > 1).then_some(parent)
}

/// A directory changes when something in it is made; that is then told by itself.
fn is_only_parent(stat: &PathStat, changed: &[PathStat]) -> bool {
    stat.inode.is_directory() && changed.iter().any(|other| is_below(&other.path, &stat.path))
}

/// Whether a path is below a directory, and not the directory itself.
fn is_below(path: &str, directory: &str) -> bool {
    let rest = path.strip_prefix(directory.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
}

/// What a user makes of its own in a directory for everybody, named after itself: another user makes
/// another (`/tmp/hsperfdata_root`, `/tmp/tmux-0`).
fn is_named_after_root(path: &str) -> bool {
    let rest = ["/tmp/", "/var/tmp/", "/dev/shm/"].iter().find_map(|dir| path.strip_prefix(dir));
    let name = rest.map(|rest| rest.split('/').next().unwrap_or(rest));
    name.is_some_and(|name| {
        ["root", "0"]
            .iter()
            .any(|user| name.strip_suffix(user).is_some_and(|rest| rest.ends_with(['-', '_', '.'])))
    })
}

fn is_the_programs(path: &str) -> bool {
    const OTHERS: [&str; 6] = ["/etc", "/proc", "/sys", "/dev", "/run/secrets", "/var/run/secrets"];
    // Python keeps its bytecode beside the source where it can, and does without where it cannot.
    let bytecode = path.split('/').any(|part| part == "__pycache__");
    path != "/"
        && !bytecode
        && !is_named_after_root(path)
        && !OTHERS.iter().any(|dir| {
            path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
}

/// Where the runtime mounted a directory of its own for a VOLUME of the image: containerd and
/// Docker keep these below a directory `volumes`, the kubelet those of the pod below one for each
/// pod.
#[must_use]
pub fn image_volumes(inside: &Inside) -> Vec<String> {
    let is_image_volume = |mount: &&MountInfo| {
        !mount.options.read_only
            && mount.root.contains("/volumes/")
            && !mount.root.contains("/pods/")
    };
    inside.mounts.iter().filter(is_image_volume).map(|mount| mount.point.clone()).collect()
}

/// A VOLUME of the image, which the program was made to write.
#[must_use]
pub fn image_volume(container: &str, path: &str) -> Obstacle {
    let cause = format!("its image declares {path} as a VOLUME, for what it writes");
    let source = format!("image of container {container}");
    let obstacle = obstacle(container, &source, Operation::Create, Category::UnwritablePath, cause);
    Obstacle { path: Some(path.to_owned()), ..obstacle }
}

/// What a container's start gives to another user, which needs it for what it writes: each
/// directory without those in it. `owner` tells whose a path is in the image: overlayfs gives a
/// directory a new ctime as well when something below it is written.
pub fn given<'i>(
    container: &'i str,
    inside: &'i Inside,
    owner: impl Fn(&str) -> Option<u32> + 'i,
) -> impl Iterator<Item = Obstacle> + 'i {
    let is_in_another =
        |stat: &PathStat| inside.given.iter().any(|other| is_below(&stat.path, &other.path));
    let topmost = inside.given.iter().filter(move |stat| !is_in_another(stat));
    let is_new = move |stat: &&PathStat| owner(&stat.path) != Some(stat.inode.uid);
    topmost.filter(|stat| is_the_programs(&stat.path)).filter(is_new).map(move |stat| {
        let cause = format!("its start gives {} to uid {}", stat.path, stat.inode.uid);
        let source = format!("container {container} as it runs as root");
        let obstacle =
            obstacle(container, &source, Operation::Create, Category::UnwritablePath, cause);
        Obstacle { path: Some(stat.path.clone()), ..obstacle }
    })
}

/// An empty directory where the image's program works, which was made for what it writes: nothing
/// else needs one.
#[must_use]
pub fn empty_directory(container: &str, path: &str) -> Obstacle {
    let cause = format!("its image has the empty directory {path}, for what it writes");
    let source = format!("image of container {container}");
    let obstacle = obstacle(container, &source, Operation::Create, Category::UnwritablePath, cause);
    Obstacle { path: Some(path.to_owned()), ..obstacle }
}

/// What the copy may not write though it works, and the root pod writes or the image was made for.
#[must_use]
pub fn refused(container: &str, path: &str) -> Obstacle {
    let cause =
        format!("{path} is written as root or by the image's plan, and the copy may not write it");
    let source = format!("container {container}, beside the one that runs as root");
    let obstacle = obstacle(container, &source, Operation::Create, Category::UnwritablePath, cause);
    Obstacle { path: Some(path.to_owned()), fatal: false, ..obstacle }
}

/// Obstacles that a container will meet, before it meets them: its low ports and what it writes.
/// The remedies find out which of the paths the new identity may write after all.
#[must_use]
pub fn obstacles(container: &str, inside: &Inside) -> Vec<Obstacle> {
    let source = format!("container {container} as it runs as root");
    let ports = low_ports(inside).into_iter().take(1).map(|port| {
        let cause = format!(
            "it listens on port {port} as root, and ports below {FIRST_UNPRIVILEGED} need a privilege"
        );
        Obstacle {
            port: Some(port),
            ..obstacle(container, &source, Operation::Bind, Category::PrivilegedPort, cause)
        }
    });
    let paths = written(inside).into_iter().map(|path| {
        let below = format!("{path}/");
        let is_dir = inside.changed.iter().any(|stat| {
            stat.path == path && stat.inode.is_directory() || stat.path.starts_with(&below)
        });
        let operation = if is_dir { Operation::Mkdir } else { Operation::Create };
        let cause = format!("it writes {path} as root");
        Obstacle {
            path: Some(path),
            ..obstacle(container, &source, operation, Category::UnwritablePath, cause)
        }
    });
    ports.chain(paths).collect()
}

/// A claim that a container writes and another user may not, as far as is known: with what the
/// running pod has at its mount point, or what a new file system is; and with the group that others
/// have who share it.
#[must_use]
pub fn claim(container: &str, mount: &VolumeMount) -> Obstacle {
    let VolumeMount { path, name, .. } = mount;
    let cause = match (&mount.shared, &mount.root) {
        (Some((group, others)), _) => {
            format!("{name} at {path} is shared with {others}, whose files belong to group {group}")
        }
        (None, Some(root)) => {
            format!(
                "{name} at {path} belongs to {}:{} with mode {:04o}",
                root.uid, root.gid, root.mode
            )
        }
        (None, None) => format!("the volume of {name} at {path} is root's as it is made"),
    };
    let source = format!("spec of container {container}");
    let obstacle =
        obstacle(container, &source, Operation::Create, Category::VolumeOwnership, cause);
    Obstacle { path: Some(path.clone()), ..obstacle }
}

/// The obstacle of the lowest of the ports that a container's spec declares, if it needs a
/// privilege.
#[must_use]
pub fn declared_port(container: &str, ports: &[u16]) -> Option<Obstacle> {
    let port = ports.iter().copied().filter(|port| is_privileged(*port)).min()?;
    let cause = format!(
        "its spec declares port {port}, and ports below {FIRST_UNPRIVILEGED} need a privilege"
    );
    let source = format!("spec of container {container}");
    Some(Obstacle {
        port: Some(port),
        ..obstacle(container, &source, Operation::Bind, Category::PrivilegedPort, cause)
    })
}

fn obstacle(
    container: &str,
    source: &str,
    operation: Operation,
    category: Category,
    cause: String,
) -> Obstacle {
    Obstacle {
        container: Some(container.to_owned()),
        evidence: Evidence { source: source.to_owned(), line: None, text: cause.clone() },
        cause,
        ..Obstacle::new(operation, category)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::model::filesystem::Inode;
    use crate::model::inside::{Listener, OpenFile};

    #[test]
    fn a_directory_stands_for_more_than_a_few_things_in_it() {
        let paths = (0..20).flat_map(|a| (0..20).map(move |b| format!("/var/spool/x/{a}/{b}")));
        let directory = |path: String| PathStat::new(path, Inode::directory(0o755, 0, 0));
        let mut changed: Vec<PathStat> = paths.map(directory).collect();
        changed.extend(
            [
                "/run/a",
                "/run/b",
                "/run/c",
                "/run/d",
                "/run/e",
                "/srv/__pycache__/x",
                "/tmp/hsperfdata_root/1",
            ]
            .map(|path| directory(path.to_owned())),
        );
        let found = written(&Inside { changed, ..Inside::default() });
        assert_eq!(found, ["/run/a", "/run/b", "/run/c", "/run/d", "/run/e", "/var/spool/x"]);
    }

    #[test]
    fn what_the_start_gives_away_is_written_by_who_gets_it() {
        let of = |path: &str, uid| PathStat::new(path, Inode::directory(0o755, uid, uid));
        let given = vec![of("/config", 911), of("/config/a", 911), of("/etc/app", 911)];
        let inside = Inside { given, ..Inside::default() };
        let found: Vec<Obstacle> = super::given("a", &inside, |_| Some(0)).collect();
        assert_eq!(found.len(), 1, "the topmost, and nothing of /etc");
        assert_eq!(found[0].path.as_deref(), Some("/config"));
        assert_eq!(found[0].cause, "its start gives /config to uid 911");
        assert_eq!(super::given("a", &inside, |_| Some(911)).count(), 0, "the image gave it");
    }

    #[test]
    fn what_root_does_is_what_will_be_refused() {
        let dir = |path: &str| PathStat::new(path, Inode::directory(0o755, 0, 0));
        let tcp = |port| Listener::Tcp {
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port,
            process: None,
        };
        let inside = Inside {
            listeners: vec![tcp(8080), tcp(443), tcp(80)],
            open_for_writing: vec![OpenFile { process: 1, path: "/var/log/app.log".to_owned() }],
            changed: vec![
                dir("/"),
                dir("/run"),
                dir("/run/secrets"),
                dir("/var/cache/x"),
                dir("/var/cache/x/tmp"),
                PathStat::new("/run/x.pid", Inode::file(0o644, 0, 0)),
                dir("/etc/x"),
            ],
            ..Inside::default()
        };
        let found: Vec<_> =
            obstacles("a", &inside).into_iter().map(|o| (o.operation, o.path, o.port)).collect();
        let path = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                (Operation::Bind, None, Some(80)),
                (Operation::Create, path("/run/x.pid"), None),
                (Operation::Mkdir, path("/var/cache/x/tmp"), None),
                (Operation::Create, path("/var/log/app.log"), None),
            ]
        );
    }
}
