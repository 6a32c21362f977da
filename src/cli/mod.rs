//! One file for each command: it parses flags into the options of a use case, asks, prints, and
//! chooses the exit code.

mod can_i;
mod complete;
mod completion;
mod explain;
mod fix;
mod flags;
mod image;
mod migrate;
mod nodes;
mod progress;
mod prompts;
mod prove;
mod scan;
mod trace;

use std::io::{self, Write as _};
use std::path::Path;
use std::pin::Pin;

use clap::{ArgAction, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use serde::Serialize;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use crate::error::Error;
use crate::output::{self, terminal};

/// Takes Kubernetes workloads off root.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-nonroot",
    version,
    about,
    max_term_width = 100,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(flatten)]
    cluster: flags::ClusterFlags,
    /// Log requests to the cluster on standard error; -v=6 and -v=8 log more
    #[arg(short, long = "v", global = true, value_name = "LEVEL", num_args = 0..=1, require_equals = true, default_missing_value = "2", default_value = "0", hide_default_value = true, action = ArgAction::Set)]
    verbosity: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Scan(scan::ScanArgs),
    Explain(explain::ExplainArgs),
    Fix(Box<fix::FixArgs>),
    Prove(prove::ProveArgs),
    Migrate(Box<migrate::MigrateArgs>),
    Image(image::ImageArgs),
    CanI(can_i::CanIArgs),
    Trace(trace::TraceArgs),
    Nodes(nodes::NodesArgs),
    Completion(completion::CompletionArgs),
}

