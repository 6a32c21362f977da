//! Decides what is to be learned, run and left out until a workload works as non-root; pure.
//!
//! A state machine: [`Search::next`] says what it wants, and is told with [`Search::learned`] and
//! [`Search::ran`]. What it wants to know it asks for; what it was told it does not ask for again.
//! A plan without a trial goes the same way and never runs.

mod accept;
mod choose;
mod decide;
mod escalate;
mod facts;
mod foresee;
mod minimize;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use k8s_openapi::api::core::v1::PodSpec;
use serde::Deserialize as _;
use serde_json::Value;

pub use self::decide::RemedyDecision;
pub use self::escalate::Escalation;
pub use self::facts::{OBSERVER_UID, Observations, mounts};

use crate::model::edit::{Edit, Fill};
use crate::model::facts::{CommandOption, Facts, VolumeKind, VolumeMount};
use crate::model::filesystem::inode::fs_group_bits;
use crate::model::filesystem::{FileType, PathStat};
use crate::model::identity::{Assignment, Candidate};
use crate::model::image::{Config, Image};
use crate::model::inside::SearchHits;
use crate::model::obstacle::{Category, Evidence, Obstacle, Operation};
use crate::model::plan::{Basis, Plan, Round, Step};
use crate::model::podsecurity::Level;
use crate::model::trace::Traced;
use crate::model::volume::FsGroup;
use crate::plan;
use crate::remedy::{self, Proposal};

/// How a search is made.
#[derive(Debug, Clone)]
pub struct SearchOptions {
    pub level: Level,
    /// Pods may run. Without, there is only a plan from what can be read.
    pub runs: bool,
    /// What today's pods show is remedied before anything fails.
    pub foresees: bool,
    /// Runs at the most.
    pub max_rounds: usize,
    /// Prove `readOnlyRootFilesystem` as well, once the pod works without it.
    pub read_only_root: bool,
    /// Root in a user namespace may be the answer.
    pub user_namespace: bool,
    /// The user of every container, whatever the evidence says.
    pub run_as: Option<(u32, u32)>,
    /// Ids of remedies that are not to be used.
    pub without: Vec<String>,
    /// Leave out again what was taken on a guess, where the pod works without.
    pub minimize: bool,
    /// Volumes that a copy mounts with the data they have.
    pub with_volumes: Vec<String>,
    /// A run may be made under strace.
    pub strace: bool,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self {
            level: Level::Restricted,
            runs: true,
            foresees: true,
            max_rounds: 20,
            read_only_root: false,
            user_namespace: false,
            run_as: None,
            without: Vec::new(),
            minimize: true,
            with_volumes: Vec::new(),
            strace: false,
        }
    }
}

/// How a run went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Ready, and still so after the time to settle; or, for a workload that runs to an end, well
    /// ended.
    Works,
    /// A container ended that should not have, or ended badly.
    Died,
    /// The API server, the kubelet or the runtime did not start it.
    NotStarted,
    /// It runs and does not get ready.
    NotReady,
    /// It is ready, and does not do what a copy as root does.
    Differs,
}

/// What a search wants next.
#[derive(Debug)]
pub enum Next {
    Learn(Vec<Question>),
    Run(Box<Attempt>),
    Done,
}

/// Something that only a look into a container or its image tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// What stands at some paths and on the way to them.
    Look { container: String, paths: Vec<String> },
    /// Lines of configuration that begin with some words, and databases.
    Configuration { container: String, words: &'static [&'static str] },
    /// What a container starts, by what its spec says of that, and which options that program has.
    /// `planned` can be started to see it.
    Program { container: String, command: Vec<String>, args: Vec<String>, planned: Box<Value> },
    /// How many bytes some directories hold.
    Usage { container: String, paths: Vec<String> },
}

/// The program of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    pub command: Vec<String>,
    /// Lines by which its scripts become another program: file and line.
    pub calls: Vec<(String, String)>,
    pub options: Vec<CommandOption>,
    /// Absolute paths that it names.
    pub named: Vec<String>,
}

