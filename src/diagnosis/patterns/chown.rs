//! chown(2) refused.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::reader::{context::LineContext, path_kind, verb};
use crate::model::capability::Capability;
use crate::model::obstacle::{Category, Errno, Operation};

pub(super) const PATTERN: Pattern = Pattern {
    id: "chown",
    title: "ownership could not be changed",
    explain: "Only root with CAP_CHOWN may give a file to another user. The owner may change its group only, to one of the owner's groups. A chown to the present owner succeeds.",
    source: "chown(2), capabilities(7); coreutils src/chown-core.c",
    signals: &[],
    examples: &[
        Example {
            log: "chown: changing ownership of '/srv/data': Operation not permitted",
            expected: "chown EPERM /srv/data ownership-change",
        },
        Example {
            log: "chown: /srv/data: Operation not permitted",
            expected: "chown EPERM /srv/data ownership-change",
        },
        Example {
            log: "nginx: [emerg] chown(\"/srv/cache\", 101) failed (1: Operation not permitted)",
            expected: "chown EPERM /srv/cache ownership-change",
        },
        Example {
            log: "Error: copying x: lchown /srv/x: operation not permitted",
            expected: "chown EPERM /srv/x ownership-change",
        },
        Example {
            log: "tar: ./a/b: Cannot change ownership to uid 0, gid 0: Operation not permitted",
            expected: "chown EPERM ./a/b ownership-change",
        },
    ],
    near_misses: &[
        "chown: invalid user: 'app'",
        "chown: cannot access '/srv/x': No such file or directory",
    ],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[
            r"[fl]?chown(?:at|r)?",
            r"chgrp",
            r"(?:chang(?:e|ing)|set(?:ting)?)(?: the)? (?:ownership|owner|group)(?: of)?",
            r"preserv(?:e|ing) ownership(?: for)?",
            r"setting attributes",
        ])
    });
    let verb = context.verb(&WORDS, Operation::Chown)?;
    let errno = context.refusal()?.errno;
    let path = context.object(verb);
    let category = match errno {
        Errno::Erofs => Category::ReadOnlyRootfs,
        _ if path.as_deref().is_some_and(path_kind::is_device) => Category::DeviceAccess,
        _ => Category::OwnershipChange,
    };
    let finding = Finding::new(Operation::Chown, category)
        .errno(errno)
        .path(path)
        .confidence(verb.confidence);
    Some(finding.capability(Capability::CHOWN))
}
