//! The end of every process of a copy, and its second start over the same volumes.
//!
//! The kubelet ends a container and starts it anew where its image changes, whatever the restart
//! policy is (`computePodActions` of pkg/kubelet/kuberuntime). Here the image becomes another name of
//! the same: the one that the runtime reports.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{Trial, states};
use crate::evidence::cluster::innermost;
use crate::model::behaviour::Restart;

/// What a second start may take at least; one that took long the first time may take twice as long.
const MIN_RESTART_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a container stands after its image got another name.
#[derive(Debug, PartialEq)]
enum Stage {
    /// The kubelet has not started it again, or it is not ready yet.
    Open,
    /// Its image cannot be had under the other name.
    Stuck,
    Done(Restart),
}

impl Trial<'_> {
    /// Ends a copy's processes and starts them once more.
    ///
    /// # Errors
    /// Why that could not be tried, in a few words.
    pub(super) async fn restart(&self, name: &str) -> Result<Vec<Restart>, String> {
        let pods = self.pods().map_err(|error| error.to_string())?;
        let pod = pods.get(name).await.map_err(|error| innermost(&error))?;
        let images = other_names(&pod).ok_or("the image has no other name")?;
        let limit = MIN_RESTART_TIMEOUT.max(self.startup_time_of(name).await * 2);
        let before = statuses(&pod).to_vec();

        let patch = Patch::Strategic(json!({"spec": {"containers": images}}));
        let patched = pods.patch(name, &PatchParams::default(), &patch).await;
        patched.map_err(|error| innermost(&error))?;
        let mut last = Vec::new();
        let _ = states::first(pods, name, limit, |pod| {
            last = before.iter().map(|old| stage(old, &pod)).collect();
            let is_open = last.contains(&Stage::Open) && !last.contains(&Stage::Stuck);
            (!is_open).then_some(())
        })
        .await;
        if last.contains(&Stage::Stuck) {
            return Err("the image cannot be had under its other name".to_owned());
        }
        // What was not ready in time is not.
        let restart = |(old, stage): (&ContainerStatus, Stage)| match stage {
            Stage::Done(restart) => restart,
            _ => Restart { container: old.name.clone(), exit_code: None, ready: false },
        };
        Ok(before.iter().zip(last).map(restart).collect())
    }
}

fn statuses(pod: &Pod) -> &[ContainerStatus] {
    pod.status.as_ref().and_then(|status| status.container_statuses.as_deref()).unwrap_or_default()
}

/// The containers of a patch that gives each image its other name. `None` where one has none.
fn other_names(pod: &Pod) -> Option<Vec<Value>> {
    let present = pod.spec.iter().flat_map(|spec| &spec.containers);
    let image = |name: &str| {
        present.clone().find(|one| one.name == name).and_then(|one| one.image.as_deref())
    };
    let names = statuses(pod).iter().map(|status| {
        let other = status.image_id.trim_start_matches("docker-pullable://");
        let is_other = !other.is_empty() && image(&status.name) != Some(other);
        is_other.then(|| json!({"name": status.name, "image": other}))
    });
    names.collect()
}

/// Where a container stands that was as `old` before.
fn stage(old: &ContainerStatus, pod: &Pod) -> Stage {
    let Some(new) = statuses(pod).iter().find(|new| new.name == old.name) else {
        return Stage::Open;
    };
    let ContainerState { running, terminated, waiting } = new.state.clone().unwrap_or_default();
    let reason = waiting.and_then(|waiting| waiting.reason);
    if reason.is_some_and(|reason| reason.contains("Image")) {
        return Stage::Stuck;
    }
    let is_ready = new.ready && running.is_some();
    if new.restart_count == old.restart_count || !is_ready && terminated.is_none() {
        return Stage::Open;
    }
    let last = new.last_state.as_ref().and_then(|last| last.terminated.as_ref());
    let exit_code = last.map(|last| last.exit_code);
    Stage::Done(Restart { container: new.name.clone(), exit_code, ready: is_ready })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize as _;

    use super::*;

    fn pod(state: Value, ready: bool, restarts: i32, last: Value) -> Pod {
        let status = json!({
            "name": "web", "image": "web:1", "imageID": "sha256:1", "ready": ready,
            "restartCount": restarts, "state": state, "lastState": last,
        });
        let pod = json!({
            "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            "status": {"containerStatuses": [status]},
        });
        Pod::deserialize(pod).expect("a pod")
    }

    #[test]
    fn a_second_start_is_done_when_it_is_ready_or_has_ended() {
        let running = json!({"running": {"startedAt": "2026-12-01T00:00:00Z"}});
        let ended = |code: i32| json!({"terminated": {"exitCode": code}});
        let before = pod(running.clone(), true, 0, json!({}));
        let old = &statuses(&before)[0];
        let restart = |exit_code, ready| {
            Stage::Done(Restart { container: "web".to_owned(), exit_code: Some(exit_code), ready })
        };
        for (state, ready, restarts, expected) in [
            (running.clone(), true, 0, Stage::Open),
            (running.clone(), false, 1, Stage::Open),
            (running, true, 1, restart(0, true)),
            (ended(1), false, 1, restart(0, false)),
            (json!({"waiting": {"reason": "ErrImageNeverPull"}}), false, 0, Stage::Stuck),
        ] {
            let about = format!("{state} {ready} {restarts}");
            assert_eq!(stage(old, &pod(state, ready, restarts, ended(0))), expected, "{about}");
        }
    }

    #[test]
    fn the_other_name_is_the_one_that_the_runtime_reports() {
        let mut of = pod(json!({}), true, 0, json!({}));
        assert_eq!(other_names(&of), Some(vec![json!({"name": "web", "image": "sha256:1"})]));
        if let Some(spec) = &mut of.spec {
            spec.containers[0].image = Some("sha256:1".to_owned());
        }
        assert_eq!(other_names(&of), None);
    }
}