/// What was learned; empty where nothing could be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Learned {
    Look { container: String, paths: Vec<String>, stats: Vec<PathStat> },
    Configuration { container: String, words: &'static [&'static str], found: SearchHits },
    Program { container: String, program: Program },
    Usage { container: String, paths: Vec<String>, used: Vec<(String, u64)> },
}

/// A run to be made.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The planned object, with what a copy needs in place of its claims.
    pub object: Value,
    /// The container whose log files are read, even when it is dead.
    pub read_log_files_of: Option<String>,
    /// The container whose program runs under strace.
    pub strace: Option<String>,
    /// How long a pod may at least take to be ready.
    pub startup_time: Duration,
}

/// What a run showed.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub end: End,
    /// What its texts tell, the most telling first.
    pub obstacles: Vec<Obstacle>,
    /// What was seen of a copy that is ready.
    pub seen: Used,
    /// uid and gid of each container whose process the runtime has told.
    pub users: Vec<(String, (u32, u32))>,
    pub seconds: u64,
}

/// What was seen of a copy that is ready.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Used {
    /// What it does not do that the running pod does.
    pub notes: Vec<String>,
    /// The checks that were made.
    pub checks: Vec<String>,
    /// What was not looked at.
    pub gaps: Vec<String>,
    /// It was seen to do its work, beside being ready.
    pub is_shown: bool,
}

impl Outcome {
    #[must_use]
    pub fn new(end: End, obstacles: Vec<Obstacle>) -> Self {
        Self { end, obstacles, seen: Used::default(), users: Vec::new(), seconds: 0 }
    }
}

/// What a search tells of its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    Adding(Step),
    LeavingOut(Step),
    Note(String),
}

/// What was asked and need not be again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Path(String, String),
    Configuration(String, &'static [&'static str]),
    Program(String),
}

/// Where a search stands.
#[derive(Debug, Clone)]
enum Phase {
    Survey,
    Foresee(VecDeque<Obstacle>),
    /// What stops the workload now is remedied, or a run is made.
    Begin,
    Choose(Choice),
    Escalate(Outcome),
    /// A run is to be made, or was.
    Run,
    /// Groups of steps that may not be needed; the last is left out next.
    Minimize(Vec<Vec<Step>>),
    /// A run without a group of steps, and the groups that are left.
    RunWithout(Vec<Vec<Step>>, Vec<Step>),
    Finish,
    Done,
}

/// The choice of remedies after a run.
#[derive(Debug, Clone)]
struct Choice {
    outcome: Outcome,
    /// The program does not work: its user may change, and guesses are made.
    must_work: bool,
    /// What is remedied first, and what only where that has no remedy.
    first: VecDeque<Obstacle>,
    rest: VecDeque<Obstacle>,
    added: Vec<String>,
}

/// What made the pod work.
#[derive(Debug, Clone)]
struct Works {
    identities: Vec<(String, Candidate)>,
    steps: Vec<Step>,
    /// What was refused all the same.
    refused: Vec<Obstacle>,
    /// What was seen of that copy.
    seen: Used,
}

/// Runs after the first that works which may be spent on refusals that did not stop the program.
const MAX_POLISH: usize = 3;

/// A search for what lets a workload work as non-root.
#[derive(Debug)]
pub struct Search<'a> {
    object: &'a Value,
    spec: PodSpec,
    options: SearchOptions,
    observed: Observations,
    /// What a strace of a container told, and where that comes from: container, source.
    traces: &'a [(String, String, Traced)],
    /// The images of containers that were read: container, image.
    images: &'a [(String, Image)],
    /// The configurations of images of which no more was read.
    configurations: &'a [(String, Config)],
    /// What stops the workload now.
    failed: Vec<Obstacle>,
    facts: BTreeMap<String, Facts>,
    /// The user of each container, the main ones first.
    identities: Vec<(String, Candidate)>,
    /// Containers that begin with the user that they have today.
    keep_users: BTreeSet<String>,
    steps: Vec<Step>,
    /// Edits that were tried, each set once.
    tried: BTreeSet<Vec<Edit>>,
    /// How many bytes directories hold today, each by its container and path.
    held: BTreeMap<(String, String), u64>,
    found: BTreeMap<(String, &'static [&'static str]), SearchHits>,
    asked: BTreeSet<Asked>,
    /// What was done already to learn more of a program that says nothing.
    used: BTreeSet<Escalation>,
    /// What the next run is made with.
    next_run: BTreeSet<Escalation>,
    startup_time: Duration,
    rounds: Vec<Round>,
    /// What wanted to become another user and was refused, in the last run before root was kept.
    switches: Vec<Obstacle>,
    works: Option<Works>,
    /// What made it ready without making it work, with the fewest obstacles left.
    ready: Option<Works>,
    remaining: Vec<Obstacle>,
    /// Guesses that there was no time to try without, each in a sentence.
    untried: Vec<String>,
    polish: usize,
    /// Seconds of runs that leave something out.
    minimized: u64,
    phase: Phase,
    news: Vec<News>,
}

