//! The decisions of `model::filesystem` against the kernel: real users try things on a tree of random
//! owners, modes and links.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nonroot::model::capability::{Capability, Set};
use nonroot::model::credentials::Credentials;
use nonroot::model::filesystem::walk::{MAX_SYMLINKS, resolve};
use nonroot::model::filesystem::{Access, AccessVerdict, Files, Inode, Lookup, decide};
use nonroot::model::obstacle::Errno;

const DIRECTORIES: usize = 60;
const FILES: usize = 120;
const LINKS: usize = 60;
const ATTEMPTS: usize = 12_000;

/// splitmix64, so that a failure can be run again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from(z ^ (z >> 31)).unwrap()
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.next() % choices.len()].clone()
    }
}

/// What the file system has, as the model takes it.
fn on_disk(path: &str) -> Lookup {
    let Ok(found) = std::fs::symlink_metadata(path) else { return Lookup::Missing };
    let target = std::fs::read_link(path).ok().map(|target| target.to_str().unwrap().to_owned());
    Lookup::Found(Inode::of_stat(found.mode(), found.uid(), found.gid(), target))
}

fn set_owner_and_mode(random: &mut Random, path: &Path, modes: &[u32]) {
    chown(path, Some(random.of(&[0, 1000, 1001])), Some(random.of(&[0, 1000, 2000]))).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(random.of(modes))).unwrap();
}

/// With `fs.protected_symlinks` or `fs.protected_regular`, as systemd sets them, sticky directories
/// that everybody may write refuse more than the modes say.
fn sticky_directories_are_protected() -> bool {
    let on = |name| {
        std::fs::read_to_string(format!("/proc/sys/fs/{name}"))
            .is_ok_and(|value| value.trim() != "0")
    };
    on("protected_symlinks") || on("protected_regular")
}

/// A tree whose directories are mostly passable, so that walks end deep inside as often as on the
/// way.
fn grow(random: &mut Random, root: &Path) -> Vec<PathBuf> {
    let mut directories = vec![root.to_owned()];
    let mut paths = Vec::new();
    for i in 0..DIRECTORIES {
        let directory = random.of(&directories).join(format!("d{i}"));
        std::fs::create_dir(&directory).unwrap();
        directories.push(directory.clone());
        paths.push(directory);
    }
    for i in 0..FILES {
        let file = random.of(&directories).join(format!("f{i}"));
        std::fs::write(&file, "").unwrap();
        set_owner_and_mode(
            random,
            &file,
            &[0o644, 0o600, 0o640, 0o660, 0o666, 0o755, 0o710, 0o705, 0o070, 0o007, 0],
        );
        paths.push(file);
    }
    let mut targets = paths.clone();
    targets.push(root.join("nowhere"));
    for i in 0..LINKS {
        let link = random.of(&directories).join(format!("l{i}"));
        let target = random.of(&targets);
        let relative = target.strip_prefix(root).unwrap();
        let up = "../".repeat(link.strip_prefix(root).unwrap().components().count() - 1);
        let target = if random.next().is_multiple_of(2) {
            target.clone()
        } else {
            Path::new(&up).join(relative)
        };
        symlink(target, &link).unwrap();
        lchown(&link, Some(random.of(&[0, 1000])), Some(0)).unwrap();
        targets.push(link.clone());
        paths.push(link);
    }
    let everybodys = if sticky_directories_are_protected() { 0o1775 } else { 0o1777 };
    for directory in &directories[1..] {
        set_owner_and_mode(
            random,
            directory,
            &[
                0o755, 0o755, 0o755, 0o777, 0o750, 0o700, 0o711, 0o770, 0o1775, everybodys, 0o2770,
                0o707,
            ],
        );
    }
    paths
}

/// Where the links of a path lead.
fn resolved(path: &Path) -> PathBuf {
    let link =
        |path: &str| Some(std::fs::read_link(path).ok()?.to_str().expect("UTF-8").to_owned());
    PathBuf::from(resolve(path.to_str().expect("UTF-8"), link).path)
}

#[test]
fn as_many_links_are_followed_as_by_the_kernel() {
    let directory = tempfile::tempdir().unwrap();
    let root = std::fs::canonicalize(directory.path()).unwrap();
    let link = |number: usize| root.join(format!("link{number}"));
    std::fs::write(link(0), "").unwrap();
    for number in 1..=MAX_SYMLINKS + 2 {
        symlink(link(number - 1), link(number)).unwrap();
    }
    for number in 0..=MAX_SYMLINKS + 2 {
        let kernel = std::fs::metadata(link(number)).is_ok();
        assert_eq!(resolved(&link(number)) == link(0), kernel, "{number} links");
    }
}

