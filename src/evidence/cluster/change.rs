//! The events of a watch.

use kube::core::Status;

/// The annotation of the bookmark after the last object that was there before (KEP-3157).
pub(super) const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// One event of a watch.
pub(super) enum Change<T> {
    Put(T),
    Gone(T),
    /// Nothing changed up to this version; whether it is the end of what was there before.
    Bookmark {
        is_initial_end: bool,
    },
    Failed(Box<Status>),
}
