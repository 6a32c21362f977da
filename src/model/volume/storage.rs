//! The claims of a cluster with the storage behind them: what keeps the files of each volume.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Volume};
use k8s_openapi::api::storage::v1::StorageClass;

use super::backing::{Backing, Claim, FsGroup, FsGroupPolicy, FsType};
use super::source::{VolumeSource, claim_name};
use crate::model::workload::Workload;

/// What is known of the claims of some namespaces and of the storage behind them.
#[derive(Debug, Clone, Default)]
pub struct Storage {
    /// By namespace and name.
    pub claims: BTreeMap<(String, String), Claim>,
    /// Classes by name; `None` where they may not be read.
    pub classes: Option<BTreeMap<String, StorageClass>>,
    /// Policies by the driver's name; `None` where the CSIDrivers may not be read.
    pub drivers: Option<BTreeMap<String, FsGroupPolicy>>,
    /// What could not be read, a sentence each: what hangs on it is unknown, and nothing else
    /// fails.
    pub notes: Vec<String>,
}

/// The annotation that names a cluster's default class (k8s.io/kubernetes,
/// pkg/volume/util/storageclass.go).
const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

/// The parameter by which a class names a file system (kubernetes-csi/external-provisioner,
/// README).
const CLASS_FS_TYPE: &str = "csi.storage.k8s.io/fstype";

/// In-tree volumes that their CSI drivers serve (k8s.io/csi-translation-lib, plugins).
const TRANSLATED: [&str; 7] = [
    "ebs.csi.aws.com",
    "pd.csi.storage.gke.io",
    "disk.csi.azure.com",
    "file.csi.azure.com",
    "cinder.csi.openstack.org",
    "csi.vsphere.vmware.com",
    "pxd.portworx.com",
];

impl Storage {
    /// Takes a claim; `volume` is what it is bound to, `None` where that is nothing yet or may not
    /// be read.
    pub fn claim(&mut self, claim: &PersistentVolumeClaim, volume: Option<&PersistentVolume>) {
        let spec = claim.spec.clone().unwrap_or_default();
        let key = (
            claim.metadata.namespace.clone().unwrap_or_default(),
            claim.metadata.name.clone().unwrap_or_default(),
        );
        let access_modes = spec.access_modes.unwrap_or_default();
        let backing = match (spec.volume_mode.as_deref(), volume, spec.volume_name.as_deref()) {
            (Some("Block"), ..) => Backing::Device,
            (_, Some(volume), _) => self.bound(volume),
            (_, None, Some(name)) if !name.is_empty() => {
                Backing::Unknown(format!("PersistentVolume {name} may not be read"))
            }
            _ => self.unbound(spec.storage_class_name.as_deref(), &access_modes),
        };
        self.claims.insert(key, Claim { access_modes, backing });
    }

    fn bound(&self, volume: &PersistentVolume) -> Backing {
        let Some(spec) = &volume.spec else {
            return Backing::Unknown("its PersistentVolume is empty".to_owned());
        };
        if spec.volume_mode.as_deref() == Some("Block") {
            return Backing::Device;
        }
        let once = is_once(spec.access_modes.as_deref().unwrap_or_default());
        // Source: `hasReadWriteOnce` and `supportsFSGroup`: the access modes are those of the
        // PersistentVolume.
        let csi = |driver: &str, fs_type: Option<&str>| {
            let fs_type = if fs_type.unwrap_or_default().is_empty() {
                FsType::Unnamed
            } else {
                FsType::Named
            };
            Backing::Csi { driver: driver.to_owned(), policy: self.policy(driver), fs_type, once }
        };
        let [ebs, gce, azure_disk, azure_file, cinder, vsphere, portworx] = TRANSLATED;
        if let Some(source) = &spec.csi {
            csi(&source.driver, source.fs_type.as_deref())
        } else if spec.host_path.is_some() {
            Backing::HostPath
        } else if spec.nfs.is_some() {
            Backing::Nfs
        } else if spec.local.is_some() {
            Backing::Local
        } else if spec.iscsi.is_some() {
            Backing::Disk("iscsi")
        } else if spec.fc.is_some() {
            Backing::Disk("fc")
        } else if spec.flex_volume.is_some() {
            Backing::Disk("flexVolume")
        } else if let Some(source) = &spec.aws_elastic_block_store {
            csi(ebs, source.fs_type.as_deref())
        } else if let Some(source) = &spec.gce_persistent_disk {
            csi(gce, source.fs_type.as_deref())
        } else if let Some(source) = &spec.azure_disk {
            csi(azure_disk, source.fs_type.as_deref())
        } else if spec.azure_file.is_some() {
            csi(azure_file, None)
        } else if let Some(source) = &spec.cinder {
            csi(cinder, source.fs_type.as_deref())
        } else if let Some(source) = &spec.vsphere_volume {
            csi(vsphere, source.fs_type.as_deref())
        } else if let Some(source) = &spec.portworx_volume {
            csi(portworx, source.fs_type.as_deref())
        } else {
            Backing::Unknown("its PersistentVolume is of a kind that is not known here".to_owned())
        }
    }

