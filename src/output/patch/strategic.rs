//! A strategic merge patch, as `kubectl patch` takes it for built-in kinds.

use serde_json::{Map, Value, json};

use crate::model::merge_key::merge_key;

/// How a patch says in which order the items of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// By `$setElementOrder`, where new items do not simply come last, as the API server reads it.
    Directive,
    /// By naming every item up to the last that changes: for a reader that puts those first.
    Named,
}

/// The least patch that turns one object into the other, with what names the object.
#[must_use]
pub fn strategic(original: &Value, planned: &Value) -> Value {
    patch(original, planned, Order::Directive)
}

pub(super) fn patch(original: &Value, planned: &Value, order: Order) -> Value {
    named(original, change(original, planned, order))
}

/// A change with what names its object.
pub(super) fn named(original: &Value, change: Option<Value>) -> Value {
    let mut patch = json!({"apiVersion": original["apiVersion"], "kind": original["kind"], "metadata": {"name": original["metadata"]["name"]}});
    if !original["metadata"]["namespace"].is_null() {
        patch["metadata"]["namespace"] = original["metadata"]["namespace"].clone();
    }
    if let Some(Value::Object(changes)) = change {
        for (key, value) in changes {
            match (key.as_str(), value) {
                ("metadata", Value::Object(fields)) => {
                    fields.into_iter().for_each(|(field, value)| patch["metadata"][field] = value);
                }
                (_, value) => patch[key] = value,
            }
        }
    }
    patch
}

/// What changes from one value to another; `None` if nothing does.
fn change(before: &Value, after: &Value, order: Order) -> Option<Value> {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        return (before != after).then(|| after.clone());
    };
    let mut patch = Map::new();
    for (field, value) in new {
        let Some(previous) = old.get(field) else {
            patch.insert(field.clone(), value.clone());
            continue;
        };
        match (merge_key(field), previous, value) {
            _ if previous == value => {}
            (Some(key), Value::Array(old), Value::Array(new)) => {
                patch.extend(list(field, key, (old, new), order))
            }
            _ => patch.extend(change(previous, value, order).map(|change| (field.clone(), change))),
        }
    }
    let removed = old.keys().filter(|field| !new.contains_key(*field));
    patch.extend(removed.map(|field| (field.clone(), Value::Null)));
    (!patch.is_empty()).then(|| Value::Object(patch))
}

/// The items that change, each with its merge key, and their order.
fn list(
    field: &str,
    key: &str,
    (old, new): (&[Value], &[Value]),
    order: Order,
) -> Vec<(String, Value)> {
    // A port may be there twice, for TCP and for UDP: such items cannot be told apart, and the list
    // is replaced.
    if [old, new].iter().any(|items| has_twins(items, key)) {
        let whole = std::iter::once(json!({"$patch": "replace"})).chain(new.iter().cloned());
        return vec![(field.to_owned(), whole.collect())];
    }
    let find =
        |items: &[Value], item: &Value| items.iter().position(|known| known[key] == item[key]);
    let changed = |item: &Value| match find(old, item) {
        None => Some(item.clone()),
        // Its name first, as a person would write it.
        Some(at) => change(&old[at], item, order).map(|change| {
            let mut named = json!({key: item[key]});
            for (field, value) in change.as_object().into_iter().flatten() {
                named[field] = value.clone();
            }
            named
        }),
    };
    let changes: Vec<Option<Value>> = new.iter().map(changed).collect();
    let left_out = match order {
        Order::Directive => 0,
        Order::Named => {
            trailing(&changes, &new.iter().map(|item| find(old, item)).collect::<Vec<_>>())
        }
    };
    let mut items: Vec<Value> = Vec::new();
    for (at, (item, change)) in new.iter().zip(changes).enumerate() {
        let name =
            (order == Order::Named && at + left_out < new.len()).then(|| json!({key: item[key]}));
        items.extend(change.or(name));
    }
    let removed = old.iter().filter(|item| find(new, item).is_none());
    items.extend(removed.map(|item| json!({"$patch": "delete", key: item[key]})));
    let kept = old.iter().filter(|item| find(new, item).is_some());
    let expected: Vec<&Value> = kept
        .chain(new.iter().filter(|item| find(old, item).is_none()))
        .map(|item| &item[key])
        .collect();
    let wanted: Vec<&Value> = new.iter().map(|item| &item[key]).collect();
    let mut fields = Vec::new();
    if order == Order::Directive && expected != wanted {
        let names: Vec<Value> = wanted.into_iter().map(|name| json!({key: name})).collect();
        fields.push((format!("$setElementOrder/{field}"), json!(names)));
    }
    if !items.is_empty() {
        fields.push((field.to_owned(), json!(items)));
    }
    fields
}

/// How many items at the end need no mention: they stay as they are, and in the order that they
/// had.
fn trailing(changes: &[Option<Value>], before: &[Option<usize>]) -> usize {
    let mut next = usize::MAX;
    let unchanged = changes.iter().zip(before).rev().take_while(|(change, at)| {
        let is_in_order = at.is_some_and(|at| at < next);
        next = at.unwrap_or(0);
        change.is_none() && is_in_order
    });
    unchanged.count()
}

fn has_twins(items: &[Value], key: &str) -> bool {
    items
        .iter()
        .enumerate()
        .any(|(at, item)| items[..at].iter().any(|other| other[key] == item[key]))
}
