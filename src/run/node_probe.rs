//! Finds out what no API tells of a node: a tiny pod runs there, as non-root, reads what the kernel
//! shows and ends.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde::Deserialize as _;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::pod;
use crate::error::{Error, Partial};
use crate::evidence::cluster::{Cluster, Right};
use crate::model::answer::Answer;
use crate::model::node::Probed;

/// What a probe does in its namespace.
const RIGHTS: &[Right] = &[
    Right { group: "", verb: "create", resource: "pods", subresource: None },
    Right { group: "", verb: "get", resource: "pods", subresource: None },
    Right { group: "", verb: "delete", resource: "pods", subresource: None },
    Right { group: "", verb: "get", resource: "pods", subresource: Some("log") },
];

/// How long one pod may take, its image's pull included.
const PROBE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a pod may not have started before its events are asked why.
const PENDING_TIMEOUT: Duration = Duration::from_secs(4);

/// How often a pod is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(300);

/// Prints what the kernel shows a pod, a `name=value` a line; sh and cat are all that it needs.
const SCRIPT: &str = include_str!("node_probe.sh");

/// Where the pods of a probe run, and what they are.
#[derive(Debug, Clone)]
pub struct Probe<'a> {
    pub namespace: &'a str,
    pub image: &'a str,
    /// Names and labels the pods, as a trial's.
    pub id: &'a str,
}

/// How a pod of a probe ended.
enum Ended {
    /// What it printed.
    Said(String),
    /// Why it did not run.
    Refused(String),
}

impl Probe<'_> {
    /// Whether the user may do what a probe does.
    ///
    /// # Errors
    /// A right is missing.
    pub async fn check_rights(&self, cluster: &Cluster) -> Result<(), Error> {
        let missing = cluster.missing(self.namespace, RIGHTS).await;
        if missing.is_empty() {
            return Ok(());
        }
        let list: Vec<String> = missing.iter().map(Right::to_string).collect();
        let attempted = format!("probe nodes from namespace {}", self.namespace);
        Err(Error::remote(attempted, format!("you may not {} there", list.join(", ")))
            .help("-n names another namespace"))
    }

    /// Runs two pods on a node, one after the other: an ordinary one, and one with a user
    /// namespace. What they leave unknown stays so, and is an error beside the rest.
    pub async fn node(&self, cluster: &Cluster, node: &str, number: usize) -> Partial<Probed> {
        // Where restricted is enforced a pod must name its seccomp profile, and cannot show what it
        // gets without.
        let enforced = cluster.terms(self.namespace).await.and_then(|terms| terms.enforced);
        let profile = enforced.as_deref() == Some("restricted");
        let mut read = Partial::clean(Probed::default());
        match self.run(cluster, &self.pod(node, &number.to_string(), profile, false)).await {
            Ok(Ended::Said(text)) => read.value = said(&text, profile),
            Ok(Ended::Refused(why)) => {
                read.errors.push(Error::remote(format!("probe node {node}"), why))
            }
            Err(error) => read.errors.push(error),
        }
        match self.run(cluster, &self.pod(node, &format!("{number}-users"), profile, true)).await {
            Ok(Ended::Said(text)) => read.value.user_namespaces = Some(mapped(&text)),
            // A pod that does not run without a namespace of its own either says nothing about
            // that.
            Ok(Ended::Refused(why)) if read.errors.is_empty() => {
                read.value.user_namespaces = Some(Answer::no(why))
            }
            Ok(Ended::Refused(_)) => {}
            Err(error) => read.errors.push(error),
        }
        read
    }

    /// The pod for a node: no scheduler and no taint is asked, it touches nothing, and it ends by
    /// itself.
    fn pod(&self, node: &str, suffix: &str, profile: bool, users: bool) -> Value {
        let mut pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": format!("nonroot-{}-{suffix}", self.id), "labels": pod::labels(self.id)},
            "spec": {
                "nodeName": node,
                "restartPolicy": "Never",
                "activeDeadlineSeconds": PROBE_TIMEOUT.as_secs(),
                "terminationGracePeriodSeconds": 1,
                "automountServiceAccountToken": false,
                "enableServiceLinks": false,
                "dnsPolicy": "Default",
                "tolerations": [{"operator": "Exists"}],
                "securityContext": {"runAsNonRoot": true, "runAsUser": NOBODY, "runAsGroup": NOBODY},
                "containers": [{
                    "name": "probe",
                    "image": self.image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sh", "-c", SCRIPT],
                    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
                    "securityContext": {
                        "allowPrivilegeEscalation": false,
                        "readOnlyRootFilesystem": true,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }],
            },
        });
        if profile {
            pod["spec"]["securityContext"]["seccompProfile"] = json!({"type": "RuntimeDefault"});
        }
        if users {
            pod["spec"]["hostUsers"] = json!(false);
        }
        pod
    }

    async fn run(&self, cluster: &Cluster, pod: &Value) -> Result<Ended, Error> {
        let pods: Api<Pod> = Api::namespaced(cluster.client(), self.namespace);
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        let attempted = || format!("create pod {name} in namespace {}", self.namespace);
        let object = Pod::deserialize(pod).map_err(|error| Error::input(attempted(), error))?;
        match pods.create(&PostParams::default(), &object).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) => return Ok(Ended::Refused(status.message.clone())),
            Err(error) => {
                return Err(Error::remote(
                    attempted(),
                    crate::evidence::cluster::innermost(&error),
                ));
            }
        }
        let ended = self.ended(cluster, &pods, name).await;
        if let Err(error) = pods.delete(name, &DeleteParams::default().grace_period(0)).await {
            tracing::debug!(%error, name, "not removed yet; the clean-up and its deadline follow");
        }
        ended
    }

    async fn ended(&self, cluster: &Cluster, pods: &Api<Pod>, name: &str) -> Result<Ended, Error> {
        let begin = Instant::now();
        loop {
            sleep(POLL_INTERVAL).await;
            let attempted = format!("watch pod {name} in namespace {}", self.namespace);
            let pod = pods.get(name).await.map_err(|error| {
                Error::remote(attempted, crate::evidence::cluster::innermost(&error))
            })?;
            let status = pod.status.unwrap_or_default();
            match status.phase.as_deref() {
                Some("Succeeded") => {
                    let place = (self.namespace, name, "probe");
                    let text = cluster
                        .log_tail(place, false, 100, 1 << 14)
                        .await
                        .map_err(|refusal| refusal.error)?;
                    return Ok(Ended::Said(text));
                }
                Some("Failed") => {
                    let why = status
                        .message
                        .or(status.reason)
                        .unwrap_or_else(|| "its pod failed".to_owned());
                    return Ok(Ended::Refused(why));
                }
                _ => {}
            }
            let late = begin.elapsed() > PROBE_TIMEOUT;
            if late
                || begin.elapsed() > PENDING_TIMEOUT && status.phase.as_deref() == Some("Pending")
            {
                let texts = cluster.failure_texts(self.namespace, name, None, false).await?;
                let lines: Vec<&str> =
                    texts.value.iter().flat_map(|text| text.text.lines()).collect();
                let stuck = status.container_statuses.iter().flatten().any(is_stuck);
                // Other warnings are about what a pod can live with.
                let refused = |line: &&&str| stuck || late || line.contains(NO_SANDBOX);
                if let Some(why) = lines.iter().rfind(refused) {
                    return Ok(Ended::Refused((*why).to_owned()));
                }
            }
            if late {
                return Ok(Ended::Refused(format!(
                    "its pod did not end within {} s",
                    PROBE_TIMEOUT.as_secs()
                )));
            }
        }
    }
}

