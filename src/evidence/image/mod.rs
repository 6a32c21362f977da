//! Images, read without unpacking them to disk: from a registry, an OCI layout, an archive or
//! containerd's content store.

mod archive;
mod cache;
mod configurations;
mod digest;
mod index;
pub mod layer;
mod layout;
mod manifest;
mod part;
mod registry;
mod tar;

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

pub use cache::Cache;
pub use configurations::{Wanted, configurations};
pub use registry::RegistryAccess;

use crate::error::Error;
use crate::model::image::Image;
use crate::model::image::layer::Layer;
use archive::Archive;
use cache::Shelf;
use digest::Digest;
use layer::{Expected, Limits, Measured, Memory};
use layout::Layout;
use manifest::{Descriptor, ImageConfig, Manifest, Platform, Saved};
use part::{Origin, Part};
use registry::Registry;

/// Bytes of an index, a manifest or a configuration: registries take manifests of 4 MiB, and the
/// history of a real image is far below.
const MAX_JSON: u64 = 16 << 20;
/// Indexes within indexes.
const MAX_DEPTH: usize = 4;
/// Layers of an image; overlay file systems take 127 in practice.
const MAX_LAYERS: usize = 1024;
/// Downloads at a time, which wait for the network more than for a processor.
const DOWNLOADS: usize = 4;

/// Where an image is to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A reference to a registry, as in a pod's spec.
    Registry(String),
    /// A directory with an `index.json` and `blobs`.
    Layout(PathBuf),
    /// A tar file of a layout or of `docker save`, compressed or not.
    Archive(PathBuf),
    /// A directory with `blobs`, such as `/var/lib/containerd/io.containerd.content.v1.content`,
    /// and the digest of a manifest or index in it, or of an image's configuration, which is
    /// what a runtime calls an image's id.
    Store(PathBuf, String),
}

impl Source {
    /// What a user means: a file or directory that exists, else a reference.
    #[must_use]
    pub fn of(text: &str) -> Source {
        let path = Path::new(text);
        if let Some((root, digest)) = text.rsplit_once('@')
            && Layout::has_blobs(Path::new(root))
        {
            Source::Store(PathBuf::from(root), digest.to_owned())
        } else if path.is_dir() {
            Source::Layout(path.to_owned())
        } else if path.is_file() {
            Source::Archive(path.to_owned())
        } else {
            Source::Registry(text.to_owned())
        }
    }
}

/// How to read.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    pub access: RegistryAccess,
    /// The platform wanted of an image for several, as `linux/arm64`; this machine's, if `None`.
    pub platform: Option<String>,
    /// Which image of an archive or a layout with several: a tag or name that it gives.
    pub image: Option<String>,
    /// For blobs from a registry, and for what was read of layers.
    pub cache: Option<Cache>,
    pub limits: Limits,
}

/// Reads an image. `name` is what messages and the result call it.
///
/// # Errors
/// One sentence: an image is read whole or not at all, since half of its layers would tell of files
/// that are not there.
pub async fn read(name: &str, source: Source, options: ReadOptions) -> Result<Image, Error> {
    let name = name.to_owned();
    let attempted = format!("read image {name}");
    let task = tokio::task::spawn_blocking(move || read_blocking(&name, &source, &options));
    task.await.unwrap_or_else(|error| Err(Error::input(attempted, error)))
}

/// What [`read`] does; within a tokio runtime, on a thread that may block.
fn read_blocking(name: &str, source: &Source, options: &ReadOptions) -> Result<Image, Error> {
    let fault = |why: String| match source {
        Source::Registry(_) => Error::remote(format!("read image {name}"), why),
        _ => Error::input(format!("read image {name}"), why),
    };
    let platform = match &options.platform {
        Some(text) => Platform::parse(text).ok_or_else(|| {
            Error::input(format!("read image {name}"), format!("{text:?} is no platform"))
                .help("give one such as linux/arm64")
        })?,
        None => Platform::here(),
    };
    let blobs = Blobs::open(source, options).map_err(fault)?;
    let plan = blobs.plan(source, &platform, options).map_err(fault)?;
    let layers = blobs.layers(&plan, options).map_err(fault)?;
    let instructions = plan.config.instructions().map(Some).chain(std::iter::repeat(None));
    let layers = plan
        .layers
        .iter()
        .zip(layers)
        .zip(instructions)
        .map(|((source, layer), instruction)| {
            (source.shown.clone(), instruction.unwrap_or_default(), layer)
        })
        .collect();
    let digest = plan.digest.map(|digest| digest.to_string());
    Ok(Image::assemble(
        name.to_owned(),
        digest,
        plan.config.platform().to_string(),
        plan.config.run(),
        layers,
    ))
}

