//! What was refused, and what followed.

use super::Trace;
use super::effect::SyscallEffect;
use super::process::{PendingRefusal, ProcessContext};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::{cause, details};
use crate::model::inside::Listener;
use crate::model::obstacle::{Category, Errno, Evidence, Obstacle, Operation};
use crate::model::trace::{Argument, Call, Refusal, Then};

const MAX_REFUSALS: usize = 256;
/// How many of them may be of calls that only look.
const MAX_ASKED: usize = 64;

/// Calls whose EPERM may come from a missing privilege or from seccomp. For other calls it means
/// something else: for epoll_ctl(2), that a file cannot be waited for.
const MAY_NEED_PRIVILEGE: [&str; 14] = [
    "add_key",
    "fsetxattr",
    "io_uring_setup",
    "ioctl",
    "keyctl",
    "lsetxattr",
    "prctl",
    "request_key",
    "seccomp",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "setxattr",
    "userfaultfd",
];

/// Calls after a refusal within which a program reports it.
const MAX_CALLS_UNTIL_REPORT: u64 = 60;
/// Calls after a reported refusal within which the program ends because of it: a large program has
/// much to close.
const MAX_CALLS_UNTIL_END_AFTER_REPORT: u64 = 5_000;
/// Calls after a refusal that is not reported within which the program ends because of it: it closes
/// files and frees memory.
const MAX_CALLS_UNTIL_END: u64 = 100;

/// A refusal whose end is not known yet.
pub(super) struct Refused {
    finding: Finding,
    program: Option<String>,
    line: u64,
    text: String,
    then: Then,
    fatal: bool,
    reported: bool,
    times: u64,
    /// Processes that ended because of it while their parent continued. A parent that starts them
    /// again and again needs them.
    deaths: u64,
}

impl Trace {
    /// A call failed, perhaps because it was refused.
    pub(super) fn refusal(
        &mut self,
        pid: u32,
        line: u64,
        call: &Call,
        errno: Errno,
        effect: Option<SyscallEffect>,
    ) {
        let refused = match (errno, call.name.as_str()) {
            (Errno::Eperm | Errno::Eacces | Errno::Erofs, _) => true,
            // mlock(2) over its limit; a file that the kernel cannot run.
            (Errno::Enomem, name) => name.starts_with("mlock"),
            (Errno::Enoexec, name) => name.starts_with("execve"),
            (Errno::Enoent, _) => false,
        };
        if !refused {
            return;
        }
        let finding = match &effect {
            Some(effect) => {
                let (operation, category) = effect.refused(errno);
                let port = effect.listener.as_ref().and_then(Listener::port);
                let finding = Finding::new(operation, category)
                    .errno(errno)
                    .path(effect.path.clone())
                    .port(port);
                let is_privileged = matches!(
                    category,
                    Category::PrivilegedPort
                        | Category::CapabilityMissing
                        | Category::RawSocket
                        | Category::Seccomp
                );
                let finding = match effect.capability.filter(|_| is_privileged) {
                    Some(capability) => finding.capability(capability),
                    None => finding,
                };
                finding.harmless(effect.harmless || effect.only_asks)
            }
            None if errno == Errno::Eperm && MAY_NEED_PRIVILEGE.contains(&call.name.as_str()) => {
                Finding::new(Operation::Other, Category::CapabilityMissing)
                    .errno(errno)
                    .harmless(true)
                    .cause(format!(
                        "{}(2) was refused, as it is to a process without a certain capability",
                        call.name
                    ))
            }
            None => return,
        };
        let key = (finding.operation, finding.path.clone(), finding.port, finding.category);
        let index = match self.known.get(&key) {
            Some(&index) => {
                self.refused[index].times += 1;
                index
            }
            None if self.refused.len()
                < if finding.harmless { MAX_ASKED } else { MAX_REFUSALS } =>
            {
                let program =
                    self.processes.get(&pid).and_then(|process| process.program.as_deref());
                let details = details::of_call(&finding, &call.text, program);
                self.refused.push(Refused {
                    finding: Finding { details, ..finding },
                    program: program.map(|path| path.rsplit('/').next().unwrap_or(path).to_owned()),
                    line,
                    text: call.text.clone(),
                    then: Then::WentOn,
                    fatal: false,
                    reported: false,
                    times: 1,
                    deaths: 0,
                });
                self.known.insert(key, self.refused.len() - 1);
                self.refused.len() - 1
            }
            None => return,
        };
        if let Some(process) =
            self.processes.get_mut(&pid).filter(|_| !self.refused[index].finding.harmless)
        {
            process.refused(index, false);
        }
    }

