//! One run of one pod, from its creation to the moment that tells how it went.

use std::path::Path;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition};
use kube::api::{Api, PostParams};
use kube::core::Request;
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::control::Role;
use super::states::{START_TIMEOUT, states};
use super::{Trial, pod};
use crate::comparison::{self, Comparison};
use crate::diagnosis::{Context, diagnose};
use crate::error::Error;
use crate::evidence::cluster::{Place, Text, insist};
use crate::foresight;
use crate::model::behaviour::Behaviour;
use crate::model::obstacle::Obstacle;
use crate::model::waiting_reason::WaitingReason;
use crate::plan;
use crate::search::{End, Outcome, Search};

/// How often the log of a pod that runs and is not ready is looked at.
const LOG_INTERVAL: Duration = Duration::from_secs(2);

/// How long a pod with a fatal refusal in its log may still get ready: some programs go on and try
/// again.
const SECOND_CHANCE: Duration = Duration::from_secs(6);

/// A pod that became ready later than this after its start became so again, and tells nothing of
/// its start.
const MAX_STARTUP: Duration = Duration::from_secs(300);

/// What is not looked at of a Job.
const ONLY_ITS_END: &str = "it runs to an end: its end and its log are judged, and nothing else";

impl Trial<'_> {
    /// Runs a pod and tells how it went; one that is Ready is used, and compared with the control.
    /// The pod is removed before this returns.
    ///
    /// # Errors
    /// The cluster does not answer, or does not let us create or watch the pod.
    pub(super) async fn run(
        &self,
        pod: &Value,
        search: &Search<'_>,
        startup_time: Duration,
        control: Option<&Behaviour>,
    ) -> Result<Outcome, Error> {
        if let Some(refused) = self.create(pod).await? {
            return Ok(refused);
        }
        let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let end = self.watched(&name, pod, startup_time).await;
        let run = match end {
            Ok(end) => match self.evidence(&name, end, pod, search).await {
                Ok(mut outcome) if outcome.end == End::Works && self.runs_to_an_end => {
                    outcome.seen.gaps.push(ONLY_ITS_END.to_owned());
                    Ok(outcome)
                }
                Ok(outcome) if outcome.end == End::Works => {
                    Ok(self.used(&name, pod, search, control, outcome).await)
                }
                outcome => outcome,
            },
            Err(error) => Err(error),
        };
        self.remove(&name).await;
        run
    }

    /// Creates a pod. A refusal that is about the pod is a result, not an error.
    pub(super) async fn create(&self, pod: &Value) -> Result<Option<Outcome>, Error> {
        let path = format!("/api/v1/namespaces/{}/pods", self.namespace);
        let attempted = format!("create a trial pod in namespace {}", self.namespace);
        let mut pod = pod.clone();
        if let Some(owner) = self.owner.get() {
            pod["metadata"]["ownerReferences"] = owner.clone();
        }
        let (client, pod) = (self.cluster()?.client(), pod.to_string().into_bytes());
        let ask = || async {
            let request = Request::new(&path).create(&PostParams::default(), pod.clone());
            client.request::<Value>(request.map_err(kube::Error::BuildRequest)?).await
        };
        match insist(ask).await {
            Ok(_) => Ok(None),
            // The answer to an earlier try got lost: nobody else gives a pod this name.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 403 | 422) => {
                let context = Context { source: "the API server".to_owned(), ..Context::default() };
                let obstacles = diagnose(status.message.as_bytes(), context).obstacles;
                if obstacles.is_empty() {
                    return Err(Error::remote(
                        attempted,
                        status.message.lines().next().unwrap_or_default(),
                    ));
                }
                Ok(Some(Outcome::new(End::NotStarted, obstacles)))
            }
            Err(error) => {
                Err(Error::remote(attempted, crate::evidence::cluster::innermost(&error)))
            }
        }
    }

    /// What a run showed that is Ready, and what its copy showed in use.
    async fn used(
        &self,
        name: &str,
        pod: &Value,
        search: &Search<'_>,
        control: Option<&Behaviour>,
        mut outcome: Outcome,
    ) -> Outcome {
        let role = control.map_or(Role::Alone, Role::Beside);
        let behaviour = self.exercise(name, pod, role).await;
        let directory = |container: &str| search.facts(container)?.directory.clone();
        let mut refused = self.refusals(name, &directory).await;
        refused.retain(|one| !outcome.obstacles.iter().any(|known| known.cause == one.cause));
        outcome.obstacles.extend(refused);
        let Comparison { obstacles, notes, differs } = match control {
            Some(control) => comparison::beside(control, &behaviour),
            None => comparison::alone(search.running(), &behaviour),
        };
        if differs {
            outcome.end = End::Differs;
        }
        outcome.obstacles.extend(obstacles);
        let checks = behaviour.checks.iter().map(|check| check.check.clone()).collect();
        outcome.seen.notes.extend(notes);
        outcome.seen.checks = checks;
        outcome.seen.is_shown = behaviour.is_shown();
        outcome.seen.gaps = behaviour.gaps;
        outcome
    }

    /// What the logs of a copy and its log files tell that was refused.
    pub(super) async fn refusals(
        &self,
        name: &str,
        directory: &(dyn Fn(&str) -> Option<String> + Sync),
    ) -> Vec<Obstacle> {
        let Some(cluster) = self.cluster else { return Vec::new() };
        let texts = cluster.failure_texts(&self.namespace, name, None, false).await;
        let mut texts = texts.map(|texts| texts.value).unwrap_or_default();
        // That it was ended for a second start is no refusal.
        texts.retain(|text| text.container.is_some());
        let pod = match self.pods() {
            Ok(pods) => pods.get_opt(name).await.ok().flatten(),
            Err(_) => None,
        };
        let containers =
            pod.iter().filter_map(|pod| pod.spec.as_ref()).flat_map(|spec| &spec.containers);
        for container in containers.map(|container| container.name.as_str()) {
            let place = Place { namespace: &self.namespace, pod: name, container };
            for (path, text) in cluster.log_files(place).await.unwrap_or_default() {
                texts.push(logged(container, &path, text));
            }
        }
        for text in texts.iter_mut().filter(|text| text.directory.is_none()) {
            text.directory = text.container.as_deref().and_then(directory);
        }
        super::diagnosed(&texts).obstacles
    }

    /// How long a copy took to become Ready.
    pub(super) async fn startup_time_of(&self, name: &str) -> Duration {
        let Ok(pods) = self.pods() else { return Duration::ZERO };
        let pod = pods.get_opt(name).await.ok().flatten();
        pod.as_ref().and_then(ready_after).unwrap_or_default()
    }

    pub(super) async fn watched(
        &self,
        name: &str,
        pod: &Value,
        startup_time: Duration,
    ) -> Result<End, Error> {
        let pods = self.pods()?;
        let mut states = states(pods, name);
        let patience = self.patience(pod, startup_time);
        let mut deadline = Instant::now() + START_TIMEOUT;
        let mut look = Instant::now() + LOG_INTERVAL;
        let mut ready_until: Option<Instant> = None;
        let mut refused_at: Option<Instant> = None;
        let mut started = false;
        let mut running = false;
        let mut extended = false;
        loop {
            let wake = ready_until.unwrap_or(deadline).min(if running { look } else { deadline });
            tokio::select! {
                state = states.next() => match state {
                    Some(Ok(Some(pod))) => {
                        if let Some(end) = self.ended(&pod) {
                            return Ok(end);
                        }
                        running = is_running(&pod);
                        if running && !started {
                            started = true;
                            deadline = Instant::now() + patience;
                        }
                        ready_until = match (is_ready(&pod), ready_until) {
                            (true, None) => Some(Instant::now() + self.settle(&pod)),
                            (true, known) => known,
                            (false, _) => None,
                        };
                    }
                    Some(Ok(None)) if started => return Ok(End::Died),
                    Some(Ok(None)) => {}
                    Some(Err(error)) => return Err(error),
                    None => return Err(Error::remote(format!("watch pod {name}"), "the watch ended")),
                },
                () = sleep_until(wake) => {
                    let now = Instant::now();
                    if ready_until.is_some_and(|until| until <= now) {
                        return Ok(End::Works);
                    }
                    // A program that was refused nothing may only be slow: on a busy node it takes its time.
                    let is_slow = started && refused_at.is_none() && !self.runs_to_an_end;
                    if deadline <= now && ready_until.is_none() && is_slow && !extended {
                        extended = true;
                        deadline = now + patience;
                    }
                    if deadline <= now && ready_until.is_none() {
                        return Ok(if self.runs_to_an_end && started { End::Works } else { End::NotReady });
                    }
                    if running && look <= now {
                        look = now + LOG_INTERVAL;
                        if ready_until.is_none() && refused_at.is_none() && self.has_fatal_refusal(name).await {
                            refused_at = Some(now);
                        }
                        if ready_until.is_none() && refused_at.is_some_and(|at| at + SECOND_CHANCE <= now) {
                            return Ok(End::NotReady);
                        }
                    }
                }
            }
        }
    }

    /// The pod of the workload that runs today.
    pub(super) async fn live_pod(&self) -> Option<Pod> {
        let (cluster, (namespace, pod)) = (self.cluster?, self.root_pod.as_ref()?);
        let pods: Api<Pod> = Api::namespaced(cluster.client(), namespace);
        pods.get_opt(pod).await.ok().flatten()
    }

    /// How long a pod that runs may take to be ready: as long as its own probes would wait, or as
    /// the root pod startup_time, and at least so long that a program of ordinary slowness
    /// starts.
    fn patience(&self, pod: &Value, startup_time: Duration) -> Duration {
        let seconds = |probe: &Value| {
            let number = |field: &str, default: u64| probe[field].as_u64().unwrap_or(default);
            number("initialDelaySeconds", 0)
                + number("periodSeconds", 10) * number("failureThreshold", 3)
        };
        let containers = pod["spec"]["containers"].as_array();
        let probes = containers
            .into_iter()
            .flatten()
            .flat_map(|container| [&container["readinessProbe"], &container["startupProbe"]]);
        let longest = probes.filter(|probe| probe.is_object()).map(seconds).max().unwrap_or(0);
        Duration::from_secs(longest)
            .max(startup_time)
            .max(self.options.patience)
            .min(self.options.timeout)
    }

    /// How long a pod must stay ready to count. Without a readiness probe a pod is ready at once,
    /// and tells nothing yet.
    fn settle(&self, pod: &Pod) -> Duration {
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let probed = containers.into_iter().all(|container| container.readiness_probe.is_some());
        if probed { self.options.settle } else { self.options.settle * 3 }
    }

    fn ended(&self, pod: &Pod) -> Option<End> {
        let status = pod.status.as_ref()?;
        let phase = status.phase.as_deref();
        let init = status.init_container_statuses.iter().flatten();
        let main = status.container_statuses.iter().flatten();
        let main = main.filter(|container| !pod::is_added(&container.name));
        for container in init.chain(main.clone()) {
            let state = container.state.clone().unwrap_or_default();
            let stuck =
                |reason: &str| WaitingReason::parse(reason).is_some_and(WaitingReason::is_fatal);
            if state.waiting.and_then(|waiting| waiting.reason).is_some_and(|reason| stuck(&reason))
            {
                return Some(End::NotStarted);
            }
            if state.terminated.is_some_and(|ended| ended.exit_code != 0) {
                return Some(End::Died);
            }
        }
        if phase == Some("Succeeded") {
            return Some(if self.runs_to_an_end { End::Works } else { End::Died });
        }
        // One of several containers that ends well has still left its pod.
        let left = main.filter(|container| has_ended(container)).count();
        (phase == Some("Failed") || left > 0 && !self.runs_to_an_end).then_some(End::Died)
    }

    async fn has_fatal_refusal(&self, name: &str) -> bool {
        let Some(cluster) = self.cluster else { return false };
        let texts = cluster.failure_texts(&self.namespace, name, None, false).await;
        texts.is_ok_and(|texts| {
            super::diagnosed(&texts.value).obstacles.iter().any(|obstacle| obstacle.fatal)
        })
    }

    async fn evidence(
        &self,
        name: &str,
        end: End,
        pod: &Value,
        search: &Search<'_>,
    ) -> Result<Outcome, Error> {
        let cluster = self.cluster()?;
        let texts = cluster.failure_texts(&self.namespace, name, None, false).await?;
        for error in &texts.errors {
            tracing::debug!(%error, "a text could not be read");
        }
        let mut texts: Vec<Text> = texts.value;
        let containers: Vec<&str> = pod["spec"]["containers"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| one["name"].as_str())
            .collect();
        // A container that runs may say in a file what it is refused; the files of a dead one are read
        // from the container beside it.
        let runs = matches!(end, End::NotReady | End::Works);
        for container in containers.iter().filter(|container| runs || **container == pod::READER) {
            let place = Place { namespace: &self.namespace, pod: name, container };
            let read = (*container == pod::READER)
                .then(|| containers.iter().find(|other| **other != pod::READER));
            let whose = read.flatten().unwrap_or(container);
            for (path, text) in cluster.log_files(place).await.unwrap_or_default() {
                texts.push(logged(whose, &path, text));
            }
        }
        for text in texts.iter_mut().filter(|text| text.directory.is_none()) {
            let facts = text.container.as_ref().and_then(|name| search.facts(name));
            text.directory = facts.and_then(|facts| facts.directory.clone());
        }
        let unknown: Vec<&str> = search
            .all_facts()
            .filter(|facts| facts.user_is_a_guess)
            .map(|facts| facts.container.as_str())
            .collect();
        let users = match unknown.is_empty() {
            true => Vec::new(),
            false => self.users(name, unknown.into_iter()).await,
        };
        let mut run = Outcome { users, ..Outcome::new(end, super::diagnosed(&texts).obstacles) };
        self.read_trace(name, pod, &mut run).await;
        if end == End::Works {
            // What an init container of ours left out of a copy, the program may not read either.
            run.obstacles.retain(|obstacle| {
                !obstacle.container.as_ref().is_some_and(|name| name.starts_with(plan::FILL))
            });
            self.compare(name, search, &mut run).await;
        }
        Ok(run)
    }

    /// Who some containers of a run are.
    pub(super) async fn users(
        &self,
        pod: &str,
        containers: impl Iterator<Item = &str>,
    ) -> Vec<(String, (u32, u32))> {
        let Ok(pods) = self.pods() else { return Vec::new() };
        let Ok(Some(pod)) = pods.get_opt(pod).await else { return Vec::new() };
        let known =
            containers.filter_map(|name| Some((name.to_owned(), running_user(&pod, name)?)));
        known.collect()
    }

    /// What a copy that works lacks beside the root pod, and what it may not write that it was made
    /// to write.
    async fn compare(&self, pod: &str, search: &Search<'_>, run: &mut Outcome) {
        let Some(cluster) = self.cluster else { return };
        for facts in search.all_facts() {
            let container = &facts.container;
            let place = Place { namespace: &self.namespace, pod, container };
            // Who keeps its user may write what it may write today.
            if search.keeps_user(container) {
                continue;
            }
            // The home of root is not that of another user.
            let written = facts.written.iter().filter(|path| !Path::new(path).starts_with("/root"));
            let paths: Vec<&str> =
                facts.volumes.iter().chain(written).map(String::as_str).collect();
            if paths.is_empty() {
                continue;
            }
            for path in cluster.refused(place, &paths).await.unwrap_or_default() {
                let known = run.obstacles.iter().any(|known| known.path.as_ref() == Some(&path));
                if !known {
                    run.obstacles.push(foresight::refused(container, &path));
                }
            }
        }
    }
}

