//! A look into a running container: scripts for its own shell, and what their answers mean.

mod parse;

pub use self::parse::{calls, found, inside, logs, look, options, paths, standing, started, usage};

/// Gathers all of [`crate::model::inside::Inside`]; run as `sh -c GATHER`.
pub const GATHER: &str = include_str!("gather.sh");

/// Finds configuration lines that begin with one of the words given as arguments, and databases;
/// run as `sh -c FIND sh WORD...`.
pub const FIND: &str = include_str!("find.sh");

/// Gathers [`crate::model::inside::Standing`]; run as `sh -c STANDING sh PATH...` with the files
/// whose capabilities count.
pub const STANDING: &str = include_str!("standing.sh");

/// Looks at the paths given as arguments; run as `sh -c LOOK sh PATH...`.
pub const LOOK: &str = include_str!("look.sh");

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

/// Shows which of the paths given as arguments may not be written; run as `sh -c REFUSED sh
/// PATH...`.
pub const REFUSED: &str = include_str!("refused.sh");

/// Shows the ends of log files; run as `sh -c LOGS`.
pub const LOGS: &str = include_str!("logs.sh");

/// The script for a running container that tells how much some directories hold.
pub const USAGE: &str = include_str!("usage.sh");
