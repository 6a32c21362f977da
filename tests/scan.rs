//! scan and explain on a real cluster: tests/cluster/up starts it, tests/cluster/images builds what
//! is deployed.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod testbed;

use std::io::{BufRead as _, BufReader};
use std::process::Command;
use std::time::{Duration, Instant};

use nonroot::evidence::cluster::{Cluster, Connection, Fields, Namespaces, Scope, Selection};
use nonroot::model::podsecurity::{Level, Version};
use nonroot::policy;
use serde_json::{Value, json};
use testbed::{FaultyServer, Namespace, Run, kubectl, nonroot, nonroot_at};

const WORKLOADS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/manifests/workloads.yaml");
const REFUSED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/manifests/refused.yaml");

fn workload<'a>(report: &'a Value, kind: &str, name: &str) -> &'a Value {
    let workloads = report["workloads"].as_array().expect("workloads");
    let found =
        workloads.iter().find(|workload| workload["kind"] == kind && workload["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind}/{name} in {report:#}"))
}

fn checks(workload: &Value) -> Vec<&str> {
    let violations = workload["podSecurity"]["restricted"].as_array().expect("violations");
    violations.iter().filter_map(|violation| violation["check"].as_str()).collect()
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn every_kind_of_workload_is_told_as_it_is() {
    let namespace = Namespace::new(
        "nonroot-test-scan",
        &[
            "pod-security.kubernetes.io/warn=restricted",
            "pod-security.kubernetes.io/warn-version=v1.30",
        ],
    );
    let name = namespace.name();
    kubectl(&["apply", "-n", name, "-f", WORKLOADS]);
    kubectl(&["wait", "-n", name, "--for=condition=Ready", "pod/alone", "--timeout=60s"]);
    kubectl(&[
        "debug",
        "-n",
        name,
        "alone",
        "--image=localhost/test-nginx:1",
        "--image-pull-policy=Never",
        "--container=debugger",
        "--quiet",
        "--",
        "sleep",
        "infinity",
    ]);
    // The statuses settle at their own pace; what is awaited here is asserted below.
    let settled = |report: &Value| {
        let failing = report["summary"]["failing"] == 3;
        let crashing = workload(report, "Deployment", "uid-1000")["failures"][0]["exitCode"] == 1;
        let known = ["root", "parts", "named-user", "alone"].iter().all(|name| {
            let workloads = report["workloads"].as_array().expect("workloads");
            let found =
                workloads.iter().find(|workload| workload["name"] == *name).expect("a workload");
            found["containers"]
                .as_array()
                .expect("containers")
                .iter()
                .all(|container| !container["root"].is_null())
        });
        let debugged =
            workload(report, "Pod", "alone")["containers"].as_array().expect("containers").len()
                == 2;
        failing && crashing && known && debugged
    };
    let run = testbed::until(&["scan", "-n", name, "-o", "json"], settled);
    assert_eq!(run.code, 1);
    let report = run.json();
    assert_eq!(report["kind"], "ScanReport");
    assert_eq!(report["warnings"], json!([]));
    assert_eq!(
        report["summary"],
        json!({"workloads": 8, "root": 3, "unknown": 1, "baseline": 7, "restricted": 1, "failing": 3, "accepted": 0})
    );
    assert_eq!(
        report["namespaces"],
        json!([{"name": name, "enforce": null, "audit": null, "warn": {"level": "restricted", "version": "v1.30"}}])
    );

    let root = workload(&report, "Deployment", "root");
    assert_eq!(
        (&root["pods"], &root["root"], &root["failures"]),
        (&json!(2), &json!(true), &json!([]))
    );
    assert_eq!(
        root["containers"][0]["user"],
        json!({"uid": 0, "gid": 0, "groups": [0], "origin": "image"})
    );
    assert_eq!(
        checks(root),
        [
            "allowPrivilegeEscalation",
            "capabilities_restricted",
            "runAsNonRoot",
            "seccompProfile_restricted"
        ]
    );

    let crashing = workload(&report, "Deployment", "uid-1000");
    assert_eq!(
        crashing["containers"][0]["user"],
        json!({"uid": 1000, "gid": 1000, "groups": [7, 1000], "origin": "pod"})
    );
    assert_eq!(
        (&crashing["failures"][0]["reason"], &crashing["failures"][0]["container"]),
        (&json!("CrashLoopBackOff"), &json!("nginx"))
    );
    let obstacle = &crashing["obstacles"][0];
    assert_eq!(
        (&obstacle["operation"], &obstacle["errno"], &obstacle["category"]),
        (&json!("mkdir"), &json!("EACCES"), &json!("unwritable-path"))
    );
    assert_eq!(obstacle["path"], "/var/cache/nginx/client_temp");
    assert!(checks(crashing).is_empty());

    let refused = workload(&report, "Deployment", "must-not-be-root");
    assert_eq!(refused["failures"][0]["reason"], "CreateContainerConfigError");
    assert_eq!(
        (&refused["root"], &refused["containers"][0]["user"]["origin"]),
        (&json!(false), &json!("unknown"))
    );
    assert_eq!(refused["obstacles"][0]["category"], "image-runs-as-root");

    let named = workload(&report, "Deployment", "named-user-must-not-be-root");
    assert_eq!(named["failures"][0]["reason"], "CreateContainerConfigError");
    assert_eq!(named["obstacles"][0]["category"], "non-numeric-user");

    let parts = workload(&report, "StatefulSet", "parts");
    let roles: Vec<_> = parts["containers"]
        .as_array()
        .expect("containers")
        .iter()
        .map(|container| {
            (
                container["name"].as_str(),
                container["role"].as_str(),
                container["user"]["uid"].as_i64(),
                container["root"].as_bool(),
            )
        })
        .collect();
    assert_eq!(
        roles,
        [
            (Some("prepare"), Some("init"), Some(0), Some(true)),
            (Some("proxy"), Some("sidecar"), Some(7), Some(false)),
            (Some("main"), Some("container"), Some(4242), Some(false)),
        ]
    );
    assert_eq!(parts["root"], true);

    // A named USER is a number once a process has it.
    assert_eq!(workload(&report, "DaemonSet", "named-user")["containers"][0]["user"]["uid"], 4242);
    let alone = workload(&report, "Pod", "alone");
    assert_eq!(
        (&alone["containers"][1]["name"], &alone["containers"][1]["role"]),
        (&json!("debugger"), &json!("ephemeral"))
    );
    let cron = workload(&report, "CronJob", "nightly");
    assert_eq!((&cron["pods"], &cron["root"]), (&json!(0), &Value::Null));

    table_fits_and_is_sorted(name);
    targets_and_filters(name);
    explain_names_what_killed_it(name);
}

fn table_fits_and_is_sorted(namespace: &str) {
    // A crash loop that was started again this very moment does not fail.
    let fails = |table: &String| table.contains("3 failing now.");
    let mut tables = (0..20).map(|_| nonroot_at(100, &["scan", "-n", namespace]).stdout);
    let table = tables.find(fails).expect("three fail");
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines.iter().all(|line| line.chars().count() <= 100), "{table}");
    let at = |name: &str| {
        lines
            .iter()
            .position(|line| line.starts_with(name))
            .unwrap_or_else(|| panic!("no {name} in {table}"))
    };
    assert!(at("deployment/uid-1000") < at("deployment/root"), "what fails comes first: {table}");
    assert!(at("deployment/root") < at("cronjob/nightly"), "root comes before unknown: {table}");
    assert!(
        table.contains(
            "8 workloads: 3 as root, 1 unknown, 1 admitted by restricted, 3 failing now."
        ),
        "{table}"
    );
    assert!(!table.contains('\u{1b}'), "no colours where no terminal is: {table}");
}

