//! Fields of the JSON of an object, found and made.

use serde_json::{Value, json};

/// A field that is an object, made where it is missing.
pub(super) fn field<'a>(value: &'a mut Value, key: &str) -> &'a mut Value {
    if !value.is_object() {
        *value = json!({});
    }
    let child = &mut value[key];
    if child.is_null() {
        *child = json!({});
    }
    child
}

/// A field that is a list, made where it is missing.
pub(super) fn list<'a>(value: &'a mut Value, key: &str) -> &'a mut Vec<Value> {
    if !value.is_object() {
        *value = json!({});
    }
    let child = &mut value[key];
    if !child.is_array() {
        *child = json!([]);
    }
    match child {
        Value::Array(items) => items,
        _ => unreachable!("it was made an array"),
    }
}

/// Puts a value into a list that has it not.
pub(super) fn add(list: &mut Vec<Value>, value: Value) {
    if !list.contains(&value) {
        list.push(value);
    }
}

/// The item of a list with this name, made where it is missing.
pub(super) fn named<'a>(list: &'a mut Vec<Value>, name: &str) -> &'a mut Value {
    let at =
        list.iter().position(|item| item["name"].as_str() == Some(name)).unwrap_or_else(|| {
            list.push(json!({"name": name}));
            list.len() - 1
        });
    &mut list[at]
}

/// Takes a field away that is unwanted.
pub(super) fn remove_if(value: &mut Value, key: &str, unwanted: impl Fn(&Value) -> bool) {
    if value.get(key).is_some_and(unwanted)
        && let Some(fields) = value.as_object_mut()
    {
        fields.shift_remove(key);
    }
}

const LISTS: [&str; 2] = ["initContainers", "containers"];

/// All containers of a pod spec, in the order in which its fields stand.
pub(super) fn containers_mut(spec: &mut Value) -> impl Iterator<Item = &mut Value> {
    let lists = spec.as_object_mut().into_iter().flat_map(|fields| fields.iter_mut());
    lists
        .filter(|(key, _)| LISTS.contains(&key.as_str()))
        .filter_map(|(_, list)| list.as_array_mut())
        .flatten()
}

/// The names of a spec's containers, init containers first.
pub(super) fn names(spec: &Value) -> impl Iterator<Item = &str> {
    let lists =
        LISTS.iter().filter_map(|list| spec.get(list)).filter_map(Value::as_array).flatten();
    lists.filter_map(|container| container["name"].as_str())
}

/// A container of a pod spec, of either list.
pub(super) fn find_container<'a>(spec: &'a Value, name: &str) -> Option<&'a Value> {
    let lists =
        LISTS.iter().filter_map(|list| spec.get(list)).filter_map(Value::as_array).flatten();
    lists.into_iter().find(|container| container["name"].as_str() == Some(name))
}

/// Changes a container of a pod spec, if it has one of this name.
pub(super) fn with_container(spec: &mut Value, name: &str, change: impl FnOnce(&mut Value)) {
    if let Some(container) =
        containers_mut(spec).find(|container| container["name"].as_str() == Some(name))
    {
        change(container);
    }
}
