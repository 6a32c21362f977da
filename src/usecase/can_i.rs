//! May a container's process do this, and why.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::PodSpec;

use super::images::{self, RegistryOptions};
use super::live;
use super::progress::{Tell, Work};
use super::target::Target;
use crate::error::{Error, Partial};
use crate::evidence::cluster::{Cluster, Connection, Place};
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

/// What is asked, and of which container.
#[derive(Debug, Clone)]
pub struct CanIOptions {
    /// What the process wants to do, as in `can-i VERB`.
    pub verb: &'static str,
    /// At least one question, each with its path or port as it was written. A chown is to the user
    /// and group that ask.
    pub questions: Vec<(String, AccessQuestion)>,
    pub target: Option<Target>,
    /// A manifest instead of a workload of the cluster.
    pub file: Option<String>,
    /// Which container; without, kubectl's default container or the first.
    pub container: Option<String>,
    /// Another user than the container's own.
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub groups: Option<Vec<u32>>,
    /// An image to look at, not a running container.
    pub image: Option<String>,
    pub registry: RegistryOptions,
}

impl CanIOptions {
    /// The paths that it asks about.
    fn paths(&self) -> impl Iterator<Item = &str> {
        self.questions.iter().filter_map(|(_, question)| match question {
            AccessQuestion::Path(_, path) | AccessQuestion::Exec(path) => Some(path.as_str()),
            AccessQuestion::Bind(_) => None,
        })
    }

    fn is_exec(&self) -> bool {
        self.questions.iter().any(|(_, question)| matches!(question, AccessQuestion::Exec(_)))
    }
}

/// Answers each question, from a running container or from an image.
///
/// # Errors
/// Nothing can be looked at, or nothing tells which user the container runs as.
pub async fn can_i(
    connection: &Connection,
    options: &CanIOptions,
    tell: Tell<'_>,
) -> Result<Partial<CanIReport>, Error> {
    let Partial { value: basis, errors } = basis(connection, options, tell).await?;
    let process = basis.process(options)?;
    let lookup = |path: &str| basis.lookup(path);
    let requester = Requester {
        process: process.clone(),
        files: Files::new(&lookup, basis.read_only, basis.mounts.clone()),
        file_capabilities: &|path| basis.file_capabilities(path),
        port_start: basis.port_start.clone(),
    };
    let answered = |(text, question): &(String, AccessQuestion)| {
        Answered::new(options.verb, text, answer(&requester, &asked_by(&process, question)))
    };
    let answers = options.questions.iter().map(answered).collect();
    let warnings = errors.iter().map(ToString::to_string).collect();
    let report = CanIReport::new(warnings, basis.evidence.clone(), &process, answers);
    Ok(Partial { value: report, errors })
}

/// A question, asked by this process.
fn asked_by(process: &Credentials, question: &AccessQuestion) -> AccessQuestion {
    match question {
        AccessQuestion::Path(Access::Chown { .. }, path) => {
            let (uid, gid) = (Some(process.uid.effective), Some(process.gid.effective));
            AccessQuestion::Path(Access::Chown { uid, gid }, path.clone())
        }
        other => other.clone(),
    }
}

