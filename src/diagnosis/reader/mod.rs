//! How a log is read: from bytes to lines, records and the context that patterns read, and from
//! findings to an order of obstacles. No file here knows a family of messages.

pub(super) mod call_format;
pub(super) mod categorize;
pub(super) mod context;
pub(super) mod errno;
pub(super) mod exclusions;
mod garbled;
mod home_directories;
pub(super) mod line;
mod object;
pub(super) mod path;
pub(super) mod path_kind;
pub(super) mod port;
pub(super) mod prefilter;
mod prefix;
pub(super) mod rank;
pub(super) mod record;
mod reported;
pub(super) mod severity;
mod strerror;
pub(super) mod verb;
