//! The computation of `model::credentials` against the kernel: real processes in random credentials
//! execute real files, or change their uid, and /proc/self/status must show what was computed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use nonroot::evidence::inside::credentials;
use nonroot::model::capability::{FileCapabilities, Set};
use nonroot::model::credentials::{Credentials, Executable, Ids};

const FILES: usize = 150;
const EXECS: usize = 3000;
const UID_CHANGES: usize = 1000;
/// EPERM of errno(3).
const EPERM: &str = "errno 1";

/// splitmix64, so that a failure can be run again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.next() % choices.len() as u64).unwrap()]
    }

    fn few(&mut self) -> u64 {
        (0..self.next() % 4).fold(0, |bits, _| bits | 1 << (self.next() % 41))
    }

    /// Empty, a few, half, nearly all or all: each kind of set meets each kind of rule.
    fn bits(&mut self, within: u64) -> u64 {
        let bits = match self.next() % 6 {
            0 => 0,
            1 => self.few(),
            2 => self.next(),
            3 => Set::CONTAINERD.bits(),
            4 => !self.few(),
            _ => u64::MAX,
        };
        bits & within
    }

    fn ids(&mut self, choices: &[u32]) -> [u32; 3] {
        let id = self.of(choices);
        if self.one_in(4) {
            [self.of(choices), self.of(choices), self.of(choices)]
        } else {
            [id; 3]
        }
    }
}

enum Action {
    Execve(usize),
    Setuid(u32),
    Setresuid([u32; 3]),
}

/// The attribute as bytes of linux/capability.h, and how it is written down for the driver.
fn attribute(random: &mut Random) -> Option<Vec<u8>> {
    let (permitted, inheritable) = match random.next() % 5 {
        0 => return None,
        1 => (random.few(), 0),
        2 => (0, random.few()),
        _ => (random.few(), random.few()),
    };
    let version: u32 = random.of(&[2, 2, 3]);
    let effective = u32::from(!random.one_in(3));
    let mut words = vec![version << 24 | effective];
    for half in [0, 32] {
        words.push(u32::try_from(permitted >> half & 0xffff_ffff).unwrap());
        words.push(u32::try_from(inheritable >> half & 0xffff_ffff).unwrap());
    }
    if version == 3 {
        words.push(random.of(&[0, 0, 1000]));
    }
    Some(words.into_iter().flat_map(u32::to_le_bytes).collect())
}

/// Whether execve decides "the ids change" by the effective ids (Linux 6.17) or by the real ones.
fn compares_effective_ids() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|n| n.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(17))
}

fn compile(source: &Path, program: &Path) {
    let gcc = Command::new("gcc").args(["-O1", "-Wall", "-o"]).arg(program).arg(source).status();
    assert!(gcc.is_ok_and(|status| status.success()), "gcc compiles {}", source.display());
}

