//! strace beside a container that runs: an ephemeral container in its pod (KEP-277).

use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, Pod, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::core::Request;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::states;
use crate::error::Error;
use crate::evidence::cluster::{Cluster, Right, innermost};
use crate::model::podsecurity::{Level, Violation};
use crate::model::waiting_reason::WaitingReason;
use crate::policy;

/// What it takes to add an ephemeral container, and to read what it prints.
const RIGHTS: &[Right] = &[
    Right { group: "", verb: "patch", resource: "pods", subresource: Some("ephemeralcontainers") },
    Right { group: "", verb: "get", resource: "pods", subresource: Some("log") },
    Right { group: "", verb: "watch", resource: "pods", subresource: None },
];

/// How long the image may take to be pulled.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// With whose privileges it traces, by the names that kubectl debug gives its profiles. ptrace(2)
/// lets a process trace another with the same user and no capability that it lacks itself, unless
/// Yama forbids it; with CAP_SYS_PTRACE any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Root with CAP_SYS_PTRACE, which no Pod Security level but privileged admits.
    General,
    /// The container's own user, with the runtime's capabilities.
    Baseline,
    /// The container's own user, which is not root, without any capability.
    Restricted,
    /// Privileged.
    Sysadmin,
}

/// A trace to be made.
#[derive(Debug)]
pub struct Tracer<'a> {
    pub namespace: &'a str,
    pub pod: &'a str,
    /// The container whose processes are traced.
    pub container: &'a str,
    /// Has strace and sh.
    pub image: &'a str,
    pub profile: Profile,
    /// The uid and gid of the container's first process.
    pub user: Option<(i64, i64)>,
    pub seconds: u64,
    /// Name of the ephemeral container: no other of the pod may ever have had it.
    pub name: String,
}

