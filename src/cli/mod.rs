//! One file a command; `flags` holds kubectl's own flags.

pub mod explain;

use clap::{Parser, Subcommand};

/// Take Kubernetes workloads off root
#[derive(Debug, Parser)]
#[command(name = "kubectl-nonroot", bin_name = "kubectl nonroot", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Explain(explain::ExplainArgs),
}

/// Runs the command and returns the exit code.
#[must_use]
pub fn run(cli: &Cli) -> u8 {
    let result = match &cli.command {
        Command::Explain(args) => explain::run(args, &mut anstream::stdout()),
    };
    result.unwrap_or_else(|error| {
        anstream::eprintln!("error: {}", crate::output::terminal::Clean(&error.to_string()));
        error.class.exit_code()
    })
}
