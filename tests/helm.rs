//! Charts through the real helm: what is rendered with the values that `fix` finds, and then
//! patched by the post-renderer, is the plan. And a release of a real cluster, upgraded with them.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod testbed;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use nonroot::chart;
use nonroot::evidence::manifests;
use serde_json::Value;
use testbed::{Namespace, kubectl};

const CHARTS: [&str; 5] = ["fixed", "hook", "shop", "strict", "web"];

fn chart(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/charts").join(name).display().to_string()
}

/// Where helm and kubectl are.
fn path() -> String {
    let tools = env::var("TOOLS_DIR").unwrap_or_else(|_| "/var/cache/nonroot-tools".to_owned());
    format!("{tools}/bin:{}/bin:/usr/bin:/bin", testbed::directory())
}

fn program(name: &str) -> Command {
    // What is started is looked for in the test's own PATH, and not in that of the child.
    let path = path();
    let found = path.split(':').map(|directory| Path::new(directory).join(name));
    let program = found.into_iter().find(|program| program.is_file());
    let mut command = Command::new(program.unwrap_or_else(|| panic!("no {name} in {path}")));
    command.env_clear().env("PATH", &path).env("HOME", "/nonexistent");
    command
}

fn nonroot(kubeconfig: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-nonroot"));
    command.env_clear().env("PATH", path()).env("KUBECONFIG", kubeconfig);
    command.env("NONROOT_OFFLINE", "1").args(arguments).output().expect("it runs")
}

fn good(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    // Of a plan that leaves something alone, 1 tells.
    assert!(output.status.code().is_some_and(|code| code < 2), "{said}");
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn fix(arguments: &[&str]) -> String {
    good(&nonroot("/dev/null", &[&["fix"], arguments].concat()))
}

/// Objects by kind and name, without what means nothing, is made up at each rendering, or is
/// random: kustomize drops fields that are null.
fn objects(text: &str) -> BTreeMap<String, Value> {
    fn cleaned(value: Value) -> Value {
        match value {
            Value::Object(fields) => fields
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| match name.as_str() {
                    "password" => (name, "random".into()),
                    _ => (name, cleaned(value)),
                })
                .collect(),
            Value::Array(items) => items.into_iter().map(cleaned).collect(),
            Value::String(text) => Value::String(named(&text)),
            other => other,
        }
    }
    /// The test of the chart `hook` has another name each time.
    fn named(text: &str) -> String {
        text.split_once("-test-").map_or(text.to_owned(), |(start, _)| format!("{start}-test"))
    }
    let objects = manifests::objects(text).expect("YAML").into_iter();
    let named = objects.map(|object| {
        let object = match object["kind"] == "Pod" {
            true => cleaned(object),
            false => {
                let name = object["metadata"]["name"].clone();
                let mut object = cleaned(object);
                object["metadata"]["name"] = name;
                object
            }
        };
        (format!("{}/{}", object["kind"], object["metadata"]["name"]), object)
    });
    named.collect()
}

#[test]
#[ignore = "needs helm"]
fn values_and_post_renderer_give_the_plan() {
    for name in CHARTS {
        let chart = chart(name);
        let directory = tempfile::tempdir().expect("a directory");
        let place = |name: &str| directory.path().join(name);
        let write = |name: &str, text: &str| fs::write(place(name), text).expect("a file");
        let values = fix(&["-f", &chart, "-o", "values"]);
        write("values.yaml", &values);
        write("kustomization.yaml", &fix(&["-f", &chart, "-o", "post-renderer"]));
        let mut helm = program("helm");
        helm.args(["template", name, &chart, "--namespace", "default", "--values"]);
        write("all.yaml", &good(&helm.arg(place("values.yaml")).output().expect("helm runs")));
        let mut kustomize = program("kubectl");
        let result = kustomize.arg("kustomize").arg(directory.path()).output().expect("it runs");
        let result = objects(&good(&result));
        let plan = objects(&fix(&["-f", &chart, "-o", "yaml"]));
        assert_eq!(result.keys().collect::<Vec<_>>(), plan.keys().collect::<Vec<_>>());
        for (id, planned) in plan {
            let result = &result[&id];
            let planned = chart::aligned(&planned, result);
            assert_eq!(chart::differences(result, &planned), [], "{name}: {id}\n{values}");
        }
    }
}

