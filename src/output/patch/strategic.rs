//! A strategic merge patch, as `kubectl patch` takes it for built-in kinds.

use serde_json::{Map, Value, json};

/// Lists that merge by a key, by their field: `patchMergeKey` in k8s.io/api, core/v1/types.go. Every other list is
/// replaced as a whole.
pub(super) const MERGE_KEYS: [(&str, &str); 11] = [
    ("containers", "name"),
    ("initContainers", "name"),
    ("ephemeralContainers", "name"),
    ("volumes", "name"),
    ("env", "name"),
    ("imagePullSecrets", "name"),
    ("resourceClaims", "name"),
    ("volumeMounts", "mountPath"),
    ("volumeDevices", "devicePath"),
    ("ports", "containerPort"),
    ("hostAliases", "ip"),
];

/// The least patch that turns one object into the other, with what names the object.
#[must_use]
pub fn strategic(original: &Value, planned: &Value) -> Value {
    let mut patch = json!({"apiVersion": original["apiVersion"], "kind": original["kind"], "metadata": {"name": original["metadata"]["name"]}});
    if !original["metadata"]["namespace"].is_null() {
        patch["metadata"]["namespace"] = original["metadata"]["namespace"].clone();
    }
    if let Some(Value::Object(changes)) = change(original, planned) {
        for (key, value) in changes.into_iter().filter(|(key, _)| key != "metadata") {
            patch[key] = value;
        }
    }
    patch
}

/// What changes from one value to another; `None` if nothing does.
fn change(before: &Value, after: &Value) -> Option<Value> {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        return (before != after).then(|| after.clone());
    };
    let mut patch = Map::new();
    for (field, value) in new {
        let Some(previous) = old.get(field) else {
            patch.insert(field.clone(), value.clone());
            continue;
        };
        let key = MERGE_KEYS.iter().find(|(list, _)| list == field).map(|(_, key)| *key);
        match (key, previous, value) {
            _ if previous == value => {}
            (Some(key), Value::Array(old), Value::Array(new)) => patch.extend(list(field, key, old, new)),
            _ => patch.extend(change(previous, value).map(|change| (field.clone(), change))),
        }
    }
    let removed = old.keys().filter(|field| !new.contains_key(*field));
    patch.extend(removed.map(|field| (field.clone(), Value::Null)));
    (!patch.is_empty()).then(|| Value::Object(patch))
}

/// The items that change, each with its merge key, and the order where new ones do not simply come last.
fn list(field: &str, key: &str, old: &[Value], new: &[Value]) -> Vec<(String, Value)> {
    // A port may be there twice, for TCP and for UDP: such items cannot be told apart, and the list is replaced.
    if [old, new].iter().any(|items| has_twins(items, key)) {
        let whole = std::iter::once(json!({"$patch": "replace"})).chain(new.iter().cloned());
        return vec![(field.to_owned(), whole.collect())];
    }
    let find = |items: &[Value], item: &Value| items.iter().position(|known| known[key] == item[key]);
    let mut items: Vec<Value> = Vec::new();
    for item in new {
        let changed = match find(old, item) {
            None => Some(item.clone()),
            // Its name first, as a person would write it.
            Some(at) => change(&old[at], item).map(|change| {
                let mut named = json!({key: item[key]});
                for (field, value) in change.as_object().into_iter().flatten() {
                    named[field] = value.clone();
                }
                named
            }),
        };
        items.extend(changed);
    }
    let removed = old.iter().filter(|item| find(new, item).is_none());
    items.extend(removed.map(|item| json!({"$patch": "delete", key: item[key]})));
    let kept = old.iter().filter(|item| find(new, item).is_some());
    let expected: Vec<&Value> =
        kept.chain(new.iter().filter(|item| find(old, item).is_none())).map(|item| &item[key]).collect();
    let order: Vec<Value> = new.iter().map(|item| json!({key: item[key]})).collect();
    let mut fields = Vec::new();
    if expected != new.iter().map(|item| &item[key]).collect::<Vec<_>>() {
        fields.push((format!("$setElementOrder/{field}"), json!(order)));
    }
    if !items.is_empty() {
        fields.push((field.to_owned(), json!(items)));
    }
    fields
}

fn has_twins(items: &[Value], key: &str) -> bool {
    items.iter().enumerate().any(|(at, item)| items[..at].iter().any(|other| other[key] == item[key]))
}
