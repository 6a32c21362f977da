use serde_json::{Value, json};

use super::*;
use crate::model::edit::Fill;

fn deployment(spec: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": spec}}})
}

fn spec(object: &Value) -> &Value {
    &object["spec"]["template"]["spec"]
}

fn directory(path: &str, fill: Fill) -> Edit {
    Edit::Directory { container: "a".to_owned(), path: path.to_owned(), fill }
}

#[test]
fn the_level_is_demanded_of_every_container_and_nothing_else_changes() {
    let original = deployment(json!({
        "unknownField": 1,
        "initContainers": [{"name": "i", "securityContext": {"runAsUser": 0, "privileged": false}}],
        "containers": [{"name": "a", "image": "x", "securityContext": {"runAsNonRoot": false, "capabilities": {"add": ["CHOWN", "NET_BIND_SERVICE"]}}}],
    }));
    let edits = [Edit::NonRoot, Edit::RunAs { container: None, uid: 101, gid: 102 }];
    let planned = compose(&original, Level::Restricted, &edits);
    let restricted = |extra: Value| {
        let mut context =
            json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
        for (key, value) in extra.as_object().expect("fields") {
            context[key] = value.clone();
        }
        context
    };
    let expected = json!({
        "unknownField": 1,
        "initContainers": [{"name": "i", "securityContext": restricted(json!({"privileged": false}))}],
        "containers": [{"name": "a", "image": "x", "securityContext": restricted(json!({"capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}}))}],
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}, "runAsUser": 101, "runAsGroup": 102},
    });
    assert_eq!(spec(&planned), &expected);
    assert_eq!(compose(&planned, Level::Restricted, &[]), planned);
}

#[test]
fn directories_become_volumes_and_a_nested_one_is_part_of_the_outer() {
    let original = deployment(
        json!({"containers": [{"name": "a", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/data"}]}], "volumes": [{"name": "run", "emptyDir": {}}]}),
    );
    let edits = [
        directory("/run", Fill::Copy),
        directory("/run/lock", Fill::Empty),
        directory("/data", Fill::Empty),
        directory("/var/it's", Fill::Own),
    ];
    let planned = compose(&original, Level::Restricted, &edits);
    let spec = spec(&planned);
    assert_eq!(
        spec["containers"][0]["volumeMounts"],
        json!([
            {"name": "v", "mountPath": "/data"}, {"name": "run-a", "mountPath": "/run"}, {"name": "var-it-s", "mountPath": "/var/it's", "subPath": "own"}])
    );
    assert_eq!(spec["volumes"].as_array().expect("volumes").len(), 3);
    let init = &spec["initContainers"][0];
    assert_eq!((&init["name"], &init["image"]), (&json!("fill-a"), &json!("x")));
    let script = init["command"][2].as_str().unwrap_or_default();
    let calls = r#"
copy /run /nonroot/run-a
rm -rf /nonroot/run-a/secrets
copy_own "/var/it's" /nonroot/var-it-s"#;
    assert!(script.starts_with("set -e\ncopy() {") && script.ends_with(calls), "{script}");
    assert_eq!(
        compose(&planned, Level::Restricted, &edits),
        planned,
        "a second time changes nothing"
    );
}

#[test]
fn every_container_mounts_the_directory_that_is_the_users_own() {
    let mount = |path: &str| json!({"name": "files", "mountPath": path});
    let original = deployment(json!({
        "volumes": [{"name": "files", "emptyDir": {}}],
        "initContainers": [{"name": "copy", "image": "x", "volumeMounts": [mount("/files")]}],
        "containers": [
            {"name": "a", "image": "x", "volumeMounts": [mount("/data"), {"name": "files", "mountPath": "/log", "subPath": "log"}]},
            {"name": "b", "image": "y"},
        ],
    }));
    let edits =
        [Edit::OwnVolume { container: "a".to_owned(), volume: "files".to_owned(), mode: 0o700 }];
    let planned = compose(&original, Level::Restricted, &edits);
    let init = &spec(&planned)["initContainers"];
    assert_eq!(
        init[0]["command"][2],
        json!("mkdir -p -m 0700 /nonroot/files/own /nonroot/files/own/log"),
        "before the user's own"
    );
    assert_eq!(init[0]["volumeMounts"], json!([{"name": "files", "mountPath": "/nonroot/files"}]));
    assert_eq!(init[1]["volumeMounts"][0]["subPath"], json!("own"));
    let of_a = &spec(&planned)["containers"][0]["volumeMounts"];
    assert_eq!((&of_a[0]["subPath"], &of_a[1]["subPath"]), (&json!("own"), &json!("own/log")));
    assert_eq!(
        compose(&planned, Level::Restricted, &edits),
        planned,
        "a second time changes nothing"
    );
}

#[test]
fn a_file_is_copied_or_edited_and_mounted_over_itself() {
    let original = deployment(json!({"containers": [{"name": "a", "image": "x"}]}));
    let edits = [
        Edit::File { container: "a".to_owned(), path: "/usr/bin/ping".to_owned() },
        Edit::EditedFile {
            container: "a".to_owned(),
            path: "/etc/h.cfg".to_owned(),
            sed: "/^chroot$/d".to_owned(),
        },
        Edit::EditedFile {
            container: "a".to_owned(),
            path: "/etc/h.cfg".to_owned(),
            sed: "/^user/d".to_owned(),
        },
    ];
    let spec = spec(&compose(&original, Level::Restricted, &edits)).clone();
    assert_eq!(
        spec["containers"][0]["volumeMounts"][1],
        json!({"name": "usr-bin-ping", "mountPath": "/usr/bin/ping", "subPath": "ping"})
    );
    let script = "
if [ ! -e /nonroot/etc-h-cfg/h.cfg ]; then
  sed -e '/^chroot$$/d' -e '/^user/d' /etc/h.cfg > /nonroot/etc-h-cfg/h.cfg.new
  mv /nonroot/etc-h-cfg/h.cfg.new /nonroot/etc-h-cfg/h.cfg
fi
copy_file /usr/bin/ping /nonroot/usr-bin-ping/ping";
    let command = spec["initContainers"][0]["command"][2].as_str().unwrap_or_default();
    assert!(command.starts_with("set -e\ncopy_file() {") && command.ends_with(script), "{command}");
}

#[test]
fn root_may_stay_in_a_user_namespace() {
    let original = deployment(
        json!({"securityContext": {"runAsNonRoot": true}, "containers": [{"name": "a"}]}),
    );
    let edits = [Edit::UserNamespace, Edit::RunAs { container: None, uid: 0, gid: 0 }];
    let planned = compose(&original, Level::Restricted, &edits);
    let context =
        json!({"seccompProfile": {"type": "RuntimeDefault"}, "runAsUser": 0, "runAsGroup": 0});
    assert_eq!(
        (&spec(&planned)["hostUsers"], &spec(&planned)["securityContext"]),
        (&json!(false), &context)
    );
    assert_eq!(compose(&planned, Level::Restricted, &edits), planned);
}

#[test]
fn the_rest_of_the_edits() {
    let original = json!({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "a", "env": [{"name": "HOME", "valueFrom": {"x": 1}}]}]}}}}}});
    let edits = [
        Edit::SupplementalGroup(4),
        Edit::SupplementalGroup(4),
        Edit::FsGroup(5),
        Edit::Sysctl {
            name: "net.ipv4.ip_unprivileged_port_start".to_owned(),
            value: "80".to_owned(),
        },
        Edit::AddCapability { container: "a".to_owned(), name: "NET_BIND_SERVICE".to_owned() },
        Edit::Env { container: "a".to_owned(), name: "HOME".to_owned(), value: "/tmp".to_owned() },
        Edit::Command {
            container: "a".to_owned(),
            command: Vec::new(),
            args: vec!["-f".to_owned(), "$HOME".to_owned()],
        },
        Edit::RunAs { container: Some("a".to_owned()), uid: 7, gid: 8 },
        Edit::ReadOnlyRoot,
    ];
    let planned = compose(&original, Level::Restricted, &edits);
    let spec = &planned["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    assert_eq!(spec["securityContext"]["supplementalGroups"], json!([4]));
    assert_eq!(spec["securityContext"]["fsGroupChangePolicy"], json!("OnRootMismatch"));
    assert_eq!(
        spec["securityContext"]["sysctls"],
        json!([{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}])
    );
    assert_eq!(spec["containers"][0]["env"], json!([{"name": "HOME", "value": "/tmp"}]));
    let context = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}, "runAsUser": 7, "runAsGroup": 8, "readOnlyRootFilesystem": true});
    assert_eq!(spec["containers"][0]["securityContext"], context);
    assert_eq!(spec["containers"][0]["args"], json!(["-f", "$$HOME"]));
    assert_eq!(compose(&planned, Level::Restricted, &edits), planned);
}
