//! A log of any bytes: no panic, and nothing in what is told that was not in the log's bounds.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nonroot::diagnosis::{Context, Diagnosis, diagnose};

fuzz_target!(|log: &[u8]| {
    let whole = diagnose(log, Context::default());
    assert!(whole.obstacles.is_empty() || whole.looks_like.is_none());
    // In pieces it is the same log.
    let mut pieces = Diagnosis::new(Context::default());
    log.chunks(7).for_each(|piece| pieces.feed(piece));
    assert_eq!(pieces.finish().obstacles, whole.obstacles);
});
