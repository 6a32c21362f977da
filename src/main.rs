//! Installs the TLS provider, runs the command, hands on its exit code: nothing else.

use std::process::ExitCode;

/// musl's own has one lock for all threads, and scan and image use them all.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    // Two crates of the tree can bring a provider; without a choice rustls panics at the first connection. It fails
    // only where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    ExitCode::from(nonroot::cli::run(std::env::args_os().collect()).await)
}