    /// What a class would make of a claim that is not bound yet.
    fn unbound(&self, class: Option<&str>, access_modes: &[String]) -> Backing {
        let Some(classes) = &self.classes else {
            return Backing::Unknown(
                "it is not bound yet, and storage classes may not be read".to_owned(),
            );
        };
        let is_default = |class: &&StorageClass| {
            let annotations = class.metadata.annotations.as_ref();
            annotations.and_then(|all| all.get(DEFAULT_CLASS)).is_some_and(|value| value == "true")
        };
        let found = match class {
            Some(name) => classes.get(name),
            None => classes.values().find(is_default),
        };
        let Some(found) = found else { return Backing::Unknown("it is not bound yet".to_owned()) };
        let driver = found.provisioner.clone();
        if !self.drivers.as_ref().is_none_or(|drivers| drivers.contains_key(&driver)) {
            return Backing::Unknown(format!(
                "it is not bound yet, and {driver} is no CSI driver of this cluster"
            ));
        }
        let named = found
            .parameters
            .as_ref()
            .is_some_and(|parameters| parameters.contains_key(CLASS_FS_TYPE));
        let fs_type = if named { FsType::Named } else { FsType::Later };
        Backing::Csi { policy: self.policy(&driver), driver, fs_type, once: is_once(access_modes) }
    }

    /// A driver without a CSIDriver object has the default (`getFSGroupPolicy` in csi_mounter.go).
    fn policy(&self, driver: &str) -> Option<FsGroupPolicy> {
        let drivers = self.drivers.as_ref()?;
        Some(drivers.get(driver).copied().unwrap_or(FsGroupPolicy::ReadWriteOnceWithFsType))
    }

    /// What keeps the files of a pod's volume. `pod` names the pod, for the claims of its ephemeral
    /// volumes.
    #[must_use]
    pub fn backing(&self, volume: &Volume, namespace: &str, pod: Option<&str>) -> Backing {
        if let Some(claim) = claim_name(volume, pod) {
            let key = (namespace.to_owned(), claim);
            if let Some(claim) = self.claims.get(&key) {
                return claim.backing.clone();
            }
            let template =
                volume.ephemeral.as_ref().and_then(|source| source.volume_claim_template.as_ref());
            return match template {
                Some(template) if template.spec.volume_mode.as_deref() == Some("Block") => {
                    Backing::Device
                }
                Some(template) => self.unbound(
                    template.spec.storage_class_name.as_deref(),
                    template.spec.access_modes.as_deref().unwrap_or_default(),
                ),
                None => Backing::Unknown(format!("nothing is known of claim {}", key.1)),
            };
        }
        let source = VolumeSource::of(volume);
        match source {
            VolumeSource::ConfigMap
            | VolumeSource::Secret
            | VolumeSource::Projected
            | VolumeSource::DownwardApi => Backing::Keys(source.as_str()),
            VolumeSource::EmptyDir | VolumeSource::GitRepo => Backing::EmptyDir,
            VolumeSource::HostPath => Backing::HostPath,
            VolumeSource::Nfs => Backing::Nfs,
            VolumeSource::Image => Backing::Image,
            VolumeSource::Csi => self.inline(volume),
            VolumeSource::Iscsi | VolumeSource::Fc | VolumeSource::FlexVolume => {
                Backing::Disk(source.as_str())
            }
            VolumeSource::PersistentVolumeClaim | VolumeSource::Ephemeral | VolumeSource::Other => {
                Backing::Unknown("it is of a kind that is not known here".to_owned())
            }
        }
    }

    /// A CSI volume of the pod itself, which is ReadWriteOnce (`supportsFSGroup` in
    /// csi_mounter.go).
    fn inline(&self, volume: &Volume) -> Backing {
        let source = volume.csi.clone().unwrap_or_default();
        let fs_type = match source.fs_type.as_deref() {
            None | Some("") => FsType::Unnamed,
            Some(_) => FsType::Named,
        };
        let policy = self.policy(&source.driver);
        Backing::Csi { driver: source.driver, policy, fs_type, once: true }
    }

