//! The pod that a trial runs: the workload's own, made harmless.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::plan::template_path;

/// The label by which a trial's pods are found; its value is the trial's id.
pub const LABEL: &str = "nonroot/trial";

/// All labels of what a trial creates.
#[must_use]
pub fn labels(trial: &str) -> BTreeMap<&'static str, &str> {
    BTreeMap::from([(LABEL, trial), ("app.kubernetes.io/managed-by", "kubectl-nonroot")])
}

/// Volume sources with data of the workload or the node: a trial gets an empty volume in their
/// place.
const DATA: [&str; 3] = ["persistentVolumeClaim", "hostPath", "ephemeral"];

/// How many seconds a copy gets at the most to end by itself before its second start.
const MAX_GRACE: u64 = 5;

/// In what a copy differs from its workload because the user says so.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Volumes, by their names, that are mounted with the data they have.
    pub with_volumes: Vec<String>,
    /// What the first container runs instead of its own command and arguments.
    pub command: Vec<String>,
    /// Variables of every container.
    pub env: Vec<(String, String)>,
}

/// Makes a bare pod of a workload's template, under a name and labels of its own so that no
/// Service, PodDisruptionBudget, NetworkPolicy or controller selects it. It never restarts, ends by
/// itself after `seconds`, and touches none of the original's data: claims, hostPaths and the
/// claims of a StatefulSet's templates become empty volumes, but for those that the changes name.
#[must_use]
pub fn copy(object: &Value, name: &str, trial: &str, seconds: u64, changes: &Changes) -> Value {
    let is_kept = |name: &Value| changes.with_volumes.iter().any(|kept| name == kept);
    let template = template_path(object)
        .iter()
        .try_fold(object, |value, key| value.get(key))
        .unwrap_or(object);
    let mut spec = template.get("spec").cloned().unwrap_or_else(|| json!({}));
    spec["restartPolicy"] = json!("Never");
    spec["activeDeadlineSeconds"] = json!(seconds);
    let grace = spec["terminationGracePeriodSeconds"].as_u64().unwrap_or(MAX_GRACE);
    spec["terminationGracePeriodSeconds"] = json!(grace.min(MAX_GRACE));
    if let Some(fields) = spec.as_object_mut() {
        // The node is the scheduler's to choose, and an identity in a StatefulSet's DNS would be
        // the original's. What it shares with the node is the original's, too: a port can
        // be had once.
        for field in [
            "nodeName",
            "hostname",
            "subdomain",
            "ephemeralContainers",
            "hostNetwork",
            "hostPID",
            "hostIPC",
        ] {
            fields.shift_remove(field);
        }
    }
    let templates = object.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
    for claim in templates.into_iter().flatten() {
        let name = &claim["metadata"]["name"];
        let source = if is_kept(name) {
            // https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-storage
            let words = [name.as_str(), object["metadata"]["name"].as_str(), Some("0")]
                .map(Option::unwrap_or_default);
            ("persistentVolumeClaim", json!({"claimName": words.join("-")}))
        } else {
            ("emptyDir", json!({}))
        };
        let volume = json!({"name": name, source.0: source.1});
        match &mut spec["volumes"] {
            Value::Array(volumes) => volumes.push(volume),
            other => *other = json!([volume]),
        }
    }
    for volume in
        spec["volumes"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut)
    {
        let name = volume.get("name").cloned().unwrap_or_default();
        if !is_kept(&name) && DATA.iter().any(|source| volume.contains_key(*source)) {
            *volume =
                Map::from_iter([("name".to_owned(), name), ("emptyDir".to_owned(), json!({}))]);
        }
    }
    if spec["volumes"].is_null()
        && let Some(fields) = spec.as_object_mut()
    {
        fields.shift_remove("volumes");
    }
    for list in ["initContainers", "containers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            leave_out_blocks(container, &is_kept);
            for port in
                container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten()
            {
                if let Some(port) = port.as_object_mut() {
                    port.shift_remove("hostPort");
                }
            }
            let env = changes.env.iter().map(|(name, value)| json!({"name": name, "value": value}));
            match container.get_mut("env").and_then(Value::as_array_mut) {
                Some(known) => {
                    known.retain(|one| changes.env.iter().all(|(name, _)| one["name"] != *name));
                    known.extend(env);
                }
                None if !changes.env.is_empty() => container["env"] = env.collect(),
                None => {}
            }
        }
    }
    if let (false, Some(first)) = (changes.command.is_empty(), spec.pointer_mut("/containers/0")) {
        first["command"] = json!(changes.command);
        first.as_object_mut().and_then(|fields| fields.shift_remove("args"));
    }
    let mut annotations =
        template.pointer("/metadata/annotations").cloned().unwrap_or_else(|| json!({}));
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": labels(trial),
            "annotations": annotations,
        },
        "spec": spec,
    })
}