fn targets_and_filters(namespace: &str) {
    let names = |arguments: &[&str]| {
        let arguments = [&["scan", "-n", namespace, "-o", "name"], arguments].concat();
        nonroot(&arguments).stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        names(&["deploy/root", "sts/parts"]),
        ["deployment.apps/root", "statefulset.apps/parts"]
    );
    assert_eq!(names(&["po"]), ["pod/alone"]);
    assert_eq!(
        names(&["-l", "app=root"]),
        ["deployment.apps/root"],
        "pods by their label, under their owner"
    );
    assert_eq!(names(&["--field-selector", "metadata.name=alone"]), ["pod/alone"]);
    assert_eq!(names(&["--only", "root"]).len(), 3);
    assert!(
        (0..20).any(|_| names(&["--only", "failing"]).len() == 3),
        "three fail, but for a moment after a restart"
    );
    assert_eq!(
        names(&["--only", "violating", "--level", "baseline"]),
        ["pod/alone"],
        "a debugger may ptrace"
    );
    // Whose namespace it is stands there with -A, though it may be one alone.
    let everywhere = nonroot(&["scan", "-A", "-l", "app=root"]).stdout;
    assert!(everywhere.starts_with("NAMESPACE "), "{everywhere}");
    let missing = nonroot(&["scan", "-n", namespace, "deploy/nobody"]);
    assert_eq!(missing.code, 2);
    assert!(missing.stderr.contains("there is none in namespace"), "{}", missing.stderr);
}

