//! What is to be fixed: workloads of the cluster, or of files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::image::{self, RegistryFlags};
use super::super::progress::Spinner;
use super::super::target::{self, Target};
use super::super::{Fault, say};
use super::{FixArgs, file};
use crate::error::{Error, Partial};
use crate::evidence::cluster::{Cluster, Fields, Namespaces, Scope, Selection};
use crate::evidence::image::{Source, Wanted, configurations};
use crate::evidence::manifests::{self, Manifest, ManifestFile};
use crate::model::container::Container;
use crate::model::identity::Origin;
use crate::model::image::Config;
use crate::model::podsecurity::Level;
use crate::model::schema::Takes;
use crate::model::template::{FieldPath, Pod, Shape};
use crate::model::volume::{self, Volumes};
use crate::model::workload::{Unjudged, Workload};
use crate::model::{knative, misplaced};
use crate::plan;
use crate::policy;

/// One workload to fix.
pub(super) struct Subject {
    /// What is planned for: the whole object, with the fields that our types do not know. Of a pod
    /// inside another kind, an object around its template; fields that stood in a wrong place
    /// are in their own.
    pub(super) object: Value,
    /// What that takes for granted, and a reader should know.
    pub(super) notes: Vec<String>,
    /// What the reader of the file said of it.
    faults: Vec<String>,
    pub(super) namespace: String,
    /// A pod of it that runs today: where, and its name.
    pub(super) root_pod: Option<(String, String)>,
    /// What is live of it.
    pub(super) workload: Option<Workload>,
    /// The storage behind its volumes, and who shares them.
    pub(super) volumes: Arc<Volumes>,
    /// Where it stands in a file.
    pub(super) manifest: Option<Manifest>,
    /// The configurations of its images, each by its container, and why those are missing that
    /// could not be read.
    pub(super) configurations: Partial<Vec<(String, Config)>>,
}

impl Subject {
    /// `deployment/web`, and of a pod inside another kind where it stands:
    /// `raycluster/ray:headGroupSpec`.
    pub(super) fn name(&self) -> String {
        match self.manifest.as_ref().filter(|manifest| !manifest.pod.label.is_empty()) {
            Some(Manifest { workload, .. }) => {
                format!("{}/{}", workload.kind.to_lowercase(), workload.name)
            }
            None => plan::name(&self.object),
        }
    }

    /// The object as it is.
    pub(super) fn before(&self) -> &Value {
        self.manifest.as_ref().map_or(&self.object, |manifest| &manifest.object)
    }

    /// The object with a plan in it.
    pub(super) fn after(&self, planned: &Value) -> Value {
        let mut after = self.before().clone();
        self.put(planned, &mut after);
        after
    }

    /// Puts a plan into the object, or into one that has other plans in it already.
    pub(super) fn put(&self, planned: &Value, object: &mut Value) {
        match self.framed() {
            Some((manifest, at)) => {
                if let Some(template) = at.get(planned) {
                    manifest.pod.put(object, self.fitted(template).0);
                }
            }
            None => *object = planned.clone(),
        }
    }

    /// The manifest of a pod that is not planned for as it stands, and where the object that is
    /// planned for has it.
    fn framed(&self) -> Option<(&Manifest, FieldPath)> {
        let manifest = self.manifest.as_ref()?;
        match manifest.pod.is_own {
            true if knative::is_of(&manifest.object) => Some((manifest, manifest.pod.path.clone())),
            true => None,
            false => Some((manifest, FieldPath::of(FRAME))),
        }
    }

    /// A planned template as its kind takes it, and what of the plan that leaves out.
    fn fitted(&self, template: &Value) -> (Value, Vec<String>) {
        match self.manifest.as_ref().filter(|manifest| knative::is_of(&manifest.object)) {
            Some(manifest) => knative::fitted(&manifest.pod.template(&manifest.object), template),
            None => (template.clone(), Vec::new()),
        }
    }

