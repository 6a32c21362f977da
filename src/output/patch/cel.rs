//! A change of a pod as an expression of the Common Expression Language that gives JSON Patch
//! operations, as MutatingAdmissionPolicy takes it. A pod has more in its lists than its template: what a
//! controller or another admission adds. So items are found by their keys when the pod is made.

use serde_json::{Map, Value};

use crate::model::merge_key::merge_key;

/// An expression, and the variables that it uses: name and expression each.
pub(super) struct JsonPatch {
    pub(super) variables: Vec<(String, String)>,
    pub(super) expression: String,
}

/// The operations that make of a pod of one template what a pod of the other would be.
pub(super) fn json_patch(before: &Value, after: &Value) -> JsonPatch {
    let mut writer = Writer::default();
    let root = Place { pointer: String::new(), access: "object".to_owned() };
    for part in ["metadata", "spec"] {
        let (old, new) = (&before[part], &after[part]);
        writer.objects(&root.field(part), &empty_or(old), &empty_or(new));
    }
    JsonPatch { variables: writer.variables, expression: writer.terms.join(" +\n") }
}

/// Whether no two items of a list share their key, as the ports of one number for TCP and UDP do.
fn has_one_of_each(list: &Value, key: &str) -> bool {
    let items = list.as_array().map_or(&[][..], Vec::as_slice);
    let is_first =
        |(at, item): (usize, &Value)| !items[..at].iter().any(|other| other[key] == item[key]);
    items.iter().enumerate().all(is_first)
}

fn empty_or(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// Where something stands in a pod.
#[derive(Clone)]
struct Place {
    /// The JSON pointer, as a CEL expression without its opening quote and with none at its end:
    /// `/spec/containers/" + string(variables.i0) + "/env`.
    pointer: String,
    /// The CEL expression that gives what is there.
    access: String,
}

impl Place {
    fn field(&self, name: &str) -> Place {
        let token = name.replace('~', "~0").replace('/', "~1");
        let is_identifier = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let quoted = literal(&Value::from(token));
        let access = match is_identifier {
            true => format!("{}.{name}", self.access),
            false => format!("{}[{}]", self.access, literal(&Value::from(name))),
        };
        Place { pointer: format!("{}/{}", self.pointer, &quoted[1..quoted.len() - 1]), access }
    }

    fn item(&self, variable: &str) -> Place {
        Place {
            pointer: format!("{}/\" + string(variables.{variable}) + \"", self.pointer),
            access: format!("{}[variables.{variable}]", self.access),
        }
    }

    /// Whether it is there, in CEL.
    fn exists(&self) -> String {
        match self.access.strip_suffix(']').and_then(|access| access.rsplit_once('[')) {
            Some((map, key)) if key.starts_with('"') => format!("({key} in {map})"),
            _ => format!("has({})", self.access),
        }
    }
}

#[derive(Default)]
struct Writer {
    variables: Vec<(String, String)>,
    /// Expressions that give a list of operations each.
    terms: Vec<String>,
}

impl Writer {
    fn operation(&mut self, operation: &str, pointer: &str, value: Option<&Value>) {
        let value = value.map(|value| format!(", value: {}", literal(value))).unwrap_or_default();
        // Where a pointer ends in an expression, nothing need be appended to it.
        let pointer = format!("\"{pointer}\"").replace(" + \"\"", "");
        self.terms.push(format!("[JSONPatch{{op: \"{operation}\", path: {pointer}{value}}}]"));
    }

    fn objects(&mut self, place: &Place, before: &Map<String, Value>, after: &Map<String, Value>) {
        for (name, new) in after {
            let field = place.field(name);
            let key = merge_key(name).filter(|key| {
                has_one_of_each(new, key)
                    && before.get(name).is_none_or(|old| has_one_of_each(old, key))
            });
            match (before.get(name), new, key) {
                (Some(old), new, _) if old == new => {}
                (old, Value::Array(new), Some(key)) => {
                    let old = old.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                    self.lists(&field, old, new, key);
                }
                (Some(Value::Object(old)), Value::Object(new), _) => self.objects(&field, old, new),
                // A map of annotations that the template has not may be there all the same.
                (None, Value::Object(new), _) if name == "annotations" => {
                    self.present(&field, "{}");
                    self.objects(&field, &Map::new(), new);
                }
                _ => self.operation("add", &field.pointer, Some(new)),
            }
        }
        for name in before.keys().filter(|name| !after.contains_key(*name)) {
            self.operation("remove", &place.field(name).pointer, None);
        }
    }

    /// Makes something empty where nothing is.
    fn present(&mut self, place: &Place, empty: &str) {
        self.terms.push(format!(
            "({} ? [] : [JSONPatch{{op: \"add\", path: \"{}\", value: {empty}}}])",
            place.exists(),
            place.pointer
        ));
    }

    fn lists(&mut self, place: &Place, before: &[Value], after: &[Value], key: &str) {
        let find =
            |items: &'_ [Value], item: &Value| items.iter().position(|one| one[key] == item[key]);
        for new in after {
            let Some(old) = find(before, new).map(|at| &before[at]).filter(|old| *old != new)
            else {
                continue;
            };
            let variable = self.variable(place, key, new);
            self.objects(&place.item(&variable), &empty_or(old), &empty_or(new));
        }
        let gone: Vec<&Value> =
            before.iter().rev().filter(|old| find(after, old).is_none()).collect();
        for old in gone {
            let variable = self.variable(place, key, old);
            self.operation("remove", &place.item(&variable).pointer, None);
        }
        let added: Vec<(usize, &Value)> =
            after.iter().enumerate().filter(|(_, new)| find(before, new).is_none()).collect();
        if added.is_empty() {
            return;
        }
        self.present(place, "[]");
        let first_kept = after.iter().position(|new| find(before, new).is_some());
        for (at, new) in added {
            // What runs first stands first.
            let end = match first_kept.is_some_and(|first| at < first) {
                true => format!("{}/{at}", place.pointer),
                false => format!("{}/-", place.pointer),
            };
            self.operation("add", &end, Some(new));
        }
    }

    /// A variable that has the index of an item.
    fn variable(&mut self, place: &Place, key: &str, item: &Value) -> String {
        let expression =
            format!("{}.map(i, i.{key}).indexOf({})", place.access, literal(&item[key]));
        if let Some((name, _)) = self.variables.iter().find(|(_, known)| *known == expression) {
            return name.clone();
        }
        let name = format!("i{}", self.variables.len());
        self.variables.push((name.clone(), expression));
        name
    }
}

/// A value as CEL has it. The API server wants all items of a list or a map to be of one type
/// (k8s.io/apiserver, pkg/cel/environment/base.go, `HomogeneousAggregateLiterals`); `dyn` is one.
pub(super) fn literal(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(dynamic).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), dynamic(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        // JSON's numbers, words and strings are CEL's, too.
        scalar => scalar.to_string(),
    }
}

