//! The objects that a chart renders, found again in another rendering.

use std::collections::BTreeMap;

use serde_json::Value;

use super::difference::{at, at_mut, differences, is_unordered};
use crate::model::merge_key::merge_key;

/// What tells an object from the others: version, kind, namespace, name, and which of several that
/// share these.
pub(super) type Id = (String, String, String, String, usize);

pub(super) type Objects = BTreeMap<Id, Value>;

pub(super) fn by_id(objects: Vec<Value>) -> Objects {
    let mut found = Objects::new();
    for object in objects {
        let mut id = id(&object);
        while found.contains_key(&id) {
            id.4 += 1;
        }
        found.insert(id, object);
    }
    found
}

pub(super) fn id(object: &Value) -> Id {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    (
        text(&object["apiVersion"]),
        text(&object["kind"]),
        text(&metadata["namespace"]),
        text(&metadata["name"]),
        0,
    )
}

/// Places that are different in each rendering, as a generated password is, by their objects.
/// Objects that are not in each are named with no place.
pub(super) fn volatile(one: &Objects, other: &Objects) -> BTreeMap<Id, Vec<Vec<String>>> {
    let mut places: BTreeMap<Id, Vec<Vec<String>>> = BTreeMap::new();
    for (id, object) in one {
        let Some(again) = other.get(id) else {
            places.insert(id.clone(), vec![Vec::new()]);
            continue;
        };
        let changing: Vec<_> =
            differences(object, again).into_iter().map(|difference| difference.at).collect();
        if !changing.is_empty() {
            places.insert(id.clone(), changing);
        }
    }
    let new = other.keys().filter(|id| !one.contains_key(id));
    places.extend(new.map(|id| (id.clone(), vec![Vec::new()])));
    places
}

/// What the names of objects that have another one in each rendering begin and end with. Objects
/// of one kind are taken for the same in the order of their names.
pub(super) fn names(one: &Objects, other: &Objects) -> BTreeMap<Id, (String, String)> {
    let only = |these: &Objects, those: &Objects| {
        let ids = these.keys().filter(|id| !those.contains_key(*id));
        ids.cloned().collect::<Vec<Id>>()
    };
    let mut again = only(other, one);
    let mut found = BTreeMap::new();
    for id in only(one, other) {
        let is_same = |other: &Id| (&other.0, &other.1, &other.2) == (&id.0, &id.1, &id.2);
        let Some(at) = again.iter().position(is_same) else { continue };
        let name = again.remove(at).3;
        let same = |(one, other): &(char, char)| one == other;
        let prefix: String =
            id.3.chars().zip(name.chars()).take_while(same).map(|(one, _)| one).collect();
        let rest = (&id.3[prefix.len()..], &name[prefix.len()..]);
        let suffix: Vec<char> = rest
            .0
            .chars()
            .rev()
            .zip(rest.1.chars().rev())
            .take_while(same)
            .map(|(one, _)| one)
            .collect();
        found.insert(id, (prefix, suffix.into_iter().rev().collect()));
    }
    found
}

/// An object with what is volatile in it as another rendering has it.
pub(super) fn with_volatile(object: &Value, other: &Value, places: &[Vec<String>]) -> Value {
    let mut object = object.clone();
    for place in places {
        if let (Some(field), Some(value)) = (at_mut(&mut object, place), at(other, place)) {
            *field = value.clone();
        }
    }
    object
}

/// An object whose lists without a meaningful order have the order of another's.
#[must_use]
pub fn aligned(object: &Value, other: &Value) -> Value {
    fn align(field: &str, value: &mut Value, other: &Value) {
        match (value, other) {
            (Value::Object(fields), other) => {
                fields
                    .iter_mut()
                    .for_each(|(name, value)| align(name, value, &other[name.as_str()]));
            }
            (Value::Array(items), Value::Array(others)) => {
                let key = merge_key(field);
                if let Some(key) = key.filter(|_| is_unordered(field)) {
                    let place = |item: &Value| {
                        others
                            .iter()
                            .position(|other| other[key] == item[key])
                            .unwrap_or(usize::MAX)
                    };
                    items.sort_by_key(place);
                }
                for (number, item) in items.iter_mut().enumerate() {
                    let same = match key {
                        Some(key) => others.iter().find(|other| other[key] == item[key]),
                        None => others.get(number),
                    };
                    align("", item, same.unwrap_or(&Value::Null));
                }
            }
            _ => {}
        }
    }
    let mut object = object.clone();
    align("", &mut object, other);
    object
}

/// Whether a place of an object, or the place of an item that its list lacks, has a value.
#[must_use]
pub fn has_field(object: &Value, place: &[String]) -> bool {
    at(object, place).is_some()
}

/// A volume that a container mounts and the pod does not have, by the place of the mount.
pub(super) fn mounts_without_volume(object: &Value) -> usize {
    let mut missing = 0;
    count(object, &mut missing);
    missing
}

fn count(value: &Value, missing: &mut usize) {
    if let Value::Array(items) = value {
        items.iter().for_each(|item| count(item, missing));
    }
    let Value::Object(fields) = value else { return };
    fields.values().for_each(|field| count(field, missing));
    if !value["containers"].is_array() {
        return;
    }
    let volumes = value["volumes"].as_array().map(Vec::as_slice).unwrap_or_default();
    for list in ["initContainers", "containers"] {
        let containers = value[list].as_array().into_iter().flatten();
        let mounts = containers.filter_map(|one| one["volumeMounts"].as_array()).flatten();
        *missing +=
            mounts.filter(|mount| !volumes.iter().any(|one| one["name"] == mount["name"])).count();
    }
}