    /// Remedies, by their ids, that the object's kind does not take.
    pub(super) fn refused_remedies(&self) -> Vec<&'static str> {
        let manifest = self.manifest.as_ref().filter(|manifest| knative::is_of(&manifest.object));
        manifest
            .map(|manifest| knative::refused_remedies(&manifest.pod.template(&manifest.object)))
            .unwrap_or_default()
    }

    /// What of a plan the object's kind does not take.
    pub(super) fn left_out(&self, planned: &Value) -> Option<String> {
        let (_, at) = self.framed()?;
        let (_, left_out) = self.fitted(at.get(planned)?);
        (!left_out.is_empty()).then(|| {
            format!(
                "Knative's webhook refuses some fields unless its administrator enables them, and they are left out: {}",
                left_out.join(", ")
            )
        })
    }

    /// An object of the cluster of which no more is known.
    fn of_cluster(object: Value, namespace: String) -> Subject {
        Subject {
            object,
            notes: Vec::new(),
            faults: Vec::new(),
            namespace,
            root_pod: None,
            workload: None,
            volumes: Arc::default(),
            manifest: None,
            configurations: Partial::clean(Vec::new()),
        }
    }

    /// What is known of its containers: live, else by its file.
    pub(super) fn known(&self) -> Option<&Workload> {
        self.workload.as_ref().or_else(|| self.manifest.as_ref().map(|manifest| &manifest.workload))
    }

    /// Its containers whose user only their image tells: the spec gives them none, and no pod runs
    /// that would show that it is root.
    fn undecided(&self) -> impl Iterator<Item = &Container> {
        let containers =
            self.known().map(|workload| workload.containers.as_slice()).unwrap_or_default();
        containers.iter().filter(|container| match container.user.origin {
            Origin::Container | Origin::Pod => false,
            _ => container.user.uid != Some(0),
        })
    }

    /// Whether a container of it was root until now, or may have been.
    pub(super) fn was_root(&self, container: &str) -> bool {
        let known = self
            .known()
            .and_then(|workload| workload.containers.iter().find(|known| known.name == container));
        known.is_none_or(|known| known.root != Some(false))
    }

    /// Whether its pods have a volume of this name, of their own or of a StatefulSet's claim
    /// templates.
    pub(super) fn has_volume(&self, name: &str) -> bool {
        let volumes = plan::pod_spec(&self.object).and_then(|spec| spec["volumes"].as_array());
        let claims = self.object.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
        volumes.into_iter().flatten().any(|volume| volume["name"] == name)
            || claims.into_iter().flatten().any(|claim| claim["metadata"]["name"] == name)
    }
}

/// Where the object around a template has it.
const FRAME: &str = "spec.template";

/// What the files of -f hold.
#[derive(Default)]
pub(super) struct OfFiles {
    pub(super) files: Vec<Arc<ManifestFile>>,
    pub(super) subjects: Vec<Subject>,
    /// What is not edited, or not as its writer meant it, each in a sentence.
    pub(super) notes: Vec<String>,
    /// Something that makes pods is there and is not edited.
    pub(super) saw_others: bool,
    /// Among that is something that the level forbids, or root.
    pub(super) left_alone: bool,
    /// Kinds of what is not edited: apiVersion and kind.
    pub(super) kinds: BTreeSet<(String, String)>,
}

impl OfFiles {
    /// Which fields of the kinds that are not edited take a change, where the cluster knows these
    /// kinds.
    pub(super) async fn ask_schemas(&mut self, cluster: &Cluster) {
        for (api_version, kind) in &self.kinds {
            let takes = cluster.takes(api_version, kind).await;
            let places: Vec<&str> = takes
                .iter()
                .map(|one| match one {
                    Takes::Pod(path) | Takes::Context(path) => path.as_str(),
                })
                .collect();
            let more = places.len().saturating_sub(MOST_PLACES);
            let shown = places.get(..MOST_PLACES).unwrap_or(&places).join(", ");
            let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
            if !places.is_empty() {
                let kind = kind.to_lowercase();
                self.notes.push(format!(
                    "{kind}: by its schema in the cluster, pods and security contexts are set at {shown}{rest}"
                ));
            }
        }
    }
}