#[test]
#[ignore = "needs root (acts as other users)"]
fn decisions_are_the_kernels() {
    let seed = std::env::var("NONROOT_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(0x006e_6f6e_726f_6f74);
    let mut random = Random(seed);
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let driver = directory.path().join("driver");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/access/driver.c");
    let gcc = Command::new("gcc").args(["-O1", "-Wall", "-o"]).arg(&driver).arg(source).status();
    assert!(gcc.is_ok_and(|status| status.success()), "gcc compiles {source}");
    let root = directory.path().join("tree");
    std::fs::create_dir(&root).unwrap();
    let paths = grow(&mut random, &root);
    for path in &paths {
        let Ok(kernel) = std::fs::canonicalize(path) else { continue };
        assert_eq!(resolved(path), kernel, "seed {seed}: {}", path.display());
    }

    let capabilities = [
        Set::EMPTY,
        Set::EMPTY,
        Set::EMPTY,
        Set::of(&[Capability::DAC_OVERRIDE]),
        Set::of(&[Capability::DAC_READ_SEARCH]),
        Set::of(&[Capability::FOWNER]),
        Set::of(&[Capability::CHOWN]),
        Set::CONTAINERD,
    ];
    let mut orders = String::new();
    let mut computed = Vec::new();
    for _ in 0..ATTEMPTS {
        let groups: Vec<u32> =
            (0..2).filter_map(|_| random.of(&[None, Some(0), Some(1000), Some(2000)])).collect();
        let effective = random.of(&capabilities);
        let (user, group_id) =
            (random.of(&[0, 1000, 1001, 1002]), random.of(&[0, 1000, 2000, 3000]));
        let process = Credentials::unprivileged(user, group_id, &groups).with_effective(effective);
        let path = random.of(&paths);
        let path = if random.next().is_multiple_of(8) {
            path.parent().unwrap().join("missing")
        } else {
            path
        };
        let (uid, gid) = (random.of(&[0, 1000, 1001]), random.of(&[0, 1000, 2000]));
        let exists = path.exists();
        let is_link = path.symlink_metadata().is_ok_and(|found| found.is_symlink());
        let (action, access) = match random.next() % 8 {
            0 => ("read", Access::Read),
            1 if path.is_dir() => ("fill", Access::Write),
            1 => ("write", Access::Write),
            2 if path.is_dir() => ("search", Access::Search),
            2 | 3 if path.is_file() => ("execute", Access::Execute),
            3 | 4 if !exists && !is_link => ("create", Access::Create),
            5 if is_link || path.is_file() => ("remove", Access::Remove),
            6 => ("chmod", Access::Chmod),
            7 => ("chown", Access::Chown { uid: Some(uid), gid: Some(gid) }),
            _ => ("read", Access::Read),
        };
        let group = |i| groups.get(i).map_or(-1, |&gid| i64::from(gid));
        let path = path.to_str().unwrap().to_owned();
        writeln!(
            orders,
            "{} {} {} {} {:x} {action} {uid} {gid} {path}",
            user,
            group_id,
            group(0),
            group(1),
            effective.bits()
        )
        .unwrap();
        let files = Files::new(&on_disk, false, Vec::new());
        computed.push(decide(&process, &files, &path, access));
    }

    let mut process =
        Command::new(&driver).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let input = orders.clone();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let answers: Vec<i32> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    assert_eq!(answers.len(), ATTEMPTS, "seed {seed}: the driver stopped early");

    let mut seen = std::collections::BTreeMap::new();
    for ((order, decision), answer) in orders.lines().zip(computed).zip(answers) {
        let expected = match decision.verdict {
            AccessVerdict::Allowed => 0,
            AccessVerdict::Denied(denial) => denial.errno().map_or(-1, Errno::number),
            AccessVerdict::Unknown => -2,
        };
        let steps: String = decision.steps.iter().map(|step| format!("\n  {step}")).collect();
        assert_eq!(expected, answer, "seed {seed}: {order}{steps}");
        *seen.entry(answer).or_insert(0) += 1;
    }
    println!("{ATTEMPTS} attempts, by errno: {seen:?}");
    for errno in [0, Errno::Eperm.number(), Errno::Eacces.number(), Errno::Enoent.number()] {
        assert!(
            seen.get(&errno).is_some_and(|&count| count > 100),
            "too few attempts end in errno {errno}: {seen:?}"
        );
    }
}
