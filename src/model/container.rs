//! One container of a pod, in whichever of the three lists it stands.

use crate::model::identity::User;

/// What a container is to its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// `spec.containers`.
    Container,
    /// `spec.initContainers`, run to its end before the containers start.
    Init,
    /// `spec.initContainers` with `restartPolicy: Always` (KEP-753).
    Sidecar,
    /// `spec.ephemeralContainers`, added to a running pod (KEP-277).
    Ephemeral,
}

impl Role {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Container => "container",
            Role::Init => "init",
            Role::Sidecar => "sidecar",
            Role::Ephemeral => "ephemeral",
        }
    }
}

/// What scan knows of one container.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Container {
    pub name: String,
    pub role: Role,
    /// The image reference as the spec gives it.
    pub image: String,
    pub user: User,
    /// Whether its first process has uid 0; `None` where nothing at hand tells.
    pub root: Option<bool>,
}
