//! Edits to one planned object: the original JSON, changed only where an edit or the level says so.

use serde_json::{Value, json};

use super::demand::demand;
use super::edit;
use super::fields::{field, names};
use super::privilege::privileged;
use crate::model::edit::Edit;
use crate::model::podsecurity::Level;

/// Where the pod template stands in an object of a kind: the keys from the top.
#[must_use]
pub fn template_path(object: &Value) -> &'static [&'static str] {
    match object.get("kind").and_then(Value::as_str) {
        Some("Pod") => &[],
        Some("PodTemplate") => &["template"],
        Some("CronJob") => &["spec", "jobTemplate", "spec", "template"],
        _ => &["spec", "template"],
    }
}

/// Applies edits, and the fields that a level demands and the object lacks, to an object with a pod
/// template. Doing it again with the result changes nothing. Containers that need real privilege
/// stay as they are; the others of their pod then have the fields that are else the pod's.
#[must_use]
pub fn compose(object: &Value, level: Level, edits: &[Edit]) -> Value {
    let mut planned = object.clone();
    let template = template_path(object).iter().fold(&mut planned, |value, key| field(value, key));
    let left = privileged(field(template, "spec"));
    let is_left = |name: &str| left.contains_key(name);
    if !left.is_empty() && names(field(template, "spec")).all(is_left) {
        return object.clone();
    }
    let edits = without(edits, field(template, "spec"), &is_left);

    let root_inside = edits.contains(&Edit::UserNamespace);
    let is_inside = root_inside || field(template, "spec").get("hostUsers") == Some(&json!(false));
    let non_root = edits.contains(&Edit::NonRoot) && !is_inside;
    demand(template, level, non_root, &is_left);

    let spec = field(template, "spec");
    for one in &edits {
        edit::apply(one, spec, &is_left);
    }
    if non_root {
        edit::non_root::settle(spec);
    }
    edit::volumes(spec, &edits, level);
    planned
}

/// The edits that do not concern the containers that are left. What would be the pod's is each
/// other container's own then.
fn without(edits: &[Edit], spec: &Value, is_left: &dyn Fn(&str) -> bool) -> Vec<Edit> {
    let is_any_left = names(spec).any(is_left);
    let of_each = |uid: u32, gid: u32| {
        names(spec).filter(|name| !is_left(name)).map(move |name| Edit::RunAs {
            container: Some(name.to_owned()),
            uid,
            gid,
        })
    };
    let mut kept = Vec::with_capacity(edits.len());
    for edit in edits.iter().filter(|edit| !edit.container().is_some_and(is_left)) {
        match edit {
            Edit::RunAs { container: None, uid, gid } if is_any_left => {
                kept.extend(of_each(*uid, *gid));
            }
            edit => kept.push(edit.clone()),
        }
    }
    kept
}

#[cfg(test)]
mod tests;
