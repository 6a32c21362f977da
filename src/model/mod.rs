//! Plain types without I/O: the words that the rooms share.

pub mod acceptance;
pub mod access;
pub mod accounts;
pub mod can_i;
pub mod capability;
pub mod container;
pub mod defaults;
pub mod edit;
pub mod facts;
pub mod identity;
pub mod image;
pub mod inside;
pub mod knative;
pub mod misplaced;
pub mod node;
pub mod obstacle;
pub mod plan;
pub mod podsecurity;
pub mod schema;
pub mod se_linux;
pub mod template;
pub mod trace;
pub mod user_namespace;
pub mod virtual_machine;
pub mod volume;
pub mod workload;
