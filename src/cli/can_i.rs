//! `kubectl nonroot can-i`: may a container's process do this, and why.

use clap::{Args, ValueEnum};
use k8s_openapi::api::core::v1::PodSpec;

use super::flags::{ClusterFlags, Format};
use super::image::{self, RegistryFlags};
use super::progress::Spinner;
use super::target::{self, Target};
use super::{Fault, explain, print, say, width};
use crate::error::{Class, Error, Partial};
use crate::evidence::cluster::{Cluster, Place};
use crate::evidence::files::{self, ObservedFiles};
use crate::evidence::{manifests, pods};
use crate::model::accounts::Accounts;
use crate::model::can_i::{AccessQuestion, PortStart, Requester, answer};
use crate::model::capability::{FileCapabilities, Set};
use crate::model::container::Container;
use crate::model::credentials::{Credentials, Executable};
use crate::model::filesystem::{Access, Files, Lookup, Mount, decide};
use crate::model::image::Image;
use crate::model::inside::AccessContext;
use crate::model::port::{FIRST_UNPRIVILEGED, UNPRIVILEGED_PORT_SYSCTL};
use crate::model::volume::Storage;
use crate::model::workload::Workload;
use crate::output::can_i::{Answered, CanIReport};

/// Tell whether a container may do something, and why: reach a path, execute a file, bind a port
///
/// Looks into a running container of the workload; where there is none, or it has no shell, at its
/// image. Tells what the kernel would answer, step by step; nothing is tried out.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CanIArgs {
    #[arg(value_enum)]
    verb: Verb,
    /// Absolute paths, or ports for bind; then the workload as TYPE/NAME
    #[arg(value_name = "PATH|PORT... [TYPE/NAME]", required = true)]
    words: Vec<String>,
    /// A manifest instead of a workload of the cluster; it goes with --image
    #[arg(short, long, value_name = "FILE", requires = "image")]
    filename: Option<String>,
    /// Which container; without, kubectl's default container or the first
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// Ask for this user, not for the container's own
    #[arg(long, value_name = "UID")]
    uid: Option<u32>,
    /// Ask for this group, not for the pod's or the user's own
    #[arg(long, value_name = "GID")]
    gid: Option<u32>,
    /// Ask for these supplementary groups, not for those that the pod and the image give
    #[arg(long, value_name = "GIDS", value_delimiter = ',')]
    groups: Option<Vec<u32>>,
    /// Look at this image, not at a running container: a reference, an archive, or a layout's
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

Exit codes: 0 yes, 1 no, 2 bad usage or input, 3 not known, or a cluster, registry or permission failure. Of several
answers the worst counts.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Verb {
    /// Read a file, list a directory
    Read,
    /// Write a file, make files in a directory; what is missing is made, directories too
    Write,
    /// Make a path, new
    #[value(alias = "mkdir")]
    Create,
    /// Remove a path, or rename it
    Delete,
    /// Execute a file
    Exec,
    /// Change the mode of a path
    Chmod,
    /// Give a path to the user and group that ask
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
    let is_thing = |word: &&String| {
        word.starts_with('/')
            || args.verb == Verb::Bind && word.starts_with(|c: char| c.is_ascii_digit())
    };
    let (things, words): (Vec<&String>, Vec<&String>) = args.words.iter().partition(is_thing);
    if things.is_empty() {
        let wanted = if args.verb == Verb::Bind { "a port" } else { "an absolute path" };
        let why = format!("{} is not {wanted}", args.words.join(" "));
        return Err(Error::input(format!("tell whether it can {}", args.verb.as_str()), why).into());
    }
    let things: Vec<(&str, Option<u16>)> = things
        .into_iter()
        .map(|thing| Ok((thing.as_str(), port(args.verb, thing)?)))
        .collect::<Result<_, Error>>()?;
    let words: Vec<String> = words.into_iter().cloned().collect();
    let Partial { value: ground, errors } = ground(flags, &args, &words, &things).await?;
    let process = ground.process(&args)?;
    let lookup = |path: &str| ground.lookup(path);
    let requester = Requester {
        process: process.clone(),
        files: Files::new(&lookup, ground.read_only, ground.mounts.clone()),
        file_capabilities: &|path| ground.file_capabilities(path),
        port_start: ground.port_start.clone(),
    };
    let answers: Vec<Answered> = things
        .iter()
        .map(|(thing, port)| {
            let question = question(args.verb, thing, *port, &process);
            Answered::new(args.verb.as_str(), thing, answer(&requester, &question))
        })
        .collect();
    let warnings = errors.iter().map(ToString::to_string).collect();
    let report = CanIReport::new(warnings, ground.evidence.clone(), &process, answers);
    print(&args.output.rendered(&report, || report.text(width()))?)?;
    for error in &errors {
        say(format_args!("warning: {error}"));
    }
    let any = |wanted| report.answers.iter().any(|answered| answered.answer == wanted);
    Ok(if any("unknown") { Class::Remote.exit_code() } else { u8::from(any("no")) })
}

