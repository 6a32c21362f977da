//! open(2) with O_CREAT, mkstemp(3), symlink(2) and copies refused.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::reader::{categorize, context::LineContext, verb};
use crate::model::obstacle::Operation;

pub(super) const PATTERN: Pattern = Pattern {
    id: "create",
    title: "a file could not be made or written",
    explain: "A new file needs write and search permission on its directory; writing an old one needs write permission on the file. Files and directories of an image belong to root unless the image says otherwise.",
    source: "open(2), symlink(2); coreutils src/copy.c, dash src/redir.c, PostgreSQL miscinit.c, MariaDB my_error.c",
    signals: &[],
    examples: &[
        Example {
            log: "cp: cannot create regular file '/srv/app/site.conf': Permission denied",
            expected: "create EACCES /srv/app/site.conf unwritable-path",
        },
        Example {
            log: "/usr/local/bin/job.sh: 3: cannot create /srv/job.pid: Permission denied",
            expected: "create EACCES /srv/job.pid unwritable-path",
        },
        Example {
            log: "touch: cannot touch '/srv/stamp': Read-only file system",
            expected: "create EROFS /srv/stamp read-only-rootfs",
        },
        Example {
            log: "[ERROR] mariadbd: Can't create/write to file './ddl.log' (Errcode: 13 \"Permission denied\")",
            expected: "create EACCES ./ddl.log unwritable-path",
        },
        Example {
            log: "FATAL:  could not create lock file \"/srv/pg/.s.PGSQL.5432.lock\": Permission denied",
            expected: "create EACCES /srv/pg/.s.PGSQL.5432.lock unwritable-path",
        },
        Example {
            log: "ERROR: Unable to create the PID file (/srv/fpm.pid).: Permission denied (13)",
            expected: "create EACCES /srv/fpm.pid unwritable-path",
        },
        Example {
            log: "rsync: [receiver] mkstemp \"/srv/.index.html.Xy12\" failed: Permission denied (13)",
            expected: "create EACCES /srv/.index.html.Xy12 unwritable-path",
        },
        Example {
            log: "cannot open the cache: chtimes /srv/cache/0a: operation not permitted",
            expected: "other EPERM /srv/cache/0a ownership-change",
        },
        Example {
            log: "rsync: [generator] failed to set times on \"/srv/data/.\": Operation not permitted (1)",
            expected: "other EPERM /srv/data/. ownership-change",
        },
        Example {
            log: "failed to create thing Operation not permitted",
            expected: "other EPERM capability-missing",
        },
        Example {
            log: "java.io.IOException: Read-only file system\n\tat java.base/java.io.UnixFileSystem.createFileExclusively0(Native Method)",
            expected: "create EROFS read-only-rootfs",
        },
        Example {
            log: "/srv/init: 12: cannot create /srv/test of a name: Permission denied",
            expected: "create EACCES /srv/test of a name unwritable-path",
        },
        Example {
            log: "ln: failed to create symbolic link '/srv/current': Permission denied",
            expected: "create EACCES /srv/current unwritable-path",
        },
    ],
    near_misses: &[
        "scp: /srv/drop/x: Permission denied",
        "api error AccessDeniedException: the key may not be used",
        "CREATE DATABASE permission denied in database 'main'.",
        "cp: cannot create regular file '/srv/a/b': No such file or directory",
        "could not write to /srv/x: No space left on device",
    ],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[
            r"(?:creat(?:e|ed|ing)|mak(?:e|ing))(?:/write)?(?: to)?",
            r"(?:cannot|can't|could not|unable to|failed to) touch",
            r"touch",
            r"writ(?:e|ing|ten)(?: to)?",
            r"sav(?:e|ing)",
            r"mkstemps?",
            r"tempnam",
            r"mktemp",
            r"symlink",
            r"mkfifo",
            r"(?:hard)?link(?:ing)?",
            r"ln",
            r"cp",
            r"cop(?:y|ied|ying)(?: \S+ to)?",
            r"install(?:ing)?",
            r"truncate",
            r"extract(?:ing)?",
            r"file_put_contents",
            r"lock config file",
            r"openat?\(.*O_CREAT",
            r"temp(?:orary)? file",
            r"writefile",
            r"append(?:ing)? to",
            r"tar: [^:]+: cannot open",
            r"dump(?:ing)?",
            r"updat(?:e|ing)",
            r"generat(?:e|ing)",
            r"rotat(?:e|ing)",
            r"persist",
            r"stor(?:e|ing)",
            r"(?:[\w.]+\.)?fswriteerror",
            r"[fl]?chtimes",
            r"[fl]?utimes?",
            r"utimensat",
            r"futimens",
            r"(?:set|sett|preserv|updat|chang|copy)\w* (?:the )?(?:\w+ )?times?(?:tamps?)?(?: (?:of|on|for))?",
        ])
    });
    categorize::access(context, &WORDS, Operation::Create)
}
