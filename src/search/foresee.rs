//! What stands in the way before the first run.

use super::{Search, accept};
use crate::foresight;
use crate::model::edit::Edit;
use crate::model::facts::{VolumeKind, VolumeMount};
use crate::model::obstacle::{Category, Evidence, Obstacle, Operation};
use crate::model::podsecurity::Level;
use crate::plan;
use crate::remedy::{self, Proposal};

/// Empty directories of an image that are taken for places where its program writes: one with more
/// of them was made by a tool.
const MAX_EMPTY: usize = 8;

impl Search<'_> {
    /// What was declared and only root has use for is tried without: a trial finds out whether it
    /// is needed at all.
    pub(super) fn take_capabilities(&mut self) {
        if !self.options.runs || self.level() == Level::Privileged {
            return;
        }
        let spec = plan::pod_spec(self.object);
        let lists = ["initContainers", "containers"]
            .into_iter()
            .filter_map(|list| spec?.get(list)?.as_array());
        for container in lists.flatten() {
            let name = container["name"].as_str().unwrap_or_default();
            for capability in plan::retained_capabilities(container) {
                let level = self.options.level.as_str();
                let obstacle = Obstacle {
                    container: Some(name.to_owned()),
                    cause: format!("{level} lets no container add the capability {capability}"),
                    evidence: Evidence {
                        source: "the spec".to_owned(),
                        line: None,
                        text: String::new(),
                    },
                    ..Obstacle::new(Operation::Admission, Category::PodSecurity)
                };
                let edit =
                    Edit::RemoveCapability { container: name.to_owned(), name: capability.clone() };
                let proposal = Proposal {
                    remedy: remedy::POD_SECURITY_FIELDS,
                    layer: remedy::RemedyLayer::Pod,
                    summary: format!("leave out the capability {capability} of container {name}"),
                    edits: vec![edit],
                };
                self.add(&obstacle, proposal);
            }
        }
    }

    /// What will stand in the way of each container, from what it does today. Of a container that
    /// keeps its user, nothing is foreseen but what the loss of a capability stops: it does
    /// today what it will do then.
    pub(super) fn foreseen(&self) -> Vec<Obstacle> {
        let changes = |container: &str| !self.keep_users.contains(container);
        let running = || self.observed.running.iter().filter(|(container, _)| changes(container));
        let written =
            running().flat_map(|(container, inside)| foresight::obstacles(container, inside));
        let traced = self
            .traces
            .iter()
            .filter(|(container, _, traced)| traced.root != Some(false) && changes(container))
            .flat_map(|(container, source, traced)| {
                foresight::trace::of_trace(container, source, traced)
            });
        let changed = || self.facts.values().filter(|facts| changes(&facts.container));
        // Where nothing runs yet, what the spec declares it will listen on.
        let idle = changed().filter(|facts| {
            !self.observed.running.contains_key(&facts.container)
                && self.traced(&facts.container).is_none()
        });
        let declared =
            idle.filter_map(|facts| foresight::declared_port(&facts.container, &facts.low_ports));
        // A claim comes as root's; the copy has an empty volume in its place, which would hide
        // that.
        let present = plan::pod_spec(self.object)
            .and_then(|spec| spec["securityContext"]["fsGroup"].as_u64());
        let refused = changed().flat_map(|facts| {
            let is_refused = |mount: &&VolumeMount| accept::is_refused(mount, facts, present);
            facts.mounts.iter().filter(is_refused).map(|mount| (&facts.container, mount))
        });
        // One fsGroup is for all volumes: that of the others who share one goes first.
        let (shared, own): (Vec<_>, Vec<_>) =
            refused.partition(|(_, mount)| mount.shared.is_some());
        let claims = shared
            .into_iter()
            .chain(own)
            .map(|(container, mount)| foresight::claim(container, mount));
        let keys = changed().filter(|_| present.is_none()).flat_map(|facts| {
            let mounts = facts.mounts.iter().filter(|mount| mount.kind == VolumeKind::Projected);
            mounts.filter_map(|mount| {
                let mut volumes = self.spec.volumes.iter().flatten();
                let volume = volumes.find(|volume| volume.name == mount.volume)?;
                foresight::closed_key(&facts.container, &mount.path, volume)
            })
        });
        let volumes = changed().flat_map(|facts| {
            facts.volumes.iter().map(|path| foresight::image_volume(&facts.container, path))
        });
        let given = running().flat_map(|(container, inside)| {
            foresight::given(container, inside, move |path| self.owner(container, path))
        });
        let empty = changed().flat_map(|facts| {
            let few = facts.empty.iter().filter(|_| facts.empty.len() <= MAX_EMPTY);
            few.map(|path| foresight::empty_directory(&facts.container, path))
        });
        let drops = |container: &str| !plan::drops_all(self.object, container);
        let carried = self.images.iter().filter(|(container, _)| drops(container)).flat_map(
            |(container, image)| {
                let command = self.facts.get(container).map(|facts| facts.command.as_slice());
                foresight::image::file_capabilities(container, image, command.unwrap_or_default())
            },
        );
        carried
            .chain(written)
            .chain(traced)
            .chain(declared)
            .chain(claims)
            .chain(keys)
            .chain(volumes)
            .chain(given)
            .chain(empty)
            .collect()
    }

    /// Whose a path of a container's image is.
    fn owner(&self, container: &str, path: &str) -> Option<u32> {
        Some(self.facts.get(container)?.inode(path)?.uid)
    }

    /// Which line of its configuration asks for a capability is to be found first.
    pub(super) fn foresight_needs(&self, obstacle: &Obstacle) -> Vec<super::Question> {
        match &obstacle.container {
            Some(container) if obstacle.category == Category::CapabilityMissing => {
                self.needs(container, obstacle)
            }
            _ => Vec::new(),
        }
    }

    /// Takes what a container does today into the first run.
    pub(super) fn foresee(&mut self, obstacle: &Obstacle) {
        let Some(container) = obstacle.container.clone() else { return };
        if obstacle.category == Category::CapabilityMissing {
            self.recall(&container, obstacle);
        }
        let Some(facts) = self.facts.get(&container) else { return };
        let sets_group = |edit: &Edit| matches!(edit, Edit::FsGroup(_));
        let has_group = self.steps.iter().flat_map(|step| &step.edits).any(sets_group);
        let is_open = obstacle.category == Category::VolumeOwnership && has_group;
        if is_open || accept::is_allowed(obstacle, facts, self.observed.running.get(&container)) {
            return;
        }
        // Its user is decided: here only what that user lacks is added.
        let mut proposals = remedy::proposals(obstacle, facts).into_iter();
        if let Some(proposal) =
            proposals.find(|one| !accept::changes_user(one) && self.is_wanted(one))
        {
            self.add(obstacle, proposal);
        }
    }
}
