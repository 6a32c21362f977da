//! Every format of `fix` says the same, and kubectl has the last word: random workloads of random
//! kinds, through `kubectl patch --local` and `kubectl kustomize`. `FORMATS_SEED=7 cargo test
//! --test formats -- --ignored` repeats a seed.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use fastrand::Rng;
use nonroot::evidence::manifests::document::Document;
use serde_json::{Value, json};

/// Files, each with a few workloads.
const FILES: usize = 60;

fn kubectl() -> PathBuf {
    let directory =
        env::var("CLUSTER_DIR").unwrap_or_else(|_| "/var/cache/nonroot-cluster".to_owned());
    Path::new(&directory).join("bin/kubectl")
}

fn run(command: &mut Command) -> String {
    let output = command
        .env("KUBECONFIG", "/dev/null")
        .env("HOME", "/nonexistent")
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    // Of a plan that leaves something alone, 1 tells.
    assert!(output.status.code().is_some_and(|code| code < 2), "{command:?}: {said}");
    String::from_utf8(output.stdout).expect("text")
}

fn documents(text: &str) -> Vec<Value> {
    let parts = text.split("---\n").filter_map(|part| Document::parse(part).expect("YAML"));
    parts.map(|document| document.value).collect()
}

/// A value without what means nothing.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, value)| !value.is_null());
            kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect()
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// Random workloads.
struct Maker {
    rng: Rng,
}

impl Maker {
    fn chance(&mut self, percent: u8) -> bool {
        self.rng.u8(..100) < percent
    }

    fn of<T: Copy>(&mut self, some: &[T]) -> T {
        some[self.rng.usize(..some.len())]
    }

    fn context(&mut self) -> Value {
        let mut context = json!({});
        for (field, value, percent) in [
            ("runAsUser", json!(self.of(&[0, 5, 1000])), 30),
            ("runAsNonRoot", json!(self.rng.bool()), 30),
            ("privileged", json!(self.chance(30)), 30),
            (
                "capabilities",
                json!({"add": [self.of(&["NET_ADMIN", "NET_BIND_SERVICE", "CHOWN"])], "drop": ["KILL"]}),
                30,
            ),
            ("seccompProfile", json!({"type": self.of(&["Unconfined", "RuntimeDefault"])}), 30),
            ("readOnlyRootFilesystem", json!(true), 20),
        ] {
            if self.chance(percent) {
                context[field] = value;
            }
        }
        context
    }

    fn container(&mut self, name: &str) -> Value {
        let mut container =
            json!({"name": name, "image": self.of(&["example.com/a:1", "example.com/b"])});
        if self.chance(60) {
            container["securityContext"] = self.context();
        }
        if self.chance(40) {
            container["env"] = json!([{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)"}, {"name": "HOME", "value": "/root"}]);
        }
        if self.chance(40) {
            container["ports"] = match self.rng.u8(..3) {
                0 => {
                    json!([{"containerPort": 53, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}])
                }
                1 => json!([{"containerPort": 80}]),
                _ => json!([{"containerPort": 8080, "name": "http"}, {"containerPort": 80}]),
            };
        }
        if self.chance(40) {
            container["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}, {"name": "tmp", "mountPath": "/tmp", "subPath": "x"}]);
        }
        container
    }

    fn spec(&mut self) -> Value {
        let count = self.rng.usize(1..4);
        let mut names = vec!["main", "a-side", "log", "x0"];
        self.rng.shuffle(&mut names);
        let mut spec = json!({"containers": names[..count].iter().map(|name| self.container(name)).collect::<Vec<_>>()});
        let mut names = vec!["wait", "copy", "before-all"];
        self.rng.shuffle(&mut names);
        let count = self.rng.usize(..3);
        if count > 0 {
            spec["initContainers"] =
                names[..count].iter().map(|name| self.container(name)).collect();
        }
        spec["volumes"] =
            json!([{"name": "tmp", "emptyDir": {}}, {"name": "data", "configMap": {"name": "c"}}]);
        if self.chance(50) {
            spec["securityContext"] = self.context();
            for field in ["privileged", "capabilities", "readOnlyRootFilesystem"] {
                spec["securityContext"].as_object_mut().expect("fields").shift_remove(field);
            }
        }
        if self.chance(10) {
            spec["hostNetwork"] = json!(true);
        }
        spec
    }

    fn workload(&mut self) -> Value {
        let mut metadata = json!({"name": self.of(&["web", "web.x", "webzx", "api-1", "a.b.c"])});
        if self.chance(60) {
            metadata["namespace"] = json!(self.of(&["shop", "default", "a-b"]));
        }
        let annotations = match self.chance(20) {
            true => {
                json!({"container.apparmor.security.beta.kubernetes.io/main": "unconfined", "b": "c"})
            }
            false => json!({"b": "c"}),
        };
        let template = |spec: Value| json!({"metadata": {"labels": {"a": "b"}, "annotations": annotations}, "spec": spec});
        let selector = json!({"matchLabels": {"a": "b"}});
        let spec = self.spec();
        let (version, kind, spec) = match self.rng.u8(..9) {
            0 => {
                metadata["annotations"] = annotations.clone();
                ("v1", "Pod", spec)
            }
            1 => (
                "apps/v1",
                "StatefulSet",
                json!({"selector": selector, "serviceName": "s", "template": template(spec)}),
            ),
            2 => {
                ("apps/v1", "DaemonSet", json!({"selector": selector, "template": template(spec)}))
            }
            3 => (
                "batch/v1",
                "CronJob",
                json!({"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template(spec)}}}),
            ),
            4 => (
                "argoproj.io/v1alpha1",
                "Rollout",
                json!({"replicas": 1, "template": template(spec)}),
            ),
            5 => {
                let groups = json!([{"name": "g", "template": {"spec": spec}}, {"name": "h", "template": {"spec": self.spec()}}]);
                (
                    "example.com/v1",
                    "Grid",
                    json!({"head": {"podSpec": self.spec()}, "groups": groups}),
                )
            }
            6 => ("example.com/v1", "Runner", json!({"podTemplate": {"spec": spec}, "size": 3})),
            _ => (
                "apps/v1",
                "Deployment",
                json!({"replicas": 2, "selector": selector, "template": template(spec)}),
            ),
        };
        json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})
    }
}

/// What names an object, as kustomize has it.
fn key(object: &Value) -> String {
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default");
    format!(
        "{} {} {namespace} {}",
        object["apiVersion"], object["kind"], object["metadata"]["name"]
    )
}

struct Case<'d> {
    directory: &'d Path,
    about: String,
}

impl Case<'_> {
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("it can be made");
        fs::write(&path, text).expect("it can be written");
        path
    }

