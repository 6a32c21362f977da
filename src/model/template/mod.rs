//! Where an object has pods: at the place that its kind has for them, or anywhere else, by their
//! shape.
//!
//! A custom kind may have a pod template at any depth, several of them, a bare pod spec, only the
//! containers of a pod, or no more than a security context beside its replicas. What is a pod is
//! told by its fields and not by the name of its kind.

mod path;
mod search;

use std::borrow::Cow;

use serde_json::{Value, json};

pub use self::path::{FieldPath, PathStep};
pub use self::search::find;
pub(super) use self::search::is_of_kubernetes;
use super::knative;

/// What of a pod stands at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// A map with the pod's `spec`, and perhaps its `metadata`.
    Template,
    /// The pod's spec itself.
    Spec,
    /// A map with containers in other fields than a pod spec's, as a step of a workflow has them.
    Parts {
        init: Vec<FieldPath>,
        containers: Vec<FieldPath>,
        /// Where the security context of the pod is, and where one would be put.
        context: FieldPath,
        /// What the containers have where they say nothing themselves.
        defaults: Option<FieldPath>,
    },
}

/// A pod in an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    pub path: FieldPath,
    pub shape: Shape,
    /// It is the one that the kind is made for: `spec.template` of a Deployment.
    pub is_own: bool,
    /// All of the pod is here, so that it can be edited as a pod: nothing is added by whoever
    /// makes it.
    pub is_whole: bool,
    /// What tells it from others of the object; empty where it is the object's own.
    pub label: String,
    /// The nearest object with a kind that has it: in a template of objects, not the outermost.
    pub holder: FieldPath,
}

/// What an object says of pods that are not here to be judged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fragment {
    pub path: FieldPath,
    /// It makes a container root, whatever else there is.
    pub is_root: bool,
    /// The baseline level forbids it.
    pub is_forbidden: bool,
    /// It is what only pods have, and says nothing of who they run as.
    pub is_hint: bool,
}

/// The pods of an object, and what it says of others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectPods {
    pub pods: Vec<Pod>,
    pub fragments: Vec<Fragment>,
}

impl Pod {
    /// The same pod in an object that holds its object.
    fn within(self, outer: &FieldPath) -> Pod {
        let shape = match self.shape {
            Shape::Parts { init, containers, context, defaults } => Shape::Parts {
                init: init.iter().map(|path| outer.join(path)).collect(),
                containers: containers.iter().map(|path| outer.join(path)).collect(),
                context: outer.join(&context),
                defaults: defaults.map(|path| outer.join(&path)),
            },
            shape => shape,
        };
        Pod {
            path: outer.join(&self.path),
            shape,
            is_own: false,
            holder: outer.join(&self.holder),
            ..self
        }
    }

    /// The pod as a template that can be read as one.
    #[must_use]
    pub fn template<'a>(&self, object: &'a Value) -> Cow<'a, Value> {
        let there = self.path.get(object).unwrap_or(&Value::Null);
        if self.is_own && !knative::is_of(object) {
            return Cow::Borrowed(there);
        }
        let mut template = match &self.shape {
            Shape::Template => there.clone(),
            Shape::Spec => json!({"spec": there}),
            Shape::Parts { init, containers, context, defaults } => {
                let list = |paths: &[FieldPath]| -> Vec<Value> {
                    let each = paths.iter().filter_map(|path| Some((path, path.get(object)?)));
                    each.map(|(path, container)| {
                        completed(container, &self.own_name(path), defaults, object)
                    })
                    .collect()
                };
                let mut spec = json!({"containers": list(containers)});
                if !init.is_empty() {
                    spec["initContainers"] = json!(list(init));
                }
                if let Some(context) = context.get(object) {
                    spec["securityContext"] = context.clone();
                }
                if let Some(volumes) = there.get("volumes") {
                    spec["volumes"] = volumes.clone();
                }
                json!({ "spec": spec })
            }
        };
        if knative::is_of(object) {
            knative::name_containers(&mut template);
        } else if !self.is_own {
            name_by_place(&mut template);
        }
        Cow::Owned(template)
    }

    /// What a container is called that has no name: `main` of a single one, else its place in the
    /// list.
    fn own_name(&self, path: &FieldPath) -> String {
        match path.0.as_slice() {
            [.., PathStep::Field(list), PathStep::Item(item)] => format!("{list}[{item}]"),
            _ => "main".to_owned(),
        }
    }

    /// Where a field of the template stands in the object: `spec.containers[0].image`.
    #[must_use]
    pub fn place(&self, field: &str) -> String {
        let joined = |path: &FieldPath, rest: &str| match (
            path.0.is_empty(),
            rest.trim_start_matches('.'),
        ) {
            (true, rest) => rest.to_owned(),
            (false, "") => path.to_string(),
            (false, rest) => format!("{path}.{rest}"),
        };
        match &self.shape {
            Shape::Template => joined(&self.path, field),
            Shape::Spec => joined(&self.path, field.strip_prefix("spec").unwrap_or(field)),
            Shape::Parts { init, containers, context, .. } => {
                let rest = field.strip_prefix("spec.").unwrap_or(field);
                for (list, paths) in [("containers[", containers), ("initContainers[", init)] {
                    if let Some((number, rest)) =
                        rest.strip_prefix(list).and_then(|rest| rest.split_once(']'))
                        && let Some(path) =
                            number.parse().ok().and_then(|number: usize| paths.get(number))
                    {
                        return joined(path, rest);
                    }
                }
                match rest.strip_prefix("securityContext") {
                    Some(rest) => joined(context, rest),
                    None => joined(&self.path, rest),
                }
            }
        }
    }

    /// Puts a template back that was changed; only a whole one can be.
    pub fn put(&self, object: &mut Value, template: Value) {
        let template = if knative::is_of(object) {
            knative::unnamed(template, self.path.get(object).unwrap_or(&Value::Null))
        } else {
            template
        };
        let value = match (&self.shape, template) {
            (Shape::Template, template) => template,
            (Shape::Spec, mut template) => template["spec"].take(),
            (Shape::Parts { .. }, _) => return,
        };
        if let Some(place) = self.path.get_mut(object) {
            *place = value;
        }
    }
}

/// A container with a name, and with what its pod has for all of them.
fn completed(container: &Value, name: &str, defaults: &Option<FieldPath>, object: &Value) -> Value {
    let mut completed = json!({ "name": name });
    let defaults = defaults.as_ref().and_then(|path| path.get(object)).and_then(Value::as_object);
    let own = container.as_object();
    for (field, value) in defaults.into_iter().flatten().chain(own.into_iter().flatten()) {
        match (completed.get_mut(field), value) {
            (Some(Value::Object(before)), Value::Object(more)) => before.extend(more.clone()),
            _ => completed[field] = value.clone(),
        }
    }
    completed
}

/// Gives containers without a name that of their place.
fn name_by_place(template: &mut Value) {
    for list in ["initContainers", "containers"] {
        let containers =
            template.pointer_mut(&format!("/spec/{list}")).and_then(Value::as_array_mut);
        for (number, container) in containers.into_iter().flatten().enumerate() {
            if let Some(fields) =
                container.as_object_mut().filter(|fields| !fields.contains_key("name"))
            {
                fields.insert("name".to_owned(), json!(format!("{list}[{number}]")));
            }
        }
    }
}

#[cfg(test)]
mod tests;
