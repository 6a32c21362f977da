//! The search for the pods of an object: by its kind, else by the shape of what is in it.

use serde_json::{Map, Value};

use super::path::{FieldPath, PathStep};
use super::{Fragment, ObjectPods, Pod, Shape};
use crate::model::knative;

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
pub(in crate::model) fn is_of_kubernetes(object: &Value) -> bool {
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
            match meaning(field, inner) {
                Some(FieldMeaning::Security { is_root, is_forbidden }) => {
                    self.found.fragments.push(Fragment {
                        path: at,
                        is_root,
                        is_forbidden,
                        is_hint: false,
                    });
                }
                Some(FieldMeaning::Hint) => {
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
            match meaning(field, inner) {
                Some(FieldMeaning::Security { is_root, is_forbidden }) => {
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
enum FieldMeaning {
    Security { is_root: bool, is_forbidden: bool },
    Hint,
}

fn meaning(field: &str, value: &Value) -> Option<FieldMeaning> {
    let lower = field.to_lowercase();
    let harmless = Some(FieldMeaning::Security { is_root: false, is_forbidden: false });
    match value {
        Value::Object(inner) if lower.ends_with("securitycontext") => {
            let each = inner.iter().filter_map(|(field, value)| meaning(field, value));
            let (is_root, is_forbidden) =
                each.fold((false, false), |(root, forbidden), one| match one {
                    FieldMeaning::Security { is_root, is_forbidden } => {
                        (root || is_root, forbidden || is_forbidden)
                    }
                    FieldMeaning::Hint => (root, forbidden),
                });
            Some(FieldMeaning::Security { is_root, is_forbidden })
        }
        Value::Object(inner) if ["seccompprofile", "apparmorprofile"].contains(&lower.as_str()) => {
            let kind = inner.get("type").and_then(Value::as_str)?;
            Some(FieldMeaning::Security { is_root: false, is_forbidden: kind == "Unconfined" })
        }
        Value::Object(inner)
            if ["template", "podtemplate", "podspec", "pod"].contains(&lower.as_str()) =>
        {
            let known = ["spec", "pod", "metadata", "containers"]
                .iter()
                .any(|field| inner.contains_key(*field));
            known.then_some(FieldMeaning::Hint)
        }
        Value::Number(uid) if lower.ends_with("runasuser") => {
            Some(FieldMeaning::Security { is_root: uid.as_i64() == Some(0), is_forbidden: false })
        }
        Value::Number(_) if lower.ends_with("runasgroup") || lower.ends_with("fsgroup") => harmless,
        Value::Bool(is_set)
            if ["privileged", "hostnetwork", "hostpid", "hostipc"].contains(&lower.as_str()) =>
        {
            Some(FieldMeaning::Security { is_root: false, is_forbidden: *is_set })
        }
        Value::Bool(_) if lower == "runasnonroot" => harmless,
        Value::Number(_) if ["replicas", "instances"].contains(&lower.as_str()) => {
            Some(FieldMeaning::Hint)
        }
        Value::String(image) if lower.ends_with("image") || lower == "imagename" => {
            (!image.contains("://")).then_some(FieldMeaning::Hint)
        }
        Value::Object(inner) if lower == "resources" => {
            let amounts = ["requests", "limits"].into_iter().filter_map(|field| inner.get(field));
            let mut of_containers = amounts
                .filter(|amounts| ["cpu", "memory"].iter().any(|one| amounts.get(*one).is_some()));
            of_containers.next().map(|_| FieldMeaning::Hint)
        }
        Value::Object(_) if ["nodeselector", "affinity"].contains(&lower.as_str()) => {
            Some(FieldMeaning::Hint)
        }
        Value::Array(_) if lower == "tolerations" => Some(FieldMeaning::Hint),
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