/// The most fields of a kind that are told.
const MOST_PLACES: usize = 8;

/// What is to be done with a workload of a file.
enum Taken {
    Fixed(Box<Subject>),
    Refused(Error),
    /// Not all of its pod is there; of which kind it is, and whether the level forbids what there
    /// is.
    Left(String, (String, String), bool),
}

/// The files of -f, each once, and their workloads. What cannot be read or is no place for a plan
/// is an error beside the rest.
pub(super) fn of_files(args: &FixArgs, namespace: &str) -> (OfFiles, Vec<Error>) {
    let selection = &args.selection;
    let Partial { value: mut files, mut errors } =
        manifests::files(&selection.filename, selection.recursive);
    let mut seen = BTreeSet::new();
    files.retain(|file| {
        let path = file.path.as_deref().and_then(|path| std::fs::canonicalize(path).ok());
        path.is_none_or(|path| seen.insert(path))
    });
    let files: Vec<Arc<ManifestFile>> = files.into_iter().map(Arc::new).collect();
    let read = manifests::workloads(&files, |manifest| match file::refused(&manifest) {
        Some(error) => Taken::Refused(error),
        None if !manifest.pod.is_whole => {
            let kind = (manifest.workload.api_version.clone(), manifest.workload.kind.clone());
            Taken::Left(left(&manifest), kind, violates(&manifest, args.level()))
        }
        None => Taken::Fixed(Box::new(of_manifest(manifest, namespace))),
    });
    errors.extend(read.errors);
    let manifests::ManifestContents { workloads, unjudged, notes } = read.value;
    let mut found =
        OfFiles { files, saw_others: !unjudged.is_empty(), notes, ..OfFiles::default() };
    found.left_alone = unjudged.iter().any(|object| object.root || object.forbidden);
    found.notes.extend(unjudged.iter().map(Unjudged::told));
    found.kinds.extend(unjudged.into_iter().map(|object| (object.api_version, object.kind)));
    for taken in workloads {
        match taken {
            Taken::Fixed(subject) => found.subjects.push(*subject),
            Taken::Refused(error) => errors.push(error),
            Taken::Left(why, kind, violates) => {
                found.saw_others = true;
                found.kinds.insert(kind);
                found.left_alone |= violates;
                found.notes.push(why);
            }
        }
    }
    // What is moved is told with its plan.
    let told: BTreeSet<String> =
        found.subjects.iter().flat_map(|subject| subject.faults.iter().cloned()).collect();
    found.notes.retain(|note| !told.contains(note));
    (found, errors)
}

/// Why a pod is left as it is, and which fields of its kind take what would change.
fn left(manifest: &Manifest) -> String {
    let Manifest { workload, pod, .. } = manifest;
    let (file, line) =
        workload.source.as_ref().map_or(("", 0), |source| (source.file.as_str(), source.line));
    // Whether a map of parts takes one for the pod is not known where none is.
    let mut places = match &pod.shape {
        Shape::Parts { context, .. } if context.get(&manifest.object).is_none() => Vec::new(),
        _ => vec![pod.place("spec.securityContext")],
    };
    let template = pod.template(&manifest.object);
    for list in ["initContainers", "containers"] {
        let count = template["spec"][list].as_array().map_or(0, Vec::len);
        places.extend(
            (0..count).map(|number| pod.place(&format!("spec.{list}[{number}].securityContext"))),
        );
    }
    format!(
        "{file}:{line}: {}/{} is left as it is, because not all of its pod is here; what would change is set at {}",
        workload.kind.to_lowercase(),
        workload.name,
        places.join(", ")
    )
}

/// Whether something of a pod is forbidden at the level, or root.
fn violates(manifest: &Manifest, level: Level) -> bool {
    let Workload { metadata, spec, containers, .. } = &manifest.workload;
    containers.iter().any(|container| container.root == Some(true))
        || !policy::evaluate(metadata, spec, level, policy::newest_version()).is_empty()
}

