//! The files of an image: its layers merged as a runtime merges them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::model::filesystem::path::PathText;
use crate::model::filesystem::walk::{Entry, Walkable, walk};
use crate::model::filesystem::{FileType, Inode, Lookup};
use crate::model::image::layer::{Attributes, Layer, LayerChange, WHITEOUT};
use crate::model::image::paths::{PathId, Paths};

/// Of one kind, for one layer: nobody reads more.
const MAX_WARNINGS: usize = 10;

/// One file of the merged image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFile {
    pub attributes: Attributes,
    /// The layer it came from, 0 the lowest.
    pub layer: usize,
}

/// The merged files. A live file's parent is a live directory.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    paths: Paths,
    /// By [`PathId`]; `None` for what a layer took away again.
    files: Vec<Option<ImageFile>>,
    contents: HashMap<PathId, Arc<[u8]>>,
}

/// Files that a layer repeats with another owner or mode and the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repeated {
    /// The layer that has them first.
    pub from: usize,
    /// Their new owner and group; `None` where only the mode changes.
    pub owner: Option<(u32, u32)>,
}

/// What merging one layer showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// The bytes of files that are in the layer only because their owner or mode changed.
    pub chowned: BTreeMap<Repeated, u64>,
    /// Hard links to nowhere, one sentence each, at most a few.
    pub warnings: Vec<String>,
}

impl Tree {
    /// Lays `layer`, the `number`th from below, over the tree.
    ///
    /// Removals take effect on lower layers only, whatever their place in the archive (image-spec,
    /// "Whiteouts"). A directory keeps what is in it when a layer names it again; anything else
    /// replaces what stood there. A name below a symbolic link that the same layer brought goes
    /// where the link points, and one below a lower layer's link or file makes a directory
    /// there: so do containerd and Docker, which unpack a layer into a directory of its own.
    pub fn merge(&mut self, layer: &Layer, number: usize) -> Merged {
        let mut merged = Merged::default();
        let mut hidden = HashSet::new();
        for (path, change) in &layer.entries {
            match change {
                LayerChange::Whiteout => {
                    let parent = self.find(&layer.paths, layer.paths.parent(*path));
                    let name = layer.paths.name(*path).strip_prefix(WHITEOUT).unwrap_or_default();
                    if let Some(gone) = parent.and_then(|parent| self.paths.child(parent, name)) {
                        self.remove(gone);
                    }
                }
                // Once is enough, and more could be made to take for ever.
                LayerChange::Opaque if hidden.insert(*path) => {
                    if let Some(directory) = self.find(&layer.paths, *path) {
                        self.empty(directory);
                    }
                }
                _ => {}
            }
        }
        let mut contents = layer.contents.iter().peekable();
        // Where a directory of this layer stands in the tree.
        let mut places = HashMap::from([(PathId::ROOT, PathId::ROOT)]);
        for (i, (path, change)) in layer.entries.iter().enumerate() {
            let content =
                contents.next_if(|(entry, _)| *entry == i).map(|(_, content)| content.clone());
            match change {
                LayerChange::Put(attributes) => {
                    let place = self.place(layer, *path, number, &mut places);
                    if let Some(repeated) = self.repeated(place, attributes, number) {
                        *merged.chowned.entry(repeated).or_default() += attributes.size;
                    }
                    self.put(
                        place,
                        ImageFile { attributes: attributes.clone(), layer: number },
                        content,
                    );
                }
                LayerChange::HardLink(target) => {
                    let found =
                        self.resolve(target, false).filter(|found| !self.is_directory(*found));
                    let Some((found, file)) =
                        found.and_then(|found| Some((found, self.get(found)?.clone())))
                    else {
                        if merged.warnings.len() < MAX_WARNINGS {
                            merged.warnings.push(format!(
                                "{} is a hard link to {}, which is not there: left out",
                                layer.paths.display(*path),
                                String::from_utf8_lossy(target)
                            ));
                        }
                        continue;
                    };
                    let content = self.contents.get(&found).cloned();
                    let place = self.place(layer, *path, number, &mut places);
                    if place != found {
                        self.put(place, ImageFile { layer: number, ..file }, content);
                    }
                }
                LayerChange::Whiteout | LayerChange::Opaque => {}
            }
        }
        merged
    }

