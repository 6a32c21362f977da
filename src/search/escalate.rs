//! Where nothing that a run said leads on: it is looked at more closely, and then guessed.

use std::time::Duration;

use super::{End, Next, Outcome, Phase, Search, accept};
use crate::model::edit::Edit;
use crate::model::obstacle::{Category, Evidence, Obstacle, Operation};
use crate::remedy::{self, Proposal};

/// How long a pod that says nothing is waited for once, where no running pod tells how long that
/// takes. What waits for the next minute, as cron does, is ready by then.
pub(super) const SILENT_START_TIMEOUT: Duration = Duration::from_secs(60);

/// What is done about a program that does not work and says nothing that leads on, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Escalation {
    /// It runs, and may only be slow.
    WaitLonger,
    /// It may say more in the files that it logs to.
    ReadLogFiles,
    /// The kernel's answers are recorded.
    Strace,
    /// Everything at once that may be refused in silence.
    Speculate,
    /// Another user.
    OtherIdentity,
    /// Root inside, nobody outside.
    UserNamespace,
}

impl Escalation {
    const ALL: [Escalation; 6] = [
        Escalation::WaitLonger,
        Escalation::ReadLogFiles,
        Escalation::Strace,
        Escalation::Speculate,
        Escalation::OtherIdentity,
        Escalation::UserNamespace,
    ];
}

