//! RFC 6902, as `kubectl patch --type=json` and kustomize take it.

use serde_json::{Value, json};

/// The operations that turn one object into the other. Items are found by index there, so each list
/// of containers that is touched is tested for its names first, and so is every named item on the
/// way: applied to an object whose containers stand in another order, the patch fails instead of
/// changing the wrong one.
#[must_use]
pub fn json6902(original: &Value, planned: &Value) -> Value {
    let operations = serde_json::to_value(json_patch::diff(original, planned)).unwrap_or_default();
    let operations = operations.as_array().cloned().unwrap_or_default();
    let paths = operations.iter().filter_map(|operation| operation["path"].as_str());
    let mut tests: Vec<Value> = Vec::new();
    for test in paths.flat_map(|path| names_on(original, path)) {
        if !tests.contains(&test) {
            tests.push(test);
        }
    }
    tests.extend(operations);
    Value::Array(tests)
}

/// Tests of the names on the way of a path: of the items that it goes through, and of all
/// containers of a list.
fn names_on(original: &Value, path: &str) -> Vec<Value> {
    let mut tests = Vec::new();
    let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
    for end in ends {
        let (list, item) = path[..end].rsplit_once('/').unwrap_or_default();
        let Some(items) = original.pointer(list).and_then(Value::as_array) else { continue };
        let is_of_containers = list.ends_with("/containers") || list.ends_with("/initContainers");
        for (index, known) in items.iter().enumerate() {
            let is_on_the_way = end < path.len() && item == index.to_string();
            if known["name"].is_string() && (is_of_containers || is_on_the_way) {
                tests.push(json!({"op": "test", "path": format!("{list}/{index}/name"), "value": known["name"]}));
            }
        }
    }
    tests
}
