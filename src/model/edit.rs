//! Changes of a pod template, each small enough to explain and to take back.

/// What a directory that becomes a volume holds at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fill {
    /// Nothing: the image has nothing there. The mount is root's, mode 0777
    /// (pkg/volume/emptydir/empty_dir.go), so anybody may write and nobody but root may chmod
    /// it.
    Empty,
    /// What the image has there, copied by an init container of the same image and uid.
    Copy,
    /// As `Copy`, of a directory that a running container has and the image may not.
    Seen,
    /// Only the directories that the image has there, empty.
    Directories,
    /// As `Copy`, but what the uid may not read is left out. The program could not read it either.
    Readable,
    /// As `Copy`, in a subdirectory that the uid owns, mode 0755: for programs that refuse a
    /// directory that is not their own or that the world may write, or that chmod it.
    Own,
}

impl Edit {
    /// The one container that it changes; `None` for a change of the pod.
    #[must_use]
    pub fn container(&self) -> Option<&str> {
        match self {
            Edit::RunAs { container, .. } => container.as_deref(),
            Edit::Holds { container, .. }
            | Edit::AddCapability { container, .. }
            | Edit::RemoveCapability { container, .. }
            | Edit::Env { container, .. }
            | Edit::Directory { container, .. }
            | Edit::File { container, .. }
            | Edit::NewFile { container, .. }
            | Edit::OwnVolume { container, .. }
            | Edit::EditedFile { container, .. }
            | Edit::ReplacedCommand { container, .. }
            | Edit::Command { container, .. } => Some(container),
            Edit::NonRoot
            | Edit::SupplementalGroup(_)
            | Edit::FsGroup(_)
            | Edit::Sysctl { .. }
            | Edit::UserNamespace
            | Edit::ReadOnlyRoot => None,
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Edit {
    /// `runAsNonRoot: true` of every container that lacks it.
    NonRoot,
    /// `runAsUser` and `runAsGroup`, for one container or for all that have none of their own.
    RunAs { container: Option<String>, uid: u32, gid: u32 },
    /// `supplementalGroups` of the pod.
    SupplementalGroup(u32),
    /// `fsGroup` of the pod, changed only where it must be (`fsGroupChangePolicy: OnRootMismatch`,
    /// KEP-695).
    FsGroup(u32),
    /// A safe sysctl of the pod (k8s.io/kubernetes, pkg/kubelet/sysctl/safe_sysctls.go).
    Sysctl { name: String, value: String },
    /// A name more in `capabilities.add`.
    AddCapability { container: String, name: String },
    /// A name less in `capabilities.add`.
    RemoveCapability { container: String, name: String },
    /// An environment variable with a plain value, set or replaced.
    Env { container: String, name: String, value: String },
    /// An emptyDir over a directory of the image.
    Directory { container: String, path: String, fill: Fill },
    /// How many bytes a directory holds today, so that its emptyDir may hold as many and more.
    Holds { container: String, path: String, bytes: u64 },
    /// A copy of one file of the image, mounted over it. A copy loses file capabilities and belongs
    /// to the uid.
    File { container: String, path: String },
    /// The same with an edit: a script for sed(1).
    EditedFile { container: String, path: String, sed: String },
    /// A file in an empty volume, mounted where the image has nothing: for a file in a directory
    /// that no volume may cover.
    NewFile { container: String, path: String },
    /// A directory in an emptyDir of the spec, made by a container's user and therefore his own, in
    /// place of the whole: of that only root may change owner, mode and times. Every container
    /// of the pod gets the directory; `mode` is its own.
    OwnVolume { container: String, volume: String, mode: u32 },
    /// A script for sh in place of a command, in a directory before those of the PATH that the
    /// container has.
    ReplacedCommand {
        container: String,
        command: String,
        script: &'static str,
        search_path: String,
    },
    /// `command` and `args` instead of what the spec or the image has; for a program that the spec
    /// names, `args` alone.
    Command { container: String, command: Vec<String>, args: Vec<String> },
    /// `hostUsers: false` (KEP-127): root inside, nobody outside.
    UserNamespace,
    /// `readOnlyRootFilesystem` of every container.
    ReadOnlyRoot,
}
