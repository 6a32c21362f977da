//! `fix --trial` on a real cluster: what comes out works, the original is untouched, nothing is
//! left behind.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod testbed;

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::Value;
use testbed::{Namespace, kubectl, nonroot, written};

/// nginx as its image runs it, root: it makes directories in its cache, binds port 80 and writes a
/// pid file.
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

/// What must not change: all of the workload and its pods but what their controllers report of
/// them.
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
    kubectl(&["apply", "-n", strict.name(), "-f", &written(namespace, planned)]);
    kubectl(&["rollout", "status", "-n", strict.name(), "deployment/web", "--timeout=90s"]);
}

/// One container writes for itself and its group, another reads that, and an init container gives
/// the directory the times of what it copies.
const SIDE_BY_SIDE: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: shared}
spec:
  selector: {matchLabels: {app: shared}}
  template:
    metadata: {labels: {app: shared}}
    spec:
      terminationGracePeriodSeconds: 1
      volumes: [{name: files, emptyDir: {}}]
      initContainers:
        - name: copies
          image: localhost/test-nginx:1
          imagePullPolicy: Never
          command: [sh, -c, "cp -a /usr/share/nginx/. /files/"]
          volumeMounts: [{name: files, mountPath: /files}]
      containers:
        - name: writes
          image: localhost/test-nginx:1
          imagePullPolicy: Never
          command: [sh, -c, "umask 027; echo a > /files/log && sleep 600"]
          volumeMounts: [{name: files, mountPath: /files}]
        - name: reads
          image: localhost/test-report:1
          imagePullPolicy: Never
          command: [sh, -c, "until [ -e /logs/log ]; do sleep 1; done; cat /logs/log && touch /tmp/ready && sleep 600"]
          volumeMounts: [{name: files, mountPath: /logs}]
          readinessProbe: {exec: {command: [test, -e, /tmp/ready]}, periodSeconds: 1}
"#;

