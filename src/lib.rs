//! `kubectl nonroot`: takes Kubernetes workloads off root, and proves that they still work.
//!
//! Data flows one way, and each arrow between the rooms is a plain function over the plain types of
//! [`model`]:
//!
//! ```text
//! evidence                     the only readers: cluster, a running container, manifests, logs, images
//!    |
//! policy  diagnosis  foresight    rules | failure texts | what root does today  ->  violations,
//! comparison                      | what only root's copy does                 ->  obstacles
//!    |
//! remedy                       obstacle -> edits, lowest rung first
//!    |
//! plan                         users and edits -> one planned object
//!    |
//! search                       what to learn, to run, to add and to leave out next, until it works
//!    |
//! run                          looks it up and runs a copy: ready, or new obstacles, and again
//!    |
//! apply                        writes it, watches the rollout, takes it back where that fails
//!    |
//! usecase                      what scan, explain, fix ... do with all of these: options -> a report
//!    |
//! output                       report -> table, JSON, YAML
//!    |
//! cli                          flags -> options; asks, shows what goes on, prints, and exits
//! ```
//!
//! | room | may import | kind |
//! |---|---|---|
//! | [`model`] | | pure |
//! | [`policy`] | model | pure |
//! | [`diagnosis`] | model | pure |
//! | [`foresight`] | model | pure |
//! | [`comparison`] | model | pure |
//! | [`chart`] | model | pure |
//! | [`remedy`] | model | pure |
//! | [`plan`] | model, policy, remedy | pure |
//! | [`search`] | model, foresight, plan, remedy | pure |
//! | [`evidence`] | model, error | reads |
//! | [`run`] | model, error, comparison, diagnosis, evidence, foresight, plan, policy, remedy, search | writes |
//! | [`apply`] | model, error, evidence | writes |
//! | [`output`] | model, error, diagnosis, policy, remedy | renders |
//! | [`usecase`] | model, error, policy, diagnosis, foresight, comparison, chart, remedy, plan, search, evidence, run, apply, output | joins |
//! | [`cli`] | all | talks |
//!
//! A pure room touches no file, no network and no clock. A room that reads asks nobody and changes
//! nothing but its own cache. A room that writes changes a cluster or a user's file, and asks
//! nobody either. A room that renders makes its text from types. A room that joins knows no flag,
//! prints nothing and asks nobody. Only [`cli`] talks to a person.
//!
//! `tests/architecture.rs` holds the code to this table, and to the first of these:
//! - Only [`run`] and [`apply`] change a cluster, and only [`apply`] a user's file.
//! - Readers never give up over one bad item: they return what was good and the errors beside it.
//! - A check, a pattern and a remedy are constants of plain structs in one explicit list.
//! - A diagnosis names no remedy and a remedy reads no log: what joins them is the obstacle.
//! - Typed objects are read, never written back: they drop fields that our version does not know.
//! - Strings from outside reach a terminal only through [`output::terminal`].

pub mod apply;
pub mod chart;
pub mod cli;
pub mod comparison;
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
pub mod usecase;

pub use error::{Class, Error};
