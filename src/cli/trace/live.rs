//! A pod traced now: what that takes is said and checked before it is asked for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};

use super::super::fix::ask;
use super::super::flags::ClusterFlags;
use super::super::progress::Spinner;
use super::super::target;
use super::super::{Fault, explain, say};
use super::TraceArgs;
use crate::diagnosis::Context;
use crate::diagnosis::trace::Trace;
use crate::error::Error;
use crate::evidence::cluster::{Cluster, Right};
use crate::evidence::strace::Strace;
use crate::model::container::Role;
use crate::model::podsecurity::Level;
use crate::model::trace::{Lines, Traced};
use crate::run::tracer::{Profile, Tracer};

/// How a pod is traced.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tracing a pod")]
pub(super) struct LiveArgs {
    /// Container to trace, instead of the first
    #[arg(short, long, value_name = "NAME", conflicts_with = "filename")]
    container: Option<String>,
    /// Image that has strace and sh
    #[arg(long, value_name = "IMAGE", conflicts_with = "filename")]
    image: Option<String>,
    /// With whose privileges, by kubectl debug's names: general is root with SYS_PTRACE, baseline
    /// and restricted the container's own user, sysadmin privileged [default: restricted, and
    /// general where the container is root]
    #[arg(long, value_enum, conflicts_with = "filename")]
    profile: Option<ChosenProfile>,
    /// How long, such as 30s or 2m
    #[arg(long = "for", value_name = "DURATION", default_value = "30s", value_parser = duration)]
    time: Duration,
    /// Ask nothing: an ephemeral container may be added to the pod
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
    let length = super::super::flags::timeout(text)?.0;
    length
        .filter(|length| length.as_secs() > 0)
        .ok_or_else(|| "it must be at least a second".to_owned())
}

/// What a trace of a pod brought.
pub(super) struct Done {
    pub(super) source: String,
    pub(super) traced: Traced,
    pub(super) lines: Lines,
    pub(super) errors: Vec<Error>,
}

/// How much longer than strace is given its end may take to arrive.
const GRACE: Duration = Duration::from_secs(20);

