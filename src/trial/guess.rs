//! Where nothing that a run said leads on.

use super::Trial;
use super::rounds::State;
use super::watch::{End, Run};
use crate::model::edit::Edit;
use crate::model::obstacle::{Category, Evidence, Obstacle, Operation};
use crate::remedy::{self, Level, Proposal};

impl Trial<'_> {
    /// Takes up at once all that may be refused in silence, then another identity, and at last root in a user namespace.
    /// What is not needed is left out again when the pod works.
    pub(super) async fn guess(&self, state: &mut State, run: &Run) -> Option<String> {
        let obstacle = run.obstacles.first().cloned().unwrap_or_else(|| silence(run.end));
        if state.steps.iter().any(|step| step.edits.contains(&Edit::UserNamespace)) {
            return None;
        }
        // What a container said is about that one; init containers that said nothing are done.
        let containers: Vec<String> =
            match obstacle.container.clone().filter(|name| state.survey.facts.contains_key(name)) {
                Some(name) => vec![name],
                None => state.survey.facts.keys().filter(|name| !self.is_init(name)).cloned().collect(),
            };
        for container in &containers {
            let planned = self.planned(state);
            self.ask(&mut state.survey, &planned, container).await;
        }
        let silent: Vec<(String, Proposal)> = containers
            .iter()
            .filter_map(|name| Some((name.clone(), remedy::unsaid(state.survey.facts.get(name)?))))
            .flat_map(|(name, proposals)| proposals.into_iter().map(move |proposal| (name.clone(), proposal)))
            .collect();
        let mut added = Vec::new();
        for (container, proposal) in silent {
            let is_port = |edit: &Edit| matches!(edit, Edit::Sysctl { .. });
            let has_port = state.steps.iter().flat_map(|step| &step.edits).any(is_port);
            if state.tried.contains(&proposal.edits)
                || !self.is_wanted(&proposal)
                || has_port && proposal.edits.iter().any(is_port)
            {
                continue;
            }
            added.push(proposal.summary.clone());
            self.add_guess(state, &Obstacle { container: Some(container), ..obstacle.clone() }, proposal);
        }
        if !added.is_empty() {
            return Some(added.join("; "));
        }
        for container in &containers {
            let facts = state.survey.facts.get(container)?;
            let run_as = |(uid, gid): (u32, u32), why: &str| Proposal {
                remedy: "identity",
                level: Level::Pod,
                summary: format!("run as {uid}:{gid}: {why}"),
                edits: vec![Edit::RunAs { container: Some(container.clone()), uid, gid }],
            };
            // Whoever has the volume too may be whose files are closed to it.
            let mount = obstacle.path.as_deref().and_then(|path| facts.mount(path));
            let beside = mount.map(|mount| mount.beside.as_slice()).unwrap_or_default();
            let others = state.identities.iter().filter(|(name, _)| beside.contains(name));
            let others = others.map(|(name, other)| {
                run_as((other.uid, other.gid), &format!("{name} does, which shares a volume with it"))
            });
            // It began as the first of them.
            let candidates = facts.candidates.iter().skip(1);
            let mut identities =
                others.chain(candidates.map(|candidate| run_as((candidate.uid, candidate.gid), &candidate.why)));
            let now = Edit::RunAs { container: Some(container.clone()), uid: facts.uid, gid: facts.gid };
            let next = identities.find(|proposal| {
                !proposal.edits.contains(&now) && self.is_wanted(proposal) && !state.tried.contains(&proposal.edits)
            });
            if let Some(proposal) = next {
                let summary = proposal.summary.clone();
                self.add_guess(state, &Obstacle { container: Some(container.clone()), ..obstacle }, proposal);
                return Some(summary);
            }
        }
        let root =
            containers.iter().map(|container| Edit::RunAs { container: Some(container.clone()), uid: 0, gid: 0 });
        let namespace = Proposal {
            remedy: "user-namespace",
            level: Level::Pod,
            summary: "keep root inside and nobody outside, in a user namespace: nothing else worked".to_owned(),
            edits: std::iter::once(Edit::UserNamespace).chain(root).collect(),
        };
        if state.tried.contains(&namespace.edits) || !self.is_wanted(&namespace) {
            return None;
        }
        let summary = namespace.summary.clone();
        self.add_guess(state, &obstacle, namespace);
        Some(summary)
    }

    fn add_guess(&self, state: &mut State, obstacle: &Obstacle, proposal: Proposal) {
        state.add(obstacle, proposal, self.progress);
        if let Some(step) = state.steps.last_mut() {
            step.doubtful = true;
        }
    }
}

/// An obstacle for what was not said.
pub(super) fn silence(end: End) -> Obstacle {
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
