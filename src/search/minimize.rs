//! What works is made smaller: what was a guess is left out, and the root file system is made
//! read-only.

use super::{End, News, Next, Outcome, Phase, Search};
use crate::foresight;
use crate::model::edit::Edit;
use crate::model::obstacle::{Category, Evidence, Obstacle, Operation};
use crate::model::plan::Step;
use crate::remedy::{self, READ_ONLY_ROOT};

/// Seconds of runs that may be spent on what is not needed; one that has begun is finished.
const MAX_SECONDS: u64 = 60;

impl Search<'_> {
    /// Leaves out the last of some groups of steps: what of it is a guess, and still in the plan.
    pub(super) fn minimize(&mut self, mut groups: Vec<Vec<Step>>) -> (Phase, Option<Next>) {
        let is_over = self.minimized > MAX_SECONDS || self.rounds.len() >= self.options.max_rounds;
        while let Some(mut group) = groups.pop() {
            group.retain(|step| self.steps.contains(step) && may_go(step));
            if group.is_empty() {
                continue;
            }
            if is_over {
                let kept = group.iter().map(|step| {
                    format!(
                        "whether it works without this guess, for lack of time: {}",
                        step.summary
                    )
                });
                self.untried.extend(kept);
                continue;
            }
            self.steps.retain(|step| !group.contains(step));
            self.news.extend(group.iter().cloned().map(News::LeavingOut));
            return (Phase::RunWithout(groups, group), None);
        }
        (Phase::Done, None)
    }

    /// Keeps out what the pod works without as well as with it. A group of which something is needed
    /// is tried by halves (delta debugging: Zeller and Hildebrandt, 2002), the younger first.
    pub(super) fn ran_without(
        &mut self,
        mut groups: Vec<Vec<Step>>,
        mut group: Vec<Step>,
        outcome: &Outcome,
    ) -> Phase {
        self.minimized += outcome.seconds;
        if let Some(round) = self.rounds.last_mut() {
            round.added.extend(group.iter().map(|step| format!("left out: {}", step.summary)));
        }
        let refused = self.works.as_ref().map_or(0, |works| works.refused.len());
        if outcome.end == End::Works && outcome.obstacles.len() <= refused {
            self.remember(outcome);
            return Phase::Minimize(groups);
        }
        self.restore();
        if group.len() > 1 {
            let younger = group.split_off(group.len() / 2);
            groups.extend([group, younger]);
        }
        Phase::Minimize(groups)
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
        self.add(&read_only, remedy::read_only_root());
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

/// Whether a step is a guess that may turn out to be one too many. Users are not taken back.
fn may_go(step: &Step) -> bool {
    let stays =
        |edit: &Edit| matches!(edit, Edit::RunAs { .. } | Edit::UserNamespace | Edit::ReadOnlyRoot);
    step.doubtful && !step.edits.iter().any(stays)
}
