//! Values of Secrets, ConfigMaps and environment variables stay where they are: canaries are
//! planted in all of these places, and no command says one, in no format, not even in the traces of
//! -v=8.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod testbed;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, thread};

use testbed::{Namespace, Run, kubectl, nonroot};

const SECRET: &str = "CANARY-of-a-secret-4711";
/// As the API server sends it.
const SECRET_BASE64: &str = "Q0FOQVJZLW9mLWEtc2VjcmV0LTQ3MTE=";
const CONFIG: &str = "CANARY-of-a-config-map-4712";
const ENV: &str = "CANARY-of-a-variable-4713";
const TOKEN: &str = "CANARY-of-a-token-4714";
const REGISTRY: &str = "CANARY-of-a-registry-4715";

fn manifest() -> String {
    // The program dies of what it may not write, with its environment and its secret file in reach.
    let program = "test -r /secret/password && mkdir /var/forbidden && sleep 3600";
    let container = |user: u32| {
        format!(
            r#"{{"name": "app", "image": "localhost/test-report:1", "imagePullPolicy": "Never",
                "command": ["sh", "-c", "{program}"], "securityContext": {{"runAsUser": {user}}},
                "env": [{{"name": "PLAIN", "value": "{ENV}"}},
                        {{"name": "FROM_SECRET", "valueFrom": {{"secretKeyRef": {{"name": "canary", "key": "password"}}}}}},
                        {{"name": "FROM_CONFIG", "valueFrom": {{"configMapKeyRef": {{"name": "canary", "key": "setting"}}}}}}],
                "envFrom": [{{"secretRef": {{"name": "canary"}}}}, {{"configMapRef": {{"name": "canary"}}}}],
                "volumeMounts": [{{"name": "secret", "mountPath": "/secret"}}, {{"name": "config", "mountPath": "/config"}}]}}"#
        )
    };
    let deployment = |name: &str, user: u32| {
        format!(
            r#"{{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {{"name": "{name}"}}, "spec": {{
                "selector": {{"matchLabels": {{"app": "{name}"}}}},
                "template": {{"metadata": {{"labels": {{"app": "{name}"}}}}, "spec": {{
                    "terminationGracePeriodSeconds": 0, "imagePullSecrets": [{{"name": "registry"}}],
                    "volumes": [{{"name": "secret", "secret": {{"secretName": "canary"}}}},
                                {{"name": "config", "configMap": {{"name": "canary"}}}}],
                    "containers": [{}]}}}}}}}}"#,
            container(user)
        )
    };
    let login = format!(
        r#"{{\"auths\":{{\"registry.invalid\":{{\"username\":\"u\",\"password\":\"{REGISTRY}\"}}}}}}"#
    );
    let secret = format!(
        r#"{{"apiVersion": "v1", "kind": "Secret", "metadata": {{"name": "canary"}}, "stringData": {{"password": "{SECRET}"}}}}"#
    );
    let registry = format!(
        r#"{{"apiVersion": "v1", "kind": "Secret", "metadata": {{"name": "registry"}}, "type": "kubernetes.io/dockerconfigjson", "stringData": {{".dockerconfigjson": "{login}"}}}}"#
    );
    let config = format!(
        r#"{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "canary"}}, "data": {{"setting": "{CONFIG}"}}}}"#
    );
    [secret, registry, config, deployment("root", 0), deployment("failing", 1000)].join("\n---\n")
}

/// Commands side by side: they wait for the cluster most of the time.
const AT_ONCE: usize = 4;

/// What an output may hold of what was planted.
#[derive(Clone, Copy, PartialEq)]
enum Shows {
    Nothing,
    /// The whole object was asked for, and the plain variable is part of it.
    Object,
    /// The user's own file was, or what changes in it.
    File,
}

