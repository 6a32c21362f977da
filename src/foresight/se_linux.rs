//! Pods that share a claim and not its SELinux label, by the rules of the cluster's own controller
//! for it (pkg/controller/volume/selinuxwarning, KEP-1710): the level always counts, user, role and
//! type where both have one.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Container, PodSpec, SELinuxOptions};

use super::obstacle;
use crate::model::detail::Detail;
use crate::model::obstacle::{Category, Errno, Obstacle, Operation};
use crate::model::se_linux::categories;
use crate::model::workload::Workload;

/// What a container demands of the files of a claim.
struct Use<'a> {
    /// Which workload, by its place in the list.
    workload: usize,
    container: &'a str,
    path: &'a str,
    options: SELinuxOptions,
    policy: &'a str,
}

/// A workload among others: namespace, kind, name.
type Key = (Option<String>, String, String);

fn key(workload: &Workload) -> Key {
    (workload.namespace.clone(), workload.kind.clone(), workload.name.clone())
}

/// Obstacles of workloads that share a claim of their namespace with another label or another
/// seLinuxChangePolicy. Where none has a label nothing is told: a node without SELinux needs none,
/// and OpenShift gives one to all.
#[derive(Debug, Default)]
pub struct Shared(BTreeMap<Key, Vec<Obstacle>>);

impl Shared {
    #[must_use]
    pub fn among(workloads: &[Workload]) -> Self {
        let mut uses: BTreeMap<(Option<&str>, &str), Vec<Use<'_>>> = BTreeMap::new();
        for (number, workload) in workloads.iter().enumerate() {
            let namespace = workload.namespace.as_deref();
            for (claim, used) in claims(&workload.spec, number) {
                uses.entry((namespace, claim)).or_default().push(used);
            }
        }
        let mut found: BTreeMap<Key, Vec<Obstacle>> = BTreeMap::new();
        for ((_, claim), uses) in &uses {
            let mut told = BTreeSet::new();
            for one in uses {
                // One other is enough to name: whoever changes this one sees the next.
                let other = uses.iter().find_map(|other| Some((other, conflict(one, other)?)));
                let Some((other, what)) =
                    other.filter(|_| told.insert((one.workload, one.container)))
                else {
                    continue;
                };
                let whose = if other.workload == one.workload {
                    format!("its container {}", other.container)
                } else {
                    let Workload { kind, name, .. } = &workloads[other.workload];
                    format!("{}/{name}", kind.to_lowercase())
                };
                let cause = format!(
                    "{whose} shares the claim {claim} with {what}: one of them is locked out where SELinux is on"
                );
                let source = format!("spec of container {}", one.container);
                let obstacle =
                    obstacle(one.container, &source, Operation::Selinux, Category::Selinux, cause);
                let path = Some(one.path.to_owned());
                let details = vec![Detail::SharedClaim { with: whose }];
                let obstacle = Obstacle { path, errno: Some(Errno::Eacces), details, ..obstacle };
                found.entry(key(&workloads[one.workload])).or_default().push(obstacle);
            }
        }
        Self(found)
    }

    /// Those of one workload.
    #[must_use]
    pub fn obstacles(&self, workload: &Workload) -> &[Obstacle] {
        self.0.get(&key(workload)).map_or(&[], Vec::as_slice)
    }
}

/// Every use of a claim in a pod. A container's own options replace the pod's as a whole.
fn claims(spec: &PodSpec, workload: usize) -> Vec<(&str, Use<'_>)> {
    let pod = spec.security_context.as_ref();
    let of_pod = pod.and_then(|context| context.se_linux_options.as_ref());
    let policy =
        pod.and_then(|context| context.se_linux_change_policy.as_deref()).unwrap_or("MountOption");
    let claim = |name: &str| {
        let volume = spec.volumes.iter().flatten().find(|volume| volume.name == name)?;
        Some(volume.persistent_volume_claim.as_ref()?.claim_name.as_str())
    };
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    let of_container = |container: &'_ Container| {
        let own = container
            .security_context
            .as_ref()
            .and_then(|context| context.se_linux_options.as_ref());
        own.or(of_pod).cloned().unwrap_or_default()
    };
    containers
        .flat_map(|container| {
            container.volume_mounts.iter().flatten().map(move |mount| (container, mount))
        })
        .filter_map(|(container, mount)| {
            let (container_name, path) = (container.name.as_str(), mount.mount_path.as_str());
            let options = of_container(container);
            Some((
                claim(&mount.name)?,
                Use { workload, container: container_name, path, options, policy },
            ))
        })
        .collect()
}

