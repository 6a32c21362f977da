//! `fix --trial` on the programs of tests/programs, none of which any rule knows: from the manifest
//! alone to Ready where `restricted` is enforced, and to what a user of the program does with it, which
//! is the `check` of its folder. What is not so says why in a file of the folder: `unsolved`, where
//! nothing is proven; `broken`, where the proof holds and the check does not; `user-namespace`, where
//! root is kept inside one. One with a file `only-by-name` is run where PROGRAM names it, as one
//! name or several.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a panic is how a test fails"
)]

mod testbed;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use serde_json::Value;
use testbed::{Namespace, kubectl, kubectl_warns, nonroot, written};

/// Programs at the same time: most of a trial is waiting for a pod.
const SIDE_BY_SIDE: usize = 3;

/// How long a check may take: cron's waits for the next minute.
const LONGEST_CHECK: &str = "150";

/// Where the programs are: PROGRAMS may name another directory of such folders.
fn programs() -> PathBuf {
    let ours = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs"));
    env::var_os("PROGRAMS").map_or_else(ours, PathBuf::from)
}

/// A program that is proven.
struct Proven {
    rounds: usize,
    uid: u64,
    /// The path of the workload as the tool leaves it.
    patched: String,
}

/// What became of one program. What is not so has its reason.
struct Row {
    name: String,
    proven: Result<Proven, String>,
    /// How long the trial took.
    trial: Duration,
    /// The check of the original as root.
    original: Result<(), String>,
    /// The patched workload where the level is enforced: Ready, and then its check.
    ready: Result<(), String>,
    patched: Result<(), String>,
}

impl Row {
    fn line(&self) -> String {
        let yes = |result: &Result<(), String>, good, bad| match result {
            Ok(()) => good,
            Err(_) => bad,
        };
        let (rounds, uid) = self.proven.as_ref().map_or_else(
            |_| ("-".to_owned(), "-".to_owned()),
            |proven| (proven.rounds.to_string(), proven.uid.to_string()),
        );
        let mut line = format!(
            "{:<16} {:<5} {:<8} {:<8} {:>7} {:>6} {:>6}",
            self.name,
            yes(&self.ready, "Ready", "no"),
            yes(&self.original, "works", "fails"),
            if self.ready.is_err() { "-" } else { yes(&self.patched, "works", "fails") },
            self.trial.as_secs(),
            rounds,
            uid
        );
        let reasons = [
            ("", self.proven.as_ref().err()),
            ("not Ready: ", self.ready.as_ref().err()),
            ("as root: ", self.original.as_ref().err()),
            ("patched: ", self.patched.as_ref().err()),
        ];
        for (what, reason) in reasons {
            if let Some(reason) = reason.filter(|reason| !reason.is_empty()) {
                line.push_str(&format!("  {what}{reason}"));
            }
        }
        line
    }

    /// What differs from what its folder says.
    fn surprises(&self, folder: &Path) -> Vec<String> {
        let broken = self.proven.is_ok() && (self.ready.is_err() || self.patched.is_err());
        let is_root = self.proven.as_ref().is_ok_and(|proven| proven.uid == 0);
        let records =
            [("unsolved", self.proven.is_err()), ("broken", broken), ("user-namespace", is_root)];
        let differing = records.into_iter().filter(|(file, is)| folder.join(file).exists() != *is);
        let mut surprises: Vec<String> = differing
            .map(|(file, is)| format!("{} is {}{file}", self.name, if is { "" } else { "not " }))
            .collect();
        if let Err(reason) = &self.original {
            surprises.push(format!("the check of {} fails as root: {reason}", self.name));
        }
        surprises
    }
}

/// Finds what makes a workload work, with the namespace's copy as root to compare with.
fn prove(name: &str, workload: &str, namespace: &Namespace) -> Result<Proven, String> {
    let run = nonroot(&[
        "fix",
        "-n",
        namespace.name(),
        "-f",
        workload,
        "--level",
        "restricted",
        "--trial",
        "--yes",
        "-o",
        "json",
    ]);
    if run.code != 0 {
        return Err(run.stderr.lines().last().unwrap_or_default().to_owned());
    }
    let fix = run.json();
    match fix["proof"]["works"] {
        Value::Bool(true) => Ok(Proven {
            rounds: fix["proof"]["rounds"].as_array().map_or(0, Vec::len),
            uid: fix["plan"]["identity"]["uid"].as_u64().expect("whom it runs as"),
            patched: written(&format!("{name}.json"), &fix["patch"].to_string()),
        }),
        _ => Err("not proven".to_owned()),
    }
}

/// Creates a workload, and waits until it is Ready.
fn roll_out(workload: &str, namespace: &Namespace) -> Result<(), String> {
    let target = kubectl(&["apply", "-n", namespace.name(), "-o", "name", "-f", workload]);
    let status = ["rollout", "status", "-n", namespace.name(), target.trim(), "--timeout=90s"];
    let error = kubectl_warns(&status);
    error.lines().last().map_or(Ok(()), |line| Err(line.to_owned()))
}

/// Does with a Ready program what a user of it does.
fn check(name: &str, folder: &Path, namespace: &Namespace) -> Result<(), String> {
    let pod = testbed::of_pod(namespace.name(), &format!("app={name}"), ".metadata.name");
    let path = env::var("PATH").unwrap_or_default();
    let output = Command::new("timeout")
        .args([LONGEST_CHECK, "sh", "check"])
        .current_dir(folder)
        .env("NAMESPACE", namespace.name())
        .env("POD", pod)
        .env("KUBECONFIG", testbed::kubeconfig())
        .env("PATH", format!("{}/bin:{path}", testbed::directory()))
        .output()
        .expect("timeout runs");
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(stderr.lines().last().unwrap_or("it says nothing").to_owned())
}

