//! Run as the user that the program's files belong to.

use super::{Proposal, Remedy, RemedyLayer};
use crate::model::accounts::Account;
use crate::model::detail::Demand;
use crate::model::edit::Edit;
use crate::model::facts::Facts;
use crate::model::filesystem::Permission;
use crate::model::identity::Candidate;
use crate::model::obstacle::{Category, Errno, Obstacle, Operation};

pub(super) const REMEDY: Remedy = Remedy {
    id: "identity",
    layer: RemedyLayer::Pod,
    title: "Run as the program's own user",
    explain: "Set `runAsUser` and `runAsGroup` to the user that the image made for the program. Its directories and \
              its private files are already that user's, a chown to oneself and a setuid to oneself are allowed, and \
              the user has an entry in /etc/passwd. For a third of the programs that images run as root this is the \
              whole change. The group counts as much as the user: a file of root's with mode 0640 is open to its group.",
    removes: &[
        Category::UnwritablePath,
        Category::OwnershipChange,
        Category::IdentitySwitch,
        Category::UnreadableFile,
        Category::NotExecutable,
        Category::MissingPasswdEntry,
        Category::ImageRunsAsRoot,
        Category::NonNumericUser,
        Category::HomeUnwritable,
        Category::VolumeOwnership,
    ],
    suggest,
    propose: Some(propose),
};

fn suggest(obstacle: &Obstacle) -> Option<String> {
    let path = obstacle.path.as_deref();
    match obstacle.category {
        Category::IdentitySwitch => Some(
            "start as the user that it wants to become: runAsUser and runAsGroup of that user's entry in the image's \
             /etc/passwd, so that it has nothing left to switch"
                .to_owned(),
        ),
        Category::OwnershipChange => Some(match path {
            Some(path) => format!("run as the user that {path} shall belong to: a chown to oneself is allowed"),
            None => "run as the user that the files shall belong to: a chown to oneself is allowed".to_owned(),
        }),
        Category::MissingPasswdEntry => {
            Some("set runAsUser to a uid that the image's /etc/passwd has, best the program's own".to_owned())
        }
        Category::ImageRunsAsRoot => Some(
            "set runAsUser and runAsGroup to the number of a user other than root, best one of the image's own"
                .to_owned(),
        ),
        Category::NonNumericUser => {
            Some("set runAsUser to the number that the image's /etc/passwd gives its USER".to_owned())
        }
        // What the node has and what lies in root's home is root's.
        Category::UnwritablePath | Category::UnreadableFile
            if path.is_some_and(|path| path.starts_with("/root/") || super::is_of_node(path)) =>
        {
            None
        }
        // These are everybody's, or nobody's.
        Category::UnwritablePath if path.is_some_and(super::is_for_everybody) => None,
        Category::UnwritablePath | Category::UnreadableFile => match path {
            Some(path) => Some(format!(
                "set runAsUser and runAsGroup to the owner of {path}, if the image gives it to a user other than root"
            )),
            None => Some("run as the user that the image made for the program, if it has one".to_owned()),
        },
        Category::HomeUnwritable => {
            let name = path?.strip_prefix("/home/")?.split('/').next().filter(|name| !name.is_empty())?;
            Some(format!(
                "run as {name}, whose home it is: set runAsUser and runAsGroup to the numbers that the image's /etc/passwd has \
                 for that name"
            ))
        }
        Category::VolumeOwnership if obstacle.demand() == Some(Demand::Owner) => {
            Some(format!("set runAsUser to the owner of {}, if that is a user other than root", path.unwrap_or("it")))
        }
        _ => None,
    }
}

