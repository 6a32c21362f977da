//! What a copy of a workload did that was Ready: what it answered, and how it took a reload and a
//! second start.

use std::collections::BTreeMap;

use super::check::Method;
use super::inside::Inside;
use super::obstacle::Obstacle;

/// Everything that was seen of one copy.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Behaviour {
    /// Each container after it was used; those that have a shell.
    pub containers: BTreeMap<String, Inside>,
    /// What the logs tell that was refused, from the start to the end.
    pub refusals: Vec<Obstacle>,
    pub replies: Vec<(Request, Reply)>,
    /// The same requests after the second start.
    pub replies_after_restart: Vec<(Request, Reply)>,
    pub checks: Vec<Checked>,
    /// Files that not everybody may read and that its programs are set up with: container and path.
    pub private: Vec<(String, String)>,
    /// Those of the control's that this one may not read.
    pub unreadable: Vec<(String, String)>,
    pub reloads: Vec<Reload>,
    pub restarts: Vec<Restart>,
    /// What was not looked at, each in a sentence.
    pub gaps: Vec<String>,
}

impl Behaviour {
    /// Whether it was seen to do its work: it answered a request by HTTP or DNS, or passed a check. That it
    /// listens, and greets, a program does before it does anything.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        let answers = |(_, reply): &(Request, Reply)| match reply {
            Reply::Http { status, .. } => *status < 500,
            Reply::Dns { code, .. } => *code == 0,
            Reply::Banner(..) | Reply::Open | Reply::Failed(_) => false,
        };
        self.replies.iter().any(answers) || self.checks.iter().any(|check| check.passed)
    }
}

/// Something that a port is asked without being told to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    pub port: u16,
    pub kind: RequestKind,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequestKind {
    /// A connection, and what the server says first.
    Connect,
    /// The address of `localhost`, asked of a name server over TCP.
    Dns,
    Http {
        tls: bool,
        method: Method,
        path: String,
        body: u64,
    },
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Http {
        status: u16,
        content_type: Option<String>,
        size: u64,
    },
    /// The first word that the server says, and what it does when its greeting is said back to it.
    Banner(String, AfterGreeting),
    /// The code of a name server's answer (RFC 1035, 4.1.1: 0 is good), and how many records it has.
    Dns {
        code: u8,
        records: u16,
    },
    /// It took the connection and waits for words of the client.
    Open,
    /// It took no connection, or ended it without an answer; in a few words.
    Failed(String),
}

/// What a server does that was answered. One that takes each session on in another process, as
/// another user, may greet and do no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterGreeting {
    /// It says more.
    GoesOn,
    /// It ends the connection.
    Ends,
    Waits,
}

/// A check that was given, and whether it passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// As it was given.
    pub check: String,
    pub passed: bool,
    /// What came instead, in a few words.
    pub answer: String,
}

/// SIGHUP to a container's first process, which catches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reload {
    pub container: String,
    /// It still ran, and was Ready, some time later.
    pub survived: bool,
}

/// The end of a container's process and its second start over the same volumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restart {
    pub container: String,
    /// Its exit code after SIGTERM; 137 where it had to be killed.
    pub exit_code: Option<i32>,
    /// It became Ready again.
    pub ready: bool,
}
