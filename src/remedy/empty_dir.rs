//! A volume over a directory in which the image has nothing.

use super::{Proposal, Remedy, RemedyLayer};
use crate::model::edit::{Edit, Fill};
use crate::model::facts::Facts;
use crate::model::filesystem::Permission;
use crate::model::obstacle::{Category, Obstacle, Operation};

pub(super) const REMEDY: Remedy = Remedy {
    id: "empty-dir",
    layer: RemedyLayer::Pod,
    title: "Mount an emptyDir over the directory",
    explain: "An emptyDir belongs to root with mode 0777, so every user may write it, and a read-only root file system \
              does not reach it. It starts empty and ends with the pod: right for caches, pid files and sockets, and \
              only for directories in which the image has nothing. Over a directory with content it would hide that \
              content, and turn a loud failure into a silent one.",
    removes: &[
        Category::UnwritablePath,
        Category::ReadOnlyRootfs,
        Category::HomeUnwritable,
        Category::UnreadableFile,
    ],
    suggest,
    propose: Some(propose),
};

fn suggest(obstacle: &Obstacle) -> Option<String> {
    let path =
        obstacle.path.as_deref().filter(|_| obstacle.category != Category::UnreadableFile)?;
    let dir = directory_by_text(path, obstacle.operation)?;
    if super::is_for_everybody(dir) {
        return Some(format!("mount an emptyDir at {dir}"));
    }
    Some(format!(
        "mount an emptyDir at {dir}, if the image has nothing in it: it would hide what is there"
    ))
}

fn propose(obstacle: &Obstacle, facts: &Facts) -> Vec<Proposal> {
    directories(obstacle, facts)
        .into_iter()
        .filter(|dir| !facts.has_content(dir))
        .flat_map(|dir| [Fill::Empty, Fill::Own].map(|fill| (dir.clone(), fill)))
        .filter(|(_, fill)| *fill == Fill::Empty || facts.has_shell)
        .map(|(dir, fill)| {
            let summary = match fill {
                Fill::Own => format!("mount a directory of its own from an emptyDir at {dir}"),
                _ => format!("mount an emptyDir at {dir}, where the image has nothing"),
            };
            REMEDY.proposal(
                summary,
                vec![Edit::Directory { container: facts.container.clone(), path: dir, fill }],
            )
        })
        .collect()
}

/// Directories that are made on a guess: each is left out again for a round.
const MAX_MISSING: usize = 4;

/// Directories that the program names and the image has not.
pub(super) fn speculative(facts: &Facts) -> Vec<Proposal> {
    let missing = facts
        .missing_places()
        .into_iter()
        .filter(|place| facts.mount(place).is_none())
        .take(MAX_MISSING);
    missing
        .map(|place| {
            let summary =
                format!("mount an emptyDir at {place}, which it names and the image has not");
            let edit = Edit::Directory {
                container: facts.container.clone(),
                path: place,
                fill: Fill::Empty,
            };
            REMEDY.proposal(summary, vec![edit])
        })
        .collect()
}

/// Directories that no volume may cover: the container would not start, or would be another one.
pub(super) const NEVER: [&str; 12] = [
    "/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/sbin", "/sys",
    "/usr",
];

/// Where a writable directory could help, best first: the one that the refused path is in or is to
/// be, and then, for what does not exist yet, the nearest one that the image has.
pub(super) fn directories(obstacle: &Obstacle, facts: &Facts) -> Vec<String> {
    let Some(path) = obstacle.path.as_deref().filter(|path| path.starts_with('/')) else {
        return guesses(obstacle, facts);
    };
    let path = facts.resolved(path);
    let parent = parent(&path);
    let there = facts.existing(&path);
    // What the image has and this user may not read, no volume gives him; what it has not was to be
    // made.
    if obstacle.category == Category::UnreadableFile && there.is_none_or(|inode| inode.path == path)
    {
        return Vec::new();
    }
    let makes_directory = obstacle.operation == Operation::Mkdir;
    let mut found = Vec::new();
    match there {
        Some(there) if there.path == path && there.inode.is_directory() => found.push(path.clone()),
        Some(inode) if inode.path == path => found.push(parent.to_owned()),
        // What is missing is made in a directory that is there. Where that has nothing else, the
        // whole of it serves what the program makes next, too; else the directory to be
        // made, alone.
        Some(inode) if makes_directory && facts.has_content(&inode.path) => {
            found.extend([path.clone(), inode.path.clone()])
        }
        Some(inode) if makes_directory => found.push(inode.path.clone()),
        Some(inode) => {
            found.push(parent.to_owned());
            found.push(inode.path.clone());
        }
        None if makes_directory => found.extend([path.clone(), parent.to_owned()]),
        None => found.push(parent.to_owned()),
    }
    found.dedup();
    found.retain(|dir| {
        !NEVER.contains(&dir.as_str())
            && facts
                .mount(dir)
                .is_none_or(|mount| mount.path.trim_end_matches('/') != dir && !mount.read_only)
    });
    found
}

