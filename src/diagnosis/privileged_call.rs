//! System calls that need a capability whoever calls them: mount, chroot, mlock, raw sockets,
//! network administration.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    Example, Pattern, Read, judge,
    scene::{Finding, Scene, Verb},
    verb,
};
use crate::model::obstacle::{Category, Errno, Operation};

pub(super) const PATTERN: Pattern = Pattern {
    id: "privileged-call",
    title: "a system call needs a capability",
    explain: "Some system calls are refused to everybody without a certain capability: chroot, mount, mlock, raw sockets, \
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
        "newuidmap",
        "newgidmap",
    ],
    examples: &[
        Example {
            log: "fatal: chroot(\"/srv/empty\"): Operation not permitted [preauth]",
            says: "other EPERM /srv/empty capability-missing",
        },
        Example {
            log: "[1:3    0] Can't change root directory to \"/srv/empty\": Operation not permitted!",
            says: "other EPERM /srv/empty capability-missing",
        },
        Example {
            log: "[ALERT]    (8) : [haproxy.main()] Cannot chroot(/srv/haproxy).",
            says: "other - /srv/haproxy capability-missing",
        },
        Example {
            log: "mount: /mnt: mount failed: Operation not permitted.",
            says: "mount EPERM /mnt capability-missing",
        },
        Example {
            log: "ping: socket: Operation not permitted",
            says: "socket-raw EPERM raw-socket",
        },
        Example {
            log: "/usr/sbin/fping: can't create socket (must run as root?)",
            says: "socket-raw - raw-socket",
        },
        Example {
            log: "listen ip4:icmp 0.0.0.0: socket: operation not permitted",
            says: "socket-raw EPERM raw-socket",
        },
        Example {
            log: "Error initializing core: Failed to lock memory: cannot allocate memory",
            says: "other ENOMEM capability-missing",
        },
        Example {
            log: "Failed to set capabilities on file `/bin/tool' (Operation not permitted)",
            says: "other EPERM /bin/tool capability-missing",
        },
        Example {
            log: "field Watch: program watch: map seen: map create: operation not permitted (MEMLOCK may be too low, consider rlimit.RemoveMemlock)",
            says: "other EPERM capability-missing",
        },
        Example {
            log: "libbpf: Error in bpf_object__probe_loading():Operation not permitted(1). Couldn't load trivial BPF program.",
            says: "other EPERM capability-missing",
        },
        Example {
            log: "error locking agent memory: cannot allocate memory",
            says: "other ENOMEM capability-missing",
        },
        Example {
            log: "sysctl: permission denied on key \"vm.overcommit_memory\"",
            says: "other EACCES capability-missing",
        },
        Example {
            log: "RTNETLINK answers: Operation not permitted",
            says: "other EPERM capability-missing",
        },
        Example {
            log: "mknod: /srv/null: Operation not permitted",
            says: "mknod EPERM /srv/null capability-missing",
        },
        Example {
            log: "tcpdump: eth1: You don't have permission to capture on that device\n(socket: Operation not permitted)",
            says: "socket-raw EPERM raw-socket",
        },
        Example {
            log: "E! ping failed: could not run pinger: socket: permission denied",
            says: "socket-raw EACCES raw-socket",
        },
        Example {
            log: "error: failed to map ids: newuidmap 7 [0 1000 1] failed: newuidmap: Could not set caps",
            says: "other - capability-missing",
        },
        Example {
            log: "cannot create tap device node: operation not permitted",
            says: "mknod EPERM device-access",
        },
        Example {
            log: "mknod: /dev/net/tun: Operation not permitted",
            says: "mknod EPERM /dev/net/tun device-access",
        },
        Example {
            log: "Error during unshare(CLONE_NEWUSER): Operation not permitted",
            says: "other EPERM seccomp",
        },
    ],
    near_misses: &[
        // mount.cifs: the server refused.
        "Output: mount error(13): Permission denied",
        "mount: /mnt: special device /dev/sdz does not exist",
        "ping: unknown host example",
        "sentinel: cannot allocate memory",
    ],
    read: Read::One(read),
};

struct Call {
    words: &'static [&'static str],
    operation: Operation,
    category: Category,
    capability: &'static str,
    /// Programs warn about it and go on.
    harmless: bool,
}

