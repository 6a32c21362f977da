//! What people and tools read: the JSON contract and the views of it.

pub mod can_i;
pub mod explanation;
pub mod finding;
pub mod fix;
pub mod html;
pub mod image;
pub mod junit;
pub mod markdown;
mod markdown_text;
pub mod migrate;
pub mod nodes;
pub mod obstacles;
pub mod patch;
pub mod prove;
pub mod report;
pub mod rule;
pub mod sarif;
pub mod table;
mod template;
pub mod terminal;
pub mod trace;
pub mod values;
pub mod yaml;

/// The version of this contract.
pub const API_VERSION: &str = "nonroot/v1";
