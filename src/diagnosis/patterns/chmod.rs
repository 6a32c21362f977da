//! chmod(2) refused.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::reader::{context::LineContext, path_kind, verb};
use crate::model::capability::Capability;
use crate::model::obstacle::{Category, Errno, Operation};

pub(super) const PATTERN: Pattern = Pattern {
    id: "chmod",
    title: "mode bits could not be changed",
    explain: "Only the owner of a file may change its mode bits. Group membership, and so fsGroup, is not enough.",
    source: "chmod(2), capabilities(7): CAP_FOWNER; coreutils src/chmod.c, PostgreSQL initdb.c",
    signals: &[],
    examples: &[
        Example {
            log: "chmod: changing permissions of '/srv/run': Operation not permitted",
            expected: "chmod EPERM /srv/run ownership-change",
        },
        Example {
            log: "chmod: changing permissions of '/dev/fuse': Operation not permitted",
            expected: "chmod EPERM /dev/fuse device-access",
        },
        Example {
            log: "initdb: error: could not change permissions of directory \"/srv/pg\": Operation not permitted",
            expected: "chmod EPERM /srv/pg ownership-change",
        },
        Example {
            log: "chmod: /srv/x: Read-only file system",
            expected: "chmod EROFS /srv/x read-only-rootfs",
        },
        Example {
            log: "os.chmod: chmod /srv/x: operation not permitted",
            expected: "chmod EPERM /srv/x ownership-change",
        },
    ],
    near_misses: &["chmod: cannot access '/srv/x': No such file or directory"],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[
            r"f?chmod(?:at|sync)?",
            r"(?:chang(?:e|ing)|set(?:ting)?|fix(?:ing)?|adjust(?:ing)?)(?: \w+)? (?:permissions?|mode|file mode|acl)(?: (?:of|on|for|to))?(?: (?:director(?:y|ies)|file))?",
            r"preserv(?:e|ing) permissions(?: for)?",
        ])
    });
    let verb = context.verb(&WORDS, Operation::Chmod)?;
    let errno = context.refusal()?.errno;
    let path = context.object(verb);
    let category = match errno {
        Errno::Erofs => Category::ReadOnlyRootfs,
        _ if path.as_deref().is_some_and(path_kind::is_device) => Category::DeviceAccess,
        _ => Category::OwnershipChange,
    };
    let finding = Finding::new(Operation::Chmod, category)
        .errno(errno)
        .path(path)
        .confidence(verb.confidence);
    Some(finding.capability(Capability::FOWNER))
}
