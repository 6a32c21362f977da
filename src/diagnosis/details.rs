//! What is known beside the refusal, for the remedies.

use super::finding::Finding;
use crate::model::detail::Detail;
use crate::model::launcher::Launcher;
use crate::model::obstacle::{Category, Operation};

/// The details of a message in a log, whatever pattern read it.
pub(super) fn of_message(finding: &Finding, text: &str) -> Vec<Detail> {
    let mut details = named_in(finding.category, text);
    match finding.category {
        Category::IdentitySwitch => {
            details.extend(Launcher::in_message(text).map(Detail::Launcher));
        }
        Category::OwnershipChange => {
            let command = command(finding.operation);
            let is_its_own = |command: &&str| is_printed_by(command, text);
            details.extend(command.filter(is_its_own).map(Detail::Command));
        }
        Category::PodSecurity => {
            details.extend(uid_range(text).map(|range| Detail::UidRange(range.to_owned())));
        }
        _ => {}
    }
    details
}

/// The details of a refused system call; `program` is the path of the one that made it.
pub(super) fn of_call(finding: &Finding, text: &str, program: Option<&str>) -> Vec<Detail> {
    let mut details = named_in(finding.category, text);
    let name = program.and_then(|program| program.rsplit('/').next());
    match finding.category {
        Category::IdentitySwitch => {
            details.extend(name.and_then(Launcher::of_command).map(Detail::Launcher));
        }
        Category::OwnershipChange => {
            let command = command(finding.operation).filter(|command| name == Some(*command));
            details.extend(command.map(Detail::Command));
        }
        _ => {}
    }
    details
}

fn named_in(category: Category, text: &str) -> Vec<Detail> {
    if !may_name_users(category) {
        return Vec::new();
    }
    named_users(text).map(|name| Detail::NamedUser(name.to_owned())).collect()
}

/// Categories for which it matters which user the program wants to be. For the others the path
/// says it.
fn may_name_users(category: Category) -> bool {
    matches!(
        category,
        Category::IdentitySwitch
            | Category::OwnershipChange
            | Category::NotExecutable
            | Category::MissingPasswdEntry
            | Category::ImageRunsAsRoot
            | Category::NonNumericUser
    )
}

/// Words after which a refusal names a user or a group.
const BEFORE_A_NAME: [&str; 14] = [
    "user",
    "group",
    "uid",
    "gid",
    "as",
    "to",
    "setuid",
    "setgid",
    "setgroups",
    "initgroups",
    "username",
    "euid",
    "egid",
    "owner",
];

/// Names of one message that are kept.
const MAX_NAMES: usize = 32;

/// Words that may be the user or the group that the refusal names: `Cannot set gid 101`, `unable to
/// switch to user bind`. Parts of paths are not among them. Whether such a user exists, the
/// accounts of the image tell.
fn named_users(text: &str) -> impl Iterator<Item = &str> {
    let mut words = text
        .split(|c: char| !(c.is_alphanumeric() || "-_/.".contains(c)))
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| !word.is_empty());
    let mut before = words.next();
    let behind_a_noun = words.filter(move |word| {
        let noun = before.replace(word);
        noun.is_some_and(|noun| BEFORE_A_NAME.iter().any(|known| known.eq_ignore_ascii_case(noun)))
    });
    behind_a_noun.take(MAX_NAMES)
}

/// The command that makes the refused call.
fn command(operation: Operation) -> Option<&'static str> {
    match operation {
        Operation::Chown => Some("chown"),
        Operation::Chmod => Some("chmod"),
        _ => None,
    }
}

/// Whether a message is a command's own. A program that makes the call itself begins otherwise.
fn is_printed_by(command: &str, text: &str) -> bool {
    text.trim_start().trim_start_matches("/bin/").starts_with(command)
}

/// The uids that OpenShift's security context constraints allow in the namespace:
/// `must be in the ranges: [1000700000, 1000709999]`.
fn uid_range(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("must be in the ranges: [")?;
    rest.split_once(']').map(|(range, _)| range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_users_and_a_path_does_not() {
        let names = |text: &'static str| named_users(text).collect::<Vec<_>>();
        assert_eq!(names("exec /usr/bin/ping: operation not permitted"), [""; 0]);
        assert_eq!(names("[ALERT] (8) : Cannot set gid 101."), ["101"]);
        assert_eq!(names("setgroups(101): Operation not permitted"), ["101"]);
        assert_eq!(names("unable to change to user 'bind'"), ["change", "user", "bind"]);
    }

    #[test]
    fn a_command_is_known_by_its_message_or_as_the_program_of_the_call() {
        let finding = Finding::new(Operation::Chown, Category::OwnershipChange);
        let by_message = |text| of_message(&finding, text).contains(&Detail::Command("chown"));
        assert!(by_message("chown: changing ownership of '/x': Operation not permitted"));
        assert!(by_message("/bin/chown: /x: Operation not permitted"));
        assert!(!by_message("Couldn't chown \"/x\" [Operation not permitted]"));

        let call = "fchownat(AT_FDCWD, \"/x\", 33, -1, 0) = -1 EPERM (Operation not permitted)";
        let by_call =
            |program| of_call(&finding, call, Some(program)).contains(&Detail::Command("chown"));
        assert!(by_call("/usr/bin/chown"));
        assert!(!by_call("/usr/sbin/server"));
    }

    #[test]
    fn a_launcher_is_known_as_the_program_of_the_call() {
        let finding = Finding::new(Operation::Setgroups, Category::IdentitySwitch);
        let call = "setgroups(1, [7]) = -1 EPERM (Operation not permitted)";
        let launcher = |program: &str| {
            of_call(&finding, call, Some(program)).into_iter().find_map(|detail| match detail {
                Detail::Launcher(launcher) => Some(launcher.command),
                _ => None,
            })
        };
        assert_eq!(launcher("/usr/local/bin/gosu"), Some("gosu"));
        assert_eq!(launcher("/usr/sbin/named"), None);
    }

    #[test]
    fn openshift_names_the_uids_of_the_namespace() {
        let text = "runAsUser: Invalid value: 7: must be in the ranges: [1000700000, 1000709999]]";
        assert_eq!(uid_range(text), Some("1000700000, 1000709999"));
    }
}
