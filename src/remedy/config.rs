//! Take the line out of a configuration file that asks for a privilege.

use super::{Proposal, Remedy, RemedyLayer};
use crate::model::edit::Edit;
use crate::model::facts::Facts;
use crate::model::obstacle::{Category, Obstacle, Operation};

pub(super) const REMEDY: Remedy = Remedy {
    id: "config",
    layer: RemedyLayer::Config,
    title: "Take the request for a privilege out of the configuration",
    explain: "A server that changes its root directory, its user or its groups usually does so because a line of its \
              configuration says so. A container that starts as the right user, on a file system of its own, needs none \
              of it. An init container makes a copy of the file without the line, which is mounted over the original \
              with `subPath`; a ConfigMap with the whole file does the same.",
    removes: &[Category::CapabilityMissing, Category::IdentitySwitch, Category::OwnershipChange],
    suggest,
    propose: Some(propose),
};

fn suggest(obstacle: &Obstacle) -> Option<String> {
    Some(match obstacle.category {
        Category::OwnershipChange
            if obstacle.command().is_some() || obstacle.operation != Operation::Chown =>
        {
            return None;
        }
        Category::OwnershipChange => {
            "mount a copy of its configuration without the line that names the user to whom it gives its files"
                .to_owned()
        }
        Category::IdentitySwitch => {
            "mount a copy of its configuration without the line that makes it change its user or its groups".to_owned()
        }
        _ => "mount a copy of its configuration without the line that asks for what needs the capability".to_owned(),
    })
}

fn propose(obstacle: &Obstacle, facts: &Facts) -> Vec<Proposal> {
    if !facts.has_shell {
        return Vec::new();
    }
    if obstacle.category == Category::OwnershipChange && suggest(obstacle).is_none() {
        return Vec::new();
    }
    // What is given away is not what the line names.
    let path = obstacle.path.as_deref().filter(|_| obstacle.category != Category::OwnershipChange);
    let speaks = |line: &str| path.is_none_or(|path| line.contains(path.trim_end_matches('/')));
    // A line that names the same path is the one; without one, each that has the word, the
    // program's own files first.
    let mut named: Vec<&(String, String)> =
        facts.directives.iter().filter(|(_, line)| speaks(line)).collect();
    named.sort_by_key(|(file, _)| !facts.names.iter().any(|name| file.contains(name.as_str())));
    let mut proposals: Vec<Proposal> = Vec::new();
    for (file, line) in named {
        let line = line.trim();
        let word: String =
            line.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
        let edit = Edit::EditedFile {
            container: facts.container.clone(),
            path: file.clone(),
            sed: format!("/^[[:space:]]*{}[[:space:]=:]/d", word.replace('.', "[.]")),
        };
        if !word.is_empty() && !proposals.iter().any(|known| known.edits.contains(&edit)) {
            let summary = format!("take the line {line:?} out of a copy of {file}");
            proposals.push(REMEDY.proposal(summary, vec![edit]));
        }
    }
    proposals
}

/// Words that begin the line of a configuration file which asks for what was refused; `None` where
/// no line does.
#[must_use]
pub fn directives(obstacle: &Obstacle) -> Option<&'static [&'static str]> {
    match obstacle.category {
        Category::CapabilityMissing if obstacle.capability.as_deref() == Some("SYS_CHROOT") => {
            Some(&[
                "chroot",
                "chrootdir",
                "chroot_dir",
                "chroot-dir",
                "chrootdirectory",
                "chroot_directory",
            ])
        }
        // A program gives its files to the user whom it was told to become.
        Category::IdentitySwitch | Category::OwnershipChange => Some(&[
            "user",
            "group",
            "username",
            "groupname",
            "setuid",
            "setgid",
            "uid",
            "gid",
            "run_as",
            "runas",
            "run_as_user",
            "run_as_group",
        ]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::detail::Detail;

    #[test]
    fn a_program_that_gives_files_away_was_told_to_whom() {
        let refused = |details: Vec<Detail>| Obstacle {
            path: Some("/run/web.pid".to_owned()),
            details,
            ..Obstacle::new(Operation::Chown, Category::OwnershipChange)
        };
        let directives = vec![
            ("/etc/other.conf".to_owned(), "user www".to_owned()),
            ("/etc/web/web.conf".to_owned(), "  user root".to_owned()),
        ];
        let facts = Facts {
            has_shell: true,
            names: vec!["web".to_owned()],
            directives,
            ..Facts::default()
        };
        let proposals = propose(&refused(Vec::new()), &facts);
        let summaries: Vec<&str> =
            proposals.iter().map(|proposal| proposal.summary.as_str()).collect();
        // The program's own file first.
        assert_eq!(
            summaries,
            [
                "take the line \"user root\" out of a copy of /etc/web/web.conf",
                "take the line \"user www\" out of a copy of /etc/other.conf"
            ]
        );
        let of_a_script = refused(vec![Detail::Command("chown")]);
        assert_eq!(propose(&of_a_script, &facts), [], "no file told the command");
        assert_eq!(suggest(&of_a_script), None);
    }
}
