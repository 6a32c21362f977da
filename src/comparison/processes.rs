//! Processes, by the names of their commands.

use std::collections::BTreeSet;

use super::Difference;
use crate::model::behaviour::Behaviour;
use crate::model::inside::Inside;

/// Names that the copy has no process of. A launcher that only changed the user is gone with root.
pub(super) fn compare(control: &Behaviour, copy: &Behaviour) -> Vec<Difference> {
    let both = control.containers.iter().filter_map(|(name, root)| {
        let other = copy.containers.get(name)?;
        Some((name, names(root), names(other)))
    });
    both.flat_map(|(name, root, other)| {
        let missing: Vec<&str> = root.difference(&other).copied().collect();
        missing.into_iter().map(move |process| {
            Difference::Noted(format!(
                "container {name}: as root it has a process {process}, and the copy has none"
            ))
        })
    })
    .collect()
}

fn names(inside: &Inside) -> BTreeSet<&str> {
    inside.processes.iter().map(|process| process.name.as_str()).collect()
}
