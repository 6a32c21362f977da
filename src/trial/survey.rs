//! What the images and the root pod of a workload tell before its first run.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Container, PodSpec};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::watch_object;
use serde_json::Value;
use tokio::time::timeout;

use super::watch::{LOST, START, has_expired, ready_after, running_user};
use super::{Progress, Trial, copy};
use crate::error::Error;
use crate::evidence::cluster::{Cluster, Place, Text, TrialPlace};
use crate::evidence::inside;
use crate::evidence::pods;
use crate::foresight;
use crate::model::edit::Edit;
use crate::model::facts::{Facts, VolumeKind, VolumeMount};
use crate::model::identity::{Assignment, Candidate};
use crate::model::image::Config;
use crate::model::inside::Inside;
use crate::model::obstacle::Obstacle;
use crate::model::volume::{SharedVolume, claim_name, common_group};
use crate::plan::{self, Known};
use crate::remedy;

/// How often a program is started to be seen: on a busy node one may end before it was.
const ATTEMPTS: usize = 3;

/// How often the log of the container that watches is read.
const WATCHED: usize = 10;

/// Files that a trace shows to be read whose mode bits are looked at.
const MOST_READ: usize = 200;

/// Names that are taken apart for words: container, image, and the beginning of the command.
const MOST_NAMES: usize = 8;

/// Who looks at the images: nobody in particular, so that what everybody may read is what is seen.
const LOOKER: u32 = 1000;

/// What is known of the containers of a workload, by name.
#[derive(Default)]
pub(super) struct Survey {
    pub facts: BTreeMap<String, Facts>,
    /// The user that each container has in the first plan.
    pub assigned: BTreeMap<String, Candidate>,
    /// The containers as they run as root.
    pub root: BTreeMap<String, Inside>,
    /// What the root pod is refused as well, and lives with.
    pub usual: Vec<Obstacle>,
    /// How long the root pod's containers ran before it was ready.
    pub took: Duration,
    /// The pod that sleeps, if its images have a shell.
    asleep: Option<String>,
    /// Containers whose program was asked for its options.
    asked: BTreeSet<String>,
    /// Container and path of every look.
    looked: BTreeSet<(String, String)>,
}

impl Survey {
    /// Whether somebody sleeps in the images who can be asked what they have.
    pub(super) fn has_looked_into_images(&self) -> bool {
        self.asleep.is_some()
    }

    /// Whether a container has the user in the plan that it has today.
    pub(super) fn keeps_user(&self, container: &str) -> bool {
        self.assigned.get(container).is_some_and(|assigned| !assigned.assignment.is_written())
    }
}

