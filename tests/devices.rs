//! A block volume on a real cluster: closed to a user other than root, and open to it once
//! containerd gives it away. containerd is restarted twice, so nothing else may use the cluster
//! beside this.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod testbed;

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use testbed::{Namespace, kubectl, nonroot};

/// A file of this machine as a block device, for as long as this lives.
struct Loop {
    device: String,
    file: PathBuf,
}

impl Loop {
    fn new() -> Self {
        let file = std::env::temp_dir().join("nonroot-test-devices.img");
        File::create(&file).and_then(|created| created.set_len(16 << 20)).expect("a file");
        let output = Command::new("losetup")
            .args(["--find", "--show"])
            .arg(&file)
            .output()
            .expect("losetup runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { device: String::from_utf8_lossy(&output.stdout).trim().to_owned(), file }
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.device]).status();
        let _ = std::fs::remove_file(&self.file);
    }
}

/// Gives devices to the container's user until it is dropped.
struct Ownership;

impl Ownership {
    fn on() -> Self {
        set("true");
        Self
    }
}

impl Drop for Ownership {
    fn drop(&mut self) {
        set("false");
    }
}

fn set(value: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/device-ownership");
    let status = Command::new(script).arg(value).status().expect("the script runs");
    assert!(status.success(), "{script} {value}");
}

struct Volume<'a>(&'a str);

impl Drop for Volume<'_> {
    fn drop(&mut self) {
        kubectl(&["delete", "persistentvolume", self.0, "--ignore-not-found", "--wait=false"]);
    }
}

fn pod(name: &str, command: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  securityContext: {{runAsUser: 1000, runAsGroup: 3000, fsGroup: 3000, runAsNonRoot: true}}
  volumes: [{{name: disk, persistentVolumeClaim: {{claimName: disk}}}}]
  containers:
    - name: reader
      image: localhost/test-report:1
      imagePullPolicy: Never
      command: [sh, -c, "{command}"]
      volumeDevices: [{{name: disk, devicePath: /data/disk}}]
"#
    )
}

fn apply(namespace: &str, name: &str, text: &str) {
    let file = std::env::temp_dir().join(format!("nonroot-test-devices-{name}.yaml"));
    std::fs::write(&file, text).expect("a file");
    kubectl(&["apply", "-n", namespace, "-f", &file.display().to_string()]);
}

/// The phase in which the pod ends.
fn ended(namespace: &str, name: &str) -> String {
    let start = Instant::now();
    loop {
        let phase =
            kubectl(&["get", "pod", name, "-n", namespace, "-o", "jsonpath={.status.phase}"]);
        if phase == "Succeeded" || phase == "Failed" {
            return phase;
        }
        assert!(start.elapsed() < Duration::from_secs(90), "pod {name} is {phase}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

const READ: &str = "ls -ln /data/disk && dd if=/data/disk of=/dev/null bs=512 count=1";

#[test]
#[ignore = "needs cluster (restarts its containerd, and needs a loop device)"]
fn a_block_volume_is_closed_until_the_runtime_gives_it_away() {
    let namespace = Namespace::new("nonroot-test-devices", &[]);
    let name = namespace.name();
    let disk = Loop::new();
    let _volume = Volume("nonroot-test-devices");
    kubectl(&["delete", "persistentvolume", "nonroot-test-devices", "--ignore-not-found"]);
    let volume = format!(
        r#"
apiVersion: v1
kind: PersistentVolume
metadata: {{name: nonroot-test-devices}}
spec:
  capacity: {{storage: 16Mi}}
  accessModes: [ReadWriteOnce]
  volumeMode: Block
  persistentVolumeReclaimPolicy: Retain
  storageClassName: ""
  claimRef: {{namespace: {name}, name: disk}}
  local: {{path: {}}}
  nodeAffinity: {{required: {{nodeSelectorTerms: [{{matchExpressions: [{{key: kubernetes.io/hostname, operator: In, values: [node1]}}]}}]}}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: disk}}
spec:
  accessModes: [ReadWriteOnce]
  volumeMode: Block
  storageClassName: ""
  volumeName: nonroot-test-devices
  resources: {{requests: {{storage: 16Mi}}}}
"#,
        disk.device
    );
    apply(name, "volume", &volume);
    apply(name, "before", &pod("before", READ));
    assert_eq!(ended(name, "before"), "Failed");

    let run = nonroot(&["explain", "pod/before", "-n", name, "-o", "json"]);
    let report = run.json();
    let obstacle = &report["obstacles"][0];
    assert_eq!(
        (&obstacle["category"], &obstacle["errno"], &obstacle["path"]),
        (&"device-access".into(), &"EACCES".into(), &"/data/disk".into()),
        "{report:#}"
    );
    assert!(
        obstacle["cause"].as_str().is_some_and(|cause| cause.contains("block volume disk")),
        "{report:#}"
    );
    let remedies = obstacle["remedies"].to_string();
    assert!(
        remedies
            .contains("[plugins.'io.containerd.cri.v1.runtime'] of /etc/containerd/config.toml"),
        "{remedies}"
    );
    // The node tells its runtime, but for a heartbeat at which that did not answer the kubelet.
    let start = Instant::now();
    loop {
        let run = nonroot(&["explain", "pod/before", "-n", name, "-o", "json"]);
        if run.stdout.contains("on its node, which runs containerd 2") {
            break;
        }
        let runtime = kubectl(&[
            "get",
            "node",
            "node1",
            "-o",
            "jsonpath={.status.nodeInfo.containerRuntimeVersion}",
        ]);
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "{runtime}: {} {}",
            run.stdout,
            run.stderr
        );
        std::thread::sleep(Duration::from_secs(1));
    }
    assert!(!remedies.contains("fs-group") && !remedies.contains("empty-dir"), "{remedies}");
    let scan = nonroot(&["scan", "pod/before", "-n", name]);
    assert!(
        scan.stdout.contains("device-access: the block volume disk at /data/disk"),
        "{}",
        scan.stdout
    );
    kubectl(&["delete", "pod", "before", "-n", name, "--grace-period=0", "--force"]);

    let ownership = Ownership::on();
    apply(name, "after", &pod("after", READ));
    assert_eq!(ended(name, "after"), "Succeeded");
    let log = kubectl(&["logs", "after", "-n", name]);
    assert!(log.contains(" 1000 3000 "), "{log}");
    kubectl(&["delete", "pod", "after", "-n", name, "--grace-period=0", "--force"]);
    // A container that runs with a device of its own shows it to nodes --probe.
    apply(name, "runs", &pod("runs", "sleep 600"));
    kubectl(&["wait", "-n", name, "--for=condition=Ready", "pod/runs", "--timeout=60s"]);
    let nodes = nonroot(&[
        "nodes",
        "-n",
        name,
        "--probe",
        "--yes",
        "--probe-image",
        "localhost/test-report:1",
        "-o",
        "json",
    ]);
    let node = &nodes.json()["nodes"][0];
    assert_eq!(
        node["deviceOwnershipFromSecurityContext"]["value"], true,
        "{node:#} {}",
        nodes.stderr
    );
    kubectl(&["delete", "pod", "runs", "-n", name, "--grace-period=0", "--force"]);
    drop(ownership);

    apply(name, "again", &pod("again", READ));
    assert_eq!(ended(name, "again"), "Failed", "everything is as it was");
}
