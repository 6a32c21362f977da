//! What a cluster has to say about a pod that fails.

use std::fmt::Write as _;

use futures::future::join_all;
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use kube::api::ListParams;

use super::Cluster;
use super::list::Encoding;
use crate::error::{Error, Partial};

/// Lines and bytes of a log's end that are read: programs that die say why in their last lines,
/// traces included.
const LOG_TAIL: (i64, i64) = (2000, 1 << 20);

/// A text that may say why a pod fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Where it was read: "log of container web".
    pub source: String,
    pub container: Option<String>,
    /// The container's working directory, where its spec sets one.
    pub directory: Option<String>,
    pub text: String,
}

impl Cluster {
    /// The texts about one pod: the logs of its containers, what the kubelet says of their state,
    /// its events and those of its controllers; what failed first. `container` keeps to one
    /// container, `previous` to the logs of containers that ended.
    ///
    /// # Errors
    /// Only when the pod itself cannot be read; a log or event list that cannot is an error beside
    /// the rest.
    pub async fn failure_texts(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        previous: bool,
    ) -> Result<Partial<Vec<Text>>, Error> {
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}");
        let what = format!("get pod {namespace}/{pod}");
        let pod: Pod = self.get(&path, &what).await.map_err(|refusal| refusal.error)?;
        let status = pod.status.clone().unwrap_or_default();
        let statuses = status
            .init_container_statuses
            .into_iter()
            .flatten()
            .chain(status.container_statuses.into_iter().flatten());
        let mut statuses: Vec<ContainerStatus> = statuses.collect();
        if let Some(name) = container {
            statuses.retain(|status| status.name == name);
            if statuses.is_empty() {
                return Err(Error::input(what, format!("it has no container {name:?}")));
            }
        }
        // A container that is fine says nothing about the failure of its neighbour.
        if container.is_none() && statuses.iter().any(is_failing) {
            statuses.retain(is_failing);
        }
        let name = pod.metadata.name.clone().unwrap_or_default();
        let mut read = Partial::clean(Vec::new());
        let logs =
            statuses.iter().map(|status| self.logs(&pod, namespace, &name, status, previous));
        for logs in join_all(logs).await {
            read.value.extend(logs.value);
            read.errors.extend(logs.errors);
        }
        for status in &statuses {
            let said = state_messages(status);
            if !said.is_empty() {
                read.value.push(Text {
                    source: format!("state of container {}", status.name),
                    container: Some(status.name.clone()),
                    directory: directory(&pod, &status.name),
                    text: said,
                });
            }
        }
        match self.events_about(namespace, &name, &pod).await {
            Ok(text) if text.is_empty() => {}
            Ok(text) => {
                let source = format!("events of pod {name}");
                read.value.push(Text { source, container: None, directory: None, text });
            }
            Err(error) => read.errors.push(error),
        }
        Ok(read)
    }

    /// The log of a container: of its last run if it ended, and of the present one.
    async fn logs(
        &self,
        pod: &Pod,
        namespace: &str,
        name: &str,
        status: &ContainerStatus,
        previous: bool,
    ) -> Partial<Vec<Text>> {
        let mut read = Partial::clean(Vec::new());
        let container = status.name.as_str();
        let state = status.state.clone().unwrap_or_default();
        let has_run = state.running.is_some() || state.terminated.is_some();
        let ended = status.last_state.as_ref().is_some_and(|last| last.terminated.is_some());
        let mut runs = Vec::new();
        if has_run && !previous {
            runs.push(false);
        }
        // The kubelet often has removed it already; then the present run, if any, must do.
        if ended || previous {
            runs.push(true);
        }
        for previous in runs {
            match self
                .log_tail((namespace, name, container), previous, LOG_TAIL.0, LOG_TAIL.1)
                .await
            {
                Ok(text) if text.trim().is_empty() => {}
                Ok(text) => {
                    let of = if previous { "previous log" } else { "log" };
                    read.value.push(Text {
                        source: format!("{of} of container {container}"),
                        container: Some(container.to_owned()),
                        directory: directory(pod, container),
                        text,
                    });
                }
                Err(refusal) if previous && refusal.code == Some(400) => {}
                Err(refusal) => read.errors.push(refusal.error),
            }
        }
        read
    }

    /// The warnings among the events of a pod and of the controllers above it, a line each.
    async fn events_about(&self, namespace: &str, name: &str, pod: &Pod) -> Result<String, Error> {
        let owners = pod.metadata.owner_references.iter().flatten().map(|owner| owner.name.clone());
        let mut text = String::new();
        for object in std::iter::once(name.to_owned()).chain(owners) {
            let params =
                ListParams::default().fields(&format!("involvedObject.name={object},type=Warning"));
            let path = format!("/api/v1/namespaces/{namespace}/events");
            let take = |event: Event| {
                let _ = writeln!(text, "{}", event.message.unwrap_or_default());
            };
            self.list(&path, &params, &format!("list events of {object}"), &Encoding::JSON, take)
                .await
                .map_err(|refusal| refusal.error)?;
        }
        Ok(text)
    }
}

/// A container that waits for anything but its turn, that ended badly, or that ended before and is
/// not ready.
fn is_failing(status: &ContainerStatus) -> bool {
    let state = status.state.clone().unwrap_or_default();
    let badly = |code: i32| code != 0;
    let stuck = state.waiting.is_some_and(|waiting| waiting.message.is_some());
    let ended = state.terminated.is_some_and(|ended| badly(ended.exit_code));
    let before = status.last_state.as_ref().and_then(|last| last.terminated.as_ref());
    stuck || ended || !status.ready && (before.is_some() || state.running.is_some())
}

/// What the kubelet, the runtime and the program itself (its termination message) left in a
/// container's status.
fn state_messages(status: &ContainerStatus) -> String {
    let states = [&status.state, &status.last_state];
    let mut messages: Vec<String> = Vec::new();
    for state in states.into_iter().flatten() {
        let waiting = state.waiting.as_ref().and_then(|waiting| waiting.message.clone());
        let ended = state.terminated.as_ref().and_then(|ended| ended.message.clone());
        messages.extend([waiting, ended].into_iter().flatten());
    }
    messages.dedup();
    messages.join("\n")
}

fn directory(pod: &Pod, container: &str) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let mut containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    containers.find(|known| known.name == container)?.working_dir.clone()
}
