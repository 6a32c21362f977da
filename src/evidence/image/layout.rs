//! Blobs in a directory: an OCI image layout, or containerd's content store, which has no index of
//! its own.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::digest::Digest;
use super::part::Part;

/// `DIR/blobs/ALGORITHM/DIGITS`, image-spec's "image layout".
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Layout {
        Layout { root: root.to_owned() }
    }

    /// Whether a directory looks like one: by its index, or by its blobs.
    pub(crate) fn has_index(root: &Path) -> bool {
        root.join("index.json").is_file()
    }

    pub(crate) fn has_blobs(root: &Path) -> bool {
        root.join("blobs").is_dir()
    }

    pub(crate) fn index(&self) -> io::Result<impl Read + Send + use<>> {
        File::open(self.root.join("index.json"))
    }

    /// A manifest among the blobs whose configuration has this digest. Blobs larger than manifests
    /// are not opened.
    pub(crate) fn manifest_of(&self, config: &Digest) -> Option<Digest> {
        const MAX_MANIFEST: u64 = 1 << 20;
        let wanted = config.to_string();
        let blobs = fs::read_dir(self.root.join("blobs").join(config.algorithm())).ok()?.flatten();
        blobs
            .filter(|blob| {
                blob.metadata().is_ok_and(|found| found.is_file() && found.len() <= MAX_MANIFEST)
            })
            .find_map(|blob| {
                let bytes = fs::read(blob.path()).ok()?;
                let manifest: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
                let found = manifest.pointer("/config/digest")?.as_str()? == wanted
                    && manifest["layers"].is_array();
                let name = blob.file_name().into_string().ok().filter(|_| found)?;
                Digest::parse(&format!("{}:{name}", config.algorithm()))
            })
    }

    pub(crate) fn open(&self, digest: &Digest) -> io::Result<Part> {
        Part::whole(File::open(
            self.root.join("blobs").join(digest.algorithm()).join(digest.hex()),
        )?)
    }
}
