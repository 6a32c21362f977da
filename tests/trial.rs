//! `fix --trial` on a real cluster: what comes out works, the original is untouched, nothing is left behind.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod kubernetes;

use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use kubernetes::{Namespace, kubectl, nonroot};
use serde_json::Value;

/// nginx as its image runs it, root: it makes directories in its cache, binds port 80 and writes a pid file.
const NGINX: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: nginx
          image: localhost/test-nginx:1
          imagePullPolicy: Never
          readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 1}
"#;

fn file(name: &str, text: &str) -> String {
    let path = std::env::temp_dir().join(format!("nonroot-test-{}-{name}", std::process::id()));
    fs::write(&path, text).expect("a file in the temporary directory");
    path.display().to_string()
}

/// What must not change: all of the workload and its pods but what their controllers report of them.
fn state(namespace: &str) -> Value {
    let list = kubectl(&[
        "get",
        "-n",
        namespace,
        "deployments,pods",
        "-l",
        "!nonroot/trial",
        "-o",
        "json",
        "--show-managed-fields",
    ]);
    let mut list: Value = serde_json::from_str(&list).expect("a list");
    for item in list["items"].as_array_mut().expect("items") {
        let restarts = item["status"]["containerStatuses"][0]["restartCount"].clone();
        item["status"] = serde_json::json!({ "restartCount": restarts });
        // Each report of a kubelet or a controller is a version as well.
        item["metadata"]["resourceVersion"].take();
        let managers = item["metadata"]["managedFields"].as_array_mut().expect("managers");
        managers.retain(|manager| manager["subresource"] != "status");
    }
    list["metadata"].take();
    list
}

fn trial_pods(namespace: &str) -> String {
    kubectl(&["get", "pods", "-n", namespace, "-l", "nonroot/trial", "-o", "name"])
}

fn is_ready_where_restricted_is_enforced(namespace: &str, planned: &str) {
    let strict = Namespace::new(namespace, &["pod-security.kubernetes.io/enforce=restricted"]);
    kubectl(&["apply", "-n", strict.name(), "-f", &file(namespace, planned)]);
    kubectl(&["rollout", "status", "-n", strict.name(), "deployment/web", "--timeout=90s"]);
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn what_a_trial_proves_works_and_the_original_is_untouched() {
    let namespace = Namespace::new("nonroot-test-trial", &[]);
    let name = namespace.name();
    kubectl(&["apply", "-n", name, "-f", &file("web.yaml", NGINX)]);
    kubectl(&["rollout", "status", "-n", name, "deployment/web", "--timeout=90s"]);
    let before = state(name);
    let run = nonroot(&["fix", "-n", name, "deploy/web", "--trial", "--yes", "-o", "json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!((state(name), trial_pods(name)), (before, String::new()));
    let fix = run.json();
    assert_eq!(fix["proof"]["ready"], true);
    // The workers of the running pod say whom to run as; what it listens on and writes is known before the first round.
    assert_eq!(fix["proof"]["rounds"].as_array().map(Vec::len), Some(1), "{fix:#}");
    assert_ne!(fix["plan"]["identity"]["uid"], 0);
    let mut planned: Value = fix["patch"].clone();
    planned["metadata"].as_object_mut().expect("metadata").remove("namespace");
    is_ready_where_restricted_is_enforced("nonroot-test-trial-live", &planned.to_string());
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn a_file_is_enough() {
    let namespace = Namespace::new("nonroot-test-trial-file", &["pod-security.kubernetes.io/enforce=restricted"]);
    let path = file("alone.yaml", NGINX);
    let run =
        nonroot(&["fix", "-n", namespace.name(), "-f", &path, "--trial", "--yes", "--read-only-root", "-o", "yaml"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("readOnlyRootFilesystem: true"), "{}", run.stdout);
    assert_eq!(trial_pods(namespace.name()), "");
    is_ready_where_restricted_is_enforced("nonroot-test-trial-applied", &run.stdout);
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn what_cannot_work_is_said_and_not_proven() {
    let namespace = Namespace::new("nonroot-test-trial-hopeless", &[]);
    let hopeless =
        NGINX.replace("imagePullPolicy: Never", "imagePullPolicy: Never\n          command: [sh, -c, \"exit 3\"]");
    let path = file("hopeless.yaml", &hopeless);
    let run = nonroot(&["fix", "-n", namespace.name(), "-f", &path, "--trial", "--yes", "-o", "json"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert_eq!(run.json()["proof"]["ready"], false);
    assert_eq!(trial_pods(namespace.name()), "");
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn nobody_to_ask_is_no_yes() {
    let run = nonroot(&["fix", "-f", &file("asked.yaml", NGINX), "--trial"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("--yes"), "{}", run.stderr);
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn an_interrupt_leaves_nothing_behind() {
    let namespace = Namespace::new("nonroot-test-trial-interrupt", &[]);
    let name = namespace.name();
    let path = file("interrupted.yaml", NGINX);
    // Moments all over a trial of about ten seconds: the look at the image, rounds, between them.
    for (signal, milliseconds) in
        [("-INT", 300), ("-TERM", 1_100), ("-INT", 2_300), ("-INT", 3_700), ("-TERM", 5_300), ("-INT", 7_900)]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-nonroot"));
        command
            .env("KUBECONFIG", kubernetes::kubeconfig())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child =
            command.args(["fix", "-n", name, "-f", &path, "--trial", "--yes"]).spawn().expect("the binary runs");
        thread::sleep(Duration::from_millis(milliseconds));
        let _ = Command::new("kill").args([signal, &child.id().to_string()]).status();
        child.wait().expect("it ends");
        let left: Value =
            serde_json::from_str(&kubectl(&["get", "pods", "-n", name, "-l", "nonroot/trial", "-o", "json"]))
                .expect("pods");
        let stays = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
        let left = left["items"].as_array().expect("items").iter().filter(stays).count();
        assert_eq!(left, 0, "after {signal} at {milliseconds} ms");
    }
}
