//! The kind of a volume in a pod's spec.

use k8s_openapi::api::core::v1::{PersistentVolumeClaimVolumeSource, Volume};

/// The source of a volume, as far as the tool tells them apart (k8s.io/api, core/v1/types.go,
/// `VolumeSource`). The check of restricted volume types has a list of its own, in upstream's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VolumeSource {
    EmptyDir,
    PersistentVolumeClaim,
    Ephemeral,
    ConfigMap,
    Secret,
    Projected,
    DownwardApi,
    HostPath,
    Nfs,
    Csi,
    Image,
    GitRepo,
    Iscsi,
    Fc,
    FlexVolume,
    Other,
}

impl VolumeSource {
    /// The source of a volume; the first of several, which validation refuses.
    #[must_use]
    pub fn of(volume: &Volume) -> VolumeSource {
        let sources = [
            (volume.empty_dir.is_some(), VolumeSource::EmptyDir),
            (volume.persistent_volume_claim.is_some(), VolumeSource::PersistentVolumeClaim),
            (volume.ephemeral.is_some(), VolumeSource::Ephemeral),
            (volume.config_map.is_some(), VolumeSource::ConfigMap),
            (volume.secret.is_some(), VolumeSource::Secret),
            (volume.projected.is_some(), VolumeSource::Projected),
            (volume.downward_api.is_some(), VolumeSource::DownwardApi),
            (volume.host_path.is_some(), VolumeSource::HostPath),
            (volume.nfs.is_some(), VolumeSource::Nfs),
            (volume.csi.is_some(), VolumeSource::Csi),
            (volume.image.is_some(), VolumeSource::Image),
            (volume.git_repo.is_some(), VolumeSource::GitRepo),
            (volume.iscsi.is_some(), VolumeSource::Iscsi),
            (volume.fc.is_some(), VolumeSource::Fc),
            (volume.flex_volume.is_some(), VolumeSource::FlexVolume),
        ];
        let first = sources.into_iter().find(|(is_it, _)| *is_it);
        first.map_or(VolumeSource::Other, |(_, source)| source)
    }

    /// The API's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            VolumeSource::EmptyDir => "emptyDir",
            VolumeSource::PersistentVolumeClaim => "persistentVolumeClaim",
            VolumeSource::Ephemeral => "ephemeral",
            VolumeSource::ConfigMap => "configMap",
            VolumeSource::Secret => "secret",
            VolumeSource::Projected => "projected",
            VolumeSource::DownwardApi => "downwardAPI",
            VolumeSource::HostPath => "hostPath",
            VolumeSource::Nfs => "nfs",
            VolumeSource::Csi => "csi",
            VolumeSource::Image => "image",
            VolumeSource::GitRepo => "gitRepo",
            VolumeSource::Iscsi => "iscsi",
            VolumeSource::Fc => "fc",
            VolumeSource::FlexVolume => "flexVolume",
            VolumeSource::Other => "volume",
        }
    }

    /// Whether the kubelet writes its files from objects of the cluster.
    #[must_use]
    pub fn is_projected(self) -> bool {
        matches!(
            self,
            VolumeSource::ConfigMap
                | VolumeSource::Secret
                | VolumeSource::Projected
                | VolumeSource::DownwardApi
        )
    }

    /// Whether no container can write it, whatever its mount says.
    #[must_use]
    pub fn is_read_only(self) -> bool {
        self.is_projected() || self == VolumeSource::Image
    }
}

/// The claim of a volume: the one that it names, or the pod's own of an ephemeral volume,
/// POD-VOLUME (KEP-1698).
#[must_use]
pub fn claim_name(volume: &Volume, pod: Option<&str>) -> Option<String> {
    if let Some(source) = &volume.persistent_volume_claim {
        return Some(source.claim_name.clone());
    }
    volume.ephemeral.as_ref().map(|_| format!("{}-{}", pod.unwrap_or_default(), volume.name))
}

/// The volume that a StatefulSet's claim template becomes in its first pod, with the claim
/// TEMPLATE-NAME-0. <https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-storage>
#[must_use]
pub fn templated(template: &str, stateful_set: &str) -> Volume {
    let claim_name = format!("{template}-{stateful_set}-0");
    let claim = PersistentVolumeClaimVolumeSource { claim_name, read_only: None };
    Volume { name: template.to_owned(), persistent_volume_claim: Some(claim), ..Volume::default() }
}
