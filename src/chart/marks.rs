//! Marks: something unique for each key, and where it comes out.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::difference::leaves;
use super::keys::{Key, KeyKind};
use super::objects::{Id, Objects};
use super::values::{get, set};

/// The first number of a mark. Helm's numbers are floats, and from a million on a template would
/// print them with an exponent.
const FIRST: u64 = 730_000;

/// The fields of a security context that take a number: a template may pass on some of them only.
const IDS: [&str; 3] = ["runAsUser", "runAsGroup", "fsGroup"];

/// A key, and the number that is its mark.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    pub(super) key: Key,
    number: u64,
    /// Of a security context.
    fields: &'static [&'static str],
}

/// Where a key comes out: an object, and the place in it of the map or the list that has its value.
pub(super) type Site = (Id, Vec<String>);

/// A mark for each key, of numbers that none of the objects has.
pub(super) fn marks(keys: Vec<Key>, objects: &Objects) -> Vec<Mark> {
    let mut taken = BTreeSet::new();
    for object in objects.values() {
        leaves(object, &mut Vec::new(), &mut |_, leaf| taken.extend(leaf.as_u64()));
    }
    let free = (FIRST..).filter(|number| !taken.contains(number));
    keys.into_iter().zip(free).map(|(key, number)| Mark { key, number, fields: &IDS }).collect()
}

impl Mark {
    fn name(&self) -> String {
        match self.key.kind {
            KeyKind::Variables | KeyKind::VariableMap => format!("NONROOT_MARK_{}", self.number),
            _ => format!("nonroot-mark-{}", self.number),
        }
    }

    /// A smaller mark, for a schema that refuses this one.
    pub(super) fn smaller(&self) -> Option<Mark> {
        let is_large = self.key.kind == KeyKind::Context && self.fields.len() > 1;
        is_large.then(|| Mark { fields: &IDS[..1], ..self.clone() })
    }

    /// The key's value with the mark in it, over what the key holds now.
    pub(super) fn value(&self, values: &Value) -> Value {
        let (name, number) = (self.name(), self.number);
        let current = get(values, &self.key.path);
        let with = |item: Value| {
            let mut items = current.and_then(Value::as_array).cloned().unwrap_or_default();
            items.push(item);
            Value::Array(items)
        };
        match self.key.kind {
            KeyKind::Context => {
                let fields = self.fields.iter().map(|field| ((*field).to_owned(), json!(number)));
                let enabled = is_disabled(current).then(|| ("enabled".to_owned(), json!(true)));
                fields.chain(enabled).collect()
            }
            KeyKind::Volumes => with(json!({"name": name, "emptyDir": {}})),
            KeyKind::Mounts => with(json!({"name": name, "mountPath": format!("/{name}")})),
            KeyKind::Variables => with(json!({"name": name, "value": number.to_string()})),
            KeyKind::VariableMap => json!({name: number.to_string()}),
            KeyKind::InitContainers => with(json!({"name": name, "image": name})),
            KeyKind::Words => with(json!(name)),
            KeyKind::Number => json!(number),
        }
    }

    /// Where the mark comes out.
    pub(super) fn sites(&self, objects: &Objects) -> Vec<Site> {
        let mut sites = BTreeSet::new();
        let (name, number) = (self.name(), self.number.to_string());
        for (id, object) in objects {
            leaves(object, &mut Vec::new(), &mut |place, leaf| {
                let text = match leaf {
                    Value::String(text) => text.clone(),
                    leaf => leaf.to_string(),
                };
                let at = match self.key.kind {
                    KeyKind::Context => (text == number
                        && place.last().is_some_and(|field| IDS.contains(&field.as_str())))
                    .then(|| place.len() - 1),
                    KeyKind::Number => (text == number).then_some(place.len()),
                    KeyKind::Words => (text == name).then(|| place.len().saturating_sub(1)),
                    _ => place.iter().position(|token| token.contains(&name)),
                };
                sites.extend(at.map(|end| (id.clone(), place[..end].to_vec())));
            });
        }
        sites.into_iter().collect()
    }
}

/// Whether a map says of itself that it is not to be used.
pub(super) fn is_disabled(map: Option<&Value>) -> bool {
    map.is_some_and(|map| map["enabled"] == false)
}

/// Values with all of these marks.
pub(super) fn marked(marks: &[Mark], values: &Value) -> Value {
    let mut overrides = json!({});
    // What is above comes first, so that what lies below it is added to it.
    let mut marks: Vec<&Mark> = marks.iter().collect();
    marks.sort_by_key(|mark| mark.key.path.len());
    for mark in marks {
        match mark.value(values) {
            Value::Object(fields) => {
                for (name, value) in fields {
                    set(&mut overrides, &[mark.key.path.as_slice(), &[name]].concat(), value);
                }
            }
            value => {
                set(&mut overrides, &mark.key.path, value);
            }
        }
    }
    overrides
}
