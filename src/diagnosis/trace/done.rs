//! What succeeded, and another user may be refused.

use std::collections::BTreeSet;

use super::deed::Deed;
use super::{Trace, process};
use crate::model::filesystem::{Inode, PathStat};
use crate::model::obstacle::Operation;
use crate::model::trace::{Call, CallOutcome, Needed, PathChange, Touched};

const MOST_PATHS: usize = 20_000;
const MOST_SEEN: usize = 5_000;
const MOST_LISTENERS: usize = 256;
const MOST_PROGRAMS: usize = 64;

impl Trace {
    /// Something succeeded that another user may be refused.
    pub(super) fn done(&mut self, pid: u32, line: u64, call: &Call, deed: Deed) {
        if !deed.asks {
            self.instead(pid, &deed);
        }
        if deed.needed
            && let Some(capability) = deed.capability
        {
            // A low port may be open to everybody (net.ipv4.ip_unprivileged_port_start); the rest
            // only root may do.
            if deed.operation != Operation::Bind {
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
        if let Some(listener) = deed.listener {
            let is_new = !self.traced.listeners.iter().any(|(known, _)| *known == listener);
            if is_new && listener.port() != Some(0) && self.traced.listeners.len() < MOST_LISTENERS
            {
                self.traced.listeners.push((listener, line));
            }
        }
        if deed.operation == Operation::Exec
            && let Some(path) = &deed.path
            && !self.traced.programs.contains(path)
            && self.traced.programs.len() < MOST_PROGRAMS
        {
            self.traced.programs.push(path.clone());
        }
        if deed.operation == Operation::Exec
            && let Some(process) = self.processes.get_mut(&pid)
        {
            // Whatever was refused before, it went on.
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
            && let Some(link) = deed.path.clone().filter(|path| is_file(path))
        {
            // The link itself was followed, through directories that another user may not search.
            return self.read(link, line);
        }
        let Some(path) = real.or(deed.path).filter(|path| is_file(path)) else { return };
        if deed.asks {
            self.see(path, call);
        } else if deed.reads {
            self.read(path, line);
        } else if let Some(change) = deed.change {
            if let Some(from) = deed.from {
                self.touch(from, PathChange::Removed, None, line);
            }
            self.touch(path, change, deed.owner, line);
        }
    }

    /// What stat(2) says of a path that the program did not make.
    fn see(&mut self, path: String, call: &Call) {
        let member =
            |name: &str| (0..call.arguments.len()).find_map(|index| call.member(index, name));
        let Some(mode) = member("st_mode").or_else(|| member("stx_mode")).and_then(mode) else {
            return;
        };
        let id = |id: Option<&str>| id.and_then(|id| id.parse().ok()).unwrap_or(0);
        let uid = id(member("st_uid").or_else(|| member("stx_uid")));
        let gid = id(member("st_gid").or_else(|| member("stx_gid")));
        if self.traced.seen.len() < MOST_SEEN
            && !self.traced.touched.contains_key(&path)
            && self.seen.insert(path.clone())
        {
            self.traced.seen.push(PathStat::new(path, Inode::of_stat(mode, uid, gid, None)));
        }
    }

    fn read(&mut self, path: String, line: u64) {
        if self.traced.read.len() < MOST_PATHS {
            self.traced.read.entry(path).or_insert(line);
        } else if !self.traced.read.contains_key(&path) {
            self.traced.more += 1;
        }
    }

    fn touch(&mut self, path: String, change: PathChange, owner: Option<u32>, line: u64) {
        if self.traced.touched.len() >= MOST_PATHS && !self.traced.touched.contains_key(&path) {
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

/// Whether a path is a file of the container's, and not one that the kernel makes up.
fn is_file(path: &str) -> bool {
    let made_up = ["/proc", "/sys", "/dev"];
    let below = |dir: &str| {
        path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    path.starts_with('/') && (!made_up.into_iter().any(below) || path.starts_with("/dev/shm/"))
}