    /// A success ends the refusals that it makes up for: of the same path, or of the same file in
    /// another directory.
    pub(super) fn superseded_by(&mut self, pid: u32, effect: &SyscallEffect) {
        let (Some(process), Some(path)) = (self.processes.get_mut(&pid), &effect.path) else {
            return;
        };
        let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let refused = &mut self.refused;
        process.open.retain(|open| {
            let one = &mut refused[open.index];
            let Some(before) = &one.finding.path else { return true };
            if before == path {
                return false;
            }
            let same = one.finding.operation == effect.operation && name(before) == name(path);
            if same {
                one.then = Then::Elsewhere(path.clone());
            }
            !same
        });
    }

    /// Notes whether a program reports a refusal: it writes to its standard error, or writes the
    /// words of the errno or the name of the file.
    pub(super) fn observe_write(&mut self, pid: u32, call: &Call) {
        if !matches!(call.name.as_str(), "write" | "writev" | "pwrite64" | "sendto" | "sendmsg") {
            return;
        }
        let Some(process) = self.processes.get_mut(&pid).filter(|process| !process.open.is_empty())
        else {
            return;
        };
        let said = match call.arguments.get(1) {
            Some(Argument::Text { text, .. } | Argument::Structure(text)) => text.to_lowercase(),
            _ => String::new(),
        };
        let to_error = call.number(0) == Some(2);
        let calls = process.calls;
        for open in process.open.iter_mut().filter(|open| calls - open.at <= MAX_CALLS_UNTIL_REPORT)
        {
            let one = &mut self.refused[open.index];
            let words = one
                .finding
                .errno
                .is_some_and(|errno| said.contains(&errno.message().to_lowercase()));
            let name = one
                .finding
                .path
                .as_deref()
                .and_then(|path| path.rsplit('/').next())
                .unwrap_or_default();
            if to_error || words || name.len() > 2 && said.contains(&name.to_lowercase()) {
                (open.reported, one.reported) = (true, true);
            }
        }
    }

    /// A process failed: because of the last refusal that it reported, else because of the last.
    pub(super) fn died(&mut self, process: &ProcessContext, how: String, is_first: bool) {
        let soon = |open: &&PendingRefusal| {
            process.calls - open.at
                <= if open.reported {
                    MAX_CALLS_UNTIL_END_AFTER_REPORT
                } else {
                    MAX_CALLS_UNTIL_END
                }
        };
        let candidates: Vec<PendingRefusal> = process.open.iter().filter(soon).copied().collect();
        let Some(last) = candidates.iter().rfind(|open| open.reported).or(candidates.last()) else {
            return;
        };
        let one = &mut self.refused[last.index];
        if !matches!(one.then, Then::Ended { .. }) || is_first {
            one.then = Then::Ended { how, calls: process.calls - last.at, survived: false };
        }
        match process.parent.and_then(|parent| self.processes.get_mut(&parent)) {
            // The parent may fail because of it, or continue.
            Some(parent) => {
                one.deaths += 1;
                parent.refused(last.index, true);
            }
            None => one.fatal = true,
        }
    }

    /// What was refused, the one that best explains a failure first.
    pub(super) fn refusals(&mut self) -> Vec<Refusal> {
        let listens = |port: u16| {
            self.traced.listeners.iter().any(|(listener, _)| listener.port() == Some(port))
        };
        for one in &mut self.refused {
            let never_bound = one.finding.port.is_some_and(|port| !listens(port));
            one.fatal |= never_bound && one.finding.operation == Operation::Bind || one.deaths > 1;
            if let Then::Ended { survived, .. } = &mut one.then {
                *survived = !one.fatal;
            }
        }
        self.refused.sort_by_key(|one| (!one.fatal, !one.reported, one.finding.harmless, one.line));
        let container = self.context.container.clone();
        let source = self.context.source.clone();
        std::mem::take(&mut self.refused)
            .into_iter()
            .map(|one| Refusal {
                obstacle: Obstacle {
                    container: container.clone(),
                    program: one.program,
                    operation: one.finding.operation,
                    errno: one.finding.errno,
                    path: one.finding.path.clone(),
                    port: one.finding.port,
                    capability: one.finding.capability.map(|one| one.name().to_owned()),
                    category: one.finding.category,
                    fatal: one.fatal,
                    cause: cause::sentence(&one.finding),
                    details: one.finding.details,
                    evidence: Evidence {
                        source: source.clone(),
                        line: Some(one.line),
                        text: one.text,
                    },
                },
                harmless: one.finding.harmless,
                then: one.then,
                times: one.times,
            })
            .collect()
    }
}
