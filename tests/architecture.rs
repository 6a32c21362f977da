//! The table of src/lib.rs, enforced: who may import whom, and who may touch the world.

#![allow(clippy::expect_used, reason = "a panic is how a test fails")]

use std::fs;
use std::path::{Path, PathBuf};

/// A room, the rooms that it may import, and words that its code must not hold.
struct Room {
    name: &'static str,
    imports: &'static [&'static str],
    taboo: &'static [&'static str],
}

const PURE: &[&str] = &[
    "std::fs",
    "net::Tcp",
    "net::Udp",
    "std::process",
    "std::time",
    "std::env",
    "tokio",
    "kube::",
    "SystemTime",
    "Instant",
];

const ROOMS: &[Room] = &[
    Room { name: "model", imports: &["model"], taboo: PURE },
    Room { name: "policy", imports: &["model", "policy"], taboo: PURE },
    Room { name: "diagnosis", imports: &["model", "diagnosis"], taboo: PURE },
    Room { name: "apply", imports: &["model", "error", "evidence", "apply"], taboo: &["dialoguer", "indicatif"] },
    Room { name: "remedy", imports: &["model", "remedy"], taboo: PURE },
    Room { name: "foresight", imports: &["model", "foresight"], taboo: PURE },
    Room { name: "plan", imports: &["model", "remedy", "policy", "plan"], taboo: PURE },
    Room { name: "evidence", imports: &["model", "error", "evidence"], taboo: &["dialoguer", "indicatif"] },
    Room {
        name: "output",
        imports: &["model", "error", "output", "policy", "diagnosis", "remedy"],
        taboo: &["std::fs", "tokio", "kube::", "dialoguer"],
    },
];

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
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn room_sources(room: &Room) -> Vec<PathBuf> {
    let found = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room.name));
    assert!(!found.is_empty(), "room {} is empty", room.name);
    found
}

#[test]
fn rooms_import_only_what_they_may() {
    for room in ROOMS {
        for path in room_sources(room) {
            let code = code(&path);
            for import in code.split("crate::").skip(1) {
                let name: String = import.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let imports_types_of_the_crate = name.chars().next().is_some_and(char::is_uppercase);
                assert!(
                    room.imports.contains(&name.as_str()) && !imports_types_of_the_crate,
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
    for room in ROOMS {
        for path in room_sources(room) {
            let code = code(&path);
            for word in room.taboo {
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
    for room in ROOMS {
        assert!(map.contains(&format!("[`{}`]", room.name)), "src/lib.rs does not describe {}", room.name);
    }
}
