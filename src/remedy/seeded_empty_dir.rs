//! A volume over a directory, filled with what the image has there.

use super::empty_dir::{directories, directory_by_text};
use super::{Proposal, Remedy, RemedyLayer};
use crate::model::edit::{Edit, Fill};
use crate::model::facts::Facts;
use crate::model::filesystem::{Inode, Permission};
use crate::model::obstacle::{Category, Obstacle};

pub(super) const REMEDY: Remedy = Remedy {
    id: "seeded-empty-dir",
    layer: RemedyLayer::Pod,
    title: "Mount an emptyDir that an init container fills from the image",
    explain: "Where the image has content, an init container of the same image and user copies it into an emptyDir, \
              which is then mounted over the directory. The copy belongs to the user. It needs sh and cp in the image \
              and files that the user may read; it costs the time and the space of the copy at every start.",
    removes: &[
        Category::UnwritablePath,
        Category::ReadOnlyRootfs,
        Category::OwnershipChange,
        Category::HomeUnwritable,
        Category::UnreadableFile,
    ],
    suggest,
    propose: Some(propose),
};

fn suggest(obstacle: &Obstacle) -> Option<String> {
    let path =
        obstacle.path.as_deref().filter(|_| obstacle.category != Category::UnreadableFile)?;
    let dir =
        directory_by_text(path, obstacle.operation).filter(|dir| !super::is_for_everybody(dir))?;
    Some(format!(
        "mount an emptyDir at {dir} that an init container of the same image fills with cp -r, if the image has content there"
    ))
}

fn propose(obstacle: &Obstacle, facts: &Facts) -> Vec<Proposal> {
    if !facts.has_shell {
        return Vec::new();
    }
    directories(obstacle, facts)
        .into_iter()
        .filter(|dir| facts.has_content(dir))
        .flat_map(|dir| {
            let copy = match copy(facts, &dir) {
                Fill::Copy | Fill::Readable if facts.looked_at_running => Fill::Seen,
                copy => copy,
            };
            [copy, Fill::Own].map(|fill| (dir.clone(), fill))
        })
        .map(|(dir, fill)| {
            let summary = match fill {
                Fill::Own => format!("mount a copy of {dir} in a directory of its own"),
                Fill::Directories => {
                    format!(
                        "mount an emptyDir at {dir} with the directories that the image has there"
                    )
                }
                _ => format!(
                    "mount an emptyDir at {dir} that an init container fills from the image"
                ),
            };
            REMEDY.proposal(
                summary,
                vec![Edit::Directory { container: facts.container.clone(), path: dir, fill }],
            )
        })
        .collect()
}

/// Where the files are logs: of the package manager, of logins, of programs that ran while the image
/// was built. A program needs the directories.
const LOGS: &str = "/var/log";

fn copy(facts: &Facts, dir: &str) -> Fill {
    if dir == LOGS {
        return Fill::Directories;
    }
    let is_hidden = |inode: &Inode| !inode.is_symlink() && !facts.user_may(inode, Permission::READ);
    // Logs of logins among those of programs: the program could not read them either.
    if facts.entries(dir).any(|entry| is_hidden(&entry.inode)) {
        Fill::Readable
    } else {
        Fill::Copy
    }
}

/// The places where programs write by custom, or where this one does by what it names.
pub(super) fn speculative(facts: &Facts) -> Vec<Proposal> {
    if !facts.has_shell {
        return Vec::new();
    }
    let mut places = facts.usual_places();
    places.extend(facts.named_places());
    places.sort();
    places.dedup();
    places.retain(|place| {
        let is_closed = |inode| !facts.user_may(inode, Permission::WRITE);
        facts.mount(place).is_none() && facts.inode(place).is_some_and(is_closed)
    });
    let proposal = |place: String| {
        let summary = format!("make {place} writable, where it may want to write");
        let fill = if facts.has_content(&place) { copy(facts, &place) } else { Fill::Empty };
        REMEDY.proposal(
            summary,
            vec![Edit::Directory { container: facts.container.clone(), path: place, fill }],
        )
    };
    places.into_iter().map(proposal).collect()
}
