//! `fix --trial` on the programs of tests/programs, none of which any rule knows: from the manifest
//! alone to Ready where `restricted` is enforced. A program that is not solved says why in a file
//! `unsolved` of its folder, one that keeps root inside a user namespace in a file
//! `user-namespace`; one with a file `only-by-name` is run where PROGRAM names it.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a panic is how a test fails"
)]

mod testbed;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use std::{env, fs, thread};

use serde_json::Value;
use testbed::{Namespace, kubectl, nonroot, written};

/// Programs at the same time: most of a trial is waiting for a pod.
const SIDE_BY_SIDE: usize = 3;

const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs");

/// A program that is proven.
struct Converted {
    rounds: usize,
    seconds: u64,
    uid: u64,
}

/// What became of one program, or why it is not proven.
fn convert(name: &str, folder: &Path) -> Result<Converted, String> {
    let namespace = Namespace::new(
        &format!("nonroot-test-program-{name}"),
        &["pod-security.kubernetes.io/enforce=restricted"],
    );
    let workload = folder.join("workload.yaml").display().to_string();
    let start = Instant::now();
    let run = nonroot(&[
        "fix",
        "-n",
        namespace.name(),
        "-f",
        &workload,
        "--trial",
        "--yes",
        "-o",
        "json",
    ]);
    let seconds = start.elapsed().as_secs();
    if run.code != 0 {
        return Err(run.stderr.lines().last().unwrap_or_default().to_owned());
    }
    let fix = run.json();
    let fixed = written(&format!("{name}.json"), &fix["patch"].to_string());
    kubectl(&["apply", "-n", namespace.name(), "-f", &fixed]);
    let text = |key: &str| fix["workload"][key].as_str().unwrap_or_default().to_lowercase();
    let target = format!("{}/{}", text("kind"), text("name"));
    kubectl(&["rollout", "status", "-n", namespace.name(), &target, "--timeout=90s"]);
    let rounds = fix["proof"]["rounds"].as_array().map_or(0, Vec::len);
    let uid = fix["plan"]["identity"]["uid"].as_u64().expect("whom it runs as");
    match fix["proof"]["works"] {
        Value::Bool(true) => Ok(Converted { rounds, seconds, uid }),
        _ => Err("not proven".to_owned()),
    }
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn programs_that_no_rule_knows() {
    let only = env::var("PROGRAM").ok();
    let mut folders: Vec<_> = fs::read_dir(PROGRAMS)
        .expect("programs")
        .map(|entry| entry.expect("a folder").path())
        .collect();
    folders.retain(|folder| folder.join("workload.yaml").exists());
    folders.sort();
    let name_of = |folder: &Path| {
        folder.file_name().and_then(|name| name.to_str()).expect("a name").to_owned()
    };
    folders.retain(|folder| only.as_ref().is_none_or(|only| *only == name_of(folder)));
    folders.retain(|folder| {
        let reason =
            fs::read_to_string(folder.join("only-by-name")).ok().filter(|_| only.is_none());
        reason
            .iter()
            .for_each(|reason| println!("{:<16} not run  {}", name_of(folder), reason.trim()));
        reason.is_none()
    });
    let (next, surprises) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(folder) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
            let name = name_of(folder);
            let solved = convert(&name, folder);
            match &solved {
                Ok(Converted { rounds, seconds, uid }) => {
                    println!("{name:<16} Ready  {rounds} rounds  {seconds} s  uid {uid}");
                }
                Err(reason) => println!("{name:<16} failed  {reason}"),
            }
            // A program that is solved all at once is no longer one that is not.
            let is_root = solved.as_ref().is_ok_and(|converted| converted.uid == 0);
            if solved.is_err() != folder.join("unsolved").exists()
                || is_root != folder.join("user-namespace").exists()
            {
                surprises.lock().expect("no panic").push(name);
            }
        }
    };
    thread::scope(|scope| (0..SIDE_BY_SIDE).for_each(|_| drop(scope.spawn(work))));
    let surprises = surprises.into_inner().expect("no panic");
    assert!(surprises.is_empty(), "not as its folder says: {}", surprises.join(", "));
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
