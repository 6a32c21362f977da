//! Let a launcher run its program as the user that it is already.

use super::{Proposal, Remedy, RemedyLayer};
use crate::model::edit::Edit;
use crate::model::facts::Facts;
use crate::model::launcher::{Arguments, Launcher};
use crate::model::obstacle::{Category, Obstacle};

pub(super) const REMEDY: Remedy = Remedy {
    id: "bypassed-launcher",
    layer: RemedyLayer::Pod,
    title: "Let gosu, su-exec, setpriv or su run the program without changing the user",
    explain: "Entrypoints that were written for root end with a launcher that changes the user and executes the program: \
              `exec gosu app server`. Even to the user that it is already a process without CAP_SETGID may not set its \
              groups, so the launcher fails where there is nothing left to change. A script of the same name, before the \
              others in PATH, executes the program at once. Where the entrypoint can be changed, call the launcher only \
              for root.",
    removes: &[Category::IdentitySwitch],
    suggest,
    propose: Some(propose),
};

/// A user and then the command: gosu(1), su-exec, setuidgid(8), s6-setuidgid.
const USER_FIRST: &str = "shift\nexec \"$@\"";

/// Options, those of two words first, and then the command: setpriv(1).
const OPTIONS_FIRST: &str = "while :; do case $1 in
--reuid|--regid|--ruid|--euid|--rgid|--egid|--groups|--inh-caps|--ambient-caps|--bounding-set) shift 2 ;;
--securebits|--pdeathsig|--selinux-label|--apparmor-profile) shift 2 ;;
--) shift; break ;;
-*) shift ;;
*) break ;;
esac; done
exec \"$@\"";

/// Options, the user and words in any order, the command in one of them or at the end: su(1),
/// runuser(1), sudo(8).
const ANY_ORDER: &str = "user= command=
while [ $# -gt 0 ]; do case $1 in
-c|--command) command=$2; shift 2 ;;
--command=*) command=${1#*=}; shift ;;
-u|--user) user=1; shift 2 ;;
--user=*) user=1; shift ;;
-s|-g|-G|-w|--shell|--group|--supp-group|--whitelist-environment) shift 2 ;;
--) shift; break ;;
-*) shift ;;
*) [ -z \"$user\" ] || break; user=1; shift ;;
esac; done
[ -z \"$command\" ] || exec sh -c \"$command\" \"$@\"
[ $# -gt 0 ] || exec sh
exec \"$@\"";

/// Options, then the command; with variables before it, it stays as it is: sudo(8).
const SUDO_OPTIONS: &str =
    "while :; do case $1 in -[ugpCrtT]) shift 2 ;; -*) shift ;; *) break ;; esac; done
exec \"$@\"";

/// A script that executes what the launcher would, as the present user. `None` where it is not
/// known where the command begins.
fn script(launcher: &Launcher) -> Option<&'static str> {
    match launcher.arguments {
        Arguments::UserFirst => Some(USER_FIRST),
        Arguments::SetprivOptions => Some(OPTIONS_FIRST),
        Arguments::SudoOptions => Some(SUDO_OPTIONS),
        Arguments::AnyOrder => Some(ANY_ORDER),
        Arguments::Other => None,
    }
}

/// The launcher that was refused, and the script in its place.
fn replacement(obstacle: &Obstacle) -> Option<(&'static str, &'static str)> {
    let launcher = obstacle.launcher()?;
    Some((launcher.command, script(launcher)?))
}

fn suggest(obstacle: &Obstacle) -> Option<String> {
    let (command, _) = replacement(obstacle)?;
    Some(format!(
        "start as the user that {command} changes to, and put a {command} that only executes its command before the \
         others in PATH, or call the program without it"
    ))
}

fn propose(obstacle: &Obstacle, facts: &Facts) -> Vec<Proposal> {
    let (Some((command, script)), Some(search)) = (replacement(obstacle), &facts.search_path)
    else {
        return Vec::new();
    };
    if !facts.has_shell {
        return Vec::new();
    }
    vec![REMEDY.proposal(
        format!("let {command} run the program as the user that it is already"),
        vec![Edit::ReplacedCommand {
            container: facts.container.clone(),
            command: command.to_owned(),
            script,
            search_path: search.clone(),
        }],
    )]
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn every_form_of_a_call_executes_its_command() {
        let calls: [(&str, &[&str]); 12] = [
            ("gosu", &["app:app", "echo", "a b", "c"]),
            ("setpriv", &["--reuid", "app", "--regid=app", "--init-groups", "echo", "a b", "c"]),
            ("setpriv", &["--reuid=7", "--clear-groups", "--", "echo", "a b", "c"]),
            ("runuser", &["-u", "app", "--", "echo", "a b", "c"]),
            ("runuser", &["-u", "app", "echo", "a b", "c"]),
            ("su", &["-s", "/bin/sh", "app", "-c", "echo 'a b' c"]),
            ("su", &["-", "app", "-c", "echo 'a b' c"]),
            ("su", &["app", "--command=echo 'a b' c"]),
            ("su", &["-c", "echo 'a b' $1", "app", "zero", "c"]),
            ("su", &["-l", "app", "-s", "/bin/bash", "-c", "echo 'a b' c"]),
            ("sudo", &["-E", "-u", "app", "echo", "a b", "c"]),
            ("su-exec", &["7:8", "echo", "a b", "c"]),
        ];
        for (command, words) in calls {
            let script = Launcher::of_command(command).and_then(script).expect("a launcher");
            let run =
                Command::new("sh").args(["-c", script, command]).args(words).output().expect("sh");
            assert_eq!(String::from_utf8_lossy(&run.stdout), "a b c\n", "{command} {words:?}");
        }
    }
}