/// What two uses of a claim do not agree on.
fn conflict(one: &Use<'_>, other: &Use<'_>) -> Option<String> {
    let told = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let level = |options: &SELinuxOptions| told(&options.level);
    let (own, others) = (level(&one.options), level(&other.options));
    // Categories are a set: the order in which they stand is nothing.
    let same_level = match (&own, &others) {
        (Some(own), Some(others)) => {
            own == others
                || own.split(':').next() == others.split(':').next()
                    && categories(own) == categories(others)
        }
        (own, others) => own == others,
    };
    if !same_level {
        let say = |level: &Option<String>| level.clone().unwrap_or_else(|| "none".to_owned());
        return Some(format!("the SELinux level {} and not {}", say(&others), say(&own)));
    }
    let parts = [
        ("user", &one.options.user, &other.options.user),
        ("role", &one.options.role, &other.options.role),
        ("type", &one.options.type_, &other.options.type_),
    ];
    for (part, own, others) in parts {
        if let (Some(own), Some(others)) = (told(own), told(others))
            && own != others
        {
            return Some(format!("the SELinux {part} {others} and not {own}"));
        }
    }
    // Without a label there is nothing to mount with: the policy is Recursive then, whatever it
    // says.
    let is_labelled =
        [&one.options.user, &one.options.role, &one.options.type_, &one.options.level]
            .into_iter()
            .any(|part| told(part).is_some());
    (is_labelled && one.policy != other.policy)
        .then(|| format!("seLinuxChangePolicy {} and not {}", other.policy, one.policy))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use serde_json::{Value, json};

    use super::*;

    fn workload(name: &str, claim: &str, context: &Value, own: &Value) -> Workload {
        let container = json!({"name": "c", "volumeMounts": [{"name": "v", "mountPath": "/data"}], "securityContext": own});
        let volumes = json!([{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]);
        let spec =
            json!({"containers": [container], "volumes": volumes, "securityContext": context});
        Workload {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some("n".to_owned()),
            name: name.to_owned(),
            annotations: std::collections::BTreeMap::new(),
            source: None,
            pods: 1,
            metadata: ObjectMeta::default(),
            spec: serde_json::from_value(spec).expect("a spec"),
            containers: Vec::new(),
            failures: Vec::new(),
        }
    }

    fn level(level: &str) -> Value {
        json!({"seLinuxOptions": {"level": level}})
    }

    fn causes(workloads: &[Workload]) -> Vec<(usize, String)> {
        let shared = Shared::among(workloads);
        let all = workloads.iter().enumerate();
        all.flat_map(|(number, workload)| {
            shared.obstacles(workload).iter().map(move |obstacle| (number, obstacle.cause.clone()))
        })
        .collect()
    }

    #[test]
    fn both_sides_of_a_mismatch_are_told() {
        let pods = [
            workload("a", "data", &level("s0:c1,c2"), &json!({})),
            workload("b", "data", &level("s0:c3,c4"), &json!({})),
            workload("c", "other", &level("s0:c5,c6"), &json!({})),
        ];
        let causes = causes(&pods);
        assert_eq!(causes.len(), 2, "{causes:?}");
        assert!(causes[0].1.starts_with(
            "deployment/b shares the claim data with the SELinux level s0:c3,c4 and not s0:c1,c2"
        ));
        assert!(causes[1].1.starts_with("deployment/a shares"));
    }

    #[test]
    fn what_agrees_or_has_no_label_is_fine() {
        let none = json!({});
        for (one, other) in [
            (level("s0:c1,c2"), level("s0:c2,c1")),
            (none.clone(), none.clone()),
            (json!({"seLinuxOptions": {"type": "x_t", "level": "s0:c1"}}), level("s0:c1")),
            (json!({"seLinuxChangePolicy": "Recursive"}), none.clone()),
        ] {
            assert_eq!(
                causes(&[workload("a", "d", &one, &none), workload("b", "d", &other, &none)]),
                []
            );
        }
    }

    #[test]
    fn a_level_beside_none_a_type_and_a_policy_count() {
        let none = json!({});
        let with = |policy: &str| json!({"seLinuxOptions": {"level": "s0:c1"}, "seLinuxChangePolicy": policy});
        let kind = |kind: &str| json!({"seLinuxOptions": {"type": kind, "level": "s0:c1"}});
        for (one, other, word) in [
            (level("s0:c1"), none.clone(), "level none and not s0:c1"),
            (kind("a_t"), kind("b_t"), "type b_t and not a_t"),
            (
                with("MountOption"),
                with("Recursive"),
                "seLinuxChangePolicy Recursive and not MountOption",
            ),
        ] {
            let causes =
                causes(&[workload("a", "d", &one, &none), workload("b", "d", &other, &none)]);
            assert!(causes[0].1.contains(word), "{causes:?}");
        }
    }

    #[test]
    fn containers_of_one_pod_count_and_their_own_options_replace_the_pods() {
        let mut pod = workload("a", "d", &level("s0:c1"), &level("s0:c9"));
        let mut second = pod.spec.containers[0].clone();
        second.name = "second".to_owned();
        second.security_context = None;
        pod.spec.containers.push(second);
        let causes = causes(&[pod]);
        assert!(
            causes[0].1.starts_with(
                "its container second shares the claim d with the SELinux level s0:c1 and not s0:c9"
            ),
            "{causes:?}"
        );
        assert_eq!(causes.len(), 2);
    }
}
