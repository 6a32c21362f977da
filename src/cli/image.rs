//! `kubectl nonroot image`: what an image is made of, and what keeps it from running as non-root.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::flags::ClusterFlags;
use super::progress::Spinner;
use super::target::{self, Target};
use super::{Fault, exit_code, explain, json, print, say, width, yaml};
use crate::error::{Error, Partial};
use crate::evidence::cluster::Cluster;
use crate::evidence::image::{self, Cache, ReadOptions, RegistryAccess, Source};
use crate::evidence::pods;
use crate::model::container::Container;
use crate::model::image::Image;
use crate::model::image::paths::PathId;
use crate::model::workload::Workload;
use crate::output::html;
use crate::output::image::{ImageList, ImageReport, table, tree};
use crate::plan;

/// Show what an image runs as, who owns what in it, and where its bytes are wasted
///
/// Reads an image from a registry, an OCI layout, an archive of docker save, or containerd's
/// content store, without unpacking it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ImageArgs {
    /// A reference such as nginx:1.29, an archive, a layout's directory,
    /// CONTENT-STORE@sha256:DIGEST, or a workload as TYPE/NAME, whose containers' images are
    /// read one after the other
    #[arg(value_name = "REF|FILE|TYPE/NAME")]
    image: String,
    /// List the files, or those below PATH, with the layer that each came from
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = "/")]
    tree: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
    /// Platform of an image for several, such as linux/arm64; this machine's without
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// Which image of an archive or a layout that holds several
    #[arg(long = "image", value_name = "NAME|TAG")]
    name: Option<String>,
    #[command(flatten)]
    registry: RegistryFlags,
}

const EXAMPLES: &str = "\
Examples:
  kubectl nonroot image nginx:1.29              # from a registry
  kubectl nonroot image web.tar                 # from docker save, podman save or buildah push
  kubectl nonroot image web.tar --tree /var     # its files: mode, owner, size, layer
  kubectl nonroot image web.tar -o json
  kubectl nonroot image deploy/web -n shop      # what its containers run, with the pod's pull secrets

Exit codes: 0 done, 2 bad usage or input, 3 cluster, registry or permission failure.";

/// How to reach registries, for every command that reads images.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Registry flags")]
pub(super) struct RegistryFlags {
    /// Registry to speak plain HTTP with; may be repeated
    #[arg(long, value_name = "HOST:PORT")]
    plain_http: Vec<String>,
    /// Registry to ask instead of the one that a reference names
    #[arg(long, value_name = "HOST[:PORT]")]
    registry_mirror: Option<String>,
    /// containerd's content store, to read a workload's images from on the node itself; such as
    /// /var/lib/containerd/io.containerd.content.v1.content
    #[arg(long, value_name = "DIRECTORY")]
    content_store: Option<PathBuf>,
    /// Keep nothing that was pulled or read
    #[arg(long)]
    no_image_cache: bool,
    /// How much to keep of what was pulled and read, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 2048, env = "NONROOT_IMAGE_CACHE_MIB")]
    image_cache_size: u64,
}

