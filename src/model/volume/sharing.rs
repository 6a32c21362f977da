//! Claims that several workloads mount, and which of them locks another out.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec};

use super::backing::FsGroup;
use super::storage::Storage;
use crate::model::workload::Workload;

/// A container that mounts a volume which others mount as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// `deployment/web`.
    pub workload: String,
    pub container: String,
    /// Where it mounts the volume.
    pub path: String,
    pub read_only: bool,
    pub uid: Option<i64>,
    pub gid: Option<i64>,
    /// Supplementary groups, fsGroup among them, as far as known.
    pub groups: Vec<i64>,
    pub fs_group: Option<i64>,
    /// `seLinuxOptions.level` of the container, else of the pod.
    pub selinux_level: Option<String>,
}

impl Member {
    fn is_in(&self, group: i64) -> bool {
        self.gid == Some(group) || self.fs_group == Some(group) || self.groups.contains(&group)
    }

    /// `1000:1000, fsGroup 2000`.
    #[must_use]
    pub fn identity(&self) -> String {
        let id = |id: Option<i64>| id.map_or("?".to_owned(), |id| id.to_string());
        let group = self.fs_group.map_or(String::new(), |group| format!(", fsGroup {group}"));
        format!("{}:{}{group}", id(self.uid), id(self.gid))
    }
}

/// A claim that containers of more than one workload mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedVolume {
    pub namespace: String,
    pub claim: String,
    pub members: Vec<Member>,
}

/// What is known of the volumes of some workloads beside their specs.
#[derive(Debug, Clone, Default)]
pub struct Volumes {
    pub storage: Storage,
    pub shared: Vec<SharedVolume>,
}

/// The claims that more than one of some workloads mount, in the order of their names.
#[must_use]
pub fn shared(workloads: &[Workload]) -> Vec<SharedVolume> {
    let mut claims: BTreeMap<(String, String), Vec<Member>> = BTreeMap::new();
    for workload in workloads {
        let namespace = workload.namespace.clone().unwrap_or_default();
        for volume in workload.spec.volumes.iter().flatten() {
            let Some(source) = &volume.persistent_volume_claim else { continue };
            let members = members(workload, &volume.name, source.read_only == Some(true));
            claims
                .entry((namespace.clone(), source.claim_name.clone()))
                .or_default()
                .extend(members);
        }
    }
    claims
        .into_iter()
        .map(|((namespace, claim), members)| SharedVolume { namespace, claim, members })
        .filter(|shared| {
            shared.members.iter().any(|member| member.workload != shared.members[0].workload)
        })
        .collect()
}

/// The containers of a pod that may write, those that run to an end before the others among them.
fn mounting(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.init_containers.iter().flatten().chain(&spec.containers)
}

fn members(workload: &Workload, volume: &str, read_only: bool) -> Vec<Member> {
    let pod = workload.spec.security_context.as_ref();
    let level_of_pod = || pod?.se_linux_options.as_ref()?.level.clone();
    let member = |container: &Container| {
        let mount = container.volume_mounts.iter().flatten().find(|mount| mount.name == volume)?;
        let known = workload.containers.iter().find(|known| known.name == container.name)?;
        let own = container.security_context.as_ref();
        let level = own.and_then(|own| own.se_linux_options.as_ref()?.level.clone());
        Some(Member {
            workload: format!("{}/{}", workload.kind.to_lowercase(), workload.name),
            container: container.name.clone(),
            path: mount.mount_path.clone(),
            read_only: read_only || mount.read_only == Some(true),
            uid: known.user.uid,
            gid: known.user.gid,
            groups: known.user.groups.clone(),
            fs_group: pod.and_then(|pod| pod.fs_group),
            selinux_level: level.or_else(level_of_pod),
        })
    };
    mounting(&workload.spec).filter_map(member).collect()
}

/// How `other` locks `one` out of files of a volume that both mount, as a sentence about `one`;
/// `None` where it does not, or where too little is known. Root reads and writes all the same.
#[must_use]
pub fn locked_out(one: &Member, other: &Member, fs_group: &FsGroup) -> Option<String> {
    let uid = one.uid.filter(|uid| *uid != 0 && !one.read_only)?;
    if other.uid == Some(uid) {
        return None;
    }
    let (it, they) = (one.identity(), other.identity());
    match (other.fs_group, fs_group) {
        (Some(group), FsGroup::Applied) => (!one.is_in(group)).then(|| {
            format!(
                "each start of {} ({they}) gives the files to group {group}, of which it ({it}) is no member",
                other.workload
            )
        }),
        _ => {
            let theirs = other.uid.filter(|_| !other.read_only)?;
            let common = other.gid.is_some_and(|gid| gid != 0 && one.is_in(gid));
            (!common).then(|| {
                format!(
                    "what {} ({they}) makes there belongs to uid {theirs}, and it ({it}) may only read it at the usual \
                     mode 0644",
                    other.workload
                )
            })
        }
    }
}

