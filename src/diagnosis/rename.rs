//! rename(2) refused.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    Example, Pattern, Read, judge,
    scene::{Finding, Scene},
    verb,
};
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
            says: "rename EACCES /srv/a unwritable-path",
        },
        Example {
            log: "sed: cannot rename /etc/app/sedXyz: Operation not permitted",
            says: "rename EPERM /etc/app/sedXyz unwritable-path",
        },
        Example {
            log: "rename /srv/a /srv/b: read-only file system",
            says: "rename EROFS /srv/a read-only-rootfs",
        },
    ],
    near_misses: &["mv: cannot stat '/srv/a': No such file or directory"],
    read: Read::One(read),
};

fn read(scene: &Scene) -> Option<Finding> {
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[r"renam(?:e|ing|esync)", r"renameat2?", r"mv", r"mov(?:e|ing)"])
    });
    judge::access(scene, &WORDS, Operation::Rename)
}
