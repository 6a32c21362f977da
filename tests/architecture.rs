//! The table of src/lib.rs, enforced: who may import whom, and who may touch the world.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A row of the table.
struct Room {
    name: String,
    imports: BTreeSet<String>,
    kind: String,
}

/// What the code of a kind of room must not hold. The room that talks may do all.
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
        "reads" | "writes" => &["dialoguer", "indicatif", "println!", "print!("],
        "renders" => &["std::fs", "tokio", "kube::", "dialoguer", "println!", "print!("],
        "joins" => &[
            "clap",
            "dialoguer",
            "indicatif",
            "console::",
            "anstream",
            "println!",
            "print!(",
            "io::stdout",
            "io::stderr",
            "say(",
        ],
        "talks" => &[],
        other => panic!("src/lib.rs has no rule for a room that {other}"),
    }
}

/// The table of src/lib.rs.
fn rooms() -> Vec<Room> {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"))
        .expect("src/lib.rs");
    let row = |line: &str| {
        let mut cells = line.strip_prefix("//! | [`")?.split(" | ").map(str::trim);
        let name = cells.next()?.strip_suffix("`]")?.to_owned();
        let imports = cells
            .next()?
            .split(',')
            .map(|room| room.trim().to_owned())
            .filter(|room| !room.is_empty());
        let imports = imports.chain([name.clone()]).collect();
        Some(Room { name, imports, kind: cells.next()?.trim_end_matches('|').trim().to_owned() })
    };
    // A cell without words has one space.
    map.lines().filter_map(|line| row(&line.replace("| |", "|  |"))).collect()
}

/// Calls that change a cluster or a file; without white space, since a call may be on two lines.
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

/// Where they may stand: the trial makes and removes pods of its own, and the cache of images is
/// files of its own; what a user asks for is written in one place.
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
    for room in rooms().iter().filter(|room| room.kind != "talks") {
        for path in room_sources(room) {
            let code = code(&path);
            for import in code.split("crate::").skip(1) {
                let name: String =
                    import.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let imports_types_of_the_crate =
                    name.chars().next().is_some_and(char::is_uppercase);
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
                assert!(
                    !code.contains(word),
                    "{} holds {word}, which room {} must not",
                    path.display(),
                    room.name
                );
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
        let code = without_white_space(&code(&path));
        for word in WRITES {
            assert!(!code.contains(word), "{} holds {word}", path.display());
        }
    }
}

fn without_white_space(code: &str) -> String {
    code.split_whitespace().collect()
}

#[test]
fn a_call_on_two_lines_is_a_call() {
    let code = without_white_space("pods\n    .create(&parameters, &pod)\n");
    assert!(WRITES.iter().any(|word| code.contains(word)));
}

/// What commands share. Every other file of `cli` is a command, and knows no other.
const SHARED: &[&str] = &["cli", "cli::flags", "cli::progress", "cli::prompts"];

#[test]
fn commands_import_no_commands() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli");
    let files = sources(&root);
    let modules: BTreeSet<String> = files.iter().map(|path| module(path)).collect();
    // `cli::fix::render` belongs to the command `cli::fix`.
    let command = |name: &str| name.split("::").take(2).collect::<Vec<_>>().join("::");
    assert!(modules.contains("cli::scan") && modules.contains("cli::fix"), "{modules:?}");
    for path in &files {
        let own = module(path);
        let others =
            named(path, &modules).into_iter().filter(|name| command(name) != command(&own));
        for other in others.filter(|_| own != "cli") {
            assert!(SHARED.contains(&other.as_str()), "{} imports {other}", path.display());
        }
    }
}

#[test]
fn every_room_is_on_the_map() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"))
        .expect("src/lib.rs");
    let declared = map
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned);
    let declared: BTreeSet<String> = declared.filter(|name| name != "error").collect();
    let rooms: BTreeSet<String> = rooms().into_iter().map(|room| room.name).collect();
    assert_eq!(rooms, declared);
    // Who may import whom has no circle.
    let rooms = self::rooms();
    let mut left: Vec<&Room> = rooms.iter().filter(|room| room.kind != "talks").collect();
    while !left.is_empty() {
        let names: BTreeSet<&String> = left.iter().map(|room| &room.name).collect();
        let is_open = |room: &&&Room| {
            room.imports.iter().any(|name| *name != room.name && names.contains(name))
        };
        let open: Vec<&Room> = left.iter().filter(is_open).copied().collect();
        assert!(open.len() < left.len(), "a circle: {names:?}");
        left = open;
    }
}

/// What joins a diagnosis and a remedy are the typed fields and details of the obstacle.
#[test]
fn remedies_read_no_text() {
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/remedy")) {
        let text = fs::read_to_string(&path).expect("a source file");
        for word in ["evidence.text", ".cause"] {
            assert!(!text.contains(word), "{} reads {word}", path.display());
        }
    }
}

