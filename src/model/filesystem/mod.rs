//! Files, users and permissions, as the Linux kernel sees them.
//!
//! [`Inode`] is a file, [`Credentials`](crate::model::credentials::Credentials) is a process,
//! [`grant`] compares the two, [`walk`] follows a path through symbolic links, [`mounts`] lays
//! volumes over an image, and [`access`] puts them together into an answer with its steps. The rest
//! of the tool asks these, and `tests/access.rs` compares them with the kernel.

pub mod access;
pub mod grant;
pub mod inode;
pub mod mounts;
pub mod path;
pub mod permission;
pub mod walk;

pub use access::{Access, AccessVerdict, Decision, decide};
pub use grant::may;
pub use inode::{FileType, Inode, PathStat, PathStats};
pub use mounts::{Files, Lookup, Mount, MountInfo, MountOptions};
pub use permission::{Permission, PermissionClass};
