//! The only readers: each returns what was good, and an error for each thing that was not.

pub mod baseline;
pub mod cluster;
pub mod files;
pub mod helm;
pub mod image;
pub mod inside;
pub mod logs;
pub mod manifests;
pub mod pods;
pub mod strace;
