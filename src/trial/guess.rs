//! Where nothing that a run said leads on.

use std::collections::BTreeMap;

use super::Trial;
use super::rounds::State;
use super::watch::{End, Run};
use crate::model::edit::{Edit, Fill};
use crate::model::facts::Facts;
use crate::model::inside::Inode;
use crate::model::obstacle::{Category, Evidence, Obstacle, Operation};
use crate::remedy::{Level, Proposal};

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
            .filter_map(|name| Some((name.clone(), unsaid(state.survey.facts.get(name)?))))
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

/// Directories that are made on a guess: each is left out again for a round.
const MOST_MISSING: usize = 4;

/// What a program may be refused without a word: a low port, a home, and the places where it writes by custom or by what
/// it names itself.
fn unsaid(facts: &Facts) -> Vec<Proposal> {
    let mut found = vec![Proposal {
        remedy: "sysctl",
        level: Level::Pod,
        summary: "let it listen on every port: nothing tells which it wants".to_owned(),
        edits: vec![Edit::Sysctl { name: "net.ipv4.ip_unprivileged_port_start".to_owned(), value: "0".to_owned() }],
    }];
    let home = facts.accounts.iter().find(|account| account.uid == facts.uid).map(|account| account.home.as_str());
    let is_home = home.and_then(|home| facts.inode(&facts.resolved(home))).is_some_and(|inode| inode.uid == facts.uid);
    if !is_home {
        let variable =
            Edit::Env { container: facts.container.clone(), name: "HOME".to_owned(), value: "/tmp".to_owned() };
        found.push(Proposal {
            remedy: "env",
            level: Level::Env,
            summary: "set HOME=/tmp, which every user may write".to_owned(),
            edits: vec![variable],
        });
    }
    found.extend(private_groups(facts).into_iter().map(|(gid, path)| Proposal {
        remedy: "supplemental-groups",
        level: Level::Pod,
        summary: format!("join group {gid}, which may read {path}"),
        edits: vec![Edit::SupplementalGroup(gid)],
    }));
    found.extend(
        facts.missing_places().into_iter().filter(|place| facts.mount(place).is_none()).take(MOST_MISSING).map(
            |place| Proposal {
                remedy: "empty-dir",
                level: Level::Pod,
                summary: format!("mount an emptyDir at {place}, which it names and the image has not"),
                edits: vec![Edit::Directory { container: facts.container.clone(), path: place, fill: Fill::Empty }],
            },
        ),
    );
    if !facts.has_shell {
        return found;
    }
    let mut places = facts.usual_places();
    places.extend(facts.named_places());
    places.sort();
    places.dedup();
    places.retain(|place| {
        let refused = |inode| !facts.may((facts.uid, facts.gid), inode, 2);
        facts.mount(place).is_none() && facts.inode(place).is_some_and(refused)
    });
    found.extend(places.into_iter().map(|place| {
        let is_hidden = |inode: &Inode| !inode.is_symlink() && !facts.may((facts.uid, facts.gid), inode, 4);
        let fill = match facts.has_content(&place) {
            true if facts.entries(&place).any(is_hidden) => Fill::Readable,
            true => Fill::Copy,
            false => Fill::Empty,
        };
        Proposal {
            remedy: "seeded-empty-dir",
            level: Level::Pod,
            summary: format!("make {place} writable, where it may want to write"),
            edits: vec![Edit::Directory { container: facts.container.clone(), path: place, fill }],
        }
    }));
    found
}

/// The groups that may read what the user may not of the program's own directory in /etc, such as keys, each with a file.
fn private_groups(facts: &Facts) -> BTreeMap<u32, String> {
    let is_own = |inode: &Inode| {
        let rest = inode.path.strip_prefix("/etc/").and_then(|rest| rest.split_once('/'));
        rest.is_some_and(|(dir, _)| facts.names.iter().any(|name| name == dir))
    };
    let is_private = |inode: &&Inode| {
        let group_reads = inode.mode >> 3 & 4 == 4;
        inode.is_file() && group_reads && !facts.may((facts.uid, facts.gid), inode, 4) && is_own(inode)
    };
    facts.inodes.iter().filter(is_private).map(|inode| (inode.gid, inode.path.clone())).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_opened_by_their_group() {
        let inode =
            |path: &str, mode: u32, gid: u32| Inode { path: path.to_owned(), mode, uid: 0, gid, size: 1, target: None };
        let inodes = vec![
            inode("/etc/dns/server.key", 0o100_640, 0),
            inode("/etc/dns/zone", 0o100_644, 0),
            inode("/etc/dns/secret", 0o100_600, 7),
            inode("/etc/other/server.key", 0o100_640, 5),
        ];
        let facts = Facts { uid: 9, gid: 9, names: vec!["dns".to_owned()], inodes, ..Facts::default() };
        assert_eq!(private_groups(&facts), BTreeMap::from([(0, "/etc/dns/server.key".to_owned())]));
        let groups = |facts: &Facts| unsaid(facts).iter().filter(|one| one.remedy == "supplemental-groups").count();
        assert_eq!((groups(&facts), groups(&Facts { groups: vec![0], ..facts })), (1, 0));
    }
}
