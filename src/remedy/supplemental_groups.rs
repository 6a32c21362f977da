//! Join the group that may use a file.

use super::{Level, Proposal, Remedy};
use crate::model::edit::Edit;
use crate::model::facts::Facts;
use crate::model::obstacle::{Category, Obstacle};

pub(super) const REMEDY: Remedy = Remedy {
    id: "supplemental-groups",
    level: Level::Pod,
    title: "Join the group of the files",
    explain: "Add the group that may use a file to `supplementalGroups`. Log directories of Debian are root's and group \
              adm's with mode 0750, keys are often a group's with mode 0640: such a group opens them without giving \
              anything else. Joining needs no privilege, since the runtime sets the groups before the program starts.",
    removes: &[Category::UnwritablePath, Category::UnreadableFile, Category::VolumeOwnership],
    suggest,
    propose,
};

fn suggest(obstacle: &Obstacle) -> Option<String> {
    let path = obstacle.path.as_deref()?;
    (obstacle.category == Category::UnreadableFile)
        .then(|| format!("add the group of {path} to supplementalGroups, if its mode lets the group read it"))
}

fn propose(obstacle: &Obstacle, facts: &Facts) -> Vec<Proposal> {
    let Some(path) = obstacle.path.as_deref() else { return Vec::new() };
    let mut steps = facts.searched(path);
    let path = facts.resolved(path);
    let identity = (facts.uid, facts.gid);
    // Every step on the way must be searched, and the last be read, or written where that is what it would take.
    steps.push(path.clone());
    let mut groups = Vec::new();
    for inode in steps.iter().filter_map(|step| facts.live_inode(step)) {
        let last = inode.path == path;
        let wants: &[u32] = match (last, obstacle.category) {
            (true, Category::UnreadableFile) => &[4],
            (true, _) => &[2, 4],
            (false, _) => &[1],
        };
        for want in wants {
            let group_may = inode.mode >> 3 & want == *want;
            // The group root holds no privilege, but much of what an image has is its own: it is for what must be read.
            let is_fit = inode.gid != 0 || obstacle.category == Category::UnreadableFile;
            if group_may && is_fit && !facts.may(identity, inode, *want) && !groups.contains(&inode.gid) {
                groups.push(inode.gid);
            }
        }
    }
    groups
        .into_iter()
        .map(|gid| Proposal {
            remedy: REMEDY.id,
            level: REMEDY.level,
            summary: format!("join group {gid}, which may use {path}"),
            edits: vec![Edit::SupplementalGroup(gid)],
        })
        .collect()
}
