//! From what was observed of a workload to the facts of each of its containers.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Container, PodSpec};
use serde_json::Value;

use super::{Asked, Question, Search};
use crate::foresight;
use crate::model::behaviour::Behaviour;
use crate::model::facts::{EVERY_PROGRAMS_DIRECTORIES, Facts, VolumeKind, VolumeMount};
use crate::model::filesystem::{PathStat, path};
use crate::model::identity::{Assignment, Candidate};
use crate::model::inside::Inside;
use crate::model::obstacle::Obstacle;
use crate::model::port::is_privileged;
use crate::model::volume::{SharedVolume, VolumeSource, Volumes, claim_name, common_group};
use crate::plan::{self, Known};

/// Files that a trace shows to be read whose mode bits are looked at.
const MAX_READ: usize = 200;

/// Names that are taken apart for words: container, image, and the beginning of the command.
const MAX_NAMES: usize = 8;

/// Looks at what one path leads to: each link on the way leads to a path that is looked at in its
/// turn.
const MAX_LOOKS: usize = 4;

/// Who looks at the images: nobody in particular, so that what everybody may read is what is seen.
pub const OBSERVER_UID: u32 = 1000;

/// What was observed of a workload before its search begins.
#[derive(Debug, Clone, Default)]
pub struct Observations {
    /// The containers as they run today, by name.
    pub running: BTreeMap<String, Inside>,
    /// A pod runs in which the images can be looked at, and nothing of theirs runs.
    pub looked_into_images: bool,
    /// The images of its containers, those that could be looked into.
    pub images: BTreeMap<String, Inside>,
    /// uid and gid of each container's first process, as the runtime reports it.
    pub users: BTreeMap<String, (u32, u32)>,
    /// What the running pod is refused as well, and lives with.
    pub known_refusals: Vec<Obstacle>,
    /// The volumes that each container mounts.
    pub mounts: BTreeMap<String, Vec<VolumeMount>>,
    /// The uids that the namespace allows: first and count.
    pub uid_range: Option<(u32, u32)>,
    /// A copy of the workload as it is ran, and was used.
    pub has_control: bool,
}

impl Observations {
    /// Takes up what the copy as root did, beside what the running pod shows: in use it may write
    /// more, and be refused more.
    pub fn take(&mut self, control: &Behaviour, users: &BTreeMap<String, (u32, u32)>) {
        self.has_control = true;
        for (name, inside) in &control.containers {
            match self.running.get_mut(name) {
                Some(known) => known.add(inside),
                None => drop(self.running.insert(name.clone(), inside.clone())),
            }
        }
        for (name, user) in users {
            self.users.entry(name.clone()).or_insert(*user);
        }
        self.known_refusals.extend(control.refusals.iter().cloned());
    }
}