/// `80`, `80/tcp` or `53/udp` where a port is asked for.
fn port(verb: Verb, thing: &str) -> Result<Option<u16>, Error> {
    if verb != Verb::Bind {
        return Ok(None);
    }
    let number = thing.strip_suffix("/tcp").or(thing.strip_suffix("/udp")).unwrap_or(thing);
    let port = number.parse().map_err(|_| {
        Error::input(format!("take {thing:?} for a port"), "it is no number from 0 to 65535")
            .help("such as 80 or 53/udp")
    })?;
    Ok(Some(port))
}

fn question(verb: Verb, thing: &str, port: Option<u16>, process: &Credentials) -> AccessQuestion {
    let path = |access| AccessQuestion::Path(access, thing.to_owned());
    match verb {
        Verb::Read => path(Access::Read),
        Verb::Write => path(Access::Write),
        Verb::Create => path(Access::Create),
        Verb::Delete => path(Access::Remove),
        Verb::Chmod => path(Access::Chmod),
        Verb::Chown => path(Access::Chown {
            uid: Some(process.uid.effective),
            gid: Some(process.gid.effective),
        }),
        Verb::Exec => AccessQuestion::Exec(thing.to_owned()),
        Verb::Bind => AccessQuestion::Bind(port.unwrap_or_default()),
    }
}

/// What an answer stands on.
struct Ground {
    /// In a few words.
    evidence: String,
    spec: PodSpec,
    container: String,
    known: Known,
    read_only: bool,
    mounts: Vec<Mount>,
    port_start: PortStart,
    /// The container's own user; `None` where nothing tells.
    user: Option<(u32, u32, Vec<u32>)>,
    granted: Set,
    no_new_privs: bool,
    /// The file that the container starts.
    program: Executable,
}

enum Known {
    Running { seen: ObservedFiles, context: Box<AccessContext> },
    Image(Box<Image>),
}

impl Ground {
    fn accounts(&self) -> &Accounts {
        match &self.known {
            Known::Running { context, .. } => &context.accounts,
            Known::Image(image) => &image.accounts,
        }
    }

    fn lookup(&self, path: &str) -> Lookup {
        match &self.known {
            Known::Running { seen, .. } => seen.lookup(path),
            Known::Image(image) => image.tree.lookup(path),
        }
    }

    fn file_capabilities(&self, path: &str) -> Result<Option<FileCapabilities>, String> {
        match &self.known {
            Known::Running { context, .. } => {
                context.file_capabilities.get(path).copied().ok_or_else(|| {
                    "the container has no tar that tells, or may not read the file; --image tells"
                        .to_owned()
                })
            }
            Known::Image(image) => {
                let found = image
                    .tree
                    .resolve(path.as_bytes(), false)
                    .and_then(|found| image.tree.get(found));
                Ok(found.and_then(|file| file.attributes.capabilities))
            }
        }
    }

