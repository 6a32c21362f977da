//! Logs and traces to obstacles.
//!
//! A log is bytes of any kind and any size. [`Diagnosis`] takes it in pieces and gives the
//! obstacles that it tells of, the one that stopped the container first:
//!
//! ```text
//! piece of a log
//!    |  candidates    one search for the words of all patterns finds the lines worth reading
//!    |  stream        the lines around a candidate are an excerpt; reader/line takes prefixes off
//!    |  excerpt       reader/record joins lines that belong together, reader/exclusions has a veto
//! line with its context
//!    |  patterns      each pattern reads the line; the surest reading counts
//! findings
//!    |  reader/rank   which finding stopped the container
//! obstacles
//! ```
//!
//! [`PATTERNS`] is the list of the families of messages, one file each. [`trace`] makes obstacles
//! of the system calls of strace(1) instead.

mod candidates;
mod cause;
mod details;
mod excerpt;
mod finding;
mod merge;
mod patterns;
mod reader;
mod stream;
pub mod trace;

pub use self::candidates::{Candidates, search};
pub use self::merge::merge;
pub use self::patterns::{Example, PATTERNS, Pattern};
pub use self::stream::{Diagnosis, LONGEST_LINE};

use crate::model::obstacle::Obstacle;

/// What is known of a text besides the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// What was read, for the evidence: "log of container web", a file name, "stdin".
    pub source: String,
    pub container: Option<String>,
    /// The working directory, by which relative paths become absolute.
    pub directory: Option<String>,
}

/// What a text tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnosed {
    /// The one that best explains the failure first.
    pub obstacles: Vec<Obstacle>,
    /// Where there is no obstacle: what it looks like instead, in a few words.
    pub looks_like: Option<&'static str>,
}

/// Diagnoses a whole text.
#[must_use]
pub fn diagnose(text: &[u8], context: Context) -> Diagnosed {
    let mut diagnosis = Diagnosis::new(context);
    diagnosis.feed(text);
    diagnosis.finish()
}
