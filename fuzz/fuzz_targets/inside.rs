//! Any text as what a container's shell answers: no panic, and no more found than was said.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nonroot::evidence::inside;

fuzz_target!(|answer: &str| {
    let seen = inside::inside(answer);
    let context = inside::access_context(answer);
    let stats = inside::path_stats(answer);
    let hits = inside::search_hits(answer);
    let logs = inside::logs(answer);
    let started = inside::started(answer);
    let options = inside::options(answer);
    let private = inside::private(answer);
    let told = format!("{seen:?}{context:?}{stats:?}{hits:?}{logs:?}{started:?}{options:?}{private:?}");
    assert!(
        told.len() < 100_000 + 1_000 * answer.len(),
        "{} bytes from {}",
        told.len(),
        answer.len()
    );
});
