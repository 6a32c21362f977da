//! What people and tools read: the JSON contract and the views of it.

pub mod can_i;
pub mod explanation;
pub mod fix;
pub mod image;
pub mod nodes;
pub mod obstacles;
pub mod patch;
pub mod report;
pub mod table;
pub mod terminal;
pub mod trace;
