//! Which keys of a chart's values may matter: by the values it comes with, by its schema, and by
//! what its templates refer to.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::values::get;
use crate::model::chart::ChartPart;

/// What a key takes, by its name and by what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KeyKind {
    Context,
    Volumes,
    Mounts,
    Variables,
    VariableMap,
    InitContainers,
    Words,
    Number,
}

/// A key that may matter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) path: Vec<String>,
    pub(super) kind: KeyKind,
}

/// The most keys that are marked, and how deep they lie.
const MAX_KEYS: usize = 1500;
const MAX_DEPTH: usize = 8;

/// Fields of which the values of one program of a chart have some.
const OF_A_PROGRAM: [&str; 9] = [
    "image",
    "replicas",
    "replicaCount",
    "resources",
    "nodeSelector",
    "tolerations",
    "affinity",
    "podAnnotations",
    "serviceAccount",
];

/// Fields of a security context that are maps themselves.
const OF_A_CONTEXT: [&str; 5] =
    ["capabilities", "seccompProfile", "seLinuxOptions", "appArmorProfile", "windowsOptions"];

static REFERENCES: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\.Values((?:\.[A-Za-z_][A-Za-z0-9_-]*)+)").ok());
static NAMES: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"\.([A-Za-z_][A-Za-z0-9_]*)|"([A-Za-z_][A-Za-z0-9_]*)""#).ok());

/// The keys of a chart and of those below it, in the values that are in force.
pub(super) fn keys(parts: &[ChartPart], values: &Value) -> Vec<Key> {
    let mut found = BTreeSet::new();
    let mut names = BTreeSet::new();
    for part in parts {
        for template in &part.templates {
            referred(template, part, values, &mut found);
            names.extend(named(template));
        }
        if let Some(schema) = &part.schema {
            of_schema(schema, schema, &mut part.prefix.clone(), values, &mut found);
        }
    }
    of_values(values, &mut Vec::new(), &names, values, &mut found);
    let is_allowed = |key: &Key| {
        parts.iter().filter_map(|part| Some((part, part.schema.as_ref()?))).all(|(part, schema)| {
            key.path.strip_prefix(part.prefix.as_slice()).is_none_or(|path| allows(schema, path))
        })
    };
    // A number in a security context is set with the whole of it.
    let is_inside = |key: &Key| {
        let above = &key.path[..key.path.len().saturating_sub(1)];
        key.kind == KeyKind::Number && above.last().is_some_and(|name| is_context(name))
    };
    let found = found.into_iter().filter(|key| is_allowed(key) && !is_inside(key));
    found.take(MAX_KEYS).collect()
}

/// The keys that a template names in full.
fn referred(template: &str, part: &ChartPart, values: &Value, found: &mut BTreeSet<Key>) {
    let Some(pattern) = &*REFERENCES else { return };
    for reference in pattern.captures_iter(template) {
        let names: Vec<String> =
            reference[1].split('.').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let is_global = names[0] == "global";
        let prefix = if is_global { &[][..] } else { &part.prefix };
        for end in 1..=names.len().min(MAX_DEPTH) {
            add([prefix, &names[..end]].concat(), values, found);
        }
    }
}

/// Names of fields in a template that sound like a key that may matter, as `.podSecurityContext`
/// in `with .Values.server`.
fn named(template: &str) -> BTreeSet<String> {
    let names = NAMES.iter().flat_map(|pattern| pattern.captures_iter(template));
    let names = names.filter_map(|name| Some(name.get(1).or(name.get(2))?.as_str().to_owned()));
    names.filter(|name| kind(name, None).is_some()).collect()
}

/// The keys that the values have, and in the part of each program those that templates name.
fn of_values(
    value: &Value,
    path: &mut Vec<String>,
    names: &BTreeSet<String>,
    values: &Value,
    found: &mut BTreeSet<Key>,
) {
    let Some(fields) = value.as_object().filter(|_| path.len() < MAX_DEPTH) else { return };
    let is_of_a_program = OF_A_PROGRAM.iter().any(|name| fields.contains_key(*name));
    let named = names.iter().filter(|_| is_of_a_program || path.is_empty());
    for name in named.filter(|name| !fields.contains_key(*name)) {
        add([path.as_slice(), std::slice::from_ref(name)].concat(), values, found);
    }
    for (name, field) in fields {
        path.push(name.clone());
        add(path.clone(), values, found);
        of_values(field, path, names, values, found);
        path.pop();
    }
}

