//! What is known of a process while its trace is read.

use std::collections::HashMap;

use crate::model::trace::{Call, CallOutcome};

/// Descriptors of a process that are remembered.
const MAX_DESCRIPTORS: usize = 1024;
/// Refusals of a process that it may still fail because of.
const MAX_OPEN: usize = 64;

/// What a descriptor stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Descriptor {
    Path(String),
    /// A socket, by the words of socket(2): `AF_INET`, `SOCK_STREAM|SOCK_CLOEXEC`.
    Socket {
        family: String,
        kind: String,
    },
}

/// A refusal that the process may still fail because of.
#[derive(Debug, Clone, Copy)]
pub(super) struct PendingRefusal {
    /// Among the refusals of the trace.
    pub index: usize,
    /// Calls of the process before it.
    pub at: u64,
    /// The process reported it: most programs report why they fail.
    pub reported: bool,
}

/// Real, effective and saved id, as far as they are known (credentials(7)).
pub(super) type Ids = [Option<u32>; 3];

/// One process of a trace.
#[derive(Debug, Clone, Default)]
pub(super) struct ProcessContext {
    pub parent: Option<u32>,
    pub program: Option<String>,
    pub cwd: Option<String>,
    /// The root directory that chroot(2) set.
    pub root: Option<String>,
    pub descriptors: HashMap<i64, Descriptor>,
    pub uid: Ids,
    pub gid: Ids,
    pub groups: Vec<u32>,
    /// The index among the users that processes became.
    pub became: Option<usize>,
    pub calls: u64,
    pub open: Vec<PendingRefusal>,
}

impl ProcessContext {
    /// The child that fork(2) makes.
    pub(super) fn fork(&self, parent: u32) -> ProcessContext {
        ProcessContext { parent: Some(parent), calls: 0, open: Vec::new(), ..self.clone() }
    }

    /// Remembers a refusal of the process, or one that a child failed because of.
    pub(super) fn refused(&mut self, index: usize, reported: bool) {
        self.open.retain(|open| open.index != index);
        if self.open.len() == MAX_OPEN {
            self.open.remove(0);
        }
        self.open.push(PendingRefusal { index, at: self.calls, reported });
    }

    pub(super) fn remember(&mut self, descriptor: i64, what: Descriptor) {
        if self.descriptors.len() < MAX_DESCRIPTORS || self.descriptors.contains_key(&descriptor) {
            self.descriptors.insert(descriptor, what);
        }
    }

    /// Follows what changes descriptors, directories and identities.
    pub(super) fn follow(&mut self, call: &Call) {
        let CallOutcome::Returned(value, note) = &call.outcome else { return };
        let id = u32::try_from(*value).ok();
        match call.name.as_str() {
            "open" | "openat" | "openat2" | "creat" => {
                let path = match call.name.as_str() {
                    "open" | "creat" => self.path(call, None, 0),
                    _ => self.path(call, Some(0), 1),
                };
                if let Some(path) = note.as_deref().map(noted).or(path) {
                    self.remember(*value, Descriptor::Path(path));
                }
            }
            "socket" => {
                let word = |index| call.word(index).unwrap_or_default().to_owned();
                self.remember(*value, Descriptor::Socket { family: word(0), kind: word(1) });
            }
            "dup" | "dup2" | "dup3" => self.duplicate(call.number(0), *value),
            "fcntl" | "fcntl64"
                if call.word(1).is_some_and(|command| command.starts_with("F_DUPFD")) =>
            {
                self.duplicate(call.number(0), *value);
            }
            "close" => {
                call.number(0).map(|descriptor| self.descriptors.remove(&descriptor));
            }
            "chdir" => self.cwd = self.path(call, None, 0),
            "fchdir" => self.cwd = self.at(call, 0),
            "getcwd" => self.cwd = call.text(0).map(str::to_owned).or_else(|| self.cwd.take()),
            "chroot" => self.root = self.path(call, None, 0).filter(|root| root != "/"),
            "execve" | "execveat" => {
                let (at, path) = if call.name == "execve" { (None, 0) } else { (Some(0), 1) };
                self.program = self.path(call, at, path);
            }
            "getuid" => self.uid[0] = id,
            "geteuid" => self.uid[1] = id,
            "getgid" => self.gid[0] = id,
            "getegid" => self.gid[1] = id,
            "setuid" | "setreuid" | "setresuid" => change(&mut self.uid, call, "setuid"),
            "setgid" | "setregid" | "setresgid" => change(&mut self.gid, call, "setgid"),
            "setgroups" => {
                if let Some(crate::model::trace::Argument::Structure(list)) = call.arguments.get(1)
                {
                    let words = list.split(|c: char| !c.is_ascii_digit());
                    self.groups = words.filter_map(|word| word.parse().ok()).collect();
                } else {
                    self.groups.clear();
                }
            }
            _ => {}
        }
    }