impl Search<'_> {
    /// What the observations and the images tell of a container.
    pub(super) fn first_facts(&self, container: &Container) -> Facts {
        let observed = &self.observed;
        let name = &container.name;
        let mut facts = Facts {
            container: name.clone(),
            mounts: observed.mounts.get(name).cloned().unwrap_or_default(),
            observer_uid: if observed.looked_into_images { OBSERVER_UID } else { 0 },
            looked_at_running: !observed.looked_into_images,
            command: container.command.clone().unwrap_or_default(),
            args: container.args.clone().unwrap_or_default(),
            ..Facts::default()
        };
        if let Some(inside) = observed.images.get(name) {
            facts.volumes = foresight::image_volumes(inside);
            facts.accounts = inside.accounts.users.clone();
            facts.search_path = inside.search_path.clone();
            facts.directory = inside.directory.clone();
            facts.empty = inside.empty.clone();
            facts.has_shell = true;
        }
        if let Some(inside) = observed.running.get(name) {
            facts.has_shell = true;
            facts.search_path = facts.search_path.or_else(|| inside.search_path.clone());
            if facts.accounts.is_empty() {
                facts.accounts = inside.accounts.users.clone();
            }
            facts.low_ports = foresight::low_ports(inside);
            facts.written = foresight::written(inside);
            facts.directory = facts.directory.or_else(|| inside.directory.clone());
            if facts.volumes.is_empty() {
                facts.volumes = foresight::image_volumes(inside);
            }
            if facts.empty.is_empty() {
                facts.empty = inside.empty.clone();
            }
        }
        if let Some(image) = self.image(name) {
            foresight::image::learn(&mut facts, image);
        }
        if let Some(traced) = self.traced(name) {
            let inside = foresight::trace::inside(traced);
            facts.low_ports.extend(foresight::low_ports(&inside));
            facts.written.extend(foresight::written(&inside));
            if !observed.looked_into_images
                && observed.running.is_empty()
                && self.image(name).is_none()
            {
                facts.stats = foresight::trace::stats(traced);
                (facts.observer_uid, facts.looked_at_running) = (OBSERVER_UID, false);
                facts.has_shell = true;
            }
        }
        let declared = container
            .ports
            .iter()
            .flatten()
            .filter_map(|port| u16::try_from(port.container_port).ok());
        facts.low_ports.extend(declared.filter(|port| is_privileged(*port)));
        facts.names = words(&self.names(container));
        facts
    }

    /// Words that may name the program of a container: its command, itself, its image, its
    /// processes.
    fn names(&self, container: &Container) -> Vec<String> {
        let mut names = vec![container.name.clone(), container.image.clone().unwrap_or_default()];
        names.extend(
            container.command.iter().flatten().chain(container.args.iter().flatten()).cloned(),
        );
        let running = self.observed.running.get(&container.name);
        names.extend(
            running.iter().flat_map(|inside| &inside.processes).map(|process| process.name.clone()),
        );
        names
    }

    /// What is to be looked at before users are chosen: what is written, what is read, and where
    /// programs of these names keep their files.
    pub(super) fn first_look(&self, name: &str) -> Vec<String> {
        let Some(facts) = self.facts.get(name) else { return Vec::new() };
        let read = self.traced(name).map(foresight::trace::private).unwrap_or_default();
        let read = read.into_iter().take(MAX_READ).map(|(path, _)| path.to_owned());
        let mut paths: Vec<String> =
            read.chain(facts.volumes.iter().chain(&facts.written).cloned()).collect();
        paths.extend(facts.empty.iter().cloned());
        let running = self.observed.running.get(name);
        paths.extend(running.iter().flat_map(|inside| &inside.given).map(|stat| stat.path.clone()));
        paths.extend(facts.state_paths());
        paths.extend(facts.names.iter().map(|word| format!("/etc/{word}")));
        paths.extend(EVERY_PROGRAMS_DIRECTORIES.map(str::to_owned));
        paths
    }

    /// Gives each container its user, the main ones first.
    pub(super) fn assign_users(&mut self) {
        let left = plan::pod_spec(self.object).map(plan::privileged).unwrap_or_default();
        let containers: Vec<(Container, bool)> =
            containers(&self.spec).map(|(one, init)| (one.clone(), init)).collect();
        let mut main: Option<Candidate> = None;
        for (container, is_init) in containers {
            let name = container.name.clone();
            let (mut assigned, mut candidates) = self.user_of(&container);
            // An init container prepares what the others use: as one of them it does so best.
            if let Some(first) =
                main.clone().filter(|_| is_init && assigned.assignment.is_written())
            {
                assigned = first.clone();
                candidates
                    .retain(|candidate| (candidate.uid, candidate.gid) != (first.uid, first.gid));
                candidates.insert(0, first);
            }
            if let Some((uid, gid)) = self.options.run_as {
                candidates.retain(|candidate| (candidate.uid, candidate.gid) != (uid, gid));
                assigned = Candidate {
                    uid,
                    gid,
                    why: "it was asked for".to_owned(),
                    ..Candidate::default()
                };
                candidates.insert(0, assigned.clone());
            }
            main = main.or_else(|| assigned.assignment.is_written().then(|| assigned.clone()));
            if let Some(facts) = self.facts.get_mut(&name) {
                facts.candidates = candidates;
                (facts.uid, facts.gid, facts.groups) =
                    (assigned.uid, assigned.gid, assigned.groups.clone());
                facts.user_is_a_guess = assigned.assignment == Assignment::Unknown;
            }
            if !assigned.assignment.is_written() {
                self.keep_users.insert(name.clone());
            }
            if !left.contains_key(&name) {
                self.identities.push((name, assigned));
            }
        }
    }

    /// The user that a container begins with, and all that it could have.
    fn user_of(&self, container: &Container) -> (Candidate, Vec<Candidate>) {
        let name = &container.name;
        let image = self.image(name);
        let image_user = image.and_then(|image| image.user().ok());
        let alone = || {
            self.configurations.iter().find(|(known, _)| known == name).map(|(_, config)| config)
        };
        let declared_user =
            image.map(|image| &image.config).or_else(alone).map(|config| config.declared_user());
        let drops =
            image.map(|image| image.drops(container.command.as_deref().unwrap_or_default()));
        let names = self.names(container);
        let facts = self.facts.get(name);
        let known = Known {
            inside: self.observed.running.get(name),
            image_user: image_user.as_ref(),
            drops: drops.as_deref().unwrap_or_default(),
            traced: self.traced(name),
            accounts: facts.map(|facts| facts.accounts.as_slice()).unwrap_or_default(),
            stats: facts.map(|facts| facts.stats.as_slice()).unwrap_or_default(),
            declared: plan::run_as(&self.spec, name),
            non_root: plan::run_as_non_root(&self.spec, name),
            user_namespace: self.spec.host_users == Some(false),
            running: self.observed.users.get(name).copied(),
            image: declared_user.as_ref(),
            names: &names,
            chosen_by_cluster: self.observed.uid_range.is_some()
                || self.object["kind"] == "DeploymentConfig",
            range: self.observed.uid_range,
        };
        let candidates = plan::candidates(known);
        (plan::assigned(known, &candidates), candidates)
    }

    /// What is still to be looked at for some paths of a container to be known, links followed.
    pub(super) fn unseen(&self, container: &str, paths: &[String]) -> Option<Question> {
        let facts = self.facts.get(container)?;
        let is_new =
            |path: &String| !self.asked.contains(&Asked::Path(container.to_owned(), path.clone()));
        let mut wanted: BTreeSet<String> =
            paths.iter().filter(|path| path.starts_with('/')).cloned().collect();
        let mut ordered: Vec<String> =
            paths.iter().filter(|path| path.starts_with('/')).cloned().collect();
        for _ in 0..MAX_LOOKS {
            let unseen: Vec<String> = ordered.iter().filter(|path| is_new(path)).cloned().collect();
            if !unseen.is_empty() {
                return Some(Question::Look { container: container.to_owned(), paths: unseen });
            }
            let there = |path: &String| {
                let resolved = facts.resolved(path);
                let parent = path::parent(&resolved).unwrap_or("/").to_owned();
                let existing = facts.existing(&resolved).map(|there| there.path.clone());
                [Some(resolved), Some(parent), existing]
                    .into_iter()
                    .flatten()
                    .filter(|path| path != "/")
            };
            let next: Vec<String> =
                ordered.iter().flat_map(there).filter(|path| wanted.insert(path.clone())).collect();
            if next.is_empty() {
                return None;
            }
            ordered = next;
        }
        None
    }

    /// Takes up what a look at paths has shown.
    pub(super) fn seen(&mut self, container: &str, paths: Vec<String>, stats: Vec<PathStat>) {
        self.asked.extend(paths.into_iter().map(|path| Asked::Path(container.to_owned(), path)));
        let Some(facts) = self.facts.get_mut(container) else { return };
        for stat in stats {
            if facts.inode(&stat.path).is_none() {
                facts.stats.push(stat);
            }
        }
    }
}

