//! Programs that check their uid and refuse to work unless it is 0.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::{Certainty, Finding};
use crate::diagnosis::reader::{context::LineContext, errno::compile};
use crate::model::obstacle::{Category, Operation};

pub(super) const PATTERN: Pattern = Pattern {
    id: "root-required",
    title: "the program insists on being root",
    explain: "Some programs compare their uid with 0 at the start, whether or not they need what root may do. Many were written to \
              drop their privileges later, and have a switch for being started without them.",
    source: "getuid(2); shadow-utils, vsftpd main.c, ntpd",
    signals: &[
        "as root",
        "be root",
        "root may",
        "root can",
        "by root",
        "you root",
        "the root user",
        "superuser",
        "root privileges",
        "requires root",
        "need root",
        "needs root",
    ],
    examples: &[
        Example { log: "This program must be run as root.", expected: "other - identity-switch" },
        Example {
            log: "You must be an operating system superuser to run this command.",
            expected: "other - identity-switch",
        },
        Example {
            log: "addgroup: permission denied (are you root?)",
            expected: "other EACCES identity-switch",
        },
        Example {
            log: "adduser: Only root may add a user or group to the system.",
            expected: "other - identity-switch",
        },
    ],
    near_misses: &[
        "NOTICE: [pool www] 'user' directive is ignored when FPM is not running as root",
        "WARNING: You are running as root",
        "RuntimeWarning: You're running the worker with superuser privileges: this is absolutely not recommended!",
        "CRIT Supervisor is running as root. If you intend to run as root, you can set user=root in the config file",
    ],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    static INSISTS: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?ix) \b(?:must|has\sto|have\sto|needs?\sto|can\sonly|should|may\sonly)\s(?:only\s)?be\s(?:run|started|executed|launched|invoked)\s(?:as|by|with|under)\s(?:the\s)?(?:user\s)?\W?(?:root|super-?user|uid\s0)
            | \b(?:must|need\sto|have\sto)\sbe\s(?:(?:an?|the)\s)?(?:\w+\s){0,2}(?:root|super-?user)\b | \bonly\s(?:the\s)?(?:root|superuser)\s(?:user\s)?(?:may|can)\b | \bare\syou\sroot\?
            | \brequires?\s(?:root|super-?user)\b | \b(?:needs?|require)\s(?:root|superuser)\s(?:privileges?|access|rights|permissions?) | \bplease\srun\s(?:\S+\s){0,3}as\s(?:the\s)?root\b
            | \bnot\s(?:run(?:ning)?|started)\sas\sroot\b.*\b(?:exit|abort|fail|error|cannot|must) | \bwith\ssuper-?user\sprivileges",
        )
    });
    let text = context.text();
    if !INSISTS.is_match(text) {
        return None;
    }
    let errno = context.refusal().map(|refusal| refusal.errno);
    Some(
        Finding::new(Operation::Other, Category::IdentitySwitch)
            .errno(errno)
            .certainty(Certainty::Words)
            .cause("the program refuses to work for a user that is not root"),
    )
}