/// A workload of a file, in its own namespace or else in this one.
pub(super) fn of_manifest(manifest: Manifest, namespace: &str) -> Subject {
    let Manifest { pod, object, workload, .. } = &manifest;
    let (mended, template, misplaced) = misplaced::of_pod_in(object, pod);
    let mut notes: Vec<String> = misplaced.iter().map(|one| one.mended(pod)).collect();
    if knative::is_of(object) && !knative::refused_remedies(&template).is_empty() {
        notes.push(
            "Knative takes no security context of the pod and no init container unless its administrator enables them \
             (config-features): each container has its own, and remedies that need these are not proposed"
                .to_owned(),
        );
    }
    let place = |path: &str| {
        let file = workload.source.as_ref().map_or("", |source| source.file.as_str());
        format!(
            "{file}:{}: {}/{}",
            manifest.line_of(path),
            workload.kind.to_lowercase(),
            own_name(object)
        )
    };
    let faults =
        misplaced.iter().map(|one| format!("{}: {}", place(&one.path(pod)), one.fault(pod)));
    Subject {
        object: view(pod, &mended, template),
        notes,
        faults: faults.collect(),
        namespace: workload.namespace.clone().unwrap_or_else(|| namespace.to_owned()),
        root_pod: None,
        workload: None,
        volumes: Arc::default(),
        manifest: Some(manifest),
        configurations: Partial::clean(Vec::new()),
    }
}

fn own_name(object: &Value) -> &str {
    let metadata = &object["metadata"];
    metadata["name"].as_str().or_else(|| metadata["generateName"].as_str()).unwrap_or_default()
}

/// The object to plan for: with this template at the place of its kind, or else around it.
fn view(pod: &Pod, object: &Value, template: Value) -> Value {
    if pod.is_own {
        let mut view = object.clone();
        if let Some(place) = pod.path.get_mut(&mut view) {
            *place = template;
        }
        return view;
    }
    let holder = pod.holder.get(object).unwrap_or(object);
    let fields =
        ["apiVersion", "kind", "metadata"].map(|field| (field.to_owned(), holder[field].clone()));
    let mut view: Value = fields.into_iter().collect();
    view["spec"] = json!({ "template": template });
    view
}

/// The workloads of the cluster that the arguments name or select.
pub(super) async fn of_cluster(
    cluster: &Cluster,
    args: &FixArgs,
) -> Result<(Vec<Subject>, Vec<Error>), Fault> {
    let targets = target::targets(&args.target)?;
    let named =
        targets.iter().all(|target| target.name.is_some()) && args.selection.selector.is_none();
    let mut found = Vec::new();
    if named && !targets.is_empty() && !args.selection.all_namespaces {
        // One that is named is read by itself: a list would need more rights.
        for target in &targets {
            found.push(of_name(cluster, target).await?);
        }
        return Ok((found, Vec::new()));
    }
    let scope = Scope { fields: Fields::All, ..args.selection.scope(&cluster.namespace) };
    let everywhere = matches!(scope.namespaces, Namespaces::All);
    let inventory = cluster.inventory(&scope).await?;
    let mut errors = inventory.errors;
    let shared = volume::shared(&inventory.value.workloads);
    let mut workloads = inventory.value.workloads;
    workloads.retain(|workload| {
        targets.is_empty()
            || targets.iter().any(|target| target.matches(&workload.kind, &workload.name))
    });
    let volumes = Arc::new(Volumes { storage: cluster.storage(&workloads).await, shared });
    for workload in workloads {
        let namespace = workload.namespace.clone().unwrap_or_else(|| cluster.namespace.clone());
        match cluster.object(&workload.kind, &namespace, &workload.name).await {
            Ok(Some(object)) => {
                let root_pod = root_pod(cluster, &object, &namespace).await;
                let volumes = Arc::clone(&volumes);
                let live = Some(workload);
                found.push(Subject {
                    root_pod,
                    workload: live,
                    volumes,
                    ..Subject::of_cluster(object, namespace)
                });
            }
            Ok(None) => errors.push(foreign(&workload.kind, &workload.name)),
            Err(error) => errors.push(error),
        }
    }
    if found.is_empty() && errors.is_empty() {
        let place = if everywhere {
            "the cluster".to_owned()
        } else {
            format!("namespace {}", cluster.namespace)
        };
        return Err(Error::input("find what to fix", format!("nothing in {place} matches")).into());
    }
    Ok((found, errors))
}

