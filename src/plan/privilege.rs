//! What needs real privilege, and is left as it is.

use std::collections::BTreeMap;

use serde_json::Value;

/// Capabilities that the baseline level lets a container add (k8s.io/pod-security-admission,
/// policy/check_capabilities_baseline.go): programs ask for these out of habit and do without them as another user.
const ORDINARY: [&str; 14] = [
    "ALL",
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Containers of a pod spec that need what no user but root can be given, by name, each with the reason. To change half of
/// what they ask for would break them and admit them nowhere.
#[must_use]
pub fn privileged(spec: &Value) -> BTreeMap<String, String> {
    let shares = [("hostPID", "process IDs"), ("hostIPC", "IPC"), ("hostNetwork", "network")];
    let of_pod = if spec.pointer("/os/name") == Some(&Value::from("windows")) {
        Some("its pod runs on Windows".to_owned())
    } else {
        shares
            .iter()
            .find(|(field, _)| spec[*field] == true)
            .map(|(field, what)| format!("its pod shares the node's {what} ({field})"))
    };
    let lists = ["initContainers", "containers"].into_iter().filter_map(|list| spec[list].as_array()).flatten();
    lists
        .filter_map(|container| {
            let reason = of_pod.clone().or_else(|| of_container(container, spec))?;
            Some((container["name"].as_str()?.to_owned(), reason))
        })
        .collect()
}

fn of_container(container: &Value, spec: &Value) -> Option<String> {
    let context = &container["securityContext"];
    if context["privileged"] == true {
        return Some("it is privileged".to_owned());
    }
    let added = context.pointer("/capabilities/add").and_then(Value::as_array).into_iter().flatten();
    let name = |name: &Value| name.as_str().map(|name| name.trim_start_matches("CAP_").to_owned());
    if let Some(name) = added.filter_map(name).find(|name| !ORDINARY.contains(&name.as_str())) {
        return Some(format!("it needs the capability {name}"));
    }
    let volumes: Vec<&Value> = spec["volumes"].as_array().into_iter().flatten().collect();
    let mounts = container["volumeMounts"].as_array().into_iter().flatten();
    mounts
        .filter_map(|mount| volumes.iter().find(|volume| volume["name"] == mount["name"]))
        .find_map(|volume| volume.pointer("/hostPath/path"))
        .map(|path| format!("it mounts the node's {} (hostPath)", path.as_str().unwrap_or("file system")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn real_privilege_is_told_by_container() {
        let container = |name: &str, fields: Value| {
            let mut container = json!({"name": name});
            container.as_object_mut().expect("an object").extend(fields.as_object().cloned().unwrap_or_default());
            container
        };
        let containers = json!([
            container("plain", json!({"securityContext": {"capabilities": {"add": ["CHOWN", "CAP_SETUID"]}}})),
            container("all", json!({"securityContext": {"privileged": true}})),
            container("net", json!({"securityContext": {"capabilities": {"add": ["CAP_NET_ADMIN"]}}})),
            container("log", json!({"volumeMounts": [{"name": "v", "mountPath": "/host"}]})),
        ]);
        let mut spec = json!({"containers": containers, "volumes": [{"name": "v", "hostPath": {"path": "/var/log"}}]});
        let found = privileged(&spec);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["all", "log", "net"]);
        assert_eq!(found["log"], "it mounts the node's /var/log (hostPath)");
        spec["hostNetwork"] = json!(true);
        assert_eq!(privileged(&spec)["plain"], "its pod shares the node's network (hostNetwork)");
    }
}
