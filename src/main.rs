//! Runs the command and hands on its exit code: nothing else.

use std::process::ExitCode;

/// musl's own has one lock for all threads, and scan and image use them all.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(nonroot::cli::run(std::env::args_os().collect()))
}