impl RegistryFlags {
    /// The flags as the reader of images takes them.
    #[must_use]
    pub(super) fn options(&self) -> ReadOptions {
        let cache = Cache::directory().filter(|_| !self.no_image_cache);
        ReadOptions {
            access: RegistryAccess {
                plain_http: self.plain_http.clone(),
                mirror: self.registry_mirror.clone(),
                pull_secrets: Vec::new(),
            },
            cache: cache.map(|directory: PathBuf| {
                Cache::new(directory, self.image_cache_size.saturating_mul(1 << 20))
            }),
            ..ReadOptions::default()
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Yaml,
    /// A page with a picture of layers and owners
    Html,
}

/// One image to report on, and whose it is.
struct Found {
    container: Option<String>,
    /// The pod's own command.
    command: Vec<String>,
    image: Image,
}

pub(super) async fn run(flags: &ClusterFlags, args: ImageArgs) -> Result<u8, Fault> {
    let Some(target) = workload(&args.image) else {
        let options = ReadOptions {
            platform: args.platform.clone(),
            image: args.name.clone(),
            ..args.registry.options()
        };
        let spinner = Spinner::start("reading the image");
        let image = image::read(&args.image, Source::of(&args.image), options).await?;
        drop(spinner);
        show(&args, &Found { container: None, command: Vec::new(), image }, |report| {
            match args.output {
                Format::Json => json(&report),
                Format::Html => html::images(&[], &[report]),
                _ => yaml(&report),
            }
        })?;
        return Ok(0);
    };
    let cluster = Cluster::connect(&flags.connection()).await?;
    let read = explain::meant(&cluster, &target, "read the images of").await?;
    let (workload, mut errors) = (read.value, read.errors);
    let mut reports = Vec::new();
    let mut said = BTreeSet::new();
    // Containers of one image are common: it is read once.
    let mut last: Option<(Source, Image)> = None;
    let mut first = true;
    for container in &workload.containers {
        let Partial { value: (source, options), errors: missing } =
            source(&cluster, &workload, container, &args.registry).await;
        errors.extend(missing.into_iter().filter(|error| said.insert(error.to_string())));
        let image = match last.take().filter(|(known, _)| *known == source) {
            Some((_, image)) => image,
            None => {
                let spinner = Spinner::start("reading an image");
                let read = image::read(&container.image, source.clone(), options).await;
                drop(spinner);
                match read {
                    Ok(image) => image,
                    Err(error) => {
                        errors.push(error);
                        continue;
                    }
                }
            }
        };
        let command = pods::command(&workload.spec, &container.name).to_vec();
        let found = Found { container: Some(container.name.clone()), command, image };
        if args.output == Format::Table && !std::mem::replace(&mut first, false) {
            print("\n")?;
        }
        show(&args, &found, |report| {
            reports.push(report);
            Ok(String::new())
        })?;
        last = Some((source, found.image));
    }
    let warnings = errors.iter().map(Error::to_string).collect();
    let list = ImageList::new(warnings, reports);
    match args.output {
        Format::Table => {}
        Format::Json => print(&json(&list)?)?,
        Format::Yaml => print(&yaml(&list)?)?,
        Format::Html => print(&html::images(&list.warnings, &list.images)?)?,
    }
    for error in &errors {
        say(format_args!("warning: {error}"));
    }
    Ok(exit_code(&errors, false))
}

/// `deploy/web`, where no file is called so: a workload of a built-in type. Docker Hub has no user
/// with such a name.
fn workload(text: &str) -> Option<Target> {
    let is_file =
        matches!(Source::of(text), Source::Archive(_) | Source::Layout(_) | Source::Store(..));
    let mut targets =
        target::targets(&[text.to_owned()]).ok().filter(|_| text.contains('/') && !is_file)?;
    targets.pop().filter(Target::is_built_in)
}

/// An image that a flag names.
pub(super) async fn read(text: &str, flags: &RegistryFlags) -> Result<Image, Error> {
    image::read(text, Source::of(text), flags.options()).await
}

/// What is known of the images that workloads run, each image once, by the name that their pods
/// give it; with no cluster, from the registry with the user's own login. What could not be read is
/// an error beside the rest.
pub(super) async fn of_workloads(
    cluster: Option<&Cluster>,
    workloads: &[Workload],
    flags: &RegistryFlags,
) -> Partial<Vec<ImageReport>> {
    let (mut found, mut failed) = (Partial::clean(Vec::new()), BTreeSet::new());
    let _spinner = Spinner::start("reading images");
    for (workload, container) in
        workloads.iter().flat_map(|one| one.containers.iter().map(move |part| (one, part)))
    {
        let name = &container.image;
        if failed.contains(name)
            || found.value.iter().any(|report: &ImageReport| report.name == *name)
        {
            continue;
        }
        let read = match cluster {
            Some(cluster) => of_container(cluster, workload, container, flags).await,
            None => read(name, flags).await.map(Partial::clean),
        };
        match read {
            Ok(Partial { value: image, errors }) => {
                let command = pods::command(&workload.spec, &container.name).to_vec();
                let identities =
                    plan::of_image(&image, &command, &[container.name.clone(), program(name)]);
                found.value.push(ImageReport {
                    name: name.clone(),
                    ..ImageReport::new(&image, identities, None)
                });
                found
                    .errors
                    .extend(errors.into_iter().filter(|error| failed.insert(error.to_string())));
            }
            Err(error) => {
                failed.insert(name.clone());
                found.errors.push(error);
            }
        }
    }
    found
}

/// The image of a workload's container, with the pod's pull secrets and for its node; what could
/// not be learnt of those beside it.
pub(super) async fn of_container(
    cluster: &Cluster,
    workload: &Workload,
    container: &Container,
    flags: &RegistryFlags,
) -> Result<Partial<Image>, Error> {
    let Partial { value: (source, options), errors } =
        source(cluster, workload, container, flags).await;
    Ok(Partial { value: image::read(&container.image, source, options).await?, errors })
}

/// Where a container's image is to be found, and how.
pub(super) async fn source(
    cluster: &Cluster,
    workload: &Workload,
    container: &Container,
    flags: &RegistryFlags,
) -> Partial<(Source, ReadOptions)> {
    let namespace = workload.namespace.as_deref().unwrap_or(&cluster.namespace);
    let mut errors = Vec::new();
    let mut options = flags.options();
    let mut id = None;
    if let Some(pod) = workload.metadata.name.as_deref().filter(|_| workload.pods > 0) {
        match cluster.image_id(namespace, pod, &container.name).await {
            Ok(found) => id = found,
            Err(error) => errors.push(error),
        }
    }
    if let (Some(store), Some(id)) = (&flags.content_store, &id) {
        let digest = id.rsplit('@').next().unwrap_or(id).to_owned();
        return Partial { value: (Source::Store(store.clone(), digest), options), errors };
    }
    if let Some(node) = &workload.spec.node_name {
        match cluster.platform(node).await {
            Ok(platform) => options.platform = platform,
            Err(error) => errors.push(error),
        }
    }
    let secrets = cluster.pull_secrets(namespace, &workload.spec).await;
    options.access.pull_secrets = secrets.value;
    errors.extend(secrets.errors);
    // What runs, not what the tag means by now.
    let reference = id.filter(|id| id.contains('@')).unwrap_or_else(|| container.image.clone());
    let reference = reference.trim_start_matches("docker-pullable://").to_owned();
    Partial { value: (Source::Registry(reference), options), errors }
}

/// Shows an image: as a table, or by a report for tools.
fn show(
    args: &ImageArgs,
    found: &Found,
    tool: impl FnOnce(ImageReport) -> Result<String, Error>,
) -> Result<(), Fault> {
    let image = &found.image;
    let top = args.tree.as_deref().map(|path| directory(image, path)).transpose()?;
    let names: Vec<String> =
        found.container.iter().cloned().chain([program(&image.name)]).collect();
    let report = |top| ImageReport {
        container: found.container.clone(),
        ..ImageReport::new(image, plan::of_image(image, &found.command, &names), top)
    };
    match (args.output, top) {
        (Format::Table, Some(top)) => list(image, top)?,
        (Format::Table, None) => print(&table(&report(None), width()))?,
        (_, top) => print(&tool(report(top))?)?,
    }
    for warning in &image.warnings {
        say(format_args!("warning: {warning}"));
    }
    Ok(())
}

/// The last part of a reference or file name without tag, digest and ending: what people call the
/// program by.
fn program(name: &str) -> String {
    let last = name.split('@').next().unwrap_or(name).rsplit('/').next().unwrap_or(name);
    last.split([':', '.']).next().unwrap_or(last).to_owned()
}

fn directory(image: &Image, path: &str) -> Result<PathId, Error> {
    image.tree.resolve(path.as_bytes(), true).ok_or_else(|| {
        Error::input(format!("list {path} of image {}", image.name), "the image has no such file")
            .help("--tree alone lists all of it")
    })
}

/// In pieces: the list may be long, and its reader gone.
fn list(image: &Image, top: PathId) -> Result<(), Fault> {
    const PIECE: usize = 64 << 10;
    let mut piece = String::new();
    let mut result = Ok(());
    tree(image, top, |line| {
        piece.push_str(line);
        if piece.len() > PIECE && result.is_ok() {
            result = print(&piece);
            piece.clear();
        }
    });
    result?;
    print(&piece)
}
