//! `kubectl nonroot image`: what an image is made of, and what keeps it from running as non-root.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Fault, json, print, say, width, yaml};
use crate::error::Error;
use crate::evidence::image::{self, Access, Cache, Options, Source};
use crate::model::image::Image;
use crate::model::image::paths::PathId;
use crate::output::image::{ImageReport, table, tree};

/// Show what an image runs as, who owns what in it, and where its bytes are wasted
///
/// Reads an image from a registry, an OCI layout, an archive of docker save, or containerd's content store, without
/// unpacking it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ImageArgs {
    /// A reference such as nginx:1.29, an archive, a layout's directory, or CONTENT-STORE@sha256:DIGEST
    #[arg(value_name = "REF|FILE")]
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

Exit codes: 0 done, 2 bad usage or input, 3 registry or permission failure.";

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
    /// Keep nothing that was pulled
    #[arg(long)]
    no_image_cache: bool,
    /// How much to keep of what was pulled, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 2048, env = "NONROOT_IMAGE_CACHE_MIB")]
    image_cache_size: u64,
}

impl RegistryFlags {
    /// The flags as the reader of images takes them.
    #[must_use]
    pub(super) fn options(&self) -> Options {
        let cache = Cache::directory().filter(|_| !self.no_image_cache);
        Options {
            access: Access {
                plain_http: self.plain_http.clone(),
                mirror: self.registry_mirror.clone(),
                pull_secrets: Vec::new(),
            },
            cache: cache.map(|directory: PathBuf| Cache::new(directory, self.image_cache_size.saturating_mul(1 << 20))),
            ..Options::default()
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Yaml,
}

pub(super) async fn run(args: ImageArgs) -> Result<u8, Fault> {
    let options = Options { platform: args.platform.clone(), image: args.name.clone(), ..args.registry.options() };
    let image = image::read(&args.image, Source::of(&args.image), options).await?;
    let top = args.tree.as_deref().map(|path| directory(&image, path)).transpose()?;
    match (args.output, top) {
        (Format::Table, Some(top)) => list(&image, top)?,
        (Format::Table, None) => print(&table(&ImageReport::new(&image, None), width()))?,
        (Format::Json, top) => print(&json(&ImageReport::new(&image, top))?)?,
        (Format::Yaml, top) => print(&yaml(&ImageReport::new(&image, top))?)?,
    }
    for warning in &image.warnings {
        say(format_args!("warning: {warning}"));
    }
    Ok(0)
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
