//! Which system calls and which ports need a capability. Both a log and a trace are read by this
//! table.

use crate::model::capability::Capability;

/// System calls that need one capability, whatever the permissions of a path are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrivilegedCall {
    /// Their names in section 2 of the manual.
    pub calls: &'static [&'static str],
    pub capability: Capability,
    /// Whether a call that succeeds has used the capability. Others need it for some arguments
    /// only, such as kill(2) of a process of another user.
    pub always: bool,
}

const fn always(calls: &'static [&'static str], capability: Capability) -> PrivilegedCall {
    PrivilegedCall { calls, capability, always: true }
}

const fn sometimes(calls: &'static [&'static str], capability: Capability) -> PrivilegedCall {
    PrivilegedCall { calls, capability, always: false }
}

/// System calls and their capabilities, after capabilities(7) and the page of each call. Calls that
/// need one for some arguments only and whose arguments are looked at, such as bind(2), chown(2)
/// and mknod(2), are not in the table.
pub const PRIVILEGED_CALLS: &[PrivilegedCall] = &[
    always(&["chroot"], Capability::SYS_CHROOT),
    always(
        &[
            "mount",
            "umount2",
            "pivot_root",
            "swapon",
            "swapoff",
            "sethostname",
            "setdomainname",
            "quotactl",
        ],
        Capability::SYS_ADMIN,
    ),
    sometimes(&["fanotify_init", "setns", "unshare"], Capability::SYS_ADMIN),
    sometimes(&["mlock", "mlock2", "mlockall"], Capability::IPC_LOCK),
    always(&["settimeofday", "clock_settime"], Capability::SYS_TIME),
    sometimes(&["adjtimex", "clock_adjtime"], Capability::SYS_TIME),
    always(&["init_module", "finit_module", "delete_module"], Capability::SYS_MODULE),
    always(&["reboot", "kexec_load"], Capability::SYS_BOOT),
    always(&["iopl", "ioperm"], Capability::SYS_RAWIO),
    always(&["acct"], Capability::SYS_PACCT),
    always(&["open_by_handle_at"], Capability::DAC_READ_SEARCH),
    sometimes(&["syslog"], Capability::SYSLOG),
    sometimes(&["bpf"], Capability::BPF),
    sometimes(&["perf_event_open"], Capability::PERFMON),
    sometimes(&["kill", "tkill", "tgkill", "pidfd_send_signal"], Capability::KILL),
    sometimes(&["ptrace", "process_vm_readv", "process_vm_writev", "kcmp"], Capability::SYS_PTRACE),
    sometimes(
        &[
            "sched_setscheduler",
            "sched_setparam",
            "sched_setattr",
            "setpriority",
            "ioprio_set",
            "sched_setaffinity",
        ],
        Capability::SYS_NICE,
    ),
    sometimes(&["setrlimit", "prlimit64"], Capability::SYS_RESOURCE),
    sometimes(&["capset"], Capability::SETPCAP),
];

/// The row of a system call.
#[must_use]
pub fn privileged_call(name: &str) -> Option<&'static PrivilegedCall> {
    PRIVILEGED_CALLS.iter().find(|row| row.calls.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_stands_in_one_row() {
        let mut all: Vec<&str> =
            PRIVILEGED_CALLS.iter().flat_map(|row| row.calls).copied().collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert_eq!(
            privileged_call("umount2").map(|row| row.capability),
            Some(Capability::SYS_ADMIN)
        );
        assert_eq!(privileged_call("read"), None);
    }
}