/// Where the bytes come from.
enum Blobs {
    Layout(Layout),
    Archive(Archive),
    Registry(Box<Registry>, Option<Cache>),
}

/// What to read, and what it must hash to.
struct Plan {
    /// Of the manifest.
    digest: Option<Digest>,
    config: ImageConfig,
    layers: Vec<LayerSource>,
}

struct LayerSource {
    place: Place,
    expected: Expected,
    /// The digest to show.
    shown: String,
    /// In bytes as stored; 0 if not known.
    size: u64,
}

#[derive(Debug, Clone)]
enum Place {
    Blob(Digest),
    /// A file of an archive.
    Member(String),
}

impl Blobs {
    fn open(source: &Source, options: &ReadOptions) -> Result<Blobs, String> {
        match source {
            Source::Registry(reference) => Ok(Blobs::Registry(
                Box::new(Registry::connect(reference, &options.access)?),
                options.cache.clone(),
            )),
            Source::Layout(root) if Layout::has_index(root) => Ok(Blobs::Layout(Layout::new(root))),
            Source::Layout(root) if Layout::has_blobs(root) => Err(
                "it has blobs but no index.json: name a manifest of it as DIRECTORY@sha256:DIGEST"
                    .to_owned(),
            ),
            Source::Layout(_) => {
                Err("the directory is no OCI image layout: it has no index.json".to_owned())
            }
            Source::Store(root, _) => Ok(Blobs::Layout(Layout::new(root))),
            Source::Archive(path) => Archive::open(path, &options.limits)
                .map(Blobs::Archive)
                .map_err(|error| match error.kind() {
                    io::ErrorKind::InvalidData => format!("the file is no image archive: {error}"),
                    io::ErrorKind::UnexpectedEof => format!("the archive is truncated ({error})"),
                    _ => error.to_string(),
                }),
        }
    }

    fn plan(
        &self,
        source: &Source,
        platform: &Platform,
        options: &ReadOptions,
    ) -> Result<Plan, String> {
        match (self, source) {
            (Blobs::Layout(layout), Source::Store(_, digest)) => {
                let digest =
                    Digest::parse(digest).ok_or_else(|| format!("{digest:?} is no digest"))?;
                let bytes = self.json(&digest)?;
                if !manifest::is_config(&bytes) {
                    return self.resolve(Some(digest), &bytes, platform, options);
                }
                let manifest = layout.manifest_of(&digest).ok_or_else(|| {
                    format!("{digest} is a configuration, and no manifest for it is there")
                })?;
                let bytes = self.json(&manifest)?;
                self.resolve(Some(manifest), &bytes, platform, options)
            }
            (Blobs::Layout(layout), _) => {
                let index = read_json(layout.index().map_err(|error| error.to_string())?)?;
                self.resolve(None, &index, platform, options)
            }
            (Blobs::Archive(archive), _)
                if archive.has("index.json") && archive.has("oci-layout") =>
            {
                let index =
                    read_json(archive.read("index.json").map_err(|error| error.to_string())?)?;
                self.resolve(None, &index, platform, options)
            }
            (Blobs::Archive(archive), _) if archive.has("manifest.json") => saved(archive, options),
            (Blobs::Archive(_), _) => {
                Err("the archive holds no image: it has neither an index.json nor a manifest.json"
                    .to_owned())
            }
            (Blobs::Registry(registry, _), _) => {
                let digest = registry.digest();
                let bytes = match &digest {
                    Some(digest) => self.manifest(digest)?,
                    None => registry.manifest(None)?,
                };
                let digest = digest.unwrap_or_else(|| Digest::of(&bytes));
                self.resolve(Some(digest), &bytes, platform, options)
            }
        }
    }

