//! Installs the TLS provider, parses, dispatches, maps the result to an exit code: nothing else.

use std::process::ExitCode;

use clap::Parser;
use nonroot::cli::{self, Cli};

fn main() -> ExitCode {
    ExitCode::from(cli::run(&Cli::parse()))
}