    /// The process that asks: the container's own, or that of the user given, started as the
    /// runtime would start it.
    fn process(&self, args: &CanIArgs) -> Result<Credentials, Error> {
        let given = args.uid.is_some() || args.gid.is_some() || args.groups.is_some();
        if let (Known::Running { context, .. }, false) = (&self.known, given)
            && let Some(own) = &context.own
        {
            // The first process has what its own file brought it, unless it went over to another
            // user.
            let first =
                context.first.as_ref().filter(|first| (first.uid, first.gid) == (own.uid, own.gid));
            return Ok(first.unwrap_or(own).clone());
        }
        let own = self.user.as_ref().filter(|(uid, ..)| args.uid.is_none_or(|given| given == *uid));
        let Some(uid) = args.uid.or(own.map(|(uid, ..)| *uid)) else {
            let attempted = format!("tell whom container {} runs as", self.container);
            return Err(
                Error::remote(attempted, "neither its pod nor its image says").help("give --uid")
            );
        };
        let gid = args
            .gid
            .or(own.map(|(_, gid, _)| *gid))
            .or_else(|| pods::run_as_group(&self.spec, &self.container));
        let identity = self.accounts().of_uid(uid, gid);
        let groups = args
            .groups
            .clone()
            .or_else(|| own.map(|(.., groups)| groups.clone()))
            .unwrap_or_else(|| {
                let of_image =
                    identity.groups.iter().copied().filter(|_| !pods::strict_groups(&self.spec));
                ids(pods::spec_groups(&self.spec)).into_iter().chain(of_image).collect()
            });
        let process =
            Credentials::of_container(uid, identity.gid, groups, self.granted, self.no_new_privs);
        let started =
            process.execve(&self.program, 0).or_else(|_| process.execve(&Executable::PLAIN, 0));
        Ok(started.unwrap_or(process))
    }
}

fn ids(ids: Vec<i64>) -> Vec<u32> {
    ids.into_iter().filter_map(|id| u32::try_from(id).ok()).collect()
}

/// Finds what to look at, and looks.
async fn ground(
    flags: &ClusterFlags,
    args: &CanIArgs,
    words: &[String],
    things: &[(&str, Option<u16>)],
) -> Result<Partial<Ground>, Fault> {
    let target = only(words)?;
    match (&target, &args.filename, &args.image) {
        (Some(_), Some(_), _) => {
            Err(Error::input("look at a workload and at a manifest", "it is one of them").into())
        }
        (None, file, Some(image)) => {
            let workload = file.as_deref().map(of_manifest).transpose()?;
            let image = image::read(image, &args.registry).await?;
            Ok(Partial::clean(of_image(args, workload.as_ref(), image, &Storage::default())?))
        }
        (None, _, None) => Err(Error::input(
            format!("tell whether it can {}", args.verb.as_str()),
            "what to look at is missing",
        )
        .help("name a workload as TYPE/NAME, or an image with --image")
        .into()),
        (Some(target), None, image) => {
            let cluster = Cluster::connect(&flags.connection()).await?;
            let _spinner = Spinner::start("looking");
            let mut read = explain::meant(&cluster, target, "look at").await?;
            let workload = read.value;
            // What it cannot tell is unknown, and the answer says so where it hangs on that.
            let storage = cluster.storage(std::slice::from_ref(&workload)).await;
            if let Some(image) = image {
                let image = image::read(image, &args.registry).await?;
                return Ok(Partial {
                    value: of_image(args, Some(&workload), image, &storage)?,
                    errors: read.errors,
                });
            }
            match of_running(&cluster, args, &workload, &storage, things).await? {
                Ok(ground) => Ok(Partial { value: ground, errors: read.errors }),
                Err(why) => {
                    read.errors.extend(why);
                    let container = container(args, &workload)?;
                    let image =
                        image::of_container(&cluster, &workload, container, &args.registry).await?;
                    read.errors.extend(image.errors);
                    Ok(Partial {
                        value: of_image(args, Some(&workload), image.value, &storage)?,
                        errors: read.errors,
                    })
                }
            }
        }
    }
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

fn of_manifest(file: &str) -> Result<Workload, Error> {
    let Partial { value: read, errors } =
        manifests::read(&[file.to_owned()], false, |manifest| manifest.workload);
    let mut found = read.workloads;
    if let Some(error) = errors.into_iter().next() {
        return Err(error);
    }
    found
        .pop()
        .filter(|_| found.is_empty())
        .ok_or_else(|| Error::input(format!("look at {file}"), "it must hold exactly one workload"))
}

/// The container of -c, else kubectl's own choice (`pkg/cmd/util/podcmd` of its source): the
/// annotated one or the first.
fn container<'w>(args: &CanIArgs, workload: &'w Workload) -> Result<&'w Container, Error> {
    const ANNOTATION: &str = "kubectl.kubernetes.io/default-container";
    let annotations = workload.metadata.annotations.as_ref();
    let annotated = annotations.and_then(|annotations| annotations.get(ANNOTATION));
    let first = workload.spec.containers.first().map(|container| &container.name);
    let named =
        |name: &String| workload.containers.iter().find(|container| container.name == *name);
    let found = match &args.container {
        Some(name) => named(name),
        None => annotated.and_then(named).or_else(|| first.and_then(named)),
    };
    found.ok_or_else(|| {
        let names: Vec<&str> =
            workload.containers.iter().map(|container| container.name.as_str()).collect();
        let what = args.container.as_deref().unwrap_or_default();
        Error::input(
            format!("look at container {what} of {}", workload.name),
            format!("it has {}", names.join(", ")),
        )
    })
}

