//! System calls that need a capability, whatever user makes them: mount, chroot, mlock, raw sockets,
//! network administration.

mod calls;

use std::sync::LazyLock;

use regex::Regex;

use self::calls::{CALLS, CallWords};
use super::{Example, Pattern, Read};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::reader::{
    context::{LineContext, Verb},
    path_kind, verb,
};
use crate::model::capability::Capability;
use crate::model::obstacle::{Category, Errno, Operation};

pub(super) const PATTERN: Pattern = Pattern {
    id: "privileged-call",
    title: "a system call needs a capability",
    explain: "Some system calls are refused to every process without a certain capability: chroot, mount, mlock, raw sockets, \
              network administration. Kubernetes gives no capability to a process that is not root: `capabilities.add` only \
              widens what a root process or a file capability may gain.",
    source: "capabilities(7), mlock(2), chroot(2), mount(2), unshare(2), raw(7), icmp in ping(8)",
    signals: &[
        "mlock",
        "lock memory",
        "locking memory",
        "lock jvm memory",
        "cannot chroot",
        "must be root)",
        "must run as root",
        "to capture on",
        "memory locking",
        "cannot allocate memory",
        "denied on key",
        "setting key",
        "newuidmap",
        "newgidmap",
    ],
    examples: &[
        Example {
            log: "fatal: chroot(\"/srv/empty\"): Operation not permitted [preauth]",
            expected: "other EPERM /srv/empty capability-missing",
        },
        Example {
            log: "[1:3    0] Can't change root directory to \"/srv/empty\": Operation not permitted!",
            expected: "other EPERM /srv/empty capability-missing",
        },
        Example {
            log: "[ALERT]    (8) : [haproxy.main()] Cannot chroot(/srv/haproxy).",
            expected: "other - /srv/haproxy capability-missing",
        },
        Example {
            log: "mount: /mnt: mount failed: Operation not permitted.",
            expected: "mount EPERM /mnt capability-missing",
        },
        Example {
            log: "ping: socket: Operation not permitted",
            expected: "socket-raw EPERM raw-socket",
        },
        Example {
            log: "/usr/sbin/fping: can't create socket (must run as root?)",
            expected: "socket-raw - raw-socket",
        },
        Example {
            log: "listen ip4:icmp 0.0.0.0: socket: operation not permitted",
            expected: "socket-raw EPERM raw-socket",
        },
        Example {
            log: "Error initializing core: Failed to lock memory: cannot allocate memory",
            expected: "other ENOMEM capability-missing",
        },
        Example {
            log: "Failed to set capabilities on file `/bin/tool' (Operation not permitted)",
            expected: "other EPERM /bin/tool capability-missing",
        },
        Example {
            log: "field Watch: program watch: map seen: map create: operation not permitted (MEMLOCK may be too low, consider rlimit.RemoveMemlock)",
            expected: "other EPERM capability-missing",
        },
        Example {
            log: "libbpf: Error in bpf_object__probe_loading():Operation not permitted(1). Couldn't load trivial BPF program.",
            expected: "other EPERM capability-missing",
        },
        Example {
            log: "error locking agent memory: cannot allocate memory",
            expected: "other ENOMEM capability-missing",
        },
        Example {
            log: "sysctl: permission denied on key \"vm.overcommit_memory\"",
            expected: "other EACCES capability-missing",
        },
        Example {
            log: "error: permission denied on key 'net.ipv4.ip_forward'",
            expected: "other EACCES capability-missing",
        },
        Example {
            log: "sysctl: setting key \"kernel.shmmax\": Read-only file system",
            expected: "other EROFS capability-missing",
        },
        Example {
            log: "RTNETLINK answers: Operation not permitted",
            expected: "other EPERM capability-missing",
        },
        Example {
            log: "mknod: /srv/null: Operation not permitted",
            expected: "mknod EPERM /srv/null capability-missing",
        },
        Example {
            log: "tcpdump: eth1: You don't have permission to capture on that device\n(socket: Operation not permitted)",
            expected: "socket-raw EPERM raw-socket",
        },
        Example {
            log: "E! ping failed: could not run pinger: socket: permission denied",
            expected: "socket-raw EACCES raw-socket",
        },
        Example {
            log: "error: failed to map ids: newuidmap 7 [0 1000 1] failed: newuidmap: Could not set caps",
            expected: "other - capability-missing",
        },
        Example {
            log: "cannot create tap device node: operation not permitted",
            expected: "mknod EPERM device-access",
        },
        Example {
            log: "mknod: /dev/net/tun: Operation not permitted",
            expected: "mknod EPERM /dev/net/tun device-access",
        },
        Example {
            log: "Error during unshare(CLONE_NEWUSER): Operation not permitted",
            expected: "other EPERM seccomp",
        },
    ],
    near_misses: &[
        // mount.cifs: the server refused.
        "Output: mount error(13): Permission denied",
        "mount: /mnt: special device /dev/sdz does not exist",
        "ping: unknown host example",
        "sysctl: setting key \"net.core.none\": No such file or directory",
        "permission denied on key one/keys for the role reader",
        "sentinel: cannot allocate memory",
    ],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    static COMPILED: LazyLock<Vec<(&'static CallWords, Regex)>> =
        LazyLock::new(|| CALLS.iter().map(|call| (call, verb::any_of(call.words))).collect());
    if let Some(finding) = without_errno(context) {
        return Some(finding);
    }
    let refusal = context.refusal()?;
    let nearest = |(call, words): &'_ (&'static CallWords, Regex)| {
        let verb = match call.operation {
            // These have no frame or field of their own.
            Operation::Other | Operation::Mount | Operation::Mknod => {
                without_reported(context, words)?
            }
            operation => {
                context.verb(words, operation).or_else(|| without_reported(context, words))?
            }
        };
        Some((*call, verb))
    };
    let (call, verb) =
        COMPILED.iter().filter_map(nearest).min_by_key(|(_, verb)| verb.confidence)?;
    // Reading from a mount, or a file on one, is no call of this kind.
    if refusal.errno == Errno::Erofs {
        return None;
    }
    let names_path = matches!(call.operation, Operation::Mount | Operation::Mknod)
        || matches!(call.capability(), Some(Capability::SYS_CHROOT | Capability::SETFCAP));
    let path = if names_path {
        context.object(verb).or_else(|| context.paths().first().map(|path| path.text.to_owned()))
    } else {
        None
    };
    // A map of eBPF is pinned at a path of its own file system.
    let pinned = || {
        context
            .paths()
            .into_iter()
            .map(|path| path.text)
            .find(|path| path.starts_with("/sys/fs/bpf/"))
            .map(str::to_owned)
    };
    let path = path
        .filter(|path| path.contains('/'))
        .or_else(|| pinned().filter(|_| call.capability() == Some(Capability::BPF)));
    // A program makes the node of a device to use the device.
    let text_names_device = context.text().contains("device");
    let category = match call.operation {
        Operation::Mknod
            if path.as_deref().map_or_else(|| text_names_device, path_kind::is_device) =>
        {
            Category::DeviceAccess
        }
        _ => call.category,
    };
    let finding = Finding::new(call.operation, category)
        .errno(refusal.errno)
        .path(path)
        .capability(call.capability());
    Some(finding.confidence(verb.confidence).harmless(call.harmless))
}