/// Attaches to every process but its own: each that runs is named to strace, their children follow.
/// It ends by itself.
const SCRIPT: &str = r#"
for p in /proc/[0-9]*; do
  p=${p#/proc/}
  [ "$p" = "$$" ] || set -- "$@" -p "$p"
done
strace -f -y -s 256 "$@" & t=$!
(sleep "$SECONDS_TO_TRACE"; kill -INT $t 2> /dev/null) &
wait $t
"#;

impl Tracer<'_> {
    /// The ephemeral container, as the pod's `spec.ephemeralContainers` has it.
    #[must_use]
    pub fn container(&self) -> Value {
        let own = |mut context: Value| {
            if let Some((uid, gid)) = self.user {
                context["runAsUser"] = json!(uid);
                context["runAsGroup"] = json!(gid);
            }
            context
        };
        let context = match self.profile {
            Profile::General => {
                json!({"runAsUser": 0, "runAsNonRoot": false, "capabilities": {"add": ["SYS_PTRACE"]}})
            }
            Profile::Baseline => own(json!({})),
            Profile::Restricted => own(json!({
                "runAsNonRoot": true,
                "allowPrivilegeEscalation": false,
                "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            })),
            Profile::Sysadmin => json!({"runAsUser": 0, "runAsNonRoot": false, "privileged": true}),
        };
        json!({
            "name": self.name,
            "image": self.image,
            "targetContainerName": self.container,
            "command": ["sh", "-c", SCRIPT.replace('$', "$$")],
            "env": [{"name": "SECONDS_TO_TRACE", "value": self.seconds.to_string()}],
            "securityContext": context,
        })
    }

    /// Which rights are missing for it.
    pub async fn missing(&self, cluster: &Cluster) -> Vec<Right> {
        cluster.missing(self.namespace, RIGHTS).await
    }

    /// What a level forbids in the pod with it. An ephemeral container is a change for which the
    /// whole pod is judged again (k8s.io/pod-security-admission, admission.go:
    /// isSignificantPodUpdate).
    #[must_use]
    pub fn forbidden(&self, pod: &Value, level: Level) -> Vec<Violation> {
        let mut with = pod.clone();
        match &mut with["spec"]["ephemeralContainers"] {
            Value::Array(known) => known.push(self.container()),
            other => *other = json!([self.container()]),
        }
        let metadata = ObjectMeta::deserialize(&with["metadata"]).unwrap_or_default();
        let version = policy::newest_version();
        let spec = PodSpec::deserialize(&with["spec"]);
        spec.map(|spec| policy::evaluate(&metadata, &spec, level, version)).unwrap_or_default()
    }

    /// Starts it and waits until it runs, or ran. It cannot be removed from its pod again.
    ///
    /// # Errors
    /// The API server or the kubelet refuses it, its image cannot be had, or it has no shell.
    pub async fn start(&self, cluster: &Cluster) -> Result<(), Error> {
        let attempted =
            format!("trace container {} of pod {}/{}", self.container, self.namespace, self.pod);
        let path = format!("/api/v1/namespaces/{}/pods", self.namespace);
        let patch = json!({"spec": {"ephemeralContainers": [self.container()]}});
        let request = Request::new(path).patch_subresource(
            "ephemeralcontainers",
            self.pod,
            &PatchParams::default(),
            &Patch::Strategic(patch),
        );
        let request = request.map_err(|error| Error::input(attempted.clone(), error))?;
        let fail =
            |why: &str| Error::remote(attempted.clone(), why.lines().next().unwrap_or_default());
        match cluster.client().request::<Value>(request).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) => return Err(fail(&status.message)),
            Err(error) => return Err(fail(&innermost(&error))),
        }
        let pods: Api<Pod> = Api::namespaced(cluster.client(), self.namespace);
        let mut last = "it did not start".to_owned();
        let started = states::first(pods, self.pod, START_TIMEOUT, |pod| {
            let ContainerState { running, terminated, waiting } = self.state(&pod)?;
            let is_start_error =
                |ended: &ContainerStateTerminated| ended.reason.as_deref() == Some("StartError");
            if running.is_some() || terminated.as_ref().is_some_and(|end| !is_start_error(end)) {
                return Some(Ok(()));
            }
            if let Some(message) = terminated.and_then(|ended| ended.message) {
                return Some(Err(message));
            }
            let waiting = waiting?;
            let reason = waiting.reason.filter(|reason| reason != "ContainerCreating")?;
            last = format!("{reason}: {}", waiting.message.unwrap_or_default());
            let is_fatal = WaitingReason::parse(&reason).is_some_and(WaitingReason::is_fatal);
            is_fatal.then(|| Err(last.clone()))
        });
        match started.await {
            Some(Ok(())) => Ok(()),
            Some(Err(message)) => {
                Err(fail(&message).help("its image must have sh and strace (--image)"))
            }
            None => Err(fail(&last)),
        }
    }

    fn state(&self, pod: &Pod) -> Option<ContainerState> {
        let statuses = pod.status.as_ref()?.ephemeral_container_statuses.as_ref()?;
        statuses.iter().find(|status| status.name == self.name)?.state.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracer(profile: Profile) -> Tracer<'static> {
        Tracer {
            namespace: "shop",
            pod: "web",
            container: "nginx",
            image: "strace",
            profile,
            user: Some((101, 102)),
            seconds: 30,
            name: "nonroot-trace-1".to_owned(),
        }
    }

    #[test]
    fn each_profile_is_admitted_where_it_says() {
        let pod = json!({"metadata": {}, "spec": {
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "nginx", "securityContext": {
                "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
            }}],
        }});
        let forbidden = |profile, level| tracer(profile).forbidden(&pod, level).len();
        assert_eq!(forbidden(Profile::Restricted, Level::Restricted), 0);
        assert_eq!(forbidden(Profile::Baseline, Level::Baseline), 0);
        assert!(forbidden(Profile::Baseline, Level::Restricted) > 0);
        assert!(forbidden(Profile::General, Level::Baseline) > 0);
        assert!(forbidden(Profile::Sysadmin, Level::Baseline) > 0);
    }

    #[test]
    fn the_script_survives_kubernetes() {
        let container = tracer(Profile::Restricted).container();
        let script = container["command"][2].as_str().unwrap_or_default();
        assert_eq!(script.replace("$$", "$"), SCRIPT);
        assert_eq!(container["securityContext"]["runAsUser"], 101);
    }
}
