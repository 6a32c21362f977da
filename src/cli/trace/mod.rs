//! `kubectl nonroot trace`: what system calls tell, of a file or of a pod that is traced now.

mod live;

use std::path::Path;

use clap::Args;

use super::flags::{ClusterFlags, RefusalFlags};
use super::{Fault, exit_code, explain, print, say, width};
use crate::diagnosis::Context;
use crate::diagnosis::trace::Trace;
use crate::error::{Error, Partial};
use crate::evidence::logs;
use crate::evidence::strace::Strace;
use crate::foresight;
use crate::model::obstacle::{Obstacle, Operation};
use crate::model::trace::{Lines, Traced};
use crate::output::trace::{self as report, Terminal};

/// Read a strace: what was refused, and what the program did
///
/// Tells every call that was refused to the program, whether it went on, and what it wrote,
/// listened on and became. The trace of a program that runs as root tells what will be refused to
/// another user: fix --trace plans from it.
///
/// Of a pod it starts strace in an ephemeral container beside the one that is traced, after it said
/// what that takes and you said yes. It sees what the program does from then on, not its start.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TraceArgs {
    /// A pod, or a workload as TYPE/NAME, to trace now
    #[arg(value_name = "POD|TYPE/NAME", required_unless_present = "filename")]
    target: Vec<String>,
    /// An output of strace to read instead; - for standard input
    #[arg(short, long, value_name = "FILE", conflicts_with = "target")]
    filename: Option<String>,
    #[command(flatten)]
    live: live::LiveArgs,
    #[command(flatten)]
    shown: RefusalFlags,
}

const EXAMPLES: &str = "\
Examples:
  strace -f -y -s 256 -o web.strace nginx -g 'daemon off;'   # anywhere, as root or not
  kubectl nonroot trace -f web.strace
  kubectl nonroot fix deploy/web --trace web.strace
  kubectl nonroot trace deploy/web --image registry.example/strace:6 --for 1m

Exit codes: 0 nothing was refused, 1 obstacles found, 2 bad usage or input, 3 cluster or permission failure.";

pub(super) async fn run(flags: &ClusterFlags, args: TraceArgs) -> Result<u8, Fault> {
    if let Some(file) = &args.filename {
        let read = of_file(file, None)?;
        let (traced, lines) = read.value;
        return report(&args, source(file), traced, lines, &read.errors);
    }
    let live::Done { source, traced, lines, errors } = live::run(flags, &args).await?;
    report(&args, &source, traced, lines, &errors)
}

fn source(file: &str) -> &str {
    if file == "-" { "stdin" } else { file }
}

/// A trace from a file or standard input, and the kinds of its lines.
pub(super) fn of_file(
    file: &str,
    container: Option<&str>,
) -> Result<Partial<(Traced, Lines)>, Error> {
    let context = Context {
        source: source(file).to_owned(),
        container: container.map(str::to_owned),
        ..Context::default()
    };
    let (mut strace, mut trace) = (Strace::default(), Trace::new(context));
    let take = |piece: &[u8], ()| strace.feed(piece, &mut |event| trace.take(event));
    let read = match file {
        "-" => logs::standard_input(|_| (), take),
        path => logs::file(Path::new(path), |_| (), take)?,
    };
    let lines = strace.finish(&mut |event| trace.take(event));
    Ok(Partial { value: (trace.finish(), lines), errors: read.errors })
}

/// Refuses what is no strace at all.
pub(super) fn check(source: &str, lines: &Lines) -> Result<(), Error> {
    if lines.calls + lines.resumed > 0 {
        return Ok(());
    }
    let why = format!("none of its {} lines is a system call", lines.total);
    Err(Error::input(format!("read {source} as a strace"), why)
        .help("strace -f -y -s 256 -o FILE writes one; for a log there is kubectl nonroot explain"))
}

/// Prints what a trace told.
fn report(
    args: &TraceArgs,
    source: &str,
    traced: Traced,
    lines: Lines,
    errors: &[Error],
) -> Result<u8, Fault> {
    check(source, &lines)?;
    let found = traced.refusals.iter().any(|refusal| !refusal.harmless);
    let explained = traced
        .refusals
        .iter()
        .map(|refusal| explain::explained(refusal.obstacle.clone()))
        .collect();
    let foreseen = if traced.root == Some(true) {
        let obstacles = foresight::trace::of_trace("", source, &traced);
        // Of what is read, a look at the image has to tell whether everybody may.
        let certain =
            obstacles.into_iter().filter(|obstacle| obstacle.operation != Operation::Open);
        certain
            .map(|obstacle| explain::explained(Obstacle { container: None, ..obstacle }))
            .collect()
    } else {
        Vec::new()
    };
    let folded = foresight::written(&foresight::trace::inside(&traced));
    let mut warnings: Vec<String> = errors.iter().map(Error::to_string).collect();
    if traced.more > 0 {
        warnings.push(format!("{} paths more than are kept", traced.more));
    }
    let trace =
        report::Trace::new(source.to_owned(), warnings, traced, explained, foreseen, folded, lines);
    let text = || Terminal { trace: &trace, all: args.shown.all, width: width() }.to_string();
    print(&args.shown.output.rendered(&trace, text)?)?;
    for warning in &trace.warnings {
        say(format_args!("warning: {warning}"));
    }
    Ok(exit_code(errors, found && !args.shown.exit_zero))
}
