//! Security fields of a pod template that stand where the API has none of them. With `kubectl
//! apply` the API server refuses such an object; without its validation the field is dropped in
//! silence, and what it was meant to do is not done.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::template::{self, FieldPath, Pod};

/// Fields of a pod's security context alone (k8s.io/api, core/v1/types.go, PodSecurityContext).
const OF_POD: [&str; 6] = [
    "fsGroup",
    "fsGroupChangePolicy",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "sysctls",
    "seLinuxChangePolicy",
];

/// Fields of a container's security context alone.
const OF_CONTAINER: [&str; 5] = [
    "allowPrivilegeEscalation",
    "capabilities",
    "privileged",
    "procMount",
    "readOnlyRootFilesystem",
];

/// Fields of both.
const OF_BOTH: [&str; 7] = [
    "runAsUser",
    "runAsGroup",
    "runAsNonRoot",
    "seLinuxOptions",
    "seccompProfile",
    "appArmorProfile",
    "windowsOptions",
];

/// Fields of a pod spec that are taken for those of a security context.
const OF_SPEC: [&str; 5] =
    ["hostNetwork", "hostPID", "hostIPC", "hostUsers", "shareProcessNamespace"];

/// What charts call a security context in their values, and no field of any object.
const OF_CHARTS: [&str; 2] = ["podSecurityContext", "containerSecurityContext"];

/// A field that is no field there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misplaced {
    /// Where it stands in the template: `spec.containers[0].securityContext.fsGroup`.
    path: String,
    /// It stands above the template, and that is its path in the object.
    is_above: bool,
    belongs: Belongs,
    outcome: Outcome,
}

/// Where a field belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Belongs {
    /// Into a map of the template: `spec.securityContext`.
    Into(String),
    ToEachContainer,
}

/// What can be made of a misplaced field.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// It was moved to where it belongs.
    Moved,
    /// The same is there already.
    There,
    /// It was taken out and not moved; why not. It had no effect where it stood.
    Dropped(&'static str),
}

impl Misplaced {
    fn new(path: String, belongs: Belongs, outcome: Outcome) -> Misplaced {
        Misplaced { path, is_above: false, belongs, outcome }
    }

    /// Where it stands in the object of a pod.
    #[must_use]
    pub fn path(&self, pod: &Pod) -> String {
        if self.is_above { self.path.clone() } else { pod.place(&self.path) }
    }

    /// What is wrong, as a sentence without a full stop.
    #[must_use]
    pub fn fault(&self, pod: &Pod) -> String {
        let (path, belongs) = (self.path(pod), self.belongs(pod));
        format!(
            "{path} is no field there, and the API server refuses or drops it: it belongs into {belongs}"
        )
    }

    /// What a fix does about it.
    #[must_use]
    pub fn mended(&self, pod: &Pod) -> String {
        let (path, belongs) = (self.path(pod), self.belongs(pod));
        match &self.outcome {
            Outcome::Moved => format!("{path} is no field there: it is moved into {belongs}"),
            Outcome::There => {
                format!("{path} is no field there: it is taken out, since {belongs} has it already")
            }
            Outcome::Dropped(why) => {
                format!(
                    "{path} is no field there: it belongs into {belongs}, and is taken out and not moved, because {why}"
                )
            }
        }
    }

    fn belongs(&self, pod: &Pod) -> String {
        match &self.belongs {
            Belongs::Into(path) => pod.place(path),
            Belongs::ToEachContainer => "the securityContext of each container".to_owned(),
        }
    }
}

/// An object with the misplaced fields of one of its pods where they belong, as far as that is
/// certain, its template, and what they were. The template alone changes where the pod is not at
/// the place of its kind.
#[must_use]
pub fn of_pod_in<'a>(object: &'a Value, pod: &Pod) -> (Cow<'a, Value>, Value, Vec<Misplaced>) {
    // A map that has fields of its own may have these as well.
    if !pod.is_whole {
        return (Cow::Borrowed(object), pod.template(object).into_owned(), Vec::new());
    }
    let (object, mut found) = lowered(object, pod);
    let (template, more) = match &object {
        Cow::Borrowed(object) => {
            let template = pod.template(object);
            let (template, more) = mended(&template);
            (template.into_owned(), more)
        }
        Cow::Owned(object) => {
            let template = pod.template(object);
            let (template, more) = mended(&template);
            (template.into_owned(), more)
        }
    };
    found.extend(more);
    (object, template, found)
}