/// What a search begins with.
#[derive(Debug, Default)]
pub struct SearchInput<'a> {
    pub observed: Observations,
    pub traces: &'a [(String, String, Traced)],
    pub images: &'a [(String, Image)],
    pub configurations: &'a [(String, Config)],
    /// What stops the workload now.
    pub failed: Vec<Obstacle>,
    /// How long its running pod took to be ready.
    pub startup_time: Duration,
}

impl<'a> Search<'a> {
    /// # Errors
    /// The pod template cannot be parsed; the reason.
    pub fn new(
        object: &'a Value,
        options: SearchOptions,
        input: SearchInput<'a>,
    ) -> Result<Self, String> {
        let spec = plan::pod_spec(object).unwrap_or(&Value::Null);
        let spec = PodSpec::deserialize(spec).map_err(|error| error.to_string())?;
        let SearchInput { observed, traces, images, configurations, failed, startup_time } = input;
        let mut search = Self {
            object,
            spec,
            options,
            observed,
            traces,
            images,
            configurations,
            failed,
            facts: BTreeMap::new(),
            identities: Vec::new(),
            keep_users: BTreeSet::new(),
            steps: Vec::new(),
            tried: BTreeSet::new(),
            held: BTreeMap::new(),
            found: BTreeMap::new(),
            asked: BTreeSet::new(),
            used: BTreeSet::new(),
            next_run: BTreeSet::new(),
            startup_time,
            rounds: Vec::new(),
            switches: Vec::new(),
            works: None,
            ready: None,
            remaining: Vec::new(),
            untried: Vec::new(),
            polish: MAX_POLISH,
            minimized: 0,
            phase: Phase::Survey,
            news: Vec::new(),
        };
        let facts = facts::containers(&search.spec)
            .map(|(one, _)| (one.name.clone(), search.first_facts(one)));
        search.facts = facts.collect();
        let unseen = !search.observed.looked_into_images && search.observed.running.is_empty();
        let blind = traces.iter().filter(|(name, ..)| unseen && search.image(name).is_none()).map(|(name, ..)| {
            News::Note(format!(
                "nobody looked into container {name}: what its image has in a directory is copied, by its own sh and cp"
            ))
        });
        search.news = blind.collect();
        Ok(search)
    }

