//! What people and tools read: the JSON contract and the views of it.

pub mod terminal;

pub mod image;
