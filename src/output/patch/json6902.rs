//! RFC 6902, as `kubectl patch --type=json` and kustomize take it.

use serde_json::{Value, json};

/// The operations that turn one object into the other. Containers are found by index there, so each list of containers
/// that is touched is tested for its names first: applied to an object whose containers stand in another order, the
/// patch fails instead of changing the wrong one.
#[must_use]
pub fn json6902(original: &Value, planned: &Value) -> Value {
    let operations = serde_json::to_value(json_patch::diff(original, planned)).unwrap_or_default();
    let operations = operations.as_array().cloned().unwrap_or_default();
    let paths: Vec<&str> = operations.iter().filter_map(|operation| operation["path"].as_str()).collect();
    let mut tests = Vec::new();
    for list in ["initContainers", "containers"] {
        let marker = format!("/spec/{list}/");
        let Some(base) = paths.iter().find_map(|path| Some(&path[..path.find(&marker)? + marker.len() - 1])) else {
            continue;
        };
        let containers = original.pointer(base).and_then(Value::as_array);
        for (index, container) in containers.into_iter().flatten().enumerate() {
            tests.push(json!({"op": "test", "path": format!("{base}/{index}/name"), "value": container["name"]}));
        }
    }
    tests.extend(operations);
    Value::Array(tests)
}