/// What is misplaced in a pod, without a change of anything.
#[must_use]
pub fn in_pod(object: &Value, pod: &Pod, template: &Value) -> Vec<Misplaced> {
    if !pod.is_whole || is_sound(template) && above(object, pod).next().is_none() {
        return Vec::new();
    }
    of_pod_in(object, pod).2
}

/// The maps above the template of one of Kubernetes' own kinds that hold a security context.
fn above<'a>(object: &'a Value, pod: &'a Pod) -> impl Iterator<Item = FieldPath> + 'a {
    let is_ours = pod.is_own && template::is_of_kubernetes(object);
    let above = pod.path.ancestors().filter(move |_| is_ours);
    above.filter(|path| {
        path.get(object).is_some_and(|map| map.get("securityContext").is_some_and(Value::is_object))
    })
}

/// An object without the security contexts above its template, which are in it.
fn lowered<'a>(object: &'a Value, pod: &Pod) -> (Cow<'a, Value>, Vec<Misplaced>) {
    let paths: Vec<FieldPath> = above(object, pod).collect();
    if paths.is_empty() {
        return (Cow::Borrowed(object), Vec::new());
    }
    let (mut lowered, mut found) = (object.clone(), Vec::new());
    for path in paths {
        let context = path.get_mut(&mut lowered).and_then(|map| take(map, "securityContext"));
        let (Some(Value::Object(context)), Some(template)) =
            (context, pod.path.get_mut(&mut lowered))
        else {
            continue;
        };
        let outcome = fill(field(field(template, "spec"), "securityContext"), &context);
        found.push(Misplaced {
            path: path.field("securityContext").to_string(),
            is_above: true,
            belongs: Belongs::Into("spec.securityContext".to_owned()),
            outcome,
        });
    }
    (Cow::Owned(lowered), found)
}

/// A template with its misplaced fields where they belong, as far as that is certain, and what they
/// were.
fn mended(template: &Value) -> (Cow<'_, Value>, Vec<Misplaced>) {
    if is_sound(template) {
        return (Cow::Borrowed(template), Vec::new());
    }
    let mut mended = template.clone();
    let mut found = Vec::new();
    if let Some(spec) = mended.get_mut("spec").filter(|spec| spec.is_object()) {
        of_containers(spec, &mut found);
        of_pod(spec, &mut found);
    }
    if mended.get("spec").is_some_and(Value::is_object)
        && let Some(Value::Object(context)) = take(&mut mended, "securityContext")
    {
        let outcome = fill(field(&mut mended["spec"], "securityContext"), &context);
        let belongs = Belongs::Into("spec.securityContext".to_owned());
        found.push(Misplaced::new("securityContext".to_owned(), belongs, outcome));
    }
    if !found.is_empty() {
        prune(&mut mended["spec"], &template["spec"]);
    }
    (Cow::Owned(mended), found)
}

/// Whether no field is in a wrong place: most templates need no more than a look.
fn is_sound(template: &Value) -> bool {
    let has = |value: &Value, fields: &[&str]| {
        value
            .as_object()
            .is_some_and(|there| there.keys().any(|name| fields.contains(&name.as_str())))
    };
    let spec = &template["spec"];
    let lists =
        ["initContainers", "containers"].into_iter().filter_map(|list| spec[list].as_array());
    let mut containers = lists.flatten();
    !has(template, &["securityContext"])
        && ![&OF_POD[..], &OF_CONTAINER, &OF_BOTH, &OF_CHARTS]
            .iter()
            .any(|fields| has(spec, fields))
        && ![&OF_CONTAINER[..], &OF_SPEC].iter().any(|fields| has(&spec["securityContext"], fields))
        && containers.all(|container| {
            let context = &container["securityContext"];
            ![&OF_POD[..], &OF_CONTAINER, &OF_BOTH, &OF_SPEC, &OF_CHARTS]
                .iter()
                .any(|fields| has(container, fields))
                && ![&OF_POD[..], &OF_SPEC].iter().any(|fields| has(context, fields))
        })
}

