//! unlink(2) and rmdir(2) refused.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::reader::{categorize, context::LineContext, verb};
use crate::model::obstacle::Operation;

pub(super) const PATTERN: Pattern = Pattern {
    id: "unlink",
    title: "a file could not be removed",
    explain: "Removing a file needs write and search permission on its directory, not on the file; in a directory with the sticky bit the user must own the file.",
    source: "unlink(2); coreutils src/remove.c",
    signals: &[],
    examples: &[
        Example {
            log: "rm: cannot remove '/srv/old.pid': Permission denied",
            expected: "unlink EACCES /srv/old.pid unwritable-path",
        },
        Example {
            log: "rm: can't remove '/srv/old.pid': Read-only file system",
            expected: "unlink EROFS /srv/old.pid read-only-rootfs",
        },
        Example {
            log: "PHP Warning:  unlink(/srv/cache/a.php): Permission denied in /srv/x.php on line 3",
            expected: "unlink EACCES /srv/cache/a.php unwritable-path",
        },
        Example {
            log: "Error: EPERM: operation not permitted, unlink '/srv/x'",
            expected: "unlink EPERM /srv/x unwritable-path",
        },
        Example {
            log: "FileSystemException: Deletion failed, path = '/srv/a' (OS Error: Permission denied, errno = 13)",
            expected: "unlink EACCES /srv/a unwritable-path",
        },
    ],
    near_misses: &["rm: cannot remove '/srv/old.pid': No such file or directory"],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[
            r"unlink(?:at|ing|sync)?",
            r"rm",
            r"rmdir",
            r"rmtree",
            r"remov(?:e|ing)",
            r"delet(?:e|ing|ion)(?: of)?",
            r"removal(?: of)?",
            r"clear(?:ing)?",
            r"clean(?:ing)?(?: up)?",
            r"purg(?:e|ing)",
        ])
    });
    categorize::access(context, &WORDS, Operation::Unlink)
}
