//! A root file system that nobody may write. It removes no obstacle, and so is not in the list: it is
//! asked for.

use super::{Proposal, RemedyLayer};
use crate::model::edit::Edit;

/// The id of its step.
pub const READ_ONLY_ROOT: &str = "read-only-root";

/// `readOnlyRootFilesystem` of every container.
#[must_use]
pub fn read_only_root() -> Proposal {
    Proposal {
        remedy: READ_ONLY_ROOT,
        layer: RemedyLayer::Pod,
        summary: "make the root file system of every container read-only".to_owned(),
        edits: vec![Edit::ReadOnlyRoot],
    }
}