impl Trial<'_> {
    /// Looks at the root pod and at the images.
    ///
    /// # Errors
    /// The cluster does not let us create the pod that sleeps. What a container cannot tell is no error.
    pub(super) async fn survey(&self, spec: &PodSpec) -> Result<Survey, Error> {
        if self.options.runs {
            (self.progress)(Progress::Survey);
        }
        let mut root = BTreeMap::new();
        if let (Some(cluster), Some((namespace, pod))) = (self.cluster, &self.root_pod) {
            for container in &spec.containers {
                match cluster.look_inside(Place { namespace, pod, container: &container.name }).await {
                    Ok(inside) => {
                        root.insert(container.name.clone(), inside);
                    }
                    Err(error) => (self.progress)(Progress::Note(error.to_string())),
                }
            }
        }
        let live = self.live_pod().await;
        let mut survey = Survey {
            assigned: BTreeMap::new(),
            facts: BTreeMap::new(),
            usual: self.usual(spec, &root).await,
            took: live.as_ref().and_then(ready_after).unwrap_or_default(),
            root,
            asleep: self.sleep().await?,
            asked: BTreeSet::new(),
            looked: BTreeSet::new(),
        };
        let range = match self.cluster {
            Some(cluster) => cluster.terms(&self.namespace).await.and_then(|terms| terms.uid_range),
            None => None,
        };
        let chosen_by_cluster = range.is_some() || self.object["kind"] == "DeploymentConfig";
        let mut main: Option<Candidate> = None;
        let init: Vec<&Container> = spec.init_containers.iter().flatten().collect();
        for container in spec.containers.iter().chain(init.iter().copied()) {
            let name = container.name.clone();
            let mut facts = Facts {
                container: name.clone(),
                mounts: self.live_mounts(mounts(self, spec, &name), &name).await,
                looker: if survey.asleep.is_some() { LOOKER } else { 0 },
                looked_at_running: survey.asleep.is_none(),
                ..Facts::default()
            };
            if let (Some(cluster), Some(pod)) = (self.cluster, &survey.asleep) {
                let place = Place { namespace: &self.namespace, pod, container: &name };
                if let Ok(inside) = cluster.look_inside(place).await {
                    facts.volumes = foresight::image_volumes(&inside);
                    facts.accounts = inside.accounts.users;
                    facts.search_path = inside.search_path;
                    facts.directory = inside.directory;
                    facts.has_shell = true;
                }
            }
            if let Some(inside) = survey.root.get(&name) {
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
            }
            if let Some(image) = self.image(&name) {
                foresight::image::learn(&mut facts, image);
            }
            let mut looked = Vec::new();
            if let Some(traced) = self.traced(&name) {
                let inside = foresight::trace::inside(traced);
                facts.low_ports.extend(foresight::low_ports(&inside));
                facts.written.extend(foresight::written(&inside));
                if survey.asleep.is_none() && self.root_pod.is_none() && self.image(&name).is_none() {
                    facts.inodes = foresight::trace::inodes(traced);
                    (facts.looker, facts.looked_at_running) = (LOOKER, false);
                    facts.has_shell = true;
                    let note = format!(
                        "nobody looked into container {name}: what its image has in a directory is copied, by its own sh and cp"
                    );
                    (self.progress)(Progress::Note(note));
                }
                let read = foresight::trace::private(traced).into_iter().take(MOST_READ);
                looked.extend(read.map(|(path, _)| path.to_owned()));
            }
            let declared = container.ports.iter().flatten().filter_map(|port| u16::try_from(port.container_port).ok());
            facts.low_ports.extend(declared.filter(|port| *port < 1024));
            facts.command = container.command.clone().unwrap_or_default();
            facts.args = container.args.clone().unwrap_or_default();
            survey.facts.insert(name.clone(), facts);
            let facts = &survey.facts[&name];
            looked.extend(facts.volumes.iter().chain(&facts.written).cloned());
            self.look(&mut survey, &name, &looked).await;
            let mut names = vec![name.clone(), container.image.clone().unwrap_or_default()];
            names.extend(container.command.iter().flatten().chain(container.args.iter().flatten()).cloned());
            let inside = survey.root.get(&name);
            names.extend(inside.iter().flat_map(|inside| &inside.processes).map(|process| process.name.clone()));
            let words = words(&names);
            let places = ["/var/lib", "/var/cache", "/var/spool", "/var/log"];
            let mut usual: Vec<String> =
                words.iter().flat_map(|word| places.map(|dir| format!("{dir}/{word}"))).collect();
            usual.extend(words.iter().map(|word| format!("/etc/{word}")));
            usual.extend(["/run", "/var/log", "/tmp"].map(str::to_owned));
            if let Some(facts) = survey.facts.get_mut(&name) {
                facts.names = words;
            }
            self.look(&mut survey, &name, &usual).await;
            let inside = survey.root.get(&name);
            let image = self.image(&name);
            let image_user = image.and_then(|image| image.user().ok());
            let declared_user = self.configuration(&name).map(Config::declared_user);
            let drops = image.map(|image| image.drops(container.command.as_deref().unwrap_or_default()));
            let running = live.as_ref().and_then(|pod| running_user(pod, &name));
            if let Some(facts) = survey.facts.get_mut(&name) {
                let known = Known {
                    inside,
                    image_user: image_user.as_ref(),
                    drops: drops.as_deref().unwrap_or_default(),
                    traced: self.traced(&name),
                    accounts: &facts.accounts,
                    inodes: &facts.inodes,
                    declared: pods::run_as(spec, &name),
                    non_root: pods::run_as_non_root(spec, &name),
                    user_namespace: spec.host_users == Some(false),
                    running,
                    image: declared_user.as_ref(),
                    names: &names,
                    chosen_by_cluster,
                    range,
                };
                facts.candidates = plan::candidates(known);
                let mut assigned = plan::assigned(known, &facts.candidates);
                // An init container prepares what the others use: as one of them it does so best.
                if init.iter().any(|one| one.name == name)
                    && let Some(first) = main.clone()
                    && assigned.assignment.is_written()
                {
                    assigned = first.clone();
                    facts.candidates.retain(|candidate| (candidate.uid, candidate.gid) != (first.uid, first.gid));
                    facts.candidates.insert(0, first);
                }
                if let Some((uid, gid)) = self.options.run_as {
                    facts.candidates.retain(|candidate| (candidate.uid, candidate.gid) != (uid, gid));
                    let why = "it was asked for".to_owned();
                    assigned = Candidate { uid, gid, why, ..Candidate::default() };
                    facts.candidates.insert(0, assigned.clone());
                }
                main = main.or_else(|| assigned.assignment.is_written().then(|| assigned.clone()));
                (facts.uid, facts.gid, facts.groups) = (assigned.uid, assigned.gid, assigned.groups.clone());
                facts.user_is_a_guess = assigned.assignment == Assignment::Unknown;
                survey.assigned.insert(name, assigned);
            }
        }
        Ok(survey)
    }

    /// The mounts, with what is known of their claims, in whose place a copy has empty volumes: what the running pod has
    /// there, or that there is none yet.
    async fn live_mounts(&self, mounts: Vec<(VolumeMount, Option<String>)>, container: &str) -> Vec<VolumeMount> {
        let (mut mounts, claims): (Vec<_>, Vec<_>) = mounts.into_iter().unzip();
        let Some(cluster) = self.cluster else { return mounts };
        let Some((namespace, pod)) = &self.root_pod else {
            let namespace = self.object.pointer("/metadata/namespace").and_then(Value::as_str);
            for (mount, claim) in mounts.iter_mut().zip(&claims) {
                let Some(claim) = claim else { continue };
                mount.is_new = !cluster.may_have_claim(namespace.unwrap_or(&self.namespace), claim).await;
            }
            return mounts;
        };
        let claims = mounts.iter().filter(|mount| mount.kind == VolumeKind::Claim);
        let paths: Vec<String> = claims.map(|mount| mount.path.trim_end_matches('/').to_owned()).collect();
        if paths.is_empty() {
            return mounts;
        }
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let Ok(Some(look)) = cluster.look_at(Place { namespace, pod, container }, &paths).await else { return mounts };
        for mount in mounts.iter_mut().filter(|mount| mount.kind == VolumeKind::Claim) {
            let point = mount.path.trim_end_matches('/');
            mount.root = look.inodes.iter().find(|inode| inode.path == point).cloned();
        }
        mounts
    }

    /// What the root pod's own texts tell.
    async fn usual(&self, spec: &PodSpec, root: &BTreeMap<String, Inside>) -> Vec<Obstacle> {
        let (Some(cluster), Some((namespace, pod))) = (self.cluster, &self.root_pod) else { return Vec::new() };
        let texts = cluster.failure_texts(namespace, pod, None, false).await;
        let mut texts = texts.map(|texts| texts.value).unwrap_or_default();
        for Container { name: container, .. } in &spec.containers {
            let files = cluster.log_files(Place { namespace, pod, container }).await.unwrap_or_default();
            texts.extend(files.into_iter().map(|(path, text)| logged(container, &path, text)));
        }
        for text in texts.iter_mut().filter(|text| text.directory.is_none()) {
            let inside = text.container.as_ref().and_then(|name| root.get(name));
            text.directory = inside.and_then(|inside| inside.directory.clone());
        }
        super::diagnosed(&texts).obstacles
    }

    /// Looks at paths of a container's image and remembers what stands there.
    pub(super) async fn look(&self, survey: &mut Survey, container: &str, paths: &[String]) {
        let asleep = survey.asleep.clone();
        let place = self.place(asleep.as_deref(), container);
        let image = self.image(container);
        let Some(facts) = survey.facts.get_mut(container) else { return };
        let mut wanted: Vec<String> = paths.iter().filter(|path| path.starts_with('/')).cloned().collect();
        // A link leads elsewhere: that place, and the directory that it is in, are looked at in their turn.
        for _ in 0..4 {
            wanted.retain(|path| survey.looked.insert((container.to_owned(), path.clone())));
            if wanted.is_empty() {
                return;
            }
            let asked: Vec<&str> = wanted.iter().map(String::as_str).collect();
            let inodes = match (image, place) {
                (Some(image), _) => asked.iter().flat_map(|path| foresight::image::look(image, path)).collect(),
                (None, Some((cluster, place))) => match cluster.look_at(place, &asked).await {
                    Ok(Some(look)) => look.inodes,
                    _ => return,
                },
                (None, None) => return,
            };
            for inode in inodes {
                if facts.inode(&inode.path).is_none() {
                    facts.inodes.push(inode);
                }
            }
            let there = |path: &String| {
                let resolved = facts.resolved(path);
                let parent = resolved.rfind('/').map_or("/", |at| &resolved[..at.max(1)]).to_owned();
                let existing = facts.existing(&resolved).map(|inode| inode.path.clone());
                [Some(resolved), Some(parent), existing].into_iter().flatten().filter(|path| path != "/")
            };
            wanted = wanted.iter().flat_map(there).collect();
        }
    }

    /// Where the image of a container can be looked at: in the pod that sleeps, else in the one that runs as root.
    fn place<'p>(&'p self, asleep: Option<&'p str>, container: &'p str) -> Option<(&'p Cluster, Place<'p>)> {
        let (namespace, pod) = match (asleep, &self.root_pod) {
            (Some(pod), _) => (self.namespace.as_str(), pod),
            (None, Some((namespace, pod))) => (namespace.as_str(), pod.as_str()),
            (None, None) => return None,
        };
        Some((self.cluster?, Place { namespace, pod, container }))
    }

    /// How many bytes some directories of a container hold: in the pod that runs, else in the image.
    pub(super) async fn usage(&self, survey: &Survey, container: &str, paths: &[&str]) -> Vec<(String, u64)> {
        let runs = survey.root.contains_key(container);
        let place = match (self.cluster, &self.root_pod) {
            (Some(cluster), Some((namespace, pod))) if runs => Some((cluster, Place { namespace, pod, container })),
            _ => self.place(survey.asleep.as_deref(), container),
        };
        let Some((cluster, place)) = place else { return Vec::new() };
        cluster.usage_of(place, paths).await.unwrap_or_default()
    }

    /// Searches a container's image for what an obstacle that names no path may be about.
    pub(super) async fn search(&self, survey: &mut Survey, container: &str, words: &[&str]) {
        let Some((cluster, place)) = self.place(survey.asleep.as_deref(), container) else { return };
        let Some(facts) = survey.facts.get_mut(container) else { return };
        if let Ok(found) = cluster.find_in(place, words).await {
            facts.directives = found.directives;
            facts.databases = found.databases;
        }
    }

    /// Finds out what a container is started with, where the spec does not say, and which options that program has.
    pub(super) async fn ask(&self, survey: &mut Survey, planned: &Value, container: &str) {
        let Some(facts) = survey.facts.get(container).filter(|facts| facts.has_shell) else { return };
        if !survey.asked.insert(container.to_owned()) {
            return;
        }
        let mut command = facts.command.clone();
        if let (true, Some(image)) = (command.is_empty() && facts.args.is_empty(), self.image(container)) {
            command = [image.config.entrypoint.as_slice(), &image.config.command].concat();
        }
        if command.is_empty() && facts.args.is_empty() && self.options.runs {
            for attempt in 0..ATTEMPTS {
                command = self.started(planned, container, attempt).await.unwrap_or_default();
                if !command.is_empty() {
                    break;
                }
            }
            // What an entrypoint made of its environment is not for a manifest.
            let secret = |word: &String| {
                let word = word.to_lowercase();
                ["pass", "secret", "token", "key", "credential"].iter().any(|sign| word.contains(sign))
            };
            if command.iter().any(secret) {
                command.clear();
            }
        }
        let words: Vec<&str> = command.iter().chain(&facts.args).map(String::as_str).collect();
        let (mut calls, mut options, mut named) = (Vec::new(), Vec::new(), Vec::new());
        if let (Some(program), Some((cluster, place))) =
            (words.first(), self.place(survey.asleep.as_deref(), container))
        {
            calls = cluster.calls_of(place, &words).await.unwrap_or_default();
            // A script has no help; what it becomes has.
            let called = calls.iter().rev().find_map(|(_, line)| remedy::called(line));
            if let Some(place) = TrialPlace::new(place) {
                options = cluster.help_of(place, called.unwrap_or(program)).await.unwrap_or_default();
            }
            named = cluster.named_by(place, &words).await.unwrap_or_default();
        }
        let directory = survey.facts.get(container).and_then(|facts| facts.directory.clone());
        let places: Vec<String> = named.iter().cloned().chain(directory).collect();
        self.look(survey, container, &places).await;
        if let Some(facts) = survey.facts.get_mut(container) {
            (facts.command, facts.calls, facts.options, facts.named) = (command, calls, options, named);
        }
    }

    /// The words with which a container's program starts, watched from beside it.
    async fn started(&self, planned: &Value, container: &str, attempt: usize) -> Option<Vec<String>> {
        let name = self.pod_name(&format!("watch-{attempt}"));
        let pod = self.copy(planned, &name);
        let pod = copy::watching(&pod, container, inside::STARTED);
        if self.create(&pod).await.ok()?.is_some() {
            return None;
        }
        let (pods, cluster) = (self.pods().ok()?, self.cluster?);
        let mut states = pin!(watch_object(pods, &name).default_backoff());
        let seen = timeout(START, async {
            while let Some(state) = states.next().await {
                if state.as_ref().is_err_and(has_expired) {
                    return;
                }
                let Ok(Some(pod)) = state else { continue };
                let statuses = pod.status.and_then(|status| status.container_statuses).unwrap_or_default();
                let state = statuses.into_iter().next().and_then(|status| status.state).unwrap_or_default();
                if state.running.is_some() || state.terminated.is_some() {
                    return;
                }
            }
        });
        let mut words = None;
        if seen.await.is_ok() {
            // The watcher prints as it sees, and the log takes a moment to be written.
            for _ in 0..WATCHED {
                tokio::time::sleep(Duration::from_millis(300)).await;
                let log = cluster.log_tail((&self.namespace, &name, copy::WATCH), false, 1000, 1 << 20).await;
                words = log.ok().map(|log| inside::started(&log)).filter(|words| !words.is_empty());
                if words.is_some() {
                    break;
                }
            }
        }
        self.remove(&name).await;
        words
    }

    /// Starts the pod that sleeps; `None` where its images have no shell.
    async fn sleep(&self) -> Result<Option<String>, Error> {
        if !self.options.runs {
            return Ok(None);
        }
        let name = self.pod_name("survey");
        let planned = plan::compose(
            self.object,
            self.options.level,
            &[Edit::NonRoot, Edit::RunAs { container: None, uid: LOOKER, gid: LOOKER }],
        );
        let pod = copy::survey(&self.copy(&planned, &name));
        if self.create(&pod).await?.is_some() {
            return Ok(None);
        }
        let pods = self.pods()?;
        let mut states = pin!(watch_object(pods, &name).default_backoff());
        let running = timeout(START, async {
            let mut broken = 0;
            while let Some(state) = states.next().await {
                broken = if state.is_err() { broken + 1 } else { 0 };
                if state.as_ref().is_err_and(has_expired) || broken == LOST {
                    return false;
                }
                let Ok(Some(pod)) = state else { continue };
                let status = pod.status.unwrap_or_default();
                let containers = status.container_statuses.unwrap_or_default();
                let mut states = containers.iter().filter_map(|container| container.state.as_ref());
                if !containers.is_empty() && containers.iter().all(|container| container.started == Some(true)) {
                    return true;
                }
                let failed = |state: &k8s_openapi::api::core::v1::ContainerState| {
                    state.terminated.is_some()
                        || state.waiting.as_ref().is_some_and(|waiting| waiting.message.is_some())
                };
                if states.any(failed) {
                    return containers.iter().any(|container| container.started == Some(true));
                }
            }
            false
        });
        if running.await.unwrap_or_else(|_| {
            let note = format!("nobody looked into the image: the pod for it did not run within {} s", START.as_secs());
            (self.progress)(Progress::Note(note));
            false
        }) {
            return Ok(Some(name));
        }
        self.remove(&name).await;
        Ok(None)
    }
}

