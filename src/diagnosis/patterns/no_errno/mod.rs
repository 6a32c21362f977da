//! Programs that say what they could not do and keep the errno to themselves.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::{Certainty, Finding};
use crate::diagnosis::reader::{
    categorize::{self, Access},
    context::LineContext,
    errno::compile,
    path,
};
use crate::model::detail::{Demand, Detail};
use crate::model::obstacle::{Category, Operation};

pub(super) const PATTERN: Pattern = Pattern {
    id: "silent",
    title: "a program says what it could not do, not why",
    explain: "Some programs check for write permission themselves, or drop the errno. Their words then mean an unwritable \
              directory, a file that belongs to somebody else or a home that is not there.",
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

struct Message {
    operation: Operation,
    /// `None`: by the kind of path, as for a message with an errno.
    category: Option<Category>,
    /// What is demanded of the path, where more than access.
    demand: Option<Demand>,
    /// The path, where there is one, is the group `p`.
    pattern: &'static str,
}

const fn message(operation: Operation, pattern: &'static str) -> Message {
    Message { operation, category: None, demand: None, pattern }
}

/// A demand on whose a path is, or on who else may use it.
const fn demand(demand: Demand, pattern: &'static str) -> Message {
    Message {
        operation: Operation::Other,
        category: Some(Category::VolumeOwnership),
        demand: Some(demand),
        pattern,
    }
}

/// A path in quotes, brackets or bare.
const P: &str = r#"["'`‘“(\[]*(?P<p>(?:\.{0,2}|~)/[^"'`’”)\],;\s]*)["'`’”)\]]*"#;

/// What may follow the path of a message that gives no reason.
const T: &str = r"\W*(?:(?:directory|folder|file)\W*$|$|because|check|please|make sure|permission|\(check|->|wrong)";

/// A word that is a relative path, or a path.
const W: &str = r#"["'`‘“]*(?P<p>[\w./~+-]*\w)["'`’”]*"#;

/// The first that matches is what is meant. `{P}` stands for a path, `{P2}` for the path of a
/// second wording, `{W}` for a path that may be relative, `{T}` for the end of the message.
const MESSAGES: &[Message] = &[
    Message {
        operation: Operation::Other,
        category: Some(Category::VolumeOwnership),
        demand: Some(Demand::Owner),
        pattern: r"detected dubious ownership in repository at {P}",
    },
    Message {
        operation: Operation::Other,
        category: Some(Category::VolumeOwnership),
        demand: Some(Demand::Owner),
        pattern: r"(?:data directory|directory|file|repository) {P} (?:has wrong ownership|is not owned by|must be owned by|is owned by)",
    },
    Message {
        operation: Operation::Other,
        category: Some(Category::VolumeOwnership),
        demand: Some(Demand::Private),
        pattern: r"(?:directory|folder|file|key) {P} has (?:group or world access|invalid permissions|group or other access|too open permissions)|permissions (?:\d+ )?(?:on|for|of) {P2} (?:are|is) too open",
    },
    Message {
        operation: Operation::Mkdir,
        category: None,
        demand: None,
        pattern: r"(?:insufficient|no|not enough|missing) (?:privileges?|permissions?|rights) to (?:create|make) (?:the )?(?:folder|directory|dir) {W}",
    },
    Message {
        operation: Operation::Create,
        category: None,
        demand: None,
        pattern: r"(?:insufficient|no|not enough|missing|have) (?:privileges?|permissions?|rights) to (?:create|write)(?: to)?(?: the)?(?: file)? {P}",
    },
    Message {
        operation: Operation::Other,
        category: Some(Category::VolumeOwnership),
        demand: Some(Demand::Owner),
        pattern: r"{P}:? (?:has wrong ownership|is not owned by|must be owned by|belongs to (?:uid|user|gid) \S+ instead|is owned by (?:a different|another|user|uid|root))",
    },
    // Beats, Postfix, logrotate, sudo: what others may write is not trusted.
    demand(Demand::Owner, r"(?:{P}|{W2})[\s\W]*(?:can only|must only|may only|must) be owned by\b"),
    demand(
        Demand::Private,
        r"(?:{P}|{W2})[\s\W]*(?:can only|must only|may only|must) be (?:writ(?:e?able)|readable|accessible) (?:by|only)\b",
    ),
    demand(Demand::Private, r"\bload key {P}:? bad permissions"),
    demand(
        Demand::Sticky,
        r"\b(?:te?mp\w*|temporary) [\w ]*is (?:world|group)[ -]writ(?:e?able):? {P}",
    ),
    demand(
        Demand::Private,
        r"{P}:? (?:is|are) (?:group|world|other)s?[ -](?:(?:and|or|/) ?(?:group|world|other)s?[ -])?(?:writ(?:e?able)|readable|accessible)\b|is (?:group|world)[ -](?:writ(?:e?able)|readable):? {P2}",
    ),
    Message {
        operation: Operation::Create,
        category: None,
        demand: None,
        pattern: r"insufficient permissions? for (?:\w+ ){1,6}{W}$",
    },
    Message {
        operation: Operation::Mkdir,
        category: None,
        demand: None,
        pattern: r"{P}[\s\W]*(?:does not exist|doesn't exist|is missing)?,? (?:and|but|as)? ?(?:it was not possible to|could not be|cannot be|can't be|couldn't be) creat",
    },
    message(
        Operation::Open,
        r"attempt to write a readonly database|unable to open (?:the )?database file(?:: {P}$)?|readonly database",
    ),
    message(
        Operation::Create,
        r"no usable temporary directory found in {P}|no usable temporary directory",
    ),
    message(Operation::Lock, r"lock file on a read-only directory:? {P}"),
    message(Operation::Lock, r"(?:cannot|can't|could not|unable to) lock {P}"),
    message(Operation::Open, r"access to file denied:? {P}"),
    Message {
        operation: Operation::Other,
        category: Some(Category::VolumeOwnership),
        demand: None,
        pattern: r"does not match the owner of the data",
    },
    message(Operation::Lock, r"failed to obtain node locks?, tried {P}"),
    message(Operation::Other, r"problem when trying to write in your cache folder {P}"),
    message(Operation::Other, r"missing privilege separation directory:? {P}"),
    message(
        Operation::Open,
        r"(?:cannot|can't|can not|could not|couldn't|unable to|failed to) (?:open|access) (?:\w+ ){0,3}{P}:? for (?:writing|write|append)",
    ),
    message(
        Operation::Open,
        r#"(?:cannot|can't|can not|could not|couldn't|unable to|failed to) (?:write|append|save|store|update|modify) (?:to |in |into )?(?:the )?(?:[\w"'-]+ ){0,4}{P}{T}"#,
    ),
    message(Operation::Rename, r"unable to rename \({P} -> .*access denied"),
    message(
        Operation::Other,
        r"unable to use the drive {P}|\b(?:file|drive|disk|path|prefix) access (?:is )?denied:? {W2}$|\b(?:file|drive|disk) access denied|unable to use the drive",
    ),
    message(Operation::Mkdir, r"unable to create tempdir\. java\.io\.tmpdir is set to {P}"),
    message(Operation::Other, r"cannot cache function .* no locator available for file {P}"),
    message(Operation::Other, r"permissionerror at {P}"),
    message(Operation::Other, r"trying to write to {P}"),
    message(Operation::Other, r"not have write permissions? to a required path"),
    message(
        Operation::Open,
        r"(?:cannot|can't|can not|could not|couldn't|unable to|failed to) open (?:the )?(?:[\w-]+ ){0,4}{P}{T}",
    ),
    message(Operation::Open, r"(?:ensure|check)(?: that)? {P}.{0,40}\bwritable"),
    Message {
        operation: Operation::Open,
        category: Some(Category::UnreadableFile),
        demand: None,
        pattern: r"failed opening required {P}|read error, check permissions:? {P2}",
    },
    message(
        Operation::Mkdir,
        r#"(?:cannot|can't|can not|could not|couldn't|unable to|failed to) (?:create or write|create|make|write)(?: in| into| to)? (?:the |a )?(?:[\w"'-]+ ){0,4}(?:director(?:y|ies)|repository|folder|dir)(?: at| for(?: \w+)?| in)?\W{0,3} ?{P}"#,
    ),
    message(
        Operation::Create,
        r#"(?:cannot|can't|can not|could not|couldn't|unable to|failed to) create (?:the |a )?(?:[\w"',-]+ ){0,4}{P}{T}"#,
    ),
    message(Operation::Other, r"cannot write into \S+ directory"),
    message(
        Operation::Other,
        r"\b(?:non-?|un)writ(?:e-?)?able (?:director(?:y|ies)|folder|path|location|file):? {P}",
    ),
    message(
        Operation::Other,
        r"(?:directory|folder|path|file)\W{0,2} (?:\w+ )?{P}\W{0,3} (?:\w+ ){0,3}(?:can't|cannot|can not|could not|couldn't) be written\b",
    ),
    message(Operation::Other, r"\bfile {W} must be writ(?:e-?)?able$"),
    message(
        Operation::Other,
        r"{P}(?: directory| folder| file| path)?\W{0,3}(?:because |as |since )?(?:it |does not exist or |must )?(?:is|are|be present and)? ?(?:not |isn't )?(?:a )?writ(?:e-?)?able",
    ),
    message(
        Operation::Other,
        r"\b(?:(?:not|isn't|nor|must be|should be|needs? to be|is it|be) (?:\w+ )?writ(?:e-?)?able|unwrit(?:e-?)?able)(?: \w+){0,5}:? {P}",
    ),
    message(
        Operation::Other,
        r"(?:no|not|don't|doesn't|without|lacks?|insufficient|missing)(?: \w+){0,2} (?:write |read/write )?(?:permissions?|access|privileges|rights)(?: \w+){0,6}:? {P}",
    ),
    message(
        Operation::Other,
        r"{P}.{0,40}(?:check|verify|insufficient|wrong|incorrect|bad|invalid|missing|no|not have)(?: \w+){0,4} (?:permissions?|ownership|access rights|write access)\b",
    ),
    message(
        Operation::Other,
        r"(?:check|verify|insufficient|wrong|incorrect|bad|invalid|missing)(?: \w+){0,4} (?:permissions?|ownership|access rights|write access)(?: \w+){0,3}:? {P}",
    ),
    message(
        Operation::Other,
        r"(?:directory|folder|path|location|file)\W{0,2} (?:\w+ )?{P}\W{0,3} (?:is|was) (?:read-only|readonly|not accessible)",
    ),
    message(Operation::Other, r"unable to write to (?:the )?backend"),
    message(
        Operation::Other,
        r"(?:directory|folder|file|path) {P}[^.;:]{0,50} (?:is|are) not (?:owned|writ(?:e-?)?able|accessible)\b",
    ),
    message(
        Operation::Other,
        r"(?:directory|folder|home|cache|path|destination)(?: \.{1,2}|[^.]{0,60}) (?:is not|isn't|must be|not) (?:be )?writ(?:e-?)?able",
    ),
    Message {
        operation: Operation::Open,
        category: Some(Category::UnreadableFile),
        demand: None,
        pattern: r"{P}(?: file)? (?:is not|isn't) readable|(?:not|isn't) readable:? {P2}",
    },
    Message {
        operation: Operation::Open,
        category: Some(Category::UnreadableFile),
        demand: None,
        pattern: r"{P} (?:is )?unreadable\b",
    },
    Message {
        operation: Operation::Open,
        category: Some(Category::UnreadableFile),
        demand: None,
        pattern: r"no hostkeys available",
    },
    Message {
        operation: Operation::Exec,
        category: Some(Category::NotExecutable),
        demand: None,
        pattern: r"{P}(?: is|: is|:)? (?:not|isn't) (?:an )?executable",
    },
];

/// Lines around a message that may tell its reason.
const NEAR: usize = 6;

/// Another reason than a refusal, wherever the message gives it.
const OTHERWISE: &str = r"(?i)\b(?:no space left|no such file|not found|already exists|file exists|is a directory|not a directory|connection (?:refused|reset|closed|timed)|timed? ?out|refused|too many|quota|broken pipe|bad file descriptor|invalid argument\b|in use|status code|read.only (?:replica|transaction))";

/// What is no file, where the words that tell of the refusal speak of it. Elsewhere in the line, as
/// in the name of a script, such a word says nothing.
const NO_FILE: &str = r"(?i)\b(?:connection|replica|transaction|tables?|topics?|buckets?|http|token|requests?|responses?|remote|stdin)\b";

/// Where the clause of a message ends that begins with what it says.
const CLAUSE: &str = r"[.;] |, | while | during | when | in /| in class |\bstack trace";

fn read(context: &LineContext) -> Option<Finding> {
    static COMPILED: LazyLock<Vec<(&'static Message, Regex)>> = LazyLock::new(|| {
        let second = P.replace("?P<p>", "?P<q>");
        let second_word = W.replace("?P<p>", "?P<q>");
        MESSAGES
            .iter()
            .map(|message| {
                (
                    message,
                    compile(&format!(
                        "(?i){}",
                        message
                            .pattern
                            .replace("{P2}", &second)
                            .replace("{P}", P)
                            .replace("{T}", T)
                            .replace("{W2}", &second_word)
                            .replace("{W}", W)
                    )),
                )
            })
            .collect()
    });
    static OTHER: LazyLock<Regex> = LazyLock::new(|| compile(OTHERWISE));
    static NOT: LazyLock<Regex> = LazyLock::new(|| compile(NO_FILE));
    static END: LazyLock<Regex> = LazyLock::new(|| compile(&format!("(?i){CLAUSE}")));
    let text = context.text();
    // sudo says first what it does not like of its settings, and then why it does not work.
    // An errno that is none of a refusal's: `Unable to lock ./data error: 35`.
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
        compile(r"(?i)\b(?:errno|error|err|os error|rc)[ :=#(]{1,3}-?(\d{1,3})(?:$|[),;\]])")
    });
    let number =
        NUMBER.captures(text).and_then(|captures| captures.get(1)?.as_str().parse::<u32>().ok());
    let temporary = text.contains("usable temporary");
    if !temporary && number.is_some_and(|number| !matches!(number, 0 | 1 | 13 | 30)) {
        return None;
    }
    if context.refusal().is_some() || (text.starts_with("sudo: ") && text.ends_with("should be 0"))
    {
        return None;
    }
    let (message, captures) =
        COMPILED.iter().find_map(|(message, pattern)| Some((message, pattern.captures(text)?)))?;
    let path = captures
        .name("p")
        .or_else(|| captures.name("q"))
        .map(|path| path.as_str().trim_end_matches(['.', ':', '!', '?']).to_owned());
    // `does not have write permissions to a required path.`, and on a line of its own `path: /x`.
    // In other messages such a field is as often a request's.
    if path.as_deref().is_some_and(path::is_route) {
        return None;
    }
    let path = path.or_else(|| context.field().filter(|_| text.ends_with(" path.")));
    let rest =
        path.as_ref().map_or_else(|| text.to_owned(), |path| text.replace(path.as_str(), " "));
    let said = captures.get(0)?;
    let end = END.find_at(text, said.end()).map_or(text.len(), |end| end.start());
    let clause = path.as_ref().map_or_else(
        || text[said.start()..end].to_owned(),
        |path| text[said.start()..end].replace(path.as_str(), " "),
    );
    if !temporary && (OTHER.is_match(&rest) || NOT.is_match(&clause)) {
        return None;
    }
    // Where the disk is full, a program that keeps the errno to itself means that.
    static FULL: LazyLock<Regex> =
        LazyLock::new(|| compile("(?i)no space left on device|disk quota exceeded"));
    if context
        .before()
        .take(NEAR)
        .chain(context.after().take(NEAR))
        .any(|line| FULL.is_match(&line.text))
    {
        return None;
    }
    let access = Access { operation: message.operation, errno: None, path: path.as_deref(), text };
    let mut finding = categorize::finding(&access).certainty(Certainty::Words);
    if let Some(category) = message.category {
        finding.category = category;
    }
    if let (Some(demand), Some(path)) = (message.demand, &finding.path) {
        finding = finding.clone().cause(demand.sentence(path)).detail(Detail::Demand(demand));
    }
    Some(finding)
}
