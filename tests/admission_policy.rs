//! A workload whose operator gives it back its template: patched it fails, and by a policy on its
//! pods it comes to Ready where restricted is enforced.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod testbed;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use testbed::{Namespace, kubectl, nonroot, written};

const NGINX: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app.kubernetes.io/managed-by: test-operator}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: nginx
          image: localhost/test-nginx:1
          imagePullPolicy: Never
          ports: [{containerPort: 80}]
          readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 1}
"#;

fn deployment(namespace: &str) -> Value {
    let text = kubectl(&["get", "deployment", "web", "-n", namespace, "-o", "json"]);
    serde_json::from_str(&text).expect("JSON")
}

/// What a policy leaves of itself in the cluster.
struct Policies(String);

impl Drop for Policies {
    fn drop(&mut self) {
        kubectl(&["delete", "-f", &self.0, "--ignore-not-found"]);
    }
}

#[test]
#[ignore = "needs cluster (creates pods and a policy)"]
fn what_an_operator_keeps_is_taken_off_root_by_a_policy() {
    let namespace = Namespace::new("nonroot-test-policy", &[]);
    let name = namespace.name();
    kubectl(&["apply", "-n", name, "-f", &written("policy-web.yaml", NGINX)]);
    kubectl(&["rollout", "status", "deployment/web", "-n", name, "--timeout=90s"]);
    let original = deployment(name)["spec"]["template"]["spec"].clone();
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        // The operator. That somebody restarts the pods it lets be.
        scope.spawn(|| {
            let back = json!([{"op": "replace", "path": "/spec/template/spec", "value": original}]);
            while !ends.load(Ordering::Relaxed) {
                if deployment(name)["spec"]["template"]["spec"] != original {
                    kubectl(&[
                        "patch",
                        "deployment",
                        "web",
                        "-n",
                        name,
                        "--type=json",
                        "-p",
                        &back.to_string(),
                    ]);
                }
                thread::sleep(Duration::from_millis(300));
            }
        });
        let outcome = std::panic::catch_unwind(|| by_policy(name, &original));
        ends.store(true, Ordering::Relaxed);
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}

fn by_policy(name: &str, original: &Value) {
    let refused = nonroot(&["fix", "deploy/web", "-n", name, "--yes", "--apply"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("-o policy"), "{}", refused.stderr);
    let run = nonroot(&["fix", "deploy/web", "-n", name, "--yes", "--trial", "-o", "policy"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let path = written("policy.yaml", &run.stdout);
    kubectl(&["apply", "-f", &path]);
    let _policies = Policies(path);
    // The API server reads its policies anew some time after they are made.
    thread::sleep(Duration::from_secs(3));
    kubectl(&["label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted"]);
    kubectl(&["rollout", "restart", "deployment/web", "-n", name]);
    kubectl(&["rollout", "status", "deployment/web", "-n", name, "--timeout=90s"]);
    let generation = deployment(name)["metadata"]["generation"].clone();
    let pods = kubectl(&["get", "pods", "-n", name, "-l", "app=web", "-o", "json"]);
    let pods: Value = serde_json::from_str(&pods).expect("JSON");
    let pod = &pods["items"][0];
    assert_eq!(pod["spec"]["securityContext"]["runAsNonRoot"], true, "{pod:#}");
    let now = deployment(name);
    assert_eq!(&now["spec"]["template"]["spec"], original, "its template is its operator's");
    thread::sleep(Duration::from_secs(3));
    assert_eq!(deployment(name)["metadata"]["generation"], generation, "nobody fights");
    // A pod that is not the workload's is not changed: with the same labels it is refused.
    let other = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "other", "labels": {"app": "web"}},
        "spec": original});
    let path = written("policy-other.json", &other.to_string());
    let made = std::panic::catch_unwind(|| {
        kubectl(&["create", "-n", name, "--dry-run=server", "-f", &path])
    });
    assert!(made.is_err(), "the policy changed a pod that is nobody's");
}