    fn duplicate(&mut self, from: Option<i64>, to: i64) {
        if let Some(what) = from.and_then(|from| self.descriptors.get(&from)).cloned() {
            self.remember(to, what);
        }
    }

    /// The socket that an argument stands for: family and kind.
    pub(super) fn socket(&self, call: &Call, index: usize) -> Option<(&str, &str)> {
        match self.descriptors.get(&call.number(index)?)? {
            Descriptor::Socket { family, kind } => Some((family, kind)),
            Descriptor::Path(_) => None,
        }
    }

    /// The path that a descriptor among the arguments stands for.
    pub(super) fn at(&self, call: &Call, index: usize) -> Option<String> {
        if let Some(note) = call.note(index) {
            return note.starts_with('/').then(|| noted(note));
        }
        if call.word(index) == Some("AT_FDCWD") {
            return self.cwd.clone();
        }
        match self.descriptors.get(&call.number(index)?)? {
            Descriptor::Path(path) => Some(path.clone()),
            Descriptor::Socket { .. } => None,
        }
    }

    /// The path that the string at `path` names, relative to the descriptor at `at`, or to the
    /// working directory; made absolute as far as that is known. An empty or missing string
    /// stands for the descriptor itself (`AT_EMPTY_PATH`).
    pub(super) fn path(&self, call: &Call, at: Option<usize>, path: usize) -> Option<String> {
        let given = call.text(path).unwrap_or_default();
        if given.is_empty() {
            return at.and_then(|at| self.at(call, at));
        }
        if given.starts_with('/') {
            return Some(match &self.root {
                Some(root) => format!("{}{given}", root.trim_end_matches('/')),
                None => given.to_owned(),
            });
        }
        let base = match at {
            Some(at) => self.at(call, at),
            None => self.cwd.clone(),
        };
        Some(base.map_or_else(|| given.to_owned(), |base| joined(&base, given)))
    }
}

/// The path that `-y` prints behind a descriptor.
pub(super) fn noted(note: &str) -> String {
    let note = note.strip_suffix(" (deleted)").unwrap_or(note);
    note.split('<').next().unwrap_or_default().to_owned()
}

/// A relative path below a directory that is known by its real name, so that `..` is the directory
/// above.
fn joined(base: &str, given: &str) -> String {
    let mut base = base.trim_end_matches('/');
    let mut given = given;
    loop {
        if let Some(rest) = given.strip_prefix("./") {
            given = rest;
        } else if let Some(rest) = given.strip_prefix("../") {
            given = rest;
            base = base.rfind('/').map_or("", |end| &base[..end]);
        } else {
            break;
        }
        given = given.trim_start_matches('/');
    }
    match given {
        "" | "." if base.is_empty() => "/".to_owned(),
        "" | "." => base.to_owned(),
        ".." => base.rfind('/').filter(|end| *end > 0).map_or("/", |end| &base[..end]).to_owned(),
        given => format!("{base}/{given}"),
    }
}

/// What set*id(2) makes of the three ids: one argument changes all of them where the process is
/// privileged, and the effective one else; two are the real and the effective one, three all; -1
/// leaves one as it is.
fn change(ids: &mut Ids, call: &Call, one: &str) {
    let wanted = |index: usize| {
        call.number(index).and_then(|id| u32::try_from(id).ok()).filter(|id| *id != u32::MAX)
    };
    if call.name == one {
        let id = wanted(0);
        if ids[1].is_none_or(|effective| effective == 0) || one == "setgid" {
            *ids = [id; 3];
        } else {
            ids[1] = id;
        }
        return;
    }
    for (index, id) in ids.iter_mut().enumerate() {
        if let Some(wanted) = wanted(index) {
            *id = Some(wanted);
        }
    }
    if call.arguments.len() == 2 {
        ids[2] = ids[1];
    }
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn relative_paths_are_joined() {
        assert_eq!(joined("/srv/app", "./../log/x"), "/srv/log/x");
        assert_eq!(joined("/", "x"), "/x");
        assert_eq!(joined("/srv", "."), "/srv");
        assert_eq!(joined("/srv", ".."), "/");
        assert_eq!(joined("/a/b", ".."), "/a");
    }
}