/// What an answer is based on.
struct Basis {
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

impl Basis {
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
    fn process(&self, options: &CanIOptions) -> Result<Credentials, Error> {
        let given = options.uid.is_some() || options.gid.is_some() || options.groups.is_some();
        if let (Known::Running { context, .. }, false) = (&self.known, given)
            && let Some(own) = &context.own
        {
            // The first process has what its own file brought it, unless it went over to another
            // user.
            let first =
                context.first.as_ref().filter(|first| (first.uid, first.gid) == (own.uid, own.gid));
            return Ok(first.unwrap_or(own).clone());
        }
        let own =
            self.user.as_ref().filter(|(uid, ..)| options.uid.is_none_or(|given| given == *uid));
        let Some(uid) = options.uid.or(own.map(|(uid, ..)| *uid)) else {
            let attempted = format!("tell which user container {} runs as", self.container);
            return Err(
                Error::remote(attempted, "neither its pod nor its image says").help("give --uid")
            );
        };
        let gid = options
            .gid
            .or(own.map(|(_, gid, _)| *gid))
            .or_else(|| pods::run_as_group(&self.spec, &self.container));
        let identity = self.accounts().of_uid(uid, gid);
        let groups = options
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
async fn basis(
    connection: &Connection,
    options: &CanIOptions,
    tell: Tell<'_>,
) -> Result<Partial<Basis>, Error> {
    let registry = &options.registry;
    match (&options.target, &options.file, &options.image) {
        (Some(_), Some(_), _) => {
            Err(Error::input("look at a workload and at a manifest", "it is one of them"))
        }
        (None, file, Some(image)) => {
            let workload = file.as_deref().map(of_manifest).transpose()?;
            let image = images::read(image, registry.options.clone()).await?;
            Ok(Partial::clean(of_image(options, workload.as_ref(), image, &Storage::default())?))
        }
        (None, _, None) => Err(Error::input(
            format!("tell whether it can {}", options.verb),
            "what to look at is missing",
        )
        .help("name a workload as TYPE/NAME, or an image with --image")),
        (Some(target), None, image) => {
            let cluster = Cluster::connect(connection).await?;
            let _work = Work::begin(tell, "looking");
            let Partial { value: workload, mut errors } =
                live::named(&cluster, target, "look at").await?;
            // What it cannot tell is unknown, and the answer says so where it hangs on that.
            let storage = cluster.storage(std::slice::from_ref(&workload)).await;
            if let Some(image) = image {
                let image = images::read(image, registry.options.clone()).await?;
                let value = of_image(options, Some(&workload), image, &storage)?;
                return Ok(Partial { value, errors });
            }
            let value = match of_running(&cluster, options, &workload, &storage).await? {
                Ok(basis) => basis,
                Err(why) => {
                    errors.extend(why);
                    let container = container(options, &workload)?;
                    let image =
                        images::of_container(Some(&cluster), &workload, container, registry)
                            .await?;
                    errors.extend(image.errors);
                    of_image(options, Some(&workload), image.value, &storage)?
                }
            };
            Ok(Partial { value, errors })
        }
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
fn container<'w>(options: &CanIOptions, workload: &'w Workload) -> Result<&'w Container, Error> {
    const ANNOTATION: &str = "kubectl.kubernetes.io/default-container";
    let annotations = workload.metadata.annotations.as_ref();
    let annotated = annotations.and_then(|annotations| annotations.get(ANNOTATION));
    let first = workload.spec.containers.first().map(|container| &container.name);
    let named =
        |name: &String| workload.containers.iter().find(|container| container.name == *name);
    let found = match &options.container {
        Some(name) => named(name),
        None => annotated.and_then(named).or_else(|| first.and_then(named)),
    };
    found.ok_or_else(|| {
        let names: Vec<&str> =
            workload.containers.iter().map(|container| container.name.as_str()).collect();
        let what = options.container.as_deref().unwrap_or_default();
        Error::input(
            format!("look at container {what} of {}", workload.name),
            format!("it has {}", names.join(", ")),
        )
    })
}

/// What a running container shows, or why none does.
async fn of_running(
    cluster: &Cluster,
    options: &CanIOptions,
    workload: &Workload,
    storage: &Storage,
) -> Result<Result<Basis, Option<Error>>, Error> {
    let container = &container(options, workload)?.name;
    let namespace = workload.namespace.as_deref().unwrap_or(&cluster.namespace);
    let mut why = None;
    for pod in &live::running_pods(cluster, workload).await {
        let place = Place { namespace, pod, container };
        match look(cluster, place, options, (workload, storage)).await {
            Ok(Some((seen, context, read_only, mounts))) => {
                let own = context.own.as_ref();
                let port_start = context.unprivileged_port_start.map_or_else(
                    || port_start(&workload.spec),
                    |value| PortStart { value, source: "in this container" },
                );
                return Ok(Ok(Basis {
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
    options: &CanIOptions,
    (workload, storage): (&Workload, &Storage),
) -> Result<Option<Looked>, Error> {
    let mut context = cluster.access_context(place, &[]).await?;
    let Some(own) = &context.own else { return Ok(None) };
    let observer = own.clone();
    let mut seen = ObservedFiles::by(observer.clone());
    let paths: Vec<&str> = options.paths().collect();
    loop {
        let next: BTreeSet<String> = paths.iter().filter_map(|path| seen.unseen(path)).collect();
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
    if options.is_exec() {
        let lookup = |path: &str| seen.lookup(path);
        let files = Files::new(&lookup, read_only, mounts.clone());
        // Every user would execute these files.
        let file = |path: &&str| {
            decide(&observer, &files, path, Access::Execute).steps.pop().map(|step| step.path)
        };
        let about: BTreeSet<String> = paths.iter().filter_map(file).collect();
        let about: Vec<&str> = about.iter().map(String::as_str).collect();
        context.file_capabilities = cluster.access_context(place, &about).await?.file_capabilities;
    }
    Ok(Some((seen, context, read_only, mounts)))
}

/// The image, with what the workload's spec makes of it.
fn of_image(
    options: &CanIOptions,
    workload: Option<&Workload>,
    image: Image,
    storage: &Storage,
) -> Result<Basis, Error> {
    let container = workload.map(|workload| container(options, workload)).transpose()?;
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
    Ok(Basis {
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

/// The user that the spec or the status names, else the image's USER.
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
