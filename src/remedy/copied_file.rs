//! Run a copy of a program that has lost its file capabilities.

use super::{Proposal, Remedy, RemedyLayer};
use crate::model::edit::Edit;
use crate::model::facts::Facts;
use crate::model::obstacle::{Category, Errno, Obstacle, Operation};

pub(super) const REMEDY: Remedy = Remedy {
    id: "copied-file",
    layer: RemedyLayer::Pod,
    title: "Mount a copy of the program over itself",
    explain: "cp does not copy file capabilities, and what carries none can be executed under `drop: [ALL]`. An init \
              container copies the file into an emptyDir and the copy is mounted over the original with `subPath`; \
              command and arguments stay. The program then lacks what the capability gave it: for a low port add the \
              sysctl, for ping the kernel's ICMP sockets are enough.",
    removes: &[Category::NotExecutable, Category::CapabilityMissing],
    suggest,
    propose: Some(propose),
};

fn suggest(obstacle: &Obstacle) -> Option<String> {
    applies(obstacle).then(|| {
        let path = obstacle.path.as_deref().unwrap_or("the program");
        format!("let an init container copy {path}, which drops its file capabilities, and mount the copy over it with subPath")
    })
}

fn propose(obstacle: &Obstacle, facts: &Facts) -> Vec<Proposal> {
    let named = obstacle.path.as_deref().or(obstacle.program.as_deref());
    let Some(path) = named.filter(|_| applies(obstacle) && facts.has_shell) else {
        return Vec::new();
    };
    let candidates =
        if path.starts_with('/') { vec![facts.resolved(path)] } else { searched(path, facts) };
    candidates
        .into_iter()
        .map(|path| {
            REMEDY.proposal(
                format!("mount a copy of {path}, without its file capabilities, over it"),
                vec![Edit::File { container: facts.container.clone(), path }],
            )
        })
        .collect()
}

/// Where a shell looks for a command whose path is not given, as images have it.
pub const SEARCH_PATH: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// A command without a path is searched for as a shell does.
fn searched(command: &str, facts: &Facts) -> Vec<String> {
    let candidates = SEARCH_PATH.iter().map(|dir| facts.resolved(&format!("{dir}/{command}")));
    candidates
        .filter(|path| facts.inode(path).is_some_and(|inode| inode.is_file()))
        .take(1)
        .collect()
}

fn applies(obstacle: &Obstacle) -> bool {
    obstacle.operation == Operation::Exec && obstacle.errno == Some(Errno::Eperm)
}