    /// Where a path of the layer goes, its parents made where they are missing.
    fn place(
        &mut self,
        layer: &Layer,
        path: PathId,
        number: usize,
        places: &mut HashMap<PathId, PathId>,
    ) -> PathId {
        if path == PathId::ROOT {
            return PathId::ROOT;
        }
        // From the innermost directory whose place is known, outwards in.
        let mut unknown = Vec::new();
        let mut directory = layer.paths.parent(path);
        let mut place = loop {
            match places.get(&directory) {
                Some(place) if self.is_directory(*place) || *place == PathId::ROOT => break *place,
                _ => unknown.push(directory),
            }
            directory = layer.paths.parent(directory);
        };
        for directory in unknown.into_iter().rev() {
            let child = self.child(place, layer.paths.name(directory));
            place = match self.get(child) {
                Some(file) if file.attributes.file_type == FileType::Directory => child,
                Some(file)
                    if file.attributes.file_type == FileType::Symlink && file.layer == number =>
                {
                    let target = file.attributes.target.clone().unwrap_or_default();
                    let base = if target.starts_with(b"/") { PathId::ROOT } else { place };
                    match self
                        .resolve_from(base, &target, true)
                        .filter(|found| self.is_directory(*found))
                    {
                        Some(found) => found,
                        None => self.imply(child, number),
                    }
                }
                _ => self.imply(child, number),
            };
            places.insert(directory, place);
        }
        self.child(place, layer.paths.name(path))
    }

    fn imply(&mut self, path: PathId, number: usize) -> PathId {
        self.put(
            path,
            ImageFile { attributes: Attributes::IMPLIED_DIRECTORY, layer: number },
            None,
        );
        path
    }

    fn child(&mut self, parent: PathId, name: &[u8]) -> PathId {
        let child = self.paths.make_child(parent, name);
        self.files.resize(self.paths.len(), None);
        child
    }

    fn put(&mut self, path: PathId, file: ImageFile, content: Option<Arc<[u8]>>) {
        if file.attributes.file_type != FileType::Directory {
            self.remove(path);
        }
        self.files.resize(self.paths.len(), None);
        self.files[path.index()] = Some(file);
        match content {
            Some(content) => self.contents.insert(path, content),
            None => self.contents.remove(&path),
        };
    }

    fn remove(&mut self, path: PathId) {
        if self.files.get_mut(path.index()).and_then(Option::take).is_some() {
            self.empty(path);
        }
    }

    fn empty(&mut self, path: PathId) {
        let mut stack = vec![path];
        while let Some(path) = stack.pop() {
            for child in self.paths.children(path) {
                // What is dead has nothing alive below it.
                if self.files[child.index()].take().is_some() {
                    stack.push(child);
                }
            }
        }
    }

    fn repeated(&self, place: PathId, new: &Attributes, number: usize) -> Option<Repeated> {
        let ImageFile { attributes: old, layer } = self.get(place)?;
        let same_content = old.file_type == FileType::File
            && new.file_type == FileType::File
            && (old.size, old.content) == (new.size, new.content);
        let chowned = (old.uid, old.gid) != (new.uid, new.gid);
        let changed = chowned || old.mode != new.mode;
        (*layer != number && same_content && changed && new.size > 0)
            .then(|| Repeated { from: *layer, owner: chowned.then_some((new.uid, new.gid)) })
    }

    /// The tree's own path for one of a layer's, if it has it.
    fn find(&self, paths: &Paths, path: PathId) -> Option<PathId> {
        paths
            .components(path)
            .into_iter()
            .try_fold(PathId::ROOT, |place, name| self.paths.child(place, name))
    }

    #[must_use]
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    #[must_use]
    pub fn get(&self, path: PathId) -> Option<&ImageFile> {
        self.files.get(path.index())?.as_ref()
    }

    fn is_directory(&self, path: PathId) -> bool {
        self.get(path).is_some_and(|file| file.attributes.file_type == FileType::Directory)
    }

