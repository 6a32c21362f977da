//! The last resort: a copy that dies and says nothing of why runs once more under strace.
//!
//! A process may trace its own children without any privilege (ptrace(2)), so that the copy needs
//! none: an init container copies a static strace into an empty volume, the program's command
//! becomes an argument of it, and a container beside it prints what it wrote.

use serde_json::{Map, Value, json};

use super::Trial;
use super::pod::STRACE;
use crate::diagnosis::Context;
use crate::diagnosis::trace::Trace;
use crate::evidence::strace::Strace;
use crate::model::facts::Facts;
use crate::search::Outcome;

const MOUNT: &str = "/nonroot/strace";

/// How long the last lines of a trace may take to be in the log of the container that prints them.
const ARRIVES: std::time::Duration = std::time::Duration::from_secs(2);

/// The pod with one container's program under strace. `None`: nothing tells what the image runs.
pub(super) fn under(pod: &Value, container: &str, image: &str, facts: &Facts) -> Option<Value> {
    let mut pod = pod.clone();
    let spec = &mut pod["spec"];
    let list = ["containers", "initContainers"].into_iter().find(|list| {
        spec[*list].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == container))
    })?;
    let traced = spec[list].as_array_mut()?.iter_mut().find(|one| one["name"] == container)?;
    let words = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (command, args) = match (words(&traced["command"]), words(&traced["args"])) {
        (command, args) if !command.is_empty() => (command, args),
        // What the image runs, as it was seen to run.
        (_, args) if args.is_empty() && !facts.command.is_empty() => {
            (facts.command.iter().map(|word| json!(word.replace('$', "$$"))).collect(), args)
        }
        _ => return None,
    };
    let strace = [
        format!("{MOUNT}/strace"),
        "-f".into(),
        "-y".into(),
        "-s".into(),
        "256".into(),
        "-o".into(),
    ];
    let strace = strace.into_iter().chain([format!("{MOUNT}/trace"), "--".into()]).map(Value::from);
    traced["command"] = strace.chain(command).collect();
    if !args.is_empty() {
        traced["args"] = json!(args);
    }
    let mount = json!({"name": STRACE, "mountPath": MOUNT});
    let context = traced.get("securityContext").cloned();
    match traced["volumeMounts"].as_array_mut() {
        Some(mounts) => mounts.push(mount.clone()),
        None => traced["volumeMounts"] = json!([mount]),
    }
    let helper = |name: &str, script: String| {
        let mut helper = Map::from_iter([
            ("name".to_owned(), json!(name)),
            ("image".to_owned(), json!(image)),
            ("command".to_owned(), json!(["sh", "-c", script.replace('$', "$$")])),
            ("volumeMounts".to_owned(), json!([mount])),
        ]);
        if let Some(context) = &context {
            helper.insert("securityContext".to_owned(), context.clone());
        }
        Value::Object(helper)
    };
    let copy = helper(
        "nonroot-strace-copy",
        format!("cp \"$(command -v strace)\" {MOUNT}/strace && : > {MOUNT}/trace"),
    );
    let print = helper(STRACE, format!("trap 'exit 0' TERM; tail -n +1 -f {MOUNT}/trace & wait"));
    let mut init = vec![copy];
    init.extend(words(&spec["initContainers"]));
    spec["initContainers"] = json!(init);
    spec["containers"].as_array_mut()?.insert(0, print);
    let volume = json!({"name": STRACE, "emptyDir": {"sizeLimit": "1Gi"}});
    match spec["volumes"].as_array_mut() {
        Some(volumes) => volumes.push(volume),
        None => spec["volumes"] = json!([volume]),
    }
    Some(pod)
}

impl Trial<'_> {
    /// What the trace of a run adds to what its texts tell; nothing where it did not run under
    /// strace.
    pub(super) async fn read_trace(&self, name: &str, pod: &Value, run: &mut Outcome) {
        // The container that prints stands before the one that is traced.
        let containers: Vec<&str> = pod["spec"]["containers"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| one["name"].as_str())
            .collect();
        let (Some(cluster), [STRACE, container, ..]) = (self.cluster, containers.as_slice()) else {
            return;
        };
        let source = format!("strace of container {container}");
        let context =
            Context { source, container: Some((*container).to_owned()), ..Context::default() };
        let (mut strace, mut trace) = (Strace::default(), Trace::new(context));
        let take = |piece: &[u8]| strace.feed(piece, &mut |event| trace.take(event));
        tokio::time::sleep(ARRIVES).await;
        if let Err(refusal) = cluster.stream_log((&self.namespace, name, STRACE), false, take).await
        {
            run.seen.notes.push(refusal.error.to_string());
        }
        let lines = strace.finish(&mut |event| trace.take(event));
        tracing::debug!(total = lines.total, unknown = lines.unknown, "read a trace");
        let told = trace.finish().refusals.into_iter().filter(|refusal| !refusal.harmless);
        run.obstacles.extend(told.map(|refusal| refusal.obstacle));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_runs_under_strace() {
        let pod = json!({"spec": {"containers": [
            {"name": "a", "image": "x", "command": ["/bin/a"], "args": ["-v"], "securityContext": {"runAsUser": 7}},
            {"name": "b", "image": "y"},
        ]}});
        let with = under(&pod, "a", "strace", &Facts::default()).expect("its command is known");
        let containers = &with["spec"]["containers"];
        assert_eq!(containers[0]["name"], STRACE);
        assert_eq!(containers[0]["securityContext"]["runAsUser"], 7);
        assert_eq!(containers[1]["command"][0], "/nonroot/strace/strace");
        assert_eq!(containers[1]["command"][8], "/bin/a");
        assert_eq!(containers[1]["args"], json!(["-v"]));
        assert_eq!(with["spec"]["initContainers"][0]["name"], "nonroot-strace-copy");
        assert_eq!(
            under(&pod, "b", "strace", &Facts::default()),
            None,
            "nothing tells what the image runs"
        );
        let seen = Facts { command: vec!["/b".to_owned()], ..Facts::default() };
        assert!(under(&pod, "b", "strace", &seen).is_some());
    }
}
