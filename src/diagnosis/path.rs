//! A path or a bare message beside an errno, without a verb.

use super::{
    Example, Pattern, Read,
    judge::{self, Access},
    scene::{Finding, Scene, Verb},
};
use crate::model::obstacle::{Category, Errno, Operation};

pub(super) const PATTERN: Pattern = Pattern {
    id: "path",
    title: "an access was refused",
    explain: "The message gives the file and the errno, not what was attempted. Most often that is open(2).",
    source: "errno(3), path_resolution(7); perror(3), CPython OSError, java.nio.file.AccessDeniedException",
    signals: &[],
    examples: &[
        Example {
            log: "PermissionError: [Errno 13] Permission denied: '/srv/data/x.db'",
            says: "open EACCES /srv/data/x.db unwritable-path",
        },
        Example {
            log: "java.nio.file.AccessDeniedException: /srv/data/x.db",
            says: "open EACCES /srv/data/x.db unwritable-path",
        },
        Example {
            log: "PermissionError: [Errno 13] Permission denied: '/srv/a'\npool.errors.WorkerError: PermissionError: [Errno 13] Permission denied: '/srv/b'",
            says: "open EACCES /srv/b unwritable-path",
        },
        Example {
            log: "Error: Permission denied (os error 13)",
            says: "other EACCES unwritable-path",
        },
        Example {
            log: "Error loading shared library libx.so.2: Permission denied (needed by /bin/x)",
            says: "open EACCES libx.so.2 unreadable-file",
        },
    ],
    near_misses: &[
        "ERROR:  permission denied for table users",
        "Permission denied (publickey).",
        "403 Forbidden: permission denied",
        "error: Uncaught PermissionDenied: network access to \"127.0.0.1:8000\", run again with the --allow-net flag\n    at PermissionDenied ($deno$/errors.ts:12:3)",
    ],
    read: Read::One(read),
};

/// Behind every distance that a verb can have: any pattern that knows more goes first.
const LAST: usize = 100_000;

fn read(scene: &Scene) -> Option<Finding> {
    let refusal = scene.refusal()?;
    let spoken = scene.spoken.map(|spoken| spoken.operation);
    let path = scene.object(Verb { end: 0, distance: LAST });
    if path.is_none()
        && !refusal.from_kernel
        && !is_whole_message(scene, refusal.span.start, refusal.span.end)
    {
        return None;
    }
    let operation = match (spoken, &path) {
        (Some(operation), _) => operation,
        (None, Some(_)) => Operation::Open,
        (None, None) => Operation::Other,
    };
    if path.is_none() && refusal.errno == Errno::Eperm {
        return Some(
            Finding::new(operation, Category::CapabilityMissing)
                .errno(refusal.errno)
                .distance(LAST + 1),
        );
    }
    // What Python and others refuse with EPERM and a path is the owner's to do: open(2) answers
    // EACCES.
    if refusal.errno == Errno::Eperm
        && spoken.is_none()
        && path.as_deref().is_some_and(|path| !judge::is_device(path))
    {
        let place = path.as_deref().unwrap_or_default();
        let cause = format!(
            "only the owner of {place} or root may do that: change its owner, its mode bits or its times"
        );
        let finding = Finding::new(Operation::Other, Category::OwnershipChange)
            .errno(refusal.errno)
            .path(path);
        return Some(finding.cause(cause).distance(LAST));
    }
    let access =
        Access { operation, errno: Some(refusal.errno), path: path.as_deref(), text: scene.text() };
    let distance = if path.is_none() { LAST + 1 } else { LAST };
    let mut finding = judge::finding(&access).distance(distance);
    finding.category = judge::by_frames(scene, &finding);
    Some(finding)
}

/// Words without a number, a path or a verb mean an errno only where they end the message, as
/// perror(3) has them.
fn is_whole_message(scene: &Scene, start: usize, end: usize) -> bool {
    let text = scene.text();
    let ends = text[end..].trim_matches(|c: char| !c.is_alphanumeric()).is_empty();
    let begins = text[..start].trim_end();
    ends && (begins.is_empty() || begins.ends_with(':'))
}
