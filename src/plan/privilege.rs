//! What needs real privilege: what of it stays, and which containers are left as they are for it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::podsecurity::BASELINE_CAPABILITIES;

/// Labels by which a node tells its operating system (k8s.io/api, core/v1/well_known_labels.go).
const OS_LABELS: [&str; 2] = ["kubernetes.io/os", "beta.kubernetes.io/os"];

/// Why a pod runs on Windows, where Linux' fields mean nothing: by `os.name`, or by the nodes that
/// it selects.
#[must_use]
pub fn windows(spec: &Value) -> Option<&'static str> {
    let windows = Value::from("windows");
    if spec.pointer("/os/name") == Some(&windows) {
        return Some("os.name");
    }
    if OS_LABELS.iter().any(|label| spec["nodeSelector"][*label] == windows) {
        return Some("nodeSelector");
    }
    let required =
        "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    let terms = spec.pointer(required).and_then(Value::as_array)?;
    let selects = |term: &Value| {
        let expressions = term["matchExpressions"].as_array().into_iter().flatten();
        expressions.into_iter().any(|one| {
            one["key"].as_str().is_some_and(|key| OS_LABELS.contains(&key))
                && one["operator"] == "In"
                && one["values"].as_array().is_some_and(|values| *values == [windows.clone()])
        })
    };
    // One of the terms is enough for a node: all must say so.
    (!terms.is_empty() && terms.iter().all(selects)).then_some("nodeAffinity")
}

/// Containers of a pod spec that are left as they are, by name, each with the reason. To change
/// half of what they ask for would break them and admit them nowhere.
#[must_use]
pub fn privileged(spec: &Value) -> BTreeMap<String, String> {
    let of_pod = windows(spec).map(|field| format!("its pod runs on Windows ({field})"));
    containers(spec)
        .filter_map(|container| {
            let reason = of_pod.clone().or_else(|| of_container(container))?;
            Some((container["name"].as_str()?.to_owned(), reason))
        })
        .collect()
}

fn of_container(container: &Value) -> Option<String> {
    if container.pointer("/securityContext/privileged") == Some(&Value::from(true)) {
        return Some("it is privileged".to_owned());
    }
    let all = added(container)
        .any(|name| name.as_str().is_some_and(|name| name.eq_ignore_ascii_case("ALL")));
    all.then(|| {
        "it adds all capabilities (capabilities.add: ALL), which is real privilege".to_owned()
    })
}

/// What stays in a pod spec though the level forbids it, since no other user can be given it: a
/// sentence each.
#[must_use]
pub fn retained(spec: &Value) -> Vec<String> {
    let shares = [("hostPID", "process IDs"), ("hostIPC", "IPC"), ("hostNetwork", "network")];
    let shared = shares
        .iter()
        .filter(|(field, _)| spec[*field] == true)
        .map(|(field, what)| format!("the pod shares the node's {what} ({field}), which stays"));
    let volumes: Vec<&Value> = spec["volumes"].as_array().into_iter().flatten().collect();
    let left = privileged(spec);
    let others = containers(spec)
        .filter(|one| one["name"].as_str().is_some_and(|name| !left.contains_key(name)));
    let of_each = others.flat_map(|container| {
        let name = container["name"].as_str().unwrap_or_default();
        let capabilities = retained_capabilities(container).into_iter().map(move |capability| {
            format!(
                "container {name} keeps the capability {capability}, which only root has without a file capability: \
                 --trial finds out whether it does without"
            )
        });
        let mounts = container["volumeMounts"].as_array().into_iter().flatten();
        let paths = mounts
            .filter_map(|mount| volumes.iter().find(|volume| volume["name"] == mount["name"]))
            .filter_map(|volume| volume.pointer("/hostPath/path"))
            .map(move |path| {
                let path = path.as_str().unwrap_or("file system");
                format!("container {name} keeps the node's {path} (hostPath), where another user may be refused")
            });
        capabilities.chain(paths).collect::<Vec<_>>()
    });
    shared.chain(of_each).collect()
}

/// The capabilities that a container adds and keeps, without `CAP_`.
#[must_use]
pub fn retained_capabilities(container: &Value) -> Vec<String> {
    let retained = added(container).filter(|name| is_retained(name)).filter_map(Value::as_str);
    retained.map(|name| name.trim_start_matches("CAP_").to_owned()).collect()
}

/// Whether an added capability is real privilege, and no habit of programs that run as root.
pub(super) fn is_retained(name: &Value) -> bool {
    name.as_str()
        .is_some_and(|name| !BASELINE_CAPABILITIES.contains(&name.trim_start_matches("CAP_")))
}

fn added(container: &Value) -> impl Iterator<Item = &Value> {
    container
        .pointer("/securityContext/capabilities/add")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers"].into_iter().filter_map(|list| spec[list].as_array()).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn real_privilege_is_told_by_container() {
        let container = |name: &str, fields: Value| {
            let mut container = json!({"name": name});
            container
                .as_object_mut()
                .expect("an object")
                .extend(fields.as_object().cloned().unwrap_or_default());
            container
        };
        let containers = json!([
            container(
                "plain",
                json!({"securityContext": {"capabilities": {"add": ["CHOWN", "CAP_SETUID"]}}})
            ),
            container(
                "root",
                json!({"securityContext": {"privileged": true, "capabilities": {"add": ["BPF"]}}})
            ),
            container("all", json!({"securityContext": {"capabilities": {"add": ["all"]}}})),
            container(
                "net",
                json!({"securityContext": {"capabilities": {"add": ["CAP_NET_ADMIN"]}}})
            ),
            container("log", json!({"volumeMounts": [{"name": "v", "mountPath": "/host"}]})),
        ]);
        let mut spec = json!({"containers": containers, "volumes": [{"name": "v", "hostPath": {"path": "/var/log"}}]});
        assert_eq!(privileged(&spec).keys().collect::<Vec<_>>(), ["all", "root"]);
        let sentences = retained(&spec);
        assert_eq!(sentences.len(), 2, "{sentences:?}");
        assert!(sentences[0].contains("net keeps the capability NET_ADMIN"));
        assert!(sentences[1].contains("log keeps the node's /var/log (hostPath)"));
        spec["hostNetwork"] = json!(true);
        assert_eq!(
            retained(&spec)[0],
            "the pod shares the node's network (hostNetwork), which stays"
        );
    }

    #[test]
    fn windows_is_told_by_the_pod_or_by_its_nodes() {
        let required = |values: Value| {
            json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "kubernetes.io/os", "operator": "In", "values": values}]}]}}}})
        };
        for (spec, field) in [
            (json!({"os": {"name": "windows"}}), Some("os.name")),
            (json!({"nodeSelector": {"kubernetes.io/os": "windows"}}), Some("nodeSelector")),
            (required(json!(["windows"])), Some("nodeAffinity")),
            (required(json!(["windows", "linux"])), None),
            (json!({"nodeSelector": {"kubernetes.io/os": "linux"}}), None),
            (json!({}), None),
        ] {
            assert_eq!(windows(&spec), field, "{spec}");
        }
    }
}
