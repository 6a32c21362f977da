//! `restrictedVolumes` (upstream policy/check_restrictedVolumes.go): in addition to restricting
//! HostPath volumes, the restricted profile limits usage of inline pod volume sources to configMap,
//! downwardAPI, emptyDir, projected, secret, csi, persistentVolumeClaim, ephemeral and image.
//!
//! Restricted fields: every other source of `spec.volumes[*]`, listed in [`forbidden_source`].
//! Allowed values: undefined, null.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Volume;

use super::{Check, Forbidden, Pod, Since, host_path_volumes, wording};
use crate::model::podsecurity::Level;

pub(super) const CHECK: Check = Check {
    id: "restrictedVolumes",
    level: Level::Restricted,
    explain: "Pods may mount only volumes whose content Kubernetes makes or a storage administrator provides: configMap, \
              secret, downwardAPI, projected, emptyDir, image, ephemeral, csi and persistentVolumeClaim. A source \
              written into the pod, such as hostPath, nfs or iscsi, lets whoever creates pods choose any path of the \
              node or any export of a server. Put such a source into a PersistentVolume and mount a claim of it.",
    versions: &[Since(0, restricted_source, &[host_path_volumes::CHECK.id])],
};

fn restricted_source(pod: &Pod<'_>) -> Option<Forbidden> {
    let mut names = Vec::new();
    let mut sources = BTreeSet::new();
    let mut fields = Vec::new();
    for (index, volume) in pod.spec.volumes.iter().flatten().enumerate() {
        if has_allowed_source(volume) {
            continue;
        }
        names.push(volume.name.as_str());
        let source = forbidden_source(volume);
        sources.insert(source.unwrap_or("unknown"));
        fields.push(match source {
            Some(source) => format!("spec.volumes[{index}].{source}"),
            None => format!("spec.volumes[{index}]"),
        });
    }
    (!names.is_empty()).then(|| Forbidden {
        reason: "restricted volume types",
        detail: format!(
            "{} {} {} {} {}",
            wording::plural(names.len(), "volume", "volumes"),
            wording::quoted(names.iter().copied()),
            wording::plural(names.len(), "uses", "use"),
            wording::plural(sources.len(), "restricted volume type", "restricted volume types"),
            wording::quoted(sources)
        ),
        fields,
    })
}

/// A volume with an allowed source is allowed even if it has another one beside it; validation
/// refuses two sources.
fn has_allowed_source(volume: &Volume) -> bool {
    volume.config_map.is_some()
        || volume.csi.is_some()
        || volume.downward_api.is_some()
        || volume.empty_dir.is_some()
        || volume.ephemeral.is_some()
        || volume.image.is_some()
        || volume.persistent_volume_claim.is_some()
        || volume.projected.is_some()
        || volume.secret.is_some()
}

/// The first source of a volume in the order in which upstream looks for them. A list of its own
/// beside `VolumeSource`, so that it can be compared with upstream's line by line.
fn forbidden_source(volume: &Volume) -> Option<&'static str> {
    let sources = [
        ("hostPath", volume.host_path.is_some()),
        ("gcePersistentDisk", volume.gce_persistent_disk.is_some()),
        ("awsElasticBlockStore", volume.aws_elastic_block_store.is_some()),
        ("gitRepo", volume.git_repo.is_some()),
        ("nfs", volume.nfs.is_some()),
        ("iscsi", volume.iscsi.is_some()),
        ("glusterfs", volume.glusterfs.is_some()),
        ("rbd", volume.rbd.is_some()),
        ("flexVolume", volume.flex_volume.is_some()),
        ("cinder", volume.cinder.is_some()),
        ("cephfs", volume.cephfs.is_some()),
        ("flocker", volume.flocker.is_some()),
        ("fc", volume.fc.is_some()),
        ("azureFile", volume.azure_file.is_some()),
        ("vsphereVolume", volume.vsphere_volume.is_some()),
        ("quobyte", volume.quobyte.is_some()),
        ("azureDisk", volume.azure_disk.is_some()),
        ("photonPersistentDisk", volume.photon_persistent_disk.is_some()),
        ("portworxVolume", volume.portworx_volume.is_some()),
        ("scaleIO", volume.scale_io.is_some()),
        ("storageos", volume.storageos.is_some()),
    ];
    sources.into_iter().find_map(|(name, present)| present.then_some(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::CHECK;
    use crate::policy::testing::{allows, forbids};

    const REASON: &str = "restricted volume types";

    #[test]
    fn nine_sources_are_allowed() {
        for source in [
            "configMap",
            "csi",
            "downwardAPI",
            "emptyDir",
            "ephemeral",
            "image",
            "persistentVolumeClaim",
            "projected",
            "secret",
        ] {
            allows(&CHECK, 0..=38, &json!({"spec": {"volumes": [{"name": "a", source: {}}]}}));
            allows(
                &CHECK,
                0..=38,
                &json!({"spec": {"volumes": [{"name": "a", source: {}, "hostPath": {}}]}}),
            );
        }
        allows(&CHECK, 0..=38, &json!({"spec": {"containers": []}}));
    }

    #[test]
    fn each_other_source_is_named() {
        for source in [
            "awsElasticBlockStore",
            "azureDisk",
            "azureFile",
            "cephfs",
            "cinder",
            "fc",
            "flexVolume",
            "flocker",
            "gcePersistentDisk",
            "gitRepo",
            "glusterfs",
            "hostPath",
            "iscsi",
            "nfs",
            "photonPersistentDisk",
            "portworxVolume",
            "quobyte",
            "rbd",
            "scaleIO",
            "storageos",
            "vsphereVolume",
        ] {
            forbids(
                &CHECK,
                0..=38,
                &json!({"spec": {"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", source: {}}]}}),
                (REASON, &format!(r#"volume "b" uses restricted volume type "{source}""#)),
                &[&format!("spec.volumes[1].{source}")],
            );
        }
    }

    #[test]
    fn sources_are_named_once_and_sorted_and_no_source_is_unknown() {
        forbids(
            &CHECK,
            0..=38,
            &json!({"spec": {"volumes": [
                {"name": "b", "nfs": {}},
                {"name": "a", "hostPath": {}, "nfs": {}},
                {"name": "c"},
                {"name": "d", "nfs": {}},
            ]}}),
            (
                REASON,
                r#"volumes "b", "a", "c", "d" use restricted volume types "hostPath", "nfs", "unknown""#,
            ),
            &[
                "spec.volumes[0].nfs",
                "spec.volumes[1].hostPath",
                "spec.volumes[2]",
                "spec.volumes[3].nfs",
            ],
        );
    }
}
