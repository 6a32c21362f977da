//! The way from an object to something in it.

use std::fmt;

use serde_json::Value;

/// A step into an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathStep {
    Field(String),
    Item(usize),
}

/// The way from an object to something in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct FieldPath(pub(super) Vec<PathStep>);

impl FieldPath {
    /// The fields of `spec.template`.
    #[must_use]
    pub fn of(fields: &str) -> FieldPath {
        FieldPath(
            fields
                .split('.')
                .filter(|field| !field.is_empty())
                .map(|field| PathStep::Field(field.to_owned()))
                .collect(),
        )
    }

    /// The maps on the way, but for the object itself.
    pub(in crate::model) fn ancestors(&self) -> impl Iterator<Item = FieldPath> + '_ {
        (1..self.0.len()).map(|end| FieldPath(self.0[..end].to_vec()))
    }

    #[must_use]
    pub(in crate::model) fn field(&self, field: &str) -> FieldPath {
        FieldPath(self.0.iter().cloned().chain([PathStep::Field(field.to_owned())]).collect())
    }

    #[must_use]
    pub(super) fn item(&self, item: usize) -> FieldPath {
        FieldPath(self.0.iter().cloned().chain([PathStep::Item(item)]).collect())
    }

    /// The way on from here along another one.
    #[must_use]
    pub(super) fn join(&self, rest: &FieldPath) -> FieldPath {
        FieldPath([self.0.as_slice(), rest.0.as_slice()].concat())
    }

    /// The way that a text tells which is made as one is shown: `spec.containers[0].image`.
    #[must_use]
    pub fn parse(text: &str) -> FieldPath {
        let mut path = FieldPath::default();
        for part in text.split(['.', '[']).filter(|part| !part.is_empty()) {
            path = match part.strip_suffix(']') {
                Some(number) => {
                    number.parse().map_or_else(|_| path.field(number), |number| path.item(number))
                }
                None => path.field(part),
            };
        }
        path
    }

    /// Takes what is there out of an object, if it is a field.
    pub fn remove(&self, object: &mut Value) -> Option<Value> {
        let (PathStep::Field(field), above) = self.0.split_last()? else { return None };
        FieldPath(above.to_vec()).get_mut(object)?.as_object_mut()?.shift_remove(field)
    }

    #[must_use]
    pub fn get<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(object, |value, step| match step {
            PathStep::Field(field) => value.get(field),
            PathStep::Item(item) => value.get(item),
        })
    }

    #[must_use]
    pub fn get_mut<'a>(&self, object: &'a mut Value) -> Option<&'a mut Value> {
        self.0.iter().try_fold(object, |value, step| match step {
            PathStep::Field(field) => value.get_mut(field),
            PathStep::Item(item) => value.get_mut(item),
        })
    }

    /// What a person calls the place, in a few words: items by their names, without the steps that
    /// every kind has.
    pub(super) fn label(&self, object: &Value) -> String {
        const COMMON: [&str; 5] = ["spec", "template", "podTemplate", "podSpec", "pod"];
        let is_common = |step: &PathStep| matches!(step, PathStep::Field(field) if COMMON.contains(&field.as_str()));
        let start = self.0.iter().take_while(|step| is_common(step)).count();
        let end = self.0.iter().rposition(|step| !is_common(step)).map_or(start, |last| last + 1);
        let mut label = String::new();
        for at in start..end {
            match &self.0[at] {
                PathStep::Field(field) if label.is_empty() => label.push_str(field),
                PathStep::Field(field) => label.push_str(&format!(".{field}")),
                PathStep::Item(item) => {
                    let value =
                        FieldPath(self.0[..=at].to_vec()).get(object).unwrap_or(&Value::Null);
                    let name = value["name"]
                        .as_str()
                        .or(value.pointer("/metadata/name").and_then(Value::as_str));
                    label.push_str(&name.map_or(format!("[{item}]"), |name| format!("[{name}]")));
                }
            }
        }
        label
    }
}

/// `spec.workerGroupSpecs[0].template`.
impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                PathStep::Field(field) if field.contains(['.', '[', ']']) => {
                    write!(f, "[{field}]")?
                }
                PathStep::Field(field) if at == 0 => f.write_str(field)?,
                PathStep::Field(field) => write!(f, ".{field}")?,
                PathStep::Item(item) => write!(f, "[{item}]")?,
            }
        }
        Ok(())
    }
}
