//! Values as Helm merges them: maps field by field, everything else as a whole, and null takes a
//! field away.

use serde_json::{Value, json};

/// Values with others over them.
#[must_use]
pub fn merged(mut below: Value, above: &Value) -> Value {
    merge(&mut below, above);
    below
}

fn merge(below: &mut Value, above: &Value) {
    let (Value::Object(fields), Value::Object(others)) = (&mut *below, above) else {
        *below = above.clone();
        return;
    };
    for (name, value) in others {
        match fields.get_mut(name) {
            _ if value.is_null() => {
                fields.shift_remove(name);
            }
            Some(field) => merge(field, value),
            None => {
                fields.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Values of a user with others over them, as one layer: null stays, since it takes away what the
/// chart has.
#[must_use]
pub fn layered(mut below: Value, above: &Value) -> Value {
    fn layer(below: &mut Value, above: &Value) {
        match (below, above) {
            (Value::Object(fields), Value::Object(others)) => {
                for (name, value) in others {
                    layer(fields.entry(name.clone()).or_insert(Value::Null), value);
                }
            }
            (below, above) => *below = above.clone(),
        }
    }
    layer(&mut below, above);
    below
}

/// Sets a field that lies deeper; maps are made on the way. False: something else is in the way.
pub(super) fn set(values: &mut Value, path: &[String], value: Value) -> bool {
    let Some((name, rest)) = path.split_first() else {
        *values = value;
        return true;
    };
    if values.is_null() {
        *values = json!({});
    }
    let Some(fields) = values.as_object_mut() else { return false };
    set(fields.entry(name.clone()).or_insert(Value::Null), rest, value)
}

pub(super) fn get<'v>(values: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(values, |value, name| value.get(name)).filter(|value| !value.is_null())
}
