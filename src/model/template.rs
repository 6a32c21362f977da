//! Where an object has pods: at the place that its kind has for them, or anywhere else, by their
//! shape.
//!
//! A custom kind may have a pod template at any depth, several of them, a bare pod spec, only the
//! containers of a pod, or no more than a security context beside its replicas. What is a pod is
//! told by its fields and not by the name of its kind.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value, json};

use super::knative;

/// A step into an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathStep {
    Field(String),
    Item(usize),
}

/// The way from an object to something in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct FieldPath(Vec<PathStep>);

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
    pub(super) fn ancestors(&self) -> impl Iterator<Item = FieldPath> + '_ {
        (1..self.0.len()).map(|end| FieldPath(self.0[..end].to_vec()))
    }

    #[must_use]
    pub(super) fn field(&self, field: &str) -> FieldPath {
        FieldPath(self.0.iter().cloned().chain([PathStep::Field(field.to_owned())]).collect())
    }

    #[must_use]
    fn item(&self, item: usize) -> FieldPath {
        FieldPath(self.0.iter().cloned().chain([PathStep::Item(item)]).collect())
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
    fn label(&self, object: &Value) -> String {
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

/// The fields of a pod spec (k8s.io/api, core/v1/types.go, PodSpec).
const OF_POD_SPEC: [&str; 42] = [
    "activeDeadlineSeconds",
    "affinity",
    "automountServiceAccountToken",
    "containers",
    "dnsConfig",
    "dnsPolicy",
    "enableServiceLinks",
    "ephemeralContainers",
    "hostAliases",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostUsers",
    "hostname",
    "hostnameOverride",
    "imagePullSecrets",
    "initContainers",
    "nodeName",
    "nodeSelector",
    "os",
    "overhead",
    "preemptionPolicy",
    "priority",
    "priorityClassName",
    "readinessGates",
    "resourceClaims",
    "resources",
    "restartPolicy",
    "runtimeClassName",
    "schedulerName",
    "schedulingGates",
    "schedulingGroup",
    "securityContext",
    "serviceAccount",
    "serviceAccountName",
    "setHostnameAsFQDN",
    "shareProcessNamespace",
    "subdomain",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
    "volumes",
];

/// The groups of Kubernetes itself: their kinds have pods at one place or nowhere.
const OF_KUBERNETES: [&str; 26] = [
    "",
    "admission.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "extensions",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "metrics.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// The group of an object's kind; empty for the oldest.
fn group(object: &Value) -> &str {
    let version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    version.split_once('/').map_or("", |(group, _)| group)
}

/// Whether a kind is one of Kubernetes itself.
pub(super) fn is_of_kubernetes(object: &Value) -> bool {
    OF_KUBERNETES.contains(&group(object))
}

/// The pods of an object with a kind.
#[must_use]
pub fn find(object: &Value) -> ObjectPods {
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
    let (group, is_custom) = (group(object), !is_of_kubernetes(object));
    if let Some(path) = own(object, text("kind")) {
        let spec = path.field("spec");
        let is_whole =
            !is_custom || knative::is_of(object) || spec.get(object).is_some_and(is_whole_spec);
        let pod = Pod {
            path,
            shape: Shape::Template,
            is_own: true,
            is_whole,
            label: String::new(),
            holder: FieldPath::default(),
        };
        return ObjectPods { pods: vec![pod], fragments: Vec::new() };
    }
    // OpenShift's Template had no group once, and holds whole objects.
    let holds_objects = group.is_empty() && object.get("objects").is_some_and(Value::is_array);
    if !(is_custom || holds_objects) {
        return ObjectPods::default();
    }
    let mut search = Search { object, found: ObjectPods::default(), hints: Vec::new() };
    for (field, value) in object.as_object().into_iter().flatten() {
        // What an operator reports is no wish.
        if !["metadata", "status", "apiVersion", "kind"].contains(&field.as_str()) {
            search.visit(value, &FieldPath::default().field(field), &FieldPath::default());
        }
    }
    let Search { mut found, hints, .. } = search;
    if found.pods.is_empty() && found.fragments.is_empty() {
        found.fragments = hints;
    }
    found
}

/// Where a kind has its pod template, if it is there.
fn own(object: &Value, kind: &str) -> Option<FieldPath> {
    let candidates: &[&str] = match kind {
        "Pod" => &[""],
        "PodTemplate" => &["template"],
        "CronJob" => &["spec.jobTemplate.spec.template", "spec.template"],
        _ => &["spec.template", "spec.jobTemplate.spec.template"],
    };
    let known = matches!(
        kind,
        "Pod"
            | "Deployment"
            | "StatefulSet"
            | "DaemonSet"
            | "ReplicaSet"
            | "ReplicationController"
            | "Job"
    );
    candidates.iter().map(|path| FieldPath::of(path)).find(|path| {
        let template = path.get(object);
        known && template.is_some()
            || template
                .and_then(|template| template.pointer("/spec/containers"))
                .is_some_and(Value::is_array)
    })
}

struct Search<'a> {
    object: &'a Value,
    found: ObjectPods,
    /// What only pods have, though it says nothing of who they run as.
    hints: Vec<Fragment>,
}

impl Search<'_> {
    /// Looks at a value; `context` is the nearest map above that has a pod's security context.
    fn visit(&mut self, value: &Value, path: &FieldPath, context: &FieldPath) {
        let items = match value {
            Value::Object(fields) => return self.map(fields, value, path, context),
            Value::Array(items) => items,
            _ => return,
        };
        if matches!(path.0.last(), Some(PathStep::Field(field)) if is_about_others(field)) {
            return;
        }
        for (number, item) in items.iter().enumerate() {
            self.visit(item, &path.item(number), context);
        }
    }

    fn map(
        &mut self,
        fields: &Map<String, Value>,
        value: &Value,
        path: &FieldPath,
        context: &FieldPath,
    ) {
        if matches!(path.0.last(), Some(PathStep::Field(field)) if is_about_others(field)) {
            return;
        }
        // A whole object in another, as a template of objects has them.
        if value["kind"].is_string() && value["apiVersion"].is_string() {
            let ObjectPods { pods, fragments } = find(value);
            for pod in pods {
                self.add(pod.within(path));
            }
            let within =
                |fragment: Fragment| Fragment { path: path.join(&fragment.path), ..fragment };
            self.found.fragments.extend(fragments.into_iter().map(within));
            return;
        }
        let of_template = |name: &&str| fields.get(*name).is_some_and(is_spec);
        if of_template(&"spec") {
            let spec = path.field("spec");
            let shape = if fields.keys().all(|field| ["spec", "metadata"].contains(&field.as_str()))
            {
                Shape::Template
            } else {
                Shape::Spec
            };
            let place = if shape == Shape::Template { path.clone() } else { spec.clone() };
            self.add(Pod {
                path: place,
                shape,
                is_own: false,
                is_whole: is_whole_spec(&value["spec"]),
                label: String::new(),
                holder: FieldPath::default(),
            });
            self.beside(&value["spec"], &spec, context, &OF_POD_SPEC);
            self.beside(value, path, context, &["spec", "metadata"]);
            return;
        }
        if is_spec(value) {
            self.add(Pod {
                path: path.clone(),
                shape: Shape::Spec,
                is_own: false,
                is_whole: is_whole_spec(value),
                label: String::new(),
                holder: FieldPath::default(),
            });
            self.beside(value, path, context, &OF_POD_SPEC);
            return;
        }
        if let Some(shape) = parts(value, path, context, self.object) {
            self.add(Pod {
                path: path.clone(),
                shape,
                is_own: false,
                is_whole: false,
                label: String::new(),
                holder: FieldPath::default(),
            });
            self.beside(value, path, context, &OF_PARTS);
            return;
        }
        let context = if fields.get("securityContext").is_some_and(Value::is_object) {
            path
        } else {
            context
        };
        for (field, inner) in fields {
            let at = path.field(field);
            match told(field, inner) {
                Some(Told::Security { is_root, is_forbidden }) => {
                    self.found.fragments.push(Fragment {
                        path: at,
                        is_root,
                        is_forbidden,
                        is_hint: false,
                    });
                }
                Some(Told::Hint) => {
                    self.hints.push(Fragment {
                        path: at.clone(),
                        is_hint: true,
                        ..Fragment::default()
                    });
                    self.visit(inner, &at, context);
                }
                None => self.visit(inner, &at, context),
            }
        }
    }

    /// What stands in a map beside the fields that were understood.
    fn beside(
        &mut self,
        value: &Value,
        path: &FieldPath,
        context: &FieldPath,
        understood: &[&str],
    ) {
        for (field, inner) in value.as_object().into_iter().flatten() {
            if understood.contains(&field.as_str()) {
                continue;
            }
            let at = path.field(field);
            match told(field, inner) {
                Some(Told::Security { is_root, is_forbidden }) => {
                    self.found.fragments.push(Fragment {
                        path: at,
                        is_root,
                        is_forbidden,
                        is_hint: false,
                    });
                }
                _ => self.visit(inner, &at, context),
            }
        }
    }

    fn add(&mut self, pod: Pod) {
        if let Shape::Parts { context, .. } = &pod.shape {
            // It is part of this pod now, and was seen before.
            self.found.fragments.retain(|fragment| fragment.path != *context);
        }
        let label = pod.path.label(self.object);
        self.found.pods.push(Pod { label, ..pod });
    }
}

/// Whether a field holds what only matches pods, or changes those of others: a policy's `pattern`
/// or `patchStrategicMerge`.
fn is_about_others(field: &str) -> bool {
    let ends = ["pattern", "Pattern", "patch", "Patch"];
    field.starts_with("patch") || ends.iter().any(|end| field.ends_with(end))
}

/// Fields of a map of parts that are understood with it.
const OF_PARTS: [&str; 9] = [
    "container",
    "script",
    "containerSet",
    "steps",
    "stepTemplate",
    "initContainers",
    "sidecars",
    "securityContext",
    "volumes",
];

/// What a field says by its name and its type.
enum Told {
    Security { is_root: bool, is_forbidden: bool },
    Hint,
}

fn told(field: &str, value: &Value) -> Option<Told> {
    let lower = field.to_lowercase();
    let harmless = Some(Told::Security { is_root: false, is_forbidden: false });
    match value {
        Value::Object(inner) if lower.ends_with("securitycontext") => {
            let each = inner.iter().filter_map(|(field, value)| told(field, value));
            let (is_root, is_forbidden) =
                each.fold((false, false), |(root, forbidden), one| match one {
                    Told::Security { is_root, is_forbidden } => {
                        (root || is_root, forbidden || is_forbidden)
                    }
                    Told::Hint => (root, forbidden),
                });
            Some(Told::Security { is_root, is_forbidden })
        }
        Value::Object(inner) if ["seccompprofile", "apparmorprofile"].contains(&lower.as_str()) => {
            let kind = inner.get("type").and_then(Value::as_str)?;
            Some(Told::Security { is_root: false, is_forbidden: kind == "Unconfined" })
        }
        Value::Object(inner)
            if ["template", "podtemplate", "podspec", "pod"].contains(&lower.as_str()) =>
        {
            let known = ["spec", "pod", "metadata", "containers"]
                .iter()
                .any(|field| inner.contains_key(*field));
            known.then_some(Told::Hint)
        }
        Value::Number(uid) if lower.ends_with("runasuser") => {
            Some(Told::Security { is_root: uid.as_i64() == Some(0), is_forbidden: false })
        }
        Value::Number(_) if lower.ends_with("runasgroup") || lower.ends_with("fsgroup") => harmless,
        Value::Bool(is_set)
            if ["privileged", "hostnetwork", "hostpid", "hostipc"].contains(&lower.as_str()) =>
        {
            Some(Told::Security { is_root: false, is_forbidden: *is_set })
        }
        Value::Bool(_) if lower == "runasnonroot" => harmless,
        Value::Number(_) if ["replicas", "instances"].contains(&lower.as_str()) => Some(Told::Hint),
        Value::String(image) if lower.ends_with("image") || lower == "imagename" => {
            (!image.contains("://")).then_some(Told::Hint)
        }
        Value::Object(inner) if lower == "resources" => {
            let amounts = ["requests", "limits"].into_iter().filter_map(|field| inner.get(field));
            let mut of_containers = amounts
                .filter(|amounts| ["cpu", "memory"].iter().any(|one| amounts.get(*one).is_some()));
            of_containers.next().map(|_| Told::Hint)
        }
        Value::Object(_) if ["nodeselector", "affinity"].contains(&lower.as_str()) => {
            Some(Told::Hint)
        }
        Value::Array(_) if lower == "tolerations" => Some(Told::Hint),
        _ => None,
    }
}

/// Whether a value is a pod spec: a map with `containers`, or `initContainers`, that are some.
fn is_spec(value: &Value) -> bool {
    ["containers", "initContainers"].iter().any(|list| value.get(list).is_some_and(are_containers))
        && !value.get("container").is_some_and(is_container)
        && !value.get("script").is_some_and(is_container)
}

/// Whether a list is of containers: each with a name or an image, and none with a pattern for one.
fn are_containers(list: &Value) -> bool {
    let Some(items) = list.as_array() else { return false };
    !items.is_empty() && items.iter().all(is_named) && items.iter().any(is_more_than_a_name)
}

fn is_named(item: &Value) -> bool {
    let name = item.get("name").map(|name| name.as_str().is_some_and(is_name));
    let image =
        item.get("image").map(|image| image.as_str().is_some_and(|image| !image.contains('*')));
    item.is_object() && name.or(image).is_some() && name != Some(false) && image != Some(false)
}

/// The name of a container, or what a template puts in its place.
fn is_name(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.contains("{{") || !name.is_empty() && name.chars().all(is_word)
}

/// A list of names and numbers is no list of containers.
fn is_more_than_a_name(item: &Value) -> bool {
    const OF_CONTAINER: [&str; 12] = [
        "image",
        "command",
        "args",
        "env",
        "envFrom",
        "ports",
        "volumeMounts",
        "resources",
        "securityContext",
        "livenessProbe",
        "readinessProbe",
        "imagePullPolicy",
    ];
    OF_CONTAINER.iter().any(|field| item.get(field).is_some())
}

/// One container, in a field of its own.
fn is_container(value: &Value) -> bool {
    value.get("image").and_then(Value::as_str).is_some_and(|image| !image.contains('*'))
}

/// Whether everything of a pod is in a spec, and nothing that is no pod's.
fn is_whole_spec(spec: &Value) -> bool {
    let Some(fields) = spec.as_object() else { return false };
    let lists =
        ["containers", "initContainers"].into_iter().filter_map(|list| spec.get(list)?.as_array());
    let mut containers = lists.flatten();
    fields.keys().all(|field| OF_POD_SPEC.contains(&field.as_str()))
        && spec
            .get("containers")
            .and_then(Value::as_array)
            .is_some_and(|containers| !containers.is_empty())
        && containers
            .all(|container| ["name", "image"].iter().all(|field| container[*field].is_string()))
}

/// The containers of a map that are not a pod spec's: one in a field `container` or `script`, or a
/// list of steps.
fn parts(value: &Value, path: &FieldPath, context: &FieldPath, object: &Value) -> Option<Shape> {
    let list = |field: &str, at: FieldPath| {
        let items = value.get(field).and_then(Value::as_array).into_iter().flatten().enumerate();
        items
            .filter(|(_, item)| is_container(item))
            .map(move |(number, _)| at.item(number))
            .collect::<Vec<_>>()
    };
    let single = ["container", "script"]
        .into_iter()
        .filter(|field| value.get(field).is_some_and(is_container));
    let mut containers: Vec<FieldPath> = single.map(|field| path.field(field)).collect();
    let set = value
        .pointer("/containerSet/containers")
        .filter(|list| are_containers(list))
        .and_then(Value::as_array);
    let set_path = path.field("containerSet").field("containers");
    containers.extend((0..set.map_or(0, Vec::len)).map(|number| set_path.item(number)));
    containers.extend(list("steps", path.field("steps")));
    if containers.is_empty() {
        return None;
    }
    containers.extend(list("sidecars", path.field("sidecars")));
    let own = path.field("securityContext");
    let above = context.field("securityContext");
    let is_own = own.get(object).is_some() || above.get(object).is_none();
    let defaults = value.get("stepTemplate").filter(|defaults| defaults.is_object());
    Some(Shape::Parts {
        init: list("initContainers", path.field("initContainers")),
        containers,
        context: if is_own { own } else { above },
        defaults: defaults.map(|_| path.field("stepTemplate")),
    })
}

impl FieldPath {
    fn join(&self, rest: &FieldPath) -> FieldPath {
        FieldPath([self.0.as_slice(), rest.0.as_slice()].concat())
    }
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
mod tests {
    use super::*;

    fn found(spec: Value) -> ObjectPods {
        find(
            &json!({"apiVersion": "example.com/v1", "kind": "Runner", "metadata": {"name": "r"}, "spec": spec}),
        )
    }

    fn pods(spec: Value) -> Vec<(String, String, bool)> {
        let pods = found(spec).pods.into_iter();
        pods.map(|pod| (pod.path.to_string(), pod.label, pod.is_whole)).collect()
    }

    fn pod(path: &str, label: &str, is_whole: bool) -> (String, String, bool) {
        (path.to_owned(), label.to_owned(), is_whole)
    }

    fn container(name: &str) -> Value {
        json!({"name": name, "image": "i"})
    }

    #[test]
    fn templates_are_found_at_any_depth() {
        let template = |name: &str| json!({"spec": {"containers": [container(name)]}});
        assert_eq!(
            pods(
                json!({"head": {"template": template("h")}, "workers": [{"template": template("w")}, {"name": "big", "podTemplate": template("x")}]})
            ),
            [
                pod("spec.head.template", "head", true),
                pod("spec.workers[0].template", "workers[0]", true),
                pod("spec.workers[1].podTemplate", "workers[big]", true),
            ]
        );
        assert_eq!(
            pods(
                json!({"jobs": [{"name": "j", "template": {"spec": {"template": template("w")}}}]})
            ),
            [pod("spec.jobs[0].template.spec.template", "jobs[j]", true)]
        );
        assert_eq!(
            pods(json!({"podSpec": {"containers": [container("a")]}})),
            [pod("spec.podSpec", "", true)]
        );
    }

    #[test]
    fn a_spec_with_fields_of_its_own_is_judged_and_not_whole() {
        let spec = json!({"replicas": 2, "securityContext": {"runAsUser": 0}, "containers": [container("a")]});
        assert_eq!(pods(json!({"predictor": spec})), [pod("spec.predictor", "predictor", false)]);
        // An operator adds what is not here.
        let no_image = json!({"spec": {"containers": [{"name": "main", "securityContext": {"runAsUser": 0}}]}});
        assert_eq!(pods(json!({"podTemplate": no_image})), [pod("spec.podTemplate", "", false)]);
        let only_init = json!({"spec": {"initContainers": [{"name": "a", "securityContext": {"privileged": true}}]}});
        assert_eq!(
            pods(json!({"sets": [{"name": "default", "podTemplate": only_init}]})),
            [pod("spec.sets[0].podTemplate", "sets[default]", false)]
        );
    }

    #[test]
    fn a_step_is_a_pod_of_its_parts() {
        let object = json!({"apiVersion": "example.com/v1", "kind": "Flow", "spec": {
        "securityContext": {"runAsUser": 0},
        "templates": [
            {"name": "all", "steps": [[{"name": "a", "template": "print"}]]},
            {"name": "print", "container": {"image": "i", "securityContext": {"privileged": true}}, "sidecars": [container("log")]},
        ]}});
        let ObjectPods { pods, fragments } = find(&object);
        assert_eq!((pods.len(), fragments), (1, vec![]));
        assert_eq!(
            (pods[0].path.to_string().as_str(), pods[0].label.as_str()),
            ("spec.templates[1]", "templates[print]")
        );
        let spec = json!({"securityContext": {"runAsUser": 0}, "containers": [
            {"name": "main", "image": "i", "securityContext": {"privileged": true}}, container("log")]});
        assert_eq!(*pods[0].template(&object), json!({ "spec": spec }));
        for (field, place) in [
            (
                "spec.containers[0].securityContext.privileged",
                "spec.templates[1].container.securityContext.privileged",
            ),
            ("spec.containers[1].image", "spec.templates[1].sidecars[0].image"),
            ("spec.securityContext.runAsUser", "spec.securityContext.runAsUser"),
        ] {
            assert_eq!(pods[0].place(field), place);
        }
    }

    #[test]
    fn steps_take_what_their_template_has() {
        let object = json!({"apiVersion": "example.com/v1", "kind": "Task", "spec": {
            "stepTemplate": {"securityContext": {"runAsNonRoot": true}},
            "steps": [{"image": "i", "securityContext": {"runAsUser": 5}}, {"name": "x", "ref": {"name": "y"}}]}});
        let ObjectPods { pods, .. } = find(&object);
        let template = pods[0].template(&object);
        let expected = json!([{"name": "steps[0]", "image": "i", "securityContext": {"runAsNonRoot": true, "runAsUser": 5}}]);
        assert_eq!(template["spec"]["containers"], expected);
    }

    #[test]
    fn what_only_tells_of_pods_is_named() {
        let fragments = |spec: Value| -> Vec<(String, bool)> {
            found(spec)
                .fragments
                .into_iter()
                .map(|fragment| (fragment.path.to_string(), fragment.is_root))
                .collect()
        };
        let one = |path: &str, is_root: bool| vec![(path.to_owned(), is_root)];
        let context = json!({"runAsUser": 0, "fsGroup": 0});
        assert_eq!(
            fragments(
                json!({"kafka": {"replicas": 3, "template": {"pod": {"securityContext": context}}}})
            ),
            one("spec.kafka.template.pod.securityContext", true)
        );
        let unconfined = found(json!({"seccompProfile": {"type": "Unconfined"}})).fragments;
        assert_eq!(
            (unconfined[0].path.to_string().as_str(), unconfined[0].is_forbidden),
            ("spec.seccompProfile", true)
        );
        assert_eq!(fragments(json!({"databaseRunAsUser": 0})), one("spec.databaseRunAsUser", true));
        assert_eq!(
            fragments(json!({"template": {"spec": {"domain": {}}}})),
            one("spec.template", false)
        );
        assert_eq!(fragments(json!({"instances": 3})), one("spec.instances", false));
        assert_eq!(
            fragments(json!({"driver": {"image": "spark:3", "cores": 1}})),
            one("spec.driver.image", false)
        );
        assert_eq!(
            fragments(json!({"web": {"resources": {"limits": {"cpu": 1}}}})),
            one("spec.web.resources", false)
        );
        assert_eq!(
            fragments(json!({"host": "a", "port": 80, "image": "https://example.com/logo.png"})),
            vec![]
        );
    }

    #[test]
    fn patterns_and_schemas_are_no_pods() {
        let pattern = json!({"spec": {"containers": [{"name": "*", "image": "*:*"}]}});
        assert_eq!(pods(json!({"rules": [{"validate": {"pattern": pattern}}]})), []);
        let condition = json!({"spec": {"containers": [{"(name)": "*", "securityContext": {"privileged": "false"}}]}});
        assert_eq!(pods(json!({"rules": [{"mutate": condition}]})), []);
        let named = json!({"spec": {"containers": [container("a")]}});
        for field in ["anyPattern", "patchStrategicMerge"] {
            assert_eq!(
                found(json!({"rules": [{"mutate": {field: {"spec": {"template": named}}}}]})),
                ObjectPods::default()
            );
            assert_eq!(
                found(json!({"rules": [{"mutate": {field: [named]}}]})),
                ObjectPods::default()
            );
        }
        assert_eq!(pods(json!({"dispatcher": named})).len(), 1);
        assert_eq!(pods(json!({"containers": [{"name": "a", "usage": {"cpu": "1"}}]})), []);
        let schema = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": {
            "properties": {"securityContext": {"type": "object"}, "replicas": 1}}});
        assert_eq!(find(&schema), ObjectPods::default());
    }

    #[test]
    fn whole_objects_in_another_keep_their_own_places() {
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"template": {"spec": {"containers": [container("a")]}}}});
        let template = json!({"apiVersion": "template.example.com/v1", "kind": "Template", "objects": [deployment]});
        let ObjectPods { pods, .. } = find(&template);
        assert_eq!(
            (pods[0].path.to_string().as_str(), pods[0].label.as_str()),
            ("objects[0].spec.template", "objects[web]")
        );
    }

    #[test]
    fn a_path_is_read_as_it_is_shown() {
        for text in ["spec.containers[0].image", "spec", "objects[1].spec.template", ""] {
            assert_eq!(FieldPath::parse(text).to_string(), text);
        }
        let mut object = json!({"a": [{"b": 1, "c": 2}]});
        assert_eq!(FieldPath::parse("a[0].b").remove(&mut object), Some(json!(1)));
        assert_eq!(object, json!({"a": [{"c": 2}]}));
        assert_eq!(FieldPath::parse("a[0]").remove(&mut object), None);
    }

    #[test]
    fn what_is_put_back_is_where_it_was() {
        let object = json!({"apiVersion": "example.com/v1", "kind": "Runner", "spec": {"podSpec": {"containers": [container("a")]}}});
        let pod = find(&object).pods.remove(0);
        let mut template = pod.template(&object).into_owned();
        template["spec"]["hostUsers"] = json!(false);
        let mut changed = object.clone();
        pod.put(&mut changed, template);
        assert_eq!(
            changed["spec"]["podSpec"],
            json!({"containers": [container("a")], "hostUsers": false})
        );
    }
}