/// Proves one program, and checks it as root and as the tool leaves it, side by side.
fn convert(name: &str, folder: &Path) -> Row {
    let open = Namespace::new(&format!("nonroot-test-program-{name}"), &[]);
    let enforced = Namespace::new(
        &format!("nonroot-test-patched-{name}"),
        &["pod-security.kubernetes.io/enforce=restricted"],
    );
    let workload = folder.join("workload.yaml").display().to_string();
    let start = Instant::now();
    let proven = prove(name, &workload, &open);
    let trial = start.elapsed();
    let as_root = || roll_out(&workload, &open).and_then(|()| check(name, folder, &open));
    let as_patched = || match &proven {
        Err(_) => (Err(String::new()), Err(String::new())),
        Ok(proven) => match roll_out(&proven.patched, &enforced) {
            Err(reason) => (Err(reason), Err(String::new())),
            Ok(()) => (Ok(()), check(name, folder, &enforced)),
        },
    };
    let (original, (ready, patched)) = thread::scope(|scope| {
        let original = scope.spawn(as_root);
        let patched = as_patched();
        (original.join().expect("no panic"), patched)
    });
    Row { name: name.to_owned(), proven, trial, original, ready, patched }
}

fn name_of(folder: &Path) -> &str {
    folder.file_name().and_then(|name| name.to_str()).expect("a name")
}

/// The folders of those that are run: all but what is only run by name, or what is named.
fn chosen() -> Vec<PathBuf> {
    let only = env::var("PROGRAM").ok();
    let mut folders: Vec<_> = fs::read_dir(programs())
        .expect("programs")
        .map(|entry| entry.expect("a folder").path())
        .filter(|folder| folder.join("workload.yaml").exists())
        .collect();
    folders.sort();
    folders.retain(|folder| match &only {
        Some(only) => only.split_whitespace().any(|only| only == name_of(folder)),
        None => !folder.join("only-by-name").exists(),
    });
    folders
}

#[test]
fn each_program_has_a_check() {
    for folder in
        fs::read_dir(programs()).expect("programs").map(|entry| entry.expect("one").path())
    {
        let check = fs::read_to_string(folder.join("check")).unwrap_or_default();
        let wanted = folder.join("workload.yaml").exists();
        assert_eq!(check.starts_with("#!/bin/sh\n# "), wanted, "{}", folder.display());
    }
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn programs_that_no_rule_knows() {
    let folders = chosen();
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(folder) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
            let row = convert(name_of(folder), folder);
            println!("{}", row.line());
            rows.lock().expect("no panic").push((row, folder));
        }
    };
    thread::scope(|scope| (0..SIDE_BY_SIDE).for_each(|_| drop(scope.spawn(work))));
    let mut rows = rows.into_inner().expect("no panic");
    rows.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    println!(
        "\n{:<16} {:<5} {:<8} {:<8} {:>7} {:>6} {:>6}",
        "program", "Ready", "as root", "patched", "seconds", "rounds", "uid"
    );
    rows.iter().for_each(|(row, _)| println!("{}", row.line()));
    let working = rows.iter().filter(|(row, _)| row.ready.is_ok() && row.patched.is_ok()).count();
    let ready = rows.iter().filter(|(row, _)| row.ready.is_ok()).count();
    println!("{ready} Ready and {working} working, of {}", rows.len());
    // A program that works all at once is no longer one that does not.
    let surprises: Vec<_> = rows.iter().flat_map(|(row, folder)| row.surprises(folder)).collect();
    assert!(surprises.is_empty(), "not as the folders say:\n{}", surprises.join("\n"));
}

/// Whom each program's image should be run as: the user of its /etc/passwd that its files are made
/// for, else a number.
const IDENTITIES: [(&str, &str); 16] = [
    ("chrony", "_chrony"),
    ("file-capability", "1001"),
    ("mosquitto", "mosquitto"),
    ("nginx", "nginx"),
    ("node-app", "1000"),
    ("postfix", "postfix"),
    ("python-app", "1000"),
    ("report", "report"),
    ("ruby-app", "1000"),
    ("slapd", "openldap"),
    ("tinyproxy", "tinyproxy"),
    ("tomcat", "tomcat"),
    ("tor", "debian-tor"),
    ("unbound", "unbound"),
    ("varnish", "varnish"),
    ("zookeeper", "zookeeper"),
];

#[test]
#[ignore = "needs cluster (and the images of tests/programs)"]
fn images_tell_whom_they_could_run_as() {
    let stored = testbed::stored_images();
    let mut wrong = Vec::new();
    for (program, expected) in IDENTITIES {
        let name = format!("localhost/test-{program}:1");
        let digest = stored
            .get(&name)
            .unwrap_or_else(|| panic!("no {name}: run tests/cluster/images {program}"));
        let run =
            nonroot(&["image", &format!("{}@{digest}", testbed::content_store()), "-o", "json"]);
        assert_eq!(run.code, 0, "{program}: {}", run.stderr);
        let report = run.json();
        let best = &report["identities"][0];
        let users = report["users"].as_array().expect("users");
        let named = users.iter().find(|user| user["uid"] == best["uid"]);
        let chosen = named.map_or(best["uid"].to_string(), |user| {
            user["name"].as_str().expect("a name").to_owned()
        });
        println!("{program:<16} {chosen:<12} {}", best["why"].as_str().unwrap_or_default());
        // A user goes with its own group.
        let same_group = named.is_none_or(|user| user["gid"] == best["gid"]);
        if chosen != expected || !same_group {
            wrong.push(format!("{program}: {chosen}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
