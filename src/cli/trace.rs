//! `kubectl nonroot trace`: what system calls tell, of a file or of a pod that is traced now.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::flags::{ClusterFlags, RefusalFlags, timeout};
use super::{Fault, exit_code, print, progress, prompts, say, width};
use crate::error::{Error, Partial};
use crate::evidence::cluster::Cluster;
use crate::output::trace::Terminal;
use crate::run::tracer::Profile;
use crate::usecase::target;
use crate::usecase::trace::{self, LiveTrace, LiveTraceOptions, ReadTrace};

/// Read a strace: what was refused, and what the program did
///
/// Shows every refused call, whether the program went on, and what it wrote, listened on and
/// became. The trace of a program that runs as root shows what another user will be refused:
/// fix --trace plans from it.
///
/// For a pod, it says what that needs, asks, and starts strace in an ephemeral container beside the
/// traced one. It sees what the program does from then on, not its start.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TraceArgs {
    /// A pod, or a workload as TYPE/NAME, to trace now
    #[arg(value_name = "POD|TYPE/NAME", required_unless_present = "filename")]
    target: Vec<String>,
    /// strace's output to read instead; - for standard input
    #[arg(short, long, value_name = "FILE", conflicts_with = "target")]
    filename: Option<String>,
    #[command(flatten)]
    live: LiveArgs,
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

/// How a pod is traced.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tracing a pod")]
struct LiveArgs {
    /// Container to trace, instead of the first
    #[arg(short, long, value_name = "NAME", conflicts_with = "filename")]
    container: Option<String>,
    /// Image that has strace and sh
    #[arg(long, value_name = "IMAGE", conflicts_with = "filename")]
    image: Option<String>,
    /// Privileges of strace, by kubectl debug's names: general is root with SYS_PTRACE, baseline
    /// and restricted are the container's own user, sysadmin is privileged [default: restricted,
    /// or general if the container is root]
    #[arg(long, value_enum, conflicts_with = "filename")]
    profile: Option<ChosenProfile>,
    /// How long, such as 30s or 2m
    #[arg(long = "for", value_name = "DURATION", default_value = "30s", value_parser = duration)]
    time: Duration,
    /// Add the ephemeral container without asking
    #[arg(short, long)]
    yes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ChosenProfile {
    General,
    Baseline,
    Restricted,
    Sysadmin,
}

fn duration(text: &str) -> Result<Duration, String> {
    let length = timeout(text)?.0;
    length
        .filter(|length| length.as_secs() > 0)
        .ok_or_else(|| "it must be at least a second".to_owned())
}

pub(super) async fn run(flags: &ClusterFlags, args: TraceArgs) -> Result<u8, Fault> {
    match &args.filename {
        Some(file) => report(&args, trace::of_file(file, None)?),
        None => report(&args, live(flags, &args).await?),
    }
}

/// Traces a pod, after it said what that needs and the user allowed it.
async fn live(flags: &ClusterFlags, args: &TraceArgs) -> Result<Partial<ReadTrace>, Fault> {
    let tell = progress::shown();
    let target = target::one(&args.target, "trace")?;
    let Some(image) = args.live.image.clone() else {
        let why = "no image with strace and sh is named";
        return Err(Error::input("trace a pod", why)
            .help("--image names one; FROM debian, apt-get install strace")
            .into());
    };
    let options = LiveTraceOptions {
        target,
        container: args.live.container.clone(),
        image,
        profile: args.live.profile.map(|profile| match profile {
            ChosenProfile::General => Profile::General,
            ChosenProfile::Baseline => Profile::Baseline,
            ChosenProfile::Restricted => Profile::Restricted,
            ChosenProfile::Sysadmin => Profile::Sysadmin,
        }),
        time: args.live.time,
    };
    let cluster = Cluster::connect(&flags.connection()).await?;
    let Partial { value: trace, mut errors } = LiveTrace::prepare(&cluster, options, &tell).await?;
    explained(&trace);
    trace.check()?;
    if !args.live.yes {
        prompts::allowed(
            &trace.attempted,
            "it adds a container to the pod that cannot be removed",
            "Start it?",
        )?;
    }
    let (read, is_interrupted) = trace.run(&cluster, &tell).await?;
    if is_interrupted {
        say(format_args!("Interrupted: this is what came so far. strace ends by itself."));
    }
    errors.extend(read.errors);
    Ok(Partial { value: read.value, errors })
}

/// Prints what a trace told.
fn report(
    args: &TraceArgs,
    Partial { value: read, errors }: Partial<ReadTrace>,
) -> Result<u8, Fault> {
    read.check()?;
    let found = read.has_obstacles();
    let trace = read.report(&errors);
    let text = || Terminal { trace: &trace, all: args.shown.all, width: width() }.to_string();
    print(&args.shown.output.rendered(&trace, text)?)?;
    for warning in &trace.warnings {
        say(format_args!("warning: {warning}"));
    }
    Ok(exit_code(&errors, found && !args.shown.exit_zero))
}

/// Says what a trace needs, before the question.
fn explained(trace: &LiveTrace) {
    let LiveTrace { namespace, pod, container, image, .. } = trace;
    let seconds = trace.time.as_secs();
    let user = trace.uid.map_or("a user that is not known".to_owned(), |uid| format!("uid {uid}"));
    say(format_args!(
        "strace will run for {seconds} s in pod {namespace}/{pod}, beside container {container}, which is {user}."
    ));
    say(format_args!(
        "  It is an ephemeral container of the image {image}, which must have strace and sh."
    ));
    say(format_args!(
        "  {}",
        match trace.profile {
            Profile::General =>
                "It runs as root with CAP_SYS_PTRACE, and may trace any process of the container.",
            Profile::Baseline =>
                "It runs as the same user with no capability added; if a node forbids that (Yama), take --profile general.",
            Profile::Restricted =>
                "It runs as the same user without capabilities; if a node forbids that (Yama), take --profile general.",
            Profile::Sysadmin => "It is privileged.",
        }
    ));
    say(format_args!(
        "  {}",
        match &trace.enforced {
            None => "You may not read which Pod Security level the namespace enforces.".to_owned(),
            Some(None) => "The namespace enforces no Pod Security level.".to_owned(),
            Some(Some(level)) => format!("The namespace enforces the Pod Security level {level}."),
        }
    ));
    say(format_args!("  The program is slower during the trace. What it did before is not seen."));
    say(format_args!(
        "  An ephemeral container cannot be removed: it stays in the pod, ended, until the pod is replaced."
    ));
}