/// The uid that owns nothing.
const NOBODY: u32 = 65_534;

/// How the kubelet's event begins when a pod cannot be started at all
/// (events.FailedCreatePodSandBox).
const NO_SANDBOX: &str = "Failed to create pod sandbox";

/// Its image cannot be had, or the runtime does not take its container.
fn is_stuck(status: &ContainerStatus) -> bool {
    status
        .state
        .as_ref()
        .and_then(|state| state.waiting.as_ref())
        .is_some_and(|waiting| waiting.message.is_some())
}

fn value<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::trim)
}

/// Reads what [`SCRIPT`] printed.
fn said(text: &str, profile: bool) -> Probed {
    let number = |name: &str| value(text, name)?.parse().ok();
    Probed {
        first_open_port: value(text, "ports").and_then(|port| port.parse().ok()),
        label: value(text, "label").map(|label| label.trim_end_matches('\0').to_owned()),
        app_armor: value(text, "apparmor").map(|enabled| enabled == "Y"),
        seccomp: number("seccomp").filter(|_| !profile),
        cgroup: number("cgroup"),
        user_namespaces: None,
        device_ownership: None,
    }
}

/// Whether uid 0 inside is another outside, by user_namespaces(7): inside, outside, how many.
fn mapped(text: &str) -> Answer {
    let map: Vec<u64> = value(text, "uid_map")
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|id| id.parse().ok())
        .collect();
    match map.as_slice() {
        [0, 0, ..] => {
            Answer::no("a pod with hostUsers: false ran in the node's own user namespace")
        }
        [inside, outside, count, ..] => Answer::yes(format!(
            "in a pod with hostUsers: false, {count} ids from {inside} on are {outside} and following of the node"
        )),
        _ => Answer::unknown("a pod with hostUsers: false ran, and could not read its uid_map"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::podsecurity::{Level, Version};
    use crate::policy;

    #[test]
    fn what_the_pod_printed_is_read() {
        let text = "ports=0\nlabel=system_u:system_r:container_t:s0:c1,c2\0\napparmor=N\nseccomp=2\ncgroup=2\nuid_map=0 131072 65536\n";
        let probed = said(text, false);
        assert_eq!(probed.first_open_port, Some(0));
        assert_eq!(probed.label.as_deref(), Some("system_u:system_r:container_t:s0:c1,c2"));
        assert_eq!(
            (probed.app_armor, probed.seccomp, probed.cgroup),
            (Some(false), Some(2), Some(2))
        );
        assert_eq!(said(text, true).seccomp, None, "it named a profile");
        assert_eq!(mapped(text).value, Some(true));
        assert_eq!(mapped("uid_map=0 0 4294967295\n").value, Some(false));
        assert_eq!(mapped("").value, None);
        assert_eq!(said("garbage", false), Probed { app_armor: None, ..Probed::default() });
    }

    #[test]
    fn its_pods_are_admitted_by_restricted() {
        let probe = Probe { namespace: "n", image: "busybox", id: "probe-1" };
        for users in [false, true] {
            let pod: Pod =
                serde_json::from_value(probe.pod("node1", "0", true, users)).expect("a pod");
            let spec = pod.spec.expect("a spec");
            assert_eq!(
                policy::evaluate(&pod.metadata, &spec, Level::Restricted, Version::Latest),
                []
            );
            assert_eq!(spec.host_users, users.then_some(false));
        }
    }
}
