//! Volumes: messages by the numbers of Kubernetes' own `generated.proto` (k8s.io/api, core/v1,
//! v0.37), and what they are in the types that JSON is read to. Most sources count by being there,
//! so their content is `()`.

use k8s_openapi::api::core::v1 as api;

use super::zero::{list, text};

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Volume {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub source: Option<VolumeSource>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct VolumeSource {
    #[prost(message, optional, tag = "1")]
    pub host_path: Option<HostPath>,
    #[prost(message, optional, tag = "2")]
    pub empty_dir: Option<()>,
    #[prost(message, optional, tag = "3")]
    pub gce_persistent_disk: Option<()>,
    #[prost(message, optional, tag = "4")]
    pub aws_elastic_block_store: Option<()>,
    #[prost(message, optional, tag = "5")]
    pub git_repo: Option<()>,
    #[prost(message, optional, tag = "6")]
    pub secret: Option<Keys>,
    #[prost(message, optional, tag = "7")]
    pub nfs: Option<()>,
    #[prost(message, optional, tag = "8")]
    pub iscsi: Option<()>,
    #[prost(message, optional, tag = "9")]
    pub glusterfs: Option<()>,
    #[prost(message, optional, tag = "10")]
    pub persistent_volume_claim: Option<Claim>,
    #[prost(message, optional, tag = "11")]
    pub rbd: Option<()>,
    #[prost(message, optional, tag = "12")]
    pub flex_volume: Option<()>,
    #[prost(message, optional, tag = "13")]
    pub cinder: Option<()>,
    #[prost(message, optional, tag = "14")]
    pub cephfs: Option<()>,
    #[prost(message, optional, tag = "15")]
    pub flocker: Option<()>,
    #[prost(message, optional, tag = "16")]
    pub downward_api: Option<()>,
    #[prost(message, optional, tag = "17")]
    pub fc: Option<()>,
    #[prost(message, optional, tag = "18")]
    pub azure_file: Option<()>,
    #[prost(message, optional, tag = "19")]
    pub config_map: Option<Keys>,
    #[prost(message, optional, tag = "20")]
    pub vsphere_volume: Option<()>,
    #[prost(message, optional, tag = "21")]
    pub quobyte: Option<()>,
    #[prost(message, optional, tag = "22")]
    pub azure_disk: Option<()>,
    #[prost(message, optional, tag = "23")]
    pub photon_persistent_disk: Option<()>,
    #[prost(message, optional, tag = "24")]
    pub portworx_volume: Option<()>,
    #[prost(message, optional, tag = "25")]
    pub scale_io: Option<()>,
    #[prost(message, optional, tag = "26")]
    pub projected: Option<()>,
    #[prost(message, optional, tag = "27")]
    pub storageos: Option<()>,
    #[prost(message, optional, tag = "28")]
    pub csi: Option<Csi>,
    #[prost(message, optional, tag = "29")]
    pub ephemeral: Option<Ephemeral>,
    #[prost(message, optional, tag = "30")]
    pub image: Option<()>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct HostPath {
    #[prost(string, tag = "1")]
    pub path: String,
    #[prost(string, optional, tag = "2")]
    pub r#type: Option<String>,
}

/// `SecretVolumeSource` and `ConfigMapVolumeSource`, which have the same numbers for what is read
/// of both.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Keys {
    #[prost(message, repeated, tag = "2")]
    pub items: Vec<KeyToPath>,
    #[prost(int32, optional, tag = "3")]
    pub default_mode: Option<i32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct KeyToPath {
    #[prost(int32, optional, tag = "3")]
    pub mode: Option<i32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Claim {
    #[prost(string, tag = "1")]
    pub claim_name: String,
    #[prost(bool, tag = "2")]
    pub read_only: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Csi {
    #[prost(string, tag = "1")]
    pub driver: String,
    #[prost(string, optional, tag = "3")]
    pub fs_type: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Ephemeral {
    #[prost(message, optional, tag = "1")]
    pub volume_claim_template: Option<ClaimTemplate>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ClaimTemplate {
    #[prost(message, optional, tag = "2")]
    pub spec: Option<ClaimSpec>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ClaimSpec {
    #[prost(string, repeated, tag = "1")]
    pub access_modes: Vec<String>,
    #[prost(string, optional, tag = "5")]
    pub storage_class_name: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub volume_mode: Option<String>,
}

impl From<Volume> for api::Volume {
    fn from(from: Volume) -> Self {
        fn there<T: Default>(there: Option<()>) -> Option<T> {
            there.map(|()| T::default())
        }
        let source = from.source.unwrap_or_default();
        api::Volume {
            name: from.name,
            host_path: source
                .host_path
                .map(|HostPath { path, r#type }| api::HostPathVolumeSource { path, type_: r#type }),
            empty_dir: there(source.empty_dir),
            gce_persistent_disk: there(source.gce_persistent_disk),
            aws_elastic_block_store: there(source.aws_elastic_block_store),
            git_repo: there(source.git_repo),
            secret: source.secret.map(|Keys { items, default_mode }| api::SecretVolumeSource {
                items: list(items),
                default_mode,
                ..api::SecretVolumeSource::default()
            }),
            nfs: there(source.nfs),
            iscsi: there(source.iscsi),
            glusterfs: there(source.glusterfs),
            persistent_volume_claim: source.persistent_volume_claim.map(
                |Claim { claim_name, read_only }| api::PersistentVolumeClaimVolumeSource {
                    claim_name,
                    read_only: read_only.then_some(true),
                },
            ),
            rbd: there(source.rbd),
            flex_volume: there(source.flex_volume),
            cinder: there(source.cinder),
            cephfs: there(source.cephfs),
            flocker: there(source.flocker),
            downward_api: there(source.downward_api),
            fc: there(source.fc),
            azure_file: there(source.azure_file),
            config_map: source.config_map.map(|Keys { items, default_mode }| {
                api::ConfigMapVolumeSource {
                    items: list(items),
                    default_mode,
                    ..api::ConfigMapVolumeSource::default()
                }
            }),
            vsphere_volume: there(source.vsphere_volume),
            quobyte: there(source.quobyte),
            azure_disk: there(source.azure_disk),
            photon_persistent_disk: there(source.photon_persistent_disk),
            portworx_volume: there(source.portworx_volume),
            scale_io: there(source.scale_io),
            projected: there(source.projected),
            storageos: there(source.storageos),
            csi: source.csi.map(|Csi { driver, fs_type }| api::CSIVolumeSource {
                driver,
                fs_type: fs_type.and_then(text),
                ..api::CSIVolumeSource::default()
            }),
            ephemeral: source.ephemeral.map(Into::into),
            image: there(source.image),
        }
    }
}

impl From<KeyToPath> for api::KeyToPath {
    fn from(from: KeyToPath) -> Self {
        api::KeyToPath { mode: from.mode, ..api::KeyToPath::default() }
    }
}

impl From<Ephemeral> for api::EphemeralVolumeSource {
    fn from(from: Ephemeral) -> Self {
        let template = from.volume_claim_template.map(|template| {
            let ClaimSpec { access_modes, storage_class_name, volume_mode } =
                template.spec.unwrap_or_default();
            let access_modes = list(access_modes);
            let spec = api::PersistentVolumeClaimSpec {
                access_modes,
                storage_class_name,
                volume_mode,
                ..api::PersistentVolumeClaimSpec::default()
            };
            api::PersistentVolumeClaimTemplate { metadata: None, spec }
        });
        api::EphemeralVolumeSource { volume_claim_template: template }
    }
}
