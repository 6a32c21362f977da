use proptest::prelude::*;

use super::*;

/// What a layer does to a path, in the words of a file system that is a map.
#[derive(Debug, Clone)]
enum Step {
    Directory,
    File,
    HardLink(Vec<&'static str>),
    Whiteout,
    Opaque,
}

type Steps = Vec<(Vec<&'static str>, Step)>;

fn path() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..4)
}

fn steps() -> impl Strategy<Value = Steps> {
    let step = prop_oneof![
        3 => Just(Step::Directory),
        4 => Just(Step::File),
        1 => path().prop_map(Step::HardLink),
        2 => Just(Step::Whiteout),
        1 => Just(Step::Opaque),
    ];
    prop::collection::vec((path(), step), 0..12)
}

/// Its owner tells which step put a file.
fn put(kind: FileType, uid: u32) -> Attributes {
    Attributes { file_type: kind, uid, ..Attributes::IMPLIED_DIRECTORY }
}

fn layer(steps: &Steps, number: usize) -> Layer {
    let mut layer = Layer::default();
    for (i, (path, step)) in steps.iter().enumerate() {
        let uid = u32::try_from(1000 * (number + 1) + i).unwrap();
        let mut names: Vec<String> = path.iter().map(|&name| name.to_owned()).collect();
        let change = match step {
            Step::Directory => LayerChange::Put(put(FileType::Directory, uid)),
            Step::File => LayerChange::Put(put(FileType::File, uid)),
            Step::HardLink(target) => LayerChange::HardLink(target.join("/").into_bytes().into()),
            Step::Whiteout => {
                let last = names.pop().unwrap();
                names.push(format!(".wh.{last}"));
                LayerChange::Put(put(FileType::File, uid))
            }
            Step::Opaque => {
                names.push(".wh..wh..opq".to_owned());
                LayerChange::Put(put(FileType::File, uid))
            }
        };
        layer.add(names.iter().map(|name| name.as_bytes()), change);
    }
    layer
}

/// Every path with its kind and the step that put it.
type Map = BTreeMap<String, (FileType, u32)>;

fn remove_below(map: &mut Map, path: &str) {
    let prefix = format!("{path}/");
    map.retain(|known, _| !known.starts_with(&prefix));
}

fn apply(map: &mut Map, steps: &Steps, number: usize) {
    let text = |path: &[&str]| path.iter().map(|name| format!("/{name}")).collect::<String>();
    for (path, step) in steps {
        match step {
            Step::Whiteout => {
                map.remove(&text(path));
                remove_below(map, &text(path));
            }
            Step::Opaque => remove_below(map, &text(path)),
            _ => {}
        }
    }
    for (i, (path, step)) in steps.iter().enumerate() {
        let uid = u32::try_from(1000 * (number + 1) + i).unwrap();
        let file = match step {
            Step::Directory => (FileType::Directory, uid),
            Step::File => (FileType::File, uid),
            Step::HardLink(target) => match map.get(&text(target)) {
                Some(found) if found.0 == FileType::File && target != path => *found,
                _ => continue,
            },
            Step::Whiteout | Step::Opaque => continue,
        };
        for depth in 1..path.len() {
            let above = text(&path[..depth]);
            if map.get(&above).is_none_or(|found| found.0 != FileType::Directory) {
                map.insert(above, (FileType::Directory, 0));
            }
        }
        if file.0 != FileType::Directory {
            remove_below(map, &text(path));
        }
        map.insert(text(path), file);
    }
}

proptest! {
    #[test]
    fn merging_is_what_a_plain_map_says(layers in prop::collection::vec(steps(), 1..5)) {
        let mut tree = Tree::default();
        let mut map = Map::new();
        for (number, steps) in layers.iter().enumerate() {
            tree.merge(&layer(steps, number), number);
            apply(&mut map, steps, number);
            let merged: Map = tree
                .below(PathId::ROOT)
                .map(|(path, file)| (tree.paths().display(path), (file.attributes.file_type, file.attributes.uid)))
                .collect();
            prop_assert_eq!(&merged, &map);
        }
    }
}
