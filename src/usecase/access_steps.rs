//! Why a path was refused, step by step, as far as the pod's spec and a running container tell.

use std::path::Path;

use k8s_openapi::api::core::v1::{Volume, VolumeMount};

use super::live::{self, everything_in};
use crate::error::Partial;
use crate::evidence::cluster::{Cluster, Place};
use crate::evidence::files;
use crate::foresight;
use crate::model::credentials::Credentials;
use crate::model::filesystem::{Access, AccessVerdict, Files, Lookup, PathStats, decide};
use crate::model::node::Node;
use crate::model::obstacle::{Category, Obstacle, Operation};
use crate::model::se_linux;
use crate::model::volume::{FsGroup, Storage, shared};
use crate::model::workload::Workload;

/// Why one path was refused.
#[derive(Debug, Default)]
pub(super) struct AccessSteps {
    /// The steps of the decision; none where nothing is known.
    pub(super) steps: Vec<String>,
    /// Its volume does not take fsGroup.
    pub(super) ignores_fs_group: bool,
}

/// Why each obstacle came about. An obstacle on a claim or its like becomes one of the volume.
/// `running` are pods of the workload with containers that can be looked at.
pub(super) async fn of_each(
    cluster: &Cluster,
    workload: &Workload,
    running: &[String],
    obstacles: &mut [Obstacle],
) -> Vec<AccessSteps> {
    let storage = cluster.storage(std::slice::from_ref(workload)).await;
    let on_claim = |obstacle: &Obstacle| {
        volume(workload, obstacle)
            .is_some_and(|(_, volume)| volume.persistent_volume_claim.is_some())
    };
    let foreseen = match obstacles.iter().any(on_claim) {
        true => beside_others(cluster, workload, &storage).await,
        false => foresight::volumes(workload, &storage, &[]),
    };
    let mut all = Vec::with_capacity(obstacles.len());
    for obstacle in obstacles {
        let steps = of_one(cluster, workload, running, obstacle).await.unwrap_or_default();
        let Some((mount, volume)) = volume(workload, obstacle) else {
            all.push(AccessSteps { steps, ignores_fs_group: false });
            continue;
        };
        let is_there = |other: &&Obstacle| {
            other.container == obstacle.container && other.path.as_ref() == Some(&mount.mount_path)
        };
        let mut causes: Vec<String> =
            foreseen.iter().filter(is_there).map(|other| other.cause.clone()).collect();
        let fs_group = storage.fs_group(volume, workload);
        if let (FsGroup::Unchanged(why), true) = (&fs_group, causes.is_empty()) {
            causes.push(format!("fsGroup does nothing for volume {}: {why}", volume.name));
        }
        let ignores_fs_group = matches!(fs_group, FsGroup::Unchanged(_));
        all.push(AccessSteps {
            steps: steps.into_iter().chain(causes).collect(),
            ignores_fs_group,
        });
    }
    all
}

/// What stands between a workload and its volumes, with those of its namespace who share its
/// claims; a pod is seen as the workload that it is of. Who may not list the others is told of the
/// rest.
async fn beside_others(cluster: &Cluster, workload: &Workload, storage: &Storage) -> Vec<Obstacle> {
    let namespace = workload.namespace.clone().unwrap_or_else(|| cluster.namespace.clone());
    let all = cluster
        .inventory(&everything_in(&namespace))
        .await
        .map(|inventory| inventory.value.workloads)
        .unwrap_or_default();
    foresight::volumes(live::whole(workload, &all), storage, &shared(&all))
}

/// The node of a workload's pod, where an obstacle is the node's business and the user may read
/// nodes.
pub(super) async fn node(
    cluster: &Cluster,
    workload: &Workload,
    obstacles: &[Obstacle],
) -> Partial<Option<Node>> {
    let is_the_nodes = |obstacle: &Obstacle| {
        matches!(obstacle.category, Category::DeviceAccess | Category::Selinux)
    };
    let name = workload.spec.node_name.clone().filter(|_| obstacles.iter().any(is_the_nodes));
    let Some(name) = name else { return Partial::clean(None) };
    match cluster.node(&name).await {
        Ok(node) => Partial::clean(Some(node)),
        Err(refusal) if refusal.is_forbidden() => Partial::clean(None),
        Err(refusal) => Partial { value: None, errors: vec![refusal.error] },
    }
}

