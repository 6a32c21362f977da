//! What a volume is, what `fsGroup` does to its files, and who shares it.

mod backing;
mod sharing;
mod source;
mod storage;

pub use backing::{Backing, Claim, FsGroup, FsGroupPolicy, FsType};
pub use sharing::{Member, SharedVolume, Volumes, common_group, locked_out, shared};
pub use source::{VolumeSource, claim_name, templated};
pub use storage::Storage;
