//! A file of its own where no directory can be made writable.

use super::empty_dir::{NEVER, parent};
use super::{Proposal, Remedy, RemedyLayer};
use crate::model::edit::Edit;
use crate::model::facts::Facts;
use crate::model::obstacle::{Category, Obstacle, Operation};

pub(super) const REMEDY: Remedy = Remedy {
    id: "writable-file",
    layer: RemedyLayer::Pod,
    title: "Mount a writable file",
    explain: "No volume may cover `/`, `/etc` or `/usr`: the container would be another one. Where a program insists on \
              writing one file there, as a server whose working directory is `/` does with its log, an init container \
              makes that file in an emptyDir, as a copy of the image's or empty, and it alone is mounted with `subPath`. \
              It can be written and not be replaced: a program that renames another file over it still fails.",
    removes: &[Category::UnwritablePath, Category::ReadOnlyRootfs],
    suggest,
    propose: Some(propose),
};

fn path(obstacle: &Obstacle) -> Option<&str> {
    let makes_file = matches!(obstacle.operation, Operation::Create | Operation::Open);
    let path = obstacle
        .path
        .as_deref()
        .filter(|path| makes_file && path.starts_with('/') && *path != "/")?;
    NEVER.contains(&parent(path)).then_some(path)
}

fn suggest(obstacle: &Obstacle) -> Option<String> {
    let path = path(obstacle)?;
    Some(format!(
        "mount a file from an emptyDir at {path} with subPath: no volume may cover {}",
        parent(path)
    ))
}

fn propose(obstacle: &Obstacle, facts: &Facts) -> Vec<Proposal> {
    let Some(path) = path(obstacle).filter(|_| facts.has_shell) else { return Vec::new() };
    let path = facts.resolved(path);
    if facts.mount(&path).is_some() {
        return Vec::new();
    }
    let container = facts.container.clone();
    let (summary, edit) = match facts.inode(&path) {
        None => (format!("mount an empty file at {path}"), Edit::NewFile { container, path }),
        Some(inode) if inode.is_file() => {
            (format!("mount a copy of the file {path} over it"), Edit::File { container, path })
        }
        Some(_) => return Vec::new(),
    };
    vec![REMEDY.proposal(summary, vec![edit])]
}