/// The commands and flags, from which help, completion and the man pages come.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Parses the arguments, runs the command and returns the exit code: 0 nothing to do or done, 1
/// obstacles found, 2 bad usage or input, 3 a cluster, registry or permission failure.
pub fn run(args: Vec<std::ffi::OsString>) -> u8 {
    if let Some(words) = complete::asked(&args) {
        // A shell that asks for completion shows no error.
        return wait(complete::run(command(), &words)).unwrap_or(0);
    }
    let command = command();
    let command = match args.first().map(Path::new).and_then(Path::file_name) {
        // kubectl finds a plugin by this name, and its users type the name with a space.
        Some(name) if name.to_string_lossy().starts_with("kubectl-") => {
            command.bin_name("kubectl nonroot")
        }
        _ => command,
    };
    let cli = match command
        .try_get_matches_from(args)
        .and_then(|matches| Cli::from_arg_matches(&matches))
    {
        Ok(cli) => cli,
        Err(error) => {
            // Help that cannot be shown changes nothing.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    log(cli.verbosity);
    let outcome = match cli.command {
        Command::Scan(args) => wait(scan::run(&cli.cluster, args)),
        Command::Explain(args) => wait(explain::run(&cli.cluster, args)),
        Command::Fix(args) => wait(fix::run(&cli.cluster, *args)),
        Command::Prove(args) => wait(prove::run(&cli.cluster, args)),
        Command::Migrate(args) => wait(migrate::run(&cli.cluster, *args)),
        Command::Image(args) => wait(image::run(&cli.cluster, args)),
        Command::CanI(args) => wait(can_i::run(&cli.cluster, args)),
        Command::Trace(args) => wait(trace::run(&cli.cluster, args)),
        Command::Nodes(args) => wait(nodes::run(&cli.cluster, args)),
        Command::Completion(args) => completion::run(&args),
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

/// Waits for what a command does. Its threads are started here: a version and a help need none.
fn wait(command: impl Future<Output = Result<u8, Fault>>) -> Result<u8, Fault> {
    // Two crates of the tree can bring a provider; without a choice rustls panics at the first
    // connection. It fails only where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|why| Error::input("start the threads of a command", why))?;
    // In a box: the loop that drives a command is compiled once, and not for each of them.
    let command: Pin<Box<dyn Future<Output = Result<u8, Fault>>>> = Box::pin(command);
    let outcome = runtime.block_on(command);
    // What was given up may still be at work: a layer that is unpacked, for one.
    runtime.shutdown_background();
    outcome
}

/// Why a command ends early.
enum Fault {
    /// The reader has gone, as `| head` does. That is not a failure.
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
    let styled = anstream::stdout();
    let written = match styled.current_choice() {
        // In one piece: the stream itself would write line by line.
        anstream::ColorChoice::Never => {
            io::stdout().write_all(anstream::adapter::strip_str(text).to_string().as_bytes())
        }
        _ => styled.lock().write_all(text.as_bytes()),
    };
    written.and_then(|()| io::stdout().flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Fault::Pipe,
        _ => Fault::Error(Error::input("write to standard output", error)),
    })
}

/// Writes text of a user's files to standard output: byte for byte, or cleaned for a terminal.
fn print_file(text: &str) -> Result<(), Fault> {
    let mut stdout = io::stdout().lock();
    let written = if io::IsTerminal::is_terminal(&stdout) {
        text.lines()
            .try_for_each(|line| writeln!(stdout, "{}", crate::output::terminal::Clean(line)))
    } else {
        stdout.write_all(text.as_bytes())
    };
    written.and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Fault::Pipe,
        _ => Fault::Error(Error::input("write to standard output", error)),
    })
}

/// Says something on standard error, cleaned for a terminal.
fn say(text: std::fmt::Arguments<'_>) {
    // Nobody is left to tell that standard error is gone.
    let _ = writeln!(anstream::stderr().lock(), "{}", terminal::Clean(&text.to_string()));
}

/// The columns to fill: the terminal's, else those of COLUMNS. Without either nothing is cut or
/// wrapped: the reader of a pipe wants whole lines.
fn width() -> usize {
    let of_terminal =
        console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    of_terminal.or_else(|| std::env::var("COLUMNS").ok()?.parse().ok()).unwrap_or(usize::MAX)
}

/// A report as JSON for tools.
fn json(report: &impl Serialize) -> Result<String, Error> {
    let mut text = serde_json::to_string_pretty(report)
        .map_err(|error| Error::input("write the report as JSON", error))?;
    text.push('\n');
    Ok(terminal::escaped(&text))
}

/// A report as YAML that YAML 1.1 and 1.2 read alike. One with hidden characters is written as
/// JSON, which is YAML too and can escape them wherever they stand.
fn yaml(report: &impl Serialize) -> Result<String, Error> {
    let text = output::yaml::to_string(report)?;
    if text.contains(|c: char| c != '\n' && terminal::is_hidden(c)) {
        json(report)
    } else {
        Ok(text)
    }
}

/// The exit code of a command that went through: the worst of the errors on its way, else whether
/// it found anything.
fn exit_code(errors: &[Error], found: bool) -> u8 {
    let worst = errors.iter().map(|error| error.class).max();
    worst.map_or(u8::from(found), |class| class.exit_code())
}

/// Sends traces to standard error, in kubectl's steps of `-v`: requests from 6 on, their details
/// from 8 on.
fn log(verbosity: u8) {
    let filter = match verbosity {
        0 => return,
        1..=5 => vec![("nonroot", Level::DEBUG)],
        6..=7 => vec![("nonroot", Level::DEBUG), ("kube_client", Level::DEBUG)],
        _ => vec![
            ("nonroot", Level::TRACE),
            ("kube_client", Level::TRACE),
            ("hyper_util", Level::DEBUG),
        ],
    };
    let filter = Targets::new().with_targets(filter);
    let traces = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| Traces);
    let _ = tracing_subscriber::registry().with(traces).with(filter).try_init();
}

/// Standard error, for traces: they quote what comes from outside.
struct Traces;

impl io::Write for Traces {
    fn write(&mut self, trace: &[u8]) -> io::Result<usize> {
        for line in String::from_utf8_lossy(trace).lines() {
            writeln!(io::stderr().lock(), "{}", terminal::Clean(line))?;
        }
        Ok(trace.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::evidence::manifests::document::Document;

    #[test]
    fn yaml_is_the_same_to_readers_of_1_1_and_of_1_2() {
        let tricky = [
            "on",
            "yes",
            "no",
            "y",
            "~",
            "null",
            "0644",
            "1e3",
            "12:30:00",
            "=",
            "- x",
            "a: b",
            "#x",
            "",
            " x",
            "x\ny\n",
            "\u{1b}[31m",
        ];
        let value = json!({"strings": tricky, "number": 420, "none": null, "list": [], "map": {"on": true}});
        let text = super::yaml(&value).expect("YAML");
        let as_1_1 = Document::parse(&text).expect("well formed").expect("not empty").value;
        let as_1_2: Value = serde_yaml::from_str(&text).expect("well formed");
        assert_eq!((&as_1_1, &as_1_2), (&value, &value), "{text}");
    }
}
