//! Volumes on a real cluster: what fsGroup does to each kind, who locks out whom on a shared claim,
//! what root wrote; and virtual machines as KubeVirt has them.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod testbed;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testbed::{Namespace, kubectl, nonroot, written};

const CRDS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/manifests/kubevirt-crds.yaml");

/// How long pods may take to come or to go.
const PATIENCE: Duration = Duration::from_secs(90);

/// A directory of the node, root's with mode 0755, and a PersistentVolume over it that a claim of
/// the same name is bound to.
struct Disk {
    name: String,
    directory: PathBuf,
}

impl Disk {
    fn new(namespace: &str, claim: &str, source: &str) -> Self {
        let name = format!("{namespace}-{claim}");
        let state = std::env::var("CLUSTER_DIR")
            .unwrap_or_else(|_| "/var/cache/nonroot-cluster".to_owned());
        let directory = PathBuf::from(format!("{state}/state/test-volumes/{name}"));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).expect("the node's file system is this one");
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))
            .expect("a directory of ours");
        let mut source = json!({source: {"path": directory}});
        let node = json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [
            {"key": "kubernetes.io/hostname", "operator": "Exists"}]}]}});
        source["nodeAffinity"] = node;
        source["capacity"] = json!({"storage": "1Gi"});
        source["accessModes"] = json!(["ReadWriteOnce"]);
        source["storageClassName"] = json!("");
        source["persistentVolumeReclaimPolicy"] = json!("Retain");
        let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": source});
        let spec = json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "", "volumeName": name,
            "resources": {"requests": {"storage": "1Gi"}}});
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": claim, "namespace": namespace}, "spec": spec});
        kubectl(&["delete", "persistentvolume", &name, "--ignore-not-found", "--wait=false"]);
        apply(namespace, &[volume, claim]);
        Self { name, directory }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        kubectl(&["delete", "persistentvolume", &self.name, "--ignore-not-found", "--wait=false"]);
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn apply(namespace: &str, objects: &[Value]) {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    apply_text(namespace, &list.to_string());
}

fn apply_text(namespace: &str, text: &str) {
    kubectl(&["apply", "-n", namespace, "-f", &written(&format!("{namespace}.yaml"), text)]);
}

/// Makes a file of its own in /data, and is ready; or dies of it.
const WRITER: &str = "touch /data/$(hostname) && touch /tmp/ready && exec sleep infinity";

fn deployment(name: &str, claim: &str, pod: &Value) -> Value {
    let container = json!({
        "name": "writer", "image": "localhost/test-nginx:1", "imagePullPolicy": "Never", "command": ["sh", "-c", WRITER],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "readinessProbe": {"exec": {"command": ["test", "-e", "/tmp/ready"]}, "periodSeconds": 1},
    });
    let spec = json!({
        "securityContext": pod, "containers": [container], "terminationGracePeriodSeconds": 1,
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
    });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "strategy": {"type": "Recreate"}, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": spec},
        },
    })
}

fn user(uid: u32, fs_group: u32) -> Value {
    json!({"runAsUser": uid, "runAsGroup": uid, "fsGroup": fs_group})
}

fn is_ready(namespace: &str, name: &str) {
    kubectl(&[
        "rollout",
        "status",
        "-n",
        namespace,
        &format!("deployment/{name}"),
        "--timeout=90s",
    ]);
}

fn scale(namespace: &str, name: &str, replicas: u32) {
    kubectl(&[
        "scale",
        "-n",
        namespace,
        &format!("deployment/{name}"),
        &format!("--replicas={replicas}"),
    ]);
    if replicas == 0 {
        kubectl(&[
            "wait",
            "-n",
            namespace,
            "--for=delete",
            "pod",
            "-l",
            &format!("app={name}"),
            "--timeout=60s",
        ]);
    }
}