    /// From an index, or already a manifest, to the layers of one image.
    fn resolve(
        &self,
        mut digest: Option<Digest>,
        bytes: &[u8],
        platform: &Platform,
        options: &ReadOptions,
    ) -> Result<Plan, String> {
        let mut manifest: Manifest = manifest::parse(bytes, "manifest")?;
        let mut depth = 0;
        while let Some(manifests) = &manifest.manifests {
            depth += 1;
            if depth > MAX_DEPTH {
                return Err(
                    "it is an index in an index in an index, too deep to be meant".to_owned()
                );
            }
            // Names stand in the outermost index only.
            let image = options.image.as_deref().filter(|_| depth == 1);
            let chosen = choose(manifests, platform, image)?;
            let next = Digest::parse(&chosen.digest)
                .ok_or_else(|| format!("{:?} is no digest", chosen.digest))?;
            manifest = manifest::parse(&self.manifest(&next)?, "manifest")?;
            digest = Some(next);
        }
        let Some(config) = &manifest.config else {
            return Err(match manifest.schema_version {
                1 => {
                    "it has a manifest of Docker's schema 1, which registries no longer serve: push it anew".to_owned()
                }
                _ => format!("its manifest has no configuration (media type {:?})", manifest.media_type),
            });
        };
        let config = Digest::parse(&config.digest)
            .ok_or_else(|| format!("{:?} is no digest", config.digest))?;
        let config: ImageConfig = manifest::parse(&self.json(&config)?, "configuration")?;
        if manifest.layers.len() > MAX_LAYERS {
            return Err(format!("it has {} layers, more than {MAX_LAYERS}", manifest.layers.len()));
        }
        let layers = manifest
            .layers
            .iter()
            .map(|layer| {
                let digest = Digest::parse(&layer.digest)
                    .ok_or_else(|| format!("{:?} is no digest", layer.digest))?;
                Ok(LayerSource {
                    expected: Expected { stored: Some(digest.clone()), unpacked: None },
                    shown: layer.digest.clone(),
                    size: layer.size,
                    place: Place::Blob(digest),
                })
            })
            .collect::<Result<_, String>>()?;
        Ok(Plan { digest, config, layers })
    }

    /// A manifest or an index by its digest. A registry has its own address for them.
    fn manifest(&self, digest: &Digest) -> Result<Vec<u8>, String> {
        match self {
            Blobs::Registry(registry, cache) => {
                cached(cache.as_ref(), digest, || registry.manifest(Some(digest)))
            }
            _ => self.json(digest),
        }
    }

    /// A small blob, checked.
    fn json(&self, digest: &Digest) -> Result<Vec<u8>, String> {
        match self {
            Blobs::Registry(registry, cache) => {
                cached(cache.as_ref(), digest, || registry.blob(digest).and_then(read_json))
            }
            _ => {
                let bytes = read_json(self.part(&Place::Blob(digest.clone()))?)?;
                checked(digest, &bytes)?;
                Ok(bytes)
            }
        }
    }

