//! Blobs in a directory: an OCI image layout, or containerd's content store, which has no index of its own.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::digest::Digest;

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

    pub(crate) fn open(&self, digest: &Digest) -> io::Result<impl Read + Send + use<>> {
        File::open(self.root.join("blobs").join(digest.algorithm()).join(digest.hex()))
    }
}