    /// The live files directly in a directory, by name.
    #[must_use]
    pub fn children(&self, path: PathId) -> Vec<PathId> {
        let mut children: Vec<PathId> =
            self.paths.children(path).filter(|child| self.get(*child).is_some()).collect();
        children.sort_unstable_by_key(|child| self.paths.name(*child));
        children
    }

    /// Every live file below a path and the path itself, depth first, siblings by name; a directory
    /// before what is in it.
    #[must_use]
    pub fn below(&self, path: PathId) -> Below<'_> {
        Below { tree: self, stack: vec![path] }
    }

    /// The path without any symbolic link, `.` or `..`; `None` where it leads nowhere. `last` says
    /// whether to follow a link at its end.
    #[must_use]
    pub fn resolve(&self, path: &[u8], last: bool) -> Option<PathId> {
        self.resolve_from(PathId::ROOT, path, last)
    }

    fn resolve_from(&self, base: PathId, path: &[u8], last: bool) -> Option<PathId> {
        let mut above: Vec<PathId> = std::iter::successors(Some(base), |place| {
            (*place != PathId::ROOT).then(|| self.paths.parent(*place))
        })
        .collect();
        above.reverse();
        let places = walk(&mut Links { tree: self, follow_last: last }, above, path);
        places.ok()?.pop()
    }

    /// What the image has at a path without symbolic links, as
    /// [`filesystem`](crate::model::filesystem) asks.
    #[must_use]
    pub fn lookup(&self, path: &str) -> Lookup {
        let found = path
            .as_bytes()
            .names()
            .try_fold(PathId::ROOT, |place, name| self.paths.child(place, name));
        match found.and_then(|found| self.get(found)) {
            Some(file) => Lookup::Found(Inode::from(&file.attributes)),
            None => Lookup::Missing,
        }
    }

    /// The bytes of a file that was read whole; links are followed.
    #[must_use]
    pub fn content(&self, path: &str) -> Option<&[u8]> {
        self.content_of(self.resolve(path.as_bytes(), true)?)
    }

    /// As [`Tree::content`], by its place.
    #[must_use]
    pub fn content_of(&self, path: PathId) -> Option<&[u8]> {
        self.get(path)?;
        self.contents.get(&path).map(AsRef::as_ref)
    }
}

/// The tree as a walk along a path goes through it.
struct Links<'t> {
    tree: &'t Tree,
    /// Whether a link at the end of the path is followed.
    follow_last: bool,
}

/// Nothing is at the path, or it leads through what is no directory.
struct Nowhere;

impl Walkable<[u8]> for Links<'_> {
    type Place = PathId;
    type Stop = Nowhere;

    fn lookup(
        &mut self,
        directory: &PathId,
        name: &[u8],
        rest: &[Vec<u8>],
    ) -> Result<Entry<PathId, Vec<u8>>, Nowhere> {
        let child = self.tree.paths.child(*directory, name).ok_or(Nowhere)?;
        let attributes = &self.tree.get(child).ok_or(Nowhere)?.attributes;
        Ok(match &attributes.target {
            Some(target) if self.follow_last || !rest.is_empty() => Entry::Link(target.to_vec()),
            _ => Entry::Place(child),
        })
    }
}

impl From<&Attributes> for Inode {
    fn from(attributes: &Attributes) -> Inode {
        Inode {
            file_type: attributes.file_type,
            mode: attributes.mode,
            uid: attributes.uid,
            gid: attributes.gid,
            target: attributes
                .target
                .as_deref()
                .map(|target| String::from_utf8_lossy(target).into_owned()),
        }
    }
}

/// [`Tree::below`].
#[derive(Debug)]
pub struct Below<'t> {
    tree: &'t Tree,
    stack: Vec<PathId>,
}

impl<'t> Iterator for Below<'t> {
    type Item = (PathId, &'t ImageFile);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let path = self.stack.pop()?;
            self.stack.extend(self.tree.children(path).into_iter().rev());
            // The root of an image may be without an entry.
            if let Some(file) = self.tree.get(path) {
                return Some((path, file));
            }
        }
    }
}

#[cfg(test)]
mod tests;
