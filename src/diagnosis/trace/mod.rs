//! System calls to obstacles, and to what the program did.
//!
//! A trace shows which call was refused, on which path, and whether the program then failed,
//! continued, or did the same elsewhere. The trace of a program that runs as root has no refusals;
//! what it does there will be refused to another user, and foresight makes obstacles of it.

mod effect;
mod process;
mod refused;
mod succeeded;

use std::collections::{BTreeMap, HashMap, HashSet};

use self::effect::SyscallEffect;
use self::process::ProcessContext;
use self::refused::Refused;
use super::Context;
use crate::model::obstacle::{Category, Errno, Operation};
use crate::model::trace::{Argument, Became, Call, CallOutcome, Event, Traced, What};

/// Bounds of what is kept: a trace may be of days.
const MAX_PROCESSES: usize = 4096;
const MAX_USERS: usize = 64;

/// Takes the events of a trace, in bounded memory.
pub struct Trace {
    context: Context,
    processes: HashMap<u32, ProcessContext>,
    /// The process of a thread other than its first.
    threads: HashMap<u32, u32>,
    /// Processes that are about to have a child.
    forking: Vec<u32>,
    first: Option<u32>,
    /// The first process was seen to begin, by execve(2).
    is_program: bool,
    /// Processes that were seen.
    process_count: usize,
    refused: Vec<Refused>,
    known: HashMap<(Operation, Option<String>, Option<u16>, Category), usize>,
    /// Paths of what was seen.
    seen: HashSet<String>,
    traced: Traced,
}

impl Trace {
    #[must_use]
    pub fn new(context: Context) -> Trace {
        Trace {
            context,
            processes: HashMap::new(),
            threads: HashMap::new(),
            forking: Vec::new(),
            first: None,
            is_program: false,
            process_count: 0,
            refused: Vec::new(),
            known: HashMap::new(),
            seen: HashSet::new(),
            traced: Traced::default(),
        }
    }

    pub fn take(&mut self, event: Event) {
        let thread = event.pid.unwrap_or(0);
        let pid = self.threads.get(&thread).copied().unwrap_or(thread);
        if self.first.is_none() {
            self.is_program =
                matches!(&event.what, What::Call(call) if call.name.starts_with("execve"));
        }
        self.register_process(pid);
        match event.what {
            What::Forking => self.forking.push(pid),
            What::Call(call) => self.call(pid, event.line, &call),
            What::Exited(code) => self.end(thread, pid, format!("exit code {code}"), code != 0),
            What::Killed(signal) => {
                let name = signal.split(' ').next().unwrap_or_default();
                // Another process ended it.
                let is_foreign =
                    ["SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"].contains(&name);
                self.end(thread, pid, signal, !is_foreign);
            }
            What::Superseded => {}
        }
    }

    /// Registers a process that is seen for the first time: a child that runs before the call of its
    /// parent returns, or one that was there before the trace.
    fn register_process(&mut self, pid: u32) {
        if self.processes.contains_key(&pid) || self.processes.len() >= MAX_PROCESSES {
            return;
        }
        let parent = self.forking.pop().filter(|parent| *parent != pid);
        let process = match parent.and_then(|parent| Some((parent, self.processes.get(&parent)?))) {
            Some((parent, process)) => process.fork(parent),
            None => {
                ProcessContext { cwd: self.context.directory.clone(), ..ProcessContext::default() }
            }
        };
        self.first.get_or_insert(pid);
        self.process_count += 1;
        self.processes.insert(pid, process);
    }

    fn call(&mut self, pid: u32, line: u64, call: &Call) {
        if matches!(call.name.as_str(), "fork" | "vfork" | "clone" | "clone3") {
            self.forked(pid, call);
        }
        let Some(process) = self.processes.get_mut(&pid) else { return };
        process.calls += 1;
        if let Some(became) = process.became.and_then(|index| self.traced.became.get_mut(index)) {
            became.calls += 1;
        }
        // -y prints the working directory.
        if call.word(0) == Some("AT_FDCWD")
            && let Some(note) = call.note(0).filter(|note| note.starts_with('/'))
            && process.cwd.as_deref() != Some(note)
        {
            process.cwd = Some(note.to_owned());
        }
        let effect = SyscallEffect::of(call, process);
        match &call.outcome {
            CallOutcome::Failed(errno) => {
                if let Some(errno) = Errno::ALL.into_iter().find(|known| known.as_str() == errno) {
                    self.refusal(pid, line, call, errno, effect);
                }
            }
            CallOutcome::Returned(..) => {
                if let Some(effect) = effect {
                    self.succeeded(pid, line, call, effect);
                }
                self.observe_write(pid, call);
                let Some(process) = self.processes.get_mut(&pid) else { return };
                process.follow(call);
                self.identified(pid, line, call);
            }
            CallOutcome::Unknown => {}
        }
    }

