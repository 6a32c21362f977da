//! What keeps the files of a volume, and what `fsGroup` does to them.

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
