//! What strace(1) prints, and what a program did by it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::filesystem::PathStat;
use crate::model::inside::Listener;
use crate::model::obstacle::Obstacle;

/// One thing that happened in a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The 1-based line where it begins.
    pub line: u64,
    /// The thread that it happened to; `None` in a trace of one process without `-f`.
    pub pid: Option<u32>,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Call(Call),
    /// A call that makes a process has begun: the process may be seen before the call returns.
    Forking,
    /// `+++ exited with 1 +++`
    Exited(i32),
    /// `+++ killed by SIGKILL +++`
    Killed(String),
    /// `+++ superseded by execve in pid 7 +++`: another thread of the process goes on under this
    /// pid.
    Superseded,
}

/// A system call that returned, or that never did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub name: String,
    pub arguments: Vec<Argument>,
    pub outcome: CallOutcome,
    /// The call as it stands there, put together where it was interrupted, and cut: untrusted.
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallOutcome {
    /// What it returned, and what `-y` says of it.
    Returned(i64, Option<String>),
    /// The name of its errno.
    Failed(String),
    /// `?`: it did not return, or a signal cut it off and it is begun again.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// A string without its escapes.
    Text {
        text: String,
        /// strace cut it at the length of `-s`.
        cut: bool,
    },
    /// A number, a name, flags, or a descriptor, and what `-y` or `-yy` says of it:
    /// `3</etc/passwd>`.
    Word { word: String, note: Option<String> },
    /// A structure or an array as it is printed.
    Structure(String),
}

impl Call {
    #[must_use]
    pub fn returned(&self) -> bool {
        matches!(self.outcome, CallOutcome::Returned(..))
    }

    /// An argument that is a string.
    #[must_use]
    pub fn text(&self, index: usize) -> Option<&str> {
        match self.arguments.get(index)? {
            Argument::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    /// An argument that is a number, a name, or flags.
    #[must_use]
    pub fn word(&self, index: usize) -> Option<&str> {
        match self.arguments.get(index)? {
            Argument::Word { word, .. } => Some(word),
            _ => None,
        }
    }

    /// What `-y` says of a descriptor.
    #[must_use]
    pub fn note(&self, index: usize) -> Option<&str> {
        match self.arguments.get(index)? {
            Argument::Word { note, .. } => note.as_deref(),
            _ => None,
        }
    }

    /// An argument that is a number: decimal, `0x` hexadecimal, or octal with a zero before it.
    #[must_use]
    pub fn number(&self, index: usize) -> Option<i64> {
        number(self.word(index)?)
    }

    /// Whether flags have a name among them.
    #[must_use]
    pub fn has_flag(&self, index: usize, flag: &str) -> bool {
        let flags = match self.arguments.get(index) {
            Some(Argument::Word { word, .. }) => word,
            Some(Argument::Structure(text)) => text,
            _ => return false,
        };
        flags.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == flag)
    }

    /// A member of a structure as it is printed, `sin_port=htons(80)`: up to the next comma or
    /// brace outside of quotes and parentheses.
    #[must_use]
    pub fn member(&self, index: usize, name: &str) -> Option<&str> {
        let Argument::Structure(text) = self.arguments.get(index)? else { return None };
        let at = text.match_indices(name).find_map(|(at, _)| {
            let starts =
                at == 0 || !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
            (starts && text[at + name.len()..].starts_with('=')).then_some(at + name.len() + 1)
        })?;
        let rest = &text[at..];
        let (mut depth, mut quoted, mut escaped) = (0_i32, false, false);
        for (end, c) in rest.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                _ if quoted => {}
                '(' | '[' | '{' => depth += 1,
                ',' | '}' | ']' | ')' if depth == 0 => return Some(&rest[..end]),
                ')' | ']' | '}' => depth -= 1,
                _ => {}
            }
        }
        Some(rest)
    }
}

/// A number as strace prints it.
#[must_use]
pub fn number(word: &str) -> Option<i64> {
    match word.strip_prefix("0x") {
        // Addresses and all bits set: what does not fit is negative.
        Some(hex) => u64::from_str_radix(hex, 16).ok().map(u64::cast_signed),
        None if word.len() > 1 && word.starts_with('0') => i64::from_str_radix(word, 8).ok(),
        None => word.parse().ok(),
    }
}

