//! One file a command; `flags` holds kubectl's own flags.