fn is_silent(arguments: &[&str], run: &Run, shows: Shows) {
    let shown = if shows == Shows::File { "" } else { &run.stdout };
    let said = format!("{shown}\n{}", run.stderr);
    for canary in [SECRET, SECRET_BASE64, CONFIG, TOKEN, REGISTRY]
        .into_iter()
        .chain((shows == Shows::Nothing).then_some(ENV))
    {
        let line = said.lines().find(|line| line.contains(canary));
        assert_eq!(line, None, "kubectl nonroot {} says it", arguments.join(" "));
    }
    assert!(
        !run.stderr.contains(ENV),
        "kubectl nonroot {} says it on standard error",
        arguments.join(" ")
    );
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn no_command_says_a_value() {
    let namespace = Namespace::new("nonroot-test-canaries", &[]);
    let name = namespace.name();
    let path = env::temp_dir().join("nonroot-test-canaries.yaml");
    fs::write(&path, manifest()).expect("a file in the temporary directory");
    let path = path.display().to_string();
    kubectl(&["apply", "-n", name, "-f", &path]);
    kubectl(&["rollout", "status", "-n", name, "deployment/root", "--timeout=90s"]);
    testbed::until(&["scan", "-n", name, "-o", "json"], |report| report["summary"]["failing"] == 1);
    let pod = kubectl(&[
        "get",
        "pods",
        "-n",
        name,
        "-l",
        "app=failing",
        "-o",
        "jsonpath={.items[0].metadata.name}",
    ]);
    let log = env::temp_dir().join("nonroot-test-canaries.log");
    fs::write(&log, kubectl(&["logs", "-n", name, &pod, "--ignore-errors"])).expect("a file");
    let log = log.display().to_string();

    // Each command with each of its formats; with the whole object in those that are made to hold
    // it.
    let reports: [&[&str]; 7] = [
        &["scan"],
        &["scan", "deploy/failing"],
        &["explain", "deploy/failing", "--all"],
        &["explain", "-f", &log],
        &["can-i", "write", "/var", "deploy/root"],
        &["can-i", "read", "/secret/password", "deploy/root", "--uid", "1000"],
        &["scan", "-f", &path],
    ];
    let mut commands: Vec<Vec<String>> = Vec::new();
    let mut add = |arguments: &[&str], format: &str| {
        let all = [arguments, &["-n", name, "-o", format, "-v=8"]].concat();
        commands.push(all.into_iter().map(str::to_owned).collect());
    };
    for arguments in reports {
        formats(arguments[0]).iter().for_each(|format| add(arguments, format));
    }
    for format in formats("fix") {
        add(&["fix", "deploy/root", "--yes"], &format);
        add(&["fix", "-f", &path, "--yes"], &format);
    }
    add(&["fix", "deploy/failing", "--yes"], "text");
    add(&["fix", "deploy/failing", "--trial", "--yes"], "markdown");
    // A check that reads a value and fails: its output stays where it is. Each proof runs pods.
    let check = "exec: sh -c 'env; cat /secret/* /config/* /proc/1/environ; exit 1'";
    for format in formats("prove") {
        add(&["prove", "deploy/root", "--yes", "--check", check], &format);
    }
    add(&["prove", "deploy/failing", "--yes", "--quick", "--timeout", "60"], "json");
    add(&["fix", "deploy/root", "--yes", "--apply", "--dry-run=server"], "text");
    // The pull secret is read for this, and the registry does not exist.
    add(&["image", "deploy/root"], "json");
    add(&["scan", "--token", TOKEN], "table");
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(command) = commands.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
                    let asks =
                        |formats: &[&str]| formats.iter().any(|format| arguments.contains(format));
                    let shows = match arguments[..2] {
                        ["fix", "-f"] if asks(&["text", "yaml", "diff", "markdown"]) => Shows::File,
                        ["fix", _] if asks(&["json", "yaml"]) => Shows::Object,
                        _ => Shows::Nothing,
                    };
                    is_silent(&arguments, &nonroot(&arguments), shows);
                }
            });
        }
    });
    println!("{} commands said none of the canaries", commands.len());
}

/// The formats of a command, as its help lists them.
fn formats(command: &str) -> Vec<String> {
    let root = nonroot_command(command);
    let output = root.get_arguments().find(|arg| arg.get_id() == "output").expect("-o");
    output.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect()
}

fn nonroot_command(name: &str) -> clap::Command {
    let command = ::nonroot::cli::command();
    command.find_subcommand(name).expect("a command").clone()
}
