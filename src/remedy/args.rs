//! Take away the argument or the line that asks for a privilege.

use super::{Level, Remedy, no_edits};
use crate::model::obstacle::{Category, Obstacle};

pub(super) const REMEDY: Remedy = Remedy {
    id: "args",
    level: Level::Args,
    title: "Take the request for a privilege out of the arguments",
    explain: "Many servers change their user, their groups or their root directory because an argument says so: \
              `-u`, `--user`, `-t`. A container that starts as the right user, on a file system of its own, needs none \
              of it.",
    removes: &[Category::IdentitySwitch, Category::CapabilityMissing, Category::OwnershipChange],
    suggest,
    propose: no_edits,
};

fn suggest(obstacle: &Obstacle) -> Option<String> {
    Some(match obstacle.category {
        Category::IdentitySwitch => "take the argument out that makes it change its user or its groups".to_owned(),
        Category::OwnershipChange => {
            "take the step out that changes the owner: with the right user there is nothing to change".to_owned()
        }
        _ => "take the argument out that asks for what needs the capability".to_owned(),
    })
}
