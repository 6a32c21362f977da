//! `fix` on a real cluster without a trial: the plan from what runs, applied, refused, and taken back.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod kubernetes;

use kubernetes::{Namespace, kubectl, nonroot};
use serde_json::Value;

/// nginx as its image runs it: root, with a cache, a port and a pid file of root's.
const NGINX: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  progressDeadlineSeconds: 60
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

fn deployed(name: &str) -> Namespace {
    let namespace = Namespace::new(name, &[]);
    let file = std::env::temp_dir().join(format!("{name}.yaml"));
    std::fs::write(&file, NGINX).expect("a file in the temporary directory");
    kubectl(&["apply", "-n", namespace.name(), "-f", &file.display().to_string()]);
    kubectl(&["rollout", "status", "-n", namespace.name(), "deployment/web", "--timeout=90s"]);
    namespace
}

fn template(namespace: &str) -> Value {
    let text = kubectl(&["get", "deployment", "web", "-n", namespace, "-o", "json"]);
    let object: Value = serde_json::from_str(&text).expect("JSON");
    object["spec"]["template"].clone()
}

fn warnings(run: &kubernetes::Run) -> String {
    run.json()["warnings"].to_string()
}

#[test]
#[ignore = "needs cluster (changes a deployment)"]
fn what_runs_tells_the_whole_plan_and_apply_rolls_it_out() {
    let namespace = deployed("nonroot-test-fix-apply");
    let name = namespace.name();
    let before = template(name);
    let dry = nonroot(&["fix", "deploy/web", "-n", name, "--yes", "--apply", "--dry-run=server"]);
    assert_eq!((dry.code, template(name)), (0, before), "{}", dry.stderr);
    assert!(dry.stderr.contains("nothing was written"), "{}", dry.stderr);
    // What is planned is admitted where restricted is enforced from here on.
    kubectl(&["label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted"]);
    let run = nonroot(&["fix", "deploy/web", "-n", name, "--yes", "--apply", "-o", "json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("rolled out"), "{}", run.stderr);
    assert_eq!(run.json()["proof"], Value::Null);
    assert_ne!(template(name)["spec"]["securityContext"]["runAsUser"], 0);
    let managers = kubectl(&[
        "get",
        "deployment",
        "web",
        "-n",
        name,
        "--show-managed-fields",
        "-o",
        "jsonpath={.metadata.managedFields[*].manager}",
    ]);
    assert!(managers.split_whitespace().any(|manager| manager == "kubectl-nonroot"), "{managers}");
    let again = nonroot(&["fix", "deploy/web", "-n", name, "--yes", "--apply"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stderr.contains("nothing to change"), "a second plan is empty: {}\n{}", again.stderr, again.stdout);
}

#[test]
#[ignore = "needs cluster (changes a deployment)"]
fn a_rollout_that_fails_is_taken_back_and_explained() {
    let namespace = deployed("nonroot-test-fix-back");
    let name = namespace.name();
    let before = template(name);
    let without = ["--without", "empty-dir", "--without", "seeded-empty-dir", "--run-as", "4321"];
    let run = nonroot(&[&["fix", "deploy/web", "-n", name, "--yes", "--apply"][..], &without].concat());
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert_eq!(template(name), before);
    for told in ["/var/cache/nginx", "taking the change back", "as it was before"] {
        assert!(run.stderr.contains(told), "{told}: {}", run.stderr);
    }
    kubectl(&["rollout", "status", "-n", name, "deployment/web", "--timeout=60s"]);
}

#[test]
#[ignore = "needs cluster (changes a deployment)"]
fn what_another_tool_would_take_back_is_refused() {
    let namespace = deployed("nonroot-test-fix-owner");
    let name = namespace.name();
    kubectl(&["annotate", "deployment", "web", "-n", name, "meta.helm.sh/release-name=shop"]);
    let before = template(name);
    let refused = nonroot(&["fix", "deploy/web", "-n", name, "--yes", "--apply", "-o", "json"]);
    assert_eq!((refused.code, template(name)), (2, before), "{}", refused.stderr);
    assert!(refused.stderr.contains("Helm release shop") && refused.stderr.contains("values"), "{}", refused.stderr);
    assert!(warnings(&refused).contains("Helm release shop"));
    let forced = nonroot(&["fix", "deploy/web", "-n", name, "--yes", "--apply", "--force"]);
    assert_eq!(forced.code, 0, "{}", forced.stderr);
    assert_ne!(template(name)["spec"]["securityContext"]["runAsUser"], Value::Null);
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn many_are_fixed_at_once_and_what_needs_privilege_is_left() {
    let namespace = deployed("nonroot-test-fix-many");
    let name = namespace.name();
    kubectl(&["create", "deployment", "idle", "-n", name, "--image=localhost/test-report:1", "--", "sleep", "600"]);
    let patch = r#"{"spec":{"template":{"spec":{"hostNetwork":true,"containers":[{"name":"test-report","imagePullPolicy":"Never"}]}}}}"#;
    kubectl(&["patch", "deployment", "idle", "-n", name, "-p", patch]);
    let run = nonroot(&["fix", "deploy", "-n", name, "--yes", "-o", "json"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let list = run.json();
    let items = list["items"].as_array().expect("items");
    let of = |name: &str| items.iter().find(|item| item["workload"]["name"] == name).expect("the workload");
    assert!(of("idle")["warnings"][0].as_str().is_some_and(|warning| warning.contains("hostNetwork")), "{list:#}");
    assert_eq!(of("idle")["patch"]["spec"]["template"]["spec"]["securityContext"], serde_json::json!({}));
    assert_eq!(of("web")["patch"]["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"], true);
}