    /// The call of a parent returns with its child or its thread.
    fn forked(&mut self, pid: u32, call: &Call) {
        self.forking.retain(|forking| *forking != pid);
        let CallOutcome::Returned(child, _) = call.outcome else { return };
        let Ok(child) = u32::try_from(child) else { return };
        let is_thread = call.arguments.iter().any(|argument| match argument {
            Argument::Word { word, .. } => word.contains("CLONE_THREAD"),
            Argument::Structure(text) => text.contains("CLONE_THREAD"),
            Argument::Text { .. } => false,
        });
        if is_thread {
            if self.threads.len() < MAX_PROCESSES {
                self.threads.insert(child, pid);
            }
            // The process did what the thread did before the call of its parent returned.
            if let Some(early) = self.processes.remove(&child)
                && let Some(process) = self.processes.get_mut(&pid)
            {
                early.open.iter().for_each(|open| process.refused(open.index, open.reported));
            }
        } else if let Some(early) = self.processes.get_mut(&child) {
            early.parent = Some(pid);
        } else if let Some(process) = self.processes.get(&pid)
            && self.processes.len() < MAX_PROCESSES
        {
            let process = process.fork(pid);
            self.processes.insert(child, process);
        }
    }

    /// Notes the user of a process after a call that changed it.
    fn identified(&mut self, pid: u32, line: u64, call: &Call) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        if Some(pid) == self.first
            && self.traced.root.is_none()
            && matches!(call.name.as_str(), "getuid" | "geteuid")
            && let Some(uid) = process.uid[1].or(process.uid[0])
        {
            self.traced.root = Some(uid == 0);
        }
        if !matches!(
            call.name.as_str(),
            "setuid" | "setreuid" | "setresuid" | "setgid" | "setregid" | "setresgid" | "setgroups"
        ) {
            return;
        }
        process.became = None;
        let Some(uid) = process.uid[1].filter(|uid| *uid != 0) else { return };
        let gid = process.gid[1];
        let became = &mut self.traced.became;
        let same =
            |known: &Became| known.uid == uid && known.gid == gid && known.groups == process.groups;
        process.became = became.iter().position(same).or_else(|| {
            if became.len() >= MAX_USERS {
                return None;
            }
            let (groups, program) = (process.groups.clone(), process.program.clone());
            became.push(Became { uid, gid, groups, program, calls: 0, line });
            Some(became.len() - 1)
        });
    }

    /// A thread ended; if it was the first of its process, the process ended.
    fn end(&mut self, thread: u32, pid: u32, how: String, badly: bool) {
        if thread != pid {
            self.threads.remove(&thread);
            return;
        }
        let Some(process) = self.processes.remove(&pid) else { return };
        self.forking.retain(|forking| *forking != pid);
        self.threads.retain(|_, leader| *leader != pid);
        let is_first = Some(pid) == self.first;
        if is_first {
            self.traced.end = Some(how.clone());
        }
        if badly {
            self.died(&process, how, is_first);
        }
    }

    /// Ends the trace.
    #[must_use]
    pub fn finish(mut self) -> Traced {
        // A trace of several processes that begins in the middle does not show which of them was the
        // first of the program.
        if !self.is_program && self.process_count > 1 {
            self.traced.end = None;
        }
        self.traced.refusals = self.refusals();
        // Users by what was done as each, of each uid the one with the most groups.
        self.traced.became.sort_by_key(|became| std::cmp::Reverse(became.calls));
        let mut seen: BTreeMap<u32, usize> = BTreeMap::new();
        let mut users: Vec<Became> = Vec::new();
        for became in self.traced.became {
            match seen.get(&became.uid) {
                Some(&at) if users[at].gid.is_some() => users[at].calls += became.calls,
                Some(&at) => users[at] = Became { calls: users[at].calls + became.calls, ..became },
                None => {
                    seen.insert(became.uid, users.len());
                    users.push(became);
                }
            }
        }
        self.traced.became = users;
        self.traced
    }
}

#[cfg(test)]
mod tests;
