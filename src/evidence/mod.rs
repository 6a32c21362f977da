//! The only readers: each returns what was good, and an error for each thing that was not.

pub mod image;
