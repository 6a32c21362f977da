//! A Helm chart as a black box: which of its values reach which fields of what it renders, and the
//! least values that give the planned objects.
//!
//! A template cannot be run backwards, but its values can be marked: [`search`] sets every key that
//! may matter to something unique, renders once, and sees where each mark comes out. What a key
//! reaches is set to what the plan has there, and the rendering has the last word.

mod difference;
mod keys;
mod marks;
mod objects;
mod search;
mod values;

#[cfg(test)]
mod tests;

pub use self::difference::{FieldDifference, differences};
pub use self::objects::{aligned, has_field};
pub use self::search::{
    ChartSearch, FoundValues, PlannedObject, RenderFailure, Renderer, ValueSet, search,
};
pub use self::values::{layered, merged};
