//! What a user asked to be written: the second room, beside `run`, that changes a cluster, and the
//! only one that changes a user's file.

pub mod baseline;
mod file;
pub mod lease;
pub mod migration_state;
pub mod namespace;
mod rollout;
mod workload;

pub use self::file::{check_new, replace, write_all_new, write_new};
pub use self::workload::{
    FIELD_MANAGER, ObjectChange, RolloutOutcome, RolloutProgress, apply, preview, roll_back,
};
