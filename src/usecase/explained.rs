//! From what was diagnosed to its report, with what would remove it by the text alone.

use crate::diagnosis::Diagnosed;
use crate::model::obstacle::Obstacle;
use crate::output::explanation::{Explained, Explanation, Remedy};
use crate::remedy::{self, Suggestion};

pub(super) fn explanation(warnings: Vec<String>, diagnosed: Diagnosed) -> Explanation {
    let obstacles = diagnosed.obstacles.into_iter().map(explained).collect();
    Explanation::new(warnings, obstacles, diagnosed.looks_like.map(str::to_owned))
}

/// An obstacle with what would remove it.
pub(super) fn explained(obstacle: Obstacle) -> Explained {
    let remedies = remedies(remedy::remedies(&obstacle));
    Explained::new(obstacle, remedies)
}

/// Remedies as they are reported.
pub(super) fn remedies(suggestions: Vec<Suggestion>) -> Vec<Remedy> {
    let remedies = suggestions.into_iter().map(|Suggestion { id, layer, summary }| Remedy {
        id,
        level: layer.as_str(),
        summary,
    });
    remedies.collect()
}

/// An obstacle of a pod that only KubeVirt changes, with what makes KubeVirt do so.
pub(super) fn explained_by_kubevirt(obstacle: Obstacle, summary: String) -> Explained {
    Explained::new(obstacle, vec![Remedy { id: "kubevirt", level: "node", summary }])
}
