//! Let the kubelet give a volume to a group.

use super::{Level, Proposal, Remedy};
use crate::model::edit::Edit;
use crate::model::facts::{Facts, VolumeKind};
use crate::model::obstacle::{Category, Obstacle};

pub(super) const REMEDY: Remedy = Remedy {
    id: "fs-group",
    level: Level::Pod,
    title: "Set fsGroup",
    explain: "With `fsGroup` the kubelet gives the files of a claim to that group, makes them writable for it, and sets \
              the setgid bit on directories; the process is a member. The owner stays, so a program that must own its \
              directory is not helped. It does nothing on hostPath and NFS, nor where the CSI driver's fsGroupPolicy is \
              None, and it opens files that must be private.",
    removes: &[Category::VolumeOwnership, Category::UnwritablePath],
    suggest,
    propose,
};

fn suggest(obstacle: &Obstacle) -> Option<String> {
    let path = obstacle.path.as_deref().unwrap_or("the volume");
    Some(match obstacle.category {
        Category::VolumeOwnership => {
            format!("set fsGroup to the gid of the program, so that the kubelet makes {path} writable for it")
        }
        _ => format!("set fsGroup, if {path} is on a volume of a claim"),
    })
}

fn propose(obstacle: &Obstacle, facts: &Facts) -> Vec<Proposal> {
    let path = obstacle.path.as_deref().map(|path| facts.resolved(path));
    let mount = path.as_deref().and_then(|path| facts.mount(path));
    if mount.is_none_or(|mount| mount.kind != VolumeKind::Claim || mount.read_only) {
        return Vec::new();
    }
    vec![Proposal {
        remedy: REMEDY.id,
        level: REMEDY.level,
        summary: format!("set fsGroup {}, so that the volume is writable for it", facts.gid),
        edits: vec![Edit::FsGroup(facts.gid)],
    }]
}
