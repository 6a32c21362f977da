//! Give the program a home that it may write.

use super::{Proposal, Remedy, RemedyLayer};
use crate::model::detail::Detail;
use crate::model::edit::Edit;
use crate::model::facts::Facts;
use crate::model::obstacle::{Category, Obstacle};

pub(super) const REMEDY: Remedy = Remedy {
    id: "env",
    layer: RemedyLayer::Env,
    title: "Set HOME",
    explain: "A uid without an entry in /etc/passwd gets `HOME=/`, which nobody but root may write, so caches and \
              settings fail at paths such as /.cache. Set HOME to a directory that the user may write; /tmp is one in \
              nearly every image.",
    removes: &[Category::HomeUnwritable, Category::MissingPasswdEntry, Category::UnwritablePath],
    suggest,
    propose: Some(propose),
};

fn suggest(obstacle: &Obstacle) -> Option<String> {
    // getpass.getuser() of Python looks at these before it looks the uid up.
    if obstacle.category == Category::MissingPasswdEntry {
        let is_python = obstacle.details.contains(&Detail::PythonUserLookup);
        return is_python.then(|| {
            "set the environment variables USER and LOGNAME to any name: Python looks at them before it looks the uid up".to_owned()
        });
    }
    (obstacle.category == Category::HomeUnwritable
        || obstacle.category == Category::UnwritablePath && is_of_home(obstacle))
    .then(|| {
        "set the environment variable HOME to a directory that the user may write, such as /tmp"
            .to_owned()
    })
}

fn propose(obstacle: &Obstacle, facts: &Facts) -> Vec<Proposal> {
    let applies = match obstacle.category {
        Category::UnwritablePath => is_of_home(obstacle),
        _ => true,
    };
    if applies { vec![home(facts)] } else { Vec::new() }
}

/// A home, unless the user has one of its own.
pub(super) fn speculative(facts: &Facts) -> Vec<Proposal> {
    let account = facts.accounts.iter().find(|account| account.uid == facts.uid);
    let inode = account.and_then(|account| facts.inode(&facts.resolved(&account.home)));
    if inode.is_some_and(|home| home.uid == facts.uid) { Vec::new() } else { vec![home(facts)] }
}

fn home(facts: &Facts) -> Proposal {
    let (container, name, value) = (facts.container.clone(), "HOME".to_owned(), "/tmp".to_owned());
    REMEDY.proposal(
        "set HOME=/tmp, which every user may write".to_owned(),
        vec![Edit::Env { container, name, value }],
    )
}

/// A hidden file or directory right below the root, or anything below a home of root's.
fn is_of_home(obstacle: &Obstacle) -> bool {
    obstacle
        .path
        .as_deref()
        .is_some_and(|path| path.starts_with("/.") || path.starts_with("/root/") || path == "/root")
}
