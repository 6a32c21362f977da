//! How well an image uses its bytes, in dive's definitions: `dive/filetree/efficiency.go` and
//! `dive/image/analysis.go` of github.com/wagoodman/dive, so that its users find the numbers they
//! know.

use crate::model::filesystem::FileType;
use crate::model::image::layer::{Layer, LayerChange, WHITEOUT};
use crate::model::image::paths::{PathId, Paths};

/// dive's two numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Efficiency {
    /// Between 0 and 1: for each path the smallest size it ever has, over all the sizes it has.
    pub score: f64,
    /// The sizes of all paths that more than one layer has.
    pub wasted_bytes: u64,
}

/// What dive notes of one path.
#[derive(Debug, Clone, Copy)]
struct Noted {
    total: i64,
    /// -1 before the first size.
    least: i64,
    times: u32,
}

/// What dive knows of a path in the layers below, merged in its own way: a directory that a layer
/// does not name itself counts as no directory, and what a file replaces stays.
#[derive(Debug, Clone, Copy, Default)]
struct Stacked {
    present: bool,
    directory: bool,
    size: i64,
}

#[derive(Default)]
struct Stack {
    /// All layers' paths; an entry's own `.wh.` is off its name.
    paths: Paths,
    stacked: Vec<Stacked>,
    noted: Vec<Option<Noted>>,
}

/// Works out dive's numbers for these layers, the lowest first.
///
/// Only files and empty directories count, at their sizes in the layer; the removal of a file
/// counts as a path of size 0, that of a directory as one of the size of all it hid. dive stops
/// counting a layer at a removal that hides nothing, by path order, and so does this.
#[must_use]
pub fn efficiency(layers: &[Layer]) -> Efficiency {
    let mut stack = Stack::default();
    for (number, layer) in layers.iter().enumerate() {
        let nodes = nodes(layer);
        if number == 0 {
            // dive looks the lowest layer's own removals up in the layer itself.
            stack.lay(layer, &nodes, false);
        }
        stack.note(layer, &nodes);
        stack.lay(layer, &nodes, true);
    }
    // The sizes are what the layers say of themselves, and a lie may be as large as a number gets.
    let (mut least, mut total, mut wasted_bytes) = (0_i64, 0_i64, 0_u64);
    for noted in stack.noted.iter().flatten() {
        least = least.saturating_add(noted.least);
        total = total.saturating_add(noted.total);
        if noted.times >= 2 {
            wasted_bytes = wasted_bytes.saturating_add(noted.total.unsigned_abs());
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "dive divides the same two doubles")]
    let score = if total == 0 { 1.0 } else { least as f64 / total as f64 };
    Efficiency { score, wasted_bytes }
}

/// By the layer's own paths: what its last entry for each says; a path that it only passes through
/// has the default.
fn nodes(layer: &Layer) -> Vec<Stacked> {
    let mut nodes = vec![Stacked::default(); layer.paths.len()];
    for (path, change) in &layer.entries {
        let (directory, size) = match change {
            LayerChange::Put(file) => (
                file.file_type == FileType::Directory,
                i64::try_from(file.size).unwrap_or(i64::MAX),
            ),
            LayerChange::HardLink(_) | LayerChange::Whiteout => (false, 0),
            LayerChange::Opaque => continue,
        };
        nodes[path.index()] = Stacked { present: true, directory, size };
    }
    nodes
}

/// The layer's paths, children before parents, siblings by name, each with what it is called
/// without `.wh.`.
fn depth_first(layer: &Layer, stack: &mut Paths) -> Vec<(PathId, PathId)> {
    let mut order = Vec::with_capacity(layer.paths.len());
    let mut open = vec![(PathId::ROOT, PathId::ROOT)];
    // Parents first and siblings backwards, then all of it backwards.
    while let Some((path, place)) = open.pop() {
        order.push((path, place));
        for child in layer.paths.sorted_children(path) {
            open.push((child, stack.make_child(place, layer.paths.name(child))));
        }
    }
    order.reverse();
    order.pop();
    for (path, place) in &mut order {
        if let Some(name) = layer.paths.name(*path).strip_prefix(WHITEOUT) {
            let parent = stack.parent(*place);
            *place = stack.make_child(parent, name);
        }
    }
    order
}

impl Stack {
    fn grow(&mut self) {
        self.stacked.resize(self.paths.len(), Stacked::default());
        self.noted.resize(self.paths.len(), None);
    }

    fn note(&mut self, layer: &Layer, nodes: &[Stacked]) {
        let order = depth_first(layer, &mut self.paths);
        self.grow();
        for (path, place) in order {
            if layer.paths.children(path).next().is_some() {
                continue;
            }
            let noted =
                *self.noted[place.index()].get_or_insert(Noted { total: 0, least: -1, times: 0 });
            let size = if layer.paths.name(path).starts_with(WHITEOUT) {
                let hidden = self.stacked[place.index()];
                if !hidden.present {
                    return;
                }
                if hidden.directory { self.below(place) } else { 0 }
            } else {
                nodes[path.index()].size
            };
            let least = if noted.least < 0 || size < noted.least { size } else { noted.least };
            self.noted[place.index()] = Some(Noted {
                total: noted.total.saturating_add(size),
                least,
                times: noted.times + 1,
            });
        }
    }

    /// Lays the layer over those below; without `removals` as dive copies the lowest one.
    fn lay(&mut self, layer: &Layer, nodes: &[Stacked], removals: bool) {
        let order = depth_first(layer, &mut self.paths);
        self.grow();
        for (path, place) in order {
            if layer.paths.name(path).starts_with(WHITEOUT) {
                if removals {
                    self.remove(place);
                }
                continue;
            }
            self.stacked[place.index()] = Stacked { present: true, ..nodes[path.index()] };
            let mut above = self.paths.parent(place);
            while above != PathId::ROOT && !self.stacked[above.index()].present {
                self.stacked[above.index()] = Stacked { present: true, ..Stacked::default() };
                above = self.paths.parent(above);
            }
        }
    }

    fn remove(&mut self, place: PathId) {
        let mut open = vec![place];
        while let Some(path) = open.pop() {
            if std::mem::take(&mut self.stacked[path.index()]).present {
                open.extend(self.paths.children(path));
            }
        }
    }

    /// The sizes of a path and all that is below it.
    fn below(&self, place: PathId) -> i64 {
        let mut size: i64 = 0;
        let mut open = vec![place];
        while let Some(path) = open.pop() {
            let stacked = self.stacked[path.index()];
            if stacked.present {
                size = size.saturating_add(stacked.size);
                open.extend(self.paths.children(path));
            }
        }
        size
    }
}
