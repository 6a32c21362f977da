//! A namespace taken to restricted, and back, on the real cluster: what is admitted, proven,
//! applied, left to others and forbidden; killed and gone on with.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod testbed;

use std::collections::BTreeMap;
use std::time::Duration;
use std::{env, fs, thread};

use serde_json::{Value, json};
use testbed::{Namespace, kubectl, nonroot, specs, start_nonroot, written};

const WORKLOADS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/manifests/migrate.yaml");

const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

fn label(namespace: &str, label: &str) -> Value {
    let text = kubectl(&["get", "namespace", namespace, "-o", "json"]);
    let object: Value = serde_json::from_str(&text).expect("JSON");
    object["metadata"]["labels"][label].clone()
}

fn outcomes(report: &Value) -> BTreeMap<&str, &str> {
    let rows = report["workloads"].as_array().expect("workloads");
    rows.iter()
        .map(|row| {
            (row["workload"].as_str().expect("a name"), row["outcome"].as_str().expect("a word"))
        })
        .collect()
}

/// How many rounds a workload's trial had, and how many seconds it took.
fn trial<'r>(report: &'r Value, name: &str) -> (&'r Value, &'r Value) {
    let mut rows = report["workloads"].as_array().expect("workloads").iter();
    let row = rows.find(|row| row["workload"] == name).expect("a row");
    (&row["rounds"], &row["seconds"])
}