fn without_reported(context: &LineContext, words: &Regex) -> Option<Verb> {
    LineContext { reported: None, ..*context }.verb(words, Operation::Other)
}

/// Messages that give no errno, or one that means a refusal for this call alone: mlock(2) over
/// RLIMIT_MEMLOCK gives ENOMEM.
fn without_errno(context: &LineContext) -> Option<Finding> {
    static LOCK: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[
            r"(?:mlock(?:all)?|lock(?:ing)? (?:\w+ )?memory|memory lock\w*)\b.{0,80}?(?:cannot allocate memory|enomem|error ?=? ?12|errno ?=? ?12)",
        ])
    });
    static LOCKED: LazyLock<Regex> = LazyLock::new(|| verb::any_of(&["memory locking requested"]));
    static CHROOT: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[r"(?:cannot|can't|unable to|failed to|could not) chroot\d?"])
    });
    static CAPTURE: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[
            "(?:permission|right|privilege)s? to (?:capture|perform this capture)",
            r"(?:can't|cannot|could not|unable to) (?:create|open) (?:\w+ )?socket \((?:must (?:be|run as) root|are you root)",
        ])
    });
    static SYSCTL: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[
            r"permission denied on key '?\x22?\w+(?:\.[\w*-]+)+",
            r"sysctl: setting key \x22?[\w.*-]+\x22?(?:, ignoring)?: (?:permission denied|operation not permitted|read-only file)",
        ])
    });
    static ID_MAP: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[
            r"using new[ug]idmap",
            r"new[ug]idmap: (?:could not|cannot|unable to|failed to)",
        ])
    });
    let (text, refusal) = (context.text(), context.refusal());
    let missing = |capability| {
        Finding::new(Operation::Other, Category::CapabilityMissing)
            .capability(capability)
            .harmless(context.is_warning())
    };
    if CAPTURE.is_match(text) {
        let finding = Finding::new(Operation::SocketRaw, Category::RawSocket)
            .errno(refusal.map(|refusal| refusal.errno));
        return Some(finding.capability(Capability::NET_RAW));
    }
    if SYSCTL.is_match(text) {
        // Which of the two it is depends on who asks: root is told that /proc/sys is read-only.
        let errno = refusal.map_or(Errno::Eacces, |refusal| refusal.errno);
        return Some(missing(Capability::SYS_ADMIN).errno(errno));
    }
    if refusal.is_none() && ID_MAP.is_match(text) {
        return Some(missing(Capability::SETUID));
    }
    if LOCKED.is_match(text) {
        return Some(missing(Capability::IPC_LOCK));
    }
    if LOCK.is_match(text) {
        return Some(missing(Capability::IPC_LOCK).errno(Errno::Enomem));
    }
    if refusal.is_none() && CHROOT.is_match(text) {
        let path = context.paths().first().map(|path| path.text.to_owned());
        return Some(missing(Capability::SYS_CHROOT).path(path));
    }
    None
}