const fn call(
    words: &'static [&'static str],
    operation: Operation,
    category: Category,
    capability: &'static str,
) -> Call {
    Call { words, operation, category, capability, harmless: false }
}

use Category::{CapabilityMissing, RawSocket, Seccomp};

/// The nearest verb wins; of verbs in the same place the first.
const CALLS: &[Call] = &[
    call(
        &[r"chroot", r"change (?:the )?root directory"],
        Operation::Other,
        CapabilityMissing,
        "SYS_CHROOT",
    ),
    call(&[r"pivot_root"], Operation::Mount, CapabilityMissing, "SYS_ADMIN"),
    call(
        &[r"u?mount(?:ing|ed)?(?: failed)?", r"fusermount3?", r"remount(?:ing)?"],
        Operation::Mount,
        CapabilityMissing,
        "SYS_ADMIN",
    ),
    call(
        &[r"mknod(?:at)?", r"(?:creat|mak)\w+ (?:\w+ )?(?:device|special)(?: file| node)?"],
        Operation::Mknod,
        CapabilityMissing,
        "MKNOD",
    ),
    call(
        &[
            r"unshare",
            r"clone3?",
            r"clone_new\w+",
            r"user namespaces?",
            r"new(?:\w* )?namespaces?",
            r"nsenter",
            r"setns",
            r"reexec\w*",
            r"userns",
        ],
        Operation::Other,
        Seccomp,
        "SYS_ADMIN",
    ),
    call(
        &[r"uid_map", r"gid_map", r"newuidmap", r"newgidmap"],
        Operation::Other,
        CapabilityMissing,
        "SETUID",
    ),
    call(
        &[r"mlock(?:all)?", r"lock(?:ing)? (?:\w+ )?memory", r"memory lock(?:ing)?"],
        Operation::Other,
        CapabilityMissing,
        "IPC_LOCK",
    ),
    call(
        &[
            r"ip_?tables(?:-\w+)?",
            r"ip6tables(?:-\w+)?",
            r"nft(?:ables)?",
            r"netfilter",
            r"conntrack\w*",
            r"ipset",
            r"ipvsadm",
        ],
        Operation::Other,
        CapabilityMissing,
        "NET_ADMIN",
    ),
    call(
        &[
            r"rtnetlink answers",
            r"netlink",
            r"ip link",
            r"ip route",
            r"ip addr",
            r"ioctl\(\w+\)",
            r"tunsetiff",
            r"tuntap",
            r"siocs\w+",
            r"so_mark",
            r"so_bindtodevice",
            r"so_rcvbufforce",
            r"so_sndbufforce",
            r"ip_transparent",
            r"wg",
            r"ethtool",
            r"tc",
            r"add route",
            r"packet socket",
            r"wireguard",
        ],
        Operation::Other,
        CapabilityMissing,
        "NET_ADMIN",
    ),
    call(
        &[
            r"(?:raw|icmp(?:v6)?|ping|packet)[ -]socket",
            r"sock_raw",
            r"socket\(af_packet",
            r"socket: \(?sock_raw",
            r"icmp(?: open socket)?",
            r"socket for lpf",
            r"ping(?:6|er)?(?:: (?:\w+: )?socket)?",
            r"ip[46]:icmp\S*(?: \S+)? socket",
            r"(?:lib)?pcap\w*",
            r"arping",
            r"traceroute",
            r"tcpdump",
            r"dumpcap",
            r"raw socket\w*",
            r"lacks? the permissions? to capture",
        ],
        Operation::SocketRaw,
        RawSocket,
        "NET_RAW",
    ),
    // In the words of libbpf, bcc and cilium/ebpf. Before Linux 5.11 maps count against
    // RLIMIT_MEMLOCK.
    call(
        &[
            r"e?bpf(?:[ _]\w+)*",
            r"map create",
            r"creat(?:e|ing) (?:the )?(?:\w+ )?map",
            r"load(?:ing)? (?:the )?(?:e?bpf )?(?:program|map)",
            r"(?:k|u|kret|uret)probes?",
            r"tracepoints?",
            r"(?:remov\w+|set\w*|rais\w+|increas\w+) (?:the )?(?:rlimit )?(?:rlimit_)?memlock(?: rlimit| limit)?",
        ],
        Operation::Other,
        CapabilityMissing,
        "BPF",
    ),
    call(
        &[r"ptrace(?:_\w+)?", r"strace", r"process_vm_readv", r"gdb"],
        Operation::Other,
        CapabilityMissing,
        "SYS_PTRACE",
    ),
    call(
        &[
            r"setcap",
            r"set(?:ting)? capabilit(?:y|ies)(?: on file)?",
            r"cap(?:_set_proc|set)",
            r"set capability",
            r"apply(?:ing)? capabilities",
            r"capabilit(?:y|ies)",
        ],
        Operation::Other,
        CapabilityMissing,
        "SETFCAP",
    ),
    call(
        &[
            r"settimeofday",
            r"adjtimex",
            r"clock_adjtime",
            r"clock_settime",
            r"set(?:ting)? (?:the )?(?:system )?(?:clock|time|date)",
        ],
        Operation::Other,
        CapabilityMissing,
        "SYS_TIME",
    ),
    call(
        &[
            r"sethostname",
            r"set(?:ting)? hostname",
            r"swapon",
            r"quotactl",
            r"syslog\(",
            r"bdflush",
            r"fanotify_init",
            r"perf_event_open",
            r"keyctl",
            r"open_by_handle_at",
            r"losetup",
        ],
        Operation::Other,
        CapabilityMissing,
        "SYS_ADMIN",
    ),
    call(
        &[r"init_module", r"finit_module", r"modprobe", r"insmod"],
        Operation::Other,
        CapabilityMissing,
        "SYS_MODULE",
    ),
    call(&[r"reboot"], Operation::Other, CapabilityMissing, "SYS_BOOT"),
    call(&[r"audit(?:_\w+| message| netlink)"], Operation::Other, CapabilityMissing, "AUDIT_WRITE"),
    call(
        &[r"kill(?:ing|all)?", r"pkill", r"send(?:ing)? signal"],
        Operation::Other,
        CapabilityMissing,
        "KILL",
    ),
    Call {
        words: &[
            r"sched_set\w+",
            r"setpriority",
            r"nice",
            r"renice",
            r"ioprio_set",
            r"set(?:ting)? (?:\w+ )?priority",
            r"sched_setaffinity",
            r"set_mempolicy",
            r"mbind",
            r"real-?time (?:priority|scheduling)",
        ],
        operation: Operation::Other,
        category: CapabilityMissing,
        capability: "SYS_NICE",
        harmless: true,
    },
    Call {
        words: &[
            r"setrlimit",
            r"prlimit",
            r"ulimit",
            r"rlimit_\w+",
            r"(?:set(?:ting)?|rais(?:e|ing)|increas(?:e|ing)) (?:\w+ ){0,3}(?:limits?|rlimit)",
            r"modify limit",
            r"max ?(?:open|locked)\w* (?:files|memory)",
            r"oom_score_adj",
        ],
        operation: Operation::Other,
        category: CapabilityMissing,
        capability: "SYS_RESOURCE",
        harmless: true,
    },
];

