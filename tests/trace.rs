//! `trace` on recordings of programs that ran here, and on pods of a real cluster.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod testbed;

use std::{env, fs};

use ::nonroot::diagnosis::Context;
use ::nonroot::diagnosis::trace::Trace;
use ::nonroot::evidence::strace::Strace;
use ::nonroot::foresight;
use ::nonroot::model::obstacle::{Errno, Obstacle};
use ::nonroot::model::trace::Traced;
use testbed::{Namespace, kubectl, nonroot, written};

/// Recordings of programs of tests/programs, as root and as uid 1000, most of them without the
/// calls that move memory and data: name, and what they tell.
const RECORDINGS: [(&str, &str); 5] = [
    ("git-daemon-user", "listens 9418 9418"),
    (
        "lua-app-user",
        "!create EACCES /var/lib/luaapp/state unwritable-path; ended with exit code 1",
    ),
    ("ngircd-root", "listens 6667 6667; becomes 39:39; needs SYS_CHROOT SETGID SETUID; root"),
    (
        "nsd-root",
        "other EPERM - capability-missing; writes /tmp/nsd-xfr-28 /var/lib/nsd/nsd.db; listens 53 53 8952 8952; \
         becomes 100:101; needs NET_BIND_SERVICE SETGID SETUID; root",
    ),
    (
        "snmpd-root",
        "writes /var/lib/snmp /var/lib/snmp/cert_indexes /var/lib/snmp/snmpd.conf; listens 161 199; becomes 100:101; \
         needs NET_BIND_SERVICE CHOWN SETGID SETUID; root",
    ),
];

/// What a trace tells, in a line.
fn told(traced: &Traced) -> String {
    let mut parts: Vec<String> = Vec::new();
    for refusal in &traced.refusals {
        let Obstacle { operation, errno, path, category, fatal, .. } = &refusal.obstacle;
        let (errno, path) = (errno.map_or("-", Errno::as_str), path.as_deref().unwrap_or("-"));
        parts.push(format!(
            "{}{operation} {errno} {path} {category}",
            if *fatal { "!" } else { "" }
        ));
    }
    let mut list = |name: &str, words: Vec<String>| {
        if !words.is_empty() {
            parts.push(format!("{name} {}", words.join(" ")));
        }
    };
    list("writes", foresight::written(&foresight::trace::inside(traced)));
    let ports = traced.listeners.iter().filter_map(|(listener, _)| listener.port());
    list("listens", ports.map(|port| port.to_string()).collect());
    let users =
        traced.became.iter().map(|one| format!("{}:{}", one.uid, one.gid.unwrap_or_default()));
    list("becomes", users.collect());
    list("needs", traced.needed.iter().map(|one| one.capability.to_owned()).collect());
    list("ended with", traced.end.iter().cloned().collect());
    if traced.root == Some(true) {
        parts.push("root".to_owned());
    }
    parts.join("; ")
}

#[test]
fn recordings() {
    for (name, expected) in RECORDINGS {
        let path = format!("{}/tests/cases/traces/{name}.strace", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read(path).expect("a recording");
        let (mut strace, mut trace) = (Strace::default(), Trace::new(Context::default()));
        text.chunks(100).for_each(|piece| strace.feed(piece, &mut |event| trace.take(event)));
        let lines = strace.finish(&mut |event| trace.take(event));
        let count = text.iter().filter(|byte| **byte == b'\n').count() as u64;
        assert_eq!(
            (lines.total, lines.unknown),
            (count, 0),
            "{name}: every line is counted, and is strace's"
        );
        assert_eq!(told(&trace.finish()), expected, "{name}");
    }
}

/// A program that makes a directory again and again where it may not, from an image that has strace
/// as well.
const RETRY: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: retry}
spec:
  containers:
    - name: first
      image: localhost/test-strace:1
      imagePullPolicy: Never
      securityContext: {runAsUser: 1000, runAsGroup: 1000}
      command: [sh, -c, 'while :; do mkdir /opt/retry 2> /dev/null; sleep 1; done']