    /// The bytes of a file on this machine.
    fn part(&self, place: &Place) -> Result<Part, String> {
        let missing = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => "a part of it is missing".to_owned(),
            _ => error.to_string(),
        };
        match (self, place) {
            (Blobs::Layout(layout), Place::Blob(digest)) => layout.open(digest).map_err(missing),
            (Blobs::Archive(archive), Place::Blob(digest)) => {
                let name = format!("blobs/{}/{}", digest.algorithm(), digest.hex());
                archive.read(&name).map_err(missing)
            }
            (Blobs::Archive(archive), Place::Member(name)) => archive.read(name).map_err(missing),
            (Blobs::Layout(_), Place::Member(name)) => Err(format!("there is no {name}")),
            (Blobs::Registry(..), _) => Err("it is in a registry".to_owned()),
        }
    }

    /// Reads all layers, some at a time, the largest first.
    fn layers(&self, plan: &Plan, options: &ReadOptions) -> Result<Vec<Layer>, String> {
        let wanted = wanted(&plan.config);
        let memory = Memory::default();
        let mut order: Vec<usize> = (0..plan.layers.len()).collect();
        order.sort_by_key(|i| std::cmp::Reverse(plan.layers[*i].size));
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        let done: Vec<Mutex<Option<Result<Layer, String>>>> =
            plan.layers.iter().map(|_| Mutex::new(None)).collect();
        let mut workers = thread::available_parallelism().map_or(1, Into::into);
        if matches!(self, Blobs::Registry(..)) {
            workers = workers.max(DOWNLOADS);
        }
        thread::scope(|scope| {
            for _ in 0..workers.min(order.len()) {
                scope.spawn(|| {
                    while let Some(&i) = order.get(next.fetch_add(1, Ordering::Relaxed))
                        && !failed.load(Ordering::Relaxed)
                    {
                        let layer = self.layer(&plan.layers[i], &wanted, options, &memory);
                        failed.fetch_or(layer.is_err(), Ordering::Relaxed);
                        if let Ok(mut slot) = done[i].lock() {
                            *slot = Some(layer);
                        }
                    }
                });
            }
        });
        if let Some(cache) = &options.cache {
            cache.sweep();
        }
        let mut layers = Vec::new();
        let mut stopped = false;
        for (i, slot) in done.into_iter().enumerate() {
            match slot.into_inner().ok().flatten() {
                Some(Ok(layer)) => layers.push(layer),
                Some(Err(why)) => {
                    return Err(format!("layer {i} ({}): {why}", plan.layers[i].shown));
                }
                None => stopped = true,
            }
        }
        if stopped { Err("a layer was not read".to_owned()) } else { Ok(layers) }
    }

    /// A layer, from its index where the cache has one; else its bytes are read, and the index
    /// kept.
    fn layer(
        &self,
        source: &LayerSource,
        wanted: &[Vec<u8>],
        options: &ReadOptions,
        memory: &Memory,
    ) -> Result<Layer, String> {
        let limits = &options.limits;
        let read =
            |stream: &mut dyn Read| layer::read(stream, &source.expected, wanted, limits, memory);
        let index = |origin: Option<&Origin>| index::name(origin, &source.expected, wanted, limits);
        let kept = |index: &Digest| {
            let measured = index::read(options.cache.as_ref()?.open(Shelf::Indexes, index)?)?;
            Some(
                memory
                    .take(measured.memory, limits)
                    .map(|()| measured.layer)
                    .map_err(|error| error.to_string()),
            )
        };
        let (measured, index) = match (self, &source.place) {
            (Blobs::Registry(registry, cache), Place::Blob(digest)) => {
                let index = index(None);
                if let Some(layer) = kept(&index) {
                    return layer;
                }
                (pulled(registry, cache.as_ref(), digest, read)?, Some(index))
            }
            (_, place) => {
                let mut part = self.part(place)?;
                let is_temporary =
                    matches!(self, Blobs::Archive(archive) if archive.is_temporary());
                let origin = part.origin().filter(|_| !is_temporary);
                if let Some(layer) = origin.as_ref().and_then(|origin| kept(&index(Some(origin)))) {
                    return layer;
                }
                let measured = read(&mut part)?;
                let unchanged = origin.filter(|origin| part.origin().as_ref() == Some(origin));
                (measured, unchanged.map(|origin| index(Some(&origin))))
            }
        };
        if let (Some(cache), Some(index)) = (&options.cache, index)
            && let Some(bytes) = index::encode(&measured)
        {
            cache.keep(Shelf::Indexes, &index, &bytes);
        }
        Ok(measured.layer)
    }
}

/// A layer of a registry, whose bytes the cache may have.
fn pulled(
    registry: &Registry,
    cache: Option<&Cache>,
    digest: &Digest,
    read: impl Fn(&mut dyn Read) -> Result<Measured, String>,
) -> Result<Measured, String> {
    let Some(cache) = cache else { return read(&mut registry.blob(digest)?) };
    if let Some(mut file) = cache.open(Shelf::Blobs, digest) {
        match read(&mut file) {
            Ok(measured) => return Ok(measured),
            // It may be damaged; what comes from the registry decides.
            Err(_) => cache.remove(Shelf::Blobs, digest),
        }
    }
    let mut copy = cache.copy(Shelf::Blobs, digest, registry.blob(digest)?);
    let measured = read(&mut copy)?;
    copy.keep();
    Ok(measured)
}

/// A small blob from the cache, or from the registry and then in the cache; checked in either case.
fn cached(
    cache: Option<&Cache>,
    digest: &Digest,
    pull: impl FnOnce() -> Result<Vec<u8>, String>,
) -> Result<Vec<u8>, String> {
    let kept = cache
        .and_then(|cache| cache.open(Shelf::Blobs, digest))
        .and_then(|file| read_json(file).ok());
    if let Some(bytes) = kept.filter(|bytes| digest.verifies(bytes)) {
        return Ok(bytes);
    }
    let bytes = pull()?;
    checked(digest, &bytes)?;
    if let Some(cache) = cache {
        cache.keep(Shelf::Blobs, digest, &bytes);
    }
    Ok(bytes)
}

fn checked(digest: &Digest, bytes: &[u8]) -> Result<(), String> {
    if digest.verifies(bytes) {
        Ok(())
    } else {
        Err(format!("the bytes of {digest} do not have that digest"))
    }
}

fn read_json(stream: impl Read) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    stream.take(MAX_JSON + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_JSON {
        return Err(format!("its manifest or configuration is larger than {} MiB", MAX_JSON >> 20));
    }
    Ok(bytes)
}

