//! docs/rbac: each command on a real cluster, by somebody who has the rights that its manifest
//! gives, and no others.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod testbed;

use serde_json::json;
use testbed::{Namespace, Run, kubectl, nonroot};

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
      terminationGracePeriodSeconds: 0
      containers:
        - name: nginx
          image: localhost/test-nginx:1
          imagePullPolicy: Never
          ports: [{containerPort: 80}]
          readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 1}
"#;

/// Somebody with the rights of some manifests: whom kubectl's `--as` names.
fn somebody(namespace: &str, manifests: &[&str]) -> String {
    let name = format!("with-{}", manifests.join("-"));
    kubectl(&["create", "serviceaccount", &name, "-n", namespace]);
    for manifest in manifests {
        let file = format!("{}/docs/rbac/{manifest}.yaml", env!("CARGO_MANIFEST_DIR"));
        kubectl(&["apply", "-n", namespace, "-f", &file]);
        let role = format!("nonroot-{manifest}");
        let account = format!("--serviceaccount={namespace}:{name}");
        let across = matches!(*manifest, "scan-all" | "platform");
        let (kind, role) = if across {
            ("clusterrolebinding", format!("--clusterrole={role}"))
        } else {
            ("rolebinding", format!("--role={role}"))
        };
        let binding = format!("{namespace}-{name}-{manifest}");
        let place = if across { vec![] } else { vec!["-n", namespace] };
        kubectl(&[&["create", kind, &binding, &role, &account][..], &place].concat());
    }
    format!("system:serviceaccount:{namespace}:{name}")
}

/// Somebody with the rights that no trial can do without.
fn bare(namespace: &str) -> String {
    let account = format!("--serviceaccount={namespace}:bare");
    kubectl(&["create", "serviceaccount", "bare", "-n", namespace]);
    let verbs = "--verb=create,delete,watch";
    kubectl(&["create", "role", "bare", verbs, "--resource=pods", "-n", namespace]);
    for role in ["bare", "nonroot-scan"] {
        let (binding, role) = (format!("bare-{role}"), format!("--role={role}"));
        kubectl(&["create", "rolebinding", &binding, &role, &account, "-n", namespace]);
    }
    format!("system:serviceaccount:{namespace}:bare")
}

/// What needs no more rights says nothing of any.
fn is_enough(run: &Run, code: i32) {
    assert_eq!(run.code, code, "{}\n{}", run.stderr, run.stdout);
    for word in ["warning:", "error:", "forbidden", "permission", "may not"] {
        assert!(!run.stderr.contains(word), "{}", run.stderr);
    }
}

/// What a cluster keeps of a test outside its namespace.
struct Across(String);

impl Drop for Across {
    fn drop(&mut self) {
        for kind in ["clusterrolebinding", "clusterrole"] {
            for name in
                kubectl(&["get", kind, "-o", "name"]).lines().filter(|name| name.contains(&self.0))
            {
                kubectl(&["delete", name, "--ignore-not-found"]);
            }
        }
        kubectl(&[
            "delete",
            "clusterrole",
            "nonroot-scan-all",
            "nonroot-platform",
            "--ignore-not-found",
        ]);
    }
}

#[test]
#[ignore = "needs cluster (creates pods and roles)"]
fn every_command_gets_by_with_the_rights_of_its_manifest() {
    let namespace = Namespace::new("nonroot-test-rbac", &[]);
    let name = namespace.name();
    let _across = Across(name.to_owned());
    let path = std::env::temp_dir().join("nonroot-test-rbac.yaml");
    std::fs::write(&path, NGINX).expect("a file in the temporary directory");
    kubectl(&["apply", "-n", name, "-f", &path.display().to_string()]);
    kubectl(&["rollout", "status", "-n", name, "deployment/web", "--timeout=90s"]);
    let run = |user: &str, arguments: &[&str]| {
        nonroot(&[arguments, &["-n", name, "--as", user]].concat())
    };

    let viewer = somebody(name, &["scan"]);
    is_enough(&run(&viewer, &["scan"]), 1);
    is_enough(&run(&viewer, &["explain", "deploy/web"]), 0);
    let everywhere = somebody(name, &["scan-all"]);
    let all = nonroot(&["scan", "-A", "-o", "json", "--as", &everywhere]);
    assert_eq!((all.code, &all.json()["warnings"]), (1, &json!([])), "{}", all.stderr);

    let observer_uid = somebody(name, &["scan", "exec", "platform"]);
    is_enough(&run(&observer_uid, &["fix", "deploy/web", "--yes"]), 0);
    is_enough(&run(&observer_uid, &["can-i", "write", "/var/cache/nginx", "deploy/web"]), 0);
    let store = testbed::content_store();
    is_enough(&run(&observer_uid, &["image", "deploy/web", "--content-store", &store]), 0);

    let trier = somebody(name, &["scan", "exec", "trial"]);
    is_enough(&run(&trier, &["fix", "deploy/web", "--trial", "--yes"]), 0);
    let prover = somebody(name, &["scan", "prove"]);
    is_enough(&run(&prover, &["prove", "deploy/web", "--level", "baseline", "--yes"]), 0);
    // Without what makes a proof better it is made, and says what it lacks.
    let bare = bare(name);
    let run_bare = run(&bare, &["prove", "deploy/web", "--level", "baseline", "--yes"]);
    assert_eq!(run_bare.code, 0, "{}\n{}", run_bare.stderr, run_bare.stdout);
    for right in ["pods/exec", "pods/portforward", "patch pods"] {
        assert!(run_bare.stderr.contains(right), "{right}: {}", run_bare.stderr);
    }
    for gap in ["no port could be asked", "no second start was tried", "is not looked into"] {
        assert!(run_bare.stdout.contains(gap), "{gap}: {}", run_bare.stdout);
    }
    let applier = somebody(name, &["scan", "exec", "apply"]);
    is_enough(&run(&applier, &["fix", "deploy/web", "--yes", "--apply"]), 0);

    let path = path.display().to_string();
    kubectl(&["delete", "-n", name, "-f", &path, "--now"]);
    kubectl(&["apply", "-n", name, "-f", &path]);
    kubectl(&["rollout", "status", "-n", name, "deployment/web", "--timeout=90s"]);
    let planner = somebody(name, &["scan", "exec", "trial", "migrate"]);
    let migrate = ["migrate", name, "--yes", "--quick", "--as"];
    is_enough(&nonroot(&[&migrate[..], &[&planner]].concat()), 0);
    let refused = nonroot(&[&migrate[..], &[&planner, "--apply", "--resume"]].concat());
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("patch namespaces"), "{}", refused.stderr);
    let migrator = somebody(name, &["scan", "exec", "trial", "migrate", "apply", "migrate-apply"]);
    is_enough(&nonroot(&[&migrate[..], &[&migrator, "--apply", "--resume"]].concat()), 0);
    is_enough(&nonroot(&["migrate", name, "--undo", "--as", &migrator]), 0);

    // The manifests give no more than their commands need: who may scan may neither look inside,
    // nor try, nor write.
    for verb in
        [["create", "pods/exec"], ["create", "pods"], ["patch", "deployments"], ["get", "secrets"]]
    {
        let output = std::panic::catch_unwind(|| {
            kubectl(&["auth", "can-i", verb[0], verb[1], "-n", name, "--as", &viewer])
        });
        assert!(output.is_err(), "who may scan may {verb:?}");
    }
}
