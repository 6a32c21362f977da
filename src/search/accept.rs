//! What is no reason for a change, and which change is not to be made.

use std::path::Path;

use super::Search;
use crate::model::edit::Edit;
use crate::model::facts::{Facts, VolumeKind, VolumeMount};
use crate::model::filesystem::{Inode, PathStat, Permission};
use crate::model::inside::Inside;
use crate::model::obstacle::{Category, Errno, Obstacle, Operation};
use crate::remedy::Proposal;

impl Search<'_> {
    /// Whether its remedy was not ruled out, and it would not change a user that was asked for.
    pub(super) fn is_wanted(&self, proposal: &Proposal) -> bool {
        let ruled_out = self.options.without.iter().any(|id| id == proposal.remedy);
        !ruled_out && (self.options.run_as.is_none() || !changes_user(proposal))
    }
}

pub(super) fn changes_user(proposal: &Proposal) -> bool {
    proposal.edits.iter().any(|edit| matches!(edit, Edit::RunAs { .. }))
}

/// Whether an obstacle is the same as before: numbers in names differ from run to run.
pub(super) fn is_again(before: &Obstacle, now: &Obstacle) -> bool {
    let shape = |obstacle: &Obstacle| {
        let path = obstacle.path.as_deref().unwrap_or_default();
        let path: String = path.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        (obstacle.container.clone(), obstacle.category, path, obstacle.port)
    };
    shape(before) == shape(now)
}

/// bash says the same of a program that may not be executed and of a redirection to a file. Where
/// the image has no such program, it was one to a file.
pub(super) fn reread(obstacle: Obstacle, facts: &Facts) -> Obstacle {
    let Some(path) = obstacle.path.as_deref().filter(|path| path.starts_with('/')) else {
        return obstacle;
    };
    let resolved = facts.resolved(path);
    let directory = &resolved[..resolved.rfind('/').unwrap_or(0).max(1)];
    let observer = (facts.observer_uid, facts.observer_uid);
    let was_seen = facts
        .inode(directory)
        .is_some_and(|inode| facts.may(observer, inode, Permission::LIST_DIRECTORY));
    let is_program = facts.inode(&resolved).is_some();
    if obstacle.operation != Operation::Exec
        || obstacle.errno != Some(Errno::Eacces)
        || !was_seen
        || is_program
    {
        return obstacle;
    }
    let cause = format!("the container's user may not create {path}, which the image has not");
    Obstacle { operation: Operation::Create, category: Category::UnwritablePath, cause, ..obstacle }
}

/// Whether the user that was chosen may do it anyway, as far as the image and the running container
/// tell.
pub(super) fn is_allowed(obstacle: &Obstacle, facts: &Facts, inside: Option<&Inside>) -> bool {
    let Some(given) = obstacle.path.as_deref() else { return false };
    let path = facts.resolved(given);
    if obstacle.operation == Operation::Exec {
        return false;
    }
    if let Some(mount) = facts.mount(&path) {
        if obstacle.category == Category::UnreadableFile && mount.kind == VolumeKind::Projected {
            return false;
        }
        // Its top directory, and what the container changed there.
        let below = |stat: &&PathStat| Path::new(&stat.path).starts_with(&path);
        let mut changed = inside.iter().flat_map(|inside| &inside.changed).filter(below);
        let may = |inode: &Inode| inode.is_symlink() || facts.user_may(inode, Permission::WRITE);
        let is_own = mount.shared.is_none() && mount.root.as_ref().is_some_and(may);
        return mount.kind != VolumeKind::Claim || is_own && changed.all(|stat| may(&stat.inode));
    }
    let reaches = facts
        .searched(given)
        .iter()
        .filter_map(|dir| facts.inode(dir))
        .all(|directory| facts.user_may(directory, Permission::EXECUTE));
    // Of what was not seen nothing is foreseen.
    let allows = match obstacle.category {
        Category::UnreadableFile => {
            facts.inode(&path).is_none_or(|inode| facts.user_may(inode, Permission::READ))
        }
        _ => facts
            .existing(&path)
            .is_none_or(|there| facts.user_may(&there.inode, Permission::WRITE)),
    };
    reaches && allows
}

/// Whether a claim is closed to the user that was chosen, as far as is known: fsGroup is not set,
/// or is not that of the others who share it.
pub(super) fn is_refused(mount: &VolumeMount, facts: &Facts, fs_group: Option<u64>) -> bool {
    if mount.kind != VolumeKind::Claim || mount.read_only {
        return false;
    }
    if let Some((group, _)) = &mount.shared {
        return fs_group != Some(u64::from(*group));
    }
    let may = |root: &Inode| facts.user_may(root, Permission::CHANGE_DIRECTORY);
    fs_group.is_none() && !mount.root.as_ref().is_some_and(may)
}