fn dynamic(value: &Value) -> String {
    format!("dyn({})", literal(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn expression(before: Value, after: Value) -> String {
        json_patch(&json!({"spec": before}), &json!({"spec": after})).expression
    }

    #[test]
    fn a_field_is_set_where_it_stands() {
        assert_eq!(
            expression(json!({}), json!({"hostUsers": false})),
            r#"[JSONPatch{op: "add", path: "/spec/hostUsers", value: false}]"#
        );
        assert_eq!(
            expression(json!({"hostPID": true}), json!({})),
            r#"[JSONPatch{op: "remove", path: "/spec/hostPID"}]"#
        );
    }

    #[test]
    fn an_item_is_found_by_its_key() {
        let of = |more: Value| {
            let mut container = json!({"name": "web"});
            container.as_object_mut().expect("an object").extend(empty_or(&more));
            json!({"spec": {"containers": [container]}})
        };
        let patch = json_patch(&of(json!({})), &of(json!({"args": ["-x"]})));
        assert_eq!(
            patch.variables,
            [(
                "i0".to_owned(),
                r#"object.spec.containers.map(i, i.name).indexOf("web")"#.to_owned()
            )]
        );
        assert_eq!(
            patch.expression,
            r#"[JSONPatch{op: "add", path: "/spec/containers/" + string(variables.i0) + "/args", value: [dyn("-x")]}]"#
        );
    }

    #[test]
    fn what_is_added_goes_into_a_list_that_may_be_there() {
        assert_eq!(
            expression(json!({}), json!({"volumes": [{"name": "a"}]})),
            "(has(object.spec.volumes) ? [] : [JSONPatch{op: \"add\", path: \"/spec/volumes\", value: []}]) +\n\
             [JSONPatch{op: \"add\", path: \"/spec/volumes/-\", value: {\"name\": dyn(\"a\")}}]"
        );
    }

    #[test]
    fn items_that_share_their_key_are_replaced_together() {
        let port = |name: &str, protocol: &str| json!({"name": name, "containerPort": 53, "protocol": protocol});
        let container = |ports: Value| json!({"containers": [{"name": "dns", "ports": ports}]});
        let before = container(json!([port("a", "UDP"), port("b", "TCP")]));
        let after = container(json!([port("a", "UDP"), port("c", "TCP")]));
        let text = expression(before, after);
        assert!(text.contains("/ports\", value: [dyn("), "{text}");
    }

    #[test]
    fn what_runs_first_stands_first() {
        let after = json!({"initContainers": [{"name": "seed"}, {"name": "init"}]});
        let text = expression(json!({"initContainers": [{"name": "init"}]}), after);
        assert!(text.contains("\"/spec/initContainers/0\""), "{text}");
    }
}
