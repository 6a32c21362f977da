//! Any text as what a container's shell answers: no panic, and no more found than was said.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nonroot::evidence::inside;

fuzz_target!(|answer: &str| {
    let seen = inside::inside(answer);
    let standing = inside::standing(answer);
    let look = inside::look(answer);
    let found = inside::found(answer);
    let logs = inside::logs(answer);
    let started = inside::started(answer);
    let options = inside::options(answer);
    let told = format!("{seen:?}{standing:?}{look:?}{found:?}{logs:?}{started:?}{options:?}");
    assert!(
        told.len() < 100_000 + 1_000 * answer.len(),
        "{} bytes from {}",
        told.len(),
        answer.len()
    );
});
