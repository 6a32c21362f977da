//! The files of a container as its pod's spec and a look into it tell, for deciding who may do what.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PodSpec, Volume, VolumeMount};

use crate::model::access::{Kind, Lookup, Mount, Node};
use crate::model::inside::{Inode, Look};

/// What a look saw of one path.
fn node(inode: &Inode) -> Node {
    let kind = match () {
        () if inode.is_dir() => Kind::Directory,
        () if inode.is_symlink() => Kind::Symlink,
        () => Kind::File,
    };
    // The twelve lower bits are the permissions; the mask makes the conversion exact.
    let mode = u16::try_from(inode.mode & 0o7777).unwrap_or_default();
    Node { kind, mode, uid: inode.uid, gid: inode.gid, target: inode.target.clone() }
}

/// What is at a path that has no links in it, by a look that walked to it.
#[must_use]
pub fn lookup(look: &Look, path: &str) -> Lookup {
    let path = if path.is_empty() { "/" } else { path };
    match look.inodes.iter().find(|inode| inode.path == path) {
        Some(inode) => Lookup::Found(node(inode)),
        None => Lookup::Missing,
    }
}

/// The volumes of a container, where it mounts them, with what a look saw in them.
#[must_use]
pub fn mounts(spec: &PodSpec, container: &str, look: &Look) -> Vec<Mount> {
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    let Some(container) = containers.into_iter().find(|known| known.name == container) else { return Vec::new() };
    let mounted = container.volume_mounts.iter().flatten().filter_map(|mount| {
        let volume = spec.volumes.iter().flatten().find(|volume| volume.name == mount.name)?;
        Some(mount_of(mount, volume, look))
    });
    mounted.collect()
}

fn mount_of(mount: &VolumeMount, volume: &Volume, look: &Look) -> Mount {
    let path = mount.mount_path.trim_end_matches('/').to_owned();
    let (kind, always_read_only) = kind(volume);
    let below = format!("{path}/");
    let seen = look.inodes.iter().filter_map(|inode| Some((inode.path.strip_prefix(&below)?.to_owned(), node(inode))));
    let entries: BTreeMap<String, Node> = seen.collect();
    let root = look.inodes.iter().find(|inode| inode.path == path).map(node);
    // A new volume of most kinds is root's, 0755; an emptyDir is everybody's.
    let new = Node::directory(if kind == "emptyDir" { 0o777 } else { 0o755 }, 0, 0);
    Mount {
        path,
        what: format!("{kind} {}", volume.name),
        read_only: always_read_only || mount.read_only == Some(true),
        noexec: false,
        root: root.unwrap_or(new),
        complete: false,
        entries,
    }
}

/// The API's word for a volume's kind, and whether no container can write it.
fn kind(volume: &Volume) -> (&'static str, bool) {
    let kinds = [
        (volume.empty_dir.is_some(), "emptyDir", false),
        (volume.persistent_volume_claim.is_some(), "persistentVolumeClaim", false),
        (volume.ephemeral.is_some(), "ephemeral", false),
        (volume.config_map.is_some(), "configMap", true),
        (volume.secret.is_some(), "secret", true),
        (volume.projected.is_some(), "projected", true),
        (volume.downward_api.is_some(), "downwardAPI", true),
        (volume.host_path.is_some(), "hostPath", false),
        (volume.nfs.is_some(), "nfs", false),
        (volume.csi.is_some(), "csi", false),
        (volume.image.is_some(), "image", true),
    ];
    kinds.into_iter().find(|(is, ..)| *is).map_or(("volume", false), |(_, kind, read_only)| (kind, read_only))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::access::{Access, Files, Subject, decide};

    #[test]
    fn a_volume_answers_for_its_paths() {
        let spec: PodSpec = serde_json::from_value(json!({
            "containers": [{"name": "a", "volumeMounts": [
                {"name": "tmp", "mountPath": "/tmp/"}, {"name": "conf", "mountPath": "/etc/app"}, {"name": "data", "mountPath": "/data"}]}],
            "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "conf", "configMap": {"name": "x"}}, {"name": "data", "persistentVolumeClaim": {"claimName": "y"}}],
        }))
        .expect("a spec");
        let inode = |path: &str, mode| Inode { path: path.to_owned(), mode, uid: 0, gid: 0, size: 0, target: None };
        let look = Look { inodes: vec![inode("/", 0o040_755), inode("/data", 0o042_775), inode("/srv", 0o040_755)] };
        let image = |path: &str| lookup(&look, path);
        let files = Files::new(&image, false, mounts(&spec, "a", &look));
        let says = |path: &str, subject: &Subject| {
            let decision = decide(subject, &files, path, Access::Write);
            (decision.allowed(), decision.steps.last().map(ToString::to_string).unwrap_or_default())
        };
        let user = Subject::plain(1000, 1000, &[]);
        assert!(says("/tmp", &user).0);
        let (allowed, why) = says("/etc/app/x", &user);
        assert!(!allowed && why.contains("configMap conf") && why.contains("read-only"), "{why}");
        assert!(!says("/data", &user).0);
        assert!(says("/data", &Subject::plain(1000, 0, &[])).0);
        assert!(!says("/srv/x", &user).0);
    }
}
