//! What the commands do: each takes plain options and comes back with a report. Nothing is printed
//! and nobody is asked; what goes on is told to a callback.

pub mod acceptance;
mod access_steps;
pub mod can_i;
mod decided;
pub mod explain;
mod explained;
pub mod findings;
pub mod fix;
pub mod images;
pub mod interrupt;
mod live;
pub mod migrate;
pub mod nodes;
pub mod progress;
pub mod prove;
mod row;
pub mod scan;
pub mod target;
pub mod trace;
pub mod watch;
