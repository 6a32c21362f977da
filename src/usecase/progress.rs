//! What a use case tells while it works. `cli` shows it: a use case prints nothing.

use std::path::Path;

use crate::run;

/// What goes on.
#[derive(Debug)]
pub enum Activity<'p> {
    /// Work begins that may take a while, as `reading pods`.
    Begins(&'p str),
    /// The work that began last is done.
    Ends,
    /// Something worth knowing that is no fault.
    Note(String),
    /// Something failed, and the rest goes on.
    Warning(String),
    /// A trial goes on.
    Trial(run::Progress<'p>),
    /// The file of accepted findings was written: how many entries it gained, lost, has with a
    /// later day, and has as before.
    BaselineWritten { file: &'p Path, added: usize, removed: usize, renewed: usize, kept: usize },
}

impl<'p> From<run::Progress<'p>> for Activity<'p> {
    fn from(progress: run::Progress<'p>) -> Self {
        match progress {
            run::Progress::Note(note) => Activity::Note(note),
            other => Activity::Trial(other),
        }
    }
}

/// Takes what goes on.
pub type Tell<'t> = &'t (dyn Fn(Activity<'_>) + Sync);

/// Work that ends when this is dropped.
#[must_use]
pub struct Work<'t>(Tell<'t>);

impl<'t> Work<'t> {
    pub fn begin(tell: Tell<'t>, what: &str) -> Self {
        tell(Activity::Begins(what));
        Work(tell)
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        (self.0)(Activity::Ends);
    }
}