fn explain_names_what_killed_it(namespace: &str) {
    let explained = nonroot(&["explain", "-n", namespace, "deploy/uid-1000", "-o", "json"]);
    assert_eq!(explained.code, 1);
    let explanation = explained.json();
    assert_eq!(explanation["obstacles"][0]["path"], "/var/cache/nginx/client_temp");
    assert_eq!(explanation["obstacles"][0]["container"], "nginx");
    assert_eq!(explanation["obstacles"][0]["remedies"].as_array().map(Vec::is_empty), Some(false));
    let fine = nonroot(&["explain", "-n", namespace, "alone"]);
    assert_eq!(fine.code, 0, "{}", fine.stdout);
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn what_pod_security_refuses_is_seen_without_a_pod() {
    let namespace =
        Namespace::new("nonroot-test-strict", &["pod-security.kubernetes.io/enforce=restricted"]);
    let name = namespace.name();
    kubectl(&["apply", "-n", name, "-f", REFUSED]);
    let run = testbed::until(&["scan", "-n", name, "-o", "json"], |report| {
        report["summary"]["failing"] == 1
    });
    let report = run.json();
    let refused = workload(&report, "Deployment", "refused");
    assert_eq!(
        (&refused["pods"], &refused["failures"][0]["reason"]),
        (&json!(0), &json!("FailedCreate"))
    );
    assert_eq!(refused["obstacles"][0]["category"], "pod-security");
    // The API server says what we say, to the letter.
    let message = refused["failures"][0]["message"].as_str().expect("a message");
    for violation in refused["podSecurity"]["restricted"].as_array().expect("violations") {
        let ours = format!(
            "{} ({})",
            violation["reason"].as_str().expect("a reason"),
            violation["detail"].as_str().expect("a detail")
        );
        assert!(message.contains(&ours), "{ours}\nis not in\n{message}");
    }
    let explained = nonroot(&["explain", "-n", name, "deploy/refused", "-o", "json"]);
    assert_eq!(explained.json()["obstacles"][0]["category"], "pod-security");
}

#[test]
#[ignore = "needs cluster (creates roles)"]
fn rights_in_one_namespace_give_a_part_and_a_warning() {
    let namespace = Namespace::new("nonroot-test-rights", &[]);
    let name = namespace.name();
    kubectl(&["create", "serviceaccount", "-n", name, "viewer"]);
    kubectl(&[
        "create",
        "rolebinding",
        "-n",
        name,
        "viewer",
        "--clusterrole=view",
        &format!("--serviceaccount={name}:viewer"),
    ]);
    kubectl(&[
        "run",
        "-n",
        name,
        "one",
        "--image=localhost/test-report:1",
        "--image-pull-policy=Never",
    ]);
    kubectl(&["wait", "-n", name, "--for=condition=Ready", "pod/one", "--timeout=60s"]);
    let user = format!("--as=system:serviceaccount:{name}:viewer");

    let own = nonroot(&["scan", "-n", name, &user, "-o", "name"]);
    assert_eq!((own.stdout.as_str(), own.code), ("pod/one\n", 1), "{}", own.stderr);

    // For -A the namespace of the context is what is left; here that is none of its own.
    let kubeconfig = testbed::kubeconfig_with_namespace(name);
    let part = nonroot(&["scan", "-A", "--kubeconfig", &kubeconfig, &user, "-o", "json"]);
    assert_eq!(part.code, 3, "{}", part.stderr);
    let report = part.json();
    assert_eq!(report["summary"]["workloads"], 1);
    assert!(report["warnings"].as_array().is_some_and(|warnings| !warnings.is_empty()));
    assert!(part.stderr.contains("warning: cannot list pods in all namespaces"), "{}", part.stderr);

    let nothing = nonroot(&["scan", "-n", "kube-system", &user]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (3, ""));
    assert!(nothing.stderr.contains("forbidden"), "{}", nothing.stderr);
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn a_watch_prints_what_changes_and_ends_with_an_interrupt() {
    let namespace = Namespace::new("nonroot-test-watch", &[]);
    let name = namespace.name();
    let image = ["--image=localhost/test-report:1", "--image-pull-policy=Never"];
    kubectl(&["create", "deployment", "web", "-n", name, "--replicas=2", image[0]]);
    let mut watch = testbed::start_nonroot(&["scan", "-n", name, "--watch"]);
    let mut lines = BufReader::new(watch.stdout.take().expect("a pipe"))
        .lines()
        .map(|line| line.expect("text"));
    let mut until = |start: &str, part: &str| {
        let found = lines.find(|line| line.starts_with(start) && line.contains(part));
        found.unwrap_or_else(|| panic!("no {start} {part}"))
    };
    assert!(until("WORKLOAD", "NOW").contains("ROOT"));
    until("deployment/web", " 2 ");
    kubectl(&[&["run", "-n", name, "one"], &image[..]].concat());
    until("pod/one", " 1 ");
    kubectl(&["scale", "-n", name, "deployment/web", "--replicas=1"]);
    until("deployment/web", " 1 ");
    kubectl(&["delete", "-n", name, "pod/one", "--now"]);
    until(&format!("{name}/pod/one"), "gone");
    let interrupt =
        Command::new("kill").args(["-INT", &watch.id().to_string()]).status().expect("kill runs");
    assert!(interrupt.success());
    assert_eq!(watch.wait().expect("it ends").code(), Some(130));
}

/// The protobuf encoding is read by messages of our own; JSON, with all its fields, has the last
/// word.
#[test]
#[ignore = "needs cluster (creates pods)"]
fn a_scan_is_the_same_in_protobuf_and_in_json() {
    let namespace = Namespace::new("nonroot-test-encodings", &[]);
    kubectl(&["apply", "-n", namespace.name(), "-f", WORKLOADS]);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let connection =
        Connection { kubeconfig: Some(testbed::kubeconfig().into()), ..Connection::default() };
    let cluster = runtime.block_on(Cluster::connect(&connection)).expect("a cluster");
    let judged = |fields| {
        let namespaces = Namespaces::One(namespace.name().to_owned());
        let scope = Scope { namespaces, selection: Selection::default(), fields };
        let read = runtime.block_on(cluster.inventory(&scope)).expect("an inventory");
        assert_eq!(read.errors, []);
        let workloads = read.value.workloads.into_iter().map(|workload| {
            let judge = |level| {
                policy::evaluate(&workload.metadata, &workload.spec, level, Version::Latest)
            };
            let verdicts = [Level::Baseline, Level::Restricted].map(judge);
            let name = (
                workload.api_version,
                workload.kind,
                workload.name,
                workload.pods,
                workload.metadata.name,
            );
            (name, workload.annotations, workload.containers, workload.failures, verdicts)
        });
        workloads.collect::<Vec<_>>()
    };
    // The pods go on while they are read: two readings of one moment are awaited.
    let start = Instant::now();
    loop {
        let (protobuf, json) = (judged(Fields::PolicyOnly), judged(Fields::All));
        if protobuf == json && json.len() == 8 {
            break;
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "protobuf: {protobuf:#?}\nJSON: {json:#?}"
        );
    }
}

#[test]
#[ignore = "needs cluster (reads it)"]
fn a_credential_that_expired_is_named() {
    let run = nonroot(&["scan", "--kubeconfig", &testbed::kubeconfig_with_token("expired")]);
    assert_eq!((run.code, run.stdout.as_str()), (3, ""));
    assert!(run.stderr.contains("does not accept your credentials"), "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1);
}

#[test]
#[ignore = "needs cluster (its kubeconfig)"]
fn a_server_that_is_gone_is_one_sentence() {
    let run = nonroot(&["scan", "--server", "https://127.0.0.1:1"]);
    assert_eq!((run.code, run.stdout.as_str()), (3, ""));
    assert!(
        run.stderr.contains("https://127.0.0.1:1") && run.stderr.contains("refused"),
        "{}",
        run.stderr
    );
    assert_eq!(run.stderr.lines().count(), 1);
}

#[test]
#[ignore = "needs cluster (reads it through a faulty proxy)"]
fn a_server_that_cannot_answer_for_a_while_is_waited_for() {
    let server = FaultyServer::start();
    let direct = nonroot(&["scan", "-n", "kube-system", "-o", "json"]).json();
    for faults in [
        &["429 Too Many Requests"; 4][..],
        &["500 Internal Server Error"; 4],
        &["429 Too Many Requests", "503 Service Unavailable", "500 Internal Server Error"],
    ] {
        server.fail_next(faults);
        let run: Run =
            nonroot(&["scan", "-n", "kube-system", "-o", "json", "--server", &server.url]);
        assert_eq!((run.code, run.json()), (0, direct.clone()), "{}", run.stderr);
        assert_eq!(server.faults_left(), 0, "the faults were met");
    }
    // A server that never recovers is given up, in bounded time, with what it says.
    server.fail_next(&["500 Internal Server Error"; 200]);
    let run = nonroot(&["scan", "-n", "kube-system", "--server", &server.url]);
    assert_eq!((run.code, run.stdout.as_str()), (3, ""));
    assert!(run.stderr.contains("500"), "{}", run.stderr);
}
