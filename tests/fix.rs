//! `fix` on a real cluster without a trial: the plan from what runs, applied, refused, and taken
//! back.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod testbed;

use serde_json::Value;
use testbed::{Namespace, kubectl, nonroot, written};

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

fn warnings(run: &testbed::Run) -> String {
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
    assert!(
        again.stderr.contains("nothing to change"),
        "a second plan is empty: {}\n{}",
        again.stderr,
        again.stdout
    );
}

#[test]
#[ignore = "needs cluster (changes a deployment)"]
fn a_rollout_that_fails_is_taken_back_and_explained() {
    let namespace = deployed("nonroot-test-fix-back");
    let name = namespace.name();
    let before = template(name);
    let without = ["--without", "empty-dir", "--without", "seeded-empty-dir", "--run-as", "4321"];
    let run =
        nonroot(&[&["fix", "deploy/web", "-n", name, "--yes", "--apply"][..], &without].concat());
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
    assert!(
        refused.stderr.contains("Helm release shop") && refused.stderr.contains("values"),
        "{}",
        refused.stderr
    );
    assert!(warnings(&refused).contains("Helm release shop"));
    let forced = nonroot(&["fix", "deploy/web", "-n", name, "--yes", "--apply", "--force"]);
    assert_eq!(forced.code, 0, "{}", forced.stderr);
    assert_ne!(template(name)["spec"]["securityContext"]["runAsUser"], Value::Null);
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn many_are_fixed_at_once_and_what_needs_privilege_stays() {
    let namespace = deployed("nonroot-test-fix-many");
    let name = namespace.name();
    kubectl(&[
        "create",
        "deployment",
        "idle",
        "-n",
        name,
        "--image=localhost/test-report:1",
        "--",
        "sleep",
        "600",
    ]);
    let patch = r#"{"spec":{"template":{"spec":{"hostNetwork":true,"containers":[{"name":"test-report","imagePullPolicy":"Never"}]}}}}"#;
    kubectl(&["patch", "deployment", "idle", "-n", name, "-p", patch]);
    kubectl(&["rollout", "status", "-n", name, "deployment/idle", "--timeout=90s"]);
    let run = nonroot(&["fix", "deploy", "-n", name, "--yes", "-o", "json"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let list = run.json();
    let items = list["items"].as_array().expect("items");
    let of = |name: &str| {
        items.iter().find(|item| item["workload"]["name"] == name).expect("the workload")
    };
    assert!(
        of("idle")["warnings"][0].as_str().is_some_and(|warning| warning.contains("hostNetwork")),
        "{list:#}"
    );
    // The rest is set; its image's user is not root, and stays whom it runs as.
    let spec = &of("idle")["patch"]["spec"]["template"]["spec"];
    assert_eq!(
        (&spec["hostNetwork"], &spec["securityContext"]["runAsNonRoot"]),
        (&true.into(), &true.into())
    );
    assert_eq!(spec["securityContext"]["runAsUser"], 4242);
    assert_eq!(
        (&of("idle")["isAdmitted"], &of("web")["isAdmitted"]),
        (&false.into(), &true.into())
    );
    assert_eq!(
        of("web")["patch"]["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"],
        true
    );
}

/// A program whose spec declares what it does not need, beside one that is as it should be.
const DECLARED: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: declares}
spec:
  selector: {matchLabels: {app: declares}}
  template:
    metadata: {labels: {app: declares}}
    spec:
      containers:
        - name: a
          image: localhost/test-report:1
          imagePullPolicy: Never
          command: [sleep, "600"]
          securityContext: {capabilities: {add: [IPC_LOCK, NET_ADMIN]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: admitted}
spec:
  selector: {matchLabels: {app: admitted}}
  template:
    metadata: {labels: {app: admitted}}
    spec:
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: a
          image: localhost/test-report:1
          imagePullPolicy: Never
          command: [sleep, "600"]
          ports: [{containerPort: 80}]
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"#;

#[test]
#[ignore = "needs cluster (creates pods)"]
fn a_field_changes_only_for_a_reason() {
    let namespace = Namespace::new("nonroot-test-reason", &[]);
    let name = namespace.name();
    let file = written("declared.yaml", DECLARED);
    kubectl(&["apply", "-n", name, "-f", &file]);
    for deployment in ["declares", "admitted"] {
        kubectl(&[
            "rollout",
            "status",
            "-n",
            name,
            &format!("deployment/{deployment}"),
            "--timeout=90s",
        ]);
    }
    let context = |fix: &Value| {
        fix["patch"]["spec"]["template"]["spec"]["containers"][0]["securityContext"].clone()
    };
    // What restricted admits is left alone: live, from a file, and after a trial.
    for more in [[].as_slice(), &["--trial"]] {
        for what in [["deploy/admitted"].as_slice(), &["-f", &file]] {
            let run = nonroot(&[&["fix", "-n", name, "--yes", "-o", "json"], what, more].concat());
            let json = run.json();
            let items = json["items"].as_array().cloned().unwrap_or_else(|| vec![json.clone()]);
            let admitted = items
                .iter()
                .find(|item| item["workload"]["name"] == "admitted")
                .expect("the workload");
            let spec = &admitted["patch"]["spec"]["template"]["spec"];
            assert_eq!(
                spec["securityContext"],
                serde_json::json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}})
            );
            assert_eq!(admitted["strategicPatch"]["spec"], Value::Null, "{more:?} {what:?}");
            assert_eq!(admitted["plan"]["identity"]["assignment"], "kept");
            assert_eq!(
                admitted["plan"]["identity"]["uid"].as_u64().is_some(),
                more.len() + usize::from(what.len() == 1) > 0
            );
        }
    }
    // Without a trial nobody knows whether a capability is needed; with one it is left out, and
    // found not to be.
    let planned = nonroot(&["fix", "-n", name, "deploy/declares", "--yes", "-o", "json"]);
    assert_eq!(
        (planned.code, &planned.json()["isAdmitted"]),
        (1, &false.into()),
        "{}",
        planned.stderr
    );
    let capabilities = serde_json::json!({"add": ["IPC_LOCK", "NET_ADMIN"], "drop": ["ALL"]});
    assert_eq!(context(&planned.json())["capabilities"], capabilities);
    let proven = nonroot(&["fix", "-n", name, "deploy/declares", "--trial", "--yes", "-o", "json"]);
    assert_eq!(
        (proven.code, &proven.json()["proof"]["ready"]),
        (0, &true.into()),
        "{}",
        proven.stderr
    );
    assert_eq!(context(&proven.json())["capabilities"], serde_json::json!({"drop": ["ALL"]}));
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn a_namespace_that_gives_uids_out_gets_none_pinned() {
    let namespace = deployed("nonroot-test-range");
    let name = namespace.name();
    kubectl(&["annotate", "namespace", name, "openshift.io/sa.scc.uid-range=1000680000/10000"]);
    let fix = nonroot(&["fix", "-n", name, "deploy/web", "--yes", "-o", "json"]).json();
    let context = &fix["patch"]["spec"]["template"]["spec"]["securityContext"];
    assert_eq!(
        (&context["runAsUser"], &context["runAsGroup"]),
        (&Value::Null, &Value::Null),
        "{context:#}"
    );
    assert_eq!(
        (&context["runAsNonRoot"], &fix["plan"]["identity"]["uid"]),
        (&true.into(), &1_000_680_000.into())
    );
}
