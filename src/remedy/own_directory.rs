//! A directory of the user's own in a volume of the spec.

use super::{Proposal, Remedy, RemedyLayer};
use crate::model::detail::Demand;
use crate::model::edit::Edit;
use crate::model::facts::{Facts, VolumeKind, VolumeMount};
use crate::model::obstacle::{Category, Obstacle};

pub(super) const REMEDY: Remedy = Remedy {
    id: "own-directory",
    layer: RemedyLayer::Pod,
    title: "Mount a directory of the volume that is the user's own",
    explain: "An emptyDir is root's with mode 0777 (pkg/volume/emptydir/empty_dir.go): everybody may write in it, but its \
              own mode, owner and times only root may change. A database that makes its directory private, and `cp -a` \
              and `tar`, which give it the times of what they copy, are refused just that. An init container makes a \
              directory in the emptyDir, which belongs to the user who made it, and every container mounts that one with \
              `subPath`. Of claims only for one that is not there yet: what is in it would else be out of \
              sight.",
    removes: &[Category::OwnershipChange, Category::VolumeOwnership],
    suggest,
    propose: Some(propose),
};

fn suggest(obstacle: &Obstacle) -> Option<String> {
    let path = obstacle.path.as_deref()?;
    let demand = obstacle.demand();
    if demand.is_none() && obstacle.category == Category::VolumeOwnership {
        return None;
    }
    Some(match demand {
        Some(Demand::Private) => format!(
            "let an init container of the same user copy {path} into an emptyDir and set its mode to 0400 there, and mount the \
             copy: it is the user's own"
        ),
        Some(Demand::Sticky) => format!(
            "let an init container of the same user make a directory with mode 1777 in an emptyDir, and mount that at {path} \
             with subPath; or set TMPDIR to a directory that only this user may write"
        ),
        Some(Demand::Owner) => format!(
            "mount a directory of an emptyDir or of a new claim at {path} that an init container of the same user makes: who \
             makes it owns it"
        ),
        None => format!(
            "if {path} is an emptyDir or a new claim: mount a directory of it that an init container of the same user makes"
        ),
    })
}

fn propose(obstacle: &Obstacle, facts: &Facts) -> Vec<Proposal> {
    if obstacle.category == Category::VolumeOwnership && obstacle.demand() != Some(Demand::Owner) {
        return Vec::new();
    }
    let point = |path: &str| path.trim_end_matches("/.").trim_end_matches('/').to_owned();
    let Some(path) = obstacle.path.as_deref().map(|path| facts.resolved(&point(path))) else {
        return Vec::new();
    };
    let is_it = |mount: &&VolumeMount| {
        let is_empty =
            mount.kind == VolumeKind::EmptyDir || mount.kind == VolumeKind::Claim && mount.is_new;
        is_empty && !mount.read_only && point(&mount.path) == path
    };
    let Some(mount) = facts.mounts.iter().find(is_it).filter(|_| facts.has_shell) else {
        return Vec::new();
    };
    // Nobody is kept out who was let in before; the program makes of it what it will.
    let edit = Edit::OwnVolume {
        container: facts.container.clone(),
        volume: mount.volume.clone(),
        mode: 0o777,
    };
    vec![REMEDY.proposal(
        match mount.kind {
            VolumeKind::Claim => {
                format!(
                    "mount a directory of {}, which is not there yet, that is its own",
                    mount.name
                )
            }
            _ => format!("mount a directory of {} that is its own", mount.name),
        },
        vec![edit],
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::obstacle::Operation;

    fn proposed(kind: VolumeKind, is_new: bool, path: &str) -> Vec<String> {
        let mount = VolumeMount { is_new, ..VolumeMount::new("/data/", kind, "files") };
        let facts = Facts { has_shell: true, mounts: vec![mount], ..Facts::default() };
        let path = Some(path.to_owned());
        let obstacle =
            Obstacle { path, ..Obstacle::new(Operation::Chmod, Category::OwnershipChange) };
        propose(&obstacle, &facts).into_iter().map(|proposal| proposal.summary).collect()
    }

    #[test]
    fn it_is_for_the_top_of_what_is_empty_alone() {
        for path in ["/data", "/data/", "/data/."] {
            assert_eq!(
                proposed(VolumeKind::EmptyDir, false, path),
                ["mount a directory of volume files that is its own"]
            );
        }
        assert_eq!(proposed(VolumeKind::EmptyDir, false, "/data/x"), [""; 0]);
        assert_eq!(
            proposed(VolumeKind::Claim, false, "/data"),
            [""; 0],
            "what a claim holds would be out of sight"
        );
        assert_eq!(proposed(VolumeKind::Claim, true, "/data").len(), 1);
    }
}
