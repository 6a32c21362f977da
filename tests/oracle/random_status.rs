//! Statuses for random pods.

use fastrand::Rng;
use serde_json::{Value, json};

use super::random_pods::{HOSTILE, one_of};

/// A status for the containers of a spec, in any state that the kubelet reports, and odd ones.
pub(crate) fn random_status(rng: &mut Rng, spec: &Value) -> Value {
    let state = |rng: &mut Rng| match rng.u8(..5) {
        0 => json!({}),
        1 => json!({"running": {"startedAt": "2026-01-02T03:04:05Z"}}),
        2 => {
            json!({"waiting": {"reason": one_of(rng, &["ContainerCreating", "CrashLoopBackOff", "ImagePullBackOff", ""]), "message": one_of(rng, HOSTILE)}})
        }
        _ => {
            json!({"terminated": {"exitCode": one_of(rng, &[0, 1, 126, 137, -1]), "reason": one_of(rng, &["Error", "Completed", ""]), "message": one_of(rng, HOSTILE)}})
        }
    };
    let statuses = |rng: &mut Rng, list: &str| {
        let containers = spec[list].as_array().into_iter().flatten();
        let names: Vec<Value> =
            containers.map(|container| container["name"].clone()).filter(|_| rng.bool()).collect();
        let one = |name: Value| {
            let mut status = json!({"name": name, "image": "i", "imageID": "", "ready": rng.bool(), "restartCount": rng.u8(..3),
                "state": state(rng), "lastState": state(rng)});
            match rng.u8(..3) {
                0 => {}
                1 => status["user"] = json!({}),
                _ => {
                    status["user"] = json!({"linux": {"uid": rng.u32(..3), "gid": rng.u32(..), "supplementalGroups": (0..rng.u8(..3)).collect::<Vec<_>>()}})
                }
            }
            status
        };
        Value::from(names.into_iter().map(one).collect::<Vec<_>>())
    };
    let conditions: Vec<Value> = ["PodScheduled", "ContainersReady", "Ready"]
        .into_iter()
        .map(|kind| json!({"type": kind, "status": one_of(rng, &["True", "False", "Unknown"]), "reason": one_of(rng, HOSTILE), "message": one_of(rng, HOSTILE)}))
        .collect();
    json!({
        "phase": one_of(rng, &["Pending", "Running", "Succeeded", "Failed", ""]),
        "reason": one_of(rng, &["", "Evicted"]),
        "message": one_of(rng, HOSTILE),
        "conditions": conditions,
        "containerStatuses": statuses(rng, "containers"),
        "initContainerStatuses": statuses(rng, "initContainers"),
        "ephemeralContainerStatuses": statuses(rng, "ephemeralContainers"),
    })
}
