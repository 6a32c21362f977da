//! scan, fix --apply, fix --trial and prove while the way to the API server breaks: each run ends right,
//! or fails and says what is left to do; nothing is lost, left behind or applied twice.
//!
//! `FAULT_RUNS` says how many runs there are, 24 without it; `FAULT_SEED` repeats one day's
//! weather.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]
#![allow(clippy::print_stdout, reason = "the seed that repeats a run, and how the runs ended")]

mod testbed;

use std::env;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use serde_json::{Value, json};
use testbed::storm::{Storm, Upstream};
use testbed::{Namespace, Run, kubectl, nonroot};

/// Runs side by side: they wait for the cluster most of the time.
const AT_ONCE: u64 = 4;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Runs a share of all runs, each in weather of its own, told with its number and what it met where
/// it fails.
fn each(
    share: u64,
    run: impl Fn(&str, u64) -> Run + Sync,
    judge: impl Fn(u64, &Run) -> Result<&'static str, String> + Sync,
) {
    let seed = number("FAULT_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    let runs = number("FAULT_RUNS").unwrap_or(24) * share / 100;
    println!("FAULT_SEED={seed}, {runs} runs");
    let upstream = Upstream::start();
    let (next, faults) = (AtomicU64::new(0), AtomicU64::new(0));
    let ends: Vec<&'static str> = thread::scope(|scope| {
        let worker = |worker: u64| {
            let mut ends = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= runs {
                    return ends;
                }
                let storm = Storm::over(&upstream, seed.wrapping_add(number));
                let run = run(&storm.url, worker);
                let log = storm.log();
                faults.fetch_add(log.len() as u64, Ordering::Relaxed);
                match judge(worker, &run) {
                    Ok(end) => ends.push(end),
                    Err(why) => panic!(
                        "run {number} of FAULT_SEED={seed}: {why}\nexit code {}\n{}\n{}\nfaults:\n{}",
                        run.code,
                        run.stderr,
                        run.stdout,
                        log.join("\n")
                    ),
                }
            }
        };
        let workers: Vec<_> =
            (0..AT_ONCE).map(|number| scope.spawn(move || worker(number))).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("every run is as it must be"))
            .collect()
    });
    let mut kinds = ends.clone();
    kinds.sort_unstable();
    kinds.dedup();
    let counts = kinds
        .iter()
        .map(|kind| format!("{} {kind}", ends.iter().filter(|end| *end == kind).count()));
    println!("{} faults; {}", faults.into_inner(), counts.collect::<Vec<_>>().join(", "));
}

/// A failure must be one that a script sees and a person understands.
fn failed_clean(run: &Run) -> Result<&'static str, String> {
    match run.code {
        3 if run.stderr.contains("cannot ") => Ok("failed clean"),
        code => Err(format!("it ends with {code} and does not say why")),
    }
}

fn idle(namespace: &str, name: &str) {
    let container = json!({"name": "idle", "image": "localhost/test-report:1", "imagePullPolicy": "Never", "command": ["sleep", "3600"]});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}}, "progressDeadlineSeconds": 60,
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]}},
        },
    });
    let path = env::temp_dir().join(format!("nonroot-test-faults-{namespace}-{name}.json"));
    std::fs::write(&path, deployment.to_string()).expect("a file in the temporary directory");
    kubectl(&["apply", "-n", namespace, "-f", &path.display().to_string()]);
}

fn wait(namespace: &str, name: &str) {
    kubectl(&[
        "rollout",
        "status",
        "-n",
        namespace,
        &format!("deployment/{name}"),
        "--timeout=90s",
    ]);
}

