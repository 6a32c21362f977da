//! The images of workloads: where each is read from, and what is reported of it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;

use super::live;
use super::progress::{Tell, Work};
use super::target::Target;
use crate::error::{Error, Partial};
use crate::evidence::cluster::Cluster;
use crate::evidence::image::{self, ReadOptions, Source};
use crate::evidence::pods;
use crate::model::container::Container;
use crate::model::image::Image;
use crate::model::image::paths::PathId;
use crate::model::workload::Workload;
use crate::output::image::ImageReport;
use crate::plan;

/// How to reach registries, and the node's own store of images.
#[derive(Debug, Clone, Default)]
pub struct RegistryOptions {
    pub options: ReadOptions,
    /// containerd's content store, to read a workload's images from on the node itself.
    pub content_store: Option<PathBuf>,
}

/// An image, and the container that runs it.
#[derive(Debug, Clone)]
pub struct FoundImage {
    pub container: Option<String>,
    /// The pod's own command.
    pub command: Vec<String>,
    pub image: Rc<Image>,
}

impl FoundImage {
    /// What is reported of it, with its files from `top` on.
    #[must_use]
    pub fn report(&self, top: Option<PathId>) -> ImageReport {
        let names: Vec<String> =
            self.container.iter().cloned().chain([program(&self.image.name)]).collect();
        ImageReport {
            container: self.container.clone(),
            ..ImageReport::new(&self.image, plan::of_image(&self.image, &self.command, &names), top)
        }
    }

    /// A file or directory of the image.
    ///
    /// # Errors
    /// The image has no such file.
    pub fn find(&self, path: &str) -> Result<PathId, Error> {
        self.image.tree.resolve(path.as_bytes(), true).ok_or_else(|| {
            let attempted = format!("list {path} of image {}", self.image.name);
            Error::input(attempted, "the image has no such file")
                .help("--tree alone lists all of it")
        })
    }
}

/// Reads an image that a user names: a reference, an archive, a layout or a content store.
///
/// # Errors
/// The image cannot be read.
pub(super) async fn read(name: &str, options: ReadOptions) -> Result<Image, Error> {
    image::read(name, Source::of(name), options).await
}

/// The same, with what is reported of it.
///
/// # Errors
/// As [`read`].
pub async fn named(name: &str, options: ReadOptions, tell: Tell<'_>) -> Result<FoundImage, Error> {
    let _work = Work::begin(tell, "reading the image");
    let image = Rc::new(read(name, options).await?);
    Ok(FoundImage { container: None, command: Vec::new(), image })
}

/// The workload whose images are read.
///
/// # Errors
/// The cluster does not answer, or has no such workload.
pub async fn workload(cluster: &Cluster, target: &Target) -> Result<Partial<Workload>, Error> {
    live::named(cluster, target, "read the images of").await
}

/// Reads the images of a workload's containers, one after the other.
pub struct ImagesOf<'w> {
    cluster: &'w Cluster,
    workload: &'w Workload,
    registry: &'w RegistryOptions,
    rest: std::slice::Iter<'w, Container>,
    /// Containers of one image are common: it is read once.
    last: Option<(Source, Rc<Image>)>,
    /// Errors that were told.
    told: BTreeSet<String>,
}

impl<'w> ImagesOf<'w> {
    #[must_use]
    pub fn new(
        cluster: &'w Cluster,
        workload: &'w Workload,
        registry: &'w RegistryOptions,
    ) -> Self {
        let rest = workload.containers.iter();
        ImagesOf { cluster, workload, registry, rest, last: None, told: BTreeSet::new() }
    }

    /// The image of the next container; `None` after the last. One that cannot be read is an error.
    pub async fn next(&mut self, tell: Tell<'_>) -> Option<Partial<Option<FoundImage>>> {
        let container = self.rest.next()?;
        let Partial { value: (source, options), mut errors } =
            source(self.cluster, self.workload, container, self.registry).await;
        errors.retain(|error| self.told.insert(error.to_string()));
        let image = match self.last.take().filter(|(known, _)| *known == source) {
            Some((_, image)) => image,
            None => {
                let _work = Work::begin(tell, "reading an image");
                match image::read(&container.image, source.clone(), options).await {
                    Ok(image) => Rc::new(image),
                    Err(error) => {
                        errors.push(error);
                        return Some(Partial { value: None, errors });
                    }
                }
            }
        };
        self.last = Some((source, Rc::clone(&image)));
        let command = pods::command(&self.workload.spec, &container.name).to_vec();
        let found = FoundImage { container: Some(container.name.clone()), command, image };
        Some(Partial { value: Some(found), errors })
    }
}