/// All containers of a spec, the main ones first, each with whether it is an init container.
pub(super) fn containers(spec: &PodSpec) -> impl Iterator<Item = (&Container, bool)> {
    let main = spec.containers.iter().map(|container| (container, false));
    main.chain(spec.init_containers.iter().flatten().map(|container| (container, true)))
}

/// The words of some names that can be a program's: at least three letters, each once.
fn words(names: &[String]) -> Vec<String> {
    let parts =
        names.iter().take(MAX_NAMES).flat_map(|name| name.split(|c: char| !c.is_alphanumeric()));
    let words: BTreeSet<String> =
        parts.filter(|word| word.len() > 2 && word.len() < 30).map(str::to_lowercase).collect();
    words
        .into_iter()
        .filter(|word| word != "localhost" && word.chars().any(char::is_alphabetic))
        .collect()
}

/// The volumes of a spec where a container mounts them, with the names of claims; a claim of a
/// StatefulSet's templates counts as one. `namespace` is the object's where it names none; `pod` is
/// a pod of it that runs.
#[must_use]
pub fn mounts(
    object: &Value,
    spec: &PodSpec,
    container: &str,
    namespace: &str,
    pod: Option<&str>,
    volumes: &Volumes,
) -> Vec<(VolumeMount, Option<String>)> {
    let all = || containers(spec).map(|(container, _)| container);
    let Some(container) = all().find(|known| known.name == container) else { return Vec::new() };
    let namespace =
        object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or(namespace);
    let own = plan::name(object);
    let mounts = container.volume_mounts.iter().flatten().map(|mount| {
        let volume =
            spec.volumes.iter().flatten().find(|volume| volume.name == mount.name).cloned();
        let volume = volume.or_else(|| plan::templated(object, &mount.name)).unwrap_or_default();
        let kind = VolumeKind::from(VolumeSource::of(&volume));
        let claim = claim_name(&volume, pod);
        let shares = |shared: &&SharedVolume| {
            shared.namespace == namespace && Some(&shared.claim) == claim.as_ref()
        };
        let shared = volumes.shared.iter().find(shares);
        let group = shared.and_then(|shared| common_group(shared, &own));
        let group = group
            .and_then(|(group, whose)| Some((u32::try_from(group).ok()?, whose.workload.clone())));
        let has_it = |other: &&Container| {
            other.volume_mounts.iter().flatten().any(|beside| beside.name == mount.name)
        };
        let beside = all().filter(|other| other.name != container.name).filter(has_it);
        let known = VolumeMount::new(&mount.mount_path, kind, &mount.name);
        let known = VolumeMount {
            read_only: known.read_only || mount.read_only == Some(true),
            name: claim.as_ref().map_or(known.name, |claim| format!("claim {claim}")),
            fs_group: volumes.storage.backing(&volume, namespace, pod).fs_group(),
            shared: group,
            beside: beside.map(|other| other.name.clone()).collect(),
            ..known
        };
        (known, claim)
    });
    mounts.collect()
}
