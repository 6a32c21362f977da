//! The owner of a trial's pods: when the machine that started the trial is gone, it takes them with
//! it.

use k8s_openapi::api::batch::v1::Job;
use kube::Api;
use kube::api::PostParams;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::{Progress, Trial, pod};
use crate::error::Error;
use crate::evidence::cluster::{TrialPlace, insist};

/// A Job that never starts a pod. Its deadline ends it, `ttlSecondsAfterFinished: 0` lets the TTL
/// controller delete it, and the garbage collector deletes the pods that name it as their owner. A
/// bare pod has no such deadline: its own `activeDeadlineSeconds` ends its containers, and leaves
/// the object.
fn job(name: &str, trial: &str, seconds: u64) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "labels": pod::labels(trial),
        },
        "spec": {
            "parallelism": 0,
            "activeDeadlineSeconds": seconds,
            "ttlSecondsAfterFinished": 0,
            "template": {
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": false,
                    "securityContext": {
                        "runAsNonRoot": true,
                        "runAsUser": 65534,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [{
                        "name": "none",
                        "image": "none",
                        "securityContext": {
                            "allowPrivilegeEscalation": false,
                            "capabilities": {"drop": ["ALL"]},
                        },
                    }],
                },
            },
        },
    })
}

impl Trial<'_> {
    /// Creates the owner, which every pod of the trial then names. Without it a trial runs all the
    /// same, and says so.
    pub(super) async fn create_owner(&self) -> Result<(), Error> {
        let jobs: Api<Job> = Api::namespaced(self.cluster()?.client(), &self.namespace);
        let name = format!("{}{}", TrialPlace::PREFIX, self.id);
        // Each part of a trial may take its whole time once: the rounds, the last of them, and what
        // minimizes.
        let job = Job::deserialize(&job(
            &name,
            &self.id,
            self.options.timeout.as_secs().saturating_mul(3),
        ));
        let job = job.map_err(|error| Error::input("create the owner of a trial's pods", error))?;
        let params = PostParams::default();
        let created = insist(|| jobs.create(&params, &job)).await;
        let created = match created {
            // The answer to an earlier try got lost.
            Err(kube::Error::Api(status)) if status.code == 409 => insist(|| jobs.get(&name)).await,
            created => created,
        };
        match created {
            Ok(created) => {
                let uid = created.metadata.uid.unwrap_or_default();
                let owner =
                    json!([{"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid}]);
                self.owner.get_or_init(|| owner);
            }
            Err(error) => {
                let why = crate::evidence::cluster::innermost(&error);
                (self.progress)(Progress::Note(format!(
                    "the copies get no owner that would remove them if this machine were gone: {why}"
                )));
            }
        }
        Ok(())
    }
}
