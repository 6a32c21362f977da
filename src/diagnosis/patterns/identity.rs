//! Changing user or group refused: setuid(2), setgid(2), setgroups(2), and the tools that drop
//! privileges.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::{Certainty, Finding};
use crate::diagnosis::reader::{context::LineContext, errno::compile};
use crate::model::capability::Capability;
use crate::model::obstacle::{Category, Errno, Operation};

pub(super) const PATTERN: Pattern = Pattern {
    id: "identity-switch",
    title: "the program could not change its user or group",
    explain: "Programs made to be started by root change to their own user when they are ready. That needs CAP_SETUID and \
              CAP_SETGID. A process may always set the uid and gid that it has already; it may never call setgroups(2).",
    source: "setuid(2), setgroups(2), credentials(7); su-exec, gosu, s6, util-linux, nginx, BIND, HAProxy, supervisord",
    signals: &[
        "set gid",
        "set uid",
        "setuid",
        "setgid",
        "setgroups",
        "initgroups",
        "set groups",
        "drop privilege",
        "authentication failure",
        "switching to",
        "change user",
        "must be suid",
        "privilege as nonroot",
        "may not be used by non-root",
        "superuser",
        "no new privileges",
        "effective uid is not 0",
        "supplementary group",
        "dropping privileges",
        "assume identity",
        "set group id",
        "must be run from a terminal",
        "must be setuid",
        "to root privileges",
        "reserved for the superuser",
        "not superuser",
        "switch user",
    ],
    examples: &[
        Example {
            log: "su-exec: setgroups: Operation not permitted",
            expected: "setgroups EPERM identity-switch",
        },
        Example {
            log: "error: failed switching to \"app\": operation not permitted",
            expected: "setuid EPERM identity-switch",
        },
        Example {
            log: "named: setgid(): Operation not permitted",
            expected: "setgid EPERM identity-switch",
        },
        Example {
            log: "[emerg] 7#7: setgid(101) failed (1: Operation not permitted)",
            expected: "setgid EPERM identity-switch",
        },
        Example {
            log: "s6-applyuidgid: fatal: unable to set supplementary group list: Operation not permitted",
            expected: "setgroups EPERM identity-switch",
        },
        Example {
            log: "[ALERT]    (8) : [haproxy.main()] Cannot set gid 101.",
            expected: "setgid - identity-switch",
        },
        Example {
            log: "Unable to drop privileges, operation failed (initgroups)",
            expected: "setgroups - identity-switch",
        },
        Example { log: "cannot setgid() as non-root user", expected: "setgid - identity-switch" },
        Example {
            log: "Error: Can't drop privilege as nonroot user",
            expected: "setuid - identity-switch",
        },
        Example {
            log: "sudo: /etc/sudo.conf is owned by uid 1000, should be 0\nsudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set",
            expected: "setuid - /usr/bin/sudo identity-switch",
        },
        Example {
            log: "crontab: must be suid to work properly",
            expected: "setuid - identity-switch",
        },
        Example {
            log: "Password: su: Authentication failure",
            expected: "setuid - identity-switch",
        },
        Example {
            log: "sudo: The \"no new privileges\" flag is set, which prevents sudo from running as root.",
            expected: "setuid - identity-switch",
        },
        Example {
            log: "  File \"/srv/run.py\", line 3, in <module>\n    os.setuid(33)\nPermissionError: [Errno 1] Operation not permitted",
            expected: "setuid EPERM identity-switch",
        },
    ],
    near_misses: &[
        "the \"user\" directive makes sense only if the master process runs with super-user privileges",
        "NOTICE: [pool www] 'user' directive is ignored when FPM is not running as root",
        "sshd[9]: Failed password for root: Authentication failure",
    ],
    read: Read::One(read),
};

/// The words of programs for each call. The first that matches names the operation, so groups stand
/// first: a message about them often names the user as well.
const CALLS: &[(Operation, &str)] = &[
    (
        Operation::Setgroups,
        r"\b(?:setgroups|initgroups|set(?:ting)? groups|(?:set|drop|clear|remov\w*)(?:ting|ping|ing)? (?:the )?(?:\w+ )?(?:supplementary|supplemental|additional|auxiliary) group\w*|supplementary group|group list|groups whilst dropping)\b",
    ),
    (
        Operation::Setgid,
        r"\b(?:set(?:res|re|e)?gid|set(?:ting)? (?:the )?(?:\w+ )?(?:gid|group id|group-id|groupid|group)|(?:chang|switch)\w* (?:to )?(?:the )?(?:effective |root )?(?:gid|group(?: id|-id)?)|setregid|requested group)\b",
    ),
    (
        Operation::Setuid,
        r#"\b(?:set(?:res|re|e)?uid|set(?:ting)? (?:the )?(?:\w+ )?(?:uid|user id|user-id|userid|user|identity)|(?:chang|switch)\w* (?:the )?(?:effective )?(?:uid|user(?: id|-id)?|to (?:the )?(?:user|["'`‘]?\w+["'`’]?))|(?:drop|assum|relinquish|revok)\w* (?:\w+ )?(?:privileges?|identity)|permanently_set_uid|privilege drop\w*|become user)\b"#,
    ),
];