/// Waits until the log of a deployment's pod says that it was refused.
fn is_refused(namespace: &str, name: &str) {
    let start = Instant::now();
    loop {
        let pods =
            kubectl(&["get", "pods", "-n", namespace, "-l", &format!("app={name}"), "-o", "json"]);
        let pods: Value = serde_json::from_str(&pods).expect("JSON");
        let status = &pods["items"][0]["status"]["containerStatuses"][0];
        let ended = !status["lastState"]["terminated"].is_null()
            || !status["state"]["terminated"].is_null();
        if ended {
            let pod = pods["items"][0]["metadata"]["name"].as_str().expect("a name").to_owned();
            let log = kubectl(&["logs", "-n", namespace, &pod]);
            assert!(log.contains("Permission denied"), "{log}");
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{name} is not refused: {status:#}");
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// The obstacles that scan has of a workload.
fn obstacles(report: &Value, name: &str) -> Vec<Value> {
    let workloads = report["workloads"].as_array().expect("workloads");
    let found = workloads
        .iter()
        .find(|one| one["name"] == name)
        .unwrap_or_else(|| panic!("no {name}: {report:#}"));
    found["obstacles"].as_array().expect("obstacles").clone()
}

fn causes(report: &Value, name: &str) -> String {
    let causes: Vec<String> =
        obstacles(report, name).iter().map(|one| one["cause"].to_string()).collect();
    causes.join("\n")
}

/// As databases begin: root gives the data to the program's user, who will have it to himself.
const DATABASE: &str = "chown nginx:nginx /data && exec setpriv --reuid=nginx --regid=nginx --clear-groups sh -c \
                        'chmod 0700 /data && touch /data/table && touch /tmp/ready && exec sleep infinity'";

#[test]
#[ignore = "needs cluster (creates pods and a volume)"]
fn a_claim_that_its_user_owns_is_left_alone() {
    let namespace = Namespace::new("nonroot-test-owner", &[]);
    let name = namespace.name();
    let disk = Disk::new(name, "data", "local");
    let mut database = deployment("db", "data", &json!({}));
    database["spec"]["template"]["spec"]["containers"][0]["command"][2] = json!(DATABASE);
    apply(name, &[database]);
    is_ready(name, "db");
    let mode = || fs::metadata(&disk.directory).expect("a directory").permissions().mode() & 0o7777;
    assert_eq!(mode(), 0o700);

    let run = nonroot(&["fix", "-n", name, "deploy/db", "--trial", "--yes", "-o", "json"]);
    let fix = run.json();
    assert_eq!((run.code, &fix["proof"]["ready"]), (0, &true.into()), "{}", run.stderr);
    let spec = &fix["patch"]["spec"]["template"]["spec"];
    assert!(
        spec["securityContext"]["fsGroup"].is_null(),
        "with it the directory would be the group's too: {spec:#}"
    );
    assert!(
        spec["containers"][0]["volumeMounts"][0]["subPath"].is_null(),
        "its data is in sight: {spec:#}"
    );
    scale(name, "db", 0);
    kubectl(&["label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted"]);
    apply(name, &[fix["patch"].clone()]);
    is_ready(name, "db");
    assert_eq!(mode(), 0o700);
    kubectl(&["delete", "-n", name, "deployment/db"]);
}

#[test]
#[ignore = "needs cluster (creates pods and volumes)"]
fn what_fs_group_does_is_what_is_said() {
    let namespace = Namespace::new("nonroot-test-volumes", &[]);
    let name = namespace.name();
    let (_local, host_path) =
        (Disk::new(name, "local", "local"), Disk::new(name, "host-path", "hostPath"));
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"key": "x"}});
    let key = |fs_group: Value, mode: u32| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": if fs_group.is_null() { "closed" } else { "opened" }},
        "spec": {
            "securityContext": {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": fs_group},
            "containers": [{"name": "c", "image": "localhost/test-nginx:1", "imagePullPolicy": "Never", "command": ["sleep", "infinity"],
                "volumeMounts": [{"name": "key", "mountPath": "/key"}]}],
            "volumes": [{"name": "key", "secret": {"secretName": "key", "defaultMode": mode}}],
            "terminationGracePeriodSeconds": 0,
        }})
    };
    let deployments =
        ["local", "host-path"].map(|claim| deployment(claim, claim, &user(1000, 1000)));
    apply(
        name,
        &[&deployments[..], &[secret, key(Value::Null, 0o400), key(json!(2000), 0o600)]].concat(),
    );
    is_ready(name, "local");
    is_refused(name, "host-path");
    kubectl(&[
        "wait",
        "-n",
        name,
        "--for=condition=Ready",
        "pod/closed",
        "pod/opened",
        "--timeout=60s",
    ]);
    let run = nonroot(&["scan", "-n", name, "-o", "json"]);
    let report = run.json();
    assert_eq!(causes(&report, "local"), "");
    let told = causes(&report, "host-path");
    assert!(
        told.contains("fsGroup 1000 does nothing for claim host-path") && told.contains("hostPath"),
        "{told}"
    );
    // What is said of keys is what the pods have.
    let look = |pod: &str| {
        let command =
            "stat -Lc %a:%u:%g /key/key; cat /key/key > /dev/null 2>&1 && echo read; true";
        kubectl(&["exec", "-n", name, pod, "--", "sh", "-c", command])
    };
    assert_eq!(look("closed").trim(), "400:0:0");
    assert!(
        causes(&report, "closed").contains("mode 0400, which uid 1000 may not read"),
        "{report:#}"
    );
    assert_eq!(look("opened").trim(), "640:0:2000\nread");
    assert!(
        causes(&report, "opened").contains("mode 0600 of a key in volume key 0640"),
        "{report:#}"
    );
    let run = nonroot(&["explain", "-n", name, "deploy/host-path", "-o", "json"]);
    let obstacle = &run.json()["obstacles"][0];
    assert_eq!(obstacle["category"], "volume-ownership", "{obstacle:#}");
    assert!(
        obstacle["why"].to_string().contains("fsGroup 1000 does nothing for claim host-path"),
        "{obstacle:#}"
    );
    assert!(!obstacle["remedies"].to_string().contains("fs-group"), "{obstacle:#}");
    // The true answer works: the owner of the files changed once.
    std::os::unix::fs::chown(&host_path.directory, Some(1000), Some(1000))
        .expect("the test is root");
    kubectl(&["delete", "pod", "-n", name, "-l", "app=host-path", "--wait=false"]);
    is_ready(name, "host-path");
}

