//! A patched pod starts again: when its node restarts, its init containers run over volumes that
//! are full.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod testbed;

use std::thread;
use std::time::{Duration, Instant};

use nonroot::model::edit::{Edit, Fill};
use nonroot::model::podsecurity::Level;
use nonroot::plan;
use serde_json::{Value, json};
use testbed::{Namespace, ctr, kubectl, of_pod, written};

/// What the program does with the copies: it changes one file and removes another of each, and is
/// ready when all that it needs is there.
const PROGRAM: &str = r#"
[ -d /srv/directories/closed ] && [ ! -e /srv/directories/a ] || exit 3
: > /srv/directories/program
for dir in copy seen own readable; do
  [ -e /srv/$dir/closed/c ] || exit 1
  if [ ! -e /tmp/began ]; then chmod u+w /srv/$dir/a && echo program > /srv/$dir/a && rm /srv/$dir/b; fi
done
if [ ! -e /tmp/began ]; then echo program > /srv/edited; echo program > /srv/new; chmod u+w /srv/file; echo program > /srv/file; fi
: > /tmp/began
[ "$(command -v chown)" = /nonroot/command/chown/chown ] || exit 2
echo program > /data/file
exec sleep 3600
"#;

/// Every kind of init container that a plan can hold.
fn edits() -> Vec<Edit> {
    let container = || "a".to_owned();
    let directory =
        |path: &str, fill| Edit::Directory { container: container(), path: path.to_owned(), fill };
    vec![
        Edit::NonRoot,
        Edit::RunAs { container: None, uid: 4242, gid: 4242 },
        directory("/srv/copy", Fill::Copy),
        directory("/srv/seen", Fill::Seen),
        directory("/srv/own", Fill::Own),
        directory("/srv/readable", Fill::Readable),
        directory("/srv/directories", Fill::Directories),
        directory("/tmp", Fill::Empty),
        Edit::File { container: container(), path: "/srv/file".to_owned() },
        Edit::NewFile { container: container(), path: "/srv/new".to_owned() },
        Edit::EditedFile {
            container: container(),
            path: "/srv/edited".to_owned(),
            sed: "s/image/edited/".to_owned(),
        },
        Edit::ReplacedCommand {
            container: container(),
            command: "chown".to_owned(),
            script: "exit 0",
            search_path: "/usr/bin:/bin".to_owned(),
        },
        Edit::OwnVolume { container: container(), volume: "data".to_owned(), mode: 0o700 },
    ]
}

fn workload() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "again"}, "spec": {
        "selector": {"matchLabels": {"app": "again"}},
        "template": {"metadata": {"labels": {"app": "again"}}, "spec": {
            "terminationGracePeriodSeconds": 1,
            "volumes": [{"name": "data", "emptyDir": {}}],
            "containers": [{
                "name": "a",
                "image": "localhost/test-report-closed:1",
                "imagePullPolicy": "Never",
                "command": ["sh", "-c", PROGRAM.replace('$', "$$")],
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                "readinessProbe": {"exec": {"command": ["test", "-e", "/data/file"]}, "periodSeconds": 1},
            }],
        }},
    }})
}

/// What the program left of the files, by its container.
fn files(namespace: &str) -> String {
    let pod = of_pod(namespace, "app=again", ".metadata.name");
    let script = "cd /srv; for f in */a */b */closed/c file new edited /data/file; do echo \"$f $(cat $f 2> /dev/null)\"; done; ls -A */ | grep copying";
    kubectl(&["exec", "-n", namespace, &pod, "--", "sh", "-c", &format!("{script}; true")])
}

/// Waits until the pod is ready again after it was not, or has one restart more.
fn restarted(namespace: &str, before: &str) {
    let start = Instant::now();
    while of_pod(namespace, "app=again", ".status.containerStatuses[0].containerID") == before
        || of_pod(namespace, "app=again", ".status.containerStatuses[0].ready") != "true"
    {
        let status = of_pod(namespace, "app=again", ".status");
        assert!(start.elapsed() < Duration::from_secs(120), "it does not start again: {status}");
        thread::sleep(Duration::from_millis(500));
    }
}

#[test]
#[ignore = "needs cluster (creates pods)"]
fn every_init_container_of_a_plan_may_run_again() {
    let namespace =
        Namespace::new("nonroot-test-again", &["pod-security.kubernetes.io/enforce=restricted"]);
    let name = namespace.name();
    let planned = plan::compose(&workload(), Level::Restricted, &edits());
    kubectl(&["apply", "-n", name, "-f", &written("again.json", &planned.to_string())]);
    kubectl(&["rollout", "status", "-n", name, "deployment/again", "--timeout=90s"]);
    let left = files(name);
    for line in
        ["copy/a program", "own/a program", "readable/a program", "file program", "edited program"]
    {
        assert!(left.lines().any(|known| known == line), "{line}:\n{left}");
    }
    assert!(!left.contains("/b image"), "the program removed it:\n{left}");
    let container = || {
        let id = of_pod(name, "app=again", ".status.containerStatuses[0].containerID");
        (id.clone(), id.trim_start_matches("containerd://").to_owned())
    };
    // The container alone: the same volumes, and no init container.
    let (before, id) = container();
    ctr(&["tasks", "kill", "-s", "SIGKILL", &id]);
    restarted(name, &before);
    assert_eq!(files(name), left);
    // The sandbox, as when the node restarts: everything runs again over what is there.
    let (before, _) = container();
    let pod = of_pod(name, "app=again", ".metadata.name");
    let sandboxes = ctr(&[
        "containers",
        "ls",
        &format!(
            "labels.\"io.kubernetes.pod.name\"=={pod},labels.\"io.cri-containerd.kind\"==sandbox"
        ),
        "-q",
    ]);
    let sandbox = sandboxes.lines().next().unwrap_or_else(|| panic!("pod {pod} has no sandbox"));
    ctr(&["tasks", "kill", "-s", "SIGKILL", sandbox]);
    restarted(name, &before);
    assert_eq!(files(name), left);
}
