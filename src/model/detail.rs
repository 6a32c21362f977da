//! What is known of an obstacle beside its category. A diagnosis reads it from a text once, and
//! remedies read it here: no remedy reads a text.

use crate::model::launcher::Launcher;
use crate::model::se_linux::Mismatch;

/// One fact about an obstacle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// The program demands more of the path than access to it.
    Demand(Demand),
    /// A launcher was refused the change of the user.
    Launcher(&'static Launcher),
    /// The message names this user or group, by name or number.
    NamedUser(String),
    /// A command of this name was refused, and not a program that made the call itself.
    Command(&'static str),
    /// The SELinux labels of the process and of the object do not match.
    Labels(Mismatch),
    /// Another workload or container has the same claim with another SELinux label.
    SharedClaim { with: String },
    /// The uids that the cluster's policy allows, as its message has them: `1000700000,
    /// 1000709999`.
    UidRange(String),
    /// The seccomp profile refused a system call that is newer than the profile.
    NewSystemCall,
    /// Python looked the user up by its uid. It does so only where no environment variable names
    /// the user (getpass.getuser()).
    PythonUserLookup,
}

/// What a program demands of a path, beyond access to it: then more access is no remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// The user of the program must own it.
    Owner,
    /// Only its owner may read or write it.
    Private,
    /// A directory that everybody may write must have the sticky bit.
    Sticky,
}

impl Demand {
    /// The cause of an obstacle, in one sentence.
    #[must_use]
    pub fn sentence(self, path: &str) -> String {
        match self {
            Demand::Owner => format!("the program demands to own {path}"),
            Demand::Private => format!(
                "the program refuses {path}, because users other than its owner may read or write it"
            ),
            Demand::Sticky => format!(
                "the program refuses {path}, because everybody may write in it and it has no sticky bit"
            ),
        }
    }
}
