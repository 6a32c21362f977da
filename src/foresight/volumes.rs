//! Volumes that a workload's user may not use, as far as its pod's spec and the storage behind it
//! tell.

use k8s_openapi::api::core::v1::{Container, KeyToPath, Volume, VolumeMount};

use super::obstacle;
use crate::model::filesystem::FileType;
use crate::model::filesystem::inode::fs_group_bits;
use crate::model::identity::User;
use crate::model::obstacle::{Category, Evidence, Obstacle, Operation};
use crate::model::volume::{Backing, FsGroup, SharedVolume, Storage, claim_name, locked_out};
use crate::model::workload::Workload;

/// The mode of keys that no field sets (k8s.io/kubernetes, pkg/apis/core/v1/defaults.go).
const DEFAULT_MODE: i32 = 0o644;

/// What others, and what the group and others, may do with a file.
const READABLE: i32 = 0o004;
const OPEN: i32 = 0o077;

/// One mount of a container, with all that is known of it.
struct Mounted<'a> {
    container: &'a Container,
    user: &'a User,
    mount: &'a VolumeMount,
    volume: &'a Volume,
    backing: Backing,
    fs_group: Option<i64>,
    claim: Option<String>,
}

impl Mounted<'_> {
    fn writes(&self) -> bool {
        let claim = self.volume.persistent_volume_claim.as_ref();
        self.mount.read_only != Some(true) && claim.and_then(|claim| claim.read_only) != Some(true)
    }

    /// `claim data` or `volume conf`.
    fn name(&self) -> String {
        match &self.claim {
            Some(claim) => format!("claim {claim}"),
            None => format!("volume {}", self.volume.name),
        }
    }

    /// An obstacle at the mount. None of them is known to stop the program: it may use other files.
    fn obstacle(&self, operation: Operation, cause: String) -> Obstacle {
        let source = format!("spec of container {}", self.container.name);
        let obstacle =
            obstacle(&self.container.name, &source, operation, Category::VolumeOwnership, cause);
        Obstacle { path: Some(self.mount.mount_path.clone()), fatal: false, ..obstacle }
    }
}

/// What stands between a workload and its volumes: keys that it may not read, a fsGroup that does
/// nothing or too much, files of root's, and others that share a claim with it. Root is told what
/// would stop another user.
#[must_use]
pub fn volumes(workload: &Workload, storage: &Storage, shared: &[SharedVolume]) -> Vec<Obstacle> {
    let mut found = Vec::new();
    for mounted in mounted(workload, storage) {
        found.extend(keys(&mounted));
        found.extend(without_effect(&mounted));
        found.extend(of_roots(&mounted));
        found.extend(new(&mounted, workload));
        found.extend(with_others(&mounted, workload, storage, shared));
    }
    found
}

fn mounted<'a>(workload: &'a Workload, storage: &'a Storage) -> impl Iterator<Item = Mounted<'a>> {
    let spec = &workload.spec;
    let namespace = workload.namespace.as_deref().unwrap_or_default();
    let pod = workload.metadata.name.as_deref();
    let fs_group = spec.security_context.as_ref().and_then(|context| context.fs_group);
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    containers.flat_map(move |container| {
        let user = workload
            .containers
            .iter()
            .find(|known| known.name == container.name)
            .map(|known| &known.user);
        container.volume_mounts.iter().flatten().filter_map(move |mount| {
            let volume = spec.volumes.iter().flatten().find(|volume| volume.name == mount.name)?;
            Some(Mounted {
                container,
                user: user?,
                mount,
                volume,
                backing: storage.backing(volume, namespace, pod),
                fs_group,
                claim: claim_name(volume, pod),
            })
        })
    })
}

/// A key that a container mounts and only root may read, by its mode: whoever it is to run as needs
/// it too. `None` where everybody may read it.
#[must_use]
pub fn closed_key(container: &str, mount_path: &str, volume: &Volume) -> Option<Obstacle> {
    let mode = least_mode(volume).filter(|mode| mode & READABLE == 0)?;
    let cause = format!(
        "a key in volume {} at {mount_path} is root's with mode {mode:04o}, which another user may not read",
        volume.name
    );
    Some(Obstacle {
        container: Some(container.to_owned()),
        path: Some(mount_path.to_owned()),
        evidence: Evidence {
            source: format!("spec of container {container}"),
            line: None,
            text: cause.clone(),
        },
        cause,
        ..Obstacle::new(Operation::Open, Category::UnreadableFile)
    })
}

