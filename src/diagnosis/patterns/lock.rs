//! A lock that could not be taken.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::reader::{categorize, context::LineContext, verb};
use crate::model::obstacle::Operation;

pub(super) const PATTERN: Pattern = Pattern {
    id: "lock",
    title: "a lock could not be taken",
    explain: "A lock is a file, or is taken on one: making it needs write permission on the directory, taking it on the file.",
    source: "flock(2), fcntl(2); apk-tools, shadow-utils lib/commonio.c",
    signals: &[],
    examples: &[
        Example {
            log: "ERROR: Unable to lock database: Permission denied",
            expected: "lock EACCES unwritable-path",
        },
        Example {
            log: "failed to acquire the lock on /srv/db/LOCK: permission denied",
            expected: "lock EACCES /srv/db/LOCK unwritable-path",
        },
    ],
    near_misses: &[
        "failed to acquire the lock on /srv/db/LOCK: resource temporarily unavailable",
        "Deadlock found when trying to get lock",
    ],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[
            r"(?:to|cannot|can't|not) lock(?: (?:the )?(?:database|file|directory|db))?",
            r"flock",
            r"lockf",
            r"f_setlkw?",
            r"locking",
            r"(?:acquir|obtain|get|tak)\w*(?: \w+){0,3} lock(?: (?:on|for))?",
        ])
    });
    categorize::access(context, &WORDS, Operation::Lock)
}
