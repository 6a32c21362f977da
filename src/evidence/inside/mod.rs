//! A look into a running container: scripts for its own shell, and what their answers mean.

mod parse;
mod procfs;

pub use self::parse::{
    access_context, calls, inside, logs, options, path_stats, paths, private, search_hits, started,
    usage,
};
pub use self::procfs::credentials;

/// Gathers all of [`crate::model::inside::Inside`]; run as `sh -c GATHER`.
pub const GATHER: &str = include_str!("gather.sh");

/// Finds configuration lines that begin with one of the words given as arguments, and databases;
/// run as `sh -c FIND sh WORD...`.
pub const FIND: &str = include_str!("find.sh");

/// Gathers [`crate::model::inside::AccessContext`]; run as `sh -c ACCESS_CONTEXT sh PATH...` with
/// the files whose capabilities count.
pub const ACCESS_CONTEXT: &str = include_str!("access_context.sh");

/// Shows what is at the paths given as arguments; run as `sh -c PATH_STATS sh PATH...`.
pub const PATH_STATS: &str = include_str!("path_stats.sh");

/// Shows what a program says of its options; run as `sh -c HELP sh PROGRAM`.
pub const HELP: &str = include_str!("help.sh");

/// Shows how the scripts among some words start their programs; run as `sh -c CALLS sh WORD...`.
pub const CALLS: &str = include_str!("calls.sh");

/// Shows the programs that start beside it; run as `sh -c STARTED` in a container that shares the
/// pod's process namespace.
pub const STARTED: &str = include_str!("started.sh");

/// Shows the paths that a program names; run as `sh -c PATHS sh WORD...` with the words that it is
/// started with.
pub const PATHS: &str = include_str!("paths.sh");

/// Sends SIGHUP to the first process of a trial's container, where that catches it; run as `sh -c
/// HUP`.
pub const HUP: &str = include_str!("hup.sh");

/// Shows the files that not everybody may read, and which of them the running programs name; run as
/// `sh -c PRIVATE`.
pub const PRIVATE: &str = include_str!("private.sh");

/// Shows which of the files given as arguments may not be read; run as `sh -c UNREADABLE sh PATH...`.
pub const UNREADABLE: &str = include_str!("unreadable.sh");

/// Shows which of the paths given as arguments may not be written; run as `sh -c REFUSED sh
/// PATH...`.
pub const REFUSED: &str = include_str!("refused.sh");

/// Shows the ends of log files; run as `sh -c LOGS`.
pub const LOGS: &str = include_str!("logs.sh");

/// The script for a running container that tells how much some directories hold.
pub const USAGE: &str = include_str!("usage.sh");