/// The least mode among the keys of a configMap or secret. Of a projected volume each source would
/// have to be known.
fn least_mode(volume: &Volume) -> Option<i32> {
    let (default, items): (Option<i32>, &[KeyToPath]) = match (&volume.secret, &volume.config_map) {
        (Some(source), _) => (source.default_mode, source.items.as_deref().unwrap_or_default()),
        (_, Some(source)) => (source.default_mode, source.items.as_deref().unwrap_or_default()),
        _ => return None,
    };
    let default = default.unwrap_or(DEFAULT_MODE);
    items.iter().map(|item| item.mode.unwrap_or(default)).min().or(Some(default))
}

/// Keys are root's; with fsGroup the group may read them, whatever mode was asked for, and the
/// group is the pod's. Sources: `MakePayload` in `pkg/volume/secret/secret.go` and
/// `changeFilePermission` in `pkg/volume/volume_linux.go`.
fn keys(mounted: &Mounted<'_>) -> Option<Obstacle> {
    let mode = least_mode(mounted.volume)?;
    let uid = mounted.user.uid.filter(|uid| *uid != 0)?;
    let name = mounted.name();
    match mounted.fs_group {
        Some(group) => (mounted.volume.secret.is_some() && mode & OPEN == 0).then(|| {
            let opened = mode | i32::from(fs_group_bits(FileType::File, true));
            mounted.obstacle(
                Operation::Chmod,
                format!(
                    "fsGroup {group} makes mode {mode:04o} of a key in {name} {opened:04o}, owner root: a program that wants its \
                     key private may refuse it"
                ),
            )
        }),
        None => {
            let of_roots_group = mounted.user.gid == Some(0) || mounted.user.groups.contains(&0);
            let needed = if of_roots_group { READABLE << 3 } else { READABLE };
            (mode & needed == 0).then(|| {
                mounted.obstacle(
                    Operation::Open,
                    format!("a key in {name} is root's with mode {mode:04o}, which uid {uid} may not read"),
                )
            })
        }
    }
}

/// A fsGroup that the volume does not take.
fn without_effect(mounted: &Mounted<'_>) -> Option<Obstacle> {
    let FsGroup::Unchanged(why) = mounted.backing.fs_group() else { return None };
    let group = mounted
        .fs_group
        .filter(|_| mounted.writes() && mounted.user.uid.is_some_and(|uid| uid != 0))?;
    let told = !matches!(mounted.backing, Backing::Image | Backing::Device);
    told.then(|| {
        let name = mounted.name();
        mounted
            .obstacle(Operation::Chown, format!("fsGroup {group} does nothing for {name}: {why}"))
    })
}

/// What root wrote, before the user changes.
fn of_roots(mounted: &Mounted<'_>) -> Option<Obstacle> {
    let is_theirs =
        mounted.backing.keeps_files() && mounted.writes() && mounted.user.uid == Some(0);
    if !is_theirs || mounted.fs_group.is_some() && mounted.backing.fs_group() == FsGroup::Applied {
        return None;
    }
    let name = mounted.name();
    Some(match mounted.backing.fs_group() {
        FsGroup::Applied => mounted.obstacle(
            Operation::Create,
            format!("it writes {name} as root: another user needs fsGroup, which works there"),
        ),
        FsGroup::Unchanged(why) => {
            mounted.obstacle(Operation::Chown, format!("it writes {name} as root, and fsGroup would do nothing: {why}"))
        }
        FsGroup::Unknown(why) => mounted.obstacle(
            Operation::Create,
            format!("it writes {name} as root; whether fsGroup would give it to another user is not known: {why}"),
        ),
    })
}

/// A volume as it is made, for a workload that has no pods yet; what runs has shown that it may, or
/// fails and says so.
fn new(mounted: &Mounted<'_>, workload: &Workload) -> Option<Obstacle> {
    let uid = mounted
        .user
        .uid
        .filter(|uid| *uid != 0 && workload.pods == 0 && mounted.fs_group.is_none())?;
    // Of a claim that nothing is known of, this is what most drivers make.
    let is_new = mounted.backing.starts_as_roots()
        || matches!(mounted.backing, Backing::Unknown(_)) && mounted.claim.is_some();
    (is_new && mounted.writes()).then(|| {
        let name = mounted.name();
        let operation = match mounted.backing.fs_group() {
            FsGroup::Unchanged(_) => Operation::Chown,
            _ => Operation::Create,
        };
        mounted.obstacle(
            operation,
            format!(
                "{name} is root's with mode 0755 as it is made, unless its driver does more: uid {uid} may not write it"
            ),
        )
    })
}

