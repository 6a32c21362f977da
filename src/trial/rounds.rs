//! The loop: run, read, choose, again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::PodSpec;
use serde::Deserialize as _;
use serde_json::Value;

use super::guess::silence;
use super::survey::Survey;
use super::watch::{End, Run};
use super::{Progress, Trial, copy, strace};
use crate::error::Error;
use crate::evidence::cluster::Right;
use crate::foresight;
use crate::model::edit::{Edit, Fill};
use crate::model::facts::{Facts, VolumeKind, VolumeMount};
use crate::model::identity::{Assignment, Candidate};
use crate::model::inside::{Inode, Inside};
use crate::model::obstacle::{Category, Errno, Evidence, Obstacle, Operation};
use crate::model::plan::{Basis, Plan, Proof, Round, Step};
use crate::model::podsecurity::Level;
use crate::model::volume::FsGroup;
use crate::plan;
use crate::remedy::{self, Proposal};

/// A plan, and what its trial showed.
#[derive(Debug, Clone, PartialEq)]
pub struct Proven {
    pub plan: Plan,
    pub proof: Proof,
}

/// Runs after the first that works which may be spent on refusals that did not stop the program.
const POLISH: usize = 3;

/// How long the search for what is not needed may take; a round that has begun is finished.
const MINIMIZE: Duration = Duration::from_secs(60);

/// How long a pod that says nothing is waited for once, where no root pod tells how long that took. What waits for the next
/// minute, as cron does, is ready by then.
const SLOW: Duration = Duration::from_secs(60);

/// What a trial does to a cluster, and what it makes better plans with.
const RIGHTS: &[Right] = &[
    Right { verb: "create", resource: "pods", subresource: None },
    Right { verb: "get", resource: "pods", subresource: None },
    Right { verb: "list", resource: "pods", subresource: None },
    Right { verb: "watch", resource: "pods", subresource: None },
    Right { verb: "delete", resource: "pods", subresource: None },
    Right { verb: "get", resource: "pods", subresource: Some("log") },
    Right { verb: "create", resource: "pods", subresource: Some("exec") },
];

/// Where a trial stands.
pub(super) struct State {
    pub(super) survey: Survey,
    /// The identity of each container.
    pub(super) identities: Vec<(String, Candidate)>,
    pub(super) steps: Vec<Step>,
    /// Edits that were tried, each set once.
    pub(super) tried: BTreeSet<Vec<Edit>>,
    rounds: Vec<Round>,
    /// Files that it logs to are read, too.
    reads: bool,
    /// Whether a run is under strace.
    traces: Once,
    /// Whether a run may take longer than others to be ready.
    waits: Once,
    /// How many bytes directories hold today, each by its container and path.
    held: BTreeMap<(String, String), u64>,
    /// What the copy that works lacks beside the root pod.
    notes: Vec<String>,
    /// The best that worked so far.
    works: Option<Works>,
}

/// What is done in one run only: in none yet, in the next one, or in one before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Once {
    Not,
    Next,
    Done,
}

/// What made the pod work.
struct Works {
    identities: Vec<(String, Candidate)>,
    steps: Vec<Step>,
    /// What was refused all the same.
    refused: Vec<Obstacle>,
}