fn deployment(namespace: &str, name: &str) -> Value {
    serde_json::from_str(&kubectl(&["get", "deployment", name, "-n", namespace, "-o", "json"]))
        .expect("JSON")
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn a_scan_is_whole_or_says_what_it_lacks() {
    let namespace = Namespace::new("nonroot-test-faults-scan", &[]);
    let name = namespace.name();
    for number in 0..5 {
        idle(name, &format!("idle-{number}"));
    }
    (0..5).for_each(|number| wait(name, &format!("idle-{number}")));
    let rows = |report: &Value| -> Vec<String> {
        let workloads = report["workloads"].as_array().expect("workloads").iter();
        workloads
            .map(|row| {
                format!("{} {} {}", row["name"], row["root"], row["podSecurity"]["restricted"])
            })
            .collect()
    };
    let whole = nonroot(&["scan", "-n", name, "-o", "json"]).json();
    assert_eq!(rows(&whole).len(), 5);
    each(
        60,
        |url, _| nonroot(&["scan", "--server", url, "-n", name, "-o", "json"]),
        |_, run| match run.code {
            1 if run.json()["warnings"] != json!([]) => {
                Err("its warnings are no failure".to_owned())
            }
            1 if rows(&run.json()) == rows(&whole) => Ok("whole"),
            1 => Err("it lacks something and does not say so".to_owned()),
            3 if !run.stdout.is_empty() => {
                let report = run.json();
                let told =
                    report["warnings"].as_array().is_some_and(|warnings| !warnings.is_empty());
                if told {
                    Ok("partial, and said")
                } else {
                    Err("it does not say what it lacks".to_owned())
                }
            }
            _ => failed_clean(run),
        },
    );
}

#[test]
#[ignore = "needs cluster (changes deployments)"]
fn a_change_is_applied_once_or_not_at_all() {
    let namespace = Namespace::new("nonroot-test-faults-apply", &[]);
    let name = namespace.name();
    let of = |worker: u64| format!("idle-{worker}");
    (0..AT_ONCE).for_each(|worker| idle(name, &of(worker)));
    let begin = |worker: u64| {
        kubectl(&[
            "delete",
            "deployment",
            &of(worker),
            "-n",
            name,
            "--ignore-not-found",
            "--wait=true",
        ]);
        idle(name, &of(worker));
        wait(name, &of(worker));
        deployment(name, &of(worker))
    };
    let before: Vec<std::sync::Mutex<Value>> =
        (0..AT_ONCE).map(|_| std::sync::Mutex::default()).collect();
    let slot = |worker: u64| &before[usize::try_from(worker).expect("a small number")];
    each(
        20,
        |url, worker| {
            *slot(worker).lock().expect("no thread panicked") = begin(worker);
            let target = format!("deploy/{}", of(worker));
            nonroot(&[
                "fix",
                "--server",
                url,
                "-n",
                name,
                &target,
                "--yes",
                "--apply",
                "--run-as",
                "1000:1000",
                "--timeout",
                "45",
            ])
        },
        |worker, run| {
            let (before, now) =
                (slot(worker).lock().expect("no thread panicked"), deployment(name, &of(worker)));
            let changes = now["metadata"]["generation"]
                .as_i64()
                .zip(before["metadata"]["generation"].as_i64());
            let changes = changes.map(|(now, before)| now - before);
            let is_as_before = now["spec"]["template"] == before["spec"]["template"];
            match (run.code, changes, is_as_before) {
                (0, Some(1), false) => Ok("applied once"),
                (0, changes, _) => {
                    Err(format!("it says that it is applied, after {changes:?} changes"))
                }
                // Nothing, or there and back again.
                (3, Some(0 | 2), true) => failed_clean(run).map(|_| "failed and unchanged"),
                (1, Some(2), true) => Ok("taken back"),
                // The change is there, and that is said.
                (3, Some(1), false)
                    if run.stderr.contains("patched") || run.stderr.contains("kubectl") =>
                {
                    failed_clean(run).map(|_| "failed, and says that the change may be there")
                }
                (code, changes, _) => Err(format!("it ends with {code} after {changes:?} changes")),
            }
        },
    );
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn a_trial_leaves_nothing_behind() {
    let namespace = Namespace::new("nonroot-test-faults-trial", &[]);
    let name = namespace.name();
    idle(name, "idle");
    wait(name, "idle");
    let before = deployment(name, "idle")["spec"].clone();
    // Every trial has a namespace of its own, so that what is left is known to be its.
    let spaces: Vec<Namespace> = (0..AT_ONCE)
        .map(|worker| Namespace::new(&format!("nonroot-test-faults-trial-{worker}"), &[]))
        .collect();
    // One half are trials, and the other proofs.
    let is_proof = |worker: u64| worker % 2 == 1;
    let works = |worker: u64, run: &Run| match is_proof(worker) {
        true => run.json()["workloads"][0]["works"].clone(),
        false => run.json()["proof"]["works"].clone(),
    };
    let space = |worker: u64| spaces[usize::try_from(worker).expect("a small number")].name();
    let left = |worker: u64| -> Vec<String> {
        let list = kubectl(&[
            "get",
            "pods,jobs",
            "-n",
            space(worker),
            "-l",
            "nonroot/trial",
            "-o",
            "json",
        ]);
        let list: Value = serde_json::from_str(&list).expect("a list");
        let stays = |one: &&Value| one["metadata"]["deletionTimestamp"].is_null();
        let items = list["items"].as_array().expect("items").iter().filter(stays);
        items.map(|one| format!("{} {}", one["kind"], one["metadata"]["name"])).collect()
    };
    each(
        20,
        |url, worker| {
            let what: &[&str] = match is_proof(worker) {
                true => &["prove", "--level", "baseline"],
                false => &["fix", "--trial"],
            };
            let to = ["--yes", "--trial-namespace", space(worker), "--timeout", "60", "-o", "json"];
            nonroot(&[what, &["--server", url, "-n", name, "deploy/idle"], &to].concat())
        },
        |worker, run| {
            let left = left(worker);
            if deployment(name, "idle")["spec"] != before {
                return Err("the workload itself was changed".to_owned());
            }
            if !left.is_empty() {
                if !run.stderr.contains("fix --clean") {
                    return Err(format!("it leaves {left:?} and does not say so"));
                }
                let clean = nonroot(&["fix", "--clean", "-n", space(worker)]);
                if clean.code != 0 {
                    return Err(format!("fix --clean does not help: {}", clean.stderr));
                }
            }
            match run.code {
                0 if !left.is_empty() => {
                    Err(format!("it says nothing of {left:?} in its exit code"))
                }
                0 if works(worker, run) == true => Ok("proven"),
                1 if works(worker, run) == false => Ok("not proven, and said"),
                _ => failed_clean(run).map(|_| {
                    if left.is_empty() { "failed clean" } else { "failed, and says what is left" }
                }),
            }
        },
    );
}
