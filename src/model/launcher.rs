//! Programs that change the user and then execute the rest of their arguments.

/// One such program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Launcher {
    /// Its command, without a directory.
    pub command: &'static str,
    /// What else begins its own refusals, beside the command.
    pub also_called: &'static [&'static str],
    pub user: UserArgument,
    pub arguments: Arguments,
}

/// Where its command line names the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserArgument {
    First,
    /// As the value of one of these options.
    Option(&'static [&'static str]),
}

/// In what order its arguments stand, which says where the program to execute begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arguments {
    /// The user, then the program.
    UserFirst,
    /// Options in the manner of setpriv(1), then the program.
    SetprivOptions,
    /// Options in the manner of sudo(8), then the program.
    SudoOptions,
    /// Options, the user and words in any order; the program in an option or at the end: su(1),
    /// runuser(1).
    AnyOrder,
    /// Not known to us: chpst(8), chroot(1), start-stop-daemon(8).
    Other,
}

const fn launcher(command: &'static str, user: UserArgument, arguments: Arguments) -> Launcher {
    Launcher { command, also_called: &[], user, arguments }
}

use self::Arguments::{AnyOrder, Other, SetprivOptions, SudoOptions, UserFirst};
use self::UserArgument::{First, Option as Named};

/// Every launcher, after its manual page or its README.
pub const LAUNCHERS: &[Launcher] = &[
    // All that gosu says is: error: failed switching to "app": operation not permitted
    Launcher { also_called: &["switching"], ..launcher("gosu", First, UserFirst) },
    launcher("su-exec", First, UserFirst),
    launcher("setuidgid", First, UserFirst),
    // It executes s6-applyuidgid, which is refused.
    Launcher { also_called: &["s6-applyuidgid"], ..launcher("s6-setuidgid", First, UserFirst) },
    launcher("chpst", Named(&["-u"]), Other),
    launcher("setpriv", Named(&["--reuid"]), SetprivOptions),
    launcher("runuser", Named(&["-u", "--user"]), AnyOrder),
    launcher("su", Named(&["-"]), AnyOrder),
    launcher("sudo", Named(&["-u", "--user"]), SudoOptions),
    launcher("chroot", Named(&["--userspec"]), Other),
    launcher("start-stop-daemon", Named(&["-c", "--chuid", "-u", "--user"]), Other),
];

impl Launcher {
    /// The launcher that a command starts, given with or without its directory.
    #[must_use]
    pub fn of_command(command: &str) -> Option<&'static Launcher> {
        let name = command.rsplit('/').next().unwrap_or(command);
        LAUNCHERS.iter().find(|launcher| launcher.command == name)
    }

    /// The launcher that a message about a refused change of the user names first.
    #[must_use]
    pub fn in_message(text: &str) -> Option<&'static Launcher> {
        let mut words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        words.find_map(|word| {
            LAUNCHERS
                .iter()
                .find(|launcher| launcher.command == word || launcher.also_called.contains(&word))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launcher_is_known_by_its_refusal() {
        let in_message = |text| Launcher::in_message(text).map(|launcher| launcher.command);
        for (text, command) in [
            ("error: failed switching to \"app\": operation not permitted", Some("gosu")),
            ("setpriv: initgroups failed: Operation not permitted", Some("setpriv")),
            ("Password: su: Authentication failure", Some("su")),
            ("s6-applyuidgid: fatal: unable to set supplementary group list", Some("s6-setuidgid")),
            ("named: setgid(): Operation not permitted", None),
        ] {
            assert_eq!(in_message(text), command, "{text}");
        }
    }
}