    /// What fsGroup does to a volume of a workload's pod.
    #[must_use]
    pub fn fs_group(&self, volume: &Volume, workload: &Workload) -> FsGroup {
        let namespace = workload.namespace.as_deref().unwrap_or_default();
        self.backing(volume, namespace, workload.metadata.name.as_deref()).fs_group()
    }
}

fn is_once(access_modes: &[String]) -> bool {
    access_modes.iter().any(|mode| mode == "ReadWriteOnce" || mode == "ReadWriteOncePod")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn storage(drivers: &[(&str, &str)], classes: Value) -> Storage {
        let drivers = drivers
            .iter()
            .map(|(name, policy)| ((*name).to_owned(), FsGroupPolicy::named(Some(policy))));
        let classes: Vec<StorageClass> = serde_json::from_value(classes).expect("classes");
        let named = |class: StorageClass| (class.metadata.name.clone().unwrap_or_default(), class);
        Storage {
            drivers: Some(drivers.collect()),
            classes: Some(classes.into_iter().map(named).collect()),
            ..Storage::default()
        }
    }

    /// What becomes of fsGroup on a claim that is bound to a volume with this spec.
    fn of_volume(storage: &Storage, spec: Value) -> FsGroup {
        let mut storage = storage.clone();
        let claim = serde_json::from_value(
            json!({"metadata": {"namespace": "n", "name": "c"}, "spec": {"volumeName": "v"}}),
        );
        let volume: PersistentVolume =
            serde_json::from_value(json!({"spec": spec})).expect("a volume");
        storage.claim(&claim.expect("a claim"), Some(&volume));
        storage.claims[&("n".to_owned(), "c".to_owned())].backing.fs_group()
    }

    fn unchanged(found: &FsGroup, word: &str) -> bool {
        matches!(found, FsGroup::Unchanged(why) if why.contains(word))
    }

    /// `TestMounterSetUpWithFSGroup` of Kubernetes' pkg/volume/csi/csi_mounter_test.go has these
    /// cases.
    #[test]
    fn csi_by_policy_fs_type_and_access_mode() {
        let storage = storage(
            &[("none", "None"), ("file", "File"), ("rwo", "ReadWriteOnceWithFSType")],
            json!([]),
        );
        let csi = |driver: &str, fs_type: &str, modes: Value| {
            let csi = json!({"driver": driver, "volumeHandle": "h", "fsType": fs_type});
            of_volume(&storage, json!({"csi": csi, "accessModes": modes}))
        };
        let (once, many) = (json!(["ReadWriteOnce"]), json!(["ReadWriteMany"]));
        assert_eq!(csi("file", "", many.clone()), FsGroup::Applied);
        assert!(unchanged(&csi("none", "ext4", once.clone()), "fsGroupPolicy None"));
        assert_eq!(csi("rwo", "ext4", once.clone()), FsGroup::Applied);
        assert_eq!(csi("rwo", "ext4", json!(["ReadWriteOncePod"])), FsGroup::Applied);
        assert_eq!(csi("rwo", "ext4", json!(["ReadWriteMany", "ReadWriteOnce"])), FsGroup::Applied);
        assert!(unchanged(&csi("rwo", "ext4", many), "no ReadWriteOnce"));
        assert!(unchanged(&csi("rwo", "", once.clone()), "names no fsType"));
        assert_eq!(
            csi("without an object", "xfs", once.clone()),
            FsGroup::Applied,
            "the default policy"
        );
        let closed = Storage::default();
        let spec = json!({"csi": {"driver": "x", "volumeHandle": "h", "fsType": "ext4"}, "accessModes": once});
        assert!(
            matches!(of_volume(&closed, spec), FsGroup::Unknown(_)),
            "CSIDrivers may not be read"
        );
    }

    #[test]
    fn other_volumes_by_who_mounts_them() {
        let storage = storage(&[], json!([]));
        let once = json!(["ReadWriteOnce"]);
        assert!(unchanged(&of_volume(&storage, json!({"hostPath": {"path": "/x"}})), "hostPath"));
        assert!(unchanged(
            &of_volume(&storage, json!({"nfs": {"server": "s", "path": "/"}})),
            "NFS"
        ));
        assert_eq!(of_volume(&storage, json!({"local": {"path": "/x"}})), FsGroup::Applied);
        assert!(unchanged(
            &of_volume(&storage, json!({"local": {"path": "/x"}, "volumeMode": "Block"})),
            "block"
        ));
        assert_eq!(of_volume(&storage, json!({"fc": {}})), FsGroup::Applied);
        let ebs = json!({"awsElasticBlockStore": {"volumeID": "v", "fsType": "ext4"}, "accessModes": once});
        assert_eq!(of_volume(&storage, ebs), FsGroup::Applied, "as its CSI driver");
        let azure =
            json!({"azureFile": {"secretName": "s", "shareName": "x"}, "accessModes": once});
        assert!(unchanged(&of_volume(&storage, azure), "file.csi.azure.com"));
    }

    #[test]
    fn volumes_of_a_pod_by_their_kind() {
        let storage = storage(&[("i", "ReadWriteOnceWithFSType")], json!([]));
        let of = |source: Value| {
            let mut volume = json!({"name": "v"});
            volume
                .as_object_mut()
                .expect("an object")
                .extend(source.as_object().cloned().expect("a source"));
            storage.backing(&serde_json::from_value(volume).expect("a volume"), "n", None)
        };
        assert_eq!(of(json!({"emptyDir": {}})), Backing::EmptyDir);
        assert_eq!(of(json!({"configMap": {"name": "x"}})), Backing::Keys("configMap"));
        assert_eq!(of(json!({"secret": {"secretName": "x"}})), Backing::Keys("secret"));
        assert_eq!(of(json!({"projected": {"sources": []}})), Backing::Keys("projected"));
        assert_eq!(of(json!({"downwardAPI": {}})), Backing::Keys("downwardAPI"));
        assert!(unchanged(&of(json!({"hostPath": {"path": "/x"}})).fs_group(), "hostPath"));
        assert!(unchanged(&of(json!({"nfs": {"server": "s", "path": "/"}})).fs_group(), "NFS"));
        assert!(unchanged(&of(json!({"image": {"reference": "r"}})).fs_group(), "image"));
        assert_eq!(
            of(json!({"csi": {"driver": "i", "fsType": "ext4"}})).fs_group(),
            FsGroup::Applied
        );
        assert!(unchanged(&of(json!({"csi": {"driver": "i"}})).fs_group(), "fsType"));
        let missing = of(json!({"persistentVolumeClaim": {"claimName": "c"}})).fs_group();
        assert!(matches!(missing, FsGroup::Unknown(_)));
    }

    #[test]
    fn a_claim_that_is_not_bound_is_what_its_class_makes_of_it() {
        let classes = json!([
            {"metadata": {"name": "disk"}, "provisioner": "d", "parameters": {"csi.storage.k8s.io/fstype": "ext4"}},
            {"metadata": {"name": "any", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}, "provisioner": "d"},
            {"metadata": {"name": "share"}, "provisioner": "s"},
            {"metadata": {"name": "node"}, "provisioner": "rancher.io/local-path"},
        ]);
        let mut storage = storage(&[("d", "ReadWriteOnceWithFSType"), ("s", "None")], classes);
        let mut of = |spec: Value| {
            let claim = json!({"metadata": {"namespace": "n", "name": "c"}, "spec": spec});
            storage.claim(&serde_json::from_value(claim).expect("a claim"), None);
            storage.claims[&("n".to_owned(), "c".to_owned())].backing.fs_group()
        };
        let once = json!(["ReadWriteOnce"]);
        assert_eq!(of(json!({"storageClassName": "disk", "accessModes": once})), FsGroup::Applied);
        assert!(
            matches!(of(json!({"accessModes": once})), FsGroup::Unknown(_)),
            "the default class names no fsType"
        );
        assert!(unchanged(&of(json!({"storageClassName": "share"})), "None"));
        assert!(matches!(of(json!({"storageClassName": "node"})), FsGroup::Unknown(_)));
        assert!(
            matches!(of(json!({"volumeName": "v"})), FsGroup::Unknown(_)),
            "its volume may not be read"
        );
        assert!(unchanged(
            &of(json!({"storageClassName": "disk", "volumeMode": "Block"})),
            "block"
        ));
        let volume = json!({"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {"storageClassName": "disk", "accessModes": once}}}});
        let volume: Volume = serde_json::from_value(volume).expect("a volume");
        assert_eq!(storage.backing(&volume, "n", Some("p")).fs_group(), FsGroup::Applied);
        assert_eq!(claim_name(&volume, Some("p")).as_deref(), Some("p-scratch"));
    }
}