/// The image of an index that is meant: by its name, and by the platform.
fn choose<'m>(
    manifests: &'m [Descriptor],
    platform: &Platform,
    image: Option<&str>,
) -> Result<&'m Descriptor, String> {
    // Attestations stand beside the images that they are about.
    let unknown = |found: &&Descriptor| {
        found.platform.as_ref().is_some_and(|platform| platform.os == "unknown")
    };
    let mut candidates: Vec<&Descriptor> =
        manifests.iter().filter(|found| !unknown(found)).collect();
    if let Some(image) = image {
        let tag = format!(":{image}");
        candidates.retain(|found| found.names().any(|name| name == image || name.ends_with(&tag)));
        if candidates.is_empty() {
            return Err(format!("it holds no image {image}, but {}", names(manifests)));
        }
    }
    let fits =
        |found: &&Descriptor| found.platform.as_ref().is_none_or(|found| found.runs_on(platform));
    let fitting: Vec<&Descriptor> = candidates.iter().copied().filter(fits).collect();
    match (fitting[..].first(), candidates[..].first()) {
        (Some(first), _)
            if fitting
                .iter()
                .all(|other| other.digest == first.digest || other.platform.is_some()) =>
        {
            Ok(first)
        }
        (Some(_), _) => {
            Err(format!("it holds several images: {}; name one with --image", names(manifests)))
        }
        // The only one there is may be for another platform: its files tell the same.
        (None, Some(only)) if candidates.len() == 1 => Ok(only),
        (None, Some(_)) => {
            let platforms: Vec<String> = candidates
                .iter()
                .filter_map(|found| found.platform.as_ref())
                .map(Platform::to_string)
                .collect();
            Err(format!("it is not made for {platform}, but for {}", platforms.join(", ")))
        }
        (None, None) => Err("its index is empty".to_owned()),
    }
}

fn names(manifests: &[Descriptor]) -> String {
    let names: Vec<&str> = manifests.iter().filter_map(|found| found.names().next()).collect();
    if names.is_empty() { "images without a name".to_owned() } else { names.join(", ") }
}

/// The image of a `manifest.json`, as `docker save` before 25 and podman's docker-archive write it.
fn saved(archive: &Archive, options: &ReadOptions) -> Result<Plan, String> {
    let read =
        |name: &str| archive.read(name).map_err(|error| error.to_string()).and_then(read_json);
    let images: Vec<Saved> = manifest::parse(&read("manifest.json")?, "manifest.json")?;
    let tags = || {
        images
            .iter()
            .flat_map(|image| image.repo_tags.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let image = match (&images[..], &options.image) {
        ([], _) => return Err("its manifest.json names no image".to_owned()),
        ([only], None) => only,
        (_, None) => {
            return Err(format!("it holds several images: {}; name one with --image", tags()));
        }
        (images, Some(wanted)) => {
            let tag = format!(":{wanted}");
            let named = |image: &&Saved| {
                image.repo_tags.iter().any(|name| name == wanted || name.ends_with(&tag))
            };
            images
                .iter()
                .find(named)
                .ok_or_else(|| format!("it holds no image {wanted}, but {}", tags()))?
        }
    };
    let bytes = read(&image.config)?;
    // The file is called by its digest; other tools' archives have other names.
    let file = image.config.rsplit('/').next().unwrap_or_default();
    if let Some(digest) = Digest::parse(&format!("sha256:{}", file.trim_end_matches(".json"))) {
        checked(&digest, &bytes)?;
    }
    let config: ImageConfig = manifest::parse(&bytes, "configuration")?;
    if image.layers.len() > MAX_LAYERS {
        return Err(format!("it has {} layers, more than {MAX_LAYERS}", image.layers.len()));
    }
    let layers = image.layers.iter().enumerate().map(|(i, name)| {
        let diff_id = config.diff_ids().get(i);
        LayerSource {
            place: Place::Member(name.clone()),
            expected: Expected { stored: None, unpacked: diff_id.and_then(|id| Digest::parse(id)) },
            shown: diff_id.cloned().unwrap_or_default(),
            size: archive.size(name),
        }
    });
    Ok(Plan { digest: None, layers: layers.collect(), config })
}

/// The names of files to read whole: the accounts, and what the container starts with, which may be
/// a script that tells which user it drops to.
fn wanted(config: &ImageConfig) -> Vec<Vec<u8>> {
    let run = config.run();
    let programs = [&run.entrypoint, &run.command].into_iter().filter_map(|words| words.first());
    let names =
        programs.filter_map(|program| program.rsplit('/').next()).filter(|name| !name.is_empty());
    ["passwd", "group"].into_iter().chain(names).map(|name| name.as_bytes().to_vec()).collect()
}
