//! connect(2) to a Unix socket refused.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::reader::{categorize, context::LineContext, verb};
use crate::model::obstacle::Operation;

pub(super) const PATTERN: Pattern = Pattern {
    id: "connect",
    title: "a Unix socket may not be used",
    explain: "Connecting to a Unix socket needs write permission on the socket's file. The container engine's socket, for one, is \
              open to root and to one group only.",
    source: "connect(2), unix(7)",
    signals: &[],
    examples: &[
        Example {
            log: "dial unix /var/run/docker.sock: connect: permission denied",
            expected: "other EACCES /var/run/docker.sock unwritable-path",
        },
        Example {
            log: "Can't connect to the local server through socket '/srv/run/db.sock' (13)",
            expected: "other EACCES /srv/run/db.sock unwritable-path",
        },
        Example {
            log: "connect() to unix:/run/php/php-fpm.sock failed (13: Permission denied) while connecting to upstream",
            expected: "other EACCES /run/php/php-fpm.sock unwritable-path",
        },
    ],
    near_misses: &[
        "ssh: connect to host 192.0.2.7 port 22: Permission denied",
        "Error: connect EACCES 192.0.2.7:443",
        "Error: EPERM: operation not permitted, unlink 'D:\\work\\node_modules\\a.node'",
        "sendto: Operation not permitted",
        "dial tcp 10.0.0.1:443: connect: permission denied",
        "dial unix /run/x.sock: connect: connection refused",
    ],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[r"connect(?:ing|ion)?(?: to)?", r"dial(?:ing)?(?: unix)?"])
    });
    let verb = context.verb(&WORDS, Operation::Other)?;
    let errno = context.refusal()?.errno;
    let path =
        context.object(verb).or_else(|| context.paths().pop().map(|path| path.text.to_owned()))?;
    if !path.starts_with('/') && !path.contains(".sock") {
        return None;
    }
    let access = categorize::PathAccess {
        operation: Operation::Other,
        errno: Some(errno),
        path: Some(&path),
        text: context.text(),
    };
    Some(categorize::finding(&access).confidence(verb.confidence))
}
