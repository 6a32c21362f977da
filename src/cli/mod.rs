//! One file a command; `flags` holds kubectl's own flags.

mod image;

use std::io::{self, Write as _};

use clap::{Parser, Subcommand};
use serde::Serialize;

use crate::error::Error;

#[derive(Debug, Parser)]
#[command(name = "kubectl-nonroot")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Image(image::ImageArgs),
}

pub async fn run(args: Vec<std::ffi::OsString>) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    let outcome = match cli.command {
        Command::Image(args) => image::run(args).await,
    };
    match outcome {
        Ok(code) => code,
        Err(Fault::Pipe) => 0,
        Err(Fault::Error(error)) => {
            say(format_args!("error: {error}"));
            error.class.exit_code()
        }
    }
}

/// Why a command ends early.
enum Fault {
    /// Nobody reads on: `| head` had enough. That is no failure.
    Pipe,
    Error(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Error(error)
    }
}

/// Writes a result to standard output.
fn print(text: &str) -> Result<(), Fault> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Fault::Pipe,
        _ => Fault::Error(Error::input("write to standard output", error)),
    })
}

/// Says something on standard error, made fit for a terminal.
fn say(text: std::fmt::Arguments<'_>) {
    // Nobody is left to tell that standard error is gone.
    let _ = writeln!(anstream::stderr().lock(), "{}", crate::output::terminal::Clean(&text.to_string()));
}

/// The columns to fill: the terminal's, or where there is none what fits most.
fn width() -> usize {
    console::Term::stdout().size_checked().map_or(100, |(_, columns)| usize::from(columns))
}

/// A report as JSON for tools.
fn json(report: &impl Serialize) -> Result<String, Error> {
    let mut text =
        serde_json::to_string_pretty(report).map_err(|error| Error::input("write the report as JSON", error))?;
    text.push('\n');
    Ok(text)
}

/// A report as YAML that YAML 1.1 and 1.2 read alike.
fn yaml(report: &impl Serialize) -> Result<String, Error> {
    serde_saphyr::to_string(report).map_err(|error| Error::input("write the report as YAML", error))
}
