//! Chooses the identity and composes remedies into one consistent set of edits; pure.

mod compose;

pub use self::compose::{compose, template_path};
