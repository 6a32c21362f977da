//! The operation that a runtime names itself: in the message beside the errno, in a field, or in the
//! frames of a stack trace.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    errno::{self, compile},
    line::LogLine,
    record::{self, Record},
};
use crate::model::obstacle::{Errno, Operation};

/// An operation by the runtime's own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reported {
    pub operation: Operation,
    /// Byte offset behind which the line names what it was applied to; `None` where another line
    /// reports it.
    pub at: Option<usize>,
}

/// The operation that the runtime reports for a line of a record; `above` is the line before it.
pub(crate) fn operation(
    record: &Record,
    index: usize,
    above: Option<&LogLine>,
) -> Option<Reported> {
    let line = &record.lines[index];
    let in_frames = || record.framed_operation(index).or_else(|| source_above(line, above?));
    if let Some(mut reported) = beside_errno(&line.text) {
        // FileUtils of Ruby calls one function for many files, to change modes, owners or times
        // and to remove them.
        if line.text.contains("@ apply2files") {
            let errno = line.refusal.as_ref().map(|refusal| refusal.errno);
            let usual =
                if errno == Some(Errno::Eperm) { Operation::Chmod } else { Operation::Unlink };
            reported.operation = in_frames()
                .filter(|framed| {
                    matches!(framed, Operation::Chmod | Operation::Chown | Operation::Unlink)
                })
                .unwrap_or(usual);
        }
        return Some(reported);
    }
    line.refusal.as_ref()?;
    let field = record.lines.iter().find_map(|line| system_call_field(&line.text));
    let operation = field.or_else(in_frames)?;
    Some(Reported { operation, at: None })
}

/// The call above an exception of Python, where the heads of the frames are cut off.
fn source_above(line: &LogLine, above: &LogLine) -> Option<Operation> {
    static EXCEPTION: LazyLock<Regex> =
        LazyLock::new(|| compile(r"^(?:[\w.]+\.)?[A-Z]\w*(?:Error|Exception): "));
    static SOURCE: LazyLock<Regex> =
        LazyLock::new(|| compile(r"^(?:return |with |[\w.]+ = )?[\w.]+\(.*\)(?: as \w+:)?$"));
    let is_source = EXCEPTION.is_match(&line.text)
        && above.indent > line.indent
        && SOURCE.is_match(&above.text);
    is_source.then(|| record::operation_of(&above.text))?
}

/// libuv's `EACCES: permission denied, mkdir '/x'`, Ruby's `Permission denied @ dir_s_mkdir - /x`,
/// Deno's `Permission denied (os error 13): mkdir '/x'`.
fn beside_errno(text: &str) -> Option<Reported> {
    static BESIDE: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            &r#"(?x) E[A-Z]{3,6}:\s[a-z\s-]+,\s(?:Error:\s)?(?P<uv>[a-z]+)\b
            | @\s(?P<ruby>\w+)
            | \(os\serror\s\d+\)[,:]\s(?P<deno>[a-z]+)\b
            | \b(?P<uv2>listen|spawn|bind|connect)\s(?:\S+\s)?(?:SYMBOLS)\b
            | \b(?P<php>file_put_contents|fopen|touch|copy|tempnam|file_get_contents|move_uploaded_file|include(?:_once)?|require(?:_once)?|unlink|rename|chmod|chown|mkdir|opendir|scandir|symlink|fsockopen|error_log|imagepng|readfile|parse_ini_file)\((?:[^()]*)\):\s
            | :\s(?P<ghc>(?:with|open|create|getDirectory|remove|rename|copy|setFile|setOwner)[A-Z]\w+|withFile|openFd):\s(?:permission|unsupported|resource)
            | \b(?i:occurred|raised|thrown)\s(?i:at|in)\s(?:[\w:]+[&*]?\s)*(?P<signature>\w+)\(
            | \b(?:SYMBOLS)\s(?P<bun>reading|writing|opening)\b"#
            .replace("SYMBOLS", &errno::symbols()),
        )
    });
    let captures = BESIDE.captures(text)?;
    let word = captures.iter().skip(1).flatten().next()?;
    // A function's arguments stand before the errno like any verb's object, and a signature has none.
    let at = captures.name("signature").is_none().then_some(word.end());
    Some(Reported { operation: operation_named(word.as_str())?, at })
}

