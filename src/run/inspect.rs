//! Looks into the running pod and into the images, for a search.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, PodSpec};
use serde::Deserialize as _;
use serde_json::Value;

use super::await_pod::{logged, ready_after, running_user};
use super::states::{self, START_TIMEOUT};
use super::{Progress, Trial, pod};
use crate::error::Error;
use crate::evidence::cluster::{Cluster, Place, TrialPlace};
use crate::evidence::inside;
use crate::foresight;
use crate::model::edit::Edit;
use crate::model::facts::{VolumeKind, VolumeMount};
use crate::model::filesystem::PathStat;
use crate::model::inside::Inside;
use crate::model::obstacle::Obstacle;
use crate::plan;
use crate::remedy;
use crate::search::{self, Learned, OBSERVER_UID, Observations, Program, Question, Search};

/// How often a program is started to be seen: on a busy node one may end before it was.
const MAX_STARTS: usize = 3;

/// How often the log of the container that watches is read.
const MAX_LOG_READS: usize = 10;

impl Trial<'_> {
    /// What can be observed before the first run, and how long the running pod took to be ready.
    ///
    /// # Errors
    /// The cluster does not let us create the pod that sleeps, or the pod template cannot be
    /// parsed. What a container cannot tell is no error.
    pub(super) async fn observe(&self) -> Result<(Observations, Duration), Error> {
        if self.options.search.runs {
            (self.progress)(Progress::Survey);
        }
        let spec = plan::pod_spec(self.object).unwrap_or(&Value::Null);
        let spec = PodSpec::deserialize(spec)
            .map_err(|error| Error::input("read the pod template", error))?;
        let mut running = BTreeMap::new();
        if let (Some(cluster), Some((namespace, pod))) = (self.cluster, &self.root_pod) {
            for container in &spec.containers {
                match cluster
                    .look_inside(Place { namespace, pod, container: &container.name })
                    .await
                {
                    Ok(inside) => {
                        running.insert(container.name.clone(), inside);
                    }
                    Err(error) => (self.progress)(Progress::Note(error.to_string())),
                }
            }
        }
        let known_refusals = self.known_refusals(&spec, &running).await;
        let live = self.live_pod().await;
        self.sleep().await?;
        let mut observed = Observations { running, known_refusals, ..Observations::default() };
        observed.looked_into_images = self.inspection_pod.get().is_some();
        if let Some(cluster) = self.cluster {
            observed.uid_range =
                cluster.terms(&self.namespace).await.and_then(|terms| terms.uid_range);
        }
        let pod = self.root_pod.as_ref().map(|(_, pod)| pod.as_str());
        for container in spec.containers.iter().chain(spec.init_containers.iter().flatten()) {
            let name = &container.name;
            let mounts =
                search::mounts(self.object, &spec, name, &self.namespace, pod, self.volumes);
            observed.mounts.insert(name.clone(), self.live_mounts(mounts, name).await);
            if let Some(user) = live.as_ref().and_then(|pod| running_user(pod, name)) {
                observed.users.insert(name.clone(), user);
            }
            let (Some(cluster), Some(pod)) = (self.cluster, self.inspection_pod.get()) else {
                continue;
            };
            let place = Place { namespace: &self.namespace, pod, container: name };
            if let Ok(inside) = cluster.look_inside(place).await {
                observed.images.insert(name.clone(), inside);
            }
        }
        Ok((observed, live.as_ref().and_then(ready_after).unwrap_or_default()))
    }

    /// Looks up what a search asks.
    pub(super) async fn answers(
        &self,
        search: &Search<'_>,
        questions: Vec<Question>,
    ) -> Vec<Learned> {
        let mut answers = Vec::new();
        for question in questions {
            answers.push(self.answer(search, question).await);
        }
        answers
    }

    async fn answer(&self, search: &Search<'_>, question: Question) -> Learned {
        match question {
            Question::Look { container, paths } => {
                let stats = self.look(&container, &paths).await;
                Learned::Look { container, paths, stats }
            }
            Question::Configuration { container, words } => {
                let found = match self.place(&container) {
                    Some((cluster, place)) => {
                        cluster.find_in(place, words).await.unwrap_or_default()
                    }
                    None => Default::default(),
                };
                Learned::Configuration { container, words, found }
            }
            Question::Program { container, command, args, planned } => {
                let program = self.program(&container, command, &args, &planned).await;
                Learned::Program { container, program }
            }
            Question::Usage { container, paths } => {
                let used = self.usage(search, &container, &paths).await;
                Learned::Usage { container, paths, used }
            }
        }
    }

    /// What is at paths of a container's image.
    async fn look(&self, container: &str, paths: &[String]) -> Vec<PathStat> {
        if let Some(image) = self.image(container) {
            return paths.iter().flat_map(|path| foresight::image::look(image, path)).collect();
        }
        let Some((cluster, place)) = self.place(container) else { return Vec::new() };
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let look = cluster.look_at(place, &paths).await.ok().flatten();
        look.map(|found| found.stats).unwrap_or_default()
    }

    /// How many bytes some directories of a container hold: in the pod that runs, else in the
    /// image.
    async fn usage(
        &self,
        search: &Search<'_>,
        container: &str,
        paths: &[String],
    ) -> Vec<(String, u64)> {
        let place = match (self.cluster, &self.root_pod) {
            (Some(cluster), Some((namespace, pod))) if search.running().contains_key(container) => {
                Some((cluster, Place { namespace, pod, container }))
            }
            _ => self.place(container),
        };
        let Some((cluster, place)) = place else { return Vec::new() };
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        cluster.usage_of(place, &paths).await.unwrap_or_default()
    }

    /// What a container is started with, where the spec does not say, and which options that
    /// program has.
    async fn program(
        &self,
        container: &str,
        mut command: Vec<String>,
        args: &[String],
        planned: &Value,
    ) -> Program {
        if command.is_empty() && args.is_empty() && self.options.search.runs {
            for attempt in 0..MAX_STARTS {
                command = self.started(planned, container, attempt).await.unwrap_or_default();
                if !command.is_empty() {
                    break;
                }
            }
            // What an entrypoint made of its environment is not for a manifest.
            let secret = |word: &String| {
                let word = word.to_lowercase();
                ["pass", "secret", "token", "key", "credential"]
                    .iter()
                    .any(|sign| word.contains(sign))
            };
            if command.iter().any(secret) {
                command.clear();
            }
        }
        let mut program = Program { command, ..Program::default() };
        let words: Vec<&str> = program.command.iter().chain(args).map(String::as_str).collect();
        if let (Some(first), Some((cluster, place))) = (words.first(), self.place(container)) {
            program.calls = cluster.calls_of(place, &words).await.unwrap_or_default();
            // A script has no help; what it becomes has.
            let called = program.calls.iter().rev().find_map(|(_, line)| remedy::called(line));
            if let Some(place) = TrialPlace::new(place) {
                program.options =
                    cluster.help_of(place, called.unwrap_or(first)).await.unwrap_or_default();
            }
            program.named = cluster.named_by(place, &words).await.unwrap_or_default();
        }
        program
    }

    /// Where the image of a container can be looked at: in the pod that sleeps, else in the one
    /// that runs.
    fn place<'p>(&'p self, container: &'p str) -> Option<(&'p Cluster, Place<'p>)> {
        let inspection =
            self.inspection_pod.get().map(|pod| (self.namespace.as_str(), pod.as_str()));
        let runs =
            || self.root_pod.as_ref().map(|(namespace, pod)| (namespace.as_str(), pod.as_str()));
        let (namespace, pod) = inspection.or_else(runs)?;
        Some((self.cluster?, Place { namespace, pod, container }))
    }

    /// The mounts, with what is known of their claims, in whose place a copy has empty volumes:
    /// what the running pod has there, or that there is none yet.
    async fn live_mounts(
        &self,
        mounts: Vec<(VolumeMount, Option<String>)>,
        container: &str,
    ) -> Vec<VolumeMount> {
        let (mut mounts, claims): (Vec<_>, Vec<_>) = mounts.into_iter().unzip();
        let Some(cluster) = self.cluster else { return mounts };
        let Some((namespace, pod)) = &self.root_pod else {
            let namespace = self.object.pointer("/metadata/namespace").and_then(Value::as_str);
            for (mount, claim) in mounts.iter_mut().zip(&claims) {
                let Some(claim) = claim else { continue };
                mount.is_new =
                    !cluster.may_have_claim(namespace.unwrap_or(&self.namespace), claim).await;
            }
            return mounts;
        };
        let claims = mounts.iter().filter(|mount| mount.kind == VolumeKind::Claim);
        let paths: Vec<String> =
            claims.map(|mount| mount.path.trim_end_matches('/').to_owned()).collect();
        if paths.is_empty() {
            return mounts;
        }
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let Ok(Some(look)) = cluster.look_at(Place { namespace, pod, container }, &paths).await
        else {
            return mounts;
        };
        for mount in mounts.iter_mut().filter(|mount| mount.kind == VolumeKind::Claim) {
            let point = mount.path.trim_end_matches('/');
            mount.root = look.at(point).cloned();
        }
        mounts
    }

    /// What the root pod's own texts tell.
    async fn known_refusals(
        &self,
        spec: &PodSpec,
        root: &BTreeMap<String, Inside>,
    ) -> Vec<Obstacle> {
        let (Some(cluster), Some((namespace, pod))) = (self.cluster, &self.root_pod) else {
            return Vec::new();
        };
        let texts = cluster.failure_texts(namespace, pod, None, false).await;
        let mut texts = texts.map(|texts| texts.value).unwrap_or_default();
        for Container { name: container, .. } in &spec.containers {
            let files =
                cluster.log_files(Place { namespace, pod, container }).await.unwrap_or_default();
            texts.extend(files.into_iter().map(|(path, text)| logged(container, &path, text)));
        }
        for text in texts.iter_mut().filter(|text| text.directory.is_none()) {
            let inside = text.container.as_ref().and_then(|name| root.get(name));
            text.directory = inside.and_then(|inside| inside.directory.clone());
        }
        super::diagnosed(&texts).obstacles
    }

    /// The words with which a container's program starts, watched from beside it.
    async fn started(
        &self,
        planned: &Value,
        container: &str,
        attempt: usize,
    ) -> Option<Vec<String>> {
        let name = self.pod_name(&format!("watch-{attempt}"));
        let pod = self.copy(planned, &name);
        let pod = pod::watching(&pod, container, inside::STARTED);
        if self.create(&pod).await.ok()?.is_some() {
            return None;
        }
        let (pods, cluster) = (self.pods().ok()?, self.cluster?);
        let runs = |pod: Pod| {
            let statuses = pod.status?.container_statuses.unwrap_or_default();
            let state = statuses.into_iter().next()?.state?;
            (state.running.is_some() || state.terminated.is_some()).then_some(())
        };
        let seen = states::first(pods, &name, START_TIMEOUT, runs).await;
        let mut words = None;
        if seen.is_some() {
            // The watcher prints as it sees, and the log takes a moment to be written.
            for _ in 0..MAX_LOG_READS {
                tokio::time::sleep(Duration::from_millis(300)).await;
                let log = cluster
                    .log_tail((&self.namespace, &name, pod::WATCH), false, 1000, 1 << 20)
                    .await;
                words = log.ok().map(|log| inside::started(&log)).filter(|words| !words.is_empty());
                if words.is_some() {
                    break;
                }
            }
        }
        self.remove(&name).await;
        words
    }

    /// Starts the pod that sleeps, where its images have a shell.
    async fn sleep(&self) -> Result<(), Error> {
        if !self.options.search.runs {
            return Ok(());
        }
        let name = self.pod_name("survey");
        let planned = plan::compose(
            self.object,
            self.options.search.level,
            &[Edit::NonRoot, Edit::RunAs { container: None, uid: OBSERVER_UID, gid: OBSERVER_UID }],
        );
        let pod = pod::inspection(&self.copy(&planned, &name));
        if self.create(&pod).await?.is_some() {
            return Ok(());
        }
        let pods = self.pods()?;
        let begin = Instant::now();
        let runs = states::first(pods, &name, START_TIMEOUT, |pod| can_be_looked_at(&pod)).await;
        if runs.is_none() && begin.elapsed() >= START_TIMEOUT {
            let seconds = START_TIMEOUT.as_secs();
            (self.progress)(Progress::Note(format!(
                "nobody looked into the image: the pod for it did not run within {seconds} s"
            )));
        }
        if runs == Some(true) {
            let _ = self.inspection_pod.set(name);
            return Ok(());
        }
        self.remove(&name).await;
        Ok(())
    }
}

/// Whether a pod of sleeping containers has one to look into; `None` while that is open. An image
/// without a shell does not start.
fn can_be_looked_at(pod: &Pod) -> Option<bool> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    let runs = |container: &ContainerStatus| container.started == Some(true);
    if !containers.is_empty() && containers.iter().all(runs) {
        return Some(true);
    }
    let failed = |container: &ContainerStatus| {
        container.state.as_ref().is_some_and(|state| {
            state.terminated.is_some()
                || state.waiting.as_ref().is_some_and(|waiting| waiting.message.is_some())
        })
    };
    containers.iter().any(failed).then(|| containers.iter().any(runs))
}
