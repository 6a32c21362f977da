//! The user that a container runs as, and how we know.

/// Where a uid comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// `securityContext` of the container.
    Container,
    /// `securityContext` of the pod.
    Pod,
    /// USER of the image, by what the runtime reports (`status.containerStatuses[].user.linux`) or
    /// the image itself.
    Image,
    /// A running process, read from /proc.
    Process,
    /// Nothing at hand tells.
    Unknown,
}

impl Origin {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Container => "container",
            Origin::Pod => "pod",
            Origin::Image => "image",
            Origin::Process => "process",
            Origin::Unknown => "unknown",
        }
    }
}

/// The user that a container's first process has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct User {
    pub uid: Option<i64>,
    pub gid: Option<i64>,
    /// Supplementary groups, fsGroup among them, as far as known.
    pub groups: Vec<i64>,
    pub origin: Origin,
}

impl User {
    /// Nobody we know.
    pub const UNKNOWN: User =
        User { uid: None, gid: None, groups: Vec::new(), origin: Origin::Unknown };
}

/// How a container of a plan comes by its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Assignment {
    /// The plan writes `runAsUser` and `runAsGroup`.
    #[default]
    Set,
    /// As `Set`, where nothing points at a certain user.
    Guess,
    /// The spec, the image or the cluster gives it already: the plan writes no user.
    Kept,
    /// As `Kept`, and nothing has told yet which uid that is: the ids of the candidate are a guess.
    Unknown,
}

impl Assignment {
    /// Whether the plan writes the user.
    #[must_use]
    pub fn is_written(self) -> bool {
        matches!(self, Assignment::Set | Assignment::Guess)
    }
}

/// A uid and gid that a container could run as, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Candidate {
    pub assignment: Assignment,
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups that go with it.
    pub groups: Vec<u32>,
    /// In a few words: "the user that its workers run as".
    pub why: String,
}
