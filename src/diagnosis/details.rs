//! What a message says beside the refusal, for the remedies.

use super::finding::Finding;
use crate::model::detail::Detail;
use crate::model::launcher::Launcher;
use crate::model::obstacle::{Category, Operation};

/// The details that the text of a finding has, whatever pattern read it.
pub(super) fn in_text(finding: &Finding, text: &str) -> Vec<Detail> {
    let mut details = Vec::new();
    if finding.category == Category::IdentitySwitch {
        details.extend(Launcher::in_message(text).map(Detail::Launcher));
    }
    if may_name_users(finding.category) {
        details.extend(named_users(text).map(|name| Detail::NamedUser(name.to_owned())));
    }
    if finding.category == Category::OwnershipChange {
        details.extend(command(finding.operation, text).map(Detail::Command));
    }
    if finding.category == Category::PodSecurity {
        details.extend(uid_range(text).map(|range| Detail::UidRange(range.to_owned())));
    }
    details
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

/// chown(1) or chmod(1), where the message is the command's own: a program that makes the call
/// itself begins otherwise.
fn command(operation: Operation, text: &str) -> Option<&'static str> {
    let command = match operation {
        Operation::Chown => "chown",
        Operation::Chmod => "chmod",
        _ => return None,
    };
    text.trim_start().trim_start_matches("/bin/").starts_with(command).then_some(command)
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
    fn a_command_speaks_for_itself() {
        let chown = |text| command(Operation::Chown, text);
        assert_eq!(chown("chown: changing ownership of '/x'"), Some("chown"));
        assert_eq!(chown("/bin/chown: /x: Operation not permitted"), Some("chown"));
        assert_eq!(chown("Couldn't chown \"/x\" [Operation not permitted]"), None);
    }

    #[test]
    fn openshift_names_the_uids_of_the_namespace() {
        let text = "runAsUser: Invalid value: 7: must be in the ranges: [1000700000, 1000709999]]";
        assert_eq!(uid_range(text), Some("1000700000, 1000709999"));
    }
}