/// An empty volume is no block device: what has none of its own in the copy is left out of it.
fn leave_out_blocks(container: &mut Value, is_kept: &dyn Fn(&Value) -> bool) {
    let Some(devices) = container.get_mut("volumeDevices").and_then(Value::as_array_mut) else {
        return;
    };
    devices.retain(|device| is_kept(&device["name"]));
    if devices.is_empty()
        && let Some(fields) = container.as_object_mut()
    {
        fields.shift_remove("volumeDevices");
    }
}

/// The same pod with its containers asleep, so that its images can be looked at. Nothing of the
/// program runs.
#[must_use]
pub fn inspection(pod: &Value) -> Value {
    let mut pod = pod.clone();
    let spec = &mut pod["spec"];
    // Init containers are looked at as well, beside the others.
    let init = spec.as_object_mut().and_then(|fields| fields.shift_remove("initContainers"));
    if let (Some(Value::Array(init)), Some(containers)) = (init, spec["containers"].as_array_mut())
    {
        containers.extend(init);
    }
    for container in spec["containers"].as_array_mut().into_iter().flatten() {
        container["command"] = json!(["sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait"]);
        if let Some(fields) = container.as_object_mut() {
            for field in [
                "args",
                "readinessProbe",
                "livenessProbe",
                "startupProbe",
                "lifecycle",
                "restartPolicy",
            ] {
                fields.shift_remove(field);
            }
        }
    }
    pod
}

/// The name of the container that reads.
pub const READER: &str = "nonroot-reader";

/// The same pod with one more container, of the image, the user and the volumes of another: it
/// sleeps on when that one has died, so that the files can be read that it logged to.
#[must_use]
pub fn with_reader(pod: &Value, container: &str) -> Value {
    let mut pod = pod.clone();
    let Some(containers) = pod["spec"]["containers"].as_array_mut() else { return pod };
    let Some(model) = containers.iter().find(|one| one["name"] == container) else { return pod };
    let mut reader = Map::from_iter([("name".to_owned(), json!(READER))]);
    for key in ["image", "imagePullPolicy", "securityContext", "volumeMounts"] {
        if let Some(value) = model.get(key) {
            reader.insert(key.to_owned(), value.clone());
        }
    }
    reader
        .insert("command".to_owned(), json!(["sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait"]));
    // First, so that whatever is logged is newer than itself.
    containers.insert(0, Value::Object(reader));
    pod
}

/// The name of the container that watches.
pub const WATCH: &str = "nonroot-watch";

/// The same pod with one of its containers only, and beside it one of the same image and user that
/// watches which programs start: what an image runs is nowhere else to be seen without its
/// registry.
#[must_use]
pub fn watching(pod: &Value, container: &str, script: &str) -> Value {
    let mut pod = pod.clone();
    let spec = &mut pod["spec"];
    spec["shareProcessNamespace"] = json!(true);
    let mut kept = json!([]);
    if let Some(containers) = spec["containers"].as_array_mut() {
        containers.retain(|one| one["name"] == container);
        kept = json!(containers);
        // A program that ends in a millisecond would not be seen: in each tenth of a second it gets
        // two of them.
        for one in containers {
            one["resources"]["limits"]["cpu"] = json!("20m");
            one["resources"]["requests"]["cpu"] = json!("20m");
        }
    }
    let mut watch = Map::from_iter([
        ("name".to_owned(), json!(WATCH)),
        ("restartPolicy".to_owned(), json!("Always")),
    ]);
    for key in ["image", "imagePullPolicy", "securityContext"] {
        if let Some(value) = kept[0].get(key) {
            watch.insert(key.to_owned(), value.clone());
        }
    }
    // Kubernetes makes one dollar of two.
    watch.insert("command".to_owned(), json!(["sh", "-c", script.replace('$', "$$")]));
    match &mut spec["initContainers"] {
        Value::Array(init) => init.push(Value::Object(watch)),
        other => *other = json!([watch]),
    }
    pod
}