/// Messages that mean it without an errno.
const WITHOUT_ERRNO: &[(Operation, &str)] = &[
    (
        Operation::Setgid,
        r"\b(?:cannot|can't|couldn't|could not|unable to|failed to) set(?: the)? (?:gid|group id|group)\b",
    ),
    (
        Operation::Setgid,
        r"\b(?:cannot|can't|unable to|failed to) set(?:e|re|res)?gid(?:\(\))?(?: as| unless|$|[:.])",
    ),
    (
        Operation::Setgroups,
        r"\b(?:cannot|can't|couldn't|could not|unable to|failed to) (?:set|drop|initiali[sz]e) (?:\w+ )?groups?\b",
    ),
    (Operation::Setgroups, r"\bdrop (?:\w+ )?privileges\b.*\binitgroups\b"),
    (
        Operation::Setuid,
        r"\b(?:cannot|can't|couldn't|could not|unable to|failed to) (?:set(?: the)? uid|setuid|set(?: the)? user(?: id)?|drop (?:\w+ )?privileges?|change to (?:user|uid)|switch (?:to )?user|assume identity of)\b",
    ),
    (
        Operation::Setuid,
        r"\bsu: (?:authentication failure|must be run from a terminal|must be suid to work properly|cannot set groups|permission denied|module is unknown|authentication token)",
    ),
    (Operation::Setuid, r"\bprivilege as nonroot user\b"),
    (Operation::Setuid, r"\bmay not be used by non-root users\b"),
    (
        Operation::Setuid,
        r#"\bsudo: (?:the "no new privileges" flag|effective uid is not 0|.*must be owned by uid 0|a password is required|pam|unable to change to root|.*is not in the sudoers|a terminal is required)"#,
    ),
    (
        Operation::Setuid,
        r"\bis reserved for the superuser\b|\bfatal error ?: not superuser\b|\bmust be (?:setuid root|suid to work properly)\b|\bunable to gain root privileges\b",
    ),
];

fn read(context: &LineContext) -> Option<Finding> {
    static COMPILED: LazyLock<[Vec<(Operation, Regex)>; 2]> = LazyLock::new(|| {
        [CALLS, WITHOUT_ERRNO].map(|table| {
            table
                .iter()
                .map(|(operation, words)| (*operation, compile(&format!("(?i){words}"))))
                .collect()
        })
    });
    let [calls, without_errno] = &*COMPILED;
    let finding = |operation| {
        let capability = match operation {
            Operation::Setuid => Capability::SETUID,
            _ => Capability::SETGID,
        };
        Finding::new(operation, Category::IdentitySwitch)
            .capability(capability)
            // It tried to give up groups that it does not have, or to become root again.
            .harmless(context.is_warning())
    };
    let Some(refusal) = context.refusal() else {
        let (operation, _) =
            without_errno.iter().find(|(_, words)| words.is_match(context.text()))?;
        // `sudo: effective uid is not 0, is /usr/bin/sudo on a file system with the 'nosuid' option
        // set`
        let path = context
            .paths()
            .first()
            .filter(|_| context.text().starts_with("sudo: "))
            .map(|path| path.text.to_owned());
        return Some(finding(*operation).path(path).certainty(Certainty::Words));
    };
    if !matches!(refusal.errno, Errno::Eperm | Errno::Eacces) {
        return None;
    }
    if let Some(reported) = context.reported.filter(|reported| {
        matches!(reported.operation, Operation::Setuid | Operation::Setgid | Operation::Setgroups)
    }) {
        return Some(finding(reported.operation).errno(refusal.errno));
    }
    if context.text().contains(" of ") && context.text().contains("chang") {
        // `chgrp: changing group of '/x'` is about a file.
        return None;
    }
    let operation = calls
        .iter()
        .chain(without_errno)
        .find_map(|(operation, words)| words.is_match(context.text()).then_some(*operation))?;
    // A change of the user outweighs every other verb of the message.
    Some(finding(operation).errno(refusal.errno).certainty(Certainty::VerbBeforeErrno))
}
