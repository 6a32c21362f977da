//! Programs that become Ready as another user and are broken: `prove` finds each, `fix --trial`
//! remedies those that can be and proves no other. They are tests/programs/broken, and say nothing
//! of what they are refused.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod testbed;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testbed::{Namespace, kubectl, nonroot, written};

const WORKLOADS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/broken/workloads.yaml");

/// What `prove` says of each as uid 1000 with the fields of the level, and what the fix of `fix
/// --trial` is: the remedies of it, or `None` where there is no proof.
const BROKEN: [(&str, &str, Option<&[&str]>); 10] = [
    (
        "body",
        "POST http://:8080/ with 131072 bytes gets another answer than as root",
        Some(&["empty-dir"]),
    ),
    ("cache", "/var/cache/app/page is written as root", Some(&["empty-dir"])),
    ("child", "as root it listens on port 9090, and the copy does not", Some(&["empty-dir"])),
    ("job", "/var/spool/jobs/last-run is written as root", Some(&["empty-dir"])),
    (
        "liveness",
        "the check \"livenessProbe of container server\" fails",
        Some(&["user-namespace"]),
    ),
    ("log", "/var/log/app/access.log is written as root", Some(&["empty-dir"])),
    ("login", "the check \"http :8080/login 200\" fails: status 500", Some(&["user-namespace"])),
    (
        "reload",
        "it does not survive a reload (SIGHUP), as it does as root",
        Some(&["seeded-empty-dir"]),
    ),
    ("second-start", "its second start fails", None),
    (
        "upload",
        "the check \"http POST :8080/upload 1kB 201\" fails: status 500",
        Some(&["empty-dir"]),
    ),
];

/// The workloads as uid 1000, as somebody patches them who wants the pods admitted.
fn naive() -> String {
    let output = kubectl(&["create", "--dry-run=client", "-o", "json", "-f", WORKLOADS]);
    let mut documents = String::new();
    for object in serde_json::Deserializer::from_str(&output).into_iter::<Value>() {
        let mut object = object.expect("an object");
        let spec = &mut object["spec"]["template"]["spec"];
        spec["securityContext"] = json!({
            "runAsUser": 1000, "runAsGroup": 1000, "runAsNonRoot": true,
            "seccompProfile": {"type": "RuntimeDefault"},
        });
        spec["containers"][0]["securityContext"] =
            json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
        documents.push_str(&format!("---\n{object}\n"));
    }
    written("naive.yaml", &documents)
}

fn by_name<'v>(
    items: &'v Value,
    name: impl Fn(&'v Value) -> &'v str,
) -> BTreeMap<&'v str, &'v Value> {
    items.as_array().into_iter().flatten().map(|item| (name(item), item)).collect()
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn what_is_ready_and_broken_is_found() {
    let namespace = Namespace::new("nonroot-test-broken-found", &[]);
    let naive = naive();
    let run = nonroot(&[
        "prove",
        "-n",
        namespace.name(),
        "-f",
        &naive,
        "--yes",
        "--parallel",
        "4",
        "-o",
        "json",
    ]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let report = run.json();
    let judged = by_name(&report["workloads"], |one| {
        one["workload"].as_str().unwrap_or_default().trim_start_matches("deployment/")
    });
    for (name, cause, _) in BROKEN {
        let one = judged.get(name).unwrap_or_else(|| panic!("no {name} in {report:#}"));
        assert_eq!((&one["admitted"], &one["ready"]), (&json!(true), &json!(true)), "{one:#}");
        assert_eq!(one["works"], json!(false), "{one:#}");
        let causes = one["obstacles"].as_array().expect("obstacles");
        let told = causes.iter().filter_map(|obstacle| obstacle["cause"].as_str());
        assert!(told.clone().any(|told| told.starts_with(cause)), "{name}: {one:#}");
    }
    let pods = kubectl(&["get", "pods,jobs", "-n", namespace.name(), "-o", "name"]);
    assert_eq!(pods, "", "nothing is left behind");
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn what_is_broken_is_remedied_or_not_proven() {
    let namespace = Namespace::new("nonroot-test-broken-fixed", &[]);
    let run = nonroot(&[
        "fix",
        "-n",
        namespace.name(),
        "-f",
        WORKLOADS,
        "--trial",
        "--yes",
        "--parallel",
        "4",
        "-o",
        "json",
    ]);
    assert_eq!(run.code, 1, "one is not proven: {}", run.stderr);
    let report = run.json();
    let fixes =
        by_name(&report["items"], |fix| fix["workload"]["name"].as_str().unwrap_or_default());
    let mut planned = String::new();
    for (name, _, remedies) in BROKEN {
        let fix = fixes.get(name).unwrap_or_else(|| panic!("no {name} in {report:#}"));
        assert_eq!(fix["proof"]["works"], json!(remedies.is_some()), "{name}: {:#}", fix["proof"]);
        let Some(remedies) = remedies else { continue };
        let found: Vec<&str> = fix["plan"]["remedies"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|remedy| remedy["id"].as_str())
            .collect();
        assert_eq!(found, remedies, "{name}");
        planned.push_str(&format!("---\n{}\n", fix["patch"]));
    }
    // What is proven is so for another judge too, which saw none of the search.
    let planned = written("fixed.yaml", &planned);
    let run =
        nonroot(&["prove", "-n", namespace.name(), "-f", &planned, "--yes", "--parallel", "4"]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
}