#[test]
#[ignore = "needs helm"]
fn values_are_few_and_say_why() {
    let values = fix(&["-f", &chart("shop"), "-o", "values"]);
    let start = "orders:\n  securityContext:\n    # the plan needs it for what stands beside it\n    enabled: true\n";
    assert!(values.starts_with(start) && !values.contains("extra"), "{values}");
    let strict = fix(&["-f", &chart("strict"), "-o", "values"]);
    assert!(strict.contains("allowPrivilegeEscalation: false"), "{strict}");
    assert!(!strict.contains("capabilities") && !strict.contains("pod"), "{strict}");
    // The hook's context is a key that its values do not have.
    let hook = fix(&["-f", &chart("hook"), "-o", "values"]);
    assert!(hook.contains("migration:\n") && hook.contains("podSecurityContext:"), "{hook}");
    let said = nonroot("/dev/null", &["fix", "-f", &chart("hook"), "-o", "post-renderer"]);
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("Helm 3 gives no hook to a post-renderer"), "{said}");
}

#[test]
#[ignore = "needs helm"]
fn a_users_own_values_are_edited_and_keep_their_comments() {
    let mine = tempfile::NamedTempFile::with_suffix(".yaml").expect("a file");
    fs::write(mine.path(), "# Ours.\nimage: localhost/test-nginx:1 # pinned\n").expect("a file");
    let file = mine.path().display().to_string();
    fix(&["-f", &chart("web"), "--values", &file, "--write", "-o", "values"]);
    let text = fs::read_to_string(mine.path()).expect("a file");
    assert!(text.starts_with("# Ours.\nimage: localhost/test-nginx:1 # pinned\n"), "{text}");
    assert!(text.contains("podSecurityContext:") && text.contains("worker:"), "{text}");
    let again = fix(&["-f", &chart("web"), "--values", &file, "-o", "values"]);
    assert_eq!(again, "{}\n", "nothing is left to set");
}

#[test]
fn what_is_no_chart_or_has_no_helm_is_one_sentence() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-nonroot"));
        command.env_clear().env("PATH", "/nonexistent").env("KUBECONFIG", "/dev/null");
        let output = command.arg("fix").args(arguments).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).expect("text")
    };
    let said = run(&["-f", &chart("web"), "-o", "values"]);
    assert!(said.contains("there is no helm in PATH; install Helm"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let said = run(&["-f", "examples/web.yaml", "-o", "values"]);
    assert!(said.contains("names no Helm chart"), "{said}");
    let said = run(&["-f", &chart("web"), "--write"]);
    assert!(said.contains("with --values FILE"), "{said}");
}

fn helm(arguments: &[&str]) -> String {
    let mut helm = program("helm");
    helm.env("KUBECONFIG", testbed::kubeconfig());
    let output = helm.args(arguments).output().expect("helm runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    good(&output)
}

/// What a release's values do not reach, as a post-renderer that helm runs.
fn post_renderer(directory: &Path, kustomization: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(directory.join("kustomization.yaml"), kustomization).expect("a file");
    // The script in its head.
    let script = kustomization.lines().skip_while(|line| !line.contains("#!/bin/sh"));
    let script =
        script.take_while(|line| line.len() > 1).filter_map(|line| line.strip_prefix("#   "));
    let script: String = script.map(|line| format!("{line}\n")).collect();
    let path = directory.join("post-render");
    fs::write(&path, script).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it may be executed");
    path
}

#[test]
#[ignore = "needs helm and cluster"]
fn a_live_release_is_upgraded_to_what_is_proven() {
    let namespace = Namespace::new("nonroot-test-helm", &[]);
    let (name, chart) = (namespace.name(), chart("web"));
    helm(&["install", "site", &chart, "-n", name, "--wait", "--timeout", "90s"]);
    let fix = |arguments: &[&str]| {
        let all = [&["fix", "deploy/site", "-n", name, "--yes"], arguments].concat();
        good(&nonroot(&testbed::kubeconfig(), &all))
    };
    let values = fix(&["--trial", "-o", "values"]);
    assert!(values.contains("extraVolumeMounts:"), "{values}");
    let directory = tempfile::tempdir().expect("a directory");
    let renderer = post_renderer(directory.path(), &fix(&["--trial", "-o", "post-renderer"]));
    let file = directory.path().join("values.yaml");
    fs::write(&file, &values).expect("a file");
    kubectl(&["label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted"]);
    let template = || {
        let text = kubectl(&["get", "deployment", "site", "-n", name, "-o", "json"]);
        serde_json::from_str::<Value>(&text).expect("JSON")["spec"]["template"].clone()
    };
    let (file, renderer) = (file.display().to_string(), renderer.display().to_string());
    let upgrade = || {
        helm(&[
            "upgrade",
            "site",
            &chart,
            "-n",
            name,
            "-f",
            &file,
            "--post-renderer",
            &renderer,
            "--wait",
            "--timeout",
            "90s",
        ]);
        kubectl(&["rollout", "status", "-n", name, "deployment/site", "--timeout=90s"]);
        template()
    };
    let upgraded = upgrade();
    assert!(upgraded["spec"]["initContainers"].is_array(), "no value reaches it: {upgraded:#}");
    assert_eq!(upgrade(), upgraded, "another upgrade takes nothing back");
}