/// How many lines of a trace were of which kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    pub total: u64,
    /// Calls on one line.
    pub calls: u64,
    /// First halves of calls that another thread's line interrupted.
    pub unfinished: u64,
    /// Second halves.
    pub resumed: u64,
    /// Signals and stops.
    pub signals: u64,
    /// Ends of processes.
    pub ends: u64,
    /// What strace says of itself: processes attached and detached, stack frames of `-k`.
    pub notes: u64,
    pub empty: u64,
    pub unknown: u64,
    /// The first of the unknown ones: their numbers and text, cut.
    pub strange: Vec<(u64, String)>,
}

/// What became of a program after a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// It went on, or the trace ends.
    WentOn,
    /// It did the same elsewhere, and that worked: there.
    Elsewhere(String),
    /// The process ended so, after so many calls; whether what had started it went on.
    Ended { how: String, calls: u64, survived: bool },
}

/// An obstacle of a trace, and what came after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub obstacle: Obstacle,
    /// Programs that are refused this go on: they only asked, or can do without.
    pub harmless: bool,
    pub then: Then,
    /// How often.
    pub times: u64,
}

/// What was done to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathChange {
    Created,
    Written,
    Directory,
    Socket,
    Linked,
    Renamed,
    Removed,
    Mode,
    Owner,
    Times,
}

impl PathChange {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PathChange::Created => "created",
            PathChange::Written => "written",
            PathChange::Directory => "made",
            PathChange::Socket => "socket",
            PathChange::Linked => "linked",
            PathChange::Renamed => "renamed",
            PathChange::Removed => "removed",
            PathChange::Mode => "mode",
            PathChange::Owner => "owner",
            PathChange::Times => "times",
        }
    }
}

/// All that was done to one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    pub changes: BTreeSet<PathChange>,
    /// Whether it is gone at the end.
    pub gone: bool,
    /// The user that it was given to.
    pub owner: Option<u32>,
    pub first_line: u64,
}

/// A user that a process became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Became {
    pub uid: u32,
    pub gid: Option<u32>,
    pub groups: Vec<u32>,
    /// The program that did, as it was executed.
    pub program: Option<String>,
    /// Calls that were made as this user.
    pub calls: u64,
    pub line: u64,
}

/// A capability that a call which succeeded needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// Without its `CAP_` prefix.
    pub capability: &'static str,
    pub times: u64,
    /// The first such call.
    pub line: u64,
    pub text: String,
}

/// What a trace tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traced {
    /// What was refused, the one that best explains a failure first.
    pub refusals: Vec<Refusal>,
    /// What was changed, by its path.
    pub touched: BTreeMap<String, Touched>,
    /// Files that it read, each with its first line.
    pub read: BTreeMap<String, u64>,
    /// What stood at paths before the program made anything there, as stat(2) told it: 0 for an
    /// owner that was not printed (strace prints it with `-v`).
    pub seen: Vec<PathStat>,
    /// Paths that did not fit into the bounds.
    pub more: u64,
    /// What it listens on, each with the line of bind(2).
    pub listeners: Vec<(Listener, u64)>,
    /// The users that its processes became, the one that did most first.
    pub became: Vec<Became>,
    pub needed: Vec<Needed>,
    /// Programs that were executed, in that order, each once.
    pub programs: Vec<String>,
    /// Whether the first process was seen to end, and how.
    pub end: Option<String>,
    /// The first process ran as root, as far as that is told.
    pub root: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_structures() {
        let structure = |text: &str| Call {
            name: String::new(),
            arguments: vec![Argument::Structure(text.to_owned())],
            outcome: CallOutcome::Unknown,
            text: String::new(),
        };
        let call = structure(
            "{sa_family=AF_INET6, sin6_port=htons(80), inet_pton(AF_INET6, \"::\", &sin6_addr)}",
        );
        assert_eq!(call.member(0, "sin6_port"), Some("htons(80)"));
        assert_eq!(call.member(0, "sa_family"), Some("AF_INET6"));
        assert_eq!(call.member(0, "port"), None);
        let call = structure("{sun_path=\"/a, \\\"b}\"}");
        assert_eq!(call.member(0, "sun_path"), Some("\"/a, \\\"b}\""));
    }

    #[test]
    fn numbers_of_every_base() {
        assert_eq!(
            ["10", "0x10", "010", "0", "-1", "0xffffffffffffffff", "O_RDONLY"].map(number),
            [Some(10), Some(16), Some(8), Some(0), Some(-1), Some(-1), None]
        );
    }
}
