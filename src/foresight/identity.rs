//! Containers that can never start: uid 0 is asked for, and forbidden.

use crate::model::container::Container;
use crate::model::identity::Origin;
use crate::model::obstacle::{Category, Obstacle, Operation};
use crate::model::workload::Workload;

/// The containers of a workload that have uid 0 and `runAsNonRoot: true`. The kubelet starts none
/// of them (pkg/kubelet/kuberuntime/security_context.go, verifyRunAsNonRoot: "container's runAsUser
/// breaks non-root policy").
pub(super) fn contradictions(workload: &Workload) -> impl Iterator<Item = Obstacle> {
    let contradicts =
        |container: &&Container| container.user.uid == Some(0) && container.root == Some(false);
    workload.containers.iter().filter(contradicts).map(|container| {
        let by = match container.user.origin {
            Origin::Pod => "its pod sets runAsUser: 0",
            _ => "it sets runAsUser: 0",
        };
        let cause = format!("it cannot start: {by}, and runAsNonRoot: true forbids it");
        let source = format!("spec of container {}", container.name);
        super::obstacle(
            &container.name,
            &source,
            Operation::ImageUser,
            Category::ImageRunsAsRoot,
            cause,
        )
    })
}