    fn fix(&self, file: &Path, format: &str) -> String {
        run(Command::new(env!("CARGO_BIN_EXE_kubectl-nonroot"))
            .args(["fix", "--yes", "--offline", "-o", format, "-f"])
            .arg(file))
    }

    /// An object with a patch in it, as kubectl applies one.
    fn patched(&self, object: &Value, kind: &str, patch: &Value) -> Value {
        let file = self.write("object.json", &object.to_string());
        let patch_file = self.write("patch.json", &patch.to_string());
        let mut command = Command::new(kubectl());
        command.args(["patch", "--local", "-o", "json", "--type", kind, "-f"]).arg(file);
        let text = run(command.arg("--patch-file").arg(patch_file));
        assert!(
            !text.is_empty(),
            "{}: kubectl refuses the {kind} patch {patch:#} of {object:#}",
            self.about
        );
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}: {text}", self.about))
    }

    /// What kubectl's types make of an object.
    fn read(&self, object: &Value) -> Value {
        self.patched(object, "merge", &json!({}))
    }

    fn same(&self, what: &str, found: &Value, expected: &Value) {
        let (found, expected) = (without_nulls(found), without_nulls(expected));
        assert!(
            found == expected,
            "{}: {what} gives\n{found:#}\nand not\n{expected:#}",
            self.about
        );
    }
}

impl Case<'_> {
    /// Every format of a file with these objects gives what its edited text says; how many objects
    /// that changes.
    fn holds(&self, text: &str, objects: &[Value]) -> usize {
        let file = self.write("base/objects.yaml", text);
        let expected = documents(&self.fix(&file, "yaml"));
        assert_eq!(expected.len(), objects.len(), "{}", self.about);
        let changed =
            expected.iter().zip(objects).filter(|(after, before)| after != before).count();
        let after = |target: &Value, name: &Value| {
            let at = objects.iter().position(|object| {
                ["apiVersion", "kind"].iter().all(|field| object[*field] == target[*field])
                    && ["namespace", "name"]
                        .iter()
                        .all(|field| object["metadata"][*field] == name[*field])
            });
            let at = at.unwrap_or_else(|| panic!("{}: no object for {target:#}", self.about));
            (&objects[at], &expected[at])
        };
        for format in ["patch", "json6902"] {
            let printed = Document::parse(&self.fix(&file, format))
                .expect("one document")
                .expect("not empty")
                .value;
            if printed["kind"] != "PatchList" {
                // A JSON patch does not say whose it is, and there is one object with a pod.
                let (object, after) = match format {
                    "json6902" => {
                        let changes =
                            objects.iter().zip(&expected).find(|(before, after)| before != after);
                        changes.unwrap_or((&objects[0], &expected[0]))
                    }
                    _ => after(&printed, &printed["metadata"]),
                };
                let built_in = ["v1", "apps/v1", "batch/v1"]
                    .iter()
                    .any(|version| object["apiVersion"] == *version);
                let kind = if format == "json6902" {
                    "json"
                } else if built_in {
                    "strategic"
                } else {
                    "merge"
                };
                self.same(format, &self.patched(object, kind, &printed), &self.read(after));
                continue;
            }
            for item in printed["items"].as_array().expect("items") {
                let (object, after) = after(&item["target"], &item["target"]);
                let kind = item["type"].as_str().expect("a type");
                self.same(format, &self.patched(object, kind, &item["patch"]), &self.read(after));
            }
        }
        self.write("base/kustomization.yaml", "resources: [objects.yaml]\n");
        self.write("fix/kustomization.yaml", &self.fix(&file, "kustomize"));
        self.write("all/kustomization.yaml", "resources: [../base]\ncomponents: [../fix]\n");
        // What kustomize does not take as it is, it does not take with a patch.
        let build = |directory: &str| {
            let mut command = Command::new(kubectl());
            let output = command
                .arg("kustomize")
                .arg(self.directory.join(directory))
                .output()
                .expect("it runs");
            output
                .status
                .success()
                .then(|| documents(&String::from_utf8(output.stdout).expect("text")))
        };
        let Some(untouched) = build("base") else { return changed };
        let built = build("all")
            .unwrap_or_else(|| panic!("{}: kustomize refuses the component", self.about));
        let of =
            |all: &[Value], object: &Value| all.iter().find(|one| key(one) == key(object)).cloned();
        for (before, after) in objects.iter().zip(&expected) {
            // Readers differ in odd texts: what does not change is what kustomize makes of it.
            let expected =
                if before == after { of(&untouched, after) } else { Some(after.clone()) };
            self.same(
                "kustomize",
                &of(&built, after).expect("an object"),
                &expected.expect("an object"),
            );
        }
        changed
    }
}