/// What is known of the images that workloads run, each image once, by the name that their pods
/// give it; with no cluster, from the registry with the user's own login. What could not be read is
/// an error beside the rest.
pub(super) async fn of_workloads(
    cluster: Option<&Cluster>,
    workloads: &[Workload],
    registry: &RegistryOptions,
    tell: Tell<'_>,
) -> Partial<Vec<ImageReport>> {
    let (mut found, mut failed) = (Partial::clean(Vec::new()), BTreeSet::new());
    let _work = Work::begin(tell, "reading images");
    for (workload, container) in
        workloads.iter().flat_map(|one| one.containers.iter().map(move |part| (one, part)))
    {
        let name = &container.image;
        if failed.contains(name)
            || found.value.iter().any(|report: &ImageReport| report.name == *name)
        {
            continue;
        }
        match of_container(cluster, workload, container, registry).await {
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

/// The images of a workload, each with its container, every one read once. One that cannot be read
/// is an error beside the rest.
pub(super) async fn of_each(
    cluster: Option<&Cluster>,
    workload: Option<&Workload>,
    registry: &RegistryOptions,
    tell: Tell<'_>,
) -> Partial<Vec<(String, Image)>> {
    let mut found = Partial::clean(Vec::new());
    let Some(workload) = workload else { return found };
    let _work = Work::begin(tell, "reading images");
    for container in &workload.containers {
        let known =
            found.value.iter().find(|(_, image): &&(String, Image)| image.name == container.image);
        if let Some(image) = known.map(|(_, image)| image.clone()) {
            found.value.push((container.name.clone(), image));
            continue;
        }
        match of_container(cluster, workload, container, registry).await {
            Ok(Partial { value, errors }) => {
                found.value.push((container.name.clone(), value));
                found.errors.extend(errors);
            }
            Err(error) => found.errors.push(error),
        }
    }
    found
}

/// The image of a workload's container, with the pod's pull secrets and for its node; with no
/// cluster, the image that the spec names. What could not be learnt of secrets and node is an error
/// beside it.
///
/// # Errors
/// The image cannot be read.
pub(super) async fn of_container(
    cluster: Option<&Cluster>,
    workload: &Workload,
    container: &Container,
    registry: &RegistryOptions,
) -> Result<Partial<Image>, Error> {
    let Some(cluster) = cluster else {
        return read(&container.image, registry.options.clone()).await.map(Partial::clean);
    };
    let Partial { value: (source, options), errors } =
        source(cluster, workload, container, registry).await;
    Ok(Partial { value: image::read(&container.image, source, options).await?, errors })
}

/// Where a container's image is to be found, and how.
pub(super) async fn source(
    cluster: &Cluster,
    workload: &Workload,
    container: &Container,
    registry: &RegistryOptions,
) -> Partial<(Source, ReadOptions)> {
    let namespace = workload.namespace.as_deref().unwrap_or(&cluster.namespace);
    let mut errors = Vec::new();
    let mut options = registry.options.clone();
    let mut id = None;
    if let Some(pod) = workload.metadata.name.as_deref().filter(|_| workload.pods > 0) {
        match cluster.image_id(namespace, pod, &container.name).await {
            Ok(found) => id = found,
            Err(error) => errors.push(error),
        }
    }
    if let (Some(store), Some(id)) = (&registry.content_store, &id) {
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

/// The last part of a reference or file name without tag, digest and ending: what people call the
/// program by.
fn program(name: &str) -> String {
    let last = name.split('@').next().unwrap_or(name).rsplit('/').next().unwrap_or(name);
    last.split([':', '.']).next().unwrap_or(last).to_owned()
}
