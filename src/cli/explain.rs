//! `kubectl nonroot explain`: why a container failed, and what would remove it.

use clap::Args;
use clap::builder::FalseyValueParser;

use super::flags::{ClusterFlags, RefusalFlags, RegistryFlags};
use super::{Fault, exit_code, print, progress, say, width};
use crate::error::Error;
use crate::model::obstacle::Category;
use crate::output::explanation::Terminal;
use crate::output::obstacles;
use crate::usecase::explain::{self, FailingPod};
use crate::usecase::target;

/// Explain why a container failed: a pod, a log, or the name of an obstacle
///
/// Reads the logs, states and events of a pod, or of the failing pod of a workload, and says what
/// was refused, why, and what would remove the obstacle. Reads only.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ExplainArgs {
    /// A pod, a workload as TYPE/NAME, - for a log on standard input, or the name of an obstacle
    #[arg(value_name = "POD|TYPE/NAME|-|OBSTACLE", required_unless_present = "filename")]
    what: Vec<String>,
    /// A log to read; - for standard input
    #[arg(short, long, value_name = "FILE", conflicts_with = "what")]
    filename: Option<String>,
    /// Only this container
    #[arg(short, long, value_name = "NAME", conflicts_with = "filename")]
    container: Option<String>,
    /// Read the logs of the previous instances of the containers
    #[arg(short, long, conflicts_with = "filename")]
    previous: bool,
    /// Show every remedy, not only the first three of each obstacle
    #[arg(long)]
    all_remedies: bool,
    /// Do not read the images: only a pod that runs tells which remedies apply
    #[arg(long, env = "NONROOT_OFFLINE", value_parser = FalseyValueParser::new(), hide_env_values = true)]
    offline: bool,
    #[command(flatten)]
    registry: RegistryFlags,
    #[command(flatten)]
    shown: RefusalFlags,
}

const EXAMPLES: &str = "\
Examples:
  kubectl nonroot explain web-7d4b9c6f5-x2x9z
  kubectl nonroot explain deploy/web -n shop
  kubectl logs web-0 --previous | kubectl nonroot explain -
  kubectl nonroot explain -f crash.log -o json
  kubectl nonroot explain privileged-port       # what this kind of obstacle means

Exit codes: 0 nothing points at running as non-root, 1 obstacles found, 2 bad usage or input, 3 cluster or permission
failure.";

pub(super) async fn run(flags: &ClusterFlags, args: ExplainArgs) -> Result<u8, Fault> {
    let words: Vec<&str> = args.what.iter().map(String::as_str).collect();
    let read = match (args.filename.as_deref(), words.as_slice()) {
        (None | Some("-"), [] | ["-"]) => explain::standard_input(),
        (Some(path), _) => explain::file(path)?,
        (None, [name]) => match category(name) {
            Some(category) => {
                print(&obstacles::page(category))?;
                return Ok(0);
            }
            None => explain::live(&flags.connection(), &pod(&args)?, &progress::shown())
                .await
                .map_err(|error| misspelt(name, error))?,
        },
        (None, _) => explain::live(&flags.connection(), &pod(&args)?, &progress::shown()).await?,
    };
    let explanation = &read.value;
    let text = || {
        let shown = if args.all_remedies { explanation.clone() } else { explanation.brief() };
        Terminal { explanation: &shown, all: args.shown.all, width: width() }.to_string()
    };
    print(&args.shown.output.rendered(explanation, text)?)?;
    for error in &read.errors {
        say(format_args!("warning: {error}"));
    }
    let found = !explanation.obstacles.is_empty();
    Ok(exit_code(&read.errors, found && !args.shown.exit_zero))
}

fn category(name: &str) -> Option<Category> {
    Category::ALL.into_iter().find(|category| category.as_str() == name)
}

fn pod(args: &ExplainArgs) -> Result<FailingPod, Error> {
    Ok(FailingPod {
        target: target::one(&args.what, "explain")?,
        container: args.container.clone(),
        previous: args.previous,
        images: (!args.offline).then(|| args.registry.registry()),
    })
}

/// A word that is not a pod may have been meant for the name of an obstacle.
fn misspelt(name: &str, error: Error) -> Error {
    match target::nearest(name, Category::ALL.iter().map(|category| category.as_str())) {
        Some(near) => error.help(format!("did you mean the obstacle {near}?")),
        None => error,
    }
}
