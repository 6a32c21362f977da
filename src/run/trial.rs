//! Drives a search: what it asks is looked up, what it wants to try is run, until it is done.

use std::time::{Duration, Instant};

use super::control::Control;
use super::{Progress, Trial, pod, strace};
use crate::error::Error;
use crate::evidence::cluster::Right;
use crate::model::behaviour::Behaviour;
use crate::model::obstacle::Obstacle;
use crate::model::plan::{Plan, Proof};
use crate::search::{
    Attempt, End, News, Next, Observations, Outcome, RemedyDecision, Search, SearchInput, Used,
};

/// A plan, and what its trial showed.
#[derive(Debug, Clone, PartialEq)]
pub struct Proven {
    pub plan: Plan,
    pub proof: Proof,
}

/// What a trial cannot do without.
const NEEDED: &[Right] = &[
    Right { group: "", verb: "create", resource: "pods", subresource: None },
    Right { group: "", verb: "get", resource: "pods", subresource: None },
    Right { group: "", verb: "list", resource: "pods", subresource: None },
    Right { group: "", verb: "watch", resource: "pods", subresource: None },
    Right { group: "", verb: "delete", resource: "pods", subresource: None },
    Right { group: "", verb: "get", resource: "pods", subresource: Some("log") },
];

/// What it learns and proves more with, and what it does not do without that. A WebSocket is opened
/// by GET, so the API server asks for `get` of a subresource, and since 1.35 for `create` too.
const OPTIONAL: &[(&[Right], &str)] = &[
    (
        &[
            Right { group: "", verb: "create", resource: "pods", subresource: Some("exec") },
            Right { group: "", verb: "get", resource: "pods", subresource: Some("exec") },
        ],
        "nothing is looked at from inside, and no command of a check runs: more rounds, and guesses",
    ),
    (
        &[
            Right { group: "", verb: "create", resource: "pods", subresource: Some("portforward") },
            Right { group: "", verb: "get", resource: "pods", subresource: Some("portforward") },
        ],
        "no port is asked",
    ),
    (
        &[Right { group: "", verb: "patch", resource: "pods", subresource: None }],
        "no second start is tried",
    ),
];