/// Takes out the security contexts that are empty now and were not.
fn prune(spec: &mut Value, before: &Value) {
    let is_new = |value: &Value, before: &Value| {
        value.get("securityContext") == Some(&json!({}))
            && before.get("securityContext") != Some(&json!({}))
    };
    if is_new(spec, before) {
        take(spec, "securityContext");
    }
    for list in ["initContainers", "containers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        for (number, container) in containers.into_iter().flatten().enumerate() {
            if is_new(container, before[list].get(number).unwrap_or(&Value::Null)) {
                take(container, "securityContext");
            }
        }
    }
}

/// What containers hold that is the pod's, or their own security context's.
fn of_containers(spec: &mut Value, found: &mut Vec<Misplaced>) {
    let mut for_pod: Vec<(String, &'static str, Value)> = Vec::new();
    for list in ["initContainers", "containers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        for (number, container) in containers.into_iter().flatten().enumerate() {
            let path = format!("spec.{list}[{number}]");
            for name in OF_CONTAINER.iter().chain(&OF_BOTH).copied() {
                let Some(value) = take(container, name) else { continue };
                let outcome = set(field(container, "securityContext"), name, value);
                let belongs = Belongs::Into(format!("{path}.securityContext"));
                found.push(Misplaced::new(format!("{path}.{name}"), belongs, outcome));
            }
            for name in OF_CHARTS {
                let Some(Value::Object(context)) = take(container, name) else { continue };
                let outcome = fill(field(container, "securityContext"), &context);
                let belongs = Belongs::Into(format!("{path}.securityContext"));
                found.push(Misplaced::new(format!("{path}.{name}"), belongs, outcome));
            }
            for name in OF_POD.iter().chain(&OF_SPEC).copied() {
                if let Some(value) = take(container, name) {
                    for_pod.push((format!("{path}.{name}"), name, value));
                }
                let context =
                    container.get_mut("securityContext").filter(|context| context.is_object());
                if let Some(value) = context.and_then(|context| take(context, name)) {
                    for_pod.push((format!("{path}.securityContext.{name}"), name, value));
                }
            }
        }
    }
    let values: BTreeSet<(&str, String)> =
        for_pod.iter().map(|(_, name, value)| (*name, value.to_string())).collect();
    for (path, name, value) in for_pod {
        let differ = values.iter().filter(|(known, _)| *known == name).count() > 1;
        let (place, belongs) = match OF_SPEC.contains(&name) {
            true => (&mut *spec, "spec"),
            false => (field(spec, "securityContext"), "spec.securityContext"),
        };
        let outcome = match typed(name, value) {
            _ if differ => Outcome::Dropped("the containers say different things"),
            Err(why) => Outcome::Dropped(why),
            Ok(value) => set(place, name, value),
        };
        found.push(Misplaced::new(path, Belongs::Into(belongs.to_owned()), outcome));
    }
}

/// What the pod holds that is its containers', or its security context's.
fn of_pod(spec: &mut Value, found: &mut Vec<Misplaced>) {
    for name in OF_CHARTS {
        let Some(Value::Object(context)) = take(spec, name) else { continue };
        let outcome = fill(field(spec, "securityContext"), &context);
        let belongs = Belongs::Into("spec.securityContext".to_owned());
        found.push(Misplaced::new(format!("spec.{name}"), belongs, outcome));
    }
    for name in OF_POD.iter().chain(&OF_BOTH).copied() {
        let Some(value) = take(spec, name) else { continue };
        let outcome = match typed(name, value) {
            Ok(value) => set(field(spec, "securityContext"), name, value),
            Err(why) => Outcome::Dropped(why),
        };
        let belongs = Belongs::Into("spec.securityContext".to_owned());
        found.push(Misplaced::new(format!("spec.{name}"), belongs, outcome));
    }
    for name in OF_SPEC {
        let context = spec.get_mut("securityContext").filter(|context| context.is_object());
        let Some(value) = context.and_then(|context| take(context, name)) else { continue };
        let outcome = match typed(name, value) {
            Ok(value) => set(spec, name, value),
            Err(why) => Outcome::Dropped(why),
        };
        let belongs = Belongs::Into("spec".to_owned());
        found.push(Misplaced::new(format!("spec.securityContext.{name}"), belongs, outcome));
    }
    for name in OF_CONTAINER {
        let beside = take(spec, name).map(|value| (format!("spec.{name}"), value));
        let context = spec.get_mut("securityContext").filter(|context| context.is_object());
        let within = context.and_then(|context| take(context, name));
        let within = within.map(|value| (format!("spec.securityContext.{name}"), value));
        for (path, value) in beside.into_iter().chain(within) {
            let outcome = match typed(name, value) {
                Err(why) => Outcome::Dropped(why),
                Ok(value) => to_each(spec, name, &value),
            };
            found.push(Misplaced::new(path, Belongs::ToEachContainer, outcome));
        }
    }
}

