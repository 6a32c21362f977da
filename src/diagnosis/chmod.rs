//! chmod(2) refused.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    Example, Pattern, Read, judge,
    scene::{Finding, Scene},
    verb,
};
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
            says: "chmod EPERM /srv/run ownership-change",
        },
        Example {
            log: "chmod: changing permissions of '/dev/fuse': Operation not permitted",
            says: "chmod EPERM /dev/fuse device-access",
        },
        Example {
            log: "initdb: error: could not change permissions of directory \"/srv/pg\": Operation not permitted",
            says: "chmod EPERM /srv/pg ownership-change",
        },
        Example {
            log: "chmod: /srv/x: Read-only file system",
            says: "chmod EROFS /srv/x read-only-rootfs",
        },
        Example {
            log: "os.chmod: chmod /srv/x: operation not permitted",
            says: "chmod EPERM /srv/x ownership-change",
        },
    ],
    near_misses: &["chmod: cannot access '/srv/x': No such file or directory"],
    read: Read::One(read),
};

fn read(scene: &Scene) -> Option<Finding> {
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[
            r"f?chmod(?:at|sync)?",
            r"(?:chang(?:e|ing)|set(?:ting)?|fix(?:ing)?|adjust(?:ing)?)(?: \w+)? (?:permissions?|mode|file mode|acl)(?: (?:of|on|for|to))?(?: (?:director(?:y|ies)|file))?",
            r"preserv(?:e|ing) permissions(?: for)?",
        ])
    });
    let verb = scene.verb(&WORDS, Operation::Chmod)?;
    let errno = scene.refusal()?.errno;
    let path = scene.object(verb);
    let category = match errno {
        Errno::Erofs => Category::ReadOnlyRootfs,
        _ if path.as_deref().is_some_and(judge::is_device) => Category::DeviceAccess,
        _ => Category::OwnershipChange,
    };
    let finding =
        Finding::new(Operation::Chmod, category).errno(errno).path(path).distance(verb.distance);
    Some(finding.capability("FOWNER"))
}