/// The group that opens a shared volume to one of its workloads and leaves it open to the others:
/// the fsGroup that most of the others have, else the group that most of them run with. `None`
/// where they have none but root's.
#[must_use]
pub fn common_group<'a>(shared: &'a SharedVolume, workload: &str) -> Option<(i64, &'a Member)> {
    let others = || shared.members.iter().filter(move |member| member.workload != workload);
    let most = |group: &dyn Fn(&Member) -> Option<i64>| {
        let groups: Vec<(i64, &Member)> =
            others().filter_map(|member| Some((group(member)?, member))).collect();
        let votes = |wanted: i64| groups.iter().filter(|(group, _)| *group == wanted).count();
        groups.iter().copied().max_by_key(|(group, _)| (votes(*group), std::cmp::Reverse(*group)))
    };
    most(&|member| member.fs_group).or_else(|| most(&|member| member.gid.filter(|gid| *gid != 0)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn member(workload: &str, uid: i64, gid: i64, fs_group: Option<i64>) -> Member {
        Member {
            workload: workload.to_owned(),
            container: "c".to_owned(),
            path: "/data".to_owned(),
            read_only: false,
            uid: Some(uid),
            gid: Some(gid),
            groups: fs_group.into_iter().collect(),
            fs_group,
            selinux_level: None,
        }
    }

    #[test]
    fn who_locks_out_whom() {
        let applied = FsGroup::Applied;
        let foreign = FsGroup::Unchanged(String::new());
        let out = |one: &Member, other: &Member, fs_group: &FsGroup| {
            locked_out(one, other, fs_group).is_some()
        };
        let (a, b) = (member("a", 1, 1, Some(2000)), member("b", 2, 2, Some(3000)));
        assert!(out(&a, &b, &applied) && out(&b, &a, &applied));
        let both = Member { groups: vec![2000, 3000], ..a.clone() };
        assert!(
            !out(&both, &b, &applied) && out(&b, &both, &applied),
            "who is in both groups is not locked out"
        );
        let same = member("b", 2, 2, Some(2000));
        assert!(!out(&a, &same, &applied) && !out(&same, &a, &applied));
        assert!(
            out(&a, &same, &foreign),
            "where fsGroup does nothing it is one group among others"
        );
        let none = member("b", 2, 2, None);
        assert!(out(&none, &a, &applied) && out(&a, &none, &applied));
        assert!(!out(&a, &member("b", 1, 9, Some(3000)), &applied), "the owner stays");
        let root = member("b", 0, 0, None);
        assert!(
            !out(&root, &a, &applied) && out(&a, &root, &applied),
            "root writes anyway, and root's files are root's"
        );
        assert!(!out(&Member { read_only: true, ..a.clone() }, &b, &applied));
        assert!(
            out(&a, &Member { read_only: true, ..b }, &applied),
            "the kubelet changes it for a reader as well"
        );
        assert!(!out(&a, &Member { read_only: true, ..none }, &applied));
    }

    #[test]
    fn one_group_for_all_is_that_of_most_others() {
        let members = vec![
            member("a", 1, 1, Some(2000)),
            member("b", 2, 2, Some(3000)),
            member("c", 3, 3, Some(3000)),
            member("d", 4, 4, Some(2000)),
        ];
        let shared = SharedVolume { namespace: "n".to_owned(), claim: "c".to_owned(), members };
        assert_eq!(common_group(&shared, "a").map(|(group, _)| group), Some(3000));
        let members =
            vec![member("a", 1, 1, None), member("b", 0, 0, None), member("c", 7, 7, None)];
        let shared = SharedVolume { members, ..shared };
        assert_eq!(common_group(&shared, "a").map(|(group, _)| group), Some(7));
        let members = vec![member("a", 1, 1, None), member("b", 0, 0, None)];
        assert_eq!(common_group(&SharedVolume { members, ..shared }, "a"), None);
    }

    #[test]
    fn a_claim_of_two_workloads_is_shared() {
        let workload = |kind: &str, name: &str, claim: &str| {
            Workload {
            api_version: "apps/v1".to_owned(),
            kind: kind.to_owned(),
            namespace: Some("n".to_owned()),
            name: name.to_owned(),
            source: None,
            pods: 1,
            metadata: Default::default(),
            annotations: Default::default(),
            spec: serde_json::from_value(json!({
                "securityContext": {"fsGroup": 5, "seLinuxOptions": {"level": "s0:c1,c2"}},
                "containers": [{"name": "c", "volumeMounts": [{"name": "v", "mountPath": "/data"}]}, {"name": "other"}],
                "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}],
            }))
            .expect("a spec"),
            containers: vec![crate::model::container::Container {
                name: "c".to_owned(),
                role: crate::model::container::Role::Container,
                image: String::new(),
                user: crate::model::identity::User {
                    uid: Some(1),
                    gid: Some(2),
                    ..crate::model::identity::User::UNKNOWN
                },
                root: Some(false),
            }],
            failures: Vec::new(),
        }
        };
        let found = shared(&[
            workload("Deployment", "web", "data"),
            workload("StatefulSet", "db", "data"),
            workload("Deployment", "alone", "own"),
        ]);
        assert_eq!(found.len(), 1);
        let members: Vec<_> =
            found[0].members.iter().map(|member| member.workload.as_str()).collect();
        assert_eq!(
            (found[0].claim.as_str(), members),
            ("data", vec!["deployment/web", "statefulset/db"])
        );
        assert_eq!(found[0].members[0].identity(), "1:2, fsGroup 5");
        assert_eq!(found[0].members[0].selinux_level.as_deref(), Some("s0:c1,c2"));
    }
}