    /// What it wants next. Until it was told, it wants the same.
    #[expect(
        clippy::should_implement_trait,
        reason = "it is no iterator: what comes next is what it was told"
    )]
    pub fn next(&mut self) -> Next {
        loop {
            let phase = std::mem::replace(&mut self.phase, Phase::Done);
            match self.advance(phase) {
                (phase, Some(next)) => {
                    self.phase = phase;
                    return next;
                }
                (phase, None) => self.phase = phase,
            }
        }
    }

    /// One step from a phase to the next, and what is wanted on the way.
    fn advance(&mut self, phase: Phase) -> (Phase, Option<Next>) {
        match phase {
            Phase::Survey => {
                let unseen = |name: &String| self.unseen(name, &self.first_look(name));
                let questions: Vec<Question> = self.facts.keys().filter_map(unseen).collect();
                if !questions.is_empty() {
                    return (Phase::Survey, Some(Next::Learn(questions)));
                }
                self.assign_users();
                self.take_capabilities();
                let foreseen = if self.options.foresees { self.foreseen() } else { Vec::new() };
                (Phase::Foresee(foreseen.into()), None)
            }
            Phase::Foresee(mut obstacles) => {
                let Some(obstacle) = obstacles.front() else { return (Phase::Begin, None) };
                let questions = self.foresight_needs(obstacle);
                if !questions.is_empty() {
                    return (Phase::Foresee(obstacles), Some(Next::Learn(questions)));
                }
                if let Some(obstacle) = obstacles.pop_front() {
                    self.foresee(&obstacle);
                }
                (Phase::Foresee(obstacles), None)
            }
            Phase::Begin if self.options.runs => (Phase::Run, None),
            Phase::Begin => match std::mem::take(&mut self.failed) {
                failed if failed.is_empty() => (Phase::Finish, None),
                failed => (Phase::Choose(Choice::new(Outcome::new(End::Died, failed), true)), None),
            },
            Phase::Choose(choice) => self.choose(choice),
            Phase::Escalate(outcome) => self.escalate(outcome),
            Phase::Run => {
                if self.rounds.len() >= self.options.max_rounds {
                    return (Phase::Finish, None);
                }
                let questions = self.unmeasured();
                if !questions.is_empty() {
                    return (Phase::Run, Some(Next::Learn(questions)));
                }
                (Phase::Run, Some(Next::Run(Box::new(self.attempt()))))
            }
            Phase::Finish => self.finish(),
            Phase::Minimize(groups) => self.minimize(groups),
            Phase::RunWithout(groups, group) => {
                let attempt = self.attempt();
                (Phase::RunWithout(groups, group), Some(Next::Run(Box::new(attempt))))
            }
            Phase::Done => {
                let questions = self.unmeasured();
                let next = if questions.is_empty() { Next::Done } else { Next::Learn(questions) };
                (Phase::Done, Some(next))
            }
        }
    }

    /// Takes up what it asked for.
    pub fn learned(&mut self, answers: Vec<Learned>) {
        for answer in answers {
            match answer {
                Learned::Look { container, paths, stats } => self.seen(&container, paths, stats),
                Learned::Configuration { container, words, found } => {
                    self.asked.insert(Asked::Configuration(container.clone(), words));
                    self.found.insert((container, words), found);
                }
                Learned::Program { container, program } => {
                    if let Some(facts) = self.facts.get_mut(&container) {
                        facts.command = program.command;
                        (facts.calls, facts.options, facts.named) =
                            (program.calls, program.options, program.named);
                    }
                    self.asked.insert(Asked::Program(container));
                }
                Learned::Usage { container, paths, used } => {
                    for path in paths {
                        let bytes = used
                            .iter()
                            .find(|(known, _)| *known == path)
                            .map_or(0, |(_, bytes)| *bytes);
                        self.held.insert((container.clone(), path), bytes);
                    }
                }
            }
        }
    }

    /// Takes up what the run showed that it wanted, and returns that as a round.
    pub fn ran(&mut self, mut outcome: Outcome) -> &Round {
        // What root is refused as well is no reason to change anything.
        outcome.obstacles.retain(|one| !is_known(&self.observed.known_refusals, one));
        self.hold_to_switches(&mut outcome);
        let mut edits = self.steps.iter().flat_map(|step| &step.edits);
        let is_root_in_namespace = edits.any(|edit| *edit == Edit::UserNamespace);
        self.hold_to_work(&mut outcome, is_root_in_namespace);
        let works = outcome.end == End::Works;
        if works && self.next_run.contains(&Escalation::WaitLonger) {
            self.startup_time = self.startup_time.max(escalate::SILENT_START_TIMEOUT);
        }
        self.next_run.retain(|escalation| *escalation == Escalation::ReadLogFiles);
        self.learn_users(&outcome.users);
        self.rounds.push(Round {
            obstacles: outcome.obstacles.clone(),
            added: Vec::new(),
            seconds: outcome.seconds,
        });
        self.phase = match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::RunWithout(groups, group) => self.ran_without(groups, group, &outcome),
            _ => self.ran_with_all(outcome),
        };
        self.rounds.last().unwrap_or(&EMPTY)
    }

    /// Holds a copy to work that did nothing but start, where a start proves nothing.
    ///
    /// Root in a user namespace of its own has no capability at a level that drops all of them: what
    /// insists on root starts, and what it wants root for is refused (cron runs no job, sshd lets
    /// nobody in). And a program whose file is set-user-ID root wants to be root again for what it
    /// does, as exim does for each delivery; no_new_privs keeps it from that.
    pub fn hold_to_work(&self, outcome: &mut Outcome, is_root_in_namespace: bool) {
        let ends_well = matches!(self.object["kind"].as_str(), Some("Job" | "CronJob"));
        if outcome.end != End::Works || outcome.seen.is_shown || ends_well {
            return;
        }
        let mut processes = self.observed.running.values().flat_map(|inside| &inside.processes);
        let why = match is_root_in_namespace {
            true => "as root in a user namespace, where it has no capabilities",
            false if processes.any(|process| process.is_set_user_id) => {
                "and its file is set-user-ID root, which does nothing here"
            }
            false => return,
        };
        outcome.end = End::Differs;
        outcome.obstacles.push(unshown(why));
    }

    /// Ends the search for remedies: its time is over. What works is kept.
    pub fn stop(&mut self) {
        self.phase = match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::RunWithout(..) | Phase::Minimize(_) => {
                self.restore();
                Phase::Done
            }
            Phase::Done => Phase::Done,
            _ => Phase::Finish,
        };
    }

    /// What it has to tell since it was last asked.
    pub fn news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    fn ran_with_all(&mut self, outcome: Outcome) -> Phase {
        self.remaining.clone_from(&outcome.obstacles);
        let is_of_fill = |one: &Obstacle| {
            one.container.as_ref().is_some_and(|name| name.starts_with(plan::FILL))
        };
        if outcome.end == End::Works {
            let improved = self
                .works
                .as_ref()
                .is_none_or(|best| best.refused.len() >= outcome.obstacles.len());
            if improved {
                self.remember(&outcome);
            }
            if !improved || outcome.obstacles.is_empty() || self.polish == 0 {
                return if self.begin_read_only() { Phase::Run } else { Phase::Finish };
            }
            self.polish -= 1;
            return Phase::Choose(Choice::new(outcome, false));
        }
        if outcome.end == End::Differs && self.works.is_none() {
            let fewest = self.ready.as_ref().map_or(usize::MAX, |ready| ready.refused.len());
            if outcome.obstacles.len() < fewest {
                self.ready = Some(self.as_it_stands(&outcome));
            }
        }
        if outcome.obstacles.iter().any(is_of_fill) {
            // A copy by the plan failed: what of it may be made is made.
            let must_work = self.works.is_none();
            return Phase::Choose(Choice::new(outcome, must_work));
        }
        if self.works.is_some() && !self.is_read_only() {
            // What was added to quieten a refusal that did not matter made it worse: it goes again.
            return Phase::Finish;
        }
        Phase::Choose(Choice::new(outcome, true))
    }

    /// Nothing more is tried: what worked is taken, and what of it is a guess is left out by and
    /// by.
    fn finish(&mut self) -> (Phase, Option<Next>) {
        let best = self.works.as_ref().or(self.ready.as_ref());
        if let Some(works) = best.filter(|_| !self.is_read_only()) {
            self.remaining.clone_from(&works.refused);
        }
        self.restore();
        if self.works.is_some() && self.options.minimize {
            return (Phase::Minimize(vec![self.steps.clone()]), None);
        }
        (Phase::Done, None)
    }

    /// Whether a copy of the pod worked, with all that was asked for.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.works.is_some() && (!self.options.read_only_root || self.is_read_only())
    }

    /// Whether a copy of the pod was ready at least.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.works.is_some() || self.ready.is_some()
    }

    /// The plan as it stands.
    #[must_use]
    pub fn plan(&self, pod: Option<&str>) -> Plan {
        let first = self.identities.first().and_then(|(name, _)| self.facts.get(name));
        let mut steps = self.steps.clone();
        for edits in steps.iter_mut().map(|step| &mut step.edits) {
            let holds = self.holds(edits);
            edits.extend(holds);
        }
        Plan {
            identities: if self.leaves_users() { Vec::new() } else { self.identities.clone() },
            candidates: first.map(|facts| facts.candidates.clone()).unwrap_or_default(),
            steps,
            object: self.planned(),
            basis: self.basis(pod),
        }
    }

    /// Its runs, what stands in the way still, and what the copy does not do; to be taken once.
    pub fn proof(&mut self) -> (Vec<Round>, Vec<Obstacle>, Used) {
        let best = self.works.as_ref().or(self.ready.as_ref());
        let mut seen = best.map(|best| best.seen.clone()).unwrap_or_default();
        seen.gaps.append(&mut self.untried);
        (std::mem::take(&mut self.rounds), std::mem::take(&mut self.remaining), seen)
    }

    /// The facts of a container.
    #[must_use]
    pub fn facts(&self, container: &str) -> Option<&Facts> {
        self.facts.get(container)
    }

    /// The facts of each container.
    pub fn all_facts(&self) -> impl Iterator<Item = &Facts> {
        self.facts.values()
    }

    /// Whether a container began with the user that it has today.
    #[must_use]
    pub fn keeps_user(&self, container: &str) -> bool {
        self.keep_users.contains(container)
    }

    /// How many runs it has made.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.rounds.len()
    }

    /// The containers as they run today.
    #[must_use]
    pub fn running(&self) -> &BTreeMap<String, crate::model::inside::Inside> {
        &self.observed.running
    }

    /// What the plan is made from, the most telling first. `pod` runs today.
    fn basis(&self, pod: Option<&str>) -> Vec<Basis> {
        let pod =
            pod.filter(|_| !self.observed.running.is_empty()).map(|pod| Basis::Pod(pod.to_owned()));
        let control = self.observed.has_control.then_some(Basis::Control);
        let traces = self.traces.iter().map(|(_, source, _)| Basis::Trace(source.clone()));
        let looked = self.observed.looked_into_images || !self.images.is_empty();
        let image = looked.then_some(Basis::Image);
        let configuration =
            (!looked && !self.configurations.is_empty()).then_some(Basis::Configuration);
        pod.into_iter()
            .chain(control)
            .chain(traces)
            .chain(image)
            .chain(configuration)
            .chain([Basis::Spec])
            .collect()
    }

    /// The image of a container, if it was read.
    fn image(&self, container: &str) -> Option<&'a Image> {
        self.images.iter().find(|(name, _)| name == container).map(|(_, image)| image)
    }

    /// What a trace of a container told.
    fn traced(&self, container: &str) -> Option<&'a Traced> {
        self.traces.iter().find(|(name, ..)| name == container).map(|(_, _, traced)| traced)
    }

    fn is_init(&self, container: &str) -> bool {
        self.spec.init_containers.iter().flatten().any(|one| one.name == container)
    }

    /// Whether the plan leaves users alone.
    fn leaves_users(&self) -> bool {
        self.options.without.iter().any(|id| id == "identity")
    }

    /// The level whose fields the plan sets.
    fn level(&self) -> Level {
        let is_left_out = self.options.without.iter().any(|id| id == remedy::POD_SECURITY_FIELDS);
        if is_left_out { Level::Privileged } else { self.options.level }
    }

    /// All edits that are chosen so far.
    fn edits(&self) -> Vec<Edit> {
        let identities = if self.leaves_users() { &[] } else { self.identities.as_slice() };
        let mut edits = plan::edits(self.object, self.level(), identities, &self.steps);
        let holds = self.holds(&edits);
        edits.extend(holds);
        edits
    }

    /// The object with all that is chosen so far.
    fn planned(&self) -> Value {
        plan::compose(self.object, self.level(), &self.edits())
    }

    /// The next run.
    fn attempt(&self) -> Attempt {
        let first = || self.identities.first().map(|(name, _)| name.clone());
        let strace = self.next_run.contains(&Escalation::Strace);
        let reads = self.next_run.contains(&Escalation::ReadLogFiles) && !strace;
        let waits = self.next_run.contains(&Escalation::WaitLonger);
        Attempt {
            object: self.copied(),
            read_log_files_of: first().filter(|_| reads),
            strace: first().filter(|_| strace),
            startup_time: if waits {
                self.startup_time.max(escalate::SILENT_START_TIMEOUT)
            } else {
                self.startup_time
            },
        }
    }

    /// The planned object as a copy of it needs it, whose claims are empty volumes: the top
    /// directory of a claim that belongs to the user is his there, too, and has the mode that
    /// fsGroup would leave.
    fn copied(&self) -> Value {
        let mut edits = self.edits();
        let fs_group = edits.iter().any(|edit| matches!(edit, Edit::FsGroup(_)));
        let mut volumes = BTreeSet::new();
        for facts in self.facts.values().filter(|facts| facts.has_shell) {
            let is_empty = |mount: &&VolumeMount| {
                mount.kind == VolumeKind::Claim
                    && !self.options.with_volumes.contains(&mount.volume)
            };
            for mount in facts.mounts.iter().filter(is_empty) {
                let Some(root) =
                    mount.root.as_ref().filter(|root| root.uid == facts.uid && root.uid != 0)
                else {
                    continue;
                };
                let opened = match fs_group && mount.fs_group == FsGroup::Applied {
                    true => fs_group_bits(FileType::Directory, false),
                    false => 0,
                };
                let mode = u32::from(root.mode | opened);
                if volumes.insert(mount.volume.clone()) {
                    edits.push(Edit::OwnVolume {
                        container: facts.container.clone(),
                        volume: mount.volume.clone(),
                        mode,
                    });
                }
            }
        }
        plan::compose(self.object, self.level(), &edits)
    }

    /// Directories that are to become volumes, and of which nobody knows what they hold.
    fn unmeasured(&self) -> Vec<Question> {
        let mut wanted: BTreeMap<&String, Vec<String>> = BTreeMap::new();
        for edit in self.steps.iter().flat_map(|step| &step.edits) {
            let Edit::Directory { container, path, .. } = edit else { continue };
            if !self.held.contains_key(&(container.clone(), path.clone())) {
                wanted.entry(container).or_default().push(path.clone());
            }
        }
        let question = |(container, paths): (&String, Vec<String>)| Question::Usage {
            container: container.clone(),
            paths,
        };
        wanted.into_iter().map(question).collect()
    }

    /// What the directories hold that some edits make volumes of.
    fn holds(&self, edits: &[Edit]) -> Vec<Edit> {
        let holds = edits.iter().filter_map(|edit| {
            let Edit::Directory { container, path, .. } = edit else { return None };
            let bytes = *self.held.get(&(container.clone(), path.clone()))?;
            Some(Edit::Holds { container: container.clone(), path: path.clone(), bytes })
        });
        holds.collect()
    }

    /// Takes up the users of containers whose user was a guess so far.
    fn learn_users(&mut self, users: &[(String, (u32, u32))]) {
        for (container, (uid, gid)) in users {
            if let Some(facts) = self.facts.get_mut(container) {
                (facts.uid, facts.gid, facts.user_is_a_guess) = (*uid, *gid, false);
            }
            let known = self
                .identities
                .iter_mut()
                .find(|(name, _)| name == container)
                .map(|(_, known)| known);
            if let Some(known) = known.filter(|known| known.assignment == Assignment::Unknown) {
                (known.assignment, known.uid, known.gid) = (Assignment::Kept, *uid, *gid);
            }
        }
    }

    /// Takes a proposal up. A user takes the place of the one before.
    fn add(&mut self, obstacle: &Obstacle, proposal: Proposal) {
        self.tried.insert(proposal.edits.clone());
        for edit in &proposal.edits {
            let Edit::RunAs { container: Some(container), uid, gid } = edit else { continue };
            let sets_user = |edit: &Edit| matches!(edit, Edit::RunAs { container: Some(other), .. } if other == container);
            self.steps.retain(|step| !step.edits.iter().any(sets_user));
            let identity = Candidate {
                uid: *uid,
                gid: *gid,
                why: proposal.summary.clone(),
                ..Candidate::default()
            };
            if let Some((_, known)) = self.identities.iter_mut().find(|(name, _)| name == container)
            {
                *known = identity;
            }
            self.steps.iter_mut().for_each(|step| step.doubtful = true);
            if let Some(facts) = self.facts.get_mut(container) {
                (facts.uid, facts.gid, facts.user_is_a_guess) = (*uid, *gid, false);
            }
        }
        for edit in &proposal.edits {
            if let Edit::SupplementalGroup(gid) = edit {
                self.facts.values_mut().for_each(|facts| facts.groups.push(*gid));
            }
        }
        let step = Step {
            remedy: proposal.remedy,
            level: proposal.layer.as_str(),
            summary: proposal.summary,
            edits: proposal.edits,
            obstacle: obstacle.clone(),
            doubtful: false,
        };
        if !self.steps.iter().any(|known| known.edits == step.edits) {
            self.news.push(News::Adding(step.clone()));
            self.steps.push(step);
        }
    }

    /// Takes back what was added for an obstacle that is there still. A user stays: others may owe
    /// to it. So does what takes one request for a privilege away: the next refusal may be of
    /// another, and it is a guess from now on.
    fn forget(&mut self, obstacle: &Obstacle) {
        self.steps.retain_mut(|step| {
            if !accept::is_again(&step.obstacle, obstacle) {
                return true;
            }
            let is_request = |edit: &Edit| {
                matches!(edit, Edit::EditedFile { .. } | Edit::ReplacedCommand { .. })
            };
            step.doubtful |= step.edits.iter().any(is_request);
            step.edits.iter().any(|edit| {
                is_request(edit) || matches!(edit, Edit::RunAs { .. } | Edit::ReadOnlyRoot)
            })
        });
    }

    /// What to do about a copy of a directory that an init container could not make: at first leave
    /// out what may not be read, then leave the copy.
    fn leave_out(&mut self, path: &str) -> Option<Step> {
        let path = std::path::Path::new(path.trim_end_matches("/.")).to_owned();
        let copies = |edit: &Edit| matches!(edit, Edit::Directory { path: dir, .. } if path.starts_with(dir));
        let at = self.steps.iter().position(|step| step.edits.iter().any(copies))?;
        let mut edits = self.steps[at].edits.clone();
        for edit in &mut edits {
            if let Edit::Directory { fill: fill @ Fill::Copy, .. } = edit {
                *fill = Fill::Readable;
            }
        }
        if !self.tried.insert(edits.clone()) {
            self.steps.remove(at);
            return None;
        }
        let step = self.steps.get_mut(at)?;
        step.edits = edits;
        step.summary.push_str(", without what it may not read");
        Some(step.clone())
    }

    /// Goes back to what worked, or was ready at least, if anything was.
    fn restore(&mut self) {
        if let Some(works) = self.works.as_ref().or(self.ready.as_ref()) {
            self.identities.clone_from(&works.identities);
            self.steps.clone_from(&works.steps);
        }
    }

    fn remember(&mut self, outcome: &Outcome) {
        self.works = Some(self.as_it_stands(outcome));
    }

    fn as_it_stands(&self, outcome: &Outcome) -> Works {
        let (identities, steps) = (self.identities.clone(), self.steps.clone());
        let seen = outcome.seen.clone();
        Works { identities, steps, refused: outcome.obstacles.clone(), seen }
    }

    fn is_read_only(&self) -> bool {
        self.steps.iter().any(|step| step.edits.contains(&Edit::ReadOnlyRoot))
    }
}

/// A copy of which nothing showed that it works.
fn unshown(why: &str) -> Obstacle {
    let cause = format!(
        "it is ready, {why}, and nothing showed that it does its work: a check (--check) would"
    );
    let text = "no request was answered by HTTP, and no check was given".to_owned();
    Obstacle {
        cause,
        evidence: Evidence { source: "the trial".to_owned(), line: None, text },
        ..Obstacle::new(Operation::Other, Category::LostFunction)
    }
}

/// Whether an obstacle is one of those that are known: numbers in names differ from run to run.
#[must_use]
pub fn is_known(known: &[Obstacle], obstacle: &Obstacle) -> bool {
    known.iter().any(|known| accept::is_again(known, obstacle))
}

/// A search that has run nothing.
static EMPTY: Round = Round { obstacles: Vec::new(), added: Vec::new(), seconds: 0 };
