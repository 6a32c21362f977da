//! `kubectl nonroot image`: what an image is made of, and what keeps it from running as non-root.

use clap::{Args, ValueEnum};

use super::flags::{ClusterFlags, RegistryFlags};
use super::{Fault, exit_code, json, print, progress, say, width, yaml};
use crate::error::{Error, Partial};
use crate::evidence::cluster::Cluster;
use crate::evidence::image::{ReadOptions, Source};
use crate::model::image::Image;
use crate::model::image::paths::PathId;
use crate::output::html;
use crate::output::image::{ImageList, ImageReport, table, tree};
use crate::usecase::images::{self, FoundImage, ImagesOf};
use crate::usecase::progress::Tell;
use crate::usecase::target::{self, Target};

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
    /// Platform of a multi-platform image, such as linux/arm64; by default this machine's
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// Image of an archive or a layout that has several
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Yaml,
    /// A page with a picture of layers and owners
    Html,
}

pub(super) async fn run(flags: &ClusterFlags, args: ImageArgs) -> Result<u8, Fault> {
    let tell = progress::shown();
    match workload(&args.image) {
        Some(target) => of_workload(flags, &args, &target, &tell).await,
        None => of_reference(&args, &tell).await,
    }
}

async fn of_reference(args: &ImageArgs, tell: Tell<'_>) -> Result<u8, Fault> {
    let options = ReadOptions {
        platform: args.platform.clone(),
        image: args.name.clone(),
        ..args.registry.registry().options
    };
    let found = images::named(&args.image, options, tell).await?;
    show(args, &found, |report| match args.output {
        Format::Json => json(&report),
        Format::Html => html::images(&[], &[report]),
        _ => yaml(&report),
    })?;
    Ok(0)
}

/// Shows the images of a workload's containers, each as soon as it is read.
async fn of_workload(
    flags: &ClusterFlags,
    args: &ImageArgs,
    target: &Target,
    tell: Tell<'_>,
) -> Result<u8, Fault> {
    let cluster = Cluster::connect(&flags.connection()).await?;
    let registry = args.registry.registry();
    let Partial { value: workload, mut errors } = images::workload(&cluster, target).await?;
    let mut images = ImagesOf::new(&cluster, &workload, &registry);
    let mut reports = Vec::new();
    let mut is_first = true;
    while let Some(read) = images.next(tell).await {
        errors.extend(read.errors);
        let Some(found) = read.value else { continue };
        if args.output == Format::Table && !std::mem::replace(&mut is_first, false) {
            print("\n")?;
        }
        show(args, &found, |report| {
            reports.push(report);
            Ok(String::new())
        })?;
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

/// `deploy/web`, if it is not a file: a workload of a built-in type. Docker Hub has no user with
/// such a name.
fn workload(text: &str) -> Option<Target> {
    let is_file =
        matches!(Source::of(text), Source::Archive(_) | Source::Layout(_) | Source::Store(..));
    let mut targets =
        target::targets(&[text.to_owned()]).ok().filter(|_| text.contains('/') && !is_file)?;
    targets.pop().filter(Target::is_built_in)
}

/// Shows an image: as a table, or by a report for tools.
fn show(
    args: &ImageArgs,
    found: &FoundImage,
    tool: impl FnOnce(ImageReport) -> Result<String, Error>,
) -> Result<(), Fault> {
    let top = args.tree.as_deref().map(|path| found.find(path)).transpose()?;
    match (args.output, top) {
        (Format::Table, Some(top)) => list(&found.image, top)?,
        (Format::Table, None) => print(&table(&found.report(None), width()))?,
        (_, top) => print(&tool(found.report(top))?)?,
    }
    for warning in &found.image.warnings {
        say(format_args!("warning: {warning}"));
    }
    Ok(())
}

/// Prints in pieces: the list may be long, and its reader may have gone.
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