/// What a container logged to a file.
pub(super) fn logged(container: &str, path: &str, text: String) -> Text {
    let source = format!("file {path} of container {container}");
    Text { source, container: Some(container.to_owned()), directory: None, text }
}

fn has_ended(container: &ContainerStatus) -> bool {
    container.state.as_ref().is_some_and(|state| state.terminated.is_some())
}

/// uid and gid that the runtime reports of a container's first process (KEP-3619).
pub(super) fn running_user(pod: &Pod, container: &str) -> Option<(u32, u32)> {
    let status = pod.status.as_ref()?;
    let mut statuses = status
        .container_statuses
        .iter()
        .flatten()
        .chain(status.init_container_statuses.iter().flatten());
    let user = statuses.find(|status| status.name == container)?.user.as_ref()?.linux.as_ref()?;
    Some((u32::try_from(user.uid).ok()?, u32::try_from(user.gid).ok()?))
}

/// From the start of a pod's last container to the pod's readiness, in whole seconds.
pub(super) fn ready_after(pod: &Pod) -> Option<Duration> {
    let status = pod.status.as_ref()?;
    let running = status
        .container_statuses
        .iter()
        .flatten()
        .filter_map(|container| container.state.as_ref()?.running.as_ref());
    let started = running.filter_map(|running| Some(running.started_at.as_ref()?.0)).max()?;
    let ready = ready(pod)?.last_transition_time.as_ref()?.0;
    let after = ready.duration_since(started);
    Duration::try_from(after).ok().filter(|after| *after <= MAX_STARTUP)
}