impl Search<'_> {
    /// Takes the first escalation that leads on. What is not needed is left out again when the pod
    /// works.
    pub(super) fn escalate(&mut self, outcome: Outcome) -> (Phase, Option<Next>) {
        let questions: Vec<_> = Escalation::ALL
            .into_iter()
            .find(|escalation| self.applies(*escalation, &outcome))
            .map(|escalation| self.wants_programs_of(escalation, &outcome))
            .unwrap_or_default()
            .iter()
            .filter_map(|container| self.program_needs(container))
            .collect();
        if !questions.is_empty() {
            return (Phase::Escalate(outcome), Some(Next::Learn(questions)));
        }
        for escalation in Escalation::ALL {
            if !self.applies(escalation, &outcome) {
                continue;
            }
            let added = self.take(escalation, &outcome);
            if !added.is_empty() {
                return (self.taken(added), None);
            }
        }
        (self.taken(Vec::new()), None)
    }

    /// Whether an escalation may lead on after such a run.
    fn applies(&self, escalation: Escalation, outcome: &Outcome) -> bool {
        // That something is lost tells nothing of why.
        let tells = outcome.obstacles.iter().any(|one| one.category != Category::LostFunction);
        let is_silent = !tells && !self.used.contains(&escalation);
        let edits = || self.steps.iter().flat_map(|step| &step.edits);
        match escalation {
            Escalation::WaitLonger => {
                is_silent
                    && outcome.end == End::NotReady
                    && self.startup_time < SILENT_START_TIMEOUT
            }
            // Where it logs to a volume, that can be read beside it.
            Escalation::ReadLogFiles => {
                is_silent && edits().any(|edit| matches!(edit, Edit::Directory { .. }))
            }
            Escalation::Strace => is_silent && self.options.strace,
            Escalation::Speculate | Escalation::OtherIdentity | Escalation::UserNamespace => {
                !edits().any(|edit| *edit == Edit::UserNamespace)
            }
        }
    }

    /// The containers whose programs are to be known first.
    fn wants_programs_of(&self, escalation: Escalation, outcome: &Outcome) -> Vec<String> {
        match escalation {
            Escalation::WaitLonger | Escalation::ReadLogFiles => Vec::new(),
            Escalation::Strace => {
                self.identities.first().map(|(name, _)| name.clone()).into_iter().collect()
            }
            _ => self.doubted(outcome),
        }
    }

    /// What a container said is about that one; init containers that said nothing are done.
    fn doubted(&self, outcome: &Outcome) -> Vec<String> {
        let said = outcome.obstacles.first().and_then(|obstacle| obstacle.container.clone());
        match said.filter(|name| self.facts.contains_key(name)) {
            Some(name) => vec![name],
            None => self.facts.keys().filter(|name| !self.is_init(name)).cloned().collect(),
        }
    }

    /// Takes an escalation, and tells what was added; nothing where it has nothing left.
    fn take(&mut self, escalation: Escalation, outcome: &Outcome) -> Vec<String> {
        let obstacle = outcome.obstacles.first().cloned().unwrap_or_else(|| silence(outcome.end));
        let once_more = match escalation {
            Escalation::WaitLonger => {
                format!("run it once more, and wait for {} seconds", SILENT_START_TIMEOUT.as_secs())
            }
            Escalation::ReadLogFiles => {
                "run it once more, and read the files that it logs to".to_owned()
            }
            Escalation::Strace => "run it once more under strace".to_owned(),
            Escalation::Speculate => return self.speculate(&obstacle, outcome),
            Escalation::OtherIdentity => {
                return self.another_user(&obstacle, outcome).into_iter().collect();
            }
            Escalation::UserNamespace => {
                return self.user_namespace(&obstacle, outcome).into_iter().collect();
            }
        };
        self.used.insert(escalation);
        self.next_run.insert(escalation);
        vec![once_more]
    }

    /// All that may be refused in silence.
    fn speculate(&mut self, obstacle: &Obstacle, outcome: &Outcome) -> Vec<String> {
        let silent: Vec<(String, Proposal)> = self
            .doubted(outcome)
            .into_iter()
            .filter_map(|name| Some((name.clone(), remedy::speculative(self.facts.get(&name)?))))
            .flat_map(|(name, proposals)| {
                proposals.into_iter().map(move |proposal| (name.clone(), proposal))
            })
            .collect();
        let mut added = Vec::new();
        for (container, proposal) in silent {
            let is_port = |edit: &Edit| matches!(edit, Edit::Sysctl { .. });
            let has_port = self.steps.iter().flat_map(|step| &step.edits).any(is_port);
            if self.tried.contains(&proposal.edits)
                || !self.is_wanted(&proposal)
                || has_port && proposal.edits.iter().any(is_port)
            {
                continue;
            }
            added.push(proposal.summary.clone());
            self.add_guess(&Obstacle { container: Some(container), ..obstacle.clone() }, proposal);
        }
        if added.is_empty() { added } else { vec![added.join("; ")] }
    }

    /// The next best user of a container.
    fn another_user(&mut self, obstacle: &Obstacle, outcome: &Outcome) -> Option<String> {
        for container in self.doubted(outcome) {
            let facts = self.facts.get(&container)?;
            let run_as = |user: (u32, u32), why: &str| remedy::run_as(&container, user, why);
            // Whoever has the volume too may be whose files are closed to it.
            let mount = obstacle.path.as_deref().and_then(|path| facts.mount(path));
            let beside = mount.map(|mount| mount.beside.as_slice()).unwrap_or_default();
            let others = self.identities.iter().filter(|(name, _)| beside.contains(name));
            let others = others.map(|(name, other)| {
                run_as(
                    (other.uid, other.gid),
                    &format!("{name} does, which shares a volume with it"),
                )
            });
            // It began as the first of them, unless nobody knows which user it began as.
            let began = usize::from(!facts.user_is_a_guess);
            let candidates = facts.candidates.iter().skip(began);
            let mut users =
                others.chain(candidates.map(|one| run_as((one.uid, one.gid), &one.why)));
            let now =
                Edit::RunAs { container: Some(container.clone()), uid: facts.uid, gid: facts.gid };
            let is_now =
                |proposal: &Proposal| proposal.edits.contains(&now) && !facts.user_is_a_guess;
            let next = users.find(|one| {
                !is_now(one) && self.is_wanted(one) && !self.tried.contains(&one.edits)
            });
            if let Some(proposal) = next {
                let summary = proposal.summary.clone();
                self.add_guess(
                    &Obstacle { container: Some(container.clone()), ..obstacle.clone() },
                    proposal,
                );
                return Some(summary);
            }
        }
        None
    }

    /// Root in a user namespace: the last resort.
    fn user_namespace(&mut self, obstacle: &Obstacle, outcome: &Outcome) -> Option<String> {
        let proposal = remedy::last_resort(self.doubted(outcome));
        if self.tried.contains(&proposal.edits) || !self.is_wanted(&proposal) {
            return None;
        }
        let summary = proposal.summary.clone();
        self.add_guess(obstacle, proposal);
        Some(summary)
    }

    /// Root that lost its capabilities becomes nobody else. A program that wanted to, and is root in
    /// a user namespace now, starts; for each job or login it is refused again, where nobody sees it.
    pub(super) fn hold_to_switches(&mut self, outcome: &mut Outcome) {
        let edits: Vec<&Edit> = self.steps.iter().flat_map(|step| &step.edits).collect();
        if !edits.contains(&&Edit::UserNamespace) {
            let is_refused = |one: &&Obstacle| {
                one.category == Category::IdentitySwitch && one.operation != Operation::Other
            };
            self.switches = outcome.obstacles.iter().filter(is_refused).cloned().collect();
            return;
        }
        let is_root = |one: &&Obstacle| {
            edits.iter().any(|edit| {
                matches!(edit, Edit::RunAs { container, uid: 0, .. } if *container == one.container)
            })
        };
        let lost: Vec<Obstacle> = self.switches.iter().filter(is_root).map(still_refused).collect();
        if outcome.end == End::Works && !lost.is_empty() {
            outcome.end = End::Differs;
            outcome.obstacles.splice(0..0, lost);
        }
    }

    fn add_guess(&mut self, obstacle: &Obstacle, proposal: Proposal) {
        debug_assert!(!accept::changes_user(&proposal) || self.options.run_as.is_none());
        self.add(obstacle, proposal);
        if let Some(step) = self.steps.last_mut() {
            step.doubtful = true;
        }
    }
}

/// A change of the user, as root without capabilities is refused it.
fn still_refused(switch: &Obstacle) -> Obstacle {
    let cause = "the program wants to change to another user, which root without capabilities may not either: it \
                 starts, and what it does as somebody else fails";
    Obstacle { cause: cause.to_owned(), fatal: true, ..switch.clone() }
}

/// An obstacle for what was not said.
fn silence(end: End) -> Obstacle {
    let cause = match end {
        End::NotReady => "it runs and does not get ready, and says nothing of why",
        _ => "it ended, and said nothing of why",
    };
    Obstacle {
        cause: cause.to_owned(),
        evidence: Evidence { source: "the trial".to_owned(), line: None, text: String::new() },
        ..Obstacle::new(Operation::Other, Category::UnwritablePath)
    }
}
