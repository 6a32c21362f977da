//! Root inside, nobody outside.

use super::{Proposal, Remedy, RemedyLayer};
use crate::model::edit::Edit;
use crate::model::facts::Facts;
use crate::model::obstacle::{Category, Obstacle, Operation};

pub(super) const REMEDY: Remedy = Remedy {
    id: "user-namespace",
    layer: RemedyLayer::Pod,
    title: "Give the pod a user namespace",
    explain: "With `hostUsers: false` (KEP-127) root in the pod is an unprivileged uid of the node. From v1.35 on \
              restricted admits such a pod without runAsNonRoot. It is for programs that insist on being root, and \
              for files that only root may read. The node and its runtime must support it, some volumes forbid it, \
              and dropped capabilities stay dropped: what becomes another user for each job or login starts, and fails then.",
    removes: &[Category::UnreadableFile, Category::IdentitySwitch, Category::OwnershipChange],
    suggest,
    propose: Some(propose),
};

fn suggest(obstacle: &Obstacle) -> Option<String> {
    // Root of a user namespace is nobody to the node's files.
    if obstacle.path.as_deref().is_some_and(super::is_of_node) {
        return None;
    }
    Some(
        "as a last resort keep root inside and nobody outside: hostUsers: false, where the nodes support it".to_owned(),
    )
}

fn propose(obstacle: &Obstacle, facts: &Facts) -> Vec<Proposal> {
    // What no user but root may read, and a program that compares its uid with 0, leave no other
    // way that an edit could take. What needs a capability, such as a chown, stays refused:
    // restricted drops them all.
    let insists =
        obstacle.category == Category::IdentitySwitch && obstacle.operation == Operation::Other;
    if obstacle.category != Category::UnreadableFile && !insists {
        return Vec::new();
    }
    vec![REMEDY.proposal(
        "keep root inside and nobody outside, in a user namespace".to_owned(),
        vec![
            Edit::UserNamespace,
            Edit::RunAs { container: Some(facts.container.clone()), uid: 0, gid: 0 },
        ],
    )]
}

/// Root in some containers, whatever was refused: the last resort.
#[must_use]
pub fn last_resort(containers: Vec<String>) -> Proposal {
    let root = |container| Edit::RunAs { container: Some(container), uid: 0, gid: 0 };
    REMEDY.proposal(
        "keep root inside and nobody outside, in a user namespace: nothing else worked".to_owned(),
        std::iter::once(Edit::UserNamespace).chain(containers.into_iter().map(root)).collect(),
    )
}
