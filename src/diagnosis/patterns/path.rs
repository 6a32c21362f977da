//! A path or a bare message beside an errno, without a verb.

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::{Certainty, Finding};
use crate::diagnosis::reader::{
    categorize::{self, PathAccess},
    context::{LineContext, Verb},
    path_kind,
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
            expected: "open EACCES /srv/data/x.db unwritable-path",
        },
        Example {
            log: "java.nio.file.AccessDeniedException: /srv/data/x.db",
            expected: "open EACCES /srv/data/x.db unwritable-path",
        },
        Example {
            log: "PermissionError: [Errno 13] Permission denied: '/srv/a'\npool.errors.WorkerError: PermissionError: [Errno 13] Permission denied: '/srv/b'",
            expected: "open EACCES /srv/b unwritable-path",
        },
        Example {
            log: "Error: Permission denied (os error 13)",
            expected: "other EACCES unwritable-path",
        },
        Example {
            log: "Error loading shared library libx.so.2: Permission denied (needed by /bin/x)",
            expected: "open EACCES libx.so.2 unreadable-file",
        },
        Example {
            log: "RuntimeError: error(13, 'Permission denied: beatdb')",
            expected: "open EACCES beatdb unwritable-path",
        },
        Example {
            log: "error while loading shared libraries: libx.so.1: cannot open shared object file: Permission denied",
            expected: "open EACCES libx.so.1 unreadable-file",
        },
        Example {
            log: "Cannot open file, path = '/srv/tool/.state/a.json'\n  (OS Error: Permission denied, errno = 13)",
            expected: "open EACCES /srv/tool/.state/a.json unwritable-path",
        },
        Example {
            log: "could not start\n - caused by: an error for path /srv/run/app.sock\n - caused by: Permission denied (os error 13)",
            expected: "open EACCES /srv/run/app.sock unwritable-path",
        },
    ],
    near_misses: &[
        "{\"errors\":[\"permission denied\"]}",
        "{\"level\":\"warn\",\"msg\":\"permission denied\",\"user\":\"bob\",\"route\":\"/api/projects/7\"}",
        "{\"type\":\"response\",\"request\":{\"operation\":\"update\",\"path\":\"kv/x\"},\"error\":\"permission denied\"}",
        "orders.errors.PermissionDenied: only the owner may delete it",
        "rpc error: Permission denied",
        "[AUDIT] user=bob action=delete object=/projects/7 result=permission denied",
        "ftplib.error_perm: 550 /incoming/a.csv: Permission denied",
        "acme.security.AccessDeniedException: Access Denied: Cannot select from table sales.orders",
        "Error: crun: open `/srv/containers/storage/overlay/ab/merged`: Permission denied: OCI permission denied",
        "error stat /var/lib/kubelet/pods/7/volumes/ceph/a: permission denied",
        "ERROR:  permission denied for table users",
        "Permission denied (publickey).",
        "403 Forbidden: permission denied",
        "error: Uncaught PermissionDenied: network access to \"127.0.0.1:8000\", run again with the --allow-net flag\n    at PermissionDenied ($deno$/errors.ts:12:3)",
    ],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    let refusal = context.refusal()?;
    let reported = context.reported.map(|reported| reported.operation);
    let path = context.object(Verb::at(0, Certainty::PathAndErrno, 0));
    let is_alone = path.is_none() && !refusal.from_kernel;
    let is_whole = || is_whole_message(context, refusal.span.start, refusal.span.end);
    if is_alone && (context.line().of_service || !is_whole()) {
        return None;
    }
    let operation = match (reported, &path) {
        (Some(operation), _) => operation,
        (None, Some(_)) => Operation::Open,
        (None, None) => Operation::Other,
    };
    if path.is_none() && refusal.errno == Errno::Eperm {
        return Some(
            Finding::new(operation, Category::CapabilityMissing)
                .errno(refusal.errno)
                .certainty(Certainty::ErrnoAlone),
        );
    }
    // What Python and others refuse with EPERM and a path is the owner's to do: open(2) answers
    // EACCES.
    if refusal.errno == Errno::Eperm
        && reported.is_none()
        && path.as_deref().is_some_and(|path| !path_kind::is_device(path))
    {
        let place = path.as_deref().unwrap_or_default();
        let cause = format!(
            "only the owner of {place} or root may do that: change its owner, its mode bits or its times"
        );
        let finding = Finding::new(Operation::Other, Category::OwnershipChange)
            .errno(refusal.errno)
            .path(path);
        return Some(finding.cause(cause).certainty(Certainty::PathAndErrno));
    }
    let access = PathAccess {
        operation,
        errno: Some(refusal.errno),
        path: path.as_deref(),
        text: context.text(),
    };
    let certainty = if path.is_none() { Certainty::ErrnoAlone } else { Certainty::PathAndErrno };
    let mut finding = categorize::finding(&access).certainty(certainty);
    finding.category = categorize::by_frames(context, &finding);
    Some(finding)
}

/// Words without a number, a path or a verb mean an errno only where they end the message, as
/// perror(3) has them.
fn is_whole_message(context: &LineContext, start: usize, end: usize) -> bool {
    let text = context.text();
    let ends = text[end..].trim_matches(|c: char| !c.is_alphanumeric()).is_empty();
    let begins = text[..start].trim_end();
    ends && (begins.is_empty() || begins.ends_with(':'))
}
