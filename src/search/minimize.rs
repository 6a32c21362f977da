//! What works is made smaller: what was a guess is left out, and the root file system is made
//! read-only.

use super::{End, News, Next, Outcome, Phase, Search};
use crate::foresight;
use crate::model::edit::Edit;
use crate::model::obstacle::{Category, Evidence, Obstacle, Operation};
use crate::model::plan::Step;
use crate::remedy::{self, Proposal};

/// Seconds of runs that may be spent on what is not needed; one that has begun is finished.
const MAX_SECONDS: u64 = 60;

/// The id of the step that makes the root file system read-only. It removes no obstacle: it is
/// asked for.
pub const READ_ONLY_ROOT: &str = "read-only-root";

impl Search<'_> {
    /// Leaves out the next doubtful step below `at`, the youngest first.
    pub(super) fn minimize(&mut self, at: usize) -> (Phase, Option<Next>) {
        let is_needed = |step: &Step| {
            let is_needed = |edit: &Edit| {
                matches!(edit, Edit::RunAs { .. } | Edit::UserNamespace | Edit::ReadOnlyRoot)
            };
            step.edits.iter().any(is_needed)
        };
        let is_over = self.minimized > MAX_SECONDS || self.rounds.len() >= self.options.max_rounds;
        let next = (0..at.min(self.steps.len())).rev().find(|at| {
            let step = &self.steps[*at];
            step.doubtful && !is_needed(step)
        });
        let Some(at) = next.filter(|_| !is_over) else { return (Phase::Done, None) };
        let step = self.steps.remove(at);
        self.news.push(News::LeavingOut(step.clone()));
        (Phase::RunWithout(at, Box::new(step)), None)
    }

    /// Keeps out what the pod works without as well as with it.
    pub(super) fn ran_without(&mut self, at: usize, step: &Step, outcome: &Outcome) -> Phase {
        self.minimized += outcome.seconds;
        if let Some(round) = self.rounds.last_mut() {
            round.added.push(format!("left out: {}", step.summary));
        }
        let refused = self.works.as_ref().map_or(0, |works| works.refused.len());
        if outcome.end == End::Works && outcome.obstacles.len() <= refused {
            self.remember(outcome);
        } else {
            self.restore();
        }
        Phase::Minimize(at)
    }

    /// The root file system becomes read-only once, when the pod works without, with volumes where
    /// the running pod writes. False: that was not asked for, or was done.
    pub(super) fn begin_read_only(&mut self) -> bool {
        let is_left_out = self.options.without.iter().any(|id| id == READ_ONLY_ROOT);
        if !self.options.read_only_root
            || is_left_out
            || self.tried.contains([Edit::ReadOnlyRoot].as_slice())
        {
            return false;
        }
        self.restore();
        let read_only = Obstacle {
            category: Category::ReadOnlyRootfs,
            cause: "the root file system is made read-only".to_owned(),
            evidence: Evidence { source: "the trial".to_owned(), line: None, text: String::new() },
            ..Obstacle::new(Operation::Other, Category::ReadOnlyRootfs)
        };
        let proposal = Proposal {
            remedy: READ_ONLY_ROOT,
            layer: remedy::RemedyLayer::Pod,
            summary: "make the root file system of every container read-only".to_owned(),
            edits: vec![Edit::ReadOnlyRoot],
        };
        self.add(&read_only, proposal);
        let running = self.observed.running.iter();
        let foreseen: Vec<Obstacle> = running
            .flat_map(|(container, inside)| foresight::obstacles(container, inside))
            .filter(|obstacle| obstacle.path.is_some())
            .map(|obstacle| Obstacle { category: Category::ReadOnlyRootfs, ..obstacle })
            .collect();
        for obstacle in foreseen {
            let facts = obstacle.container.as_ref().and_then(|name| self.facts.get(name));
            let Some(facts) = facts else { continue };
            if let Some(proposal) = remedy::proposals(&obstacle, facts).into_iter().next() {
                self.add(&obstacle, proposal);
            }
        }
        true
    }
}
