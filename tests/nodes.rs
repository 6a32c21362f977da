//! nodes, user namespaces and SELinux levels on a real cluster.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod testbed;

use serde_json::{Value, json};
use testbed::{Namespace, kubectl, nonroot};

const PROBE: [&str; 4] = ["--probe", "--yes", "--probe-image", "localhost/test-report:1"];

fn apply(namespace: &str, name: &str, text: &str) {
    let file = std::env::temp_dir().join(format!("nonroot-test-nodes-{name}.yaml"));
    std::fs::write(&file, text).expect("a file in the temporary directory");
    kubectl(&["apply", "-n", namespace, "-f", &file.display().to_string()]);
}

fn deployment(name: &str, spec: &str) -> String {
    format!(
        r#"
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  progressDeadlineSeconds: 60
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
{spec}
"#
    )
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn what_a_probe_finds_is_what_the_node_is() {
    let namespace = Namespace::new("nonroot-test-nodes-probe", &[]);
    let name = namespace.name();
    let plain = nonroot(&["nodes", "-n", name, "-o", "json"]).json();
    let node = &plain["nodes"][0];
    let version: Value =
        serde_json::from_str(&kubectl(&["get", "node", "node1", "-o", "json"])).expect("JSON");
    let info = &version["status"]["nodeInfo"];
    assert_eq!(
        (&node["kubelet"], &node["kernel"]),
        (&info["kubeletVersion"], &info["kernelVersion"])
    );
    let handler = &version["status"]["runtimeHandlers"][0]["features"]["userNamespaces"];
    assert_eq!(&node["userNamespaces"]["value"], handler, "{node:#}");
    // What nobody tells is unknown, whatever is likely.
    for name in ["unprivilegedPorts", "seLinux", "appArmor", "deviceOwnershipFromSecurityContext"] {
        assert!(node[name]["value"].is_null(), "{name} {node:#}");
    }
    assert_eq!(node["seccompDefault"]["value"], false, "/configz says so");

    let run = nonroot(&[&["nodes", "node1", "-n", name, "-o", "json"][..], &PROBE].concat());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let node = run.json()["nodes"][0].clone();
    // tests/cluster/up closes low ports; whoever runs as root here sees the rest by itself.
    assert_eq!(node["unprivilegedPorts"]["value"], false);
    let cgroup =
        if std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists() { 2 } else { 1 };
    assert_eq!(node["cgroupVersion"]["value"], cgroup);
    let app_armor =
        std::fs::read_to_string("/sys/module/apparmor/parameters/enabled").unwrap_or_default();
    assert_eq!(node["appArmor"]["value"], app_armor.trim() == "Y");
    assert_eq!(node["seLinux"]["value"], std::path::Path::new("/sys/fs/selinux/enforce").exists());
    assert_eq!(node["seccompDefault"]["value"], false);
    assert!(!node["userNamespaces"]["value"].is_null(), "{node:#}");
    assert_eq!(kubectl(&["get", "pods", "-n", name, "-o", "name"]), "", "nothing is left behind");

    // Where restricted is enforced its pods are admitted as well.
    kubectl(&["label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted"]);
    let strict = nonroot(&[&["nodes", "-n", name, "-o", "json"][..], &PROBE].concat());
    assert_eq!(
        (strict.code, strict.json()["nodes"][0]["unprivilegedPorts"]["value"].clone()),
        (0, json!(false)),
        "{}",
        strict.stderr
    );
}

#[test]
#[ignore = "needs cluster (reads it)"]
fn a_probe_needs_a_yes() {
    let run = nonroot(&["nodes", "--probe"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("--yes allows it"), "{}", run.stderr);
    let run = nonroot(&["nodes", "no-such-node"]);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (2, "error: cannot show node no-such-node: there is none; see kubectl get nodes\n")
    );
}

/// What the API server itself warns of when a namespace would enforce restricted, against ours: by
/// owner, and complete.
#[test]
#[ignore = "needs cluster (creates pods)"]
fn a_namespace_is_judged_as_the_api_server_does() {
    let namespace =
        Namespace::new("nonroot-test-nodes-levels", &["pod-security.kubernetes.io/warn=baseline"]);
    let name = namespace.name();
    let container =
        "      containers: [{name: a, image: localhost/test-report:1, imagePullPolicy: Never";
    let good = "securityContext: {runAsNonRoot: true, runAsUser: 1, seccompProfile: {type: RuntimeDefault}}";
    let drop = "securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}";
    let manifests = [
        deployment("open", &format!("{container}}}]"))
            .replace("spec:\n  progress", "spec:\n  replicas: 3\n  progress"),
        deployment("host", &format!("      hostNetwork: true\n{container}}}]")),
        deployment("fine", &format!("      {good}\n{container}, {drop}}}]")),
        deployment("idle", &format!("{container}}}]"))
            .replace("spec:\n  progress", "spec:\n  replicas: 0\n  progress"),
    ];
    apply(name, "levels", &manifests.concat());
    for deployment in ["open", "host", "fine"] {
        kubectl(&[
            "rollout",
            "status",
            "-n",
            name,
            &format!("deployment/{deployment}"),
            "--timeout=90s",
        ]);
    }
    let report = nonroot(&["nodes", "-n", name, "-o", "json"]).json();
    let judged = &report["namespaces"][0];
    assert_eq!(
        (&judged["name"], &judged["warn"]["level"], &judged["enforce"]),
        (&json!(name), &json!("baseline"), &Value::Null)
    );
    let refused: Vec<(&str, u64)> = judged["refused"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| {
            (one["name"].as_str().unwrap_or_default(), one["pods"].as_u64().unwrap_or_default())
        })
        .collect();
    // The API server tells of pods; a workload that has none now would be refused as well when it
    // is scaled up.
    assert_eq!(refused, [("host", 1), ("idle", 0), ("open", 3)]);

    let label = "pod-security.kubernetes.io/enforce=restricted";
    let warned = testbed::kubectl_warns(&["label", "namespace", name, label, "--dry-run=server"]);
    for (workload, pods) in refused.into_iter().filter(|(_, pods)| *pods > 0) {
        let one = judged["refused"]
            .as_array()
            .expect("a list")
            .iter()
            .find(|one| one["name"] == workload)
            .expect("it");
        let violations = one["violations"].as_array().expect("a list").iter();
        let reasons: Vec<&str> =
            violations.filter_map(|violation| violation["reason"].as_str()).collect();
        // As in `Warning: open-5d6b7-x2 (and 2 other pods): allowPrivilegeEscalation != false, ...`
        let line =
            warned.lines().find(|line| line.contains(&format!(" {workload}-"))).expect("a warning");
        assert!(line.ends_with(&reasons.join(", ")), "{line}\n{reasons:?}");
        assert_eq!(line.contains("(and 2 other pods)"), pods == 3, "{line}");
    }
    assert!(!warned.contains(" fine-"), "{warned}");
}

#[test]
#[ignore = "needs cluster (creates roles)"]
fn what_may_not_be_read_is_said_beside_the_rest() {
    let namespace = Namespace::new("nonroot-test-nodes-rights", &[]);
    let name = namespace.name();
    kubectl(&["create", "serviceaccount", "-n", name, "viewer"]);
    let account = format!("--serviceaccount={name}:viewer");
    kubectl(&["create", "rolebinding", "-n", name, "viewer", "--clusterrole=view", &account]);
    let user = format!("--as=system:serviceaccount:{name}:viewer");
    let run = nonroot(&["nodes", "-n", name, &user, "-o", "json"]);
    assert_eq!((run.code, &run.json()["nodes"]), (3, &json!([])), "{}", run.stderr);
    assert_eq!(run.json()["namespaces"][0]["name"], name);
    assert!(run.stderr.contains("warning: cannot list nodes"), "{}", run.stderr);

    // Nodes without their kubelets.
    let role = "nonroot-test-nodes-reader";
    kubectl(&["delete", "clusterrole,clusterrolebinding", role, "--ignore-not-found"]);
    kubectl(&["create", "clusterrole", role, "--verb=get,list", "--resource=nodes"]);
    kubectl(&["create", "clusterrolebinding", role, &format!("--clusterrole={role}"), &account]);
    let run = nonroot(&["nodes", "-n", name, &user, "-o", "json"]);
    kubectl(&["delete", "clusterrole,clusterrolebinding", role]);
    let node = run.json()["nodes"][0].clone();
    assert_eq!((run.code, &node["name"]), (3, &json!("node1")), "{}", run.stderr);
    assert!(
        node["seccompDefault"]["value"].is_null() && node["cgroupVersion"]["value"].is_null(),
        "{node:#}"
    );
    assert!(run.stderr.contains("permissions do not reach nodes/proxy"), "{}", run.stderr);
}

/// Compares its uid with 0, as programs do that insist on being root.
const INSISTS: &str = r#"      containers:
        - name: daemon
          image: localhost/test-report:1
          imagePullPolicy: Never
          securityContext: {runAsUser: 0}
          command: [sh, -c, 'if [ "$(id -u)" != 0 ]; then echo "daemon: must be run as root" >&2; exit 1; fi; echo up; exec sleep 3600']
"#;

#[test]
#[ignore = "needs cluster (runs trial pods)"]
fn a_program_that_insists_on_root_keeps_it_inside() {
    let namespace = Namespace::new(
        "nonroot-test-nodes-users",
        &["pod-security.kubernetes.io/enforce=restricted"],
    );
    let name = namespace.name();
    let file = std::env::temp_dir().join("nonroot-test-nodes-insists.yaml");
    std::fs::write(&file, deployment("daemon", INSISTS)).expect("a file");
    let file = file.display().to_string();
    let run = nonroot(&[
        "fix",
        "-f",
        &file,
        "-n",
        name,
        "--trial",
        "--yes",
        "--user-namespace",
        // That it starts as root inside proves nothing.
        "--check",
        "exec: test -d /proc",
        "-o",
        "json",
    ]);
    let told = nonroot(&["nodes", "-o", "json"]).json()["nodes"][0]["userNamespaces"].clone();
    if told["value"] == false {
        assert!(
            run.json()["warnings"].to_string().contains("no user namespace is tried"),
            "{}",
            run.stdout
        );
        return;
    }
    assert_eq!(
        (run.code, &run.json()["proof"]["ready"]),
        (0, &json!(true)),
        "{}\n{}",
        run.stdout,
        run.stderr
    );
    let object = run.json()["patch"].clone();
    assert_eq!(object["spec"]["template"]["spec"]["hostUsers"], false);
    apply(name, "planned", &object.to_string());
    kubectl(&["rollout", "status", "-n", name, "deployment/daemon", "--timeout=90s"]);
    let map = kubectl(&["exec", "-n", name, "deploy/daemon", "--", "cat", "/proc/self/uid_map"]);
    let outside = map.split_whitespace().nth(1).and_then(|id| id.parse::<u32>().ok());
    assert!(outside.is_some_and(|outside| outside >= 65_536), "{map}");
    assert_eq!(kubectl(&["exec", "-n", name, "deploy/daemon", "--", "id", "-u"]).trim(), "0");
    // scan tells root inside from root.
    let scan = nonroot(&["scan", "-n", name]);
    assert!(
        scan.stdout.contains("inside") && scan.stdout.contains("hostUsers: false"),
        "{}",
        scan.stdout
    );
}

/// What the API server refuses beside `hostUsers: false` is what is refused before anything is
/// tried.
#[test]
#[ignore = "needs cluster (asks it)"]
fn what_forbids_a_user_namespace_is_refused_first() {
    let namespace = Namespace::new("nonroot-test-nodes-forbidden", &[]);
    let name = namespace.name();
    for (field, says) in [
        ("hostPID: true", "hostPID"),
        ("hostIPC: true", "hostIPC"),
        ("hostNetwork: true", "hostNetwork"),
    ] {
        let spec = format!("      {field}\n{INSISTS}");
        let file = std::env::temp_dir().join("nonroot-test-nodes-forbidden.yaml");
        std::fs::write(&file, deployment("daemon", &spec)).expect("a file");
        let path = file.display().to_string();
        let run =
            nonroot(&["fix", "-f", &path, "-n", name, "--user-namespace", "--yes", "-o", "json"]);
        let warnings = run.json()["warnings"].to_string();
        assert!(
            warnings.contains("no user namespace is tried") && warnings.contains(says),
            "{warnings}"
        );
        std::fs::write(&file, deployment("daemon", &format!("      hostUsers: false\n{spec}")))
            .expect("a file");
        let refused =
            testbed::kubectl_warns(&["apply", "-n", name, "-f", &path, "--dry-run=server"]);
        assert!(refused.contains("when `hostUsers` is false"), "{refused}");
    }
}

#[test]
#[ignore = "needs cluster (creates workloads)"]
fn pods_that_share_a_claim_share_a_level() {
    let namespace = Namespace::new("nonroot-test-nodes-levels2", &[]);
    let name = namespace.name();
    let spec = |level: &str| {
        format!(
            "      securityContext: {{seLinuxOptions: {{level: \"{level}\"}}}}\n      volumes: [{{name: v, persistentVolumeClaim: {{claimName: data}}}}]\n      containers: [{{name: a, image: localhost/test-report:1, imagePullPolicy: Never, volumeMounts: [{{name: v, mountPath: /data}}]}}]"
        )
    };
    let manifests = [
        deployment("one", &spec("s0:c1,c2")),
        deployment("two", &spec("s0:c3,c4")),
        deployment("three", &spec("s0:c2,c1")),
    ];
    apply(name, "share", &manifests.concat());
    let report = nonroot(&["scan", "-n", name, "-o", "json"]).json();
    let told = |workload: &str| -> Vec<String> {
        let workloads = report["workloads"].as_array().expect("workloads");
        let found = workloads.iter().find(|one| one["name"] == workload).expect("a workload");
        let obstacles = found["obstacles"].as_array().expect("obstacles").iter();
        obstacles.filter(|one| one["category"] == "selinux").map(ToString::to_string).collect()
    };
    assert!(
        told("one")
            .concat()
            .contains("deployment/two shares the claim data with the SELinux level s0:c3,c4"),
        "{report:#}"
    );
    assert_eq!([told("one").len(), told("two").len(), told("three").len()], [1, 1, 1]);
    for never in ["setenforce", "spc_t", "privileged"] {
        assert!(!told("two").concat().contains(never), "{never}");
    }
}
