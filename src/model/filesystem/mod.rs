//! Files, users and permissions, as the Linux kernel sees them.

pub mod access;