/// The keys that a schema names.
fn of_schema(
    root: &Value,
    schema: &Value,
    path: &mut Vec<String>,
    values: &Value,
    found: &mut BTreeSet<Key>,
) {
    if path.len() >= MAX_DEPTH {
        return;
    }
    let schema = resolved(root, schema);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        path.push(name.clone());
        add(path.clone(), values, found);
        of_schema(root, field, path, values, found);
        path.pop();
    }
}

fn add(path: Vec<String>, values: &Value, found: &mut BTreeSet<Key>) {
    let current = get(values, &path);
    let Some(name) = path.last() else { return };
    // Of a context that has one for each of several, as `securityContext.pod`.
    let is_part = path.iter().rev().nth(1).is_some_and(|above| is_context(above))
        && current.is_some_and(Value::is_object)
        && !OF_A_CONTEXT.contains(&name.as_str());
    let kind = if is_part { Some(KeyKind::Context) } else { kind(name, current) };
    found.extend(kind.map(|kind| Key { path, kind }));
}

fn is_context(name: &str) -> bool {
    let name = name.to_lowercase().replace(['_', '-'], "");
    name.contains("securitycontext") || name.ends_with("podsecurity")
}

/// What a key of this name takes, unless it holds something else.
fn kind(name: &str, current: Option<&Value>) -> Option<KeyKind> {
    let lower = name.to_lowercase().replace(['_', '-'], "");
    let holds_map = current.is_none_or(Value::is_object);
    let holds_list = current.is_none_or(Value::is_array);
    if is_context(name) {
        return holds_map.then_some(KeyKind::Context);
    }
    if lower.contains("claim") || lower.contains("from") {
        return None;
    }
    if lower.ends_with("volumemounts") || lower.ends_with("mounts") {
        return holds_list.then_some(KeyKind::Mounts);
    }
    if lower.ends_with("volumes") {
        return holds_list.then_some(KeyKind::Volumes);
    }
    if lower.ends_with("initcontainers") {
        return holds_list.then_some(KeyKind::InitContainers);
    }
    if lower.ends_with("env") || lower.ends_with("envs") || lower.ends_with("envvars") {
        return match current {
            Some(Value::Object(fields)) if !fields.is_empty() => Some(KeyKind::VariableMap),
            _ => holds_list.then_some(KeyKind::Variables),
        };
    }
    if ["args", "command"].iter().any(|ending| lower.ends_with(ending)) {
        let words = current.and_then(Value::as_array);
        let are_words = words.is_none_or(|words| words.iter().all(Value::is_string));
        return (holds_list && are_words).then_some(KeyKind::Words);
    }
    let is_id = ["runasuser", "runasgroup", "fsgroup", "uid", "gid", "userid", "groupid"]
        .iter()
        .any(|known| lower == *known);
    (is_id && current.is_none_or(Value::is_number)).then_some(KeyKind::Number)
}

/// A schema with its reference followed, once.
fn resolved<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let reference = schema["$ref"].as_str().and_then(|name| name.strip_prefix('#'));
    reference.and_then(|place| root.pointer(place)).unwrap_or(schema)
}

/// Whether a schema may take a key: it does not refuse all that it does not name.
fn allows(schema: &Value, path: &[String]) -> bool {
    let mut at = resolved(schema, schema);
    for name in path {
        let named = at["properties"].get(name);
        let others = &at["additionalProperties"];
        let patterns = at["patternProperties"].is_object();
        match named {
            Some(field) => at = resolved(schema, field),
            None if *others == Value::Bool(false) && !patterns => return name == "global",
            None => return true,
        }
    }
    true
}