fn read(scene: &Scene) -> Option<Finding> {
    static COMPILED: LazyLock<Vec<(&'static Call, Regex)>> =
        LazyLock::new(|| CALLS.iter().map(|call| (call, verb::any_of(call.words))).collect());
    if let Some(finding) = without_errno(scene) {
        return Some(finding);
    }
    let refusal = scene.refusal()?;
    let nearest = |(call, words): &'_ (&'static Call, Regex)| {
        let verb = match call.operation {
            // These have no frame or field of their own.
            Operation::Other | Operation::Mount | Operation::Mknod => unspoken(scene, words)?,
            operation => scene.verb(words, operation).or_else(|| unspoken(scene, words))?,
        };
        Some((*call, verb))
    };
    let (call, verb) = COMPILED.iter().filter_map(nearest).min_by_key(|(_, verb)| verb.distance)?;
    // Reading from a mount, or a file on one, is no call of this kind.
    if refusal.errno == Errno::Erofs {
        return None;
    }
    let names_path = matches!(call.operation, Operation::Mount | Operation::Mknod)
        || matches!(call.capability, "SYS_CHROOT" | "SETFCAP");
    let path = if names_path {
        scene.object(verb).or_else(|| scene.paths().first().map(|path| path.text.to_owned()))
    } else {
        None
    };
    // A map of eBPF is pinned at a path of its own file system.
    let pinned = || {
        scene
            .paths()
            .into_iter()
            .map(|path| path.text)
            .find(|path| path.starts_with("/sys/fs/bpf/"))
            .map(str::to_owned)
    };
    let path = path
        .filter(|path| path.contains('/'))
        .or_else(|| pinned().filter(|_| call.capability == "BPF"));
    // Who makes the node of a device wants the device.
    let text_names_device = scene.text().contains("device");
    let category = match call.operation {
        Operation::Mknod if path.as_deref().map_or_else(|| text_names_device, judge::is_device) => {
            Category::DeviceAccess
        }
        _ => call.category,
    };
    let finding = Finding::new(call.operation, category)
        .errno(refusal.errno)
        .path(path)
        .capability(call.capability);
    Some(finding.distance(verb.distance).harmless(call.harmless))
}

