//! What would remove a single obstacle of a workload that is only looked at.

use super::{Question, Search, accept};
use crate::model::edit::Edit;
use crate::model::filesystem::PathStat;
use crate::model::obstacle::Obstacle;
use crate::remedy::{self, Proposal, Suggestion};

/// What is decided on an obstacle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemedyDecision {
    /// This is to be learned first.
    Learn(Vec<Question>),
    /// What would remove it, in the order in which it should be tried, and what the image has on
    /// the way to its path.
    Decided(Vec<Suggestion>, Vec<PathStat>),
    /// Nothing tells what the container has at its path.
    Unknown,
}

impl Search<'_> {
    /// Decides on one obstacle by itself, whatever the plan does about others.
    pub fn decide(&mut self, obstacle: &Obstacle) -> RemedyDecision {
        let obstacle = self.located(obstacle.clone());
        let Some(container) = obstacle.container.clone() else { return RemedyDecision::Unknown };
        let questions = self.needs(&container, &obstacle);
        if !questions.is_empty() {
            return RemedyDecision::Learn(questions);
        }
        self.recall(&container, &obstacle);
        let Some(facts) = self.facts.get(&container) else { return RemedyDecision::Unknown };
        let of_volume = |path: &String| facts.mount(&facts.resolved(path)).is_some();
        if facts.stats.is_empty() && !obstacle.path.as_ref().is_some_and(of_volume) {
            return RemedyDecision::Unknown;
        }
        let obstacle = accept::reread(obstacle, facts);
        let is_wanted = |proposal: &Proposal| {
            self.is_wanted(proposal) && !proposal.edits.contains(&Edit::UserNamespace)
        };
        let decided = remedy::decided(&obstacle, facts, is_wanted);
        RemedyDecision::Decided(decided, facts.stats.clone())
    }
}