#[test]
#[ignore = "needs root (sets file capabilities)"]
fn credentials_after_execve_and_setuid_are_the_kernels() {
    let own = credentials(&std::fs::read_to_string("/proc/self/status").unwrap()).unwrap();
    assert_eq!(own.uid, Ids::all(0), "needs root (sets file capabilities)");
    let within = own.sets.permitted.and(own.sets.bounding).bits();
    let seed = std::env::var("NONROOT_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(0x006e_6f6e_726f_6f74);
    let mut random = Random(seed);

    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    let driver = directory.path().join("driver");
    compile(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/capabilities/driver.c")),
        &driver,
    );

    let mut orders = String::new();
    let files: Vec<Executable> = (0..FILES)
        .map(|i| {
            let attribute = attribute(&mut random);
            // No process is in group 4000: a file that its group may not execute stays executable
            // for all of them.
            let (mode, gids): (u16, &[u32]) = match random.next() % 6 {
                0 => (0o4755, &[0, 1000, 2000, 4000]),
                1 => (0o2755, &[0, 1000, 2000, 4000]),
                2 => (0o6755, &[0, 1000, 2000, 4000]),
                3 => (0o2705, &[4000]),
                _ => (0o755, &[0]),
            };
            let file = Executable {
                uid: random.of(&[0, 0, 1000, 1001]),
                gid: random.of(gids),
                mode,
                capabilities: attribute
                    .as_deref()
                    .map(|bytes| FileCapabilities::decode(bytes).unwrap()),
                nosuid: false,
            };
            let hex = attribute.map_or("-".to_owned(), |bytes| {
                bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
            });
            let path = directory.path().join(i.to_string());
            writeln!(
                orders,
                "file {} {} {} {:o} {hex}",
                path.display(),
                file.uid,
                file.gid,
                file.mode
            )
            .unwrap();
            file
        })
        .collect();

    let modern = compares_effective_ids();
    let mut actions = Vec::new();
    while actions.len() < EXECS + UID_CHANGES {
        let uid = random.ids(&[0, 1000, 1000, 1001]);
        let gid = random.ids(&[0, 1000, 2000]);
        let groups: [i64; 3] = std::array::from_fn(|_| random.of(&[-1, -1, 2000, 3000]));
        if !modern && (uid[0] != uid[1] || gid[0] != gid[1] || groups != [-1; 3]) {
            continue;
        }
        let [inheritable, bounding, permitted] = std::array::from_fn(|_| random.bits(within));
        let effective = random.bits(permitted);
        let ambient = random.bits(permitted & inheritable);
        let no_new_privs = u8::from(random.one_in(3));
        let keep_caps = u8::from(random.one_in(4));
        let action = if actions.len() < EXECS {
            Action::Execve(usize::try_from(random.next()).unwrap() % FILES)
        } else if random.one_in(2) {
            Action::Setuid(random.of(&[0, 1000, 1001]))
        } else {
            Action::Setresuid(random.ids(&[0, 1000, 1001]))
        };
        write!(
            orders,
            "case {} {} {} {} {} {} {} {} {} {inheritable:x} {bounding:x} {permitted:x} {effective:x} {ambient:x} \
             {no_new_privs} {keep_caps} ",
            uid[0], uid[1], uid[2], gid[0], gid[1], gid[2], groups[0], groups[1], groups[2],
        )
        .unwrap();
        match &action {
            Action::Execve(file) => {
                writeln!(orders, "exec {}", directory.path().join(file.to_string()).display())
            }
            Action::Setuid(uid) => writeln!(orders, "setuid {uid}"),
            Action::Setresuid([r, e, s]) => writeln!(orders, "setresuid {r} {e} {s}"),
        }
        .unwrap();
        actions.push((action, keep_caps != 0));
    }

    let mut process = Command::new(&driver)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the driver starts");
    let mut stdin = process.stdin.take().unwrap();
    let writer = {
        let orders = orders.clone();
        std::thread::spawn(move || stdin.write_all(orders.as_bytes()))
    };
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let mut reports = output.split(".\n");

    let (mut refused, mut gained) = (0, 0);
    let orders: Vec<&str> = orders.lines().filter(|line| line.starts_with("case")).collect();
    for ((action, keep_caps), order) in actions.iter().zip(orders) {
        let before = reports.next().unwrap();
        let before =
            credentials(before).unwrap_or_else(|| panic!("seed {seed}: {order}: before: {before}"));
        let before = Credentials { keep_caps: *keep_caps, ..before };
        let after = reports.next().unwrap();
        let computed = match *action {
            Action::Execve(file) => before.execve(&files[file], 0).map_err(|_| ()),
            Action::Setuid(uid) => before.setuid(uid).map_err(|_| ()),
            Action::Setresuid([real, effective, saved]) => {
                before.setresuid(Ids { real, effective, saved }).map_err(|_| ())
            }
        };
        match computed {
            Ok(computed) => {
                let kernel = credentials(after).unwrap_or_else(|| {
                    panic!("seed {seed}: {order}: {after}, computed {computed:?}")
                });
                let computed = Credentials { keep_caps: false, ..computed };
                let Action::Execve(file) = action else {
                    assert_eq!(computed, kernel, "seed {seed}: {order}");
                    continue;
                };
                assert_eq!(computed, kernel, "seed {seed}: {order}: {:?}", files[*file]);
                gained +=
                    usize::from(!kernel.sets.permitted.is_empty() && kernel.uid.effective != 0);
            }
            Err(()) => {
                assert_eq!(after.trim(), EPERM, "seed {seed}: {order}");
                refused += 1;
            }
        }
    }
    println!(
        "{EXECS} executions and {UID_CHANGES} changes of uid: {refused} refused, {gained} other users with capabilities"
    );
    assert!(
        refused > 100 && gained > 100,
        "{refused} refused, {gained} gained: the cases must reach both"
    );
}
