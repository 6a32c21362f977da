//! Let a program that carries a file capability start.

use super::{Proposal, Remedy, RemedyLayer};
use crate::model::edit::Edit;
use crate::model::facts::Facts;
use crate::model::obstacle::{Category, Errno, Obstacle, Operation};

pub(super) const REMEDY: Remedy = Remedy {
    id: "file-capability",
    layer: RemedyLayer::Pod,
    title: "Give back the one capability that the program's file carries",
    explain: "A file with a capability in its effective set cannot be executed where `drop: [ALL]` took that capability \
              out of the bounding set: execve(2) answers EPERM. `add: [NET_BIND_SERVICE]`, the one capability that \
              restricted allows, cures exactly that file capability. It does nothing for a file that carries none.",
    removes: &[Category::NotExecutable, Category::CapabilityMissing],
    suggest,
    propose: Some(propose),
};

fn suggest(obstacle: &Obstacle) -> Option<String> {
    applies(obstacle).then(|| {
        "if the file carries cap_net_bind_service (getcap), add NET_BIND_SERVICE beside drop: [ALL]: the one capability \
         that restricted allows"
            .to_owned()
    })
}

fn propose(obstacle: &Obstacle, facts: &Facts) -> Vec<Proposal> {
    // Where it is known what the file carries, adding another capability would not do.
    if !applies(obstacle)
        || obstacle.capability.as_ref().is_some_and(|carried| carried != "NET_BIND_SERVICE")
    {
        return Vec::new();
    }
    let add = Edit::AddCapability {
        container: facts.container.clone(),
        name: "NET_BIND_SERVICE".to_owned(),
    };
    vec![
        REMEDY.proposal(
            "add NET_BIND_SERVICE, which the program's file carries".to_owned(),
            vec![add],
        ),
    ]
}

/// EPERM on exec is file capabilities; EACCES is mode bits.
fn applies(obstacle: &Obstacle) -> bool {
    obstacle.operation == Operation::Exec && obstacle.errno == Some(Errno::Eperm)
}
