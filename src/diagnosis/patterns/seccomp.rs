//! Seccomp: a system call killed, refused, or a profile that cannot be applied; sandboxes that need
//! one.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::{Certainty, Finding};
use crate::diagnosis::reader::{context::LineContext, errno::compile, severity::Severity};
use crate::model::detail::Detail;
use crate::model::obstacle::{Category, Errno, Operation};

pub(super) const PATTERN: Pattern = Pattern {
    id: "seccomp",
    title: "a seccomp profile stopped a system call",
    explain: "The profile RuntimeDefault lets a container make the system calls that nearly every program needs. Those for \
              namespaces, mounts, tracing and kernel modules are refused or kill the process, whatever user runs it.",
    source: "seccomp(2); auditd's SECCOMP records; containerd contrib/seccomp; Chromium zygote_host_impl_linux.cc",
    signals: &[
        "seccomp",
        "bad system call",
        "type=1326",
        "sigsys",
        "usable sandbox",
        "move to new namespace",
        "suid sandbox",
        "bwrap",
        "bubblewrap",
        "io_uring",
        "signal 31",
        "exit code 159",
    ],
    examples: &[
        Example {
            log: "type=SECCOMP msg=audit(1.2:3): auid=1 uid=0 gid=0 subj=x pid=7 comm=\"app\" exe=\"/srv/app\" sig=31 arch=c000003e syscall=272 compat=0 ip=0x7f code=0x0",
            expected: "seccomp - seccomp",
        },
        Example { log: "Bad system call (core dumped)", expected: "seccomp - seccomp" },
        Example {
            log: "OCI runtime error: error adding seccomp filter rule for syscall bdflush: requested action matches default action of filter",
            expected: "seccomp - seccomp",
        },
        Example {
            log: "[0822/1.1:FATAL:zygote_host_impl_linux.cc(116)] No usable sandbox! Update your kernel",
            expected: "other - seccomp",
        },
        Example {
            log: "Failed to move to new namespace: PID namespaces supported, Network namespace supported, but failed: errno = Operation not permitted",
            expected: "other EPERM seccomp",
        },
        Example {
            log: "stat: cannot statx '/srv/certs': Operation not permitted",
            expected: "other EPERM /srv/certs seccomp",
        },
        Example {
            log: "worker 0: io_pgetevents() fails with -EPERM",
            expected: "other EPERM seccomp",
        },
        Example {
            log: "FATAL:  could not set up the io_uring queue: Operation not permitted",
            expected: "other EPERM seccomp",
        },
        Example {
            log: "java.lang.RuntimeException: io_uring ring fd could not be made Operation not permitted",
            expected: "other EPERM seccomp",
        },
        Example {
            log: "runtime: failed to create new OS thread (have 2 already; errno=1)",
            expected: "other EPERM seccomp",
        },
        Example {
            log: "[Warning] mariadbd: io_uring_queue_init() failed with EPERM: sysctl kernel.io_uring_disabled has the value 2",
            expected: "other EPERM seccomp",
        },
    ],
    near_misses: &[
        "HINT:  Check if io_uring is disabled via /proc/sys/kernel/io_uring_disabled.",
        "seccomp: enabled",
        "WARNING: Support for seccomp is experimental",
    ],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    static KILLED: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)type=(?:SECCOMP|1326)\b|\bbad system call\b|\bSIGSYS\b|\b(?:adding|add|load\w*|init\w*|apply\w*|set\w*|install\w*) (?:\w+ )?seccomp (?:filter|profile|rule)s?\b.*(?:error|fail|invalid|denied|not permitted|matches)|error (?:adding|loading|setting) seccomp|seccomp.*(?:profile (?:not found|does not exist)|cannot load|failed to (?:load|init|apply|install))|(?:fail|error)\w*.*seccomp (?:profile|filter|rule)|blocked by seccomp|seccomp[- ]violation",
        )
    });
    static SANDBOX: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)no usable sandbox|failed to move to new namespace|suid sandbox helper|(?:bwrap|bubblewrap): (?:no permissions|creating new namespace|setting up uid map|failed|can't)|sandbox.*(?:not permitted|unprivileged user namespaces)",
        )
    });
    // containerd 2.0 took io_uring out of its profile; many programs then do their I/O another way,
    // and warn.
    static IO_URING: LazyLock<Regex> = LazyLock::new(|| compile(r"(?i)\b(?:io_?uring|ioUring)\w*"));
    // Calls that no kernel refuses for a lack of privilege, and that profiles older than they are
    // do not know: libseccomp and runtimes before 2020 answer EPERM to those.
    static UNKNOWN: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)\b(?:statx|cannot (?:l?stat|access)|faccessat2?|clone3|pthread_create|openat2|close_range|clock_\w+64|futex_waitv|rseq|getrandom|renameat2|epoll_pwait2|memfd_create|membarrier|io_pgetevents|pidfd_\w+|process_m(?:advise|release)|preadv2|pwritev2|copy_file_range|landlock_\w+|mount_setattr|futex2)\b|failed to create new OS thread|\bclock_gettime\b|\bsys/(?:pal/)?unix/time\.rs|can't initialize time|cannot get entropy|\buv_thread_create\b",
        )
    });
    let text = context.text();
    let errno =
        context.refusal().map(|refusal| refusal.errno).filter(|errno| *errno != Errno::Erofs);
    if KILLED.is_match(text) {
        return Some(Finding::new(Operation::Seccomp, Category::Seccomp));
    }
    let refused = |is_harmless| {
        Finding::new(Operation::Other, Category::Seccomp).errno(errno).harmless(is_harmless)
    };
    if errno.is_some() && IO_URING.is_match(text) {
        return Some(refused(false));
    }
    if errno == Some(Errno::Eperm) && UNKNOWN.is_match(text) {
        let path = context.paths().first().map(|path| path.text.to_owned());
        let finding = refused(false).path(path).detail(Detail::NewSystemCall);
        return Some(finding.cause(
            "the node's seccomp profile or runtime is older than a system call of the program and refuses it: neither the user nor the mode bits matter",
        ));
    }
    static NO_URING: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)\bio_uring (?:is )?(?:not available|not supported|disabled|unavailable)|\b(?:failed|unable|could not|cannot|can't)(?: to)? (?:initiali[sz]e|init|set ?up|create|use) (?:the |an )?io_uring",
        )
    });
    if errno.is_none() && NO_URING.is_match(text) {
        let finding = Finding::new(Operation::Other, Category::Seccomp);
        return Some(
            finding
                .certainty(Certainty::Words)
                .harmless(context.line().severity <= Severity::Warning),
        );
    }
    SANDBOX.is_match(text).then(|| refused(false))
}