/// What a running container shows, or why none does.
async fn of_running(
    cluster: &Cluster,
    args: &CanIArgs,
    workload: &Workload,
    storage: &Storage,
    things: &[(&str, Option<u16>)],
) -> Result<Result<Ground, Option<Error>>, Error> {
    let container = &container(args, workload)?.name;
    let namespace = workload.namespace.as_deref().unwrap_or(&cluster.namespace);
    let mut why = None;
    for pod in &explain::running(cluster, workload).await {
        let place = Place { namespace, pod, container };
        match look(cluster, place, args.verb, things, (workload, storage)).await {
            Ok(Some((seen, context, read_only, mounts))) => {
                let own = context.own.as_ref();
                let port_start = context.unprivileged_port_start.map_or_else(
                    || port_start(&workload.spec),
                    |value| PortStart { value, source: "in this container" },
                );
                return Ok(Ok(Ground {
                    evidence: format!("container {container} of pod {namespace}/{pod}"),
                    spec: workload.spec.clone(),
                    container: container.clone(),
                    read_only,
                    mounts,
                    port_start,
                    user: own.map(|own| (own.uid.effective, own.gid.effective, own.groups.clone())),
                    granted: own.map_or(Set::EMPTY, |own| own.sets.bounding),
                    no_new_privs: own.is_some_and(|own| own.no_new_privs),
                    program: Executable::PLAIN,
                    known: Known::Running { seen, context: Box::new(context) },
                }));
            }
            Ok(None) => {
                let attempted = format!("look into container {container} of pod {namespace}/{pod}");
                why = Some(
                    Error::remote(attempted, "its image has no stat")
                        .help("its image is read instead"),
                );
            }
            Err(error) => why = Some(error),
        }
    }
    Ok(Err(why))
}

type Looked = (ObservedFiles, AccessContext, bool, Vec<Mount>);

