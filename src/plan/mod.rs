//! Chooses the identity and composes remedies into one consistent set of edits; pure.

mod compose;
mod identity;

pub use self::compose::{compose, template_path};
pub use self::identity::{Known, candidates, of_image};
