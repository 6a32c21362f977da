//! Join the group that may use a file.

use std::collections::BTreeMap;

use super::{Proposal, Remedy, RemedyLayer};
use crate::model::edit::Edit;
use crate::model::facts::Facts;
use crate::model::filesystem::{Inode, PathStat, Permission, PermissionClass};
use crate::model::obstacle::{Category, Obstacle};

pub(super) const REMEDY: Remedy = Remedy {
    id: "supplemental-groups",
    layer: RemedyLayer::Pod,
    title: "Join the group of the files",
    explain: "Add the group that may use a file to `supplementalGroups`. Log directories of Debian are root's and group \
              adm's with mode 0750, keys are often a group's with mode 0640: such a group opens them without giving \
              anything else. Joining needs no privilege, since the runtime sets the groups before the program starts.",
    removes: &[Category::UnwritablePath, Category::UnreadableFile, Category::VolumeOwnership],
    suggest,
    propose: Some(propose),
};

fn suggest(obstacle: &Obstacle) -> Option<String> {
    let path = obstacle.path.as_deref()?;
    if super::is_engine_socket(path) {
        return Some(format!(
            "do without the socket: ask the cluster's API, or build with what needs no engine. Whoever may use {path} is root on \
             the node; if that is wanted, add the group that owns it there to supplementalGroups"
        ));
    }
    if super::is_of_node(path) && obstacle.category == Category::UnreadableFile {
        return Some(format!(
            "add the group that owns {path} on the node to supplementalGroups, where its mode lets a group read it; else this one \
             workload has to run as root, with drop: [ALL] and a read-only hostPath"
        ));
    }
    if path.starts_with("/root/") {
        return None;
    }
    (obstacle.category == Category::UnreadableFile).then(|| {
        format!("add the group of {path} to supplementalGroups, if its mode lets the group read it")
    })
}

fn propose(obstacle: &Obstacle, facts: &Facts) -> Vec<Proposal> {
    let Some(path) = obstacle.path.as_deref() else { return Vec::new() };
    let mut steps = facts.searched(path);
    let path = facts.resolved(path);
    // Every step on the way must be searched, and the last be read, or written where that is what
    // it would take.
    steps.push(path.clone());
    let mut groups = Vec::new();
    for (step, inode) in steps.iter().filter_map(|step| Some((step, facts.live_inode(step)?))) {
        let is_last = *step == path;
        let wants: &[Permission] = match (is_last, obstacle.category) {
            (true, Category::UnreadableFile) => &[Permission::READ],
            (true, _) => &[Permission::WRITE, Permission::READ],
            (false, _) => &[Permission::EXECUTE],
        };
        for want in wants {
            let group_may = granted_to_group(inode).contains(*want);
            // The group root holds no privilege, but much of what an image has is its own: it is
            // for what must be read.
            let is_fit = inode.gid != 0 || obstacle.category == Category::UnreadableFile;
            if group_may && is_fit && !facts.user_may(inode, *want) && !groups.contains(&inode.gid)
            {
                groups.push(inode.gid);
            }
        }
    }
    groups.into_iter().map(|gid| join(gid, &format!("which may use {path}"))).collect()
}

/// The groups that may read what the user may not of the program's own directory in /etc, such as
/// keys.
pub(super) fn speculative(facts: &Facts) -> Vec<Proposal> {
    let is_own = |path: &str| {
        let rest = path.strip_prefix("/etc/").and_then(|rest| rest.split_once('/'));
        rest.is_some_and(|(dir, _)| facts.names.iter().any(|name| name == dir))
    };
    let is_private = |stat: &&PathStat| {
        stat.inode.is_file()
            && granted_to_group(&stat.inode).contains(Permission::READ)
            && !facts.user_may(&stat.inode, Permission::READ)
            && is_own(&stat.path)
    };
    let files: BTreeMap<u32, &str> = facts
        .stats
        .iter()
        .filter(is_private)
        .map(|stat| (stat.inode.gid, stat.path.as_str()))
        .collect();
    files.into_iter().map(|(gid, path)| join(gid, &format!("which may read {path}"))).collect()
}

fn granted_to_group(inode: &Inode) -> Permission {
    PermissionClass::Group.granted(inode.mode)
}

fn join(gid: u32, why: &str) -> Proposal {
    REMEDY.proposal(format!("join group {gid}, {why}"), vec![Edit::SupplementalGroup(gid)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_opened_by_their_group() {
        let inode = |path: &str, mode, gid| PathStat::new(path, Inode::file(mode, 0, gid));
        let stats = vec![
            inode("/etc/dns/server.key", 0o640, 0),
            inode("/etc/dns/zone", 0o644, 0),
            inode("/etc/dns/secret", 0o600, 7),
            inode("/etc/other/server.key", 0o640, 5),
        ];
        let facts =
            Facts { uid: 9, gid: 9, names: vec!["dns".to_owned()], stats, ..Facts::default() };
        assert_eq!(speculative(&facts), [join(0, "which may read /etc/dns/server.key")]);
        assert!(
            speculative(&Facts { groups: vec![0], ..facts }).is_empty(),
            "it is a member already"
        );
    }
}
