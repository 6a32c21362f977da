//! A uid without an entry in /etc/passwd.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::reader::{context::LineContext, errno::compile};
use crate::model::detail::Detail;
use crate::model::obstacle::{Category, Errno, Operation};

pub(super) const PATTERN: Pattern = Pattern {
    id: "passwd",
    title: "the user id has no entry in /etc/passwd",
    explain: "getpwuid(3) finds nothing for a uid that the image's /etc/passwd does not list. Programs that want a name or a \
              home directory then fail, each in its own words; HOME becomes `/`.",
    source: "getpwuid(3); CPython pwd, libuv uv_os_get_passwd, PostgreSQL username.c, OpenSSH, com.sun.security.auth.UnixPrincipal",
    signals: &[
        "getpwuid",
        "uv_os_get_passwd",
        "user does not exist",
        "i have no name",
        "no user exists for uid",
        "cannot find name for user",
        "invalid null input",
        "unknown userid",
        "unknown user id",
        "look up current user",
        "you don't exist",
        "no such user",
        "passwd entry",
        "passwd file",
        "password database",
        "unknown uid",
        "current user",
        "unknown user ",
        "uid not found",
        "getpwnam",
        "can't find user for",
        "determine user",
        "$home ",
        "finding user",
    ],
    examples: &[
        Example {
            log: "KeyError: 'getpwuid(): uid not found: 1000'",
            expected: "getpwuid - missing-passwd-entry",
        },
        Example {
            log: "SystemError [ERR_SYSTEM_ERROR]: A system error occurred: uv_os_get_passwd returned ENOENT (no such file or directory)",
            expected: "getpwuid ENOENT missing-passwd-entry",
        },
        Example {
            log: "initdb: error: could not look up effective user ID 1000: user does not exist",
            expected: "getpwuid - missing-passwd-entry",
        },
        Example { log: "No user exists for uid 1000", expected: "getpwuid - missing-passwd-entry" },
        Example {
            log: "whoami: cannot find name for user ID 1000",
            expected: "getpwuid - missing-passwd-entry",
        },
        Example {
            log: "Caused by: java.lang.NullPointerException: invalid null input: name",
            expected: "getpwuid - missing-passwd-entry",
        },
        Example {
            log: "create managed process: internalError: \"Cannot find User '4242' in passwd file.\"",
            expected: "getpwuid - missing-passwd-entry",
        },
        Example { log: "user: unknown userid 1000", expected: "getpwuid - missing-passwd-entry" },
        Example {
            log: "fatal: unable to look up current user in the passwd file: no such user",
            expected: "getpwuid - missing-passwd-entry",
        },
        Example {
            log: "groups: cannot find name for group ID 1000\nI have no name!@web:/$ id",
            expected: "getpwuid - missing-passwd-entry",
        },
    ],
    near_misses: &[
        "login: current user root",
        "ERROR 1045 (28000): no such user 'app'@'10.0.0.1'",
        "Unknown user nobody in configuration file",
    ],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    static SAYS: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r#"(?ix) getpwuid(?:_r)?\b .* (?:not\sfound|fail|unknown|error|no\ssuch|null|none|unable)
            | uv_os_get_passwd
            | \b(?:look\sup|lookup|find|get|determine|resolve|identify)\b [^.]{0,40} \b(?:user|uid) \b [^.]{0,30}? \b\d+ .* (?:does\snot\sexist|not\sfound|no\ssuch\suser|unknown)
            | \bi\shave\sno\sname! | \bno\suser\sexists\sfor\suid | \bcannot\sfind\sname\sfor\suser\sid | \binvalid\snull\sinput:?\sname
            | \bunknown\suser\s?id\b | \bunknown\suid\b | \bunable\sto\slook\sup\scurrent\suser | \byou\sdon't\sexist
            | \b(?:no|missing)\s(?:/etc/)?passwd\sentry\b | \bnot\s(?:in|found\sin|listed\sin)\s(?:the\s)?(?:/etc/)?passwd | \buid\snot\sfound
            | \bcurrent\suser\b .* \b(?:not\sfound|does\snot\sexist|unknown|has\sno) | \b(?:cannot|can't|could\snot|unable\sto|failed\sto)\s(?:determine|get|find|look\sup|retrieve)\s(?:the\s)?(?:current\suser|user\s?name|login\sname|user\sname|user's\shome|user\sfor\suid)
            | \b(?:can't|cannot|unable\sto)\sfind\suser\s(?:for\s)?\W?\d+ | \$home\s(?:is\s)?not\s(?:defined|set)
            | \buser(?:\sid)?\s[`'"]?\d+[`'"]?\s(?:does\snot|doesn't)\sexist | \bcannot\sget\suser\sinformation\b"#,
        )
    });
    static CLUSTER: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)unable to find (?:user|group) \S+: no matching entries in (?:passwd|group) file",
        )
    });
    if !SAYS.is_match(context.text()) || CLUSTER.is_match(context.text()) {
        return None;
    }
    let errno = context.text().contains("ENOENT").then_some(Errno::Enoent);
    let finding = Finding::new(Operation::Getpwuid, Category::MissingPasswdEntry).errno(errno);
    // The words of CPython's Modules/pwdmodule.c.
    Some(if context.text().contains("getpwuid(): uid not found") {
        finding.detail(Detail::PythonUserLookup)
    } else {
        finding
    })
}