fn deployed(namespace: &str, names: &[&str]) {
    kubectl(&["apply", "-n", namespace, "-f", WORKLOADS]);
    for name in names {
        kubectl(&["rollout", "status", name, "-n", namespace, "--timeout=120s"]);
    }
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn a_namespace_goes_to_restricted_and_back() {
    let namespace =
        Namespace::new("nonroot-test-migrate", &["pod-security.kubernetes.io/warn=baseline"]);
    let name = namespace.name();
    deployed(name, &["deployment/web", "statefulset/report", "deployment/hardened"]);
    let before = specs(name);

    let run =
        nonroot(&["migrate", name, "--yes", "--apply", "--parallel", "4", "--quick", "-o", "json"]);
    assert_eq!(run.code, 1, "something is in the way: {}", run.stderr);
    let report = run.json();
    let expected = [
        ("cronjob/nightly", "applied"),
        ("daemonset/agent", "forbidden"),
        ("deployment/hardened", "admitted"),
        ("deployment/paused", "proven"),
        ("deployment/release", "proven"),
        ("deployment/web", "applied"),
        ("deployment/zero", "applied"),
        ("pod/alone", "proven"),
        ("statefulset/report", "proven"),
    ];
    assert_eq!(outcomes(&report), BTreeMap::from(expected), "{report:#}\n{}", run.stderr);
    let row = |name: &str| {
        let mut rows = report["workloads"].as_array().expect("workloads").iter();
        rows.find(|row| row["workload"] == name).cloned().expect("a row")
    };
    let next = row("statefulset/report")["next"].to_string();
    assert!(next.contains("poddisruptionbudget/report allows no disruption"), "{next}");
    assert_eq!(report["fence"]["isSet"], false);
    let in_the_way = report["fence"]["inTheWay"].to_string();
    for one in ["daemonset/agent", "deployment/release", "pod/alone"] {
        assert!(in_the_way.contains(one), "{in_the_way}");
    }
    assert_eq!(label(name, ENFORCE), Value::Null, "nothing is refused yet");
    assert_eq!(label(name, "pod-security.kubernetes.io/warn"), "restricted");

    // A second run finds what is kept, and proves nothing again.
    let again = nonroot(&["migrate", name, "--yes", "--apply"]);
    assert_eq!(again.code, 2, "{}", again.stderr);
    assert!(again.stderr.contains("--resume goes on with it"), "{}", again.stderr);
    kubectl(&["rollout", "resume", "deployment/paused", "-n", name]);
    kubectl(&["delete", "pod", "alone", "-n", name, "--now"]);
    let resumed = nonroot(&[
        "migrate",
        name,
        "--yes",
        "--apply",
        "--resume",
        "--force",
        "--canary",
        "1",
        "--accept",
        "daemonset/agent",
        "-o",
        "json",
    ]);
    assert_eq!(resumed.code, 0, "{}\n{}", resumed.stdout, resumed.stderr);
    let first = report;
    let report = resumed.json();
    for name in ["deployment/web", "statefulset/report", "deployment/release"] {
        assert_eq!(trial(&report, name), trial(&first, name), "a trial was run again");
    }
    let refusal = report["fence"]["refusal"].as_str().expect("a violating pod is refused");
    assert!(refusal.contains("violates PodSecurity \"restricted:latest\""), "{refusal}");
    assert_eq!(
        (&report["fence"]["isSet"], &report["fence"]["refused"]),
        (&json!(true), &json!([]))
    );
    assert_eq!(label(name, ENFORCE), "restricted");
    let restarts = &report["fence"]["restarts"];
    let with_pods =
        ["deployment/hardened", "deployment/release", "deployment/web", "statefulset/report"];
    let mut restarted: Vec<&str> =
        restarts["restarted"].as_array().expect("names").iter().filter_map(Value::as_str).collect();
    restarted.sort_unstable();
    assert_eq!(restarted, with_pods, "{restarts}");
    assert_eq!((&restarts["failed"], &restarts["left"]), (&json!([]), &json!([])));
    kubectl(&["rollout", "status", "deployment/release", "-n", name, "--timeout=60s"]);
    let pods = kubectl(&["get", "pods", "-n", name, "-l", "nonroot/trial", "-o", "name"]);
    assert_eq!(pods, "", "nothing is left behind");

    let undone = nonroot(&["migrate", name, "--undo"]);
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    let mut after = specs(name);
    // That was the test's own doing.
    after.get_mut("\"Deployment\"/\"paused\"").expect("paused")["paused"] = json!(true);
    assert_eq!(after, before, "every object is as it was");
    assert_eq!(label(name, ENFORCE), Value::Null);
    assert_eq!(label(name, "pod-security.kubernetes.io/warn"), "baseline");
    let kept = kubectl(&["get", "configmaps,leases", "-n", name, "-o", "name"]);
    assert!(!kept.contains("nonroot"), "{kept}");
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn what_was_killed_is_gone_on_with() {
    let namespace = Namespace::new("nonroot-test-migrate-killed", &[]);
    let name = namespace.name();
    deployed(name, &["deployment/web"]);
    for other in [
        "deployment/release",
        "deployment/paused",
        "daemonset/agent",
        "pod/alone",
        "poddisruptionbudget/report",
    ] {
        kubectl(&["delete", other, "-n", name, "--now"]);
    }
    let arguments = ["migrate", name, "--yes", "--apply", "--quick"];
    // While it reads, while its trials run, while it rolls out.
    for (number, seconds) in [2, 9, 16].into_iter().enumerate() {
        let resume: &[&str] = if number > 0 && is_kept(name) { &["--resume"] } else { &[] };
        let mut child = start_nonroot(&[&arguments[..], resume].concat());
        thread::sleep(Duration::from_secs(seconds));
        child.kill().expect("SIGKILL");
        child.wait().expect("its end");
    }
    let resume: &[&str] = if is_kept(name) { &["--resume"] } else { &[] };
    let run = nonroot(&[&arguments[..], resume, &["-o", "json"]].concat());
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    assert_eq!(label(name, ENFORCE), "restricted");
    let pods = kubectl(&["get", "pods,jobs", "-n", name, "-l", "nonroot/trial", "-o", "name"]);
    assert_eq!(pods, "", "nothing is left behind");
}

fn is_kept(namespace: &str) -> bool {
    !kubectl(&[
        "get",
        "configmap",
        "nonroot-migration",
        "-n",
        namespace,
        "--ignore-not-found",
        "-o",
        "name",
    ])
    .is_empty()
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn what_is_written_for_a_repository_is_admitted_and_ready() {
    let source = Namespace::new("nonroot-test-migrate-out", &[]);
    deployed(source.name(), &["deployment/web", "statefulset/report"]);
    let directory = env::temp_dir().join(format!("nonroot-test-migrate-{}", std::process::id()));
    let component = directory.join("restricted");
    let run = nonroot(&[
        "migrate",
        source.name(),
        "--yes",
        "--quick",
        "--parallel",
        "4",
        "--out",
        &component.display().to_string(),
    ]);
    assert_eq!(run.code, 1, "daemonset/agent cannot be: {}", run.stderr);
    let text = fs::read_to_string(component.join("PULL_REQUEST.md")).expect("a text");
    assert!(text.contains("daemonset/agent") && text.contains("Way back"), "{text}");
    fs::copy(WORKLOADS, directory.join("workloads.yaml")).expect("a copy");
    let kustomization = "resources: [workloads.yaml]\ncomponents: [restricted]\n";
    fs::write(directory.join("kustomization.yaml"), kustomization).expect("a file");
    let built = written("built.yaml", &kubectl(&["kustomize", &directory.display().to_string()]));
    let fresh = Namespace::new("nonroot-test-migrate-fresh", &[&format!("{ENFORCE}=restricted")]);
    kubectl(&["apply", "-n", fresh.name(), "-f", &built]);
    for workload in
        ["deployment/web", "statefulset/report", "deployment/hardened", "deployment/release"]
    {
        kubectl(&["rollout", "status", workload, "-n", fresh.name(), "--timeout=120s"]);
    }
    let pod = kubectl(&[
        "wait",
        "pod/alone",
        "-n",
        fresh.name(),
        "--for=condition=Ready",
        "--timeout=60s",
    ]);
    assert!(pod.contains("condition met"), "{pod}");
}
