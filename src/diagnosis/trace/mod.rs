//! System calls to obstacles, and to what the program did.
//!
//! A trace knows what a log only tells: which call was refused, on which path, whether the program
//! died of it, went on, or did the same elsewhere. The trace of a program that runs as root has no
//! refusals; what it does there is what will be refused to another user, and foresight makes
//! obstacles of it.

mod effect;
mod process;
mod refused;
mod succeeded;

use std::collections::{BTreeMap, HashMap, HashSet};

use self::effect::SyscallEffect;
use self::process::Process;
use self::refused::Refused;
use super::Context;
use crate::model::obstacle::{Category, Errno, Operation};
use crate::model::trace::{Argument, Became, Call, Event, Outcome, Traced, What};

/// Bounds of what is kept: a trace may go on for days.
const MOST_PROCESSES: usize = 4096;
const MOST_USERS: usize = 64;

/// Takes the events of a trace, in bounded memory.
pub struct Trace {
    context: Context,
    processes: HashMap<u32, Process>,
    /// The process of a thread other than its first.
    threads: HashMap<u32, u32>,
    /// Processes that are about to have a child.
    forking: Vec<u32>,
    first: Option<u32>,
    /// The first was seen to begin: by execve.
    is_program: bool,
    /// How many processes were seen.
    met: usize,
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
            met: 0,
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
                // Somebody else ended it.
                let is_foreign =
                    ["SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"].contains(&name);
                self.end(thread, pid, signal, !is_foreign);
            }
            What::Superseded => {}
        }
    }

    /// A process that is seen for the first time: a child that runs before its parent knows, or one
    /// that was there.
    fn register_process(&mut self, pid: u32) {
        if self.processes.contains_key(&pid) || self.processes.len() >= MOST_PROCESSES {
            return;
        }
        let parent = self.forking.pop().filter(|parent| *parent != pid);
        let process = match parent.and_then(|parent| Some((parent, self.processes.get(&parent)?))) {
            Some((parent, process)) => process.fork(parent),
            None => Process { cwd: self.context.directory.clone(), ..Process::default() },
        };
        self.first.get_or_insert(pid);
        self.met += 1;
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
        // The working directory is told along the way.
        if call.word(0) == Some("AT_FDCWD")
            && let Some(note) = call.note(0).filter(|note| note.starts_with('/'))
            && process.cwd.as_deref() != Some(note)
        {
            process.cwd = Some(note.to_owned());
        }
        let effect = SyscallEffect::of(call, process);
        match &call.outcome {
            Outcome::Failed(errno) => {
                if let Some(errno) = Errno::ALL.into_iter().find(|known| known.as_str() == errno) {
                    self.refusal(pid, line, call, errno, effect);
                }
            }
            Outcome::Returned(..) => {
                if let Some(effect) = effect {
                    self.succeeded(pid, line, call, effect);
                }
                self.observe_write(pid, call);
                let Some(process) = self.processes.get_mut(&pid) else { return };
                process.follow(call);
                self.identified(pid, line, call);
            }
            Outcome::Unknown => {}
        }
    }

    /// A child, or a thread, that its parent now knows.
    fn forked(&mut self, pid: u32, call: &Call) {
        self.forking.retain(|forking| *forking != pid);
        let Outcome::Returned(child, _) = call.outcome else { return };
        let Ok(child) = u32::try_from(child) else { return };
        let is_thread = call.arguments.iter().any(|argument| match argument {
            Argument::Word { word, .. } => word.contains("CLONE_THREAD"),
            Argument::Structure(text) => text.contains("CLONE_THREAD"),
            Argument::Text { .. } => false,
        });
        if is_thread {
            if self.threads.len() < MOST_PROCESSES {
                self.threads.insert(child, pid);
            }
            // What it did before its parent knew was done by the process.
            if let Some(early) = self.processes.remove(&child)
                && let Some(process) = self.processes.get_mut(&pid)
            {
                early.open.iter().for_each(|open| process.refused(open.index, open.told));
            }
        } else if let Some(early) = self.processes.get_mut(&child) {
            early.parent = Some(pid);
        } else if let Some(process) = self.processes.get(&pid)
            && self.processes.len() < MOST_PROCESSES
        {
            let process = process.fork(pid);
            self.processes.insert(child, process);
        }
    }

    /// Who a process is after a call that changed that.
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
            if became.len() >= MOST_USERS {
                return None;
            }
            let (groups, program) = (process.groups.clone(), process.program.clone());
            became.push(Became { uid, gid, groups, program, calls: 0, line });
            Some(became.len() - 1)
        });
    }

    /// A thread ended; with the first of a process the process.
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
        // A trace that begins in the middle, of several processes, does not tell which of them the
        // program began as.
        if !self.is_program && self.met > 1 {
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
mod tests {
    use super::*;
    use crate::evidence::strace::Strace;
    use crate::model::inside::Listener;
    use crate::model::obstacle::Obstacle;
    use crate::model::trace::{Change, Then};

    fn traced(text: &str) -> Traced {
        let (mut strace, mut trace) = (Strace::default(), Trace::new(Context::default()));
        strace.feed(text.as_bytes(), &mut |event| trace.take(event));
        assert_eq!(strace.finish(&mut |event| trace.take(event)).unknown, 0, "{text}");
        trace.finish()
    }

    #[test]
    fn a_child_that_ends_is_not_the_program() {
        let end = |text: &str| traced(text).end;
        let child = "9 close(3) = 0\n9 +++ exited with 0 +++\n7 close(4) = 0\n";
        assert_eq!(end(child), None, "it begins in the middle");
        let alone = "9 close(3) = 0\n9 +++ exited with 3 +++\n";
        assert_eq!(end(alone).as_deref(), Some("exit code 3"));
        let whole = format!("9 execve(\"/bin/x\", [\"x\"], 0x1 /* 2 vars */) = 0\n{child}");
        assert_eq!(end(&whole).as_deref(), Some("exit code 0"));
    }

    /// `OPERATION ERRNO PATH|PORT CATEGORY`, with a `!` before what is fatal.
    fn refusals(text: &str) -> Vec<String> {
        let traced = traced(text);
        let said = traced.refusals.iter().map(|refusal| {
            let Obstacle { operation, errno, path, port, category, fatal, .. } = &refusal.obstacle;
            let errno = errno.map_or("-", Errno::as_str);
            let place = path.clone().or(port.map(|port| port.to_string())).unwrap_or_default();
            format!("{}{operation} {errno} {place} {category}", if *fatal { "!" } else { "" })
        });
        said.collect()
    }

    #[test]
    fn refusals_are_named_as_explain_names_them() {
        for (call, says) in [
            ("mkdir(\"/srv/x\", 0777) = -1 EACCES (x)", "mkdir EACCES /srv/x unwritable-path"),
            (
                "openat(AT_FDCWD, \"/srv/x\", O_WRONLY|O_CREAT, 0644) = -1 EACCES (x)",
                "create EACCES /srv/x unwritable-path",
            ),
            (
                "openat(AT_FDCWD, \"/srv/x\", O_RDWR) = -1 EROFS (x)",
                "open EROFS /srv/x read-only-rootfs",
            ),
            (
                "openat(AT_FDCWD, \"/srv/key\", O_RDONLY) = -1 EACCES (x)",
                "open EACCES /srv/key unreadable-file",
            ),
            ("open(\"/dev/kvm\", O_RDWR) = -1 EACCES (x)", "device EACCES /dev/kvm device-access"),
            (
                "mkdir(\"/root/.cache\", 0777) = -1 EACCES (x)",
                "mkdir EACCES /root/.cache home-unwritable",
            ),
            (
                "unlinkat(AT_FDCWD, \"/srv/x\", 0) = -1 EACCES (x)",
                "unlink EACCES /srv/x unwritable-path",
            ),
            (
                "rename(\"/srv/a\", \"/srv/b\") = -1 EACCES (x)",
                "rename EACCES /srv/b unwritable-path",
            ),
            (
                "fchmodat(AT_FDCWD, \"/srv/x\", 0600) = -1 EPERM (x)",
                "chmod EPERM /srv/x ownership-change",
            ),
            ("fchown(3</srv/x>, 7, 7) = -1 EPERM (x)", "chown EPERM /srv/x ownership-change"),
            ("setgroups(1, [7]) = -1 EPERM (x)", "setgroups EPERM  identity-switch"),
            ("setresuid(7, 7, 7) = -1 EPERM (x)", "setuid EPERM  identity-switch"),
            (
                "execve(\"/srv/run\", [\"run\"], 0x1) = -1 EACCES (x)",
                "exec EACCES /srv/run not-executable",
            ),
            (
                "execve(\"/srv/run\", [\"run\"], 0x1) = -1 EPERM (x)",
                "exec EPERM /srv/run capability-missing",
            ),
            (
                "mknod(\"/srv/null\", S_IFCHR|0666, makedev(0x1, 0x3)) = -1 EPERM (x)",
                "mknod EPERM /srv/null capability-missing",
            ),
            (
                "mknod(\"/srv/pipe\", S_IFIFO|0666) = -1 EACCES (x)",
                "create EACCES /srv/pipe unwritable-path",
            ),
            ("chroot(\"/srv\") = -1 EPERM (x)", "other EPERM /srv capability-missing"),
            (
                "mount(\"a\", \"/mnt\", \"x\", 0, NULL) = -1 EPERM (x)",
                "mount EPERM /mnt capability-missing",
            ),
            (
                "socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) = -1 EPERM (x)",
                "socket-raw EPERM  raw-socket",
            ),
            ("mlockall(MCL_CURRENT) = -1 ENOMEM (x)", "other ENOMEM  capability-missing"),
            (
                "connect(3, {sa_family=AF_UNIX, sun_path=\"/run/d.sock\"}, 9) = -1 EACCES (x)",
                "other EACCES /run/d.sock unwritable-path",
            ),
            (
                "bind(3, {sa_family=AF_UNIX, sun_path=\"/run/a.sock\"}, 9) = -1 EACCES (x)",
                "bind EACCES /run/a.sock unwritable-path",
            ),
        ] {
            assert_eq!(refusals(call), [says], "{call}");
        }
        // What is merely not there is no refusal, nor what another address family lacks.
        assert_eq!(refusals("open(\"/srv/x\", O_RDONLY) = -1 ENOENT (x)\n"), [""; 0]);
    }

    #[test]
    fn what_a_program_dies_of_is_fatal() {
        let text = "7 openat(AT_FDCWD, \"/srv/a\", O_WRONLY|O_CREAT, 0644) = -1 EACCES (Permission denied)\n\
                    7 write(2, \"warning: a\", 10) = 10\n\
                    7 mkdir(\"/srv/b\", 0777) = -1 EACCES (Permission denied)\n\
                    7 write(2, \"b: Permission denied\", 20) = 20\n\
                    7 exit_group(1) = ?\n\
                    7 +++ exited with 1 +++\n";
        let all = ["!mkdir EACCES /srv/b unwritable-path", "create EACCES /srv/a unwritable-path"];
        assert_eq!(refusals(text), all);
        assert_eq!(
            traced(text).refusals[0].then,
            Then::Ended { how: "exit code 1".to_owned(), calls: 2, survived: false }
        );
        // Ended well, by somebody else, or not at all: then it was none of them.
        for end in ["7 +++ exited with 0 +++\n", "7 +++ killed by SIGTERM +++\n", ""] {
            let text = text.replace("7 +++ exited with 1 +++\n", end);
            assert!(refusals(&text).iter().all(|one| !one.starts_with('!')), "{end}");
        }
        assert!(
            refusals(&text.replace("exited with 1", "killed by SIGSEGV (core dumped)"))[0]
                .starts_with('!')
        );
    }

    #[test]
    fn a_child_that_dies_stops_only_who_dies_of_it() {
        let child = "7 vfork( <unfinished ...>\n\
                     8 execve(\"/bin/chown\", [\"chown\"], 0x1) = 0\n\
                     7 <... vfork resumed>) = 8\n\
                     8 fchownat(AT_FDCWD, \"/srv/x\", 33, -1, 0) = -1 EPERM (Operation not permitted)\n\
                     8 +++ exited with 1 +++\n";
        assert_eq!(refusals(child), ["chown EPERM /srv/x ownership-change"]);
        let one = traced(child).refusals.remove(0);
        assert_eq!(one.obstacle.program.as_deref(), Some("chown"));
        assert!(matches!(one.then, Then::Ended { survived: true, .. }));
        // With `set -e`, the script ends too.
        assert_eq!(
            refusals(&format!("{child}7 +++ exited with 1 +++\n")),
            ["!chown EPERM /srv/x ownership-change"]
        );
        // A script that went on to its program died of what stopped that.
        let on = format!(
            "{child}7 execve(\"/bin/srv\", [\"srv\"], 0x1) = 0\n\
             7 bind(3, {{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"0.0.0.0\")}}, 16) = -1 EACCES (x)\n\
             7 +++ exited with 1 +++\n"
        );
        assert_eq!(
            refusals(&on),
            ["!bind EACCES 80 privileged-port", "chown EPERM /srv/x ownership-change"]
        );
    }

    #[test]
    fn a_port_that_is_never_bound_stops_a_server_that_runs_on() {
        let bind = |port: u16, result: &str| {
            format!(
                "bind(3, {{sa_family=AF_INET, sin_port=htons({port}), sin_addr=inet_addr(\"0.0.0.0\")}}, 16) = {result}\n"
            )
        };
        let refused = bind(80, "-1 EACCES (Permission denied)");
        assert_eq!(refusals(&refused), ["!bind EACCES 80 privileged-port"]);
        assert_eq!(refusals(&(refused + &bind(80, "0"))), ["bind EACCES 80 privileged-port"]);
    }

    #[test]
    fn what_is_done_elsewhere_is_no_obstacle_any_more() {
        let text = "7 mkdir(\"/root/.cache\", 0777) = -1 EACCES (x)\n\
                    7 mkdir(\"/tmp/.cache\", 0777) = 0\n\
                    7 +++ exited with 1 +++\n";
        let one = traced(text).refusals.remove(0);
        assert_eq!(
            (one.obstacle.fatal, one.then),
            (false, Then::Elsewhere("/tmp/.cache".to_owned()))
        );
    }

    #[test]
    fn paths_are_followed_through_directories_and_descriptors() {
        let text = "7 chdir(\"/srv/app\") = 0\n\
                    7 clone(child_stack=NULL, flags=SIGCHLD) = 8\n\
                    8 mkdir(\"data\", 0777) = 0\n\
                    8 openat(AT_FDCWD, \"data\", O_RDONLY|O_DIRECTORY) = 3\n\
                    8 dup(3) = 4\n\
                    8 close(3) = 0\n\
                    8 openat(4, \"a\", O_WRONLY|O_CREAT, 0644) = 5\n\
                    8 openat(3, \"b\", O_WRONLY|O_CREAT, 0644) = 6\n\
                    8 fchmod(5, 0600) = 0\n\
                    8 clone3({flags=CLONE_VM|CLONE_FS|CLONE_THREAD}, 88) = 9\n\
                    9 mkdirat(4, \"t\", 0777) = 0\n\
                    9 renameat2(4, \"a\", AT_FDCWD, \"../c\", 0) = 0\n";
        let touched = traced(text).touched;
        let paths: Vec<(&str, bool)> =
            touched.iter().map(|(path, one)| (path.as_str(), one.gone)).collect();
        assert_eq!(
            paths,
            [
                ("/srv/app/data", false),
                ("/srv/app/data/a", true),
                ("/srv/app/data/t", false),
                ("/srv/c", false),
            ]
        );
        assert!(touched["/srv/app/data/a"].changes.contains(&Change::Mode));
    }

    #[test]
    fn what_root_does_is_told() {
        let traced = traced(
            "1 execve(\"/usr/sbin/srv\", [\"srv\"], 0x1 /* 3 vars */) = 0\n\
             1 geteuid() = 0\n\
             1 newfstatat(AT_FDCWD, \"/var/lib/srv\", {st_mode=S_IFDIR|0755, st_size=4096, ...}, 0) = 0\n\
             1 openat(AT_FDCWD, \"/etc/srv/key\", O_RDONLY) = 3\n\
             1 openat(AT_FDCWD, \"/dev/null\", O_RDWR) = 3\n\
             1 chown(\"/var/lib/srv\", 0, 0) = 0\n\
             1 chown(\"/var/lib/srv\", 33, 33) = 0\n\
             1 socket(AF_INET6, SOCK_DGRAM|SOCK_CLOEXEC, IPPROTO_IP) = 4\n\
             1 bind(4, {sa_family=AF_INET6, sin6_port=htons(53), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, \"::1\", &sin6_addr), sin6_scope_id=0}, 28) = 0\n\
             1 setgroups(2, [33, 4]) = 0\n\
             1 setresgid(33, 33, 33) = 0\n\
             1 setresuid(33, 33, 33) = 0\n\
             1 openat(AT_FDCWD</>, \"/var/log/srv/error.log\", O_WRONLY|O_CREAT|O_APPEND, 0666) = 5<pipe:[77]>\n\
             1 getpid() = 1\n",
        );
        assert_eq!(traced.root, Some(true));
        let became: Vec<_> =
            traced.became.iter().map(|one| (one.uid, one.gid, one.groups.clone())).collect();
        assert_eq!(became, [(33, Some(33), vec![33, 4])]);
        let needed: Vec<_> = traced.needed.iter().map(|one| (one.capability, one.times)).collect();
        assert_eq!(needed, [("CHOWN", 1), ("NET_BIND_SERVICE", 1), ("SETGID", 2), ("SETUID", 1)]);
        let address = std::net::IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1_u16]);
        assert_eq!(traced.listeners, [(Listener::Udp { address, port: 53, process: None }, 9)]);
        // A log that is a link to a pipe is not written; the link is followed, through the
        // directory that holds it.
        assert_eq!(
            traced.read.keys().collect::<Vec<_>>(),
            ["/etc/srv/key", "/var/log/srv/error.log"]
        );
        assert!(!traced.touched.contains_key("/var/log/srv/error.log"));
        assert_eq!(traced.touched["/var/lib/srv"].owner, Some(33));
        assert_eq!(
            (traced.seen[0].path.as_str(), traced.seen[0].mode),
            ("/var/lib/srv", 0o040_755)
        );
    }
}
