//! Programs that say what they could not do, without the errno.

mod programs;
mod wordings;

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use self::wordings::Message;
use super::{Example, Pattern, Read};
use crate::diagnosis::finding::{Certainty, Finding};
use crate::diagnosis::reader::{
    categorize::{self, PathAccess},
    context::LineContext,
    errno::{self, compile},
    path,
};
use crate::model::detail::Detail;

pub(super) const PATTERN: Pattern = Pattern {
    id: "no-errno",
    title: "a program says what it could not do, not why",
    explain: "Some programs check for write permission themselves, or do not print the errno. Then their words mean an \
              unwritable directory, a file of another owner or a missing home.",
    source: "git setup.c, SQLite's SQLITE_READONLY and SQLITE_CANTOPEN, CPython tempfile, squid debug.cc, OpenSSH sshd.c, huggingface_hub",
    signals: &[
        "dubious ownership",
        "readonly database",
        "unable to open database",
        "no usable temporary directory",
        "is not writable",
        "not writeable",
        "is not readable",
        "write in your cache",
        "privilege separation directory",
        "for writing",
        "unable to write to",
        "not be writable",
        "must be writable",
        "must be writeable",
        "couldn't write",
        "could not write",
        "cannot write",
        "can't write",
        "failed to write",
        "no write permission",
        "don't have permission",
        "do not have permission",
        "not have write",
        "insufficient permissions",
        "insufficient privileges",
        "no permission",
        "could not create",
        "cannot create",
        "unable to create",
        "failed to create",
        "owned by",
        "wrong owner",
        "is read-only",
        "is readonly",
        "not owned by",
        "ownership",
        "failed to obtain node locks",
        "must be owned",
        "no hostkeys",
        "not accessible",
        "could not load host key",
        "have permission to",
        "access rights",
        "read permission is",
        "read access is",
        "writable",
        "write permission",
        "permissions are",
        "bad permissions",
        "cannot open",
        "could not open",
        "unable to open",
        "read permission",
        "write access",
        "permission",
        "belongs to",
        "owner of the data",
        "cannot lock",
        "unable to lock",
        "could not lock",
        "access to file denied",
        "access denied",
        "use the drive",
        "no locator available",
        "permissionerror at",
        "trying to write",
        "failed opening required",
        "write in the",
        "write into",
        "group or world access",
        "too open",
        "privileges to create",
        "permission to create",
        "read-only mode",
        "is not executable",
        "couldn't create",
        "be created",
        "creation failed",
        "mkdirs failed",
        "write to the backend",
        "not permitted to",
        "possible to create",
        "must be accessible",
        "read-only directory",
        "can only be",
        "must only be",
        "write-able",
        "unreadable",
        "access is denied",
        "create or write",
        "insufficient permission",
        "be written",
    ],
    examples: &[
        Example {
            log: "fatal: detected dubious ownership in repository at '/srv/repo'",
            expected: "other - /srv/repo volume-ownership",
        },
        Example {
            log: "sqlite3.OperationalError: attempt to write a readonly database",
            expected: "open - unwritable-path",
        },
        Example {
            log: "SEVERE: read permission is not granted for the file",
            expected: "open - unreadable-file",
        },
        Example {
            log: "sqlite3.OperationalError: unable to open database file",
            expected: "open - unwritable-path",
        },
        Example {
            log: "FileNotFoundError: [Errno 2] No usable temporary directory found in ['/tmp', '/var/tmp', '/usr/tmp', '/srv/app']",
            expected: "create - /tmp unwritable-path",
        },
        Example {
            log: "There was a problem when trying to write in your cache folder (/nonexistent/.cache/hub).",
            expected: "other - /nonexistent/.cache/hub home-unwritable",
        },
        Example {
            log: "Exiting: config file (\"agent.yml\") must be owned by the user of the agent (uid=1000) or root",
            expected: "other - agent.yml volume-ownership",
        },
        Example {
            log: "config file (\"/srv/agent.yml\") can only be writable by the owner but the permissions are \"-rw-rw-r--\"",
            expected: "other - /srv/agent.yml volume-ownership",
        },
        Example {
            log: "error: insufficient permission for adding an object to repository database .git/objects",
            expected: "create - .git/objects unwritable-path",
        },
        Example {
            log: "The working directory /srv/kc/../tmp does not exist and it was not possible to create it.",
            expected: "mkdir - /srv/kc/../tmp unwritable-path",
        },
        Example {
            log: "The data directory (/srv/data) cannot be created by the installer.",
            expected: "mkdir - /srv/data unwritable-path",
        },
        Example {
            log: "[ERROR] app - state directory creation failed: /srv/lib/state",
            expected: "mkdir - /srv/lib/state unwritable-path",
        },
        Example {
            log: "java.io.IOException: Mkdirs failed to create /srv/work/7 (exists=false, cwd=file:/srv)",
            expected: "mkdir - /srv/work/7 unwritable-path",
        },
        Example {
            log: "error: database write failed: attempt to write a readonly database (Connection: sqlite, Database: /srv/app.sqlite)",
            expected: "open - /srv/app.sqlite unwritable-path",
        },
        Example {
            log: "error: no writable cache directories",
            expected: "other - unwritable-path",
        },
        Example {
            log: "warning: /srv/conf is not accessible or not writable, so its features are off",
            expected: "other - /srv/conf unwritable-path",
        },
        Example {
            log: "Cannot write into the settings directory!",
            expected: "other - unwritable-path",
        },
        Example {
            log: "Could not make the cache: Unable to create the cache directory (/srv/var/cache) in /srv/HttpKernel.php",
            expected: "mkdir - /srv/var/cache unwritable-path",
        },
        Example {
            log: "There was an error while trying to write to\n`/srv/bundle/config`. Grant write permissions for that path.",
            expected: "other - /srv/bundle/config unwritable-path",
        },
        Example {
            log: "ERROR: cannot open log file /srv/log/app.log for writing.\nERROR: Permission denied.",
            expected: "open EACCES /srv/log/app.log unwritable-path",
        },
        Example {
            log: "Error: The directory /srv/app/cache is not writable.",
            expected: "other - /srv/app/cache unwritable-path",
        },
        Example {
            log: "FATAL: Cannot open '/srv/access.log' for writing.",
            expected: "open - /srv/access.log unwritable-path",
        },
        Example {
            log: "Missing privilege separation directory: /run/sshd",
            expected: "other - /run/sshd unwritable-path",
        },
        Example {
            log: "NotWritableError: The current user does not have write permissions to a required path.\n  path: /.conda/envs/list.txt\n  uid: 1000",
            expected: "other - /.conda/envs/list.txt home-unwritable",
        },
        Example {
            log: "error: failed to download\n\nCaused by:\n  failed to create directory `/srv/cargo/registry`\n\nCaused by:\n  Permission denied (os error 13)",
            expected: "mkdir EACCES /srv/cargo/registry unwritable-path",
        },
        Example {
            log: "failed to obtain node locks, tried [/srv/es/data]; maybe these locations are not writable or multiple nodes were started on the same data path?",
            expected: "lock - /srv/es/data unwritable-path",
        },
    ],
    near_misses: &[
        "READONLY You can't write against a read only replica.",
        "ERROR: cannot execute INSERT in a read-only transaction",
        "could not write to file: No space left on device",
        "SQLSTATE[HY000]: General error: 5 database is locked",
        "InnoDB: Unable to lock ./data1 error: 35",
        "login failed path=/api/v1/login reason=\"no permission\"",
        "could not create connection to /srv/db: Connection refused",
        "error: failed to write new configuration file /srv/config.lock\nerror: unable to create temporary file: No space left on device",
    ],
    read: Read::One(read),
};