pub(super) async fn run(flags: &ClusterFlags, args: &TraceArgs) -> Result<Done, Fault> {
    let live = &args.live;
    let target = target::one(&args.target, "trace")?;
    let Some(image) = &live.image else {
        let why = "no image is named that has strace and sh";
        return Err(Error::input("trace a pod", why)
            .help("--image names one; FROM debian, apt-get install strace")
            .into());
    };
    let cluster = Cluster::connect(&flags.connection()).await?;
    let spinner = Spinner::start("looking for the pod");
    let read = explain::meant(&cluster, &target, "trace").await?;
    let (workload, mut errors) = (read.value, read.errors);
    let namespace = workload.namespace.clone().unwrap_or_else(|| cluster.namespace.clone());
    let running = explain::running(&cluster, &workload).await;
    let attempted = format!("trace {}/{}", workload.kind.to_lowercase(), workload.name);
    let Some(pod) = running.first() else {
        let why = "no pod of it runs";
        return Err(Error::input(attempted, why)
            .help("kubectl nonroot explain tells why it does not")
            .into());
    };
    let own = workload.containers.iter().filter(|container| container.role != Role::Ephemeral);
    let found = match &live.container {
        Some(name) => own.clone().find(|container| container.name == *name),
        None => own.clone().find(|container| container.role == Role::Container),
    };
    let Some(container) = found else {
        let names: Vec<&str> = own.map(|container| container.name.as_str()).collect();
        let why = format!("it has no container {}", live.container.as_deref().unwrap_or_default());
        return Err(Error::input(attempted, why)
            .help(format!("it has {}", names.join(", ")))
            .into());
    };
    let uid = container.user.uid;
    let profile = match live.profile {
        Some(ChosenProfile::General) => Profile::General,
        Some(ChosenProfile::Baseline) => Profile::Baseline,
        Some(ChosenProfile::Restricted) => Profile::Restricted,
        Some(ChosenProfile::Sysadmin) => Profile::Sysadmin,
        None if uid.is_some_and(|uid| uid != 0) => Profile::Restricted,
        None => Profile::General,
    };
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let tracer = Tracer {
        namespace: &namespace,
        pod,
        container: &container.name,
        image,
        profile,
        user: uid.map(|uid| (uid, container.user.gid.unwrap_or(uid))),
        seconds: live.time.as_secs(),
        name: format!("nonroot-trace-{:x}", time.as_millis()),
    };
    let missing = tracer.missing(&cluster).await;
    let enforced = cluster.terms(&namespace).await;
    let object = cluster.object("Pod", &namespace, pod).await?.unwrap_or_default();
    drop(spinner);
    explained(&tracer, uid, enforced.as_ref().map(|terms| terms.enforced.as_deref()));
    if !missing.is_empty() {
        let list: Vec<String> = missing.iter().map(Right::to_string).collect();
        let why = format!("you may not {} in namespace {namespace}", list.join(", "));
        return Err(Error::remote(attempted, why)
            .help("docs/rbac.md has a Role with all that it needs")
            .into());
    }
    let level = enforced.and_then(|terms| terms.enforced).and_then(|level| match level.as_str() {
        "baseline" => Some(Level::Baseline),
        "restricted" => Some(Level::Restricted),
        _ => None,
    });
    if let Some(level) = level
        && let Some(violation) = tracer.forbidden(&object, level).first()
    {
        let why = format!(
            "namespace {namespace} enforces {}, which forbids it: {}: {}",
            level.as_str(),
            violation.reason,
            violation.detail
        );
        return Err(Error::remote(attempted, why)
            .help("another --profile, or strace in a copy elsewhere")
            .into());
    }
    if !live.yes {
        ask::allowed(
            &attempted,
            "it adds a container to the pod that cannot be removed",
            "Start it?",
        )?;
    }
    tracer.start(&cluster).await?;
    let source = format!("strace of container {} of pod {namespace}/{pod}", tracer.container);
    let _spinner = Spinner::start(&format!("tracing for {} s", tracer.seconds));
    let context = Context {
        source: source.clone(),
        container: Some(container.name.clone()),
        ..Context::default()
    };
    let (mut strace, mut trace) = (Strace::default(), Trace::new(context));
    let take = |piece: &[u8]| strace.feed(piece, &mut |event| trace.take(event));
    tokio::select! {
        followed = cluster.stream_log((&namespace, pod, &tracer.name), true, take) => {
            if let Err(refusal) = followed {
                errors.push(refusal.error);
            }
        }
        () = tokio::time::sleep(live.time + GRACE) => {}
        _ = tokio::signal::ctrl_c() => say(format_args!("Interrupted: this is what came so far. strace ends by itself.")),
    }
    let lines = strace.finish(&mut |event| trace.take(event));
    let mut traced = trace.finish();
    // Which process was seen first says nothing of the container's first.
    traced.end = None;
    traced.root = traced.root.or(uid.map(|uid| uid == 0));
    Ok(Done { source, traced, lines, errors })
}

/// What a trace takes, before anybody is asked.
fn explained(tracer: &Tracer<'_>, uid: Option<i64>, enforced: Option<Option<&str>>) {
    let Tracer { namespace, pod, container, image, seconds, .. } = tracer;
    let user = uid.map_or("a user that is not known".to_owned(), |uid| format!("uid {uid}"));
    say(format_args!(
        "strace will run for {seconds} s in pod {namespace}/{pod}, beside container {container}, which is {user}."
    ));
    say(format_args!(
        "  It is an ephemeral container of the image {image}, which must have strace and sh."
    ));
    say(format_args!(
        "  {}",
        match tracer.profile {
            Profile::General =>
                "It runs as root with CAP_SYS_PTRACE, by which it may trace any process of the container.",
            Profile::Baseline =>
                "It runs as the same user with no capability added; if a node forbids that (Yama), take --profile general.",
            Profile::Restricted =>
                "It runs as the same user without capabilities; if a node forbids that (Yama), take --profile general.",
            Profile::Sysadmin => "It is privileged.",
        }
    ));
    say(format_args!(
        "  {}",
        match (enforced, tracer.profile) {
            (None, _) =>
                "Which Pod Security level the namespace enforces may not be read.".to_owned(),
            (Some(None), _) => "The namespace enforces no Pod Security level.".to_owned(),
            (Some(Some(level)), _) =>
                format!("The namespace enforces the Pod Security level {level}."),
        }
    ));
    say(format_args!("  The program is slower meanwhile. What it did before is not seen."));
    say(format_args!(
        "  An ephemeral container cannot be removed: it stays in the pod, ended, until the pod is replaced."
    ));
}
