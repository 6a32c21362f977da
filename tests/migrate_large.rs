//! A large namespace taken to restricted, and a migration that is killed again and again. Both take
//! many minutes, so that CI leaves them out: `cargo test --test migrate_large -- --ignored --nocapture`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a panic is how a test fails, and what it measures is printed"
)]

mod testbed;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use fastrand::Rng;
use serde_json::{Value, json};
use testbed::{Namespace, Run, kubectl, kubectl_warns, nonroot, specs, start_nonroot, written};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

const KINDS: &str = "deployments,statefulsets,daemonsets,cronjobs";

/// Those of tests/programs that run in CI, and one that is not solved.
fn programs() -> Vec<PathBuf> {
    let folders = fs::read_dir(format!("{ROOT}/tests/programs")).expect("programs");
    let mut folders: Vec<PathBuf> = folders.map(|entry| entry.expect("one").path()).collect();
    folders.retain(|folder| {
        folder.join("workload.yaml").exists() && !folder.join("only-by-name").exists()
    });
    folders.sort();
    folders
}

/// Some workloads around an image that does as it is told.
fn plain() -> Vec<Value> {
    let container = |command: Value| json!({"name": "report", "image": "localhost/test-report:1", "imagePullPolicy": "Never", "command": command});
    let sleeps = || container(json!(["sleep", "3600"]));
    let deployment = |name: &str, spec: Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": spec},
        }})
    };
    let shared = || {
        let mut container = sleeps();
        container["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
        json!({"terminationGracePeriodSeconds": 1, "containers": [container],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "shared"}}]})
    };
    // Its controller, which is the test, gives it back the template that it made it with.
    let mut operated = deployment(
        "operated",
        json!({"terminationGracePeriodSeconds": 1, "containers": [sleeps()]}),
    );
    operated["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "test-operator"});
    vec![
        deployment("first", shared()),
        deployment("second", shared()),
        operated,
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "long"}, "spec": {"template": {"spec": {
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [sleeps()]}}}}),
    ]
}

fn apply(namespace: &str, object: &Value) {
    let path = written(
        &format!("{}.json", object["metadata"]["name"]).replace('"', ""),
        &object.to_string(),
    );
    kubectl(&["apply", "-n", namespace, "-f", &path]);
}

/// A claim of a directory of the node, which root owns.
fn claim(namespace: &str, name: &str) -> PathBuf {
    let path = env::temp_dir().join(format!("{namespace}-{name}"));
    fs::create_dir_all(&path).expect("a directory");
    let volume = format!("{namespace}-{name}");
    kubectl(&["delete", "pv", &volume, "--ignore-not-found"]);
    apply(
        namespace,
        &json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume}, "spec": {
            "hostPath": {"path": path}, "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"],
            "storageClassName": "", "claimRef": {"namespace": namespace, "name": name}}}),
    );
    apply(
        namespace,
        &json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": {
            "storageClassName": "", "volumeName": volume, "accessModes": ["ReadWriteMany"],
            "resources": {"requests": {"storage": "1Gi"}}}}),
    );
    path
}

fn objects(namespace: &str, kinds: &str) -> Vec<Value> {
    let list = kubectl(&["get", kinds, "-n", namespace, "-o", "json"]);
    let list: Value = serde_json::from_str(&list).expect("JSON");
    list["items"].as_array().expect("a list").clone()
}

fn kept(namespace: &str) -> Option<Value> {
    let map = kubectl(&[
        "get",
        "configmap",
        "nonroot-migration",
        "-n",
        namespace,
        "--ignore-not-found",
        "-o",
        "json",
    ]);
    let map: Value = serde_json::from_str(&map).ok()?;
    serde_json::from_str(map["data"]["migration.json"].as_str()?).ok()
}

/// The rows of a report: workload, outcome, rounds, seconds.
fn print_rows(run: &Run) {
    for row in run.json()["workloads"].as_array().expect("workloads") {
        println!(
            "{:<28} {:<12} {:>2} {:>4} s  {}",
            row["workload"].as_str().unwrap_or_default(),
            row["outcome"].as_str().unwrap_or_default(),
            row["rounds"],
            row["seconds"],
            row["next"].as_str().unwrap_or_default()
        );
    }
}

#[test]
#[ignore = "needs cluster (creates pods), and half an hour"]
fn thirty_workloads_go_to_restricted_and_back() {
    let namespace = Namespace::new("nonroot-test-migrate-large", &[]);
    let name = namespace.name();
    let directory = claim(name, "shared");
    kubectl(&["apply", "-n", name, "-f", &format!("{ROOT}/tests/cluster/manifests/migrate.yaml")]);
    for folder in programs() {
        // A name that both have is the program's.
        let _ = kubectl_warns(&["delete", "statefulset/report", "-n", name, "--ignore-not-found"]);
        kubectl(&["apply", "-n", name, "-f", &folder.join("workload.yaml").display().to_string()]);
    }
    plain().iter().for_each(|object| apply(name, object));
    let all = objects(name, &format!("{KINDS},jobs")).len() + 1;
    println!("{all} workloads");
    assert!(all >= 30, "{all} are not thirty");
    for object in objects(name, "deployments,statefulsets") {
        let target = format!(
            "{}/{}",
            object["kind"].as_str().unwrap_or_default(),
            object["metadata"]["name"].as_str().unwrap_or_default()
        );
        if object["spec"]["paused"] != true {
            kubectl(&["rollout", "status", &target, "-n", name, "--timeout=180s"]);
        }
    }
    let before = specs(name);
    let original = before["\"Deployment\"/\"operated\""]["template"].clone();
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let path = json!([{"op": "replace", "path": "/spec/template", "value": original}]);
            while !ends.load(Ordering::Relaxed) {
                let now = specs(name);
                if now
                    .get("\"Deployment\"/\"operated\"")
                    .is_some_and(|spec| spec["template"] != original)
                {
                    kubectl(&[
                        "patch",
                        "deployment",
                        "operated",
                        "-n",
                        name,
                        "--type=json",
                        "-p",
                        &path.to_string(),
                    ]);
                }
                thread::sleep(Duration::from_millis(500));
            }
        });
        migrated(name, &before);
        ends.store(true, Ordering::Relaxed);
    });
    let _ = fs::remove_dir_all(directory);
    kubectl(&["delete", "pv", &format!("{name}-shared"), "--ignore-not-found", "--wait=false"]);
}