#[test]
#[ignore = "needs cluster (creates pods)"]
fn containers_that_share_a_volume_work_beside_each_other() {
    let namespace = Namespace::new("nonroot-test-shared", &[]);
    let name = namespace.name();
    let file = written("shared.yaml", SIDE_BY_SIDE);
    let run = nonroot(&["fix", "-n", name, "-f", &file, "--trial", "--yes", "-o", "json"]);
    let fix = run.json();
    assert_eq!((run.code, &fix["proof"]["ready"]), (0, &true.into()), "{}", run.stderr);
    let remedies: Vec<&str> = fix["plan"]["remedies"]
        .as_array()
        .expect("remedies")
        .iter()
        .filter_map(|one| one["id"].as_str())
        .collect();
    assert!(
        remedies.contains(&"own-directory") && remedies.contains(&"fs-group"),
        "{remedies:?} {}",
        run.stderr
    );
    assert!(!remedies.contains(&"user-namespace"), "{remedies:?}");
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn what_a_trial_proves_works_and_the_original_is_untouched() {
    let namespace = Namespace::new("nonroot-test-trial", &[]);
    let name = namespace.name();
    kubectl(&["apply", "-n", name, "-f", &written("web.yaml", NGINX)]);
    kubectl(&["rollout", "status", "-n", name, "deployment/web", "--timeout=90s"]);
    let before = state(name);
    let run = nonroot(&["fix", "-n", name, "deploy/web", "--trial", "--yes", "-o", "json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!((state(name), trial_pods(name)), (before, String::new()));
    let fix = run.json();
    assert_eq!(fix["proof"]["ready"], true);
    // The workers of the running pod say whom to run as; what it listens on and writes is known
    // before the first round.
    assert_eq!(fix["proof"]["rounds"].as_array().map(Vec::len), Some(1), "{fix:#}");
    assert_ne!(fix["plan"]["identity"]["uid"], 0);
    let mut planned: Value = fix["patch"].clone();
    planned["metadata"].as_object_mut().expect("metadata").remove("namespace");
    is_ready_where_restricted_is_enforced("nonroot-test-trial-live", &planned.to_string());
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn a_file_is_enough() {
    let namespace = Namespace::new(
        "nonroot-test-trial-file",
        &["pod-security.kubernetes.io/enforce=restricted"],
    );
    let path = written("alone.yaml", NGINX);
    let run = nonroot(&[
        "fix",
        "-n",
        namespace.name(),
        "-f",
        &path,
        "--trial",
        "--yes",
        "--read-only-root",
        "-o",
        "yaml",
    ]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("readOnlyRootFilesystem: true"), "{}", run.stdout);
    assert_eq!(trial_pods(namespace.name()), "");
    is_ready_where_restricted_is_enforced("nonroot-test-trial-applied", &run.stdout);
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn what_cannot_work_is_said_and_not_proven() {
    let namespace = Namespace::new("nonroot-test-trial-hopeless", &[]);
    let hopeless = NGINX.replace(
        "imagePullPolicy: Never",
        "imagePullPolicy: Never\n          command: [sh, -c, \"exit 3\"]",
    );
    let path = written("hopeless.yaml", &hopeless);
    let run =
        nonroot(&["fix", "-n", namespace.name(), "-f", &path, "--trial", "--yes", "-o", "json"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert_eq!(run.json()["proof"]["ready"], false);
    assert_eq!(trial_pods(namespace.name()), "");
}

/// No root pod tells how long it takes, and no probe has the patience.
const SLOW: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: slow}
spec:
  selector: {matchLabels: {app: slow}}
  template:
    metadata: {labels: {app: slow}}
    spec:
      containers:
        - name: app
          image: localhost/test-nginx:1
          imagePullPolicy: Never
          command: [sh, -c, "sleep 50; touch /tmp/it; exec sleep 600"]
          readinessProbe: {exec: {command: [cat, /tmp/it]}, periodSeconds: 1}
"#;

#[test]
#[ignore = "needs cluster (creates pods)"]
fn what_is_slow_and_says_nothing_is_waited_for() {
    let namespace = Namespace::new("nonroot-test-trial-slow", &[]);
    let path = written("slow.yaml", SLOW);
    let run =
        nonroot(&["fix", "-n", namespace.name(), "-f", &path, "--trial", "--yes", "-o", "json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.json()["proof"]["rounds"].as_array().map(Vec::len), Some(2), "{}", run.stderr);
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn nobody_to_ask_is_no_yes() {
    let run = nonroot(&["fix", "-f", &written("asked.yaml", NGINX), "--trial"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("--yes"), "{}", run.stderr);
}

/// Starts a trial, or a proof, of a file that the interrupted tests share.
fn started(namespace: &str, what: &[&str]) -> Child {
    let path = written(namespace, NGINX);
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-nonroot"));
    command
        .env("KUBECONFIG", testbed::kubeconfig())
        .args(what)
        .args(["-n", namespace, "-f", &path, "--yes"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the binary runs")
}

/// Everything of any trial in a namespace that nobody deletes yet.
fn left(namespace: &str) -> Vec<String> {
    let list = kubectl(&["get", "pods,jobs", "-n", namespace, "-l", "nonroot/trial", "-o", "json"]);
    let list: Value = serde_json::from_str(&list).expect("a list");
    let stays = |one: &&Value| one["metadata"]["deletionTimestamp"].is_null();
    let items = list["items"].as_array().expect("items").iter().filter(stays);
    items.map(|one| format!("{} {}", one["kind"], one["metadata"]["name"])).collect()
}

/// Waits until a trial has made a copy: on a busy machine that takes longer than usual.
fn await_copy(namespace: &str) {
    let start = Instant::now();
    while !left(namespace).iter().any(|one| one.starts_with("\"Pod\"")) {
        assert!(start.elapsed() < Duration::from_secs(60), "no copy came");
        thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until the cluster itself has removed what nobody else can.
fn is_left_to_the_cluster(namespace: &str) {
    assert!(!left(namespace).is_empty(), "it was over before anything was there");
    let start = Instant::now();
    while !left(namespace).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(120), "still there: {:?}", left(namespace));
        thread::sleep(Duration::from_millis(500));
    }
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn an_interrupt_at_any_moment_leaves_nothing_behind() {
    let namespace = Namespace::new("nonroot-test-trial-interrupt", &[]);
    let name = namespace.name();
    let seed = std::env::var("TRIAL_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    println!("TRIAL_SEED={seed}");
    let mut random = Rng::with_seed(seed);
    // Twenty-four moments all over trials and proofs of some twenty seconds: the look at the image,
    // the copy as root, rounds, what is done with a copy that is Ready, between them.
    let commands: [&[&str]; 2] = [&["fix", "--trial"], &["prove"]];
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for _ in 0..6 {
        let mut moments: Vec<u64> = (0..4).map(|_| random.u64(50..20_000)).collect();
        moments.sort_unstable();
        let begin = Instant::now();
        let children: Vec<Child> =
            commands.iter().cycle().zip(&moments).map(|(what, _)| started(name, what)).collect();
        for (mut child, moment) in children.into_iter().zip(&moments) {
            thread::sleep(Duration::from_millis(*moment).saturating_sub(begin.elapsed()));
            seen.extend(left(name));
            let signal = if random.bool() { "-INT" } else { "-TERM" };
            let _ = Command::new("kill").args([signal, &child.id().to_string()]).status();
            child.wait().expect("it ends");
        }
        assert_eq!(left(name), [""; 0], "after interrupts at {moments:?} ms");
    }
    for part in ["-control", "-1"] {
        assert!(
            seen.iter().any(|one| one.trim_end_matches('"').ends_with(part)),
            "no {part} among {seen:?}"
        );
    }
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn what_a_killed_trial_leaves_the_cluster_removes() {
    let namespace = Namespace::new("nonroot-test-trial-killed", &[]);
    let mut child = started(namespace.name(), &["fix", "--trial", "--timeout", "10"]);
    await_copy(namespace.name());
    child.kill().expect("it runs still");
    child.wait().expect("it ends");
    is_left_to_the_cluster(namespace.name());
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn a_lost_connection_ends_a_trial_with_an_error() {
    let namespace = Namespace::new("nonroot-test-trial-lost", &[]);
    let path = written("lost.yaml", NGINX);
    let line = testbed::Line::start();
    let name = namespace.name();
    let watched = name.to_owned();
    let cut = line.cut_after(move || await_copy(&watched));
    let server = format!("https://127.0.0.1:{}", line.port);
    let run = nonroot(&[
        "fix",
        "--server",
        &server,
        "-n",
        name,
        "-f",
        &path,
        "--trial",
        "--yes",
        "--timeout",
        "30",
    ]);
    cut.join().expect("it was cut");
    assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{}", run.stderr);
    assert!(run.stderr.contains("fix --clean"), "{}", run.stderr);
    is_left_to_the_cluster(name);
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn the_copy_is_what_was_asked_for_and_its_patch_is_the_workloads() {
    let namespace = Namespace::new("nonroot-test-trial-changed", &[]);
    let name = namespace.name();
    let claimed = NGINX.replace(
        "      containers:",
        "      volumes: [{name: data, persistentVolumeClaim: {claimName: none}}]\n      containers:",
    );
    let path = written("changed.yaml", &claimed);
    let fix = |more: &[&str]| {
        nonroot(&[&["fix", "-n", name, "-f", &path, "--trial", "--yes"], more].concat())
    };
    // The claim is not there: with its data the copy could never start, with another command it
    // cannot be ready.
    let run = fix(&[
        "--command",
        "sh -c 'test \"$GREETING\" = \"hello you\" && exec nginx -g \"daemon off;\"'",
    ]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let run = fix(&[
        "--command",
        "sh -c 'test \"$GREETING\" = \"hello you\" && exec nginx -g \"daemon off;\"'",
        "--env",
        "GREETING=hello you",
        "-o",
        "patch",
    ]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        !run.stdout.contains("GREETING") && !run.stdout.contains("daemon off"),
        "{}",
        run.stdout
    );
    let run = fix(&["--with-volumes", "date"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("date"), "{}", run.stderr);
    assert_eq!(left(name), [""; 0]);
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn what_the_proof_does_not_cover_is_said() {
    let namespace = Namespace::new("nonroot-test-trial-policy", &[]);
    let elsewhere = Namespace::new(
        "nonroot-test-trial-elsewhere",
        &["pod-security.kubernetes.io/enforce=restricted"],
    );
    let name = namespace.name();
    let policy = |name: &str, selector: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}}}\nspec: {{podSelector: {selector}}}\n"
        )
    };
    let policies = [policy("of-web", "{matchLabels: {app: web}}"), policy("of-all", "{}")];
    kubectl(&["apply", "-n", name, "-f", &written("policies.yaml", &policies.join("---\n"))]);
    kubectl(&["apply", "-n", name, "-f", &written("policed.yaml", NGINX)]);
    kubectl(&["rollout", "status", "-n", name, "deployment/web", "--timeout=90s"]);
    let warnings = |more: &[&str]| {
        let run = nonroot(
            &[&["fix", "-n", name, "deploy/web", "--trial", "--yes", "-o", "json"], more].concat(),
        );
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.json()["warnings"].to_string()
    };
    let here = warnings(&[]);
    assert!(
        here.contains("of-web") && !here.contains("of-all") && !here.contains("enforces"),
        "{here}"
    );
    let there = warnings(&["--trial-namespace", elsewhere.name()]);
    assert!(there.contains("of-web, of-all") || there.contains("of-all, of-web"), "{there}");
    assert!(there.contains("enforces restricted") && there.contains("enforces nothing"), "{there}");
    assert_eq!((left(name), left(elsewhere.name())), (Vec::new(), Vec::new()));
}