fn unspoken(scene: &Scene, words: &Regex) -> Option<Verb> {
    Scene { spoken: None, ..*scene }.verb(words, Operation::Other)
}

/// mlock(2) over RLIMIT_MEMLOCK gives ENOMEM, which no other call of ours has; HAProxy prints no
/// errno for chroot(2).
fn without_errno(scene: &Scene) -> Option<Finding> {
    static LOCK: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[
            r"(?:mlock(?:all)?|lock(?:ing)? (?:\w+ )?memory|memory lock\w*)\b.{0,80}?(?:cannot allocate memory|enomem|error ?=? ?12|errno ?=? ?12)",
        ])
    });
    static CHROOT: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[r"(?:cannot|can't|unable to|failed to|could not) chroot\d?"])
    });
    static CAPTURE: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[
            "(?:permission|right|privilege)s? to (?:capture|perform this capture)",
            r"(?:can't|cannot|could not|unable to) (?:create|open) (?:\w+ )?socket \((?:must (?:be|run as) root|are you root)",
        ])
    });
    static SYSCTL: LazyLock<Regex> =
        LazyLock::new(|| verb::any_of(&[r"sysctl:? .*permission denied on key"]));
    static LOCKED: LazyLock<Regex> = LazyLock::new(|| verb::any_of(&["memory locking requested"]));
    if CAPTURE.is_match(scene.text()) {
        let errno = scene.refusal().map(|refusal| refusal.errno);
        return Some(
            Finding::new(Operation::SocketRaw, RawSocket)
                .errno(errno)
                .capability("NET_RAW")
                .distance(2),
        );
    }
    if SYSCTL.is_match(scene.text()) {
        let finding = Finding::new(Operation::Other, CapabilityMissing)
            .errno(Errno::Eacces)
            .capability("SYS_ADMIN");
        return Some(finding.harmless(scene.text().contains("ignoring")));
    }
    static ID_MAP: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[
            r"using new[ug]idmap",
            r"new[ug]idmap: (?:could not|cannot|unable to|failed to)",
        ])
    });
    if scene.refusal().is_none() && ID_MAP.is_match(scene.text()) {
        return Some(Finding::new(Operation::Other, CapabilityMissing).capability("SETUID"));
    }
    if LOCKED.is_match(scene.text()) {
        return Some(Finding::new(Operation::Other, CapabilityMissing).capability("IPC_LOCK"));
    }
    if LOCK.is_match(scene.text()) {
        let harmless = scene.text().contains("Unable to lock JVM")
            || scene.text().contains("Increase RLIMIT_MEMLOCK");
        return Some(
            Finding::new(Operation::Other, CapabilityMissing)
                .errno(Errno::Enomem)
                .capability("IPC_LOCK")
                .harmless(harmless),
        );
    }
    if scene.refusal().is_none() && CHROOT.is_match(scene.text()) {
        let path = scene.paths().first().map(|path| path.text.to_owned());
        return Some(
            Finding::new(Operation::Other, CapabilityMissing).path(path).capability("SYS_CHROOT"),
        );
    }
    None
}
