//! `kubectl nonroot can-i`: may a container's process do this, and why.

use clap::{Args, ValueEnum};

use super::flags::{ClusterFlags, Format, RegistryFlags};
use super::{Fault, print, progress, say, width};
use crate::error::{Class, Error};
use crate::model::can_i::AccessQuestion;
use crate::model::filesystem::Access;
use crate::usecase::can_i::{self, CanIOptions};
use crate::usecase::target::{self, Target};

/// Say whether a container may do something, and why: reach a path, execute a file, bind a port
///
/// Looks into a running container of the workload, or at its image if no container runs or it has
/// no shell. Says what the kernel would answer, step by step. Tries nothing.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CanIArgs {
    #[arg(value_enum)]
    verb: Verb,
    /// Absolute paths, or ports for bind; then the workload as TYPE/NAME
    #[arg(value_name = "PATH|PORT... [TYPE/NAME]", required = true)]
    words: Vec<String>,
    /// Manifest instead of a workload of the cluster; needs --image
    #[arg(short, long, value_name = "FILE", requires = "image")]
    filename: Option<String>,
    /// Container; by default kubectl's default container, or the first
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// Answer for this user, instead of the container's own
    #[arg(long, value_name = "UID")]
    uid: Option<u32>,
    /// Answer for this group, instead of the pod's or the user's own
    #[arg(long, value_name = "GID")]
    gid: Option<u32>,
    /// Answer for these supplementary groups, instead of those of the pod and the image
    #[arg(long, value_name = "GIDS", value_delimiter = ',')]
    groups: Option<Vec<u32>>,
    /// Look at this image instead of a running container: a reference, an archive, or a layout's
    /// directory
    #[arg(long, value_name = "REF|FILE")]
    image: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value = "text")]
    output: Format,
    #[command(flatten)]
    registry: RegistryFlags,
}

const EXAMPLES: &str = "\
Examples:
  kubectl nonroot can-i write /var/cache/nginx deploy/web
  kubectl nonroot can-i write /var/cache/nginx /run deploy/web --uid 1000 --gid 1000
  kubectl nonroot can-i exec /usr/bin/ping sts/db -c exporter
  kubectl nonroot can-i bind 80 deploy/web --uid 1000
  kubectl nonroot can-i read /etc/app/key.pem -f app.yaml --image app.tar

Exit codes: 0 yes, 1 no, 2 bad usage or input, 3 unknown, or a cluster, registry or permission failure. Of several
answers the worst counts.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Verb {
    /// Read a file, list a directory
    Read,
    /// Write a file, or make files in a directory; missing directories are made
    Write,
    /// Make a new path
    #[value(alias = "mkdir")]
    Create,
    /// Remove a path, or rename it
    Delete,
    /// Execute a file
    Exec,
    /// Change the mode of a path
    Chmod,
    /// Change the owner of a path to the user and group
    Chown,
    /// Bind a TCP or UDP port
    Bind,
}

impl Verb {
    fn as_str(self) -> &'static str {
        match self {
            Verb::Read => "read",
            Verb::Write => "write",
            Verb::Create => "create",
            Verb::Delete => "delete",
            Verb::Exec => "exec",
            Verb::Chmod => "chmod",
            Verb::Chown => "chown",
            Verb::Bind => "bind",
        }
    }
}

pub(super) async fn run(flags: &ClusterFlags, args: CanIArgs) -> Result<u8, Fault> {
    let options = options(&args)?;
    let read = can_i::can_i(&flags.connection(), &options, &progress::shown()).await?;
    let report = &read.value;
    print(&args.output.rendered(report, || report.text(width()))?)?;
    for error in &read.errors {
        say(format_args!("warning: {error}"));
    }
    let any = |wanted| report.answers.iter().any(|answered| answered.answer == wanted);
    Ok(if any("unknown") { Class::Remote.exit_code() } else { u8::from(any("no")) })
}

fn options(args: &CanIArgs) -> Result<CanIOptions, Error> {
    let verb = args.verb;
    let is_object = |word: &&String| {
        word.starts_with('/')
            || verb == Verb::Bind && word.starts_with(|c: char| c.is_ascii_digit())
    };
    let (objects, words): (Vec<&String>, Vec<&String>) = args.words.iter().partition(is_object);
    if objects.is_empty() {
        let wanted = if verb == Verb::Bind { "a port" } else { "an absolute path" };
        let why = format!("{} is not {wanted}", args.words.join(" "));
        return Err(Error::input(format!("tell whether it can {}", verb.as_str()), why));
    }
    let questions = objects.into_iter().map(|text| Ok((text.clone(), question(verb, text)?)));
    let questions = questions.collect::<Result<_, Error>>()?;
    let words: Vec<String> = words.into_iter().cloned().collect();
    Ok(CanIOptions {
        verb: verb.as_str(),
        questions,
        target: only(&words)?,
        file: args.filename.clone(),
        container: args.container.clone(),
        uid: args.uid,
        gid: args.gid,
        groups: args.groups.clone(),
        image: args.image.clone(),
        registry: args.registry.registry(),
    })
}

fn question(verb: Verb, text: &str) -> Result<AccessQuestion, Error> {
    let path = |access| AccessQuestion::Path(access, text.to_owned());
    Ok(match verb {
        Verb::Read => path(Access::Read),
        Verb::Write => path(Access::Write),
        Verb::Create => path(Access::Create),
        Verb::Delete => path(Access::Remove),
        Verb::Chmod => path(Access::Chmod),
        Verb::Chown => path(Access::Chown { uid: None, gid: None }),
        Verb::Exec => AccessQuestion::Exec(text.to_owned()),
        Verb::Bind => AccessQuestion::Bind(port(text)?),
    })
}

/// `80`, `80/tcp` or `53/udp`.
fn port(text: &str) -> Result<u16, Error> {
    let number = text.strip_suffix("/tcp").or(text.strip_suffix("/udp")).unwrap_or(text);
    number.parse().map_err(|_| {
        Error::input(format!("take {text:?} for a port"), "it is not a number from 0 to 65535")
            .help("such as 80 or 53/udp")
    })
}

fn only(words: &[String]) -> Result<Option<Target>, Error> {
    let mut targets = target::targets(words)?;
    match (targets.pop(), targets.is_empty()) {
        (Some(Target { kind, name: None }), _) => {
            Err(Error::input(format!("look at {kind}"), "a name is missing").help("use TYPE/NAME"))
        }
        (target, true) => Ok(target),
        _ => Err(Error::input("look at several workloads", "it is one at a time")),
    }
}
