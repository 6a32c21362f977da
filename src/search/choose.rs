//! Which remedy for which obstacle.

use std::collections::VecDeque;

use super::{Asked, Choice, End, News, Next, Outcome, Phase, Question, Search, accept};
use crate::model::edit::Edit;
use crate::model::obstacle::{Category, Obstacle, Operation};
use crate::plan;
use crate::remedy::{self, Proposal};

impl Choice {
    /// What ended a program comes before what it only mentions, which may be why it was refused
    /// what ended it; where it runs, all that it is refused is told alike.
    pub(super) fn new(outcome: Outcome, must_work: bool) -> Self {
        let runs = !must_work || outcome.end == End::Differs;
        let all = outcome.obstacles.iter().cloned();
        let (first, rest): (VecDeque<_>, VecDeque<_>) =
            all.partition(|obstacle| obstacle.fatal || runs);
        Choice { outcome, must_work, first, rest, added: Vec::new() }
    }
}

impl Search<'_> {
    /// Takes up the next remedy of each obstacle of a run that has one left; where none has, looks
    /// closer or guesses.
    pub(super) fn choose(&mut self, mut choice: Choice) -> (Phase, Option<Next>) {
        if choice.first.is_empty() && choice.added.is_empty() {
            choice.first = std::mem::take(&mut choice.rest);
        }
        let Some(obstacle) = choice.first.front().cloned() else {
            return (self.chosen(choice), None);
        };
        if let Some(summary) = self.without_copy(&obstacle) {
            choice.first.pop_front();
            choice.added.push(summary);
            return (Phase::Choose(choice), None);
        }
        let obstacle = self.located(obstacle);
        if let Some(container) = obstacle.container.clone() {
            let questions = self.needs(&container, &obstacle);
            if !questions.is_empty() {
                return (Phase::Choose(choice), Some(Next::Learn(questions)));
            }
            choice.added.extend(self.remedied(&container, obstacle, choice.must_work));
        }
        choice.first.pop_front();
        (Phase::Choose(choice), None)
    }

    /// What follows when each obstacle was gone through.
    fn chosen(&mut self, choice: Choice) -> Phase {
        if choice.added.is_empty() && choice.must_work && self.options.runs {
            return Phase::Escalate(choice.outcome);
        }
        self.taken(choice.added)
    }

    /// What follows when something was added after a run, or nothing is left to add.
    pub(super) fn taken(&mut self, added: Vec<String>) -> Phase {
        let is_empty = added.is_empty();
        if let Some(round) = self.rounds.last_mut() {
            round.added = added;
        }
        if is_empty || !self.options.runs { Phase::Finish } else { Phase::Run }
    }

    /// A copy by the plan that could not be made: an obstacle of an init container that fills a volume.
    fn without_copy(&mut self, obstacle: &Obstacle) -> Option<String> {
        let (container, path) = (obstacle.container.as_ref()?, obstacle.path.as_ref()?);
        if self.facts.contains_key(container) {
            return None;
        }
        let step = self.leave_out(path)?;
        let summary = step.summary.clone();
        self.news.push(News::Adding(step));
        Some(summary)
    }

    /// Takes up the next remedy of an obstacle, and tells what was added.
    fn remedied(&mut self, container: &str, obstacle: Obstacle, must_work: bool) -> Option<String> {
        self.recall(container, &obstacle);
        self.forget(&obstacle);
        let facts = self.facts.get(container)?;
        let obstacle = accept::reread(obstacle, facts);
        let proposals = remedy::proposals(&obstacle, facts);
        // A program that works keeps its user; only where nothing else is left root stays, in a
        // namespace.
        let allowed = |proposal: &Proposal| {
            let root = proposal.edits.contains(&Edit::UserNamespace);
            let new = !self.tried.contains(&proposal.edits);
            new && self.is_wanted(proposal)
                && (!root || self.options.user_namespace)
                && (must_work || !accept::changes_user(proposal))
        };
        let proposal = proposals.into_iter().find(allowed)?;
        let summary = proposal.summary.clone();
        self.add(&obstacle, proposal);
        Some(summary)
    }

    /// An obstacle of an init container that fills a volume is one of the container whose volume it
    /// is.
    pub(super) fn located(&self, mut obstacle: Obstacle) -> Obstacle {
        let known = |name: &String| self.facts.contains_key(name);
        if obstacle.container.as_ref().is_some_and(known) {
            return obstacle;
        }
        let filled = obstacle
            .container
            .as_deref()
            .and_then(|name| name.strip_prefix(plan::FILL))
            .map(str::to_owned);
        obstacle.container =
            filled.filter(known).or_else(|| self.identities.first().map(|(name, _)| name.clone()));
        obstacle
    }

    /// What is to be learned before a remedy is chosen: what stands at its path, where a command
    /// without one lies, which program it is, and what in its configuration asks for a
    /// privilege.
    pub(super) fn needs(&self, container: &str, obstacle: &Obstacle) -> Vec<Question> {
        let Some(facts) = self.facts.get(container) else { return Vec::new() };
        let mut paths: Vec<String> = Vec::new();
        if let Some(path) = &obstacle.path {
            let parent = path.rfind('/').map_or("/", |at| &path[..at.max(1)]).to_owned();
            paths.extend([path.clone(), parent]);
        }
        let command =
            obstacle.path.as_ref().or(obstacle.program.as_ref()).filter(|name| !name.contains('/'));
        if let (Operation::Exec, Some(command)) = (obstacle.operation, command) {
            paths.extend(remedy::SEARCH_PATH.iter().map(|dir| format!("{dir}/{command}")));
        }
        if let Some(question) = self.unseen(container, &paths) {
            return vec![question];
        }
        if matches!(obstacle.category, Category::IdentitySwitch | Category::CapabilityMissing) {
            let question = self.program_needs(container);
            if question.is_some() {
                return question.into_iter().collect();
            }
        }
        let Some(words) = words(obstacle) else { return Vec::new() };
        let Some(found) = self.found.get(&(container.to_owned(), words)) else {
            return vec![Question::Configuration { container: container.to_owned(), words }];
        };
        let of_databases =
            found.databases.iter().filter_map(|file| Some(file[..file.rfind('/')?].to_owned()));
        let dirs: Vec<String> = of_databases.chain(facts.directory.clone()).collect();
        self.unseen(container, &dirs).into_iter().collect()
    }

    /// What is to be learned of the program of a container: which it is, and what stands at the
    /// paths that it names.
    pub(super) fn program_needs(&self, container: &str) -> Option<Question> {
        let facts = self.facts.get(container).filter(|facts| facts.has_shell)?;
        if !self.asked.contains(&Asked::Program(container.to_owned())) {
            let mut command = facts.command.clone();
            if let (true, Some(image)) =
                (command.is_empty() && facts.args.is_empty(), self.image(container))
            {
                command = [image.config.entrypoint.as_slice(), &image.config.command].concat();
            }
            return Some(Question::Program {
                container: container.to_owned(),
                command,
                args: facts.args.clone(),
                planned: Box::new(self.planned()),
            });
        }
        let places: Vec<String> =
            facts.named.iter().cloned().chain(facts.directory.clone()).collect();
        self.unseen(container, &places)
    }

    /// Puts what was found for an obstacle into the facts.
    pub(super) fn recall(&mut self, container: &str, obstacle: &Obstacle) {
        let Some(words) = words(obstacle) else { return };
        let Some(found) = self.found.get(&(container.to_owned(), words)).cloned() else { return };
        if let Some(facts) = self.facts.get_mut(container) {
            (facts.directives, facts.databases) = (found.directives, found.databases);
        }
    }
}

/// The words that a line of configuration begins with which asks for what was refused; none where
/// only databases are of interest. `None`: nothing is to be found for it.
fn words(obstacle: &Obstacle) -> Option<&'static [&'static str]> {
    let pathless = obstacle.path.is_none() && obstacle.category == Category::UnwritablePath;
    remedy::directives(obstacle).or(pathless.then_some(&[]))
}
