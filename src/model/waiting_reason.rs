//! Why a container waits, by the reason in its status.

/// What a reason means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitingReason {
    /// The container is on its way.
    Starting,
    /// The image cannot be had. The kubelet tries again, with longer and longer pauses.
    Image,
    /// The kubelet or the runtime cannot make or start the container from this spec.
    Start,
    /// The container ended again and again, and the kubelet waits before the next start.
    CrashLoop,
}

/// Every reason that the kubelet sets itself: pkg/kubelet/kuberuntime/kuberuntime_container.go and
/// kuberuntime_manager.go, pkg/kubelet/images/types.go, pkg/kubelet/kubelet_pods.go.
const REASONS: [(&str, WaitingReason); 14] = [
    ("ContainerCreating", WaitingReason::Starting),
    ("PodInitializing", WaitingReason::Starting),
    ("ErrImagePull", WaitingReason::Image),
    ("ImagePullBackOff", WaitingReason::Image),
    ("ErrImageNeverPull", WaitingReason::Image),
    ("ImageInspectError", WaitingReason::Image),
    ("InvalidImageName", WaitingReason::Image),
    ("RegistryUnavailable", WaitingReason::Image),
    ("SignatureValidationFailed", WaitingReason::Image),
    ("CreateContainerConfigError", WaitingReason::Start),
    ("CreateContainerError", WaitingReason::Start),
    ("PreStartHookError", WaitingReason::Start),
    ("RunContainerError", WaitingReason::Start),
    ("CrashLoopBackOff", WaitingReason::CrashLoop),
];

impl WaitingReason {
    /// What the reason of a status means; `None` for one that the table does not have.
    #[must_use]
    pub fn parse(reason: &str) -> Option<WaitingReason> {
        REASONS.iter().find(|(known, _)| *known == reason).map(|(_, meaning)| *meaning)
    }

    /// Whether a container that waits for this reason will not start from this spec.
    #[must_use]
    pub fn is_fatal(self) -> bool {
        matches!(self, WaitingReason::Image | WaitingReason::Start)
    }
}