"#;

#[test]
#[ignore = "needs cluster (an ephemeral container that traces)"]
fn a_pod_is_traced_from_beside() {
    let namespace = Namespace::new("nonroot-test-trace", &[]);
    let name = namespace.name();
    kubectl(&["apply", "-n", name, "-f", &written("retry.yaml", RETRY)]);
    kubectl(&["wait", "-n", name, "pod/retry", "--for=condition=Ready", "--timeout=90s"]);
    // Nobody was asked, and nothing was added.
    let asked = nonroot(&["trace", "-n", name, "retry", "--image", "localhost/test-strace:1"]);
    assert_eq!(
        (asked.code, asked.stderr.contains("--yes allows it")),
        (2, true),
        "{}",
        asked.stderr
    );
    assert_eq!(
        kubectl(&["get", "-n", name, "pod/retry", "-o", "jsonpath={.spec.ephemeralContainers}"]),
        ""
    );
    let run = nonroot(&[
        "trace",
        "-n",
        name,
        "retry",
        "--image",
        "localhost/test-strace:1",
        "--for",
        "6s",
        "--yes",
        "-o",
        "json",
    ]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("An ephemeral container cannot be removed"), "{}", run.stderr);
    let trace = run.json();
    let refused = trace["obstacles"].as_array().expect("obstacles");
    assert!(
        refused.iter().any(|one| one["path"] == "/opt/retry" && one["operation"] == "mkdir"),
        "{trace:#}"
    );
    assert_eq!(trace["lines"]["unknown"], 0, "{trace:#}");
    assert_eq!(trace["did"]["root"], false);
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn what_a_namespace_forbids_is_said_before() {
    let namespace = Namespace::new(
        "nonroot-test-trace-strict",
        &["pod-security.kubernetes.io/enforce=baseline"],
    );
    let name = namespace.name();
    kubectl(&["apply", "-n", name, "-f", &written("strict.yaml", RETRY)]);
    kubectl(&["wait", "-n", name, "pod/retry", "--for=condition=Ready", "--timeout=90s"]);
    let image = ["--image", "localhost/test-strace:1", "--profile", "general", "--yes"];
    let run = nonroot(&[&["trace", "-n", name, "retry"][..], &image].concat());
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("enforces baseline, which forbids it"), "{}", run.stderr);
    assert!(run.stderr.contains("SYS_PTRACE"), "{}", run.stderr);
}

/// What dies without a word, in a place where nobody looks.
const SILENT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: silent}
spec:
  selector: {matchLabels: {app: silent}}
  template:
    metadata: {labels: {app: silent}}
    spec:
      containers:
        - name: silent
          image: localhost/test-strace:1
          imagePullPolicy: Never
          command: [sh, -c, 'mkdir -p /srv/silent 2> /dev/null || exit 3; exec sleep 3600']
          readinessProbe: {exec: {command: [ls, /srv/silent]}, periodSeconds: 1}
"#;

#[test]
#[ignore = "needs cluster (creates pods)"]
fn what_dies_in_silence_is_traced() {
    let namespace = Namespace::new(
        "nonroot-test-trace-silent",
        &["pod-security.kubernetes.io/enforce=restricted"],
    );
    let path = written("silent.yaml", SILENT);
    let image = ["--strace-image", "localhost/test-strace:1", "-o", "json"];
    let run = nonroot(
        &[&["fix", "-n", namespace.name(), "-f", &path, "--trial", "--yes"][..], &image].concat(),
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    let fix = run.json();
    assert_eq!(fix["proof"]["ready"], true, "{fix:#}");
    let rounds = fix["proof"]["rounds"].as_array().expect("rounds");
    let traced =
        rounds.iter().flat_map(|round| round["obstacles"].as_array().into_iter().flatten());
    let sources: Vec<&str> = traced.filter_map(|one| one["evidence"]["source"].as_str()).collect();
    assert!(sources.contains(&"strace of container silent"), "{fix:#}");
}