/// The files that read a log know no pattern: a pattern needs them, and they need none.
#[test]
fn the_reader_of_logs_knows_no_pattern() {
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/diagnosis/reader")) {
        let code = code(&path);
        assert!(!code.contains("patterns"), "{} names a pattern", path.display());
    }
}

/// The modules of a file: `src/plan/compose.rs` is `plan::compose`, and `src/plan/mod.rs` is
/// `plan`.
fn module(path: &Path) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let path = path.strip_prefix(&root).expect("a file of the source").with_extension("");
    let mut parts: Vec<String> =
        path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    parts.retain(|part| part != "mod");
    parts.join("::")
}

/// The paths that `a::{b, c::{d, e}}` stands for: `a::b`, `a::c::d` and `a::c::e`. What follows the
/// path is left alone.
fn paths(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let end = text.find(|c: char| !is_part(c)).unwrap_or(text.len());
    let (prefix, rest) = text.split_at(end);
    let Some(group) = rest.strip_prefix('{') else { return vec![prefix.to_owned()] };
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' | ',' if depth == 0 => {
                let members = paths(group[start..at].trim());
                found.extend(members.into_iter().map(|member| format!("{prefix}{member}")));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found
}

#[test]
fn groups_of_imports_are_unfolded() {
    assert_eq!(paths("a::b;"), ["a::b"]);
    assert_eq!(paths("a::{b, c::{d, e as f}, self};"), ["a::b", "a::c::d", "a::c::e", "a::self"]);
    assert_eq!(paths("{a,\n    b::C,\n}; use x"), ["a", "b::C", ""]);
}

/// The modules that a file names, of those that are files.
fn named(path: &Path, modules: &BTreeSet<String>) -> BTreeSet<String> {
    let own: Vec<String> = module(path).split("::").map(str::to_owned).collect();
    let code = code(path);
    let mut found = BTreeSet::new();
    // What `super` is to a file in a room, and to `mod.rs` of a directory in it.
    let prefixes = ["crate::", "super::super::super::", "super::super::", "super::"];
    for prefix in prefixes {
        let up = prefix.matches("super::").count();
        for (start, _) in code.match_indices(prefix) {
            let is_part_of_more = code[..start].ends_with("super::")
                || code[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let rest = &code[start + prefix.len()..];
            if is_part_of_more || rest.starts_with("super::") {
                continue;
            }
            let base = if up == 0 { &[][..] } else { &own[..own.len().saturating_sub(up)] };
            for name in paths(rest) {
                let mut parts = base.to_vec();
                parts.extend(
                    name.split("::")
                        .filter(|part| !part.is_empty() && *part != "self")
                        .map(str::to_owned),
                );
                // The longest beginning that is a file.
                while !parts.is_empty() && !modules.contains(&parts.join("::")) {
                    parts.pop();
                }
                found.insert(parts.join("::"));
            }
        }
    }
    found.retain(|name| !name.is_empty() && *name != module(path));
    found
}

/// Files that name each other cannot be read one after another. A file and those in the directory
/// of its name are one.
#[test]
fn files_name_each_other_without_a_circle() {
    let files = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let modules: BTreeSet<String> =
        files.iter().map(|path| module(path)).filter(|name| name != "lib").collect();
    let is_kin = |one: &str, other: &str| {
        one.starts_with(&format!("{other}::")) || other.starts_with(&format!("{one}::"))
    };
    let mut left: Vec<(String, BTreeSet<String>)> = Vec::new();
    for path in &files {
        let name = module(path);
        let mut names = named(path, &modules);
        names.retain(|other| !is_kin(&name, other));
        left.push((name, names));
    }
    assert!(left.iter().filter(|(_, names)| !names.is_empty()).count() > 100, "imports are found");
    loop {
        let here: BTreeSet<String> = left.iter().map(|(name, _)| name.clone()).collect();
        let count = left.len();
        left.retain(|(_, names)| names.iter().any(|name| here.contains(name)));
        if left.len() == count {
            break;
        }
    }
    assert!(left.is_empty(), "circles, or what leads into them: {left:#?}");
}

/// A reader who meets the name of a type knows which it is. The types of reports may have the names
/// of what they report.
#[test]
fn a_public_type_has_its_name_alone() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in sources(&source) {
        if path.starts_with(source.join("output")) {
            continue;
        }
        for line in code(&path).lines() {
            let mut words = line.trim_start().split(|c: char| !c.is_alphanumeric() && c != '_');
            let is_type = words.next() == Some("pub")
                && matches!(words.next(), Some("struct" | "enum" | "trait" | "type" | "union"));
            if let Some(name) = words.next().filter(|_| is_type) {
                places.entry(name.to_owned()).or_default().push(module(&path));
            }
        }
    }
    assert!(places.len() > 200, "types are found");
    let twice: BTreeMap<&String, &Vec<String>> =
        places.iter().filter(|(_, modules)| modules.len() > 1).collect();
    assert!(twice.is_empty(), "{twice:#?}");
}