/// The container that prints a trace, and the volume that the trace is in.
pub(super) const STRACE: &str = "nonroot-strace";

/// Whether a container of a copy is not the workload's own.
pub(super) fn is_added(name: &str) -> bool {
    [READER, WATCH, STRACE].contains(&name)
}

/// The names of a copy's own containers.
pub(super) fn names(pod: &Value) -> impl Iterator<Item = &str> {
    let containers = pod["spec"]["containers"].as_array();
    let names = containers.into_iter().flatten().filter_map(|one| one["name"].as_str());
    names.filter(|name| !is_added(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_is_nobodys_and_touches_no_data() {
        let workload = json!({
            "kind": "StatefulSet",
            "spec": {
                "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
                "template": {
                    "metadata": {"labels": {"app": "db"}, "annotations": {"sidecar.example.com/inject": "true"}},
                    "spec": {
                        "nodeName": "node1",
                        "unknownField": true,
                        "volumes": [{"name": "host", "hostPath": {"path": "/"}}, {"name": "claim", "persistentVolumeClaim": {"claimName": "c"}}, {"name": "settings", "configMap": {"name": "m"}}],
                        "containers": [{"name": "db", "ports": [{"containerPort": 1, "hostPort": 1}], "args": ["x"], "readinessProbe": {}}],
                    },
                },
            },
        });
        let pod = copy(&workload, "n", "t", 60, &Changes::default());
        assert_eq!(
            pod["metadata"]["labels"],
            json!({"nonroot/trial": "t", "app.kubernetes.io/managed-by": "kubectl-nonroot"})
        );
        assert_eq!(pod["metadata"]["annotations"]["sidecar.example.com/inject"], "true");
        let spec = &pod["spec"];
        assert_eq!(
            spec["volumes"],
            json!([
            {"name": "host", "emptyDir": {}}, {"name": "claim", "emptyDir": {}}, {"name": "settings", "configMap": {"name": "m"}}, {"name": "data", "emptyDir": {}}])
        );
        assert_eq!(
            (&spec["restartPolicy"], &spec["activeDeadlineSeconds"], &spec["unknownField"]),
            (&json!("Never"), &json!(60), &json!(true))
        );
        assert!(spec.get("nodeName").is_none());
        assert_eq!(spec["containers"][0]["ports"], json!([{"containerPort": 1}]));
        let sleeping = inspection(&pod);
        assert!(sleeping["spec"]["containers"][0].get("args").is_none());
        assert_eq!(sleeping["spec"]["containers"][0]["command"][0], "sh");
    }

    #[test]
    fn a_copy_is_changed_as_it_was_asked_for() {
        let workload = json!({
            "kind": "StatefulSet",
            "metadata": {"name": "db"},
            "spec": {
                "volumeClaimTemplates": [{"metadata": {"name": "data"}}, {"metadata": {"name": "log"}}],
                "template": {"spec": {
                    "volumes": [{"name": "host", "hostPath": {"path": "/"}}, {"name": "old", "persistentVolumeClaim": {"claimName": "c"}}],
                    "containers": [
                        {"name": "db", "command": ["db"], "args": ["x"], "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
                        {"name": "side", "command": ["side"]},
                    ],
                }},
            },
        });
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let changes = Changes {
            with_volumes: words(&["data", "old"]),
            command: words(&["db", "--standalone"]),
            env: vec![("A".to_owned(), "3".to_owned())],
        };
        let pod = copy(&workload, "n", "t", 60, &changes);
        assert_eq!(
            pod["spec"]["volumes"],
            json!([
                {"name": "host", "emptyDir": {}},
                {"name": "old", "persistentVolumeClaim": {"claimName": "c"}},
                {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}},
                {"name": "log", "emptyDir": {}},
            ])
        );
        let (a, b) = (json!({"name": "A", "value": "3"}), json!({"name": "B", "value": "2"}));
        assert_eq!(
            pod["spec"]["containers"],
            json!([
                {"name": "db", "command": ["db", "--standalone"], "env": [b, a]},
                {"name": "side", "command": ["side"], "env": [a]},
            ])
        );
    }
}
