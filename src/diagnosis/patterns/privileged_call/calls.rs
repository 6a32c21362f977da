//! The words by which messages name privileged system calls, and tools that make them.

use crate::model::capability::Capability;
use crate::model::obstacle::{Category, Operation};
use crate::model::privilege::privileged_call;

/// Words for one system call or for a few of a kind.
pub(super) struct CallWords {
    /// Regular expressions.
    pub words: &'static [&'static str],
    pub operation: Operation,
    pub category: Category,
    need: Need,
    /// Programs warn about it and continue.
    pub harmless: bool,
}

/// What tells the capability.
enum Need {
    /// A system call of [`privileged_call`].
    Call(&'static str),
    /// The arguments of a call decide, such as the request of an ioctl(2).
    Of(Capability),
}

impl CallWords {
    pub(super) fn capability(&self) -> Option<Capability> {
        match self.need {
            Need::Call(name) => privileged_call(name).map(|row| row.capability),
            Need::Of(capability) => Some(capability),
        }
    }
}

const fn call(
    words: &'static [&'static str],
    operation: Operation,
    category: Category,
    need: Need,
) -> CallWords {
    CallWords { words, operation, category, need, harmless: false }
}

const fn warned_about(
    words: &'static [&'static str],
    operation: Operation,
    category: Category,
    need: Need,
) -> CallWords {
    CallWords { words, operation, category, need, harmless: true }
}

use Category::{CapabilityMissing, RawSocket, Seccomp};
use Need::{Call, Of};

/// The nearest verb wins; of verbs in the same place the first.
pub(super) const CALLS: &[CallWords] = &[
    call(
        &[r"chroot", r"change (?:the )?root directory"],
        Operation::Other,
        CapabilityMissing,
        Call("chroot"),
    ),
    call(&[r"pivot_root"], Operation::Mount, CapabilityMissing, Call("pivot_root")),
    call(
        &[r"u?mount(?:ing|ed)?(?: failed)?", r"fusermount3?", r"remount(?:ing)?"],
        Operation::Mount,
        CapabilityMissing,
        Call("mount"),
    ),
    call(
        &[r"mknod(?:at)?", r"(?:creat|mak)\w+ (?:\w+ )?(?:device|special)(?: file| node)?"],
        Operation::Mknod,
        CapabilityMissing,
        Of(Capability::MKNOD),
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
        Call("unshare"),
    ),
    call(
        &[r"uid_map", r"gid_map", r"newuidmap", r"newgidmap"],
        Operation::Other,
        CapabilityMissing,
        Of(Capability::SETUID),
    ),
    call(
        &[r"mlock(?:all)?", r"lock(?:ing)? (?:\w+ )?memory", r"memory lock(?:ing)?"],
        Operation::Other,
        CapabilityMissing,
        Call("mlock"),
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
        Of(Capability::NET_ADMIN),
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
        Of(Capability::NET_ADMIN),
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
        Of(Capability::NET_RAW),
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
        Call("bpf"),
    ),
    call(
        &[r"ptrace(?:_\w+)?", r"strace", r"process_vm_readv", r"gdb"],
        Operation::Other,
        CapabilityMissing,
        Call("ptrace"),
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
        Of(Capability::SETFCAP),
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
        Call("settimeofday"),
    ),
    call(
        &[
            r"sethostname",
            r"set(?:ting)? hostname",
            r"swapon",
            r"quotactl",
            r"bdflush",
            r"fanotify_init",
            r"keyctl",
            r"losetup",
        ],
        Operation::Other,
        CapabilityMissing,
        Call("sethostname"),
    ),
    call(&[r"syslog\("], Operation::Other, CapabilityMissing, Call("syslog")),
    call(&[r"perf_event_open"], Operation::Other, CapabilityMissing, Call("perf_event_open")),
    call(&[r"open_by_handle_at"], Operation::Other, CapabilityMissing, Call("open_by_handle_at")),
    call(
        &[r"init_module", r"finit_module", r"modprobe", r"insmod"],
        Operation::Other,
        CapabilityMissing,
        Call("init_module"),
    ),
    call(&[r"reboot"], Operation::Other, CapabilityMissing, Call("reboot")),
    call(
        &[r"audit(?:_\w+| message| netlink)"],
        Operation::Other,
        CapabilityMissing,
        Of(Capability::AUDIT_WRITE),
    ),
    call(
        &[r"kill(?:ing|all)?", r"pkill", r"send(?:ing)? signal"],
        Operation::Other,
        CapabilityMissing,
        Call("kill"),
    ),
    warned_about(
        &[
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
        Operation::Other,
        CapabilityMissing,
        Call("sched_setscheduler"),
    ),
    warned_about(
        &[
            r"setrlimit",
            r"prlimit",
            r"ulimit",
            r"rlimit_\w+",
            r"(?:set(?:ting)?|rais(?:e|ing)|increas(?:e|ing)) (?:\w+ ){0,3}(?:limits?|rlimit)",
            r"modify limit",
            r"max ?(?:open|locked)\w* (?:files|memory)",
            r"oom_score_adj",
        ],
        Operation::Other,
        CapabilityMissing,
        Call("setrlimit"),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_capability() {
        for row in CALLS {
            assert!(row.capability().is_some(), "{:?}", row.words);
        }
    }
}
