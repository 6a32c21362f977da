//! The flags of fix.

use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};

use super::super::flags::{ProofFlags, RegistryFlags, SelectionFlags};
use crate::error::Error;
use crate::model::podsecurity::Level;
use crate::remedy::{self, READ_ONLY_ROOT};
use crate::run;
use crate::run::pod::Changes;
use crate::search;
use crate::usecase::fix::FixOptions;
use crate::usecase::fix::delivery::ApplyOptions;

/// Make workloads run as non-root, and prove it
///
/// The plan comes from the workload's pods: which users their processes have, what they write and
/// listen on, and why they fail. With --trial a copy of the pod runs as non-root in the cluster;
/// each obstacle is diagnosed and remedied until the copy is ready and does what a copy as root
/// does. The workload itself changes only when you say so, and trial pods are removed at the end.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct FixArgs {
    /// Workloads as TYPE/NAME, or TYPE NAME...
    #[arg(value_name = "TYPE/NAME", conflicts_with = "filename")]
    pub(super) target: Vec<String>,
    #[command(flatten)]
    pub(super) selection: SelectionFlags,
    /// Run a copy of the pod until it works
    #[arg(long)]
    pub(super) trial: bool,
    /// Ask nothing: take the best answers, and start copies with all their side effects
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Apply the plan to the cluster, watch the rollout, and take it back if the rollout fails
    #[arg(long, conflicts_with = "filename")]
    pub(super) apply: bool,
    /// With --apply, only ask the API server whether it would accept the change
    #[arg(long, value_name = "WHERE", value_parser = ["server"], requires = "apply")]
    pub(super) dry_run: Option<String>,
    /// Apply even if a release, an operator or another tool would take the change back
    #[arg(long, requires = "apply")]
    pub(super) force: bool,
    /// Write the plan into the files of -f
    #[arg(short, long, requires = "filename")]
    pub(super) write: bool,
    /// Values of the chart of -f, as helm takes them; may be repeated
    #[arg(long, value_name = "FILE", requires = "filename")]
    pub(super) values: Vec<String>,
    /// Name that the release of the chart of -f has, instead of the chart's
    #[arg(long, value_name = "NAME", requires = "filename")]
    pub(super) release: Option<String>,
    /// Level to satisfy
    #[arg(long, value_enum, default_value = "restricted")]
    pub(super) level: ChosenLevel,
    /// Run as this user, whatever the evidence says
    #[arg(long, value_name = "UID[:GID]", value_parser = user)]
    pub(super) run_as: Option<(u32, u32)>,
    /// Leave a remedy out, by its id; may be repeated
    #[arg(long, value_name = "REMEDY", value_parser = remedy_id)]
    pub(super) without: Vec<String>,
    /// Make the root file system read-only too, once the pod works without it
    #[arg(long)]
    pub(super) read_only_root: bool,
    /// Allow root in a user namespace (hostUsers: false)
    #[arg(long)]
    pub(super) user_namespace: bool,
    /// Most runs of each trial
    #[arg(long, default_value = "20", value_name = "N")]
    pub(super) max_rounds: usize,
    /// Seconds for the whole trial, and for the rollout of --apply
    #[arg(long, default_value = "600", value_name = "SECONDS")]
    pub(super) timeout: u64,
    /// Keep remedies that were added on a guess, even if they may not be needed
    #[arg(long)]
    pub(super) no_minimize: bool,
    /// Trials at the same time
    #[arg(long, default_value = "1", value_name = "N")]
    pub(super) parallel: usize,
    /// Volume that the copies mount with its data, whose group fsGroup may change; may be
    /// repeated
    #[arg(long, value_name = "VOLUME", value_delimiter = ',', requires = "trial")]
    pub(super) with_volumes: Vec<String>,
    /// Command that the copies run instead of the first container's command and arguments, quoted
    /// as for a shell
    #[arg(long, value_name = "COMMAND", value_parser = words, requires = "trial")]
    pub(super) command: Option<Words>,
    /// Environment variable of the copies; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable, requires = "trial")]
    pub(super) env: Vec<(String, String)>,
    /// Image with a static strace and sh: a copy that dies without a message runs once more under
    /// strace
    #[arg(long, value_name = "IMAGE", requires = "trial")]
    pub(super) strace_image: Option<String>,
    #[command(flatten)]
    pub(super) proof: ProofFlags,
    /// Namespace in which the copies run, instead of the workload's
    #[arg(long, value_name = "NAME")]
    pub(super) trial_namespace: Option<String>,
    /// Remove the pods that interrupted trials left behind, and do nothing else
    #[arg(long)]
    pub(super) clean: bool,
    /// strace's output to plan from, of the first container or of the named one; may be repeated
    #[arg(long, value_name = "[CONTAINER=]FILE")]
    pub(super) trace: Vec<String>,
    /// Read the images too: their users, files and file capabilities
    #[arg(long, conflicts_with = "offline")]
    pub(super) images: bool,
    /// Do not ask registries for the users of images
    #[arg(long, env = "NONROOT_OFFLINE", value_parser = FalseyValueParser::new(), hide_env_values = true)]
    pub(super) offline: bool,
    /// Output format; without one, fix asks if there is a terminal
    #[arg(short, long, value_enum)]
    pub(super) output: Option<Format>,
    #[command(flatten)]
    pub(super) registry: RegistryFlags,
}