fn to_each(spec: &mut Value, name: &str, value: &Value) -> Outcome {
    let lists = ["initContainers", "containers"];
    let mut outcome = Outcome::There;
    for list in lists {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let context = field(container, "securityContext");
            if context.get(name).is_none_or(Value::is_null) {
                context[name] = value.clone();
                outcome = Outcome::Moved;
            }
        }
    }
    outcome
}

/// A value as the field takes it; why it is not certain, or not to be granted where it had no
/// effect until now.
fn typed(name: &str, value: Value) -> Result<Value, &'static str> {
    const UNREADABLE: &str = "its value is of another type than the field takes";
    const GRANTS: &str = "it would grant what it has not granted until now";
    let is_true = value == json!(true);
    match name {
        "fsGroup" => number(&value).map(|number| json!(number)).ok_or("it does not say one group"),
        "supplementalGroups" => {
            let groups = value
                .as_array()
                .map(|groups| groups.iter().map(number).collect::<Option<Vec<i64>>>());
            groups.flatten().map(|groups| json!(groups)).ok_or(UNREADABLE)
        }
        "hostNetwork"
        | "hostPID"
        | "hostIPC"
        | "privileged"
        | "allowPrivilegeEscalation"
        | "shareProcessNamespace"
            if is_true =>
        {
            Err(GRANTS)
        }
        "capabilities" if value["add"].as_array().is_some_and(|added| !added.is_empty()) => {
            Err(GRANTS)
        }
        "procMount" if value != json!("Default") => Err(GRANTS),
        "capabilities" | "seccompProfile" | "appArmorProfile" | "seLinuxOptions"
        | "windowsOptions" => {
            if value.is_object() {
                Ok(value)
            } else {
                Err(UNREADABLE)
            }
        }
        "sysctls" => {
            if value.is_array() {
                Ok(value)
            } else {
                Err(UNREADABLE)
            }
        }
        "runAsUser" | "runAsGroup" => number(&value).map(|number| json!(number)).ok_or(UNREADABLE),
        "fsGroupChangePolicy"
        | "supplementalGroupsPolicy"
        | "seLinuxChangePolicy"
        | "procMount" => {
            if value.is_string() {
                Ok(value)
            } else {
                Err(UNREADABLE)
            }
        }
        _ => {
            if value.is_boolean() {
                Ok(value)
            } else {
                Err(UNREADABLE)
            }
        }
    }
}

/// A number, also one that is written as a text, or twice as a user and his group.
fn number(value: &Value) -> Option<i64> {
    let of_text = |text: &str| {
        let (one, other) = text.split_once(':').unwrap_or((text, text));
        (one == other).then(|| one.parse().ok()).flatten()
    };
    value.as_i64().or_else(|| value.as_str().and_then(of_text)).filter(|number| *number >= 0)
}

/// Sets a field that is not there.
fn set(place: &mut Value, name: &str, value: Value) -> Outcome {
    match place.get(name) {
        Some(there) if *there == value => Outcome::There,
        Some(there) if !there.is_null() => Outcome::Dropped("another value is there"),
        _ => {
            place[name] = value;
            Outcome::Moved
        }
    }
}

fn fill(place: &mut Value, values: &Map<String, Value>) -> Outcome {
    let outcomes: Vec<Outcome> =
        values.iter().map(|(name, value)| set(place, name, value.clone())).collect();
    let worst = outcomes.iter().find(|outcome| matches!(outcome, Outcome::Dropped(_)));
    worst.cloned().unwrap_or(if outcomes.contains(&Outcome::Moved) {
        Outcome::Moved
    } else {
        Outcome::There
    })
}

fn take(value: &mut Value, name: &str) -> Option<Value> {
    value.as_object_mut()?.shift_remove(name)
}

fn field<'a>(value: &'a mut Value, name: &str) -> &'a mut Value {
    let place = &mut value[name];
    if !place.is_object() {
        *place = json!({});
    }
    place
}

#[cfg(test)]
mod tests;
