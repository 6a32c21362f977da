//! `kubectl nonroot`: takes Kubernetes workloads off root.
//!
//! Data flows one way, and each arrow is a plain function over the plain types of [`model`]:
//!
//! ```text
//! evidence   the only readers: cluster, manifests, logs, images
//!    |
//! policy, diagnosis            rules and failure texts -> Obstacle, Violation
//!    |
//! remedy                       Obstacle -> what removes it
//!    |
//! output                       report -> table, JSON
//! ```
//!
//! | room | may import | must not touch |
//! |---|---|---|
//! | [`model`] | std, serde, Kubernetes' data types | kube's client, files, any room |
//! | [`policy`], [`diagnosis`], [`remedy`] | model | each other, I/O, the clock |
//! | [`evidence`] | model; kube, files | policy, diagnosis, remedy; any write |
//! | [`output`] | model, and the id and explanation of what the lists hold | evidence, kube, prompts |
//! | [`cli`] | all | |
//!
//! Invariants, each with a test in `tests/architecture.rs`:
//! - Nothing here creates, patches, replaces or deletes anything in a cluster.
//! - Readers never give up over one bad item: they return what was good and the errors beside it.
//! - A check, a pattern and a remedy are constants of plain structs in one explicit list.
//! - A diagnosis names no remedy and a remedy reads no log: what joins them is the obstacle.
//! - Strings from outside reach a terminal only through [`output::terminal`].

pub mod cli;
pub mod diagnosis;
pub mod error;
pub mod evidence;
pub mod foresight;
pub mod model;
pub mod output;
pub mod plan;
pub mod policy;
pub mod remedy;
pub mod trial;

pub use error::{Class, Error};