/// What the spec and the node add to an obstacle that is the node's business.
pub(super) fn by_the_node(
    obstacle: &Obstacle,
    workload: &Workload,
    node: Option<&Node>,
) -> Vec<String> {
    match obstacle.category {
        Category::DeviceAccess => {
            let given = foresight::devices::obstacles(&workload.spec).into_iter();
            given
                .filter(|given| given.container == obstacle.container && given.path.is_none())
                .map(|given| given.cause)
                .collect()
        }
        Category::Selinux => {
            let told = node.and_then(|node| {
                Some(se_linux::labelling(node.minor()?, node.gate("SELinuxMount")))
            });
            told.unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// The volume that an obstacle is on, and where its container has it.
fn volume<'a>(
    workload: &'a Workload,
    obstacle: &Obstacle,
) -> Option<(&'a VolumeMount, &'a Volume)> {
    let path = obstacle.path.as_deref()?;
    let containers =
        workload.spec.init_containers.iter().flatten().chain(&workload.spec.containers);
    let container =
        containers.into_iter().find(|known| Some(&known.name) == obstacle.container.as_ref())?;
    let holds = |mount: &&VolumeMount| Path::new(path).starts_with(&mount.mount_path);
    let mounts = container.volume_mounts.iter().flatten().filter(holds);
    let mount = mounts.max_by_key(|mount| mount.mount_path.len())?;
    let volume = workload.spec.volumes.iter().flatten().find(|volume| volume.name == mount.name)?;
    Some((mount, volume))
}

/// Whether the owner of a volume's files is decided outside of the pod.
fn is_owned_outside_of_pod(volume: &Volume) -> bool {
    volume.persistent_volume_claim.is_some()
        || volume.ephemeral.is_some()
        || volume.host_path.is_some()
        || volume.nfs.is_some()
        || volume.csi.is_some()
}

async fn of_one(
    cluster: &Cluster,
    workload: &Workload,
    running: &[String],
    obstacle: &mut Obstacle,
) -> Option<Vec<String>> {
    let path = obstacle.path.clone().filter(|path| path.starts_with('/'))?;
    let name = obstacle.container.clone()?;
    let look = look(cluster, workload, running, &name, &path).await;
    let is_owned_outside =
        volume(workload, obstacle).is_some_and(|(_, volume)| is_owned_outside_of_pod(volume));
    if is_owned_outside && obstacle.category == Category::UnwritablePath {
        obstacle.category = Category::VolumeOwnership;
    }
    by_look(workload, obstacle, look.as_ref())
}

/// Why an obstacle came about, by what a look saw on the way to its path.
pub(super) fn by_look(
    workload: &Workload,
    obstacle: &Obstacle,
    look: Option<&PathStats>,
) -> Option<Vec<String>> {
    let path = obstacle.path.clone().filter(|path| path.starts_with('/'))?;
    let name = obstacle.container.clone()?;
    let user = &workload.containers.iter().find(|container| container.name == name)?.user;
    let id = |id: Option<i64>| id.and_then(|id| u32::try_from(id).ok());
    let uid = id(user.uid)?;
    let groups: Vec<u32> = user.groups.iter().filter_map(|group| id(Some(*group))).collect();
    let gid = id(user.gid).unwrap_or(0);
    let process = Credentials::unprivileged(uid, gid, &groups);
    let seen = look.cloned().unwrap_or_default();
    let mounts = files::mounts(&workload.spec, &name, &seen);
    let image =
        |path: &str| if look.is_some() { files::lookup(&seen, path) } else { Lookup::Unknown };
    let read_only = workload.spec.containers.iter().any(|container| {
        let context = container.security_context.as_ref();
        container.name == name
            && context.and_then(|context| context.read_only_root_filesystem) == Some(true)
    });
    let decision =
        decide(&process, &Files::new(&image, read_only, mounts), &path, access(obstacle));
    // What was refused and would be allowed by what is seen has a reason that is not seen: then
    // nothing is said.
    matches!(decision.verdict, AccessVerdict::Denied(_)).then(|| {
        let groups: Vec<String> = groups.iter().map(u32::to_string).collect();
        let who = format!("it runs as uid {uid}, gid {gid}, groups {}", groups.join(" "));
        std::iter::once(who).chain(decision.steps.iter().map(ToString::to_string)).collect()
    })
}

/// Looks at the path in the first container that answers.
async fn look(
    cluster: &Cluster,
    workload: &Workload,
    running: &[String],
    container: &str,
    path: &str,
) -> Option<PathStats> {
    let namespace = workload.namespace.as_deref().unwrap_or(&cluster.namespace);
    for pod in running {
        if let Ok(Some(look)) = cluster.look_at(Place { namespace, pod, container }, &[path]).await
        {
            return Some(look);
        }
    }
    None
}

fn access(obstacle: &Obstacle) -> Access {
    match obstacle.operation {
        Operation::Exec => Access::Execute,
        Operation::Unlink | Operation::Rename => Access::Remove,
        Operation::Chmod => Access::Chmod,
        Operation::Chown => Access::Chown { uid: None, gid: None },
        _ if obstacle.category == Category::UnreadableFile => Access::Read,
        _ => Access::Write,
    }
}
