//! Helm charts: what is in them, what `helm template` makes of them, and the releases of a cluster.

mod archive;
mod parts;
mod release;
mod render;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::NamedTempFile;

use crate::error::Error;
use crate::evidence::manifests::document::Document;
use crate::model::chart::ChartPart;
pub use release::HelmRelease;
pub use render::{RenderOptions, rendered};

/// A chart that can be rendered.
#[derive(Debug)]
pub struct HelmChart {
    /// As `helm` takes it: a directory or an archive.
    pub path: PathBuf,
    /// As its Chart.yaml names it.
    pub name: String,
    /// It, and the charts below it.
    pub parts: Vec<ChartPart>,
    /// The archive that was made of a release, which goes with this.
    archive: Option<NamedTempFile>,
}

impl HelmChart {
    /// Whether a path of `-f` is a chart: a directory with a Chart.yaml, or an archive.
    #[must_use]
    pub fn is_at(path: &str) -> bool {
        let path = Path::new(path);
        path.join("Chart.yaml").is_file() || is_archive(path) && path.is_file()
    }

    /// Reads a directory or an archive.
    ///
    /// # Errors
    /// It cannot be read, is no chart, or is larger than a chart may be.
    pub fn read(path: &str) -> Result<HelmChart, Error> {
        let fail = |why: String| Error::input(format!("read the chart {path}"), why);
        let place = Path::new(path);
        let files = if place.is_dir() {
            archive::of_directory(place)
        } else {
            std::fs::File::open(place).and_then(archive::unpacked)
        };
        let (name, parts) =
            parts::of(&files.map_err(|why| fail(why.to_string()))?).map_err(fail)?;
        Ok(HelmChart { path: place.to_owned(), name, parts, archive: None })
    }

    /// The chart of a release, as a private file that is removed with it.
    ///
    /// # Errors
    /// The file cannot be written, or what the release has is no chart.
    pub fn of_release(release: &HelmRelease) -> Result<HelmChart, Error> {
        let fail = |why: String| {
            Error::input(format!("read the chart of the release {}", release.name), why)
        };
        let (name, parts) = parts::of(&release.files).map_err(fail)?;
        let packed = archive::packed(&release.files).map_err(|why| fail(why.to_string()))?;
        let make = || {
            let mut file = tempfile::Builder::new().prefix("nonroot-").suffix(".tgz").tempfile()?;
            file.write_all(&packed)?;
            file.flush()?;
            Ok(file)
        };
        let file = make().map_err(|why: std::io::Error| fail(why.to_string()))?;
        Ok(HelmChart { path: file.path().to_owned(), name, parts, archive: Some(file) })
    }

    /// Whether it was made of a release.
    #[must_use]
    pub fn is_of_release(&self) -> bool {
        self.archive.is_some()
    }
}

/// The values of a file of `--values`.
///
/// # Errors
/// It cannot be read, or is no map.
pub fn values(path: &str) -> Result<Value, Error> {
    let fail = |why: String| Error::input(format!("read the values {path} (--values)"), why);
    let text = std::fs::read_to_string(path).map_err(|why| fail(why.to_string()))?;
    let document = Document::parse(&text)
        .map_err(|malformed| fail(format!("line {}: {}", malformed.line, malformed.why)))?;
    match document.map(|document| document.value) {
        None => Ok(Value::Object(serde_json::Map::new())),
        Some(value) if value.is_object() => Ok(value),
        Some(_) => Err(fail("it is no map".to_owned())),
    }
}

fn is_archive(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase());
    name.is_some_and(|name| name.ends_with(".tgz") || name.ends_with(".tar.gz"))
}