/// Node's `syscall: 'mkdir'` and npm's `syscall mkdir`.
fn system_call_field(text: &str) -> Option<Operation> {
    static FIELD: LazyLock<Regex> =
        LazyLock::new(|| compile(r#"(?:^|[\s{,])(?:npm (?:ERR!|error) )?syscall:? ["']?([a-z]+)"#));
    operation_named(FIELD.captures(text)?.get(1)?.as_str())
}

/// What a system call, a request of libuv, a function of Ruby's or PHP's, or one of GHC's
/// System.IO and System.Posix is called in messages, by its operation.
const NAMES: &[(Operation, &[&str])] = &[
    (Operation::Mkdir, &["mkdir", "mkdirat", "mkdtemp", "dir_s_mkdir", "createDirectory"]),
    (
        Operation::Open,
        &[
            "open",
            "openat",
            "read",
            "scandir",
            "opendir",
            "stat",
            "lstat",
            "access",
            "readlink",
            "statx",
            "watch",
            "readdir",
            "realpath",
            "fopen",
            "reading",
            "opening",
            // Ruby
            "rb_sysopen",
            "dir_initialize",
            "dir_chdir",
            "dir_s_chdir",
            "rb_file_s_size",
            "rb_file_lstat",
            "rb_file_s_stat",
            "io_fread",
            "rb_readlink",
            "rb_check_realpath_internal",
            "rb_realpath_internal",
            "realpath_rec",
            // PHP
            "readfile",
            "file_get_contents",
            "include",
            "include_once",
            "require",
            "require_once",
            "parse_ini_file",
            // GHC
            "openFile",
            "openBinaryFile",
            "withFile",
            "withBinaryFile",
            "openFd",
            "getDirectoryContents",
        ],
    ),
    (
        Operation::Create,
        &[
            "copyfile",
            "copy_file_range",
            "write",
            "symlink",
            "link",
            "mkfifo",
            "writefile",
            "truncate",
            "ftruncate",
            "utime",
            "utimes",
            "futime",
            "lutime",
            "writing",
            "mkstemp",
            "sendfile",
            // Ruby
            "rb_file_s_symlink",
            "rb_file_s_link",
            // PHP
            "file_put_contents",
            "touch",
            "copy",
            "tempnam",
            "move_uploaded_file",
            "error_log",
            "imagepng",
            // GHC
            "openTempFile",
            "openBinaryTempFile",
            "copyFile",
            "createSymbolicLink",
        ],
    ),
    (
        Operation::Unlink,
        &[
            "unlink",
            "rmdir",
            "unlinkat",
            "rm",
            "remove",
            "apply2files",
            "unlink_internal",
            "dir_s_rmdir",
            "removeFile",
            "removeLink",
            "removeDirectory",
        ],
    ),
    (
        Operation::Rename,
        &["rename", "renameat", "rb_file_s_rename", "renameFile", "renamePath", "renameDirectory"],
    ),
    (
        Operation::Chown,
        &[
            "chown",
            "lchown",
            "fchown",
            "chown_internal",
            "rb_file_s_chown",
            "rb_file_chown",
            "setOwnerAndGroup",
        ],
    ),
    (
        Operation::Chmod,
        &["chmod", "fchmod", "lchmod", "rb_file_s_chmod", "rb_file_chmod", "setFileMode"],
    ),
    (Operation::Bind, &["listen", "bind"]),
    (Operation::Exec, &["spawn", "execve", "exec"]),
    (Operation::Setuid, &["setuid"]),
    (Operation::Setgid, &["setgid"]),
    (Operation::Setgroups, &["setgroups"]),
];

fn operation_named(name: &str) -> Option<Operation> {
    NAMES.iter().find(|(_, names)| names.contains(&name)).map(|(operation, _)| *operation)
}