/// A path in quotes, brackets or bare.
const P: &str = r#"["'`‘“(\[]*(?P<p>(?:\.{0,2}|~)/[^"'`’”)\],;\s]*)["'`’”)\]]*"#;

/// What may follow the path of a message that gives no reason.
const T: &str = r"\W*(?:access (?:is |was )?denied\W*$|(?:directory|folder|file)\W*$|$|because|check|please|make sure|permission|\(check|->|wrong)";

/// A word that is a relative path, or a path.
const W: &str = r#"["'`‘“]*(?P<p>[\w./~+-]*\w)["'`’”]*"#;

/// Words for something that was not possible.
const CANNOT: &str = "(?:cannot|can't|can not|could not|couldn't|unable to|failed to)";

/// Lines around a message that may tell its reason.
const NEAR: usize = 6;

/// Another reason than a refusal, wherever the message gives it.
const OTHER_REASON: &str = r"(?i)\b(?:no space left|no such file|not found|already exists|file exists|is a directory|not a directory|connection (?:refused|reset|closed|timed)|timed? ?out|refused|too many|quota|broken pipe|bad file descriptor|invalid argument\b|in use|status code|read.only (?:replica|transaction))";

/// Words for something that is no file. They count in the clause of the refusal only: elsewhere in
/// the line they may be part of a name.
const NO_FILE: &str = r"(?i)\bconnection(?:[^:\w]|$)|\b(?:replica|transaction|tables?|topics?|buckets?|http|token|requests?|responses?|remote|stdin)\b";