impl Trial<'_> {
    /// Runs rounds until the pod works, nothing is left to try, or the bounds of the options are met.
    ///
    /// # Errors
    /// The cluster does not answer, or does not let us run the trial. A workload that cannot be made to work is none:
    /// its proof says what remains.
    pub async fn prove(&self) -> Result<Proven, Error> {
        let begin = Instant::now();
        self.check_rights().await?;
        self.create_owner().await?;
        let apart = self.apart().await;
        let mut state = self.begin().await?;
        let mut polish = POLISH;
        // The root file system becomes read-only once, when the pod works without.
        let mut phases = std::iter::repeat_n((), usize::from(self.options.read_only_root));
        let mut remaining = Vec::new();
        while state.rounds.len() < self.options.max_rounds && begin.elapsed() < self.options.timeout {
            let run = self.round(&mut state).await?;
            remaining = run.obstacles.clone();
            let chosen = if run.end == End::Works {
                let improved = state.works.as_ref().is_none_or(|best| best.refused.len() >= run.obstacles.len());
                if improved {
                    state.remember(&run);
                }
                if !improved || run.obstacles.is_empty() || polish == 0 {
                    if phases.next().is_none() {
                        break;
                    }
                    state.restore();
                    self.make_read_only(&mut state);
                    continue;
                }
                polish -= 1;
                self.choose(&mut state, &run, false).await
            } else if run
                .obstacles
                .iter()
                .any(|obstacle| obstacle.container.as_ref().is_some_and(|name| name.starts_with(plan::FILL)))
            {
                // A copy of ours failed: what of it may be made is made.
                let must_work = state.works.is_none();
                self.choose(&mut state, &run, must_work).await
            } else if state.works.is_some() && !state.is_read_only() {
                // What was added to quieten a refusal that did not matter made it worse: it goes again.
                break;
            } else {
                self.choose(&mut state, &run, true).await
            };
            if let Some(round) = state.rounds.last_mut() {
                round.added.clone_from(&chosen);
            }
            if chosen.is_empty() {
                break;
            }
        }
        if let Some(works) = state.works.as_ref().filter(|_| !state.is_read_only()) {
            remaining.clone_from(&works.refused);
        }
        state.restore();
        if state.works.is_some() && self.options.minimize {
            self.minimize(&mut state).await?;
        }
        // What was asked for counts as proven only if all of it is.
        let ready = state.works.is_some() && (!self.options.read_only_root || state.is_read_only());
        let rounds = std::mem::take(&mut state.rounds);
        let mut notes = std::mem::take(&mut state.notes);
        notes.extend(apart);
        let proof = Proof { ready, rounds, seconds: begin.elapsed().as_secs(), remaining, notes };
        Ok(Proven { plan: self.finished(state), proof })
    }

    /// Asks before the first pod whether every right is there.
    async fn check_rights(&self) -> Result<(), Error> {
        let missing = self.cluster()?.missing(&self.namespace, RIGHTS).await;
        let (looks, needed): (Vec<Right>, Vec<Right>) =
            missing.into_iter().partition(|right| right.subresource == Some("exec"));
        if !looks.is_empty() {
            let note =
                "without the right to create pods/exec nothing can be looked at from inside: more rounds, and guesses";
            (self.progress)(Progress::Note(note.to_owned()));
        }
        if needed.is_empty() {
            return Ok(());
        }
        let list: Vec<String> = needed.iter().map(Right::to_string).collect();
        let attempted = format!("run a trial in namespace {}", self.namespace);
        Err(Error::remote(attempted, format!("you may not {} there", list.join(", ")))
            .help("docs/rbac.md has a Role with all that a trial needs"))
    }

    /// The plan as far as what runs and what failed tells, without a trial: nothing is written to the cluster.
    ///
    /// # Errors
    /// A pod template that is none.
    pub async fn plan(&self, failed: Vec<Obstacle>) -> Result<Plan, Error> {
        let mut state = self.begin().await?;
        if !failed.is_empty() {
            let run = Run { end: End::Died, obstacles: failed, notes: Vec::new(), users: Vec::new() };
            self.choose(&mut state, &run, true).await;
        }
        self.measure(&mut state).await;
        Ok(self.finished(state))
    }

    /// What is known before the first run.
    async fn begin(&self) -> Result<State, Error> {
        let spec = plan::pod_spec(self.object).unwrap_or(&Value::Null);
        let spec = PodSpec::deserialize(spec).map_err(|error| Error::input("read the pod template", error))?;
        let survey = self.survey(&spec).await?;
        let all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
        let left = plan::pod_spec(self.object).map(plan::privileged).unwrap_or_default();
        let identities = all
            .filter(|container| !left.contains_key(&container.name))
            .filter_map(|container| Some((container.name.clone(), survey.assigned.get(&container.name)?.clone())));
        let identities = identities.collect();
        let mut state = State {
            survey,
            identities,
            steps: Vec::new(),
            tried: BTreeSet::new(),
            rounds: Vec::new(),
            works: None,
            reads: false,
            traces: Once::Not,
            waits: Once::Not,
            held: BTreeMap::new(),
            notes: Vec::new(),
        };
        self.take_capabilities(&mut state);
        self.foresee(&mut state).await;
        Ok(state)
    }

    fn finished(&self, state: State) -> Plan {
        let object = self.planned(&state);
        let first = state.identities.first();
        let candidates = first.and_then(|(name, _)| state.survey.facts.get(name)).map(|facts| facts.candidates.clone());
        let candidates = candidates.unwrap_or_default();
        let basis = self.basis(&state);
        let identities = if self.leaves_users() { Vec::new() } else { state.identities };
        let mut steps = state.steps;
        for edits in steps.iter_mut().map(|step| &mut step.edits) {
            let holds = held(edits, &state.held);
            edits.extend(holds);
        }
        Plan { identities, candidates, steps, object, basis }
    }

    /// What the plan is made from, the most telling first.
    fn basis(&self, state: &State) -> Vec<Basis> {
        let pod =
            self.root_pod.iter().filter(|_| !state.survey.root.is_empty()).map(|(_, pod)| Basis::Pod(pod.clone()));
        let traces = self.traces.iter().map(|(_, source, _)| Basis::Trace(source.clone()));
        let looked = state.survey.has_looked_into_images() || !self.images.is_empty();
        let image = looked.then_some(Basis::Image);
        let configuration = (!looked && !self.configurations.is_empty()).then_some(Basis::Configuration);
        pod.chain(traces).chain(image).chain(configuration).chain([Basis::Spec]).collect()
    }

    /// Whether users are none of the plan's business.
    fn leaves_users(&self) -> bool {
        self.options.without.iter().any(|id| id == "identity")
    }

    /// What was declared and only root has use for is tried without: a trial finds out whether it is needed at all.
    fn take_capabilities(&self, state: &mut State) {
        if !self.options.runs || self.level() == Level::Privileged {
            return;
        }
        let spec = plan::pod_spec(self.object);
        let lists = ["initContainers", "containers"].into_iter().filter_map(|list| spec?.get(list)?.as_array());
        for container in lists.flatten() {
            let name = container["name"].as_str().unwrap_or_default();
            for capability in plan::retained_capabilities(container) {
                let obstacle = Obstacle {
                    container: Some(name.to_owned()),
                    cause: format!("{} lets no container add the capability {capability}", self.options.level.as_str()),
                    evidence: Evidence { source: "the spec".to_owned(), line: None, text: String::new() },
                    ..Obstacle::new(Operation::Admission, Category::PodSecurity)
                };
                let edit = Edit::RemoveCapability { container: name.to_owned(), name: capability.clone() };
                let proposal = Proposal {
                    remedy: "pod-security",
                    level: remedy::Level::Pod,
                    summary: format!("leave out the capability {capability} of container {name}"),
                    edits: vec![edit],
                };
                state.add(&obstacle, proposal, self.progress);
            }
        }
    }

    /// Leaves out each doubtful step in turn, the youngest first, and keeps out what the pod works without as well as
    /// with it.
    async fn minimize(&self, state: &mut State) -> Result<(), Error> {
        let begin = Instant::now();
        let needed = |step: &Step| {
            step.edits.iter().any(|edit| matches!(edit, Edit::RunAs { .. } | Edit::UserNamespace | Edit::ReadOnlyRoot))
        };
        let refused = state.works.as_ref().map_or(0, |works| works.refused.len());
        for at in (0..state.steps.len()).rev() {
            if !state.steps[at].doubtful || needed(&state.steps[at]) {
                continue;
            }
            if begin.elapsed() > MINIMIZE || state.rounds.len() >= self.options.max_rounds {
                break;
            }
            let step = state.steps.remove(at);
            (self.progress)(Progress::LeavingOut(&step));
            let run = self.round(state).await?;
            if let Some(round) = state.rounds.last_mut() {
                round.added.push(format!("left out: {}", step.summary));
            }
            if run.end == End::Works && run.obstacles.len() <= refused {
                state.remember(&run);
            } else {
                state.restore();
            }
        }
        Ok(())
    }

    async fn round(&self, state: &mut State) -> Result<Run, Error> {
        self.measure(state).await;
        let number = state.rounds.len() + 1;
        (self.progress)(Progress::Running(number));
        let name = self.pod_name(&number.to_string());
        let mut pod = self.copy(&self.copied(state), &name);
        if let Some(container) =
            state.identities.first().filter(|_| state.reads && state.traces != Once::Next).map(|(name, _)| name)
        {
            pod = copy::read(&pod, container);
        }
        if state.traces == Once::Next {
            state.traces = Once::Done;
            pod = self.traced_copy(state, &pod);
        }
        let begin = Instant::now();
        let took = state.survey.took;
        if state.waits == Once::Next {
            state.waits = Once::Done;
            state.survey.took = took.max(SLOW);
        }
        let mut run = self.run(&pod, &state.survey).await?;
        if run.end != End::Works {
            state.survey.took = took;
        }
        // What root is refused as well is no reason to change anything.
        run.obstacles.retain(|obstacle| !state.survey.usual.iter().any(|usual| is_again(usual, obstacle)));
        if run.end == End::Works {
            state.notes = std::mem::take(&mut run.notes);
        }
        state.learn(&run.users);
        let seconds = begin.elapsed().as_secs();
        let round = Round { obstacles: run.obstacles.clone(), added: Vec::new(), seconds };
        (self.progress)(Progress::Ended(number, run.end, &round));
        state.rounds.push(round);
        Ok(run)
    }

    /// The pod with the program of its first container under strace, where it is known what that runs.
    fn traced_copy(&self, state: &State, pod: &Value) -> Value {
        let first = state.identities.first().map(|(name, _)| name.as_str()).unwrap_or_default();
        let facts = state.survey.facts.get(first);
        let traced = self.options.strace_image.as_ref().zip(facts);
        let traced = traced.and_then(|(image, facts)| strace::under(pod, first, image, facts));
        traced.unwrap_or_else(|| {
            let note = format!("container {first} is not traced: nothing tells what its image runs");
            (self.progress)(Progress::Note(note));
            pod.clone()
        })
    }

    /// The object with all that is chosen so far.
    pub(super) fn planned(&self, state: &State) -> Value {
        plan::compose(self.object, self.level(), &self.edits(state))
    }

    /// All edits that are chosen so far.
    fn edits(&self, state: &State) -> Vec<Edit> {
        let identities = if self.leaves_users() { &[] } else { state.identities.as_slice() };
        let mut edits = plan::edits(self.object, identities, &state.steps);
        let holds = held(&edits, &state.held);
        edits.extend(holds);
        edits
    }

    /// Measures what directories hold that are to become volumes, where that was not done yet.
    async fn measure(&self, state: &mut State) {
        let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for edit in state.steps.iter().flat_map(|step| &step.edits) {
            let Edit::Directory { container, path, .. } = edit else { continue };
            if !state.held.contains_key(&(container.clone(), path.clone())) {
                wanted.entry(container.clone()).or_default().push(path.clone());
            }
        }
        for (container, paths) in wanted {
            let asked: Vec<&str> = paths.iter().map(String::as_str).collect();
            let used = self.usage(&state.survey, &container, &asked).await;
            for path in paths {
                let bytes = used.iter().find(|(known, _)| *known == path).map_or(0, |(_, bytes)| *bytes);
                state.held.insert((container.clone(), path), bytes);
            }
        }
    }

    /// The level whose fields the plan sets.
    fn level(&self) -> Level {
        let is_left_out = self.options.without.iter().any(|id| id == "pod-security");
        if is_left_out { Level::Privileged } else { self.options.level }
    }

    /// The same as a copy of it needs it, whose claims are empty volumes: the top directory of a claim that belongs to the
    /// user is his there, too, and has the mode that fsGroup would leave.
    fn copied(&self, state: &State) -> Value {
        let mut edits = self.edits(state);
        let fs_group = edits.iter().any(|edit| matches!(edit, Edit::FsGroup(_)));
        let mut volumes = BTreeSet::new();
        for facts in state.survey.facts.values().filter(|facts| facts.has_shell) {
            let is_empty = |mount: &&VolumeMount| {
                mount.kind == VolumeKind::Claim && !self.options.changes.with_volumes.contains(&mount.volume)
            };
            for mount in facts.mounts.iter().filter(is_empty) {
                let Some(root) = mount.root.as_ref().filter(|root| root.uid == facts.uid && root.uid != 0) else {
                    continue;
                };
                // pkg/volume/volume_linux.go, rwMask, execMask and os.ModeSetgid: what the kubelet does to a directory.
                let opened = if fs_group && mount.fs_group == FsGroup::Applied { 0o2770 } else { 0 };
                let mode = root.mode & 0o7777 | opened;
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

    /// Whether its remedy was not ruled out, and it would not change an identity that was asked for.
    pub(super) fn is_wanted(&self, proposal: &Proposal) -> bool {
        let ruled_out = self.options.without.iter().any(|id| id == proposal.remedy);
        !ruled_out && (self.options.run_as.is_none() || !changes_identity(proposal))
    }

    /// Takes what the root pod does into the first round.
    /// Of a container that keeps its user, nothing is foreseen but what the loss of a capability stops: it does today what
    /// it will do then.
    async fn foresee(&self, state: &mut State) {
        let changes = |container: &str| !state.survey.keeps_user(container);
        let root = state.survey.root.iter().filter(|(container, _)| changes(container));
        let foreseen: Vec<Obstacle> =
            root.flat_map(|(container, inside)| foresight::obstacles(container, inside)).collect();
        let traced: Vec<Obstacle> = self
            .traces
            .iter()
            .filter(|(container, _, traced)| traced.root != Some(false) && changes(container))
            .flat_map(|(container, source, traced)| foresight::trace::of_trace(container, source, traced))
            .collect();
        // Where nothing runs yet, what the spec declares it will listen on.
        let idle = state.survey.facts.values().filter(|facts| changes(&facts.container)).filter(|facts| {
            !state.survey.root.contains_key(&facts.container) && self.traced(&facts.container).is_none()
        });
        let declared: Vec<Obstacle> =
            idle.filter_map(|facts| foresight::declared_port(&facts.container, &facts.low_ports)).collect();
        // A claim comes as root's; the copy has an empty volume in its place, which would hide that.
        let present = plan::pod_spec(self.object).and_then(|spec| spec["securityContext"]["fsGroup"].as_u64());
        let changed = || state.survey.facts.values().filter(|facts| changes(&facts.container));
        let refused = changed().flat_map(|facts| {
            let is_refused = |mount: &&VolumeMount| is_refused(mount, facts, present);
            facts.mounts.iter().filter(is_refused).map(|mount| (&facts.container, mount))
        });
        // One fsGroup is for all volumes: that of the others who share one goes first.
        let (shared, own): (Vec<_>, Vec<_>) = refused.partition(|(_, mount)| mount.shared.is_some());
        let claims = shared.into_iter().chain(own).map(|(container, mount)| foresight::claim(container, mount));
        let claims: Vec<Obstacle> = claims.collect();
        let volumes = changed()
            .flat_map(|facts| facts.volumes.iter().map(|path| foresight::image_volume(&facts.container, path)));
        let volumes: Vec<Obstacle> = volumes.collect();
        let drops = |container: &str| !plan::drops_all(self.object, container);
        let carried = self.images.iter().filter(|(container, _)| drops(container)).flat_map(|(container, image)| {
            let command = state.survey.facts.get(container).map(|facts| facts.command.as_slice());
            foresight::image::file_capabilities(container, image, command.unwrap_or_default())
        });
        let carried: Vec<Obstacle> = carried.collect();
        for obstacle in carried.into_iter().chain(foreseen).chain(traced).chain(declared).chain(claims).chain(volumes) {
            let Some(container) = obstacle.container.clone() else { continue };
            if obstacle.category == Category::CapabilityMissing {
                // Which line of its configuration asks for it is to be found first.
                self.find(state, &container, &obstacle).await;
            }
            let Some(facts) = state.survey.facts.get(&container) else { continue };
            let sets_group = |step: &Step| step.edits.iter().any(|edit| matches!(edit, Edit::FsGroup(_)));
            let is_open = obstacle.category == Category::VolumeOwnership && state.steps.iter().any(sets_group);
            let inside = state.survey.root.get(&container);
            if is_open || is_allowed(&obstacle, facts, inside) {
                continue;
            }
            // Whom it shall run as is decided: here only what that user lacks is added.
            let proposals = remedy::proposals(&obstacle, facts);
            let wanted = proposals.into_iter().find(|proposal| !changes_identity(proposal) && self.is_wanted(proposal));
            if let Some(proposal) = wanted {
                state.add(&obstacle, proposal, self.progress);
            }
        }
    }

    /// Chooses a remedy for each obstacle of a run that has one left, and tells what was added.
    async fn choose(&self, state: &mut State, run: &Run, must_work: bool) -> Vec<String> {
        // What ended a program comes before what it only mentions, which may be why it was refused what ended it; where it
        // works, all that it is refused is told alike.
        let (first, rest): (Vec<Obstacle>, Vec<Obstacle>) =
            run.obstacles.iter().cloned().partition(|obstacle| obstacle.fatal || !must_work);
        let mut added = self.remedied(state, &first, must_work).await;
        if added.is_empty() {
            added = self.remedied(state, &rest, must_work).await;
        }
        if !added.is_empty() || !must_work || !self.options.runs {
            return added;
        }
        if run.obstacles.is_empty()
            && let Some(look) = self.looks_closer(state, run.end).await
        {
            return vec![look];
        }
        self.guess(state, run).await.into_iter().collect()
    }

    /// How a program that said nothing is run once more: with more time, with what it logs to files, then under strace.
    /// `None` where that was done.
    async fn looks_closer(&self, state: &mut State, end: End) -> Option<String> {
        if end == End::NotReady && state.waits == Once::Not && state.survey.took < SLOW {
            state.waits = Once::Next;
            return Some(format!("run it once more, and wait for {} seconds", SLOW.as_secs()));
        }
        let logs_to_a_volume =
            state.steps.iter().flat_map(|step| &step.edits).any(|edit| matches!(edit, Edit::Directory { .. }));
        if logs_to_a_volume && !state.reads {
            state.reads = true;
            return Some("run it once more, and read the files that it logs to".to_owned());
        }
        if self.options.strace_image.is_none() || state.traces != Once::Not {
            return None;
        }
        if let Some(container) = state.identities.first().map(|(name, _)| name.clone()) {
            let planned = self.planned(state);
            self.ask(&mut state.survey, &planned, &container).await;
        }
        state.traces = Once::Next;
        Some("run it once more under strace".to_owned())
    }

    /// Takes up the next remedy of each obstacle that has one left, and tells what was added.
    async fn remedied(&self, state: &mut State, obstacles: &[Obstacle], must_work: bool) -> Vec<String> {
        let mut added = Vec::new();
        for obstacle in obstacles {
            if let (Some(name), Some(path)) = (&obstacle.container, &obstacle.path)
                && !state.survey.facts.contains_key(name)
                && let Some(step) = state.leave_out(path)
            {
                (self.progress)(Progress::Adding(step));
                added.push(step.summary.clone());
                continue;
            }
            let obstacle = self.located(state, obstacle.clone());
            let Some(container) = obstacle.container.clone() else { continue };
            if let Some(path) = &obstacle.path {
                let parent = path.rfind('/').map_or("/", |at| &path[..at.max(1)]).to_owned();
                self.look(&mut state.survey, &container, &[path.clone(), parent]).await;
            }
            self.find(state, &container, &obstacle).await;
            state.forget(&obstacle);
            let Some(facts) = state.survey.facts.get(&container) else { continue };
            let obstacle = reread(obstacle, facts);
            let proposals = remedy::proposals(&obstacle, facts);
            // A program that works keeps its user; only where nothing else is left root stays, in a namespace.
            let allowed = |proposal: &Proposal| {
                let root = proposal.edits.contains(&Edit::UserNamespace);
                let new = !state.tried.contains(&proposal.edits);
                new && self.is_wanted(proposal)
                    && (!root || self.options.user_namespace)
                    && (must_work || !changes_identity(proposal))
            };
            let Some(proposal) = proposals.into_iter().find(allowed) else { continue };
            added.push(proposal.summary.clone());
            state.add(&obstacle, proposal, self.progress);
        }
        added
    }

    /// Looks further where an obstacle names no path, or a command without one, or a privilege that a configuration asks
    /// for.
    async fn find(&self, state: &mut State, container: &str, obstacle: &Obstacle) {
        let command = obstacle.path.as_ref().or(obstacle.program.as_ref()).filter(|name| !name.contains('/'));
        if let (Operation::Exec, Some(command)) = (obstacle.operation, command) {
            let paths: Vec<String> = remedy::SEARCH_PATH.iter().map(|dir| format!("{dir}/{command}")).collect();
            self.look(&mut state.survey, container, &paths).await;
        }
        if matches!(obstacle.category, Category::IdentitySwitch | Category::CapabilityMissing) {
            let planned = self.planned(state);
            self.ask(&mut state.survey, &planned, container).await;
        }
        let words = remedy::directives(obstacle);
        let pathless = obstacle.path.is_none() && obstacle.category == Category::UnwritablePath;
        if words.is_some() || pathless {
            self.search(&mut state.survey, container, words.unwrap_or_default()).await;
            let Some(facts) = state.survey.facts.get(container) else { return };
            let of_databases = facts.databases.iter().filter_map(|file| Some(file[..file.rfind('/')?].to_owned()));
            let dirs: Vec<String> = of_databases.chain(facts.directory.clone()).collect();
            self.look(&mut state.survey, container, &dirs).await;
        }
    }

    /// An obstacle of an init container that fills a volume is one of the container whose volume it is.
    fn located(&self, state: &State, mut obstacle: Obstacle) -> Obstacle {
        let known = |name: &String| state.survey.facts.contains_key(name);
        if obstacle.container.as_ref().is_some_and(known) {
            return obstacle;
        }
        let filled = obstacle.container.as_deref().and_then(|name| name.strip_prefix(plan::FILL)).map(str::to_owned);
        obstacle.container = filled.filter(known).or_else(|| state.identities.first().map(|(name, _)| name.clone()));
        obstacle
    }

    pub(super) fn is_init(&self, container: &str) -> bool {
        let init = plan::pod_spec(self.object).and_then(|spec| spec["initContainers"].as_array());
        init.into_iter().flatten().any(|one| one["name"] == container)
    }

    /// The second phase: the root file system read-only, and volumes where the root pod writes.
    fn make_read_only(&self, state: &mut State) {
        let read_only = Obstacle {
            category: Category::ReadOnlyRootfs,
            cause: "the root file system is made read-only".to_owned(),
            ..silence(End::Works)
        };
        let proposal = Proposal {
            remedy: "read-only-root",
            level: remedy::Level::Pod,
            summary: "make the root file system of every container read-only".to_owned(),
            edits: vec![Edit::ReadOnlyRoot],
        };
        state.add(&read_only, proposal, self.progress);
        let foreseen: Vec<Obstacle> = state
            .survey
            .root
            .iter()
            .flat_map(|(container, inside)| foresight::obstacles(container, inside))
            .filter(|obstacle| obstacle.path.is_some())
            .map(|obstacle| Obstacle { category: Category::ReadOnlyRootfs, ..obstacle })
            .collect();
        for obstacle in foreseen {
            let Some(facts) = obstacle.container.as_ref().and_then(|name| state.survey.facts.get(name)) else {
                continue;
            };
            if let Some(proposal) = remedy::proposals(&obstacle, facts).into_iter().next() {
                state.add(&obstacle, proposal, self.progress);
            }
        }
    }
}

impl State {
    /// Takes a proposal up. An identity takes the place of the one before.
    pub(super) fn add(&mut self, obstacle: &Obstacle, proposal: Proposal, progress: &(dyn Fn(Progress<'_>) + Sync)) {
        self.tried.insert(proposal.edits.clone());
        for edit in &proposal.edits {
            let Edit::RunAs { container: Some(container), uid, gid } = edit else { continue };
            self.steps.retain(|step| {
                !step
                    .edits
                    .iter()
                    .any(|edit| matches!(edit, Edit::RunAs { container: Some(other), .. } if other == container))
            });
            let identity = Candidate { uid: *uid, gid: *gid, why: proposal.summary.clone(), ..Candidate::default() };
            if let Some((_, known)) = self.identities.iter_mut().find(|(name, _)| name == container) {
                *known = identity;
            }
            self.steps.iter_mut().for_each(|step| step.doubtful = true);
            if let Some(facts) = self.survey.facts.get_mut(container) {
                (facts.uid, facts.gid, facts.user_is_a_guess) = (*uid, *gid, false);
            }
        }
        for edit in &proposal.edits {
            if let Edit::SupplementalGroup(gid) = edit {
                self.survey.facts.values_mut().for_each(|facts| facts.groups.push(*gid));
            }
        }
        let step = Step {
            remedy: proposal.remedy,
            level: proposal.level.as_str(),
            summary: proposal.summary,
            edits: proposal.edits,
            obstacle: obstacle.clone(),
            doubtful: false,
        };
        if !self.steps.iter().any(|known| known.edits == step.edits) {
            progress(Progress::Adding(&step));
            self.steps.push(step);
        }
    }

    /// Takes up who containers are whose user was a guess so far.
    fn learn(&mut self, users: &[(String, (u32, u32))]) {
        for (container, (uid, gid)) in users {
            if let Some(facts) = self.survey.facts.get_mut(container) {
                (facts.uid, facts.gid, facts.user_is_a_guess) = (*uid, *gid, false);
            }
            let known = self.identities.iter_mut().find(|(name, _)| name == container).map(|(_, known)| known);
            if let Some(known) = known.filter(|known| known.assignment == Assignment::Unknown) {
                (known.assignment, known.uid, known.gid) = (Assignment::Kept, *uid, *gid);
            }
        }
    }

    /// Takes back what was added for an obstacle that is there still. An identity stays: others may owe to it. So does
    /// what takes one request for a privilege away: the next refusal may be of another, and it is a guess from now on.
    fn forget(&mut self, obstacle: &Obstacle) {
        self.steps.retain_mut(|step| {
            if !is_again(&step.obstacle, obstacle) {
                return true;
            }
            let is_request = |edit: &Edit| matches!(edit, Edit::EditedFile { .. } | Edit::ReplacedCommand { .. });
            step.doubtful |= step.edits.iter().any(is_request);
            step.edits.iter().any(|edit| is_request(edit) || matches!(edit, Edit::RunAs { .. } | Edit::ReadOnlyRoot))
        });
    }

    /// What to do about a copy of a directory that an init container could not make: at first leave out what may not be
    /// read, then leave the copy.
    fn leave_out(&mut self, path: &str) -> Option<&Step> {
        let path = path.trim_end_matches("/.").to_owned();
        let copies =
            |edit: &Edit| matches!(edit, Edit::Directory { path: dir, .. } if Path::new(&path).starts_with(dir));
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
        Some(step)
    }

    /// Goes back to what worked, if anything did.
    fn restore(&mut self) {
        if let Some(works) = &self.works {
            self.identities.clone_from(&works.identities);
            self.steps.clone_from(&works.steps);
        }
    }

    fn remember(&mut self, run: &Run) {
        let (identities, steps) = (self.identities.clone(), self.steps.clone());
        self.works = Some(Works { identities, steps, refused: run.obstacles.clone() });
    }

    fn is_read_only(&self) -> bool {
        self.steps.iter().any(|step| step.edits.contains(&Edit::ReadOnlyRoot))
    }
}

/// bash says the same of a program that may not be executed and of a redirection to a file. Where the image has no such
/// program, it was one to a file.
fn reread(obstacle: Obstacle, facts: &Facts) -> Obstacle {
    let Some(path) = obstacle.path.as_deref().filter(|path| path.starts_with('/')) else { return obstacle };
    let resolved = facts.resolved(path);
    let directory = &resolved[..resolved.rfind('/').unwrap_or(0).max(1)];
    let was_seen = facts.inode(directory).is_some_and(|inode| facts.may((facts.looker, facts.looker), inode, 5));
    let is_program = facts.inode(&resolved).is_some();
    if obstacle.operation != Operation::Exec || obstacle.errno != Some(Errno::Eacces) || !was_seen || is_program {
        return obstacle;
    }
    let cause = format!("the container's user may not create {path}, which the image has not");
    Obstacle { operation: Operation::Create, category: Category::UnwritablePath, cause, ..obstacle }
}

/// What the directories hold today that some edits make volumes of.
fn held(edits: &[Edit], held: &BTreeMap<(String, String), u64>) -> Vec<Edit> {
    let holds = edits.iter().filter_map(|edit| {
        let Edit::Directory { container, path, .. } = edit else { return None };
        let bytes = *held.get(&(container.clone(), path.clone()))?;
        Some(Edit::Holds { container: container.clone(), path: path.clone(), bytes })
    });
    holds.collect()
}

fn changes_identity(proposal: &Proposal) -> bool {
    proposal.edits.iter().any(|edit| matches!(edit, Edit::RunAs { .. }))
}

/// Whether the identity that was chosen may do it anyway, as far as the image and the running container tell.
fn is_allowed(obstacle: &Obstacle, facts: &Facts, inside: Option<&Inside>) -> bool {
    let Some(given) = obstacle.path.as_deref() else { return false };
    let path = facts.resolved(given);
    if obstacle.operation == Operation::Exec {
        return false;
    }
    let who = (facts.uid, facts.gid);
    if let Some(mount) = facts.mount(&path) {
        // Its top directory, and what the container changed there.
        let below = |inode: &&Inode| Path::new(&inode.path).starts_with(&path);
        let mut changed = inside.iter().flat_map(|inside| &inside.changed).filter(below);
        let may = |inode: &Inode| inode.is_symlink() || facts.may(who, inode, 2);
        let is_own = mount.shared.is_none() && mount.root.as_ref().is_some_and(may);
        return mount.kind != VolumeKind::Claim || is_own && changed.all(may);
    }
    let reaches = facts.searched(given).iter().filter_map(|dir| facts.inode(dir)).all(|dir| facts.may(who, dir, 1));
    // Of what was not seen nothing is foreseen.
    let allows = match obstacle.category {
        Category::UnreadableFile => facts.inode(&path).is_none_or(|inode| facts.may(who, inode, 4)),
        _ => facts.existing(&path).is_none_or(|inode| facts.may(who, inode, 2)),
    };
    reaches && allows
}

/// Whether a claim is closed to the identity that was chosen, as far as is known: fsGroup is not set, or is not that of
/// the others who share it.
fn is_refused(mount: &VolumeMount, facts: &Facts, fs_group: Option<u64>) -> bool {
    if mount.kind != VolumeKind::Claim || mount.read_only {
        return false;
    }
    if let Some((group, _)) = &mount.shared {
        return fs_group != Some(u64::from(*group));
    }
    const WRITE_AND_SEARCH: u32 = 3;
    let may = |root: &Inode| facts.may((facts.uid, facts.gid), root, WRITE_AND_SEARCH);
    fs_group.is_none() && !mount.root.as_ref().is_some_and(may)
}

/// Whether an obstacle is the same as before: numbers in names differ from run to run.
fn is_again(before: &Obstacle, now: &Obstacle) -> bool {
    let shape = |obstacle: &Obstacle| {
        let path = obstacle.path.as_deref().unwrap_or_default();
        let path: String = path.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        (obstacle.container.clone(), obstacle.category, path, obstacle.port)
    };
    shape(before) == shape(now)
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use serde_json::json;

    use super::*;
    use crate::model::volume::Volumes;
    use crate::trial::Options;

    #[test]
    fn what_the_image_has_not_was_to_be_written_and_not_executed() {
        let directory = Inode { path: "/srv".to_owned(), mode: 0o40755, uid: 0, gid: 0, size: 0, target: None };
        let program = Inode { path: "/srv/run.py".to_owned(), mode: 0o100_644, ..directory.clone() };
        let facts = Facts { inodes: vec![directory, program], looker: 1000, ..Facts::default() };
        let read = |path: &str| {
            let mut obstacle = refused(Operation::Exec, Category::NotExecutable, Some(path), true);
            obstacle.errno = Some(Errno::Eacces);
            let obstacle = reread(obstacle, &facts);
            (obstacle.operation, obstacle.category)
        };
        assert_eq!(read("/srv/settings.py"), (Operation::Create, Category::UnwritablePath));
        assert_eq!(read("/srv/run.py"), (Operation::Exec, Category::NotExecutable));
        assert_eq!(read("/opt/run.py"), (Operation::Exec, Category::NotExecutable), "nobody looked there");
    }

    fn refused(operation: Operation, category: Category, path: Option<&str>, fatal: bool) -> Obstacle {
        let container = Some("web".to_owned());
        Obstacle { container, path: path.map(str::to_owned), fatal, ..Obstacle::new(operation, category) }
    }

    /// The ids of the remedies of a plan, without a cluster, for what failed.
    async fn planned(failed: Vec<Obstacle>) -> Vec<&'static str> {
        let object = json!({"kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [{"name": "web"}]}});
        let volumes = Volumes::default();
        let trial = Trial {
            cluster: None,
            namespace: "shop".to_owned(),
            object: &object,
            id: "web".to_owned(),
            runs_to_an_end: false,
            root_pod: None,
            traces: Vec::new(),
            images: Vec::new(),
            configurations: Vec::new(),
            volumes: &volumes,
            options: Options { runs: false, ..Options::default() },
            owner: OnceLock::new(),
            progress: &|_| {},
        };
        let plan = trial.plan(failed).await.expect("a pod template");
        plan.steps.iter().map(|step| step.remedy).collect()
    }

    #[tokio::test]
    async fn what_was_only_mentioned_is_remedied_where_what_ended_it_has_no_remedy() {
        let fatal = refused(Operation::Seccomp, Category::Seccomp, None, true);
        let path = |fatal| refused(Operation::Mkdir, Category::UnwritablePath, Some("/var/cache/web"), fatal);
        let other = |fatal| refused(Operation::Create, Category::UnwritablePath, Some("/srv/web/log"), fatal);
        assert_eq!(planned(vec![fatal.clone()]).await, [""; 0]);
        let mentioned = planned(vec![fatal, path(false)]).await;
        assert_eq!(mentioned, planned(vec![path(true)]).await);
        assert_eq!(mentioned.len(), 1);
        // Where there is a remedy for what ended it, what was mentioned waits for the next run.
        assert_eq!(planned(vec![path(false), other(true)]).await, planned(vec![other(true)]).await);
    }

    #[test]
    fn a_link_in_a_closed_directory_leads_nowhere() {
        let inode = |path: &str, mode: u32, gid: u32, target: Option<&str>| Inode {
            path: path.to_owned(),
            mode,
            uid: 0,
            gid,
            size: 0,
            target: target.map(str::to_owned),
        };
        let inodes = vec![
            inode("/", 0o040_755, 0, None),
            inode("/var", 0o040_755, 0, None),
            inode("/var/log", 0o040_755, 0, None),
            inode("/var/log/web", 0o040_750, 4, None),
            inode("/var/log/web/error.log", 0o120_777, 0, Some("/dev/stderr")),
            inode("/dev", 0o040_755, 0, None),
            inode("/dev/stderr", 0o020_666, 0, None),
        ];
        let mut facts = Facts { uid: 33, gid: 33, inodes, ..Facts::default() };
        let log = refused(Operation::Create, Category::UnwritablePath, Some("/var/log/web/error.log"), true);
        assert!(!is_allowed(&log, &facts, None));
        let first = remedy::proposals(&log, &facts).into_iter().next().expect("a proposal");
        assert_eq!(first.edits, [Edit::SupplementalGroup(4)]);
        facts.groups.push(4);
        assert!(is_allowed(&log, &facts, None));
    }

    #[test]
    fn a_claim_that_its_user_owns_is_left_alone() {
        let inode = |path: &str, uid: u32, mode: u32| Inode {
            path: path.to_owned(),
            mode,
            uid,
            gid: uid,
            size: 0,
            target: None,
        };
        let facts = |root: Inode| Facts {
            uid: 100,
            gid: 102,
            mounts: vec![VolumeMount { root: Some(root), ..VolumeMount::new("/data", VolumeKind::Claim, "data") }],
            ..Facts::default()
        };
        let inside = |changed: Inode| Inside { changed: vec![changed], ..Inside::default() };
        let writes = refused(Operation::Create, Category::UnwritablePath, Some("/data"), false);
        let own = facts(inode("/data", 100, 0o040_700));
        assert!(is_allowed(&writes, &own, Some(&inside(inode("/data/base", 100, 0o100_600)))));
        assert!(!is_allowed(&writes, &own, Some(&inside(inode("/data/base", 0, 0o100_600)))), "root left a file there");
        assert!(!is_allowed(&writes, &facts(inode("/data", 0, 0o040_755)), None), "it is root's");
    }

    #[test]
    fn what_took_one_request_away_stays_as_a_guess() {
        let obstacle = refused(Operation::Setgid, Category::IdentitySwitch, None, true);
        let edited = Edit::EditedFile {
            container: "web".to_owned(),
            path: "/etc/web.conf".to_owned(),
            sed: "/^user/d".to_owned(),
        };
        let step = |edit: Edit, obstacle: &Obstacle| Step {
            remedy: "x",
            level: "pod",
            summary: String::new(),
            edits: vec![edit],
            obstacle: obstacle.clone(),
            doubtful: false,
        };
        let other = refused(Operation::Bind, Category::PrivilegedPort, None, true);
        let steps =
            vec![step(edited.clone(), &obstacle), step(Edit::FsGroup(7), &obstacle), step(Edit::FsGroup(8), &other)];
        let mut state = State {
            survey: Survey::default(),
            identities: Vec::new(),
            steps,
            tried: BTreeSet::new(),
            rounds: Vec::new(),
            reads: false,
            traces: Once::Not,
            waits: Once::Not,
            held: BTreeMap::new(),
            notes: Vec::new(),
            works: None,
        };
        state.forget(&obstacle);
        let left: Vec<(Edit, bool)> = state.steps.iter().map(|step| (step.edits[0].clone(), step.doubtful)).collect();
        assert_eq!(left, [(edited, true), (Edit::FsGroup(8), false)]);
    }
}
