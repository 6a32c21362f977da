//! In a user's pod nothing is executed but our scripts, and these only read.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod testbed;

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use testbed::{Namespace, kubectl, nonroot, of_pod, process_of, written};

/// A program that knows no `--help`, runs as root and is not ready, and whose log asks for a look
/// at its configuration.
const WORKLOAD: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: program}
data:
  server: |
    #!/bin/sh
    echo 'server: setgroups(101): Operation not permitted'
    echo 'server: cannot set uid to 33: Operation not permitted'
    exec sleep 3600
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      volumes: [{name: program, configMap: {name: program, defaultMode: 0755}}]
      containers:
        - name: web
          image: localhost/test-nginx:1
          imagePullPolicy: Never
          command: [/srv/program/server]
          volumeMounts: [{name: program, mountPath: /srv/program}]
          readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 600}
"#;

/// What our scripts use, all of which only reads; and runc, which leads to it.
const READERS: [&str; 13] =
    ["sh", "stat", "cat", "ls", "find", "grep", "sort", "head", "tail", "tar", "od", "du", "runc"];

/// How runc becomes itself once more, inside.
const RUNC_ITSELF: &str = "/proc/self/";

/// Every program that the shim of a pod, and all that comes of it, executes while it is recorded,
/// by strace(1).
struct Recording {
    strace: Child,
    file: String,
}

impl Recording {
    fn start(namespace: &str) -> Self {
        let id = of_pod(namespace, "app=web", ".status.containerStatuses[0].containerID");
        let process = process_of(id.trim_start_matches("containerd://"));
        let status = fs::read_to_string(format!("/proc/{process}/status")).expect("its status");
        let shim = status
            .lines()
            .find_map(|line| line.strip_prefix("PPid:"))
            .expect("its parent")
            .trim()
            .to_owned();
        let file = env::temp_dir()
            .join(format!("nonroot-test-{}-execve", std::process::id()))
            .display()
            .to_string();
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-e", "trace=execve", "-s", "200", "-o", &file, "-p", &shim]);
        let strace = command.stderr(Stdio::null()).spawn().expect("strace runs");
        let traced =
            |line: &str| line.strip_prefix("TracerPid:").is_some_and(|pid| pid.trim() != "0");
        let start = Instant::now();
        while !fs::read_to_string(format!("/proc/{shim}/status"))
            .expect("the shim's status")
            .lines()
            .any(traced)
        {
            assert!(start.elapsed() < Duration::from_secs(20), "strace does not attach");
            thread::sleep(Duration::from_millis(50));
        }
        Self { strace, file }
    }

    /// The paths of the programs, each once.
    fn programs(mut self) -> BTreeSet<String> {
        thread::sleep(Duration::from_secs(1));
        let killed = Command::new("kill").args(["-INT", &self.strace.id().to_string()]).status();
        assert!(killed.expect("kill runs").success());
        self.strace.wait().expect("strace ends");
        let text = fs::read_to_string(&self.file).expect("what it recorded");
        let path = |line: &str| Some(line.split_once("execve(\"")?.1.split_once('"')?.0.to_owned());
        text.lines().filter_map(path).collect()
    }
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn in_a_users_pod_nothing_is_executed_but_what_reads() {
    let namespace = Namespace::new("nonroot-test-live", &[]);
    let name = namespace.name();
    kubectl(&["apply", "-n", name, "-f", &written("live.yaml", WORKLOAD)]);
    let start = Instant::now();
    while of_pod(name, "app=web", ".status.containerStatuses[0].started") != "true" {
        assert!(start.elapsed() < Duration::from_secs(90), "the pod does not run");
        thread::sleep(Duration::from_millis(300));
    }
    let pod = of_pod(name, "app=web", ".metadata.name");
    let recording = Recording::start(name);
    let pod = format!("pod/{pod}");
    for command in [
        ["scan", "deploy/web"].as_slice(),
        &["scan", "deploy/web", "--plan", "-o", "html"],
        &["explain", "deploy/web"],
        &["explain", &pod],
        &["fix", "deploy/web", "--yes", "-o", "json"],
        &["fix", "deploy/web", "--yes", "--read-only-root", "-o", "diff"],
        &["fix", "deploy/web", "--trial", "--yes", "--max-rounds", "2", "--timeout", "30"],
        &["prove", "deploy/web", "--yes", "--timeout", "30"],
        &["can-i", "write", "/var/cache/nginx", "deploy/web"],
        &["can-i", "exec", "/usr/sbin/nginx", "deploy/web"],
        &["can-i", "bind", "80", "deploy/web"],
        &["nodes"],
        &["image", "deploy/web"],
    ] {
        let run = nonroot(&[command, ["-n", name].as_slice()].concat());
        assert_ne!(run.code, 2, "{command:?}: {}", run.stderr);
        // A container that runs is evidence, ready or not.
        if command.contains(&"json") {
            let basis = &run.json()["plan"]["basis"][0];
            assert!(
                basis.as_str().is_some_and(|basis| basis.starts_with("the running pod web-")),
                "{basis}"
            );
        }
    }
    let programs = recording.programs();
    let named = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let names: BTreeSet<String> = programs.iter().map(|path| named(path)).collect();
    assert!(names.contains("sh") && names.contains("stat"), "nothing was recorded: {programs:?}");
    let is_ours =
        |path: &String| READERS.contains(&named(path).as_str()) || path.starts_with(RUNC_ITSELF);
    let others: Vec<&String> = programs.iter().filter(|path| !is_ours(path)).collect();
    assert!(others.is_empty(), "executed in the user's pod: {others:?}");
}
