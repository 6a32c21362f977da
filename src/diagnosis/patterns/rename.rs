//! rename(2) refused.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::reader::{categorize, context::LineContext, verb};
use crate::model::obstacle::Operation;

pub(super) const PATTERN: Pattern = Pattern {
    id: "rename",
    title: "a file could not be renamed",
    explain: "rename(2) needs write and search permission on both directories.",
    source: "rename(2); coreutils src/copy.c",
    signals: &[],
    examples: &[
        Example {
            log: "mv: cannot move '/srv/a' to '/srv/b': Permission denied",
            expected: "rename EACCES /srv/a unwritable-path",
        },
        Example {
            log: "sed: cannot rename /etc/app/sedXyz: Operation not permitted",
            expected: "rename EPERM /etc/app/sedXyz unwritable-path",
        },
        Example {
            log: "rename /srv/a /srv/b: read-only file system",
            expected: "rename EROFS /srv/a read-only-rootfs",
        },
    ],
    near_misses: &["mv: cannot stat '/srv/a': No such file or directory"],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[r"renam(?:e|ing|esync)", r"renameat2?", r"mv", r"mov(?:e|ing)"])
    });
    categorize::access(context, &WORDS, Operation::Rename)
}