#[test]
#[ignore = "needs cluster (creates pods and volumes)"]
fn who_shares_a_claim_is_locked_out_and_one_group_lets_both_in() {
    let namespace = Namespace::new("nonroot-test-volumes-shared", &[]);
    let name = namespace.name();
    let _disk = Disk::new(name, "data", "local");
    apply(name, &[deployment("a", "data", &user(1001, 2001))]);
    is_ready(name, "a");
    apply(name, &[deployment("b", "data", &user(1002, 3002))]);
    is_refused(name, "b");
    // The other way round: who starts first has the claim.
    scale(name, "a", 0);
    scale(name, "b", 0);
    scale(name, "b", 1);
    is_ready(name, "b");
    scale(name, "a", 1);
    is_refused(name, "a");
    let report = nonroot(&["scan", "-n", name, "-o", "json"]).json();
    let told = [causes(&report, "a"), causes(&report, "b")];
    assert!(
        told[0].contains("deployment/b (1002:1002, fsGroup 3002)")
            && told[0].contains("group 3002"),
        "{told:#?}"
    );
    assert!(
        told[1].contains("deployment/a (1001:1001, fsGroup 2001)")
            && told[1].contains("group 2001"),
        "{told:#?}"
    );
    // explain tells it of the workload, and of its pod.
    let pod = kubectl(&[
        "get",
        "pods",
        "-n",
        name,
        "-l",
        "app=a",
        "-o",
        "jsonpath={.items[0].metadata.name}",
    ]);
    for what in ["deploy/a", &pod] {
        let why =
            nonroot(&["explain", "-n", name, what, "-o", "json"]).json()["obstacles"][0]["why"]
                .to_string();
        assert!(
            why.contains("each start of deployment/b (1002:1002, fsGroup 3002)"),
            "{what}: {why}"
        );
    }
    let plan = nonroot(&["fix", "-n", name, "deploy/a", "--yes", "-o", "json"]);
    assert_eq!(plan.code, 0, "{}", plan.stderr);
    let plan = plan.json();
    let told = plan["plan"]["remedies"].to_string();
    assert!(told.contains("set fsGroup 3002, the group of deployment/b"), "{told}");
    assert_eq!(plan["patch"]["spec"]["template"]["spec"]["securityContext"]["fsGroup"], 3002);
    scale(name, "a", 0);
    apply_text(name, &plan["patch"].to_string());
    for deployment in ["a", "b"] {
        scale(name, deployment, 0);
    }
    for deployment in ["a", "b"] {
        scale(name, deployment, 1);
        is_ready(name, deployment);
    }
    let report = nonroot(&["scan", "-n", name, "-o", "json"]).json();
    assert_eq!([causes(&report, "a"), causes(&report, "b")], ["", ""]);
}