const EXAMPLES: &str = "\
Examples:
  kubectl nonroot fix deploy/web
  kubectl nonroot fix deploy/web --trial --yes -o yaml | kubectl apply -f -
  kubectl nonroot fix deploy/web --trial --yes --apply
  kubectl nonroot fix -f web.yaml -o diff
  kubectl nonroot fix -f web.yaml --images -o diff  # no cluster: what the image tells
  kubectl nonroot fix -f manifests/ -R --write
  kubectl nonroot fix deploy,sts -A --yes -o kustomize
  kubectl nonroot fix -f charts/web --values my.yaml -o values  # a Helm chart: needs helm
  kubectl nonroot fix --clean -n shop

Exit codes: 0 a plan, or proven, or applied; 1 not proven, or taken back, or the level still forbids what the plan leaves;
2 bad usage or input; 3 cluster or permission failure.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// What was found, what is proven, and the diff
    Text,
    /// The plan, its proof, and the whole object
    Json,
    /// The whole object, ready for kubectl apply; with -f the whole file
    Yaml,
    /// A strategic merge patch for kubectl patch
    Patch,
    /// A JSON patch (RFC 6902) for kubectl patch --type=json
    Json6902,
    /// A kustomize component with the patch
    Kustomize,
    /// A MutatingAdmissionPolicy that changes the workload's pods, where its template is another's
    Policy,
    /// The part with the patch of the Flux or Argo CD object that the workload comes from
    Gitops,
    /// Of a Helm chart: the values that give the plan, each with its reason
    Values,
    /// Of a Helm chart: a kustomization with what the values do not reach
    PostRenderer,
    /// A unified diff; with -f of the file
    Diff,
    /// A summary for a pull request
    Markdown,
    /// A page to read, share or print
    Html,
    /// Jobs that give the files that root wrote on claims to the new user; run them once, as
    /// somebody who may be root
    OwnershipJob,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ChosenLevel {
    Baseline,
    Restricted,
}

impl FixArgs {
    /// The flags as the use case takes them.
    ///
    /// # Errors
    /// A target is not TYPE/NAME or TYPE NAME.
    pub(super) fn options(&self) -> Result<FixOptions, Error> {
        let search = search::SearchOptions {
            level: match self.level {
                ChosenLevel::Baseline => Level::Baseline,
                ChosenLevel::Restricted => Level::Restricted,
            },
            max_rounds: self.max_rounds,
            read_only_root: self.read_only_root,
            user_namespace: self.user_namespace,
            run_as: self.run_as,
            without: self.without.clone(),
            minimize: !self.no_minimize,
            with_volumes: self.with_volumes.clone(),
            strace: self.strace_image.is_some(),
            ..search::SearchOptions::default()
        };
        let changes = Changes {
            with_volumes: self.with_volumes.clone(),
            command: self.command.as_ref().map(|words| words.0.clone()).unwrap_or_default(),
            env: self.env.clone(),
        };
        let mut trial = run::Options {
            search,
            timeout: Duration::from_secs(self.timeout),
            changes,
            strace_image: self.strace_image.clone(),
            ..run::Options::default()
        };
        self.proof.apply(&mut trial)?;
        Ok(FixOptions {
            selector: self.selection.selector(&self.target)?,
            trial,
            trial_namespace: self.trial_namespace.clone(),
            traces: self.trace.clone(),
            images: self.images,
            registry: self.registry.registry(),
        })
    }

    /// How the plan is applied.
    pub(super) fn apply_options(&self) -> ApplyOptions {
        ApplyOptions {
            dry_run: self.dry_run.is_some(),
            force: self.force,
            timeout: Duration::from_secs(self.timeout),
        }
    }

    /// Neither a file nor a workload is named.
    pub(super) fn names_nothing(&self) -> bool {
        let SelectionFlags { filename, selector, all_namespaces, .. } = &self.selection;
        filename.is_empty() && self.target.is_empty() && selector.is_none() && !all_namespaces
    }

    /// Whether what is printed is text of the user's own files.
    pub(super) fn prints_files(&self) -> bool {
        !self.selection.filename.is_empty()
            && matches!(self.output, Some(Format::Yaml | Format::Diff))
    }

    /// Whether what is printed is about a chart's values.
    pub(super) fn is_of_values(&self) -> bool {
        matches!(self.output, Some(Format::Values | Format::PostRenderer))
    }

    /// Whether only the change is printed, without what a reader should know beside it.
    pub(super) fn prints_changes(&self) -> bool {
        let changes = [
            Format::Yaml,
            Format::Patch,
            Format::Json6902,
            Format::Kustomize,
            Format::Gitops,
            Format::Policy,
            Format::Diff,
        ];
        self.output.is_some_and(|output| changes.contains(&output))
    }
}

/// `101` or `101:102`.
fn user(text: &str) -> Result<(u32, u32), String> {
    let (uid, gid) = text.split_once(':').unwrap_or((text, text));
    let number = |text: &str| text.parse::<u32>().map_err(|_| format!("{text:?} is not a number"));
    match (number(uid)?, number(gid)?) {
        (0, _) => Err("0 is root".to_owned()),
        ids => Ok(ids),
    }
}

/// The id of a remedy.
fn remedy_id(text: &str) -> Result<String, String> {
    let ids: Vec<&str> =
        remedy::REMEDIES.iter().map(|remedy| remedy.id).chain([READ_ONLY_ROOT]).collect();
    if ids.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("there is no such remedy; there are {}", ids.join(", ")))
}

/// A command and its arguments.
#[derive(Debug, Clone)]
pub(super) struct Words(pub(super) Vec<String>);

/// `nginx -g 'daemon off;'`.
fn words(text: &str) -> Result<Words, String> {
    match shlex::split(text) {
        Some(words) if !words.is_empty() => Ok(Words(words)),
        Some(_) => Err("it is empty".to_owned()),
        None => Err("a quote is not closed".to_owned()),
    }
}

/// `NAME=VALUE`.
fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not NAME=VALUE")),
    }
}
