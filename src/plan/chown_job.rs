//! Data that root wrote in the past: whom it goes to, and how.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{PodSpec, Volume};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::{pod_spec, templated};
use crate::model::identity::Candidate;
use crate::model::volume::{FsGroup, Storage, claim_name};

/// A claim that root wrote and another user shall write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    pub claim: String,
    /// The volume of the pod, and the container that mounts it.
    pub volume: String,
    pub container: String,
    pub uid: u32,
    pub gid: u32,
    pub fs_group: FsGroup,
    /// The fsGroup that the plan has, if any.
    pub group: Option<i64>,
}

impl Transfer {
    /// What becomes of the old files, as a warning: a trial has an empty volume, which shows
    /// nothing of it.
    #[must_use]
    pub fn warning(&self) -> String {
        let Transfer { claim, uid, gid, .. } = self;
        let begin = format!(
            "claim {claim} may hold what root wrote, and no proof covers that: a trial has an empty volume"
        );
        let once =
            format!("change its owner to {uid}:{gid} once: -o ownership-job prints a Job for that");
        match (&self.fs_group, self.group) {
            (FsGroup::Applied, Some(group)) => format!(
                "{begin}; the kubelet gives all files to group {group} when the first pod starts, once \
                 (OnRootMismatch), which takes minutes for a million files; their owner stays root"
            ),
            (FsGroup::Applied, None) => {
                format!("{begin}; set fsGroup, which works there, or {once}")
            }
            (FsGroup::Unchanged(why), _) => {
                format!("{begin}; fsGroup does nothing, since {why}: {once}")
            }
            (FsGroup::Unknown(why), _) => {
                format!("{begin}; whether fsGroup changes it is not known ({why}); if not, {once}")
            }
        }
    }
}

/// The claims that containers write which were root, or may have been: `was_root` says what is
/// known of each. `planned` is the object with the plan in it.
#[must_use]
pub fn transfers(
    planned: &Value,
    namespace: &str,
    identities: &[(String, Candidate)],
    storage: &Storage,
    was_root: &dyn Fn(&str) -> bool,
) -> Vec<Transfer> {
    let spec =
        pod_spec(planned).and_then(|spec| PodSpec::deserialize(spec).ok()).unwrap_or_default();
    let group = spec.security_context.as_ref().and_then(|context| context.fs_group);
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for container in spec.containers.iter().chain(spec.init_containers.iter().flatten()) {
        let Some((_, identity)) = identities.iter().find(|(name, _)| *name == container.name)
        else {
            continue;
        };
        if !was_root(&container.name) {
            continue;
        }
        for mount in
            container.volume_mounts.iter().flatten().filter(|mount| mount.read_only != Some(true))
        {
            let volume =
                spec.volumes.iter().flatten().find(|volume| volume.name == mount.name).cloned();
            let Some(volume) = volume.or_else(|| templated(planned, &mount.name)) else { continue };
            let backing = storage.backing(&volume, namespace, None);
            // An ephemeral volume is new with each pod.
            let read_only = volume
                .persistent_volume_claim
                .as_ref()
                .is_none_or(|claim| claim.read_only == Some(true));
            if read_only || !backing.keeps_files() {
                continue;
            }
            for claim in claims(planned, &volume, namespace, storage) {
                if seen.insert(claim.clone()) {
                    found.push(Transfer {
                        claim,
                        volume: volume.name.clone(),
                        container: container.name.clone(),
                        uid: identity.uid,
                        gid: identity.gid,
                        fs_group: backing.fs_group(),
                        group,
                    });
                }
            }
        }
    }
    found
}

/// The claim of a volume; of a StatefulSet's template, those of all its pods that are there.
fn claims(object: &Value, volume: &Volume, namespace: &str, storage: &Storage) -> Vec<String> {
    let Some(first) = claim_name(volume, None) else { return Vec::new() };
    if templated(object, &volume.name).is_none() {
        return vec![first];
    }
    let begin = first.trim_end_matches('0');
    let of_a_pod =
        |claim: &&String| claim.strip_prefix(begin).is_some_and(|rest| rest.parse::<u32>().is_ok());
    let names =
        storage.claims.keys().filter(|(place, _)| place == namespace).map(|(_, claim)| claim);
    let found: Vec<String> = names.filter(of_a_pod).cloned().collect();
    if found.is_empty() { vec![first] } else { found }
}

/// The longest name of a Job: its pods get it as a label (RFC 1123).
const LONGEST_NAME: usize = 63;