#[test]
#[ignore = "needs cluster (creates pods and volumes)"]
fn what_root_wrote_is_handed_over_by_who_may() {
    let namespace = Namespace::new("nonroot-test-volumes-old", &[]);
    let name = namespace.name();
    let disk = Disk::new(name, "old", "hostPath");
    apply(name, &[deployment("old", "old", &json!({}))]);
    is_ready(name, "old");
    let report = nonroot(&["scan", "-n", name, "-o", "json"]).json();
    let told = causes(&report, "old");
    assert!(told.contains("it writes claim old as root, and fsGroup would do nothing"), "{told}");
    let fix = |format: &str| {
        let run = nonroot(&[
            "fix",
            "-n",
            name,
            "deploy/old",
            "--yes",
            "--run-as",
            "1000:1000",
            "-o",
            format,
        ]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        run
    };
    let plan = fix("json").json();
    let warnings = plan["warnings"].to_string();
    assert!(
        warnings.contains("no proof covers that") && warnings.contains("-o ownership-job"),
        "{warnings}"
    );
    assert!(
        plan["patch"]["spec"]["template"]["spec"]["securityContext"]["fsGroup"].is_null(),
        "{plan:#}"
    );
    let job = fix("ownership-job").stdout;
    assert!(job.starts_with("# Gives every file of claim old to 1000:1000."), "{job}");
    scale(name, "old", 0);
    apply_text(name, &job);
    kubectl(&[
        "wait",
        "-n",
        name,
        "--for=condition=Complete",
        "job/nonroot-ownership-old",
        "--timeout=60s",
    ]);
    let owner = |path: &std::path::Path| {
        std::os::unix::fs::MetadataExt::uid(&fs::metadata(path).expect("it is there"))
    };
    assert_eq!(owner(&disk.directory), 1000);
    let files = fs::read_dir(&disk.directory).expect("a directory").flatten();
    assert!(files.map(|file| owner(&file.path())).all(|uid| uid == 1000));
    apply_text(name, &plan["patch"].to_string());
    scale(name, "old", 1);
    is_ready(name, "old");
}

#[test]
#[ignore = "needs cluster (creates pods and volumes)"]
fn who_may_not_read_storage_is_told_what_stays_unknown() {
    let namespace = Namespace::new("nonroot-test-volumes-viewer", &[]);
    let name = namespace.name();
    let _disk = Disk::new(name, "data", "local");
    apply(name, &[deployment("web", "data", &json!({}))]);
    is_ready(name, "web");
    kubectl(&["create", "serviceaccount", "-n", name, "viewer"]);
    let account = format!("--serviceaccount={name}:viewer");
    kubectl(&["create", "rolebinding", "-n", name, "viewer", "--clusterrole=view", &account]);
    let user = format!("--as=system:serviceaccount:{name}:viewer");
    let run = nonroot(&["scan", "-n", name, &user, "-o", "json"]);
    assert_eq!(run.code, 1, "a cluster's storage is not the namespace's: {}", run.stderr);
    let report = run.json();
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("csidrivers, persistentvolumes, storageclasses"), "{warnings}");
    assert!(causes(&report, "web").contains("not known"), "{report:#}");
}

/// Removes the definitions of KubeVirt, and with them every object of theirs.
struct KubeVirt;

impl Drop for KubeVirt {
    fn drop(&mut self) {
        kubectl(&["delete", "-f", CRDS, "--ignore-not-found", "--timeout=60s"]);
    }
}