fn migrated(name: &str, before: &BTreeMap<String, Value>) {
    let start = Instant::now();
    let first = nonroot(&["migrate", name, "--yes", "--apply", "--parallel", "8", "-o", "json"]);
    println!("planned, proven and applied in {} s", start.elapsed().as_secs());
    print_rows(&first);
    assert_eq!(first.code, 1, "something is left: {}", first.stderr);
    // Whoever owns what is left does his part: the pod and the Job end, the rollout goes on, and what
    // cannot be is accepted.
    kubectl(&["rollout", "resume", "deployment/paused", "-n", name]);
    kubectl(&["delete", "pod/alone", "job/long", "-n", name, "--now"]);
    let left = |row: &&Value| {
        matches!(row["outcome"].as_str(), Some("forbidden" | "notProven" | "takenBack"))
    };
    let report = first.json();
    let rows = report["workloads"].as_array().expect("workloads");
    let mut accepted: Vec<&str> =
        rows.iter().filter(left).filter_map(|row| row["workload"].as_str()).collect();
    accepted.push("deployment/operated");
    let mut arguments = vec![
        "migrate",
        name,
        "--yes",
        "--apply",
        "--resume",
        "--parallel",
        "8",
        "--force",
        "--canary",
        "2",
        "-o",
        "json",
    ];
    accepted.iter().for_each(|workload| arguments.extend(["--accept", workload]));
    let start = Instant::now();
    let second = nonroot(&arguments);
    println!(
        "gone on with and enforced in {} s; accepted: {accepted:?}",
        start.elapsed().as_secs()
    );
    print_rows(&second);
    println!("{:#}", second.json()["fence"]);
    assert_eq!(second.code, 0, "{}", second.stderr);
    for object in objects(name, "deployments,statefulsets") {
        let target = format!(
            "{}/{}",
            object["kind"].as_str().unwrap_or_default(),
            object["metadata"]["name"].as_str().unwrap_or_default()
        )
        .to_lowercase();
        if !accepted.contains(&target.as_str()) {
            kubectl(&["rollout", "status", &target, "-n", name, "--timeout=120s"]);
        }
    }
    let start = Instant::now();
    let undone = nonroot(&["migrate", name, "--undo"]);
    println!("taken back in {} s", start.elapsed().as_secs());
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    let mut after = specs(name);
    after.get_mut("\"Deployment\"/\"paused\"").expect("paused")["paused"] = json!(true);
    for (name, spec) in before {
        assert_eq!(&after[name], spec, "{name} is not as it was");
    }
}

#[test]
#[ignore = "needs cluster (creates pods), and half an hour"]
fn a_migration_killed_twenty_times_comes_to_the_same_end() {
    let namespace = Namespace::new("nonroot-test-migrate-kills", &[]);
    let name = namespace.name();
    kubectl(&["apply", "-n", name, "-f", &format!("{ROOT}/tests/cluster/manifests/migrate.yaml")]);
    for other in [
        "deployment/release",
        "deployment/paused",
        "daemonset/agent",
        "pod/alone",
        "poddisruptionbudget/report",
    ] {
        kubectl(&["delete", other, "-n", name, "--now"]);
    }
    for target in ["deployment/web", "statefulset/report", "deployment/hardened"] {
        kubectl(&["rollout", "status", target, "-n", name, "--timeout=120s"]);
    }
    let before = specs(name);
    let seed = env::var("MIGRATE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    println!("MIGRATE_SEED={seed}");
    let mut random = Rng::with_seed(seed);
    let mut known: BTreeMap<String, Value> = BTreeMap::new();
    let mut finished = 0;
    for kill in 1..=20 {
        let earlier = kept(name);
        let resume: &[&str] = if earlier.is_some() { &["--resume"] } else { &[] };
        let arguments = ["migrate", name, "--yes", "--apply", "--quick", "--parallel", "2"];
        let mut child = start_nonroot(&[&arguments[..], resume].concat());
        let moment = Duration::from_millis(random.u64(200..25_000));
        thread::sleep(moment);
        if child.try_wait().expect("it is ours").is_some() {
            finished += 1;
        }
        let _ = child.kill();
        child.wait().expect("its end");
        let state = kept(name).unwrap_or_default();
        let workloads = state["workloads"].as_object().cloned().unwrap_or_default();
        println!("kill {kill} after {moment:?}: {} known", workloads.len());
        for (workload, record) in workloads {
            let verdict = record["verdict"].clone();
            if let Some(earlier) = known.get(&workload) {
                assert_eq!(earlier, &verdict, "the trial of {workload} was run again");
            }
            known.insert(workload, verdict);
        }
    }
    println!("{finished} of the twenty had come to their end before");
    let run = nonroot(&["migrate", name, "--yes", "--apply", "--quick", "--resume", "-o", "json"]);
    print_rows(&run);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    let left = kubectl(&["get", "pods,jobs", "-n", name, "-l", "nonroot/trial", "-o", "name"]);
    assert_eq!(left, "", "nothing is left behind");
    let undone = nonroot(&["migrate", name, "--undo"]);
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    assert_eq!(specs(name), before, "every object is as it was");
}
