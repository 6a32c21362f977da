//! The wordings by which programs say what they could not do, whichever program it is.

use crate::model::detail::Demand;
use crate::model::obstacle::{Category, Operation};

/// One wording, and what it means.
pub(super) struct Message {
    pub operation: Operation,
    /// `None`: by the kind of path, as for a message with an errno.
    pub category: Option<Category>,
    /// What is demanded of the path, where more than access.
    pub demand: Option<Demand>,
    /// A regular expression. `{P}` stands for a path and is the group `p`, `{P2}` is the path of a
    /// second wording, `{W}` and `{W2}` are paths that may be relative, `{T}` is the end of the
    /// message, `{CANNOT}` the words for something that was not possible.
    pub pattern: &'static str,
}

pub(super) const fn message(operation: Operation, pattern: &'static str) -> Message {
    Message { operation, category: None, demand: None, pattern }
}

/// A file that cannot be read.
pub(super) const fn unreadable(pattern: &'static str) -> Message {
    Message {
        operation: Operation::Open,
        category: Some(Category::UnreadableFile),
        demand: None,
        pattern,
    }
}

/// A demand on the owner of a path, or on who else may use it.
pub(super) const fn demand(demand: Demand, pattern: &'static str) -> Message {
    Message {
        operation: Operation::Other,
        category: Some(Category::VolumeOwnership),
        demand: Some(demand),
        pattern,
    }
}

/// The first that matches counts.
pub(super) const WORDINGS: &[Message] = &[
    demand(
        Demand::Owner,
        r"(?:data directory|directory|file|repository) {P} (?:has wrong ownership|is not owned by|must be owned by|is owned by)",
    ),
    demand(
        Demand::Private,
        r"(?:directory|folder|file|key) {P} has (?:group or world access|invalid permissions|group or other access|too open permissions)|permissions (?:\d+ )?(?:on|for|of) {P2} (?:are|is) too open",
    ),
    message(
        Operation::Mkdir,
        r"(?:insufficient|no|not enough|missing) (?:privileges?|permissions?|rights) to (?:create|make) (?:the )?(?:folder|directory|dir) {W}",
    ),
    message(
        Operation::Create,
        r"(?:insufficient|no|not enough|missing|have) (?:privileges?|permissions?|rights) to (?:create|write)(?: to)?(?: the)?(?: file)? {P}",
    ),
    demand(
        Demand::Owner,
        r"{P}:? (?:has wrong ownership|is not owned by|must be owned by|belongs to (?:uid|user|gid) \S+ instead|is owned by (?:a different|another|user|uid|root))",
    ),
    // Programs do not trust what others may write.
    demand(Demand::Owner, r"(?:{P}|{W2})[\s\W]*(?:can only|must only|may only|must) be owned by\b"),
    demand(
        Demand::Private,
        r"(?:{P}|{W2})[\s\W]*(?:can only|must only|may only|must) be (?:writ(?:e?able)|readable|accessible) (?:by|only)\b",
    ),
    demand(
        Demand::Sticky,
        r"\b(?:te?mp\w*|temporary) [\w ]*is (?:world|group)[ -]writ(?:e?able):? {P}",
    ),
    demand(
        Demand::Private,
        r"{P}:? (?:is|are) (?:group|world|other)s?[ -](?:(?:and|or|/) ?(?:group|world|other)s?[ -])?(?:writ(?:e?able)|readable|accessible)\b|is (?:group|world)[ -](?:writ(?:e?able)|readable):? {P2}",
    ),
    message(Operation::Create, r"insufficient permissions? for (?:\w+ ){1,6}{W}$"),
    message(
        Operation::Mkdir,
        r"{P}[\s\W]*(?:does not exist|doesn't exist|is missing)?,? (?:and|but|as)? ?(?:it was not possible to|could not be|cannot be|can't be|couldn't be) creat",
    ),
    message(Operation::Lock, r"lock \w+ on a read-only directory:? {P}"),
    message(Operation::Lock, r"(?:cannot|can't|could not|unable to) lock {P}"),
    message(
        Operation::Open,
        r"{CANNOT} (?:open|access) (?:\w+ ){0,3}{P}:? for (?:writing|write|append)",
    ),
    message(
        Operation::Open,
        r#"{CANNOT} (?:write|append|save|store|update|modify) (?:to |in |into )?(?:the )?(?:[\w"'-]+ ){0,4}{P}{T}"#,
    ),
    message(Operation::Open, r"{CANNOT} open (?:the )?(?:[\w-]+ ){0,4}{P}{T}"),
    message(Operation::Open, r"(?:ensure|check)(?: that)? {P}.{0,40}\bwritable"),
    message(Operation::Rename, r"{CANNOT} rename \(?{P}.*\b(?:access|permission) (?:is )?denied"),
    message(
        Operation::Other,
        r"{CANNOT} use (?:the )?(?:drive|disk|volume|directory|folder) {P}|\b(?:file|drive|disk|path|prefix) access (?:is )?denied:? {W2}$|\b(?:file|drive|disk) access denied|{CANNOT} use the drive",
    ),
    message(Operation::Other, r"trying to write (?:to|in|into) (?:\w+ ){0,3}{P}"),
    message(
        Operation::Mkdir,
        r"(?:director(?:y|ies)|folder) creation (?:failed|error)\W{1,3}{P}|creation of (?:the )?(?:[\w-]+ ){0,3}(?:directory|folder) {P2} failed",
    ),
    unreadable(r"read error, check permissions:? {P}"),
    message(
        Operation::Mkdir,
        r#"{CANNOT} (?:create or write|create|make|write)(?: in| into| to)? (?:the |a )?(?:[\w"'-]+ ){0,4}(?:director(?:y|ies)|repository|folder|dir)(?: at| for(?: \w+)?| in)?\W{0,3} ?{P}"#,
    ),
    message(Operation::Create, r#"{CANNOT} create (?:the |a )?(?:[\w"',-]+ ){0,4}{P}{T}"#),
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
        r"{P}(?: directory| folder| file| path)?\W{0,3}(?:because |as |since )?(?:it |does not exist or |must )?(?:is|are|be present and)? ?(?:not (?:accessible|readable|present) (?:or|and) )?(?:not |isn't )?(?:a )?writ(?:e-?)?able",
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
    message(
        Operation::Other,
        r"(?:directory|folder|file|path) {P}[^.;:]{0,50} (?:is|are) not (?:owned|writ(?:e-?)?able|accessible)\b",
    ),
    message(
        Operation::Other,
        r"(?:directory|folder|home|cache|path|destination)(?: \.{1,2}|[^.]{0,60}) (?:is not|isn't|must be|not) (?:be )?writ(?:e-?)?able",
    ),
    unreadable(r"{P}(?: file)? (?:is not|isn't) readable|(?:not|isn't) readable:? {P2}"),
    unreadable(r"{P} (?:is )?unreadable\b"),
    unreadable(
        r"\bread (?:permission|access) is (?:not (?:allowed|granted|given)|missing|denied) (?:on|for|to) (?:the |this )?file\b",
    ),
    Message {
        operation: Operation::Exec,
        category: Some(Category::NotExecutable),
        demand: None,
        pattern: r"{P}(?: is|: is|:)? (?:not|isn't) (?:an )?executable",
    },
    message(Operation::Other, r"{CANNOT} write (?:to|into|in) (?:the |its )?\w+ directory"),
    message(Operation::Other, r"\bno writable (?:\w+ )?director(?:y|ies)\b"),
];
