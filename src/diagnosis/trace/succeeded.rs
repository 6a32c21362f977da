//! What succeeded, and may be refused to another user.

use std::collections::BTreeSet;

use super::effect::SyscallEffect;
use super::{Trace, process};
use crate::model::capability::Capability;
use crate::model::filesystem::{Inode, PathStat};
use crate::model::obstacle::Operation;
use crate::model::trace::{Call, CallOutcome, Needed, PathChange, Touched};

const MAX_PATHS: usize = 20_000;
const MAX_SEEN: usize = 5_000;
const MAX_LISTENERS: usize = 256;
const MAX_PROGRAMS: usize = 64;

impl Trace {
    /// A call succeeded that may be refused to another user.
    pub(super) fn succeeded(&mut self, pid: u32, line: u64, call: &Call, effect: SyscallEffect) {
        if !effect.only_asks {
            self.superseded_by(pid, &effect);
        }
        if effect.needed
            && let Some(capability) = effect.capability.map(Capability::name)
        {
            // A low port may be open to everybody (net.ipv4.ip_unprivileged_port_start); the rest
            // only root may do.
            if effect.operation != Operation::Bind {
                self.traced.root.get_or_insert(true);
            }
            match self.traced.needed.iter_mut().find(|needed| needed.capability == capability) {
                Some(needed) => needed.times += 1,
                None => self.traced.needed.push(Needed {
                    capability,
                    times: 1,
                    line,
                    text: call.text.clone(),
                }),
            }
        }
        if let Some(listener) = effect.listener {
            let is_new = !self.traced.listeners.iter().any(|(known, _)| *known == listener);
            if is_new && listener.port() != Some(0) && self.traced.listeners.len() < MAX_LISTENERS {
                self.traced.listeners.push((listener, line));
            }
        }
        if effect.operation == Operation::Exec
            && let Some(path) = &effect.path
            && !self.traced.programs.contains(path)
            && self.traced.programs.len() < MAX_PROGRAMS
        {
            self.traced.programs.push(path.clone());
        }
        if effect.operation == Operation::Exec
            && let Some(process) = self.processes.get_mut(&pid)
        {
            // It continued after what was refused before.
            process.open.clear();
        }
        // Of what was opened, -y tells the real name: links such as /var/log/x.log -> /dev/stdout
        // are behind it.
        let real = match &call.outcome {
            CallOutcome::Returned(_, Some(note)) if call.name != "socket" => {
                Some(process::noted(note))
            }
            _ => None,
        };
        if real.as_ref().is_some_and(|real| !is_file(real))
            && let Some(link) = effect.path.clone().filter(|path| is_file(path))
        {
            // The link itself was followed, through directories that another user may not search.
            return self.read(link, line);
        }
        let Some(path) = real.or(effect.path).filter(|path| is_file(path)) else { return };
        if effect.only_asks {
            self.see(path, call);
        } else if effect.reads {
            self.read(path, line);
        } else if let Some(change) = effect.change {
            if let Some(from) = effect.from {
                self.touch(from, PathChange::Removed, None, line);
            }
            self.touch(path, change, effect.owner, line);
        }
    }

    /// What stat(2) returns for a path that the program did not make.
    fn see(&mut self, path: String, call: &Call) {
        let member =
            |name: &str| (0..call.arguments.len()).find_map(|index| call.member(index, name));
        let Some(mode) = member("st_mode").or_else(|| member("stx_mode")).and_then(mode) else {
            return;
        };
        let id = |id: Option<&str>| id.and_then(|id| id.parse().ok()).unwrap_or(0);
        let uid = id(member("st_uid").or_else(|| member("stx_uid")));
        let gid = id(member("st_gid").or_else(|| member("stx_gid")));
        if self.traced.seen.len() < MAX_SEEN
            && !self.traced.touched.contains_key(&path)
            && self.seen.insert(path.clone())
        {
            self.traced.seen.push(PathStat::new(path, Inode::of_stat(mode, uid, gid, None)));
        }
    }

    fn read(&mut self, path: String, line: u64) {
        if self.traced.read.len() < MAX_PATHS {
            self.traced.read.entry(path).or_insert(line);
        } else if !self.traced.read.contains_key(&path) {
            self.traced.more += 1;
        }
    }

    fn touch(&mut self, path: String, change: PathChange, owner: Option<u32>, line: u64) {
        if self.traced.touched.len() >= MAX_PATHS && !self.traced.touched.contains_key(&path) {
            self.traced.more += 1;
            return;
        }
        let touched = self.traced.touched.entry(path).or_insert_with(|| Touched {
            changes: BTreeSet::new(),
            gone: false,
            owner: None,
            first_line: line,
        });
        touched.changes.insert(change);
        touched.gone = change == PathChange::Removed;
        touched.owner = owner.or(touched.owner);
    }
}

/// `S_IFDIR|0755`, as `st_mode` has it.
fn mode(text: &str) -> Option<u32> {
    let (kind, bits) = text.split_once('|')?;
    let kind = match kind {
        "S_IFDIR" => 0o040_000,
        "S_IFREG" => 0o100_000,
        "S_IFLNK" => 0o120_000,
        _ => return None,
    };
    // Set-user-ID and its like stand between as words.
    let bits = bits.rsplit('|').next()?;
    Some(kind | u32::from_str_radix(bits, 8).ok()?)
}

/// Whether a path is a file of the container, and not one that the kernel generates.
fn is_file(path: &str) -> bool {
    let generated = ["/proc", "/sys", "/dev"];
    let below = |dir: &str| {
        path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    path.starts_with('/') && (!generated.into_iter().any(below) || path.starts_with("/dev/shm/"))
}