/// Looks at every path, and at where its links lead; `None` where the container has no means to
/// tell.
async fn look(
    cluster: &Cluster,
    place: Place<'_>,
    verb: Verb,
    things: &[(&str, Option<u16>)],
    (workload, storage): (&Workload, &Storage),
) -> Result<Option<Looked>, Error> {
    let mut context = cluster.access_context(place, &[]).await?;
    let Some(own) = &context.own else { return Ok(None) };
    let observer = own.clone();
    let mut seen = ObservedFiles::by(observer.clone());
    let paths: Vec<&str> =
        things.iter().filter(|(_, port)| port.is_none()).map(|(thing, _)| *thing).collect();
    loop {
        let next: std::collections::BTreeSet<String> =
            paths.iter().filter_map(|path| seen.unseen(path)).collect();
        if next.is_empty() {
            break;
        }
        let asked: Vec<&str> = next.iter().map(String::as_str).collect();
        let Some(found) = cluster.look_at(place, &asked).await? else { return Ok(None) };
        seen.add(next, &found);
    }
    let (read_only, mounts) =
        files::mounted(&workload.spec, place.container, &context.mounts, &|volume| {
            storage.fs_group(volume, workload)
        });
    if verb == Verb::Exec {
        let lookup = |path: &str| seen.lookup(path);
        let files = Files::new(&lookup, read_only, mounts.clone());
        // Whoever it is for, these are the files that it is about.
        let file = |path: &&str| {
            decide(&observer, &files, path, Access::Execute).steps.pop().map(|step| step.path)
        };
        let about: std::collections::BTreeSet<String> = paths.iter().filter_map(file).collect();
        let about: Vec<&str> = about.iter().map(String::as_str).collect();
        context.file_capabilities = cluster.access_context(place, &about).await?.file_capabilities;
    }
    Ok(Some((seen, context, read_only, mounts)))
}

/// The image, with what the workload's spec makes of it.
fn of_image(
    args: &CanIArgs,
    workload: Option<&Workload>,
    image: Image,
    storage: &Storage,
) -> Result<Ground, Error> {
    let container = workload.map(|workload| container(args, workload)).transpose()?;
    let name = container.map_or_else(String::new, |container| container.name.clone());
    let spec = workload.map(|workload| workload.spec.clone()).unwrap_or_default();
    let read_only = pods::read_only_root(&spec, &name);
    let mut mounts = Mount::of_runtime(read_only);
    if let Some(workload) = workload {
        mounts.extend(files::volumes(&spec, &name, &|volume| storage.fs_group(volume, workload)));
    }
    let command = pods::command(&spec, &name);
    let program =
        image.program(command).and_then(|found| image.tree.get(found)).map(|file| Executable {
            uid: file.attributes.uid,
            gid: file.attributes.gid,
            mode: file.attributes.mode,
            capabilities: file.attributes.capabilities,
            nosuid: false,
        });
    let evidence = match container {
        Some(_) => format!("container {name} of image {}", image.name),
        None => format!("image {}", image.name),
    };
    Ok(Ground {
        evidence,
        user: own_user(&spec, &name, container, &image),
        read_only,
        mounts,
        port_start: port_start(&spec),
        granted: pods::granted(&spec, &name, Set::CONTAINERD),
        no_new_privs: pods::no_new_privs(&spec, &name),
        program: program.unwrap_or(Executable::PLAIN),
        spec,
        container: name,
        known: Known::Image(Box::new(image)),
    })
}

/// Whom the spec or the status names, else the image's USER.
fn own_user(
    spec: &PodSpec,
    name: &str,
    container: Option<&Container>,
    image: &Image,
) -> Option<(u32, u32, Vec<u32>)> {
    let user = container.map(|container| &container.user);
    let id = |id: Option<i64>| id.and_then(|id| u32::try_from(id).ok());
    let gid = id(user.and_then(|user| user.gid)).or_else(|| pods::run_as_group(spec, name));
    let identity = match id(user.and_then(|user| user.uid)) {
        Some(uid) => image.accounts.of_uid(uid, gid),
        None => image.user().ok()?,
    };
    let of_image = identity.groups.iter().copied().filter(|_| !pods::strict_groups(spec));
    let mut groups: Vec<u32> = user.map(|user| ids(user.groups.clone())).unwrap_or_default();
    groups.extend(of_image);
    groups.sort_unstable();
    groups.dedup();
    Some((identity.uid, gid.unwrap_or(identity.gid), groups))
}

fn port_start(spec: &PodSpec) -> PortStart {
    match pods::sysctl(spec, UNPRIVILEGED_PORT_SYSCTL).and_then(|value| value.parse().ok()) {
        Some(value) => PortStart { value, source: "by the pod's sysctls" },
        None => PortStart {
            value: FIRST_UNPRIVILEGED,
            source: "by the kernel's default (a runtime may open all ports, as containerd 2 can by \
                     enable_unprivileged_ports: a running container tells)",
        },
    }
}