/// A Job that gives a claim's files to their new owner, to be run once by somebody who may be root
/// there, while the workload has no pods. It is root with two capabilities, which the baseline
/// level allows.
#[must_use]
pub fn job(object: &Value, transfer: &Transfer) -> Value {
    let Transfer { claim, uid, gid, .. } = transfer;
    let spec = pod_spec(object).cloned().unwrap_or_default();
    let lists = ["containers", "initContainers"]
        .into_iter()
        .filter_map(|list| spec[list].as_array())
        .flatten();
    let container = lists.into_iter().find(|one| one["name"] == transfer.container.as_str());
    let container = container.cloned().unwrap_or_default();
    let mut job_name = format!("nonroot-ownership-{claim}");
    job_name.truncate(LONGEST_NAME);
    let mut chown = json!({
        "name": "chown",
        "image": container["image"],
        // Links are changed themselves: what they lead to may be elsewhere.
        "command": ["chown", "-hR", format!("{uid}:{gid}"), "/volume"],
        "securityContext": {
            "runAsUser": 0,
            "runAsNonRoot": false,
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"], "add": ["CHOWN", "DAC_OVERRIDE"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": "volume", "mountPath": "/volume"}],
    });
    if let Some(policy) = container.get("imagePullPolicy") {
        chown["imagePullPolicy"] = policy.clone();
    }
    let mut pod = Map::from_iter([
        ("restartPolicy".to_owned(), json!("Never")),
        ("automountServiceAccountToken".to_owned(), json!(false)),
        ("containers".to_owned(), json!([chown])),
        (
            "volumes".to_owned(),
            json!([{"name": "volume", "persistentVolumeClaim": {"claimName": claim}}]),
        ),
    ]);
    for field in ["imagePullSecrets", "nodeSelector", "tolerations"] {
        if let Some(value) = spec.get(field) {
            pod.insert(field.to_owned(), value.clone());
        }
    }
    let mut metadata = json!({"name": job_name.trim_end_matches(['-', '.'])});
    if let Some(namespace) = object.pointer("/metadata/namespace") {
        metadata["namespace"] = namespace.clone();
    }
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::volume::{Backing, Claim};

    fn stateful_set() -> Value {
        json!({
            "kind": "StatefulSet",
            "metadata": {"name": "db", "namespace": "n"},
            "spec": {
                "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
                "template": {"spec": {
                    "securityContext": {"fsGroup": 7},
                    "tolerations": [{"operator": "Exists"}],
                    "containers": [
                        {"name": "db", "image": "db:1", "imagePullPolicy": "Never", "volumeMounts": [
                            {"name": "data", "mountPath": "/data"}, {"name": "old", "mountPath": "/old"},
                            {"name": "tmp", "mountPath": "/tmp"}, {"name": "old", "mountPath": "/ro", "readOnly": true}]},
                        {"name": "side", "image": "s:1", "volumeMounts": [{"name": "other", "mountPath": "/x"}]},
                    ],
                    "volumes": [
                        {"name": "old", "persistentVolumeClaim": {"claimName": "old"}},
                        {"name": "other", "persistentVolumeClaim": {"claimName": "other"}},
                        {"name": "tmp", "emptyDir": {}},
                    ],
                }},
            },
        })
    }

    #[test]
    fn what_root_wrote_is_handed_over() {
        let mut storage = Storage::default();
        let mut add = |name: &str, backing: Backing| {
            let claim = Claim { access_modes: Vec::new(), backing };
            storage.claims.insert(("n".to_owned(), name.to_owned()), claim);
        };
        for name in ["data-db-0", "data-db-1", "data-db-x", "data-dbx-0"] {
            add(name, Backing::Local);
        }
        add("old", Backing::HostPath);
        let candidate = Candidate { uid: 5, gid: 6, ..Candidate::default() };
        let identities = [("db".to_owned(), candidate.clone()), ("side".to_owned(), candidate)];
        let object = stateful_set();
        let found = transfers(&object, "n", &identities, &storage, &|container| container == "db");
        let claims: Vec<&str> = found.iter().map(|transfer| transfer.claim.as_str()).collect();
        assert_eq!(claims, ["data-db-0", "data-db-1", "old"]);
        assert!(found[0].warning().contains("group 7"), "{}", found[0].warning());
        assert!(found[2].warning().contains("ownership-job"), "{}", found[2].warning());
        let job = job(&object, &found[2]);
        assert_eq!(job["metadata"], json!({"name": "nonroot-ownership-old", "namespace": "n"}));
        let pod = &job["spec"]["template"]["spec"];
        assert_eq!(pod["containers"][0]["command"], json!(["chown", "-hR", "5:6", "/volume"]));
        assert_eq!(
            (&pod["containers"][0]["image"], &pod["containers"][0]["imagePullPolicy"]),
            (&json!("db:1"), &json!("Never"))
        );
        assert_eq!(pod["volumes"][0]["persistentVolumeClaim"]["claimName"], "old");
        assert_eq!(pod["tolerations"], json!([{"operator": "Exists"}]));
    }
}
