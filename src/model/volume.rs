//! What a volume is, what `fsGroup` does to its files, and who shares it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, PodSpec,
    Volume,
};
use k8s_openapi::api::storage::v1::StorageClass;

use crate::model::workload::Workload;

/// `spec.fsGroupPolicy` of a CSIDriver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FsGroupPolicy {
    None,
    File,
    ReadWriteOnceWithFsType,
}

impl FsGroupPolicy {
    /// The policy by the API's word for it; an unset one is the default (k8s.io/api,
    /// storage/v1/types.go).
    #[must_use]
    pub fn named(name: Option<&str>) -> FsGroupPolicy {
        match name {
            Some("None") => FsGroupPolicy::None,
            Some("File") => FsGroupPolicy::File,
            _ => FsGroupPolicy::ReadWriteOnceWithFsType,
        }
    }
}

/// What keeps the files of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backing {
    EmptyDir,
    /// A configMap, secret, downwardAPI or projected volume, by the API's word: no container writes
    /// it.
    Keys(&'static str),
    /// A directory of the node, of a pod or of a PersistentVolume.
    HostPath,
    Nfs,
    /// An image or OCI artifact (KEP-4639): read-only.
    Image,
    /// A directory or file system of one node (`local` PersistentVolume).
    Local,
    Csi {
        driver: String,
        /// `None`: the cluster's CSIDrivers may not be read.
        policy: Option<FsGroupPolicy>,
        fs_type: FsType,
        /// Among its access modes is ReadWriteOnce or ReadWriteOncePod.
        once: bool,
    },
    /// A file system on a disk that the kubelet mounts by itself, by the API's word: iscsi, fc,
    /// flexVolume.
    Disk(&'static str),
    /// `volumeMode: Block`: a device, no file system.
    Device,
    /// Why it is not known.
    Unknown(String),
}

/// Whether a volume names a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FsType {
    Named,
    Unnamed,
    /// It is not bound yet, and its class leaves the choice to the provisioner.
    Later,
}

/// What `fsGroup` does to the files of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FsGroup {
    /// The kubelet gives them to the group: files become readable and writable for it, directories
    /// get the setgid bit as well, so that what is made in them belongs to it too. Owners and
    /// the other bits stay. Source: `changeFilePermission` in Kubernetes'
    /// `pkg/volume/volume_linux.go`.
    Applied,
    /// They stay as they are; why, as the end of a sentence.
    Unchanged(String),
    Unknown(String),
}

impl Backing {
    /// Sources: the callers of `NewVolumeOwnership` in Kubernetes' `pkg/volume`; for CSI
    /// `supportsFSGroup` in `pkg/volume/csi/csi_mounter.go`.
    #[must_use]
    pub fn fs_group(&self) -> FsGroup {
        let unchanged = |why: &str| FsGroup::Unchanged(why.to_owned());
        match self {
            Backing::EmptyDir | Backing::Keys(_) | Backing::Local | Backing::Disk(_) => {
                FsGroup::Applied
            }
            Backing::HostPath => unchanged("it is a directory of the node (hostPath)"),
            Backing::Nfs => unchanged("it is NFS, where files belong to whom the server says"),
            Backing::Image => unchanged("it is an image"),
            Backing::Device => unchanged("it is a block device without a file system"),
            Backing::Csi { driver, policy, fs_type, once } => match (policy, fs_type) {
                (None, _) => FsGroup::Unknown(format!(
                    "the fsGroupPolicy of its driver {driver} may not be read"
                )),
                (Some(FsGroupPolicy::File), _) => FsGroup::Applied,
                (Some(FsGroupPolicy::None), _) => {
                    FsGroup::Unchanged(format!("its driver {driver} has the fsGroupPolicy None"))
                }
                (Some(FsGroupPolicy::ReadWriteOnceWithFsType), _) if !once => {
                    FsGroup::Unchanged(format!(
                        "its driver {driver} has the fsGroupPolicy ReadWriteOnceWithFSType, and its access modes have no \
                     ReadWriteOnce"
                    ))
                }
                (_, FsType::Named) => FsGroup::Applied,
                (_, FsType::Unnamed) => FsGroup::Unchanged(format!(
                    "its driver {driver} has the fsGroupPolicy ReadWriteOnceWithFSType, and the volume names no fsType"
                )),
                (_, FsType::Later) => FsGroup::Unknown(format!(
                    "it is not bound yet, and {driver} chooses its file system"
                )),
            },
            Backing::Unknown(why) => FsGroup::Unknown(why.clone()),
        }
    }

    /// Whether it starts as root's, mode 0755, as mkfs(8) makes a file system and the kubelet a
    /// directory of the node (`DirectoryOrCreate`, k8s.io/api, core/v1/types.go).
    #[must_use]
    pub fn starts_as_roots(&self) -> bool {
        matches!(self, Backing::HostPath | Backing::Local | Backing::Csi { .. } | Backing::Disk(_))
    }

    /// Whether its files outlive the pod and belong to whoever made them.
    #[must_use]
    pub fn keeps_files(&self) -> bool {
        !matches!(self, Backing::EmptyDir | Backing::Keys(_) | Backing::Image | Backing::Device)
    }
}

/// A PersistentVolumeClaim with what it is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub access_modes: Vec<String>,
    pub backing: Backing,
}

impl Claim {
    /// One pod of the whole cluster may use it at a time (KEP-2485).
    #[must_use]
    pub fn is_of_one_pod(&self) -> bool {
        self.access_modes.iter().any(|mode| mode == "ReadWriteOncePod")
    }
}

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
        let keys = [
            (volume.config_map.is_some(), "configMap"),
            (volume.secret.is_some(), "secret"),
            (volume.projected.is_some(), "projected"),
            (volume.downward_api.is_some(), "downwardAPI"),
        ];
        if let Some((_, kind)) = keys.into_iter().find(|(is, _)| *is) {
            return Backing::Keys(kind);
        }
        if volume.empty_dir.is_some() || volume.git_repo.is_some() {
            Backing::EmptyDir
        } else if volume.host_path.is_some() {
            Backing::HostPath
        } else if volume.nfs.is_some() {
            Backing::Nfs
        } else if volume.image.is_some() {
            Backing::Image
        } else if let Some(source) = &volume.csi {
            // An inline volume is ReadWriteOnce (`supportsFSGroup` in csi_mounter.go).
            let fs_type = if source.fs_type.as_deref().unwrap_or_default().is_empty() {
                FsType::Unnamed
            } else {
                FsType::Named
            };
            Backing::Csi {
                driver: source.driver.clone(),
                policy: self.policy(&source.driver),
                fs_type,
                once: true,
            }
        } else if volume.iscsi.is_some() {
            Backing::Disk("iscsi")
        } else if volume.fc.is_some() {
            Backing::Disk("fc")
        } else if volume.flex_volume.is_some() {
            Backing::Disk("flexVolume")
        } else {
            Backing::Unknown("it is of a kind that is not known here".to_owned())
        }
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
