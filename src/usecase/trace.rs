//! What system calls tell, of a file or of a pod that is traced now.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::explained::explained;
use super::live;
use super::progress::{Tell, Work};
use super::target::Target;
use crate::diagnosis::Context;
use crate::diagnosis::trace::Trace;
use crate::error::{Error, Partial};
use crate::evidence::cluster::{Cluster, Right};
use crate::evidence::logs;
use crate::evidence::strace::Strace;
use crate::foresight;
use crate::model::container::Role;
use crate::model::obstacle::{Obstacle, Operation};
use crate::model::podsecurity::Level;
use crate::model::trace::{Lines, Traced};
use crate::output::trace as report;
use crate::run::tracer::{Profile, Tracer};

/// What a strace told.
#[derive(Debug)]
pub struct ReadTrace {
    /// The file, or the pod.
    pub source: String,
    pub traced: Traced,
    pub lines: Lines,
}

/// A trace from a file or standard input (`-`).
///
/// # Errors
/// The file cannot be opened, or is not a strace.
pub fn of_file(file: &str, container: Option<&str>) -> Result<Partial<ReadTrace>, Error> {
    let source = if file == "-" { "stdin" } else { file }.to_owned();
    let context = Context {
        source: source.clone(),
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
    Ok(Partial { value: ReadTrace { source, traced: trace.finish(), lines }, errors: read.errors })
}

impl ReadTrace {
    /// Refuses what is no strace at all.
    ///
    /// # Errors
    /// No line is a system call.
    pub fn check(&self) -> Result<(), Error> {
        let Lines { calls, resumed, total, .. } = &self.lines;
        if calls + resumed > 0 {
            return Ok(());
        }
        let why = format!("none of its {total} lines is a system call");
        Err(Error::input(format!("read {} as a strace", self.source), why).help(
            "strace -f -y -s 256 -o FILE writes one; for a log there is kubectl nonroot explain",
        ))
    }

    /// Whether a call was refused that the program needed.
    #[must_use]
    pub fn has_obstacles(&self) -> bool {
        self.traced.refusals.iter().any(|refusal| !refusal.harmless)
    }

    /// What is reported of it.
    #[must_use]
    pub fn report(self, errors: &[Error]) -> report::Trace {
        let ReadTrace { source, traced, lines } = self;
        let refusals = traced.refusals.iter();
        let refused = refusals.map(|refusal| explained(refusal.obstacle.clone())).collect();
        let foreseen = if traced.root == Some(true) {
            let obstacles = foresight::trace::of_trace("", &source, &traced);
            // Of what is read, a look at the image has to tell whether everybody may.
            let certain =
                obstacles.into_iter().filter(|obstacle| obstacle.operation != Operation::Open);
            certain.map(|obstacle| explained(Obstacle { container: None, ..obstacle })).collect()
        } else {
            Vec::new()
        };
        let folded = foresight::written(&foresight::trace::inside(&traced));
        let mut warnings: Vec<String> = errors.iter().map(Error::to_string).collect();
        if traced.more > 0 {
            warnings.push(format!("{} paths more than are kept", traced.more));
        }
        report::Trace::new(source, warnings, traced, refused, foreseen, folded, lines)
    }
}

/// How a pod is traced.
#[derive(Debug, Clone)]
pub struct LiveTraceOptions {
    pub target: Target,
    /// The container to trace, instead of the first.
    pub container: Option<String>,
    /// An image that has strace and sh.
    pub image: String,
    /// The privileges of the tracer; by default those that the container's user needs.
    pub profile: Option<Profile>,
    pub time: Duration,
}

/// A trace that can be started.
pub struct LiveTrace {
    pub namespace: String,
    pub pod: String,
    pub container: String,
    pub image: String,
    pub profile: Profile,
    pub time: Duration,
    /// The uid of the container's first process.
    pub uid: Option<i64>,
    gid: Option<i64>,
    /// The Pod Security level that the namespace enforces; `None` where that may not be read.
    pub enforced: Option<Option<String>>,
    /// What messages call it: `trace deployment/web`.
    pub attempted: String,
    /// Why it would be refused.
    refusal: Option<Error>,
    name: String,
}

/// How much longer than strace is given its end may take to arrive.
const GRACE: Duration = Duration::from_secs(20);

impl LiveTrace {
    /// Finds the pod and the container, and what would refuse the trace.
    ///
    /// # Errors
    /// The cluster does not answer, or no such container runs.
    pub async fn prepare(
        cluster: &Cluster,
        options: LiveTraceOptions,
        tell: Tell<'_>,
    ) -> Result<Partial<LiveTrace>, Error> {
        let _work = Work::begin(tell, "looking for the pod");
        let Partial { value: workload, errors } =
            live::named(cluster, &options.target, "trace").await?;
        let namespace = workload.namespace.clone().unwrap_or_else(|| cluster.namespace.clone());
        let attempted = format!("trace {}/{}", workload.kind.to_lowercase(), workload.name);
        let Some(pod) = live::running_pods(cluster, &workload).await.into_iter().next() else {
            let why = "no pod of it runs";
            return Err(
                Error::input(attempted, why).help("kubectl nonroot explain tells why it does not")
            );
        };
        let own = workload.containers.iter().filter(|container| container.role != Role::Ephemeral);
        let found = match &options.container {
            Some(name) => own.clone().find(|container| container.name == *name),
            None => own.clone().find(|container| container.role == Role::Container),
        };
        let Some(container) = found else {
            let names: Vec<&str> = own.map(|container| container.name.as_str()).collect();
            let name = options.container.as_deref().unwrap_or_default();
            let why = format!("it has no container {name}");
            return Err(Error::input(attempted, why).help(format!("it has {}", names.join(", "))));
        };
        let uid = container.user.uid;
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut trace = LiveTrace {
            container: container.name.clone(),
            profile: options.profile.unwrap_or(match uid {
                Some(uid) if uid != 0 => Profile::Restricted,
                _ => Profile::General,
            }),
            image: options.image,
            time: options.time,
            uid,
            gid: container.user.gid,
            enforced: cluster.terms(&namespace).await.map(|terms| terms.enforced),
            refusal: None,
            name: format!("nonroot-trace-{:x}", time.as_millis()),
            namespace,
            pod,
            attempted,
        };
        trace.refusal = trace.refused(cluster).await?;
        Ok(Partial { value: trace, errors })
    }

    fn tracer(&self) -> Tracer<'_> {
        Tracer {
            namespace: &self.namespace,
            pod: &self.pod,
            container: &self.container,
            image: &self.image,
            profile: self.profile,
            user: self.uid.map(|uid| (uid, self.gid.unwrap_or(uid))),
            seconds: self.time.as_secs(),
            name: self.name.clone(),
        }
    }

    /// Why the cluster would refuse it.
    async fn refused(&self, cluster: &Cluster) -> Result<Option<Error>, Error> {
        let LiveTrace { namespace, pod, attempted, .. } = self;
        let tracer = self.tracer();
        let missing = tracer.missing(cluster).await;
        let object = cluster.object("Pod", namespace, pod).await?.unwrap_or_default();
        if !missing.is_empty() {
            let list: Vec<String> = missing.iter().map(Right::to_string).collect();
            let why = format!("you may not {} in namespace {namespace}", list.join(", "));
            let help = "docs/rbac.md has a Role with all that it needs";
            return Ok(Some(Error::remote(attempted, why).help(help)));
        }
        let level = match self.enforced.as_ref().and_then(Option::as_deref) {
            Some("baseline") => Level::Baseline,
            Some("restricted") => Level::Restricted,
            _ => return Ok(None),
        };
        Ok(tracer.forbidden(&object, level).first().map(|violation| {
            let why = format!(
                "namespace {namespace} enforces {}, which forbids it: {}: {}",
                level.as_str(),
                violation.reason,
                violation.detail
            );
            Error::remote(attempted, why).help("another --profile, or strace in a copy elsewhere")
        }))
    }

    /// Refuses a trace that the cluster would refuse.
    ///
    /// # Errors
    /// A right is missing, or the namespace enforces a level that forbids it.
    pub fn check(&self) -> Result<(), Error> {
        self.refusal.clone().map_or(Ok(()), Err)
    }

    /// Traces, until the time is over, the program ends or somebody interrupts. True: somebody did.
    ///
    /// # Errors
    /// The API server or the kubelet refuses the ephemeral container.
    pub async fn run(
        &self,
        cluster: &Cluster,
        tell: Tell<'_>,
    ) -> Result<(Partial<ReadTrace>, bool), Error> {
        let LiveTrace { namespace, pod, container, .. } = self;
        self.tracer().start(cluster).await?;
        let source = format!("strace of container {container} of pod {namespace}/{pod}");
        let _work = Work::begin(tell, &format!("tracing for {} s", self.time.as_secs()));
        let context = Context {
            source: source.clone(),
            container: Some(container.clone()),
            ..Context::default()
        };
        let (mut strace, mut trace) = (Strace::default(), Trace::new(context));
        let (mut errors, mut is_interrupted) = (Vec::new(), false);
        let take = |piece: &[u8]| strace.feed(piece, &mut |event| trace.take(event));
        tokio::select! {
            followed = cluster.stream_log((namespace, pod, &self.name), true, take) => {
                errors.extend(followed.err().map(|refusal| refusal.error));
            }
            () = tokio::time::sleep(self.time + GRACE) => {}
            _ = tokio::signal::ctrl_c() => is_interrupted = true,
        }
        let lines = strace.finish(&mut |event| trace.take(event));
        let mut traced = trace.finish();
        // Which process was seen first says nothing of the container's first.
        traced.end = None;
        traced.root = traced.root.or(self.uid.map(|uid| uid == 0));
        Ok((Partial { value: ReadTrace { source, traced, lines }, errors }, is_interrupted))
    }
}
