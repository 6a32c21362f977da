//! mkdir(2) refused.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::reader::{categorize, context::LineContext, verb};
use crate::model::obstacle::Operation;

pub(super) const PATTERN: Pattern = Pattern {
    id: "mkdir",
    title: "a directory could not be made",
    explain: "mkdir(2) needs write and search permission on the directory above. Images are built as root, so most \
              directories in them belong to root with mode 0755: no other user may make anything there.",
    source: "mkdir(2); coreutils src/mkdir.c, Go os.Mkdir, java.nio.file.Files.createDirectory",
    signals: &[],
    examples: &[
        Example {
            log: "mkdir: cannot create directory '/srv/spool': Permission denied",
            expected: "mkdir EACCES /srv/spool unwritable-path",
        },
        Example {
            log: "mkdir: can't create directory '/srv/spool/': Read-only file system",
            expected: "mkdir EROFS /srv/spool/ read-only-rootfs",
        },
        Example {
            log: "panic: mkdir /srv/spool: permission denied",
            expected: "mkdir EACCES /srv/spool unwritable-path",
        },
        Example {
            log: "[emerg] 1#1: mkdir() \"/srv/spool/body\" failed (13: Permission denied)",
            expected: "mkdir EACCES /srv/spool/body unwritable-path",
        },
        Example {
            log: "Error: EACCES: permission denied, mkdir '/srv/spool'",
            expected: "mkdir EACCES /srv/spool unwritable-path",
        },
        Example {
            log: "'mkdir': Permission denied @ dir_s_mkdir - /srv/spool (Errno::EACCES)",
            expected: "mkdir EACCES /srv/spool unwritable-path",
        },
        Example {
            log: "mkdir: cannot create directory '/srv/cache': Permission denied - skipping",
            expected: "mkdir EACCES /srv/cache unwritable-path",
        },
        Example {
            log: "[FATAL][logstash.runner] An unexpected error occurred! {:error=>#<Errno::EACCES: Permission denied - /spool>, :backtrace=>[\"org/jruby/RubyDir.java:12:in `mkdir'\", \"uri:classloader:/stdlib/fileutils.rb:34:in `fu_mkdir'\"]}",
            expected: "mkdir EACCES /spool unwritable-path",
        },
        Example {
            log: "FATAL: Failed to make swap directory /srv/spool/00: (13) Permission denied",
            expected: "mkdir EACCES /srv/spool/00 unwritable-path",
        },
        // nginx continues without an error log.
        Example {
            log: "nginx: [alert] could not open error log file: open() \"/srv/log/error.log\" failed (30: Read-only file system)\n2026/01/02 03:04:05 [emerg] 1#1: mkdir() \"/srv/tmp/body\" failed (30: Read-only file system)",
            expected: "mkdir EROFS /srv/tmp/body read-only-rootfs",
        },
        Example {
            log: "\"Caused by: java.nio.file.AccessDeniedException: /srv/nodes\",\n\"at sun.nio.fs.UnixException.translateToIOException(UnixException.java:90) ~[?:?]\",\n\"at java.nio.file.Files.createDirectory(Files.java:694) ~[?:?]\"",
            expected: "mkdir EACCES /srv/nodes unwritable-path",
        },
        Example {
            log: "java.nio.file.AccessDeniedException: /srv/spool\n\tat java.base/sun.nio.fs.UnixFileSystemProvider.createDirectory(UnixFileSystemProvider.java:438)",
            expected: "mkdir EACCES /srv/spool unwritable-path",
        },
        Example {
            log: "Creation of work directory failed, path = '/srv/work' (OS Error: Permission denied, errno = 13)",
            expected: "mkdir EACCES /srv/work unwritable-path",
        },
        Example {
            log: "could not start: ensure directory exists at /srv/spool: permission denied",
            expected: "mkdir EACCES /srv/spool unwritable-path",
        },
        Example {
            log: "ERROR system error 13 (Permission denied) [path: /srv/state]; OCCURRED AT virtual core::Error createDirectory(const core::Path&) src/unix.cpp:7",
            expected: "mkdir EACCES /srv/state unwritable-path",
        },
        Example {
            log: "java.io.UncheckedIOException: java.nio.file.AccessDeniedException: /srv/up\n\tat app.Store.init(Store.java:7)\nCaused by: java.nio.file.AccessDeniedException: /srv/up\n\tat java.base/sun.nio.fs.UnixFileSystemProvider.createDirectory(UnixFileSystemProvider.java:397)",
            expected: "mkdir EACCES /srv/up unwritable-path",
        },
        Example {
            log: "app: state: createDirectory: permission denied (Read-only file system)",
            expected: "mkdir EROFS state read-only-rootfs",
        },
        Example {
            log: "mkdir: das Verzeichnis '/srv/spool' kann nicht angelegt werden: Keine Berechtigung",
            expected: "mkdir EACCES /srv/spool unwritable-path",
        },
    ],
    near_misses: &[
        "mkdir: cannot create directory '/srv/spool': File exists",
        "mkdir: cannot create directory '/srv/spool': No such file or directory",
    ],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[
            r"mkdir(?:at|temp|all|_p|s|sync)?",
            r"mkdtemp",
            r"makedirs?",
            r"(?:creat(?:e|ed|ing)|mak(?:e|ing)|made)(?: of)?(?: [\w-]+){0,4}? (?:sub-?)?(?:director(?:y|ies)|folders?|dirs?)",
            r"creation of(?: [\w-]+){0,4} (?:director(?:y|ies)|folders?)",
            r"(?:director(?:y|ies)|folder) creation",
            r"ensur(?:e|ing)(?: [\w-]+){0,3} (?:director(?:y|ies)|folders?)(?: exists?)?",
            r"(?:cannot_|failed_to_|could_not_)?(?:create|make)_dir(?:ectory)?",
            r"no existing director(?:y|ies) at",
            r"createdirector(?:y|ies)",
            r"create_dir(?:_all|ectory|ectories)?",
            r"director(?:y|ies)(?: \S+)? (?:could not|cannot|can't|can not) be (?:created|made)",
        ])
    });
    categorize::access(context, &WORDS, Operation::Mkdir)
}
