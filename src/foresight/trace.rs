//! What the trace of a program that runs as root says will stand in the way of another user.

use std::collections::BTreeSet;

use super::{obstacle, obstacles};
use crate::model::filesystem::{Inode, PathStat};
use crate::model::inside::Inside;
use crate::model::obstacle::{Category, Evidence, Obstacle, Operation};
use crate::model::trace::{PathChange, Traced};

/// Directories and files that every user may read in every image, and those that no other user is
/// to read.
const NOT_THE_PROGRAMS: [&str; 14] = [
    "/bin",
    "/etc/group",
    "/etc/gshadow",
    "/etc/ld.so.cache",
    "/etc/passwd",
    "/etc/security",
    "/etc/shadow",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/lib",
    "/lib64",
    "/sbin",
    "/usr/bin",
    "/usr/lib",
];

/// A trace as a look into the container would have it: what is listened on, what was written.
#[must_use]
pub fn inside(traced: &Traced) -> Inside {
    let changed = traced.touched.iter().filter(|(_, touched)| {
        // A new time alone is often given to what was there, to mark it.
        touched.changes.iter().any(|change| *change != PathChange::Times)
    });
    Inside {
        listeners: traced.listeners.iter().map(|(listener, _)| listener.clone()).collect(),
        changed: changed
            .map(|(path, touched)| {
                let is_dir = touched.changes.contains(&PathChange::Directory)
                    || traced
                        .seen
                        .iter()
                        .any(|stat| stat.path == *path && stat.inode.is_directory());
                let inode = match is_dir {
                    true => Inode::directory(0o755, 0, 0),
                    false => Inode::file(0o644, 0, 0),
                };
                PathStat::new(path.clone(), inode)
            })
            .collect(),
        ..Inside::default()
    }
}

/// What will be refused: low ports, what is written, a change of the root directory, and what is
/// read that not everybody may read. Which of it the new
/// identity may do after all is for others to find out.
#[must_use]
pub fn of_trace(container: &str, source: &str, traced: &Traced) -> Vec<Obstacle> {
    let mut found = obstacles(container, &inside(traced));
    for obstacle in &mut found {
        let line = match (&obstacle.path, obstacle.port) {
            (Some(path), _) => {
                let below = format!("{path}/");
                let there = traced
                    .touched
                    .iter()
                    .filter(|(one, _)| *one == path || one.starts_with(&below));
                there.map(|(_, touched)| touched.first_line).min()
            }
            (None, port) => traced
                .listeners
                .iter()
                .find(|(listener, _)| listener.port() == port)
                .map(|(_, line)| *line),
        };
        if obstacle.path.as_deref().is_some_and(|path| path.starts_with("/root/")) {
            // Where root is at home; another user has a home of its own, or none.
            obstacle.category = Category::HomeUnwritable;
        }
        obstacle.evidence =
            Evidence { source: source.to_owned(), line, text: obstacle.cause.clone() };
    }
    let read = private(traced).into_iter().map(|(path, line)| {
        let cause = format!("it reads {path} as root");
        let one = obstacle(container, source, Operation::Open, Category::UnreadableFile, cause);
        let evidence = Evidence { line: Some(line), ..one.evidence.clone() };
        Obstacle { path: Some(path.to_owned()), evidence, ..one }
    });
    found.extend(read);
    found.extend(traced.needed.iter().filter(|needed| needed.capability == SYS_CHROOT).map(
        |needed| {
            let path = needed.text.split('"').nth(1).map(str::to_owned);
            let cause =
                format!("it changes its root directory as root, which takes CAP_{SYS_CHROOT}");
            let one =
                obstacle(container, source, Operation::Other, Category::CapabilityMissing, cause);
            let evidence =
                Evidence { line: Some(needed.line), text: needed.text.clone(), ..one.evidence };
            Obstacle { path, capability: Some(SYS_CHROOT.to_owned()), evidence, ..one }
        },
    ));
    found
}

/// The one capability of a root program that a line of its configuration asks for.
const SYS_CHROOT: &str = "SYS_CHROOT";

/// Files that the program reads and did not make, where it may be that not everybody may read them.
#[must_use]
pub fn private(traced: &Traced) -> Vec<(&str, u64)> {
    let made = |path: &str| traced.touched.contains_key(path);
    let public = |path: &str| {
        NOT_THE_PROGRAMS.iter().any(|dir| {
            path.strip_prefix(dir)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '-']))
        })
    };
    let read = traced.read.iter().filter(|(path, _)| !made(path) && !public(path));
    read.map(|(path, line)| (path.as_str(), *line)).collect()
}

/// Directories in which everybody may write in every image (FHS 3.0, chapters 3.18 and 5.15).
const WORLDS: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// What stood in the container before, as far as the trace tells: for a plan without a look at the
/// image. A directory in which something was made was there, and is taken for root's; what is in it
/// is not known, so that it is copied.
#[must_use]
pub fn stats(traced: &Traced) -> Vec<PathStat> {
    const READ_BY_OTHERS: u16 = 0o004;
    const READ_BY_GROUP_AND_OTHERS: u16 = 0o044;
    const WRITE: u16 = 0o222;
    const WRITE_BY_OWNER: u16 = 0o200;
    let directory = |path: &str| {
        let mode = if WORLDS.contains(&path) { 0o1777 } else { 0o711 };
        PathStat::new(path, Inode::directory(mode, 0, 0))
    };
    let mut found: Vec<PathStat> = vec![directory("/")];
    let mut known: BTreeSet<&str> = BTreeSet::from(["/"]);
    for PathStat { path, inode } in &traced.seen {
        // Whose it is was not told: of what others may not read, nothing is known.
        let is_told = inode.is_directory() || inode.uid != 0 || inode.mode & READ_BY_OTHERS != 0;
        if is_told && known.insert(path) {
            let mut inode = inode.clone();
            if inode.is_directory() && inode.mode & WRITE == WRITE_BY_OWNER {
                inode.mode &= !READ_BY_GROUP_AND_OTHERS;
            }
            found.push(PathStat::new(path.clone(), inode));
        }
    }
    let made = |path: &str| {
        traced
            .touched
            .get(path)
            .is_some_and(|touched| touched.changes.contains(&PathChange::Directory))
    };
    for path in traced.touched.keys() {
        let mut at = path.as_str();
        while let Some(end) = at.rfind('/').filter(|end| *end > 0) {
            at = &at[..end];
            if !made(at) && known.insert(at) {
                found.push(directory(at));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::trace::Needed;

    #[test]
    fn a_change_of_the_root_directory_is_foreseen_with_its_path() {
        let needed = |capability, text: &str| Needed {
            capability,
            times: 1,
            line: 7,
            text: text.to_owned(),
        };
        let traced = Traced {
            needed: vec![
                needed("SYS_CHROOT", "chroot(\"/var/lib/proxy\") = 0"),
                needed("CHOWN", "chown(\"/x\", 1, 1) = 0"),
            ],
            ..Traced::default()
        };
        let [found] = &of_trace("a", "strace a", &traced)[..] else { panic!("one obstacle") };
        assert_eq!(
            (found.path.as_deref(), found.capability.as_deref()),
            (Some("/var/lib/proxy"), Some("SYS_CHROOT"))
        );
        assert_eq!((found.category, found.evidence.line), (Category::CapabilityMissing, Some(7)));
    }
}
