//! What one object has that another has not, field by field.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::model::merge_key::merge_key;

/// Lists whose items have a key and no order.
const UNORDERED: [&str; 2] = ["volumes", "volumeMounts"];

/// A field that is not as it is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldDifference {
    /// The names of the fields from the top; an item of a list is `name=web` or its number.
    pub at: Vec<String>,
    /// `None`: the field is to go.
    pub wanted: Option<Value>,
    /// It is an item that the list at this place lacks.
    pub is_item: bool,
}

/// What is to change in one object to make it the other, each the smallest field of it.
#[must_use]
pub fn differences(now: &Value, wanted: &Value) -> Vec<FieldDifference> {
    let mut found = Vec::new();
    compare(Some(now), Some(wanted), &mut Vec::new(), &mut found);
    found
}

fn compare(
    now: Option<&Value>,
    wanted: Option<&Value>,
    at: &mut Vec<String>,
    found: &mut Vec<FieldDifference>,
) {
    let empty = Map::new();
    match (now, wanted) {
        (now, wanted) if now == wanted => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => maps(old, new, at, found),
        (None, Some(Value::Object(new))) if !new.is_empty() => maps(&empty, new, at, found),
        (Some(Value::Object(old)), None) if !old.is_empty() => maps(old, &empty, at, found),
        // A list that is missing takes items as one that is empty does.
        (None, Some(Value::Array(new))) if named_lists(at, &[], new).is_some() => {
            for item in new {
                let wanted = Some(item.clone());
                found.push(FieldDifference { at: at.clone(), wanted, is_item: true });
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => match named_lists(at, old, new) {
            Some(key) => lists(key, (old, new), at, found),
            None => found.push(FieldDifference {
                at: at.clone(),
                wanted: wanted.cloned(),
                is_item: false,
            }),
        },
        _ => {
            found.push(FieldDifference { at: at.clone(), wanted: wanted.cloned(), is_item: false })
        }
    }
}

fn maps(
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    at: &mut Vec<String>,
    found: &mut Vec<FieldDifference>,
) {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        at.push(name.clone());
        compare(old.get(name), new.get(name), at, found);
        at.pop();
    }
}

/// The field by which the items of two lists are known, if each has one of its own.
fn named_lists(at: &[String], old: &[Value], new: &[Value]) -> Option<&'static str> {
    let key = merge_key(at.last()?)?;
    let are_named = |items: &[Value]| {
        let names: BTreeSet<&str> = items.iter().filter_map(|item| item[key].as_str()).collect();
        names.len() == items.len()
    };
    (are_named(old) && are_named(new)).then_some(key)
}

fn lists(
    key: &'static str,
    (old, new): (&[Value], &[Value]),
    at: &mut Vec<String>,
    found: &mut Vec<FieldDifference>,
) {
    let before = found.len();
    let find = |items: &[Value], item: &Value| items.iter().position(|one| one[key] == item[key]);
    for item in new {
        match find(old, item) {
            Some(known) => {
                at.push(token(key, item));
                compare(Some(&old[known]), Some(item), at, found);
                at.pop();
            }
            None => found.push(FieldDifference {
                at: at.clone(),
                wanted: Some(item.clone()),
                is_item: true,
            }),
        }
    }
    for item in old.iter().filter(|item| find(new, item).is_none()) {
        let place = at.iter().cloned().chain([token(key, item)]).collect();
        found.push(FieldDifference { at: place, wanted: None, is_item: false });
    }
    let is_ordered = at.last().is_some_and(|field| !UNORDERED.contains(&field.as_str()));
    let names = |items: &[Value]| items.iter().map(|item| item[key].clone()).collect::<Vec<_>>();
    if is_ordered && found.len() == before && names(old) != names(new) {
        found.push(FieldDifference {
            at: at.clone(),
            wanted: Some(Value::Array(new.to_vec())),
            is_item: false,
        });
    }
}

fn token(key: &str, item: &Value) -> String {
    format!("{key}={}", item[key].as_str().unwrap_or_default())
}

pub(super) fn is_unordered(list: &str) -> bool {
    UNORDERED.contains(&list)
}

/// Each value of an object that is neither a map nor a list, and its place.
pub(super) fn leaves(value: &Value, at: &mut Vec<String>, see: &mut dyn FnMut(&[String], &Value)) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                at.push(name.clone());
                leaves(field, at, see);
                at.pop();
            }
        }
        Value::Array(items) => {
            let key = at.last().and_then(|field| merge_key(field));
            for (number, item) in items.iter().enumerate() {
                let named = key.filter(|key| item[*key].is_string());
                at.push(named.map_or(number.to_string(), |key| token(key, item)));
                leaves(item, at, see);
                at.pop();
            }
        }
        leaf => see(at, leaf),
    }
}

/// What stands at a place of an object.
pub(super) fn at<'v>(object: &'v Value, place: &[String]) -> Option<&'v Value> {
    place.iter().try_fold(object, |value, token| match value {
        Value::Array(items) => match token.split_once('=') {
            Some((key, name)) => items.iter().find(|item| item[key] == name),
            None => items.get(token.parse::<usize>().ok()?),
        },
        value => value.get(token),
    })
}

/// The same, to change it.
pub(super) fn at_mut<'v>(object: &'v mut Value, place: &[String]) -> Option<&'v mut Value> {
    place.iter().try_fold(object, |value, token| match value {
        Value::Array(items) => match token.split_once('=') {
            Some((key, name)) => items.iter_mut().find(|item| item[key] == name),
            None => items.get_mut(token.parse::<usize>().ok()?),
        },
        value => value.get_mut(token),
    })
}