/// Where the clause ends that begins with the wording.
const CLAUSE: &str = r"[.;] |, | while | during | when | in /| in class |\bstack trace";

fn read(context: &LineContext) -> Option<Finding> {
    static COMPILED: LazyLock<Vec<(&'static Message, Regex)>> = LazyLock::new(|| {
        let second_path = P.replace("?P<p>", "?P<q>");
        let second_word = W.replace("?P<p>", "?P<q>");
        let placeholders = [
            ("{P2}", second_path.as_str()),
            ("{P}", P),
            ("{W2}", &second_word),
            ("{W}", W),
            ("{T}", T),
            ("{CANNOT}", CANNOT),
        ];
        let whole = |pattern: &str| {
            placeholders
                .iter()
                .fold(format!("(?i){pattern}"), |all, (name, value)| all.replace(name, value))
        };
        let messages = programs::SENTENCES.iter().chain(wordings::WORDINGS);
        messages.map(|message| (message, compile(&whole(message.pattern)))).collect()
    });
    let text = context.text();
    if context.refusal().is_some() || is_setting_of_sudo(text) {
        return None;
    }
    let (message, captures) =
        COMPILED.iter().find_map(|(message, pattern)| Some((message, pattern.captures(text)?)))?;
    let path = captures
        .name("p")
        .or_else(|| captures.name("q"))
        .map(|path| path.as_str().trim_end_matches(['.', ':', '!', '?']).to_owned());
    if path.as_deref().is_some_and(path::is_route) {
        return None;
    }
    // `does not have write permissions to a required path.`, and on a line of its own `path: /x`.
    // In other messages such a field is as often a request's.
    let path = path.or_else(|| context.field().filter(|_| text.ends_with(" path.")));
    // Python gives an errno that has nothing to do with it.
    let is_temporary = text.contains("usable temporary");
    if !is_temporary && has_other_reason(text, captures.get(0)?.range(), path.as_deref())
        || is_disk_full(context)
    {
        return None;
    }

    let access =
        PathAccess { operation: message.operation, errno: None, path: path.as_deref(), text };
    let mut finding = categorize::finding(&access).certainty(Certainty::Words);
    finding.category = message.category.unwrap_or(finding.category);
    Some(match (message.demand, path) {
        (Some(demand), Some(path)) => {
            finding.cause(demand.sentence(&path)).detail(Detail::Demand(demand))
        }
        _ => finding,
    })
}

/// sudo first names a setting that it objects to, and then why it does not work.
fn is_setting_of_sudo(text: &str) -> bool {
    text.starts_with("sudo: ") && text.ends_with("should be 0")
}

/// Whether the message gives another reason than a refusal, or names something else than a file in
/// the clause that begins with the wording.
fn has_other_reason(text: &str, wording: Range<usize>, path: Option<&str>) -> bool {
    // The errno of another failure: `Unable to lock ./data error: 35`.
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
        compile(r"(?i)\b(?:errno|error|err|os error|rc)[ :=#(]{1,3}-?(\d{1,3})(?:$|[),;\]])")
    });
    static OTHER: LazyLock<Regex> = LazyLock::new(|| compile(OTHER_REASON));
    static NOT_A_FILE: LazyLock<Regex> = LazyLock::new(|| compile(NO_FILE));
    static END: LazyLock<Regex> = LazyLock::new(|| compile(&format!("(?i){CLAUSE}")));
    let number = NUMBER.captures(text).and_then(|captures| captures.get(1)?.as_str().parse().ok());
    if number.is_some_and(|number| number != 0 && !errno::is_refusal(number)) {
        return true;
    }
    let without_path = |text: &str| path.map_or(text.to_owned(), |path| text.replace(path, " "));
    let end = END.find_at(text, wording.end).map_or(text.len(), |end| end.start());
    OTHER.is_match(&without_path(text))
        || NOT_A_FILE.is_match(&without_path(&text[wording.start..end]))
}

/// Where the disk is full, a program that does not print the errno means that.
fn is_disk_full(context: &LineContext) -> bool {
    static FULL: LazyLock<Regex> =
        LazyLock::new(|| compile("(?i)no space left on device|disk quota exceeded"));
    let near = context.before().take(NEAR).chain(context.after().take(NEAR));
    near.into_iter().any(|line| FULL.is_match(&line.text))
}
