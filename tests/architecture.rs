//! The table of src/lib.rs, enforced: who may import whom, and who may touch the world.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A row of the table.
struct Room {
    name: String,
    imports: BTreeSet<String>,
    kind: String,
}

/// What the code of a kind of room must not hold. The room that joins them may do all.
fn taboo(kind: &str) -> &'static [&'static str] {
    match kind {
        "pure" => &[
            "std::fs",
            "net::Tcp",
            "net::Udp",
            "std::process",
            "std::env",
            "tokio",
            "kube::",
            "SystemTime",
            "Instant",
            "dialoguer",
            "indicatif",
        ],
        "reads" | "writes" => &["dialoguer", "indicatif"],
        "prints" => &["std::fs", "tokio", "kube::", "dialoguer"],
        "joins" => &[],
        other => panic!("src/lib.rs has no rule for a room that {other}"),
    }
}

/// The table of src/lib.rs.
fn rooms() -> Vec<Room> {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("src/lib.rs");
    let row = |line: &str| {
        let mut cells = line.strip_prefix("//! | [`")?.split(" | ").map(str::trim);
        let name = cells.next()?.strip_suffix("`]")?.to_owned();
        let imports = cells.next()?.split(',').map(|room| room.trim().to_owned()).filter(|room| !room.is_empty());
        let imports = imports.chain([name.clone()]).collect();
        Some(Room { name, imports, kind: cells.next()?.trim_end_matches('|').trim().to_owned() })
    };
    // A cell without words has one space.
    map.lines().filter_map(|line| row(&line.replace("| |", "|  |"))).collect()
}

/// Calls that change a cluster or a file.
const WRITES: &[&str] = &[
    "pods.create(",
    ").create(&",
    "pods.delete(",
    ".patch(",
    ".delete_collection(",
    ".evict(",
    "fs::write",
    "fs::rename",
    "fs::remove",
    ".persist(",
];

/// Where they may stand: the trial makes and removes pods of its own, and the cache of images is files of its own; what a
/// user asks for is written in one place.
const WRITERS: &[&str] = &["src/run/", "src/apply/", "src/evidence/image/cache.rs"];

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a room is a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

/// The code of a file without its tests and comments: tests may do what they like.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source file");
    if path.file_name().is_some_and(|name| name == "tests.rs") {
        return String::new();
    }
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn room_sources(room: &Room) -> Vec<PathBuf> {
    let found = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(&room.name));
    assert!(!found.is_empty(), "room {} is empty", room.name);
    found
}

#[test]
fn rooms_import_only_what_they_may() {
    for room in rooms().iter().filter(|room| room.kind != "joins") {
        for path in room_sources(room) {
            let code = code(&path);
            for import in code.split("crate::").skip(1) {
                let name: String = import.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let imports_types_of_the_crate = name.chars().next().is_some_and(char::is_uppercase);
                assert!(
                    room.imports.contains(&name) && !imports_types_of_the_crate,
                    "{} imports crate::{name}: room {} may import {:?}",
                    path.display(),
                    room.name,
                    room.imports
                );
            }
        }
    }
}

#[test]
fn rooms_keep_their_hands_off_the_world() {
    for room in &rooms() {
        for path in room_sources(room) {
            let code = code(&path);
            for word in taboo(&room.kind) {
                assert!(!code.contains(word), "{} holds {word}, which room {} must not", path.display(), room.name);
            }
        }
    }
}

#[test]
fn only_the_writers_write() {
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        if WRITERS.iter().any(|writer| path.to_string_lossy().contains(writer)) {
            continue;
        }
        let code = code(&path);
        for word in WRITES {
            assert!(!code.contains(word), "{} holds {word}", path.display());
        }
    }
}

#[test]
fn every_room_is_on_the_map() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("src/lib.rs");
    let declared = map.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).map(str::to_owned);
    let declared: BTreeSet<String> = declared.filter(|name| name != "error").collect();
    let rooms: BTreeSet<String> = rooms().into_iter().map(|room| room.name).collect();
    assert_eq!(rooms, declared);
    // Who may import whom has no circle.
    let rooms = self::rooms();
    let mut left: Vec<&Room> = rooms.iter().filter(|room| room.kind != "joins").collect();
    while !left.is_empty() {
        let names: BTreeSet<&String> = left.iter().map(|room| &room.name).collect();
        let is_open = |room: &&&Room| room.imports.iter().any(|name| *name != room.name && names.contains(name));
        let open: Vec<&Room> = left.iter().filter(is_open).copied().collect();
        assert!(open.len() < left.len(), "a circle: {names:?}");
        left = open;
    }
}
