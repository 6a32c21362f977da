//! Every path once: an arena of names that know their parent.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

/// A path in a [`Paths`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathId(u32);

impl PathId {
    /// `/`, which every arena has.
    pub const ROOT: PathId = PathId(0);

    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Debug, Clone, Copy)]
struct Name {
    parent: PathId,
    /// Where it stands in [`Paths::bytes`].
    start: usize,
    len: u16,
    /// The next name with the same hash.
    collides: Option<PathId>,
    first_child: Option<PathId>,
    next_sibling: Option<PathId>,
}

/// A tree of path names. A name costs about 60 bytes and its own length, however deep it stands;
/// finding one takes a keyed hash, so that no choice of names makes it slow.
#[derive(Debug, Clone)]
pub struct Paths {
    bytes: Vec<u8>,
    names: Vec<Name>,
    by_hash: HashMap<u64, PathId>,
    hasher: RandomState,
}

impl Default for Paths {
    fn default() -> Self {
        let root = Name {
            parent: PathId::ROOT,
            start: 0,
            len: 0,
            collides: None,
            first_child: None,
            next_sibling: None,
        };
        Self {
            bytes: Vec::new(),
            names: vec![root],
            by_hash: HashMap::new(),
            hasher: RandomState::new(),
        }
    }
}

impl Paths {
    /// How many there are, `/` among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether it has only `/`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.len() == 1
    }

    /// Every path, a parent before what is in it.
    pub fn iter(&self) -> impl Iterator<Item = PathId> + use<> {
        (0..u32::try_from(self.names.len()).unwrap_or(u32::MAX)).map(PathId)
    }

    /// The path of this [`PathId::index`].
    #[must_use]
    pub fn at(&self, index: usize) -> Option<PathId> {
        u32::try_from(index).ok().filter(|_| index < self.names.len()).map(PathId)
    }

    #[must_use]
    pub fn parent(&self, path: PathId) -> PathId {
        self.names[path.index()].parent
    }

    #[must_use]
    pub fn name(&self, path: PathId) -> &[u8] {
        let name = self.names[path.index()];
        &self.bytes[name.start..name.start + usize::from(name.len)]
    }

    #[must_use]
    pub fn child(&self, parent: PathId, name: &[u8]) -> Option<PathId> {
        let mut next = self.by_hash.get(&self.hasher.hash_one((parent, name))).copied();
        while let Some(candidate) = next {
            if self.parent(candidate) == parent && self.name(candidate) == name {
                return Some(candidate);
            }
            next = self.names[candidate.index()].collides;
        }
        None
    }

    /// The child of this name, made when it is new. Names longer than 65,535 bytes are cut; no file
    /// system has them.
    pub fn make_child(&mut self, parent: PathId, name: &[u8]) -> PathId {
        if let Some(found) = self.child(parent, name) {
            return found;
        }
        let len = u16::try_from(name.len()).unwrap_or(u16::MAX);
        let made = PathId(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&name[..usize::from(len)]);
        let collides = self.by_hash.insert(self.hasher.hash_one((parent, name)), made);
        let next_sibling = self.names[parent.index()].first_child.replace(made);
        self.names.push(Name { parent, start, len, collides, first_child: None, next_sibling });
        made
    }

    /// Those directly below, in no order.
    pub fn children(&self, path: PathId) -> impl Iterator<Item = PathId> + '_ {
        std::iter::successors(self.names[path.index()].first_child, |child| {
            self.names[child.index()].next_sibling
        })
    }

    /// Those directly below, by the bytes of their names.
    #[must_use]
    pub fn sorted_children(&self, path: PathId) -> Vec<PathId> {
        let mut children: Vec<PathId> = self.children(path).collect();
        children.sort_unstable_by_key(|child| self.name(*child));
        children
    }

    /// The names from below `/` to the path itself.
    #[must_use]
    pub fn components(&self, path: PathId) -> Vec<&[u8]> {
        let mut names: Vec<&[u8]> =
            std::iter::successors(Some(path), |path| Some(self.parent(*path)))
                .take_while(|path| *path != PathId::ROOT)
                .map(|path| self.name(path))
                .collect();
        names.reverse();
        names
    }

    /// The absolute path. Bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn display(&self, path: PathId) -> String {
        let mut text = String::new();
        for name in self.components(path) {
            text.push('/');
            text.push_str(&String::from_utf8_lossy(name));
        }
        if text.is_empty() { "/".to_owned() } else { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_made_once_and_found_again() {
        let mut paths = Paths::default();
        let etc = paths.make_child(PathId::ROOT, b"etc");
        let passwd = paths.make_child(etc, b"passwd");
        paths.make_child(etc, b"group");
        assert_eq!(paths.make_child(etc, b"passwd"), passwd);
        assert_eq!(paths.len(), 4);
        assert_eq!(paths.child(PathId::ROOT, b"passwd"), None);
        assert_eq!(paths.display(passwd), "/etc/passwd");
        assert_eq!(paths.display(PathId::ROOT), "/");
        let names: Vec<_> =
            paths.sorted_children(etc).into_iter().map(|child| paths.name(child)).collect();
        assert_eq!(names, [b"group".as_slice(), b"passwd"]);
    }
}