/// Others that mount the same claim.
fn with_others(
    mounted: &Mounted<'_>,
    workload: &Workload,
    storage: &Storage,
    shared: &[SharedVolume],
) -> Vec<Obstacle> {
    let namespace = workload.namespace.clone().unwrap_or_default();
    let Some(claim) =
        mounted.volume.persistent_volume_claim.as_ref().map(|source| &source.claim_name)
    else {
        return Vec::new();
    };
    let Some(shared) =
        shared.iter().find(|shared| shared.namespace == namespace && shared.claim == *claim)
    else {
        return Vec::new();
    };
    let own = format!("{}/{}", workload.kind.to_lowercase(), workload.name);
    let is_mine = |name: &str, container: &str| name == own && container == mounted.container.name;
    let Some(one) =
        shared.members.iter().find(|member| is_mine(&member.workload, &member.container))
    else {
        return Vec::new();
    };
    let fs_group = mounted.backing.fs_group();
    let others = shared.members.iter().filter(|member| member.workload != own);
    let mut found: Vec<Obstacle> = Vec::new();
    for other in others {
        let Some(why) = locked_out(one, other, &fs_group) else { continue };
        let cause = format!("claim {claim} is shared: {why}");
        if found.iter().all(|known| known.cause != cause) {
            let operation =
                if fs_group == FsGroup::Applied { Operation::Create } else { Operation::Chown };
            found.push(mounted.obstacle(operation, cause));
        }
    }
    let known = storage.claims.get(&(namespace, claim.clone()));
    if let Some(other) = shared.members.iter().find(|member| member.workload != own)
        && known.is_some_and(|claim| claim.is_of_one_pod())
    {
        let cause = format!(
            "claim {claim} is ReadWriteOncePod: while a pod of {} has it, none of these starts",
            other.workload
        );
        found.push(mounted.obstacle(Operation::Mount, cause));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::container::{Container as Known, Role};
    use crate::model::identity::Origin;
    use crate::model::volume::{Claim, shared};

    /// A workload with one container that mounts one volume.
    fn workload(name: &str, user: (i64, i64), fs_group: Option<i64>, volume: &Value) -> Workload {
        let mut volume = volume.clone();
        volume["name"] = json!("v");
        let mut context = json!({});
        if let Some(group) = fs_group {
            context["fsGroup"] = json!(group);
        }
        let spec = json!({
            "securityContext": context,
            "containers": [{"name": "c", "volumeMounts": [{"name": "v", "mountPath": "/data"}]}],
            "volumes": [volume],
        });
        let user = User {
            uid: Some(user.0),
            gid: Some(user.1),
            groups: fs_group.into_iter().collect(),
            origin: Origin::Container,
        };
        let root = Some(user.uid == Some(0));
        Workload {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some("n".to_owned()),
            name: name.to_owned(),
            source: None,
            pods: 1,
            metadata: Default::default(),
            annotations: Default::default(),
            spec: serde_json::from_value(spec).expect("a spec"),
            containers: vec![Known {
                name: "c".to_owned(),
                role: Role::Container,
                image: String::new(),
                user,
                root,
            }],
            failures: Vec::new(),
        }
    }

    fn storage(backing: Backing, access_modes: &[&str]) -> Storage {
        let access_modes = access_modes.iter().map(|mode| (*mode).to_owned()).collect();
        let claim = Claim { access_modes, backing };
        Storage {
            claims: [(("n".to_owned(), "data".to_owned()), claim)].into(),
            ..Storage::default()
        }
    }

    fn causes(workload: &Workload, storage: &Storage) -> Vec<String> {
        volumes(workload, storage, &[]).into_iter().map(|obstacle| obstacle.cause).collect()
    }

    fn only(workload: &Workload, storage: &Storage, words: &[&str]) {
        let found = causes(workload, storage);
        assert!(
            found.len() == 1 && words.iter().all(|word| found[0].contains(word)),
            "{words:?}: {found:?}"
        );
    }

    #[test]
    fn keys_are_roots_and_fs_group_opens_them() {
        let nothing = Storage::default();
        let secret = |mode: i32| json!({"secret": {"secretName": "k", "defaultMode": mode}});
        let user = (1000, 1000);
        only(
            &workload("a", user, None, &secret(0o400)),
            &nothing,
            &["0400", "uid 1000 may not read"],
        );
        only(
            &workload("a", user, Some(5), &secret(0o600)),
            &nothing,
            &["mode 0600", "0640", "private"],
        );
        only(&workload("a", user, Some(5), &secret(0o400)), &nothing, &["mode 0400", "0440"]);
        let fine = [
            workload("a", user, None, &secret(0o444)),
            workload("a", user, None, &json!({"secret": {"secretName": "k"}})),
            workload("a", (0, 0), None, &secret(0o400)),
            workload("a", (1000, 0), None, &secret(0o440)),
            workload("a", user, Some(5), &secret(0o440)),
            workload(
                "a",
                user,
                Some(5),
                &json!({"configMap": {"name": "k", "defaultMode": 0o400}}),
            ),
        ];
        for fine in fine {
            assert_eq!(causes(&fine, &nothing), [""; 0]);
        }
        let item = json!({"secret": {"secretName": "k", "items": [{"key": "a", "path": "a", "mode": 0o400}, {"key": "b", "path": "b"}]}});
        only(&workload("a", user, None, &item), &nothing, &["0400"]);
    }

    #[test]
    fn a_fs_group_without_effect_is_told() {
        let claim = json!({"persistentVolumeClaim": {"claimName": "data"}});
        let user = (1000, 1000);
        only(
            &workload("a", user, Some(5), &claim),
            &storage(Backing::HostPath, &[]),
            &["fsGroup 5 does nothing", "claim data"],
        );
        only(
            &workload("a", user, Some(5), &json!({"nfs": {"server": "s", "path": "/"}})),
            &Storage::default(),
            &["NFS"],
        );
        assert_eq!(
            causes(&workload("a", user, Some(5), &claim), &storage(Backing::Local, &[])),
            [""; 0]
        );
        assert_eq!(
            causes(&workload("a", user, None, &claim), &storage(Backing::HostPath, &[])),
            [""; 0],
            "it runs"
        );
    }

    #[test]
    fn what_root_writes_is_told_before_it_is_another_user() {
        let claim = json!({"persistentVolumeClaim": {"claimName": "data"}});
        let root = workload("a", (0, 0), None, &claim);
        only(&root, &storage(Backing::Local, &[]), &["needs fsGroup, which works"]);
        only(&root, &storage(Backing::HostPath, &[]), &["would do nothing", "hostPath"]);
        only(&root, &Storage::default(), &["not known"]);
        let ready = workload("a", (0, 0), Some(5), &claim);
        assert_eq!(causes(&ready, &storage(Backing::Local, &[])), [""; 0]);
        assert_eq!(
            causes(&workload("a", (0, 0), None, &json!({"emptyDir": {}})), &Storage::default()),
            [""; 0]
        );
        let read_only = json!({"persistentVolumeClaim": {"claimName": "data", "readOnly": true}});
        assert_eq!(
            causes(&workload("a", (0, 0), None, &read_only), &storage(Backing::Local, &[])),
            [""; 0]
        );
    }

    #[test]
    fn a_manifest_is_told_what_a_new_volume_is() {
        let claim = json!({"persistentVolumeClaim": {"claimName": "data"}});
        let manifest =
            |fs_group| Workload { pods: 0, ..workload("a", (1000, 1000), fs_group, &claim) };
        only(&manifest(None), &Storage::default(), &["root's with mode 0755", "uid 1000"]);
        assert_eq!(causes(&manifest(Some(5)), &Storage::default()), [""; 0]);
    }

    #[test]
    fn a_shared_claim_tells_each_side() {
        let claim = json!({"persistentVolumeClaim": {"claimName": "data"}});
        let both =
            [workload("a", (1, 1), Some(2000), &claim), workload("b", (2, 2), Some(3000), &claim)];
        let shared = shared(&both);
        let told = |at: usize, storage: &Storage| -> Vec<String> {
            volumes(&both[at], storage, &shared)
                .into_iter()
                .map(|obstacle| obstacle.cause)
                .collect()
        };
        let local = storage(Backing::Local, &["ReadWriteOnce"]);
        let found = told(0, &local);
        assert!(
            found.len() == 1
                && found[0].contains("deployment/b")
                && found[0].contains("group 3000"),
            "{found:?}"
        );
        assert!(told(1, &local)[0].contains("group 2000"));
        let one_pod = told(0, &storage(Backing::Local, &["ReadWriteOncePod"]));
        assert!(one_pod.iter().any(|cause| cause.contains("ReadWriteOncePod")), "{one_pod:?}");
        let same =
            [workload("a", (1, 1), Some(2000), &claim), workload("b", (2, 2), Some(2000), &claim)];
        assert!(volumes(&same[0], &local, &crate::model::volume::shared(&same)).is_empty());
    }
}
