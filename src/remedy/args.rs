//! Take away the argument that asks for a privilege, or give the one that does without.

use super::{Proposal, Remedy, RemedyLayer};
use crate::model::edit::Edit;
use crate::model::facts::{CommandOption, Facts};
use crate::model::launcher::Launcher;
use crate::model::obstacle::{Category, Obstacle};

pub(super) const REMEDY: Remedy = Remedy {
    id: "args",
    layer: RemedyLayer::Args,
    title: "Take the request for a privilege out of the arguments",
    explain: "Many servers change their user, their groups or their root directory because an argument says so: \
              `-u`, `--user`, `--chroot`. A container that starts as the right user, on a file system of its own, needs \
              none of it. Others insist on root, and have an option that lets them do without: their own `--help` tells \
              which. Where the image's entrypoint is a script that gives the arguments, an init container makes a copy \
              of the script with others, which is mounted over it.",
    removes: &[Category::IdentitySwitch, Category::CapabilityMissing, Category::OwnershipChange],
    suggest,
    propose: Some(propose),
};

fn suggest(obstacle: &Obstacle) -> Option<String> {
    Some(match obstacle.category {
        Category::IdentitySwitch => "take the argument out that makes it change its user or its groups".to_owned(),
        Category::OwnershipChange => {
            "take the step out that changes the owner: with the right user there is nothing to change".to_owned()
        }
        _ => "take the argument out that asks for what needs the capability".to_owned(),
    })
}

/// Options whose value is a user, a group or a root directory, by the names that daemons give them.
const ASKING: [&str; 16] = [
    "-u",
    "-g",
    "--user",
    "--group",
    "--username",
    "--groupname",
    "--uid",
    "--gid",
    "--setuid",
    "--setgid",
    "-user",
    "-group",
    "--run-as",
    "--runas",
    "--chroot",
    "--chuid",
];

fn propose(obstacle: &Obstacle, facts: &Facts) -> Vec<Proposal> {
    let container = &facts.container;
    let proposal = |summary: String, command: Vec<String>, args: Vec<String>| {
        REMEDY
            .proposal(summary, vec![Edit::Command { container: container.clone(), command, args }])
    };
    let mut proposals = Vec::new();
    // The first word is the program; where it is in `args`, the image's entrypoint is before it.
    let (command, taken) = without_asking(&facts.command, 1);
    let (args, taken_args) = without_asking(&facts.args, 0);
    let taken = [taken, taken_args].concat();
    if !taken.is_empty() {
        proposals.push(proposal(
            format!("take {} out of its arguments", taken.join(" ")),
            command,
            args,
        ));
    }
    // Where a script calls the program, the options are those of what it calls.
    let is_called = facts.calls.iter().any(|(_, line)| called(line).is_some());
    let has_words = !facts.command.is_empty() || !facts.args.is_empty();
    if obstacle.category != Category::OwnershipChange && has_words && !is_called {
        let known = |flag: &str| facts.command.iter().chain(&facts.args).any(|word| word == flag);
        for option in
            facts.options.iter().filter(|option| does_without(option) && !known(&option.flag))
        {
            let mut args = facts.args.clone();
            args.push(option.flag.clone());
            let summary = format!(
                "start it with {}, which its help describes as {:?}",
                option.flag, option.text
            );
            proposals.push(proposal(summary, facts.command.clone(), args));
        }
    }
    if facts.has_shell {
        proposals.extend(
            facts.calls.iter().flat_map(|(file, line)| in_script(obstacle, facts, file, line)),
        );
    }
    proposals
}

/// The same where a script gives the arguments: in a copy of it.
fn in_script(obstacle: &Obstacle, facts: &Facts, file: &str, line: &str) -> Vec<Proposal> {
    let Some(program) = called(line) else { return Vec::new() };
    let call = format!(r"^[[:space:]]*exec[[:space:]]\{{1,\}}{}", pattern(program));
    let edited = |summary: String, sed: String| {
        let edit =
            Edit::EditedFile { container: facts.container.clone(), path: file.to_owned(), sed };
        REMEDY.proposal(summary, vec![edit])
    };
    let mut proposals = Vec::new();
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let (_, taken) = without_asking(&words, 0);
    if !taken.is_empty() {
        // Each option with its value, wherever it stands in the line.
        let options = taken.chunk_by(|_, next| !next.starts_with('-'));
        let gone = options.map(|option| {
            let words: Vec<String> = option.iter().map(|word| pattern(word)).collect();
            format!("s/[[:space:]]{}//", words.join(r"[[:space:]]\{1,\}"))
        });
        let gone: Vec<String> = gone.collect();
        let summary = format!("take {} out of a copy of {file}", taken.join(" "));
        proposals.push(edited(summary, format!("/{call}/{{{};}}", gone.join(";"))));
    }
    if obstacle.category == Category::OwnershipChange {
        return proposals;
    }
    for option in
        facts.options.iter().filter(|option| does_without(option) && !words.contains(&option.flag))
    {
        let CommandOption { flag, text, .. } = option;
        let summary = format!(
            "start {program} with {flag} in a copy of {file}: its help describes it as {text:?}"
        );
        proposals.push(edited(summary, format!("s/{call}/& {}/", pattern(flag))));
    }
    proposals
}

/// The program that a line of a script executes in place of itself, where the line says which.
#[must_use]
pub fn called(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let program = words.next().filter(|word| *word == "exec").and_then(|_| words.next())?;
    let is_plain =
        program.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._+-".contains(&byte));
    (is_plain && !program.starts_with('-') && Launcher::of_command(program).is_none())
        .then_some(program)
}

