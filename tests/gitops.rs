//! What `fix -o gitops` prints, against the real definitions of Flux's and Argo CD's kinds, on a
//! real API server.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod testbed;

use std::process::Command;

use serde_json::{Value, json};
use testbed::{Namespace, kubectl, nonroot, written};

/// Modules that carry the definitions, and where in them they stand.
const DEFINITIONS: [(&str, &str); 3] = [
    (
        "github.com/fluxcd/helm-controller@v1.4.0",
        "config/crd/bases/helm.toolkit.fluxcd.io_helmreleases.yaml",
    ),
    (
        "github.com/fluxcd/kustomize-controller@v1.6.0",
        "config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml",
    ),
    ("github.com/argoproj/argo-cd/v3@v3.2.0", "manifests/crds/application-crd.yaml"),
];

/// What the kinds want beside the part that is printed.
fn rest(kind: &str) -> Value {
    match kind {
        "HelmRelease" => {
            json!({"interval": "1m", "chart": {"spec": {"chart": "web", "sourceRef": {"kind": "HelmRepository", "name": "shop"}}}})
        }
        "Kustomization" => {
            json!({"interval": "1m", "prune": true, "sourceRef": {"kind": "GitRepository", "name": "shop"}})
        }
        _ => {
            json!({"project": "default", "destination": {"namespace": "shop"}, "source": {"repoURL": "https://git.example/shop"}})
        }
    }
}

/// Puts what one object has into another.
fn merge(into: &mut Value, other: &Value) {
    match (into.as_object_mut(), other.as_object()) {
        (Some(into), Some(other)) => {
            for (key, value) in other {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        _ => *into = other.clone(),
    }
}

/// Whether everything of an object is in another, which may have defaults beside it.
fn holds(all: &Value, part: &Value) -> bool {
    match (all, part) {
        (Value::Object(all), Value::Object(part)) => {
            part.iter().all(|(key, value)| all.get(key).is_some_and(|known| holds(known, value)))
        }
        (Value::Array(all), Value::Array(part)) => {
            all.len() == part.len() && all.iter().zip(part).all(|(one, other)| holds(one, other))
        }
        _ => all == part,
    }
}

/// The kinds' names, which are gone again with the test.
const KINDS: [&str; 3] = [
    "helmreleases.helm.toolkit.fluxcd.io",
    "kustomizations.kustomize.toolkit.fluxcd.io",
    "applications.argoproj.io",
];

struct Defined;

impl Drop for Defined {
    fn drop(&mut self) {
        for name in KINDS {
            kubectl(&["delete", "crd", name, "--ignore-not-found", "--wait=false"]);
        }
    }
}

fn define() -> Defined {
    let defined = Defined;
    for (module, path) in DEFINITIONS {
        let output = Command::new("go")
            .args(["mod", "download", "-json", module])
            .current_dir(std::env::temp_dir())
            .output()
            .expect("go runs");
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let directory = told["Dir"].as_str().unwrap_or_else(|| panic!("{module}: {told}"));
        // The annotation of an apply by the client would be too long for Argo CD's.
        kubectl(&["apply", "--server-side", "-f", &format!("{directory}/{path}")]);
    }
    for name in KINDS {
        kubectl(&["wait", "--for=condition=Established", &format!("crd/{name}"), "--timeout=30s"]);
    }
    defined
}

fn workload(name: &str, metadata: &Value) -> Value {
    let mut object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": 0, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [
            {"name": "report", "image": "localhost/test-report:1", "imagePullPolicy": "Never"}]}}}});
    merge(&mut object["metadata"], metadata);
    object
}

#[test]
#[ignore = "needs cluster (defines kinds), and Go modules"]
fn what_goes_into_a_gitops_object_is_valid_there() {
    let _defined = define();
    let namespace = Namespace::new("nonroot-test-gitops", &[]);
    let name = namespace.name();
    let flux = |group: &str| {
        json!({"labels": {
        format!("{group}.toolkit.fluxcd.io/name"): "apps",
        format!("{group}.toolkit.fluxcd.io/namespace"): name}})
    };
    let id = format!("{name}_shop:apps/Deployment:{name}/of-argo");
    let workloads = [
        workload("of-release", &flux("helm")),
        workload("of-kustomization", &flux("kustomize")),
        workload("of-argo", &json!({"annotations": {"argocd.argoproj.io/tracking-id": id}})),
    ];
    for object in &workloads {
        let path = written("gitops.json", &object.to_string());
        kubectl(&["apply", "-n", name, "-f", &path]);
    }
    let run = nonroot(&["fix", "deploy", "-n", name, "--yes", "-o", "gitops"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let documents: Vec<&str> = run.stdout.split("---\n").collect();
    assert_eq!(documents.len(), 3, "{}", run.stdout);
    for document in documents {
        let path = written("fragment.yaml", document);
        let fragment =
            kubectl(&["create", "--dry-run=client", "--validate=false", "-f", &path, "-o", "json"]);
        let mut object: Value = serde_json::from_str(&fragment).expect("JSON");
        let kind = object["kind"].as_str().expect("a kind").to_owned();
        let mut spec = rest(&kind);
        merge(&mut spec, &object["spec"]);
        object["spec"] = spec;
        let path = written("whole.json", &object.to_string());
        // An unknown field is an error.
        let created = kubectl(&[
            "create",
            "-n",
            name,
            "--validate=strict",
            "--dry-run=server",
            "-f",
            &path,
            "-o",
            "json",
        ]);
        let created: Value = serde_json::from_str(&created).expect("JSON");
        assert!(holds(&created["spec"], &object["spec"]), "{kind}: a field was dropped");
    }
}