/// Where programs write without naming a path: the temporary directory, where their databases lie,
/// what the root pod wrote, and the working directory, where a path that is relative leads.
fn guesses(obstacle: &Obstacle, facts: &Facts) -> Vec<String> {
    let mut found = Vec::new();
    if obstacle.category == Category::ReadOnlyRootfs {
        found.push("/tmp".to_owned());
    }
    found.extend(facts.databases.iter().map(|file| parent(file).to_owned()));
    let dirs = facts.written.iter().map(|path| match facts.inode(path) {
        Some(inode) if inode.is_directory() => path.clone(),
        _ => parent(path).to_owned(),
    });
    found.extend(dirs);
    let is_closed = |dir: &&String| {
        facts.inode(dir).is_some_and(|inode| !facts.user_may(inode, Permission::WRITE))
    };
    found.extend(facts.directory.iter().filter(is_closed).cloned());
    found.dedup();
    found.retain(|dir| !NEVER.contains(&dir.as_str()) && facts.mount(dir).is_none());
    found
}

pub(super) fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(at) => &path[..at],
    }
}

/// The directory by the text alone: of a directory to be made the parent, of a file the directory
/// that it is in. A message that says of a directory that it is not writable is about that
/// directory. `None` where no volume may be, or none helps.
pub(super) fn directory_by_text(path: &str, operation: Operation) -> Option<&str> {
    let path = path.trim_end_matches('/');
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_file = name.trim_start_matches('.').contains('.');
    let dir = match operation {
        Operation::Mkdir if parent(path) == "/" => path,
        Operation::Other if !is_file => path,
        _ => parent(path),
    };
    (path.starts_with('/') && !NEVER.contains(&dir) && !super::is_of_node(path)).then_some(dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::filesystem::{Inode, PathStat};

    #[test]
    fn a_message_about_a_directory_is_about_that_directory() {
        let dir = |path, operation| directory_by_text(path, operation);
        assert_eq!(dir("/srv/app/logs", Operation::Other), Some("/srv/app/logs"));
        assert_eq!(dir("/srv/app/logs/", Operation::Other), Some("/srv/app/logs"));
        assert_eq!(dir("/srv/app/app.log", Operation::Other), Some("/srv/app"));
        assert_eq!(dir("/tmp", Operation::Other), Some("/tmp"));
        assert_eq!(dir("/spool", Operation::Mkdir), Some("/spool"));
        assert_eq!(dir("/srv/spool/x", Operation::Mkdir), Some("/srv/spool"));
        for never in ["/etc/x.conf", "/var/log/pods/1.log", "/run/docker.sock", "x"] {
            assert_eq!(dir(never, Operation::Open), None, "{never}");
        }
    }

    #[test]
    fn a_refusal_without_a_path_may_be_of_the_working_directory() {
        let stat = |mode| PathStat::new("/srv/app", Inode::directory(mode, 0, 0));
        let facts = |mode| Facts {
            uid: 1000,
            gid: 1000,
            directory: Some("/srv/app".to_owned()),
            stats: vec![stat(mode)],
            ..Facts::default()
        };
        let refused = Obstacle::new(Operation::Open, Category::UnwritablePath);
        assert_eq!(directories(&refused, &facts(0o755)), ["/srv/app"]);
        assert!(directories(&refused, &facts(0o777)).is_empty(), "it may be written already");
        assert!(
            directories(&refused, &Facts { directory: Some("/".to_owned()), ..facts(0o755) })
                .is_empty()
        );
    }
}
