//! A JSON merge patch (RFC 7386), as `kubectl patch --type=merge` takes it for kinds of which no
//! merge key is known.

use serde_json::{Map, Value};

use super::strategic;

/// The least merge patch that turns one object into the other, with what names the object. Lists
/// are whole.
#[must_use]
pub fn merge(original: &Value, planned: &Value) -> Value {
    strategic::named(original, change(original, planned))
}

fn change(before: &Value, after: &Value) -> Option<Value> {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        return (before != after).then(|| after.clone());
    };
    let mut patch = Map::new();
    for (field, value) in new {
        match old.get(field) {
            None => drop(patch.insert(field.clone(), value.clone())),
            Some(previous) => {
                patch.extend(change(previous, value).map(|change| (field.clone(), change)))
            }
        }
    }
    let removed = old.keys().filter(|field| !new.contains_key(*field));
    patch.extend(removed.map(|field| (field.clone(), Value::Null)));
    (!patch.is_empty()).then(|| Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::merge;

    #[test]
    fn a_list_is_whole_and_the_rest_is_the_least() {
        let before = json!({"apiVersion": "x/v1", "kind": "Runner", "metadata": {"name": "a", "labels": {"b": "c"}},
            "spec": {"replicas": 1, "gone": true, "pod": {"containers": [{"name": "a"}, {"name": "b"}]}}});
        let mut after = before.clone();
        after["spec"].as_object_mut().expect("fields").shift_remove("gone");
        after["spec"]["pod"]["containers"][1]["image"] = json!("i");
        let expected = json!({"apiVersion": "x/v1", "kind": "Runner", "metadata": {"name": "a"},
            "spec": {"pod": {"containers": [{"name": "a"}, {"name": "b", "image": "i"}]}, "gone": null}});
        assert_eq!(merge(&before, &after), expected);
    }
}