/// A word as sed's basic regular expressions mean it, between slashes.
fn pattern(word: &str) -> String {
    word.chars()
        .flat_map(|c| r"\/.*[]^$&".contains(c).then_some('\\').into_iter().chain([c]))
        .collect()
}

/// Words without the options that ask, and those options as they stood.
fn without_asking(words: &[String], program: usize) -> (Vec<String>, Vec<String>) {
    let (mut left, mut taken) = (Vec::new(), Vec::new());
    let mut rest = words.iter().enumerate();
    while let Some((at, word)) = rest.next() {
        let (flag, value) =
            word.split_once('=').map_or((word.as_str(), None), |(flag, value)| (flag, Some(value)));
        if at < program || !ASKING.contains(&flag) {
            left.push(word.clone());
            continue;
        }
        taken.push(word.clone());
        if value.is_none()
            && let Some((_, value)) = rest.next()
        {
            taken.push(value.clone());
        }
    }
    (left, taken)
}

/// Whether an option takes away the need for root, by what its help says: that something is not
/// done, and that this has to do with root, users or capabilities.
fn does_without(option: &CommandOption) -> bool {
    const NOT: [&str; 9] =
        ["don't", "do not", "dont", "not ", "no ", "no-", "disable", "without", "skip"];
    const WHAT: [&str; 8] =
        ["root", "privilege", "setuid", "setgid", "superuser", "capabilit", "uid", "user id"];
    let text = format!("{} {}", option.flag, option.text).to_lowercase();
    // A directory may be called root as well.
    let directory =
        ["root dir", "document", "root path", "root of"].iter().any(|word| text.contains(word));
    !option.takes_value
        && !directory
        && NOT.iter().any(|word| text.contains(word))
        && WHAT.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::obstacle::Operation;

    fn proposed(
        command: &[&str],
        args: &[&str],
        options: Vec<CommandOption>,
    ) -> Vec<(Vec<String>, Vec<String>)> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let facts =
            Facts { command: words(command), args: words(args), options, ..Facts::default() };
        let obstacle = Obstacle::new(Operation::Setuid, Category::IdentitySwitch);
        let edits = propose(&obstacle, &facts).into_iter().flat_map(|proposal| proposal.edits);
        edits
            .map(|edit| match edit {
                Edit::Command { command, args, .. } => (command, args),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn what_asks_is_taken_out() {
        let [(command, args)] =
            &proposed(&["daemon", "-u", "nobody", "--group=x", "-f"], &[], Vec::new())[..]
        else {
            panic!("one proposal");
        };
        assert_eq!((command.join(" "), args.len()), ("daemon -f".to_owned(), 0));
        assert_eq!(proposed(&["sleep", "1"], &[], Vec::new()), []);
        let [(_, args)] = &proposed(&[], &["-x", "--user", "db"], Vec::new())[..] else {
            panic!("one proposal")
        };
        assert_eq!(args.join(" "), "-x");
    }

    #[test]
    fn the_arguments_in_a_script_are_changed_in_a_copy() {
        let option = CommandOption {
            flag: "-U".into(),
            takes_value: false,
            text: "Don't check for root".into(),
        };
        let calls = [
            "# exec clockd -u clock",
            "curl -u somebody:word http://x/",
            "  exec /usr/sbin/clockd -u _clock -d --group=x \"$@\"",
            "exec gosu app server -u x",
        ];
        let facts = Facts {
            has_shell: true,
            calls: calls.map(|line| ("/srv/start.sh".to_owned(), line.to_owned())).to_vec(),
            options: vec![option],
            ..Facts::default()
        };
        let script = std::env::temp_dir().join(format!("nonroot-args-{}.sh", std::process::id()));
        std::fs::write(&script, calls.join("\n")).expect("a file in the temporary directory");
        let refused = Obstacle::new(Operation::Setuid, Category::IdentitySwitch);
        let edits = propose(&refused, &facts).into_iter().flat_map(|proposal| proposal.edits);
        let edited = edits.map(|edit| {
            let Edit::EditedFile { sed, .. } = edit else { panic!("{edit:?}") };
            let out =
                std::process::Command::new("sed").arg(sed).arg(&script).output().expect("sed");
            assert!(out.status.success(), "{out:?}");
            let out = String::from_utf8_lossy(&out.stdout).into_owned();
            let changed = out.lines().zip(calls).filter(|(after, before)| after != before);
            changed.map(|(after, _)| after.to_owned()).collect::<Vec<_>>().join("|")
        });
        let edited: Vec<String> = edited.collect();
        std::fs::remove_file(&script).expect("the file");
        assert_eq!(
            edited,
            [
                "  exec /usr/sbin/clockd -d \"$@\"",
                "  exec /usr/sbin/clockd -U -u _clock -d --group=x \"$@\"",
            ]
        );
    }

    #[test]
    fn an_option_that_does_without_is_given() {
        let option = |flag: &str, takes_value, text: &str| CommandOption {
            flag: flag.to_owned(),
            takes_value,
            text: text.to_owned(),
        };
        let options = vec![
            option("-n", false, "Don't run as daemon"),
            option("-r", false, "do not look for the document root"),
            option("-U", false, "Don't check for root"),
            option("-N", true, "not as user id"),
        ];
        let proposals = proposed(&["clockd", "-d"], &[], options.clone());
        assert_eq!(
            proposals,
            [(vec!["clockd".to_owned(), "-d".to_owned()], vec!["-U".to_owned()])]
        );
        // Nobody knows what the arguments of ours would replace.
        assert_eq!(proposed(&[], &[], options), []);
    }
}
