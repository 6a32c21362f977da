//! One layer: what it puts, and what it takes away.

use std::sync::Arc;

use crate::model::capability::FileCapabilities;
use crate::model::filesystem::FileType;
use crate::model::image::paths::{PathId, Paths};

/// The prefix of a file that stands for a removal: image-spec, "Whiteouts".
pub(crate) const WHITEOUT: &[u8] = b".wh.";
/// The prefix of AUFS's own files, which are no removals; one of them marks an opaque directory.
pub(crate) const WHITEOUT_META: &[u8] = b".wh..wh.";
/// Hides everything that lower layers have in its directory.
pub(crate) const OPAQUE: &[u8] = b".wh..wh..opq";

/// What a layer says of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    pub file_type: FileType,
    /// Permission bits with setuid, setgid and sticky: 12 bits.
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    /// In bytes; 0 for all but regular files.
    pub size: u64,
    /// A hash of a regular file's bytes, good for telling honest files apart.
    pub content: u64,
    /// Where a symbolic link points.
    pub target: Option<Arc<[u8]>>,
    pub capabilities: Option<FileCapabilities>,
}

impl Attributes {
    /// The directory that a runtime makes where a layer names a file but not the directory above
    /// it.
    pub const IMPLIED_DIRECTORY: Attributes = Attributes {
        file_type: FileType::Directory,
        mode: 0o755,
        uid: 0,
        gid: 0,
        size: 0,
        content: 0,
        target: None,
        capabilities: None,
    };
}

/// One entry of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerChange {
    Put(Attributes),
    /// Another name of the file that this path, written as in the layer, has when all layers up to
    /// here are merged.
    HardLink(Box<[u8]>),
    /// The path, whose name starts with `.wh.`, stands for the removal of what it names.
    Whiteout,
    /// Lower layers' files in this directory are gone.
    Opaque,
}

/// A layer as its archive has it: paths are literal, whiteouts among them.
#[derive(Debug, Clone, Default)]
pub struct Layer {
    /// The sum of all entries' sizes in bytes, as dive counts a layer.
    pub size: u64,
    /// Every path that the archive names, and the directories above them.
    pub paths: Paths,
    /// In the archive's order. A path may come twice; the last one counts.
    pub entries: Vec<(PathId, LayerChange)>,
    /// The bytes of those few files that are read whole, by their index in `entries`.
    pub contents: Vec<(usize, Arc<[u8]>)>,
    /// What was odd about it, one sentence each.
    pub warnings: Vec<String>,
}

impl Layer {
    /// Adds one entry; `names` are those of its cleaned path, outermost first. AUFS's files are
    /// dropped as the runtimes drop them. Returns its index in `entries`, if it became one of
    /// its own.
    pub fn add<'n>(
        &mut self,
        names: impl IntoIterator<Item = &'n [u8]>,
        change: LayerChange,
    ) -> Option<usize> {
        let mut names = names.into_iter().peekable();
        let mut path = PathId::ROOT;
        while let Some(name) = names.next() {
            let last = names.peek().is_none();
            if last && name == OPAQUE {
                self.entries.push((path, LayerChange::Opaque));
                return None;
            }
            if name.starts_with(WHITEOUT_META) {
                return None;
            }
            path = self.paths.make_child(path, name);
            if last && name.starts_with(WHITEOUT) {
                self.entries.push((path, LayerChange::Whiteout));
                return None;
            }
        }
        // Whatever an archive says, / is a directory.
        if path == PathId::ROOT
            && !matches!(&change, LayerChange::Put(root) if root.file_type == FileType::Directory)
        {
            return None;
        }
        self.entries.push((path, change));
        Some(self.entries.len() - 1)
    }
}