impl Trial<'_> {
    /// Runs what the search wants until the pod works, nothing is left to try, or the bounds of the
    /// options are met.
    ///
    /// # Errors
    /// The cluster does not answer, or does not let us run the trial. A workload that cannot be
    /// made to work is none: its proof says what remains.
    pub async fn prove(&self) -> Result<Proven, Error> {
        let begin = Instant::now();
        self.check_rights().await?;
        self.create_owner().await?;
        let limits = self.proof_limits().await;
        let (observed, control) = tokio::join!(self.observe(), self.control(self.object));
        let (control, missing) = match control {
            Ok(control) => (Some(control), None),
            Err(why) => (None, Some(why)),
        };
        let mut search = self.search(Vec::new(), observed?, control.as_ref())?;
        let control = control.map(|control| control.behaviour);
        loop {
            match search.next() {
                Next::Learn(questions) => {
                    let answers = self.answers(&search, questions).await;
                    search.learned(answers);
                }
                Next::Run(_) if begin.elapsed() >= self.options.timeout => search.stop(),
                Next::Run(attempt) => {
                    self.tell(&mut search);
                    self.round(&mut search, &attempt, control.as_ref()).await?;
                }
                Next::Done => break,
            }
            self.tell(&mut search);
        }
        let (ready, works) = (search.is_ready(), search.is_proven());
        let (rounds, remaining, used) = search.proof();
        let Used { mut notes, checks, gaps, .. } = used;
        notes.extend(limits);
        let not_checked = missing.into_iter().chain(gaps).collect();
        let seconds = begin.elapsed().as_secs();
        let proof = Proof { ready, works, rounds, seconds, remaining, notes, checks, not_checked };
        Ok(Proven { plan: search.plan(self.pod_of_today()), proof })
    }

    /// The plan as far as what runs and what failed tells, without a trial: nothing is written to
    /// the cluster.
    ///
    /// # Errors
    /// The pod template cannot be parsed.
    pub async fn plan(&self, failed: Vec<Obstacle>) -> Result<Plan, Error> {
        let mut search = self.search(failed, self.observe().await?, None)?;
        self.look_up(&mut search).await;
        self.tell(&mut search);
        Ok(search.plan(self.pod_of_today()))
    }

    /// What would remove each of some obstacles, by itself, as far as what runs and the images tell:
    /// nothing is written to the cluster.
    ///
    /// # Errors
    /// The pod template cannot be parsed.
    pub async fn decide(&self, obstacles: &[Obstacle]) -> Result<Vec<RemedyDecision>, Error> {
        let mut search = self.search(Vec::new(), self.observe().await?, None)?;
        self.look_up(&mut search).await;
        let mut decisions = Vec::with_capacity(obstacles.len());
        for obstacle in obstacles {
            let mut decision = search.decide(obstacle);
            while let RemedyDecision::Learn(questions) = decision {
                let answers = self.answers(&search, questions).await;
                search.learned(answers);
                decision = search.decide(obstacle);
            }
            decisions.push(decision);
        }
        Ok(decisions)
    }

    /// Looks up what a search that runs nothing asks, until it is done.
    async fn look_up(&self, search: &mut Search<'_>) {
        while let Next::Learn(questions) = search.next() {
            let answers = self.answers(search, questions).await;
            search.learned(answers);
        }
    }

    /// The search, with what can be observed before it begins.
    fn search(
        &self,
        failed: Vec<Obstacle>,
        (mut observed, mut startup_time): (Observations, Duration),
        control: Option<&Control>,
    ) -> Result<Search<'_>, Error> {
        if let Some(Control { behaviour, startup_time: of_control, users }) = control {
            observed.take(behaviour, users);
            startup_time = startup_time.max(*of_control);
        }
        let input = SearchInput {
            observed,
            traces: &self.traces,
            images: &self.images,
            configurations: &self.configurations,
            failed,
            startup_time,
        };
        Search::new(self.object, self.options.search.clone(), input)
            .map_err(|why| Error::input("read the pod template", why))
    }

    async fn round(
        &self,
        search: &mut Search<'_>,
        attempt: &Attempt,
        control: Option<&Behaviour>,
    ) -> Result<(), Error> {
        let number = search.rounds() + 1;
        (self.progress)(Progress::Running(number));
        let mut copy = self.copy(&attempt.object, &self.pod_name(&number.to_string()));
        if let Some(container) = &attempt.read_log_files_of {
            copy = pod::with_reader(&copy, container);
        }
        if let Some(container) = &attempt.strace {
            let facts = search.facts(container).zip(self.options.strace_image.as_ref());
            match facts.and_then(|(facts, image)| strace::under(&copy, container, image, facts)) {
                Some(traced) => copy = traced,
                None => (self.progress)(Progress::Note(format!(
                    "container {container} is not traced: nothing tells what its image runs"
                ))),
            }
        }
        let begin = Instant::now();
        let outcome = self.run(&copy, search, attempt.startup_time, control).await?;
        let outcome = Outcome { seconds: begin.elapsed().as_secs(), ..outcome };
        let end: End = outcome.end;
        let round = search.ran(outcome);
        (self.progress)(Progress::Ended(number, end, round));
        Ok(())
    }

    /// Hands on what the search has to tell.
    fn tell(&self, search: &mut Search<'_>) {
        for news in search.news() {
            match news {
                News::Adding(step) => (self.progress)(Progress::Adding(&step)),
                News::LeavingOut(step) => (self.progress)(Progress::LeavingOut(&step)),
                News::Note(note) => (self.progress)(Progress::Note(note)),
            }
        }
    }

    fn pod_of_today(&self) -> Option<&str> {
        self.root_pod.as_ref().map(|(_, pod)| pod.as_str())
    }

    /// Asks before the first pod which rights are there, and notes what is not done without one.
    ///
    /// # Errors
    /// One is missing that a trial needs.
    pub(super) async fn check_rights(&self) -> Result<(), Error> {
        let optional = OPTIONAL.iter().flat_map(|(rights, _)| *rights);
        let asked: Vec<Right> = NEEDED.iter().chain(optional).copied().collect();
        let missing = self.cluster()?.missing(&self.namespace, &asked).await;
        let among_missing = |rights: &[Right]| -> Vec<String> {
            let missing = rights.iter().filter(|right| missing.contains(right));
            missing.map(Right::to_string).collect()
        };
        for (rights, without) in OPTIONAL {
            let rights = among_missing(rights);
            if !rights.is_empty() {
                let note = format!("without the right to {} {without}", rights.join(" and to "));
                (self.progress)(Progress::Note(note));
            }
        }
        let needed = among_missing(NEEDED);
        if needed.is_empty() {
            return Ok(());
        }
        let attempted = format!("run a trial in namespace {}", self.namespace);
        Err(Error::remote(attempted, format!("you may not {} there", needed.join(", ")))
            .help("docs/rbac.md has a Role with all that a trial needs"))
    }
}