async fn of_name(cluster: &Cluster, target: &Target) -> Result<Subject, Error> {
    let (kind, name) = (&target.kind, target.name.as_deref().unwrap_or_default());
    let namespace = cluster.namespace.clone();
    let Some(object) = cluster.object(kind, &namespace, name).await? else {
        return Err(foreign(kind, name));
    };
    let root_pod = root_pod(cluster, &object, &namespace).await;
    // What fails now tells what to remedy; who may not list pods still gets a plan.
    let scope = Scope {
        namespaces: Namespaces::One(namespace.clone()),
        selection: Selection::default(),
        fields: Fields::All,
    };
    let all = cluster
        .inventory(&scope)
        .await
        .map(|inventory| inventory.value.workloads)
        .unwrap_or_default();
    let shared = volume::shared(&all);
    let workload = all.into_iter().find(|workload| workload.kind == *kind && workload.name == name);
    let storage = cluster.storage(workload.as_slice()).await;
    let volumes = Arc::new(Volumes { storage, shared });
    Ok(Subject { root_pod, workload, volumes, ..Subject::of_cluster(object, namespace) })
}

async fn root_pod(cluster: &Cluster, object: &Value, namespace: &str) -> Option<(String, String)> {
    let (pod, is_well) = cluster.live_pod(object, namespace).await.ok().flatten()?;
    if !is_well {
        say(format_args!(
            "note: pod {pod} runs and is not ready: what it shows may not be all that it does"
        ));
    }
    Some((namespace.to_owned(), pod))
}

/// How long registries are waited for that shall tell whom images are made for.
const REGISTRIES: Duration = Duration::from_secs(5);

/// Asks the images for their users where nothing else tells, each image once and all side by side.
pub(super) async fn ask_images(
    cluster: Option<&Cluster>,
    registry: &RegistryFlags,
    subjects: &mut [Subject],
) {
    let mut wanted: Vec<Wanted> = Vec::new();
    for subject in subjects.iter() {
        let Some(workload) = subject.known() else { continue };
        for container in subject.undecided() {
            if container.image.is_empty()
                || wanted.iter().any(|(name, ..)| *name == container.image)
            {
                continue;
            }
            let (source, options) = match cluster.filter(|_| subject.workload.is_some()) {
                Some(cluster) => image::source(cluster, workload, container, registry).await.value,
                None => (Source::Registry(container.image.clone()), registry.options()),
            };
            wanted.push((container.image.clone(), source, options));
        }
    }
    if wanted.is_empty() {
        return;
    }
    let _spinner = Spinner::start("asking the images for their users");
    let names: Vec<String> = wanted.iter().map(|(name, ..)| name.clone()).collect();
    let read = configurations(wanted, REGISTRIES).await;
    let read: BTreeMap<String, Result<Config, Error>> = names.into_iter().zip(read).collect();
    for subject in subjects {
        let of_each = subject
            .undecided()
            .filter_map(|one| Some((one.name.clone(), read.get(&one.image)?.clone())));
        let of_each = of_each.map(|(name, read)| read.map(|config| (name, config)));
        let mut configurations = Partial::of(of_each.collect::<Vec<_>>());
        let mut said = BTreeSet::new();
        configurations.errors.retain(|error| said.insert(error.to_string()));
        subject.configurations = configurations;
    }
}

fn foreign(kind: &str, name: &str) -> Error {
    Error::input(format!("fix {}/{name}", kind.to_lowercase()), "only built-in kinds can be fixed")
        .help("change it where its own controller takes its pod template from")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remedy::REMEDIES;

    #[test]
    fn what_knative_refuses_are_remedies() {
        for id in knative::refused_remedies(&json!({})) {
            assert!(REMEDIES.iter().any(|remedy| remedy.id == id), "{id}");
        }
    }
}
