//! `kubectl nonroot`: takes Kubernetes workloads off root, and proves that they still work.
//!
//! Data flows one way, and each arrow between the rooms is a plain function over the plain types of [`model`]:
//!
//! ```text
//! evidence                     the only readers: cluster, a running container, manifests, logs, images
//!    |
//! policy  diagnosis  foresight    rules | failure texts | what root does today  ->  violations, obstacles
//!    |
//! remedy                       obstacle -> edits, lowest rung first
//!    |
//! plan                         identity and edits -> one planned object
//!    |
//! trial                        runs a copy of it: ready, or new obstacles, and again
//!    |
//! apply                        writes it, watches the rollout, takes it back where that fails
//!    |
//! output                       report -> table, JSON, YAML
//! ```
//!
//! | room | may import | must not touch |
//! |---|---|---|
//! | [`model`] | std, serde, Kubernetes' data types | kube's client, files, any room |
//! | [`policy`], [`diagnosis`], [`foresight`], [`remedy`], [`plan`] | model | each other, I/O, the clock |
//! | [`evidence`] | model; kube, oci-client, files | any other room; any write but to its own cache |
//! | [`trial`] | all of the above | output, prompts: it reports progress through a callback |
//! | [`apply`] | model, evidence | any other room |
//! | [`output`] | model, and the id and explanation of what the lists hold | evidence, kube, prompts |
//! | [`cli`] | all | |
//!
//! Invariants, each with a test in `tests/architecture.rs`:
//! - Only [`trial`] and [`apply`] change a cluster, and only [`apply`] a user's file.
//! - Readers never give up over one bad item: they return what was good and the errors beside it.
//! - A check, a pattern and a remedy are constants of plain structs in one explicit list.
//! - A diagnosis names no remedy and a remedy reads no log: what joins them is the obstacle.
//! - Typed objects are read, never written back: they drop fields that our version does not know.
//! - Strings from outside reach a terminal only through [`output::terminal`].

pub mod apply;
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
pub mod run;
pub mod search;

pub use error::{Class, Error};