#[test]
#[ignore = "needs the kubectl that tests/cluster/build makes"]
fn every_format_gives_the_same_object() {
    let seed = env::var("FORMATS_SEED")
        .map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a number"));
    println!("FORMATS_SEED={seed}");
    let directory = tempfile::tempdir().expect("a directory");
    let mut maker = Maker { rng: Rng::with_seed(seed) };
    let mut changed = 0;
    for number in 0..FILES {
        let mut objects: BTreeMap<String, Value> = BTreeMap::new();
        for _ in 0..maker.rng.usize(1..5) {
            let object = maker.workload();
            objects.insert(key(&object), object);
        }
        let objects: Vec<Value> = objects.into_values().collect();
        let case = Case {
            directory: directory.path(),
            about: format!("FORMATS_SEED={seed}, file {number}"),
        };
        let yaml = |object: &Value| serde_saphyr::to_string(object).expect("YAML");
        changed +=
            case.holds(&objects.iter().map(yaml).collect::<Vec<_>>().join("---\n"), &objects);
    }
    assert!(changed > FILES, "hardly anything was planned");
}

/// The same of our examples, or of real manifests: `FORMATS_FILES=DIRECTORY cargo test --test
/// formats -- --ignored --nocapture`.
#[test]
#[ignore = "needs the kubectl that tests/cluster/build makes"]
fn every_format_gives_the_same_object_of_files() {
    let files = env::var_os("FORMATS_FILES").unwrap_or_else(|| "examples".into());
    let directory = tempfile::tempdir().expect("a directory");
    let (mut held, mut changed, mut waiting) = (0, 0, vec![PathBuf::from(files)]);
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(
                fs::read_dir(path)
                    .expect("a directory")
                    .map(|entry| entry.expect("an entry").path()),
            );
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let parts: Vec<_> = text.split("---\n").map(Document::parse).collect();
        // Only what can be read and told apart, has a name, and is no list.
        if parts.iter().any(Result::is_err) || text.contains("{{") || text.contains("# Source: ") {
            continue;
        }
        // A patch is no object.
        if text.contains("$patch:") {
            continue;
        }
        let objects: Vec<Value> =
            parts.into_iter().flatten().flatten().map(|document| document.value).collect();
        let keys: std::collections::BTreeSet<String> = objects.iter().map(key).collect();
        let is_named = |object: &Value| {
            object["metadata"]["name"].is_string() && object["apiVersion"].is_string()
        };
        let is_list = |object: &Value| object["items"].is_array();
        if objects.is_empty()
            || keys.len() != objects.len()
            || !objects.iter().all(is_named)
            || objects.iter().any(is_list)
        {
            continue;
        }
        let scanned = Command::new(env!("CARGO_BIN_EXE_kubectl-nonroot"))
            .args(["scan", "-f"])
            .arg(&path)
            .output();
        if scanned.expect("it runs").status.code().is_none_or(|code| code > 1) {
            continue;
        }
        let case = Case { directory: directory.path(), about: path.display().to_string() };
        changed += case.holds(&text, &objects);
        held += 1;
    }
    assert!(held > 0 && changed > 0, "no file holds what a plan changes");
    println!("{held} files, {changed} objects changed: every format gives the same");
}