fn is_running(pod: &Pod) -> bool {
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    statuses.filter_map(|status| status.state.as_ref()).any(|state| state.running.is_some())
}

fn is_ready(pod: &Pod) -> bool {
    ready(pod).is_some()
}

/// The condition by which a pod is ready.
fn ready(pod: &Pod) -> Option<&PodCondition> {
    let mut conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.find(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize as _;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_was_ready_some_time_after_its_last_container_started() {
        let pod = |ready: &str, status: &str| {
            let started = |at: &str| {
                json!({"name": "a", "image": "", "imageID": "", "ready": true, "restartCount": 0,
                                            "state": {"running": {"startedAt": at}}})
            };
            let object = json!({"status": {
                "conditions": [{"type": "Ready", "status": status, "lastTransitionTime": ready}],
                "containerStatuses": [started("2026-11-26T10:00:00Z"), started("2026-11-26T10:00:05Z")],
            }});
            ready_after(&Pod::deserialize(&object).expect("a pod"))
        };
        assert_eq!(pod("2026-11-26T10:01:15Z", "True"), Some(Duration::from_secs(70)));
        assert_eq!(pod("2026-11-26T10:01:15Z", "False"), None);
        assert_eq!(pod("2026-11-27T10:01:15Z", "True"), None, "it was ready before");
        assert_eq!(ready_after(&Pod::default()), None);
    }
}
