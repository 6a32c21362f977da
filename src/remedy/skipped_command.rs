//! Let a command that only root may run do nothing.

use super::{Proposal, Remedy, RemedyLayer};
use crate::model::edit::Edit;
use crate::model::facts::Facts;
use crate::model::obstacle::{Category, Obstacle, Operation};

pub(super) const REMEDY: Remedy = Remedy {
    id: "skipped-command",
    layer: RemedyLayer::Pod,
    title: "Let chown or chmod do nothing",
    explain: "Entrypoints and init containers that were written for root give files to the user whom they then become. A \
              container that starts as that user makes files that are its own already, and a volume is writable for it \
              by its mode or by fsGroup: there is nothing left to change, but the step still fails and ends the script. \
              An empty script of the same name, before the others in PATH, lets it pass. Where the script can be \
              changed, take the step out instead.",
    removes: &[Category::OwnershipChange],
    suggest,
    propose: Some(propose),
};

/// The command that makes the refused call.
fn command(operation: Operation) -> Option<&'static str> {
    match operation {
        Operation::Chown => Some("chown"),
        Operation::Chmod => Some("chmod"),
        _ => None,
    }
}

fn suggest(obstacle: &Obstacle) -> Option<String> {
    let command = command(obstacle.operation)?;
    Some(format!(
        "if a script runs {command}: put an empty {command} before the others in PATH, or take the step out"
    ))
}

fn propose(obstacle: &Obstacle, facts: &Facts) -> Vec<Proposal> {
    let (Some(command), Some(search)) = (obstacle.command(), &facts.search_path) else {
        return Vec::new();
    };
    if !facts.has_shell {
        return Vec::new();
    }
    vec![REMEDY.proposal(
        format!("let {command} do nothing: what this user makes is its own already"),
        vec![Edit::ReplacedCommand {
            container: facts.container.clone(),
            command: command.to_owned(),
            script: "",
            search_path: search.clone(),
        }],
    )]
}