/// What a container logged to a file.
pub(super) fn logged(container: &str, path: &str, text: String) -> Text {
    let source = format!("file {path} of container {container}");
    Text { source, container: Some(container.to_owned()), directory: None, text }
}

/// The words of some names that can be a program's: at least three letters, each once.
fn words(names: &[String]) -> Vec<String> {
    let parts = names.iter().take(MOST_NAMES).flat_map(|name| name.split(|c: char| !c.is_alphanumeric()));
    let words: BTreeSet<String> =
        parts.filter(|word| word.len() > 2 && word.len() < 30).map(str::to_lowercase).collect();
    words.into_iter().filter(|word| word != "localhost" && word.chars().any(char::is_alphabetic)).collect()
}

/// The volumes of a spec where a container mounts them, with the names of claims; a claim of a StatefulSet's templates
/// counts as one.
fn mounts(trial: &Trial<'_>, spec: &PodSpec, container: &str) -> Vec<(VolumeMount, Option<String>)> {
    let all = || spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let Some(container) = all().find(|known| known.name == container) else { return Vec::new() };
    let object = trial.object;
    let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or(&trial.namespace);
    let pod = trial.root_pod.as_ref().map(|(_, pod)| pod.as_str());
    let own = plan::name(object);
    let mounts = container.volume_mounts.iter().flatten().map(|mount| {
        let volume = spec.volumes.iter().flatten().find(|volume| volume.name == mount.name).cloned();
        let volume = volume.or_else(|| plan::templated(object, &mount.name)).unwrap_or_default();
        let kind = if volume.empty_dir.is_some() {
            VolumeKind::EmptyDir
        } else if volume.persistent_volume_claim.is_some() || volume.ephemeral.is_some() || volume.csi.is_some() {
            VolumeKind::Claim
        } else if volume.config_map.is_some()
            || volume.secret.is_some()
            || volume.projected.is_some()
            || volume.downward_api.is_some()
        {
            VolumeKind::Projected
        } else {
            VolumeKind::Foreign
        };
        let claim = claim_name(&volume, pod);
        let shares = |shared: &&SharedVolume| shared.namespace == namespace && Some(&shared.claim) == claim.as_ref();
        let shared = trial.volumes.shared.iter().find(shares);
        let group = shared.and_then(|shared| common_group(shared, &own));
        let group = group.and_then(|(group, whose)| Some((u32::try_from(group).ok()?, whose.workload.clone())));
        let has_it = |other: &&Container| other.volume_mounts.iter().flatten().any(|beside| beside.name == mount.name);
        let beside = all().filter(|other| other.name != container.name).filter(has_it);
        let known = VolumeMount::new(&mount.mount_path, kind, &mount.name);
        let known = VolumeMount {
            read_only: known.read_only || mount.read_only == Some(true),
            name: claim.as_ref().map_or(known.name, |claim| format!("claim {claim}")),
            fs_group: trial.volumes.storage.backing(&volume, namespace, pod).fs_group(),
            shared: group,
            beside: beside.map(|other| other.name.clone()).collect(),
            ..known
        };
        (known, claim)
    });
    mounts.collect()
}