#[test]
#[ignore = "needs cluster (creates pods and custom resources)"]
fn virtual_machines_are_told_by_their_instance() {
    let namespace = Namespace::new("nonroot-test-volumes-machines", &[]);
    let name = namespace.name();
    let _kubevirt = KubeVirt;
    kubectl(&["apply", "-f", CRDS]);
    kubectl(&["wait", "--for=condition=Established", "-f", CRDS, "--timeout=60s"]);
    let instance = |vm: &str, runtime_user: u32, volumes: Value| {
        json!({
            "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance", "metadata": {"name": vm},
            "spec": {"domain": {"devices": {"gpus": [{"name": "gpu1", "deviceName": "nvidia.com/GP102GL"}]}}, "volumes": volumes},
            "status": {"phase": "Running", "runtimeUser": runtime_user},
        })
    };
    let disk = json!([{"name": "d", "hostDisk": {"path": "/data/disk.img", "type": "DiskOrCreate", "capacity": "1Gi"}}]);
    let gates = json!({"configuration": {"developerConfiguration": {"featureGates": ["HostDisk", "Root"]}}});
    let configuration = json!({"apiVersion": "kubevirt.io/v1", "kind": "KubeVirt", "metadata": {"name": "kubevirt"}, "spec": gates});
    apply(name, &[instance("rootful", 0, disk), instance("plain", 107, json!([])), configuration]);
    let status = r#"{"status":{"observedKubeVirtVersion":"v1.9.0"}}"#;
    kubectl(&[
        "patch",
        "-n",
        name,
        "kubevirt",
        "kubevirt",
        "--subresource=status",
        "--type=merge",
        "-p",
        status,
    ]);
    let launcher = |vm: &str, user: u32| {
        let uid = kubectl(&["get", "-n", name, "vmi", vm, "-o", "jsonpath={.metadata.uid}"]);
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": format!("virt-launcher-{vm}-x2x9z"),
                "labels": {"kubevirt.io": "virt-launcher", "kubevirt.io/created-by": uid, "vm.kubevirt.io/name": vm},
                "annotations": {"kubevirt.io/domain": vm},
                "ownerReferences": [{"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance", "name": vm,
                    "uid": uid, "controller": true, "blockOwnerDeletion": true}],
            },
            "spec": {
                "securityContext": {"runAsUser": user, "fsGroup": 107},
                "containers": [{"name": "compute", "image": "localhost/test-nginx:1", "imagePullPolicy": "Never", "command": ["sleep", "infinity"]}],
                "terminationGracePeriodSeconds": 0,
            },
        })
    };
    apply(name, &[launcher("rootful", 0), launcher("plain", 107)]);
    let pods =
        ["pod/virt-launcher-rootful-x2x9z", "pod/virt-launcher-plain-x2x9z", "--timeout=60s"];
    kubectl(&[&["wait", "-n", name, "--for=condition=Ready"][..], &pods].concat());
    let run = nonroot(&["scan", "-n", name, "-o", "json"]);
    let report = run.json();
    assert_eq!((run.code, &report["summary"]["root"]), (1, &json!(1)), "{}", run.stderr);
    let told = causes(&report, "rootful");
    assert!(told.contains(&format!("feature gate Root of KubeVirt {name}/kubevirt")), "{told}");
    assert!(told.contains("/data/disk.img") && told.contains("GPU gpu1"), "{told}");
    assert_eq!(causes(&report, "plain"), "");
    let remedies = obstacles(&report, "rootful")[0]["remedies"].to_string();
    assert!(remedies.contains("take the feature gate Root out"), "{remedies}");
    // Without the gate it is a matter of the next start.
    let gates =
        r#"{"spec":{"configuration":{"developerConfiguration":{"featureGates":["HostDisk"]}}}}"#;
    kubectl(&["patch", "-n", name, "kubevirt", "kubevirt", "--type=merge", "-p", gates]);
    let report = nonroot(&["scan", "-n", name, "-o", "json"]).json();
    assert!(causes(&report, "rootful").contains("new virt-launchers are not root"), "{report:#}");
}
