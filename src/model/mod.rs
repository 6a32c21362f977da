//! Plain types without I/O: the words that the rooms share.

pub mod access;
pub mod capability;
pub mod container;
pub mod identity;
pub mod image;
pub mod obstacle;
pub mod podsecurity;
pub mod workload;