fn propose(obstacle: &Obstacle, facts: &Facts) -> Vec<Proposal> {
    // Whoever executes a file whose capability was taken away is refused; mode bits are another
    // matter.
    if obstacle.category == Category::NotExecutable && obstacle.errno != Some(Errno::Eacces) {
        return Vec::new();
    }
    let now = (facts.uid, facts.gid);
    let mut candidates: Vec<Candidate> = Vec::new();
    if let Some(owner) = obstacle.path.as_deref().and_then(|path| owner(path, obstacle, facts)) {
        candidates.push(owner);
    }
    let by_path = matches!(
        obstacle.category,
        Category::UnwritablePath
            | Category::UnreadableFile
            | Category::HomeUnwritable
            | Category::VolumeOwnership
    );
    if !by_path {
        candidates.extend(named(obstacle, facts));
        // Whoever ranks below the present user is a guess, for when no other remedy is left.
        let better =
            facts.candidates.iter().take_while(|candidate| (candidate.uid, candidate.gid) != now);
        candidates.extend(better.cloned());
    }
    if facts.user_is_a_guess {
        candidates.extend(facts.candidates.first().cloned());
        return candidates.into_iter().map(|candidate| proposal(&candidate, facts)).collect();
    }
    candidates.retain(|candidate| (candidate.uid, candidate.gid) != now);
    candidates.into_iter().map(|candidate| proposal(&candidate, facts)).collect()
}

fn proposal(candidate: &Candidate, facts: &Facts) -> Proposal {
    let Candidate { uid, gid, groups, why, .. } = candidate;
    let mut proposal = run_as(&facts.container, (*uid, *gid), why);
    proposal.edits.extend(groups.iter().map(|group| Edit::SupplementalGroup(*group)));
    proposal
}

/// Another user for a container, whatever was refused.
#[must_use]
pub fn run_as(container: &str, (uid, gid): (u32, u32), why: &str) -> Proposal {
    let edit = Edit::RunAs { container: Some(container.to_owned()), uid, gid };
    REMEDY.proposal(format!("run as {uid}:{gid}: {why}"), vec![edit])
}

/// The user other than root who may do at a path what was refused.
fn owner(path: &str, obstacle: &Obstacle, facts: &Facts) -> Option<Candidate> {
    let path = facts.resolved(path);
    if facts.mount(&path).is_some() {
        return None;
    }
    let there = facts.existing(&path).filter(|there| there.inode.uid != 0)?;
    let writes =
        obstacle.category != Category::UnreadableFile && obstacle.operation != Operation::Exec;
    let account = facts.accounts.iter().find(|account| account.uid == there.inode.uid);
    let gid = account.map_or(there.inode.gid, |account| account.gid);
    let wanted = if writes { Permission::WRITE } else { Permission::READ };
    facts.may((there.inode.uid, gid), &there.inode, wanted).then(|| Candidate {
        uid: there.inode.uid,
        gid,
        why: match account {
            Some(account) => format!("{} belongs to {}", there.path, account.name),
            None => format!("{} belongs to this uid", there.path),
        },
        ..Candidate::default()
    })
}

/// The accounts of the image that the refusal itself names.
fn named(obstacle: &Obstacle, facts: &Facts) -> Vec<Candidate> {
    let is_named = |account: &&Account| {
        let is_it = |word: &str| {
            word == account.name
                || word.parse() == Ok(account.uid)
                || word.parse() == Ok(account.gid)
        };
        account.uid != 0 && obstacle.named_users().any(is_it)
    };
    let found = facts.accounts.iter().filter(is_named).map(|account| Candidate {
        uid: account.uid,
        gid: account.gid,
        why: format!("the refusal names {}", account.name),
        ..Candidate::default()
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::detail::Detail;

    #[test]
    fn a_refusal_names_an_account_by_name_uid_or_gid() {
        let account = |name: &str, uid: u32, gid: u32| Account {
            name: name.to_owned(),
            uid,
            gid,
            home: String::new(),
            shell: String::new(),
        };
        let facts = Facts {
            accounts: vec![account("root", 0, 0), account("mail", 8, 8), account("bind", 100, 101)],
            ..Facts::default()
        };
        let uids = |name: &str| {
            let obstacle = Obstacle {
                details: vec![Detail::NamedUser(name.to_owned())],
                ..Obstacle::new(Operation::Setgid, Category::IdentitySwitch)
            };
            named(&obstacle, &facts).into_iter().map(|one| one.uid).collect::<Vec<_>>()
        };
        assert_eq!(uids("bind"), [100]);
        assert_eq!(uids("101"), [100]);
        assert_eq!(uids("8"), [8]);
        assert_eq!(uids("root"), [0; 0]);
        assert_eq!(uids("nobody"), [0; 0]);
    }
}
