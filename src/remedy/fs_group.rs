//! Let the kubelet give a volume to a group.

use super::{Proposal, Remedy, RemedyLayer};
use crate::model::edit::Edit;
use crate::model::facts::{Facts, VolumeKind};
use crate::model::obstacle::{Category, Obstacle, Operation};
use crate::model::volume::FsGroup;

pub(super) const REMEDY: Remedy = Remedy {
    id: "fs-group",
    layer: RemedyLayer::Pod,
    title: "Set fsGroup",
    explain: "With `fsGroup` the kubelet gives the files of a claim to that group, makes them writable for it, and sets \
              the setgid bit on directories, so that new files belong to it too; the process is a member. The owner \
              stays, so a program that must own its directory is not helped. It does nothing on hostPath, NFS and block \
              devices, nor where the CSI driver's fsGroupPolicy is None, and it opens files that must be private: a key \
              of mode 0600 becomes 0660, one of a Secret 0640. Each start of a pod changes every file again, which takes \
              minutes for a million of them (the event VolumePermissionChangeInProgress tells); `fsGroupChangePolicy: \
              OnRootMismatch` leaves a volume alone whose top directory is right. Pods that share a claim need the same \
              fsGroup: each start of one with another group takes the files from the rest.",
    removes: &[Category::VolumeOwnership, Category::UnwritablePath, Category::UnreadableFile],
    suggest,
    propose: Some(propose),
};

fn suggest(obstacle: &Obstacle) -> Option<String> {
    // The owner stays, and more may write than before.
    if obstacle.demand().is_some() {
        return None;
    }
    let path = obstacle.path.as_deref()?;
    if super::is_of_node(path) || !path.starts_with('/') {
        return None;
    }
    match (obstacle.category, obstacle.operation) {
        // It is known to do nothing there, or is what opened too much.
        (Category::VolumeOwnership, Operation::Chown | Operation::Chmod | Operation::Mount) => None,
        (Category::VolumeOwnership, Operation::Open) => Some(format!(
            "set fsGroup to the gid of the program, so that the kubelet makes {path} readable for it"
        )),
        (Category::VolumeOwnership, _) => Some(format!(
            "set fsGroup to the gid of the program, so that the kubelet makes {path} writable for it"
        )),
        (Category::UnreadableFile, _) => None,
        _ => Some(format!("set fsGroup, if {path} is on a volume of a claim")),
    }
}

fn propose(obstacle: &Obstacle, facts: &Facts) -> Vec<Proposal> {
    let path = obstacle.path.as_deref().map(|path| facts.resolved(path));
    let Some(mount) = path.as_deref().and_then(|path| facts.mount(path)) else { return Vec::new() };
    let writes = obstacle.category != Category::UnreadableFile;
    let fits = match mount.kind {
        VolumeKind::Claim => !(writes && mount.read_only),
        // Keys are never written, and readable for the group.
        VolumeKind::Projected => !writes,
        // Open to all by itself, but not what one container has in it to another.
        VolumeKind::EmptyDir => !mount.beside.is_empty(),
        VolumeKind::Foreign => false,
    };
    let what = if writes { "writable" } else { "readable" };
    let (group, whose) = match &mount.shared {
        Some((group, others)) => (*group, format!(", the group of {others}")),
        None => (facts.gid, String::new()),
    };
    let condition = match &mount.fs_group {
        FsGroup::Applied => String::new(),
        FsGroup::Unchanged(_) => return Vec::new(),
        FsGroup::Unknown(why) => format!(", if its storage lets the kubelet do that: {why}"),
    };
    let beside = match mount.kind {
        VolumeKind::EmptyDir => format!(" beside {}", mount.beside.join(" and ")),
        _ => String::new(),
    };
    let proposal = REMEDY.proposal(
        format!(
            "set fsGroup {group}{whose}, so that {} is {what} for it{beside}{condition}",
            mount.name
        ),
        vec![Edit::FsGroup(group)],
    );
    if fits { vec![proposal] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::facts::VolumeMount;

    fn proposed(
        kind: VolumeKind,
        fs_group: FsGroup,
        shared: Option<(u32, &str)>,
        category: Category,
    ) -> Vec<String> {
        let mount = VolumeMount {
            name: "claim data".to_owned(),
            fs_group,
            shared: shared.map(|(group, who)| (group, who.to_owned())),
            ..VolumeMount::new("/data", kind, "data")
        };
        let facts = Facts { gid: 1000, mounts: vec![mount], ..Facts::default() };
        let obstacle = Obstacle {
            path: Some("/data/x".to_owned()),
            ..Obstacle::new(Operation::Create, category)
        };
        propose(&obstacle, &facts).into_iter().map(|proposal| proposal.summary).collect()
    }

    #[test]
    fn it_is_proposed_only_where_it_works() {
        let unchanged = || FsGroup::Unchanged("it is NFS".to_owned());
        let write = Category::VolumeOwnership;
        assert_eq!(
            proposed(VolumeKind::Claim, FsGroup::Applied, None, write),
            ["set fsGroup 1000, so that claim data is writable for it"]
        );
        assert_eq!(proposed(VolumeKind::Claim, unchanged(), None, write), [""; 0]);
        assert_eq!(proposed(VolumeKind::Foreign, unchanged(), None, write), [""; 0]);
        let unknown = proposed(VolumeKind::Claim, FsGroup::Unknown("403".to_owned()), None, write);
        assert!(
            unknown[0].ends_with("if its storage lets the kubelet do that: 403"),
            "{unknown:?}"
        );
        let shared =
            proposed(VolumeKind::Claim, FsGroup::Applied, Some((3000, "deployment/b")), write);
        assert_eq!(
            shared,
            ["set fsGroup 3000, the group of deployment/b, so that claim data is writable for it"]
        );
        assert_eq!(proposed(VolumeKind::Projected, FsGroup::Applied, None, write), [""; 0]);
        assert_eq!(
            proposed(VolumeKind::Projected, FsGroup::Applied, None, Category::UnreadableFile).len(),
            1
        );
        assert_eq!(proposed(VolumeKind::EmptyDir, FsGroup::Applied, None, write), [""; 0]);
    }

    #[test]
    fn containers_of_one_pod_share_what_they_write_by_it() {
        let beside = vec!["web".to_owned()];
        let mount =
            VolumeMount { beside, ..VolumeMount::new("/logs", VolumeKind::EmptyDir, "logs") };
        let facts = Facts { gid: 1000, mounts: vec![mount], ..Facts::default() };
        let path = Some("/logs/access.log".to_owned());
        let obstacle =
            Obstacle { path, ..Obstacle::new(Operation::Open, Category::UnreadableFile) };
        let summaries: Vec<String> =
            propose(&obstacle, &facts).into_iter().map(|proposal| proposal.summary).collect();
        assert_eq!(
            summaries,
            ["set fsGroup 1000, so that volume logs is readable for it beside web"]
        );
    }
}
