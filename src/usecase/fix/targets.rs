//! What is fixed: workloads of the cluster, or of files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::images::{self, RegistryOptions};
use super::super::live::everything_in;
use super::super::progress::{Activity, Tell, Work};
use super::super::target::{Selector, Target};
use crate::error::{Error, Partial};
use crate::evidence::cluster::{Cluster, Fields};
use crate::evidence::image::{Source, Wanted, configurations};
use crate::evidence::manifests::{self, Manifest, ManifestFile, source};
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
use crate::run;

/// One workload to fix.
pub struct FixTarget {
    /// What is planned for: the whole object, with the fields that our types do not know. Of a pod
    /// inside another kind, an object around its template; fields that stood in a wrong place
    /// are in their own.
    pub object: Value,
    /// What that takes for granted, and a reader should know.
    pub notes: Vec<String>,
    /// What the reader of the file said of it.
    faults: Vec<String>,
    pub namespace: String,
    /// A pod of it that runs today: where, and its name.
    pub root_pod: Option<(String, String)>,
    /// What is live of it.
    pub workload: Option<Workload>,
    /// The storage behind its volumes, and who shares them.
    pub volumes: Arc<Volumes>,
    /// Where it stands in a file.
    pub manifest: Option<Manifest>,
    /// The configurations of its images, each by its container, and why those are missing that
    /// could not be read.
    pub configurations: Partial<Vec<(String, Config)>>,
}

impl FixTarget {
    /// `deployment/web`, and of a pod inside another kind where it stands:
    /// `raycluster/ray:headGroupSpec`.
    pub fn name(&self) -> String {
        match self.manifest.as_ref().filter(|manifest| !manifest.pod.label.is_empty()) {
            Some(Manifest { workload, .. }) => {
                format!("{}/{}", workload.kind.to_lowercase(), workload.name)
            }
            None => plan::name(&self.object),
        }
    }

    /// The object as it is.
    pub fn before(&self) -> &Value {
        self.manifest.as_ref().map_or(&self.object, |manifest| &manifest.object)
    }

    /// The object with its pod template, nothing of it mended: fields that stand in a wrong place
    /// stay there, and the API server ignores them. Of a pod inside another kind, an object around
    /// its template.
    pub fn as_written(&self) -> &Value {
        let own = self.manifest.as_ref().filter(|manifest| manifest.pod.is_own);
        own.map_or(&self.object, |manifest| &manifest.object)
    }

    /// The object with a plan in it.
    pub fn after(&self, planned: &Value) -> Value {
        let mut after = self.before().clone();
        self.put(planned, &mut after);
        after
    }

    /// Puts a plan into the object, or into one that has other plans in it already.
    pub fn put(&self, planned: &Value, object: &mut Value) {
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
    pub fn refused_remedies(&self) -> Vec<&'static str> {
        let manifest = self.manifest.as_ref().filter(|manifest| knative::is_of(&manifest.object));
        manifest
            .map(|manifest| knative::refused_remedies(&manifest.pod.template(&manifest.object)))
            .unwrap_or_default()
    }

    /// What of a plan the object's kind does not take.
    pub fn left_out(&self, planned: &Value) -> Option<String> {
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
    fn of_cluster(object: Value, namespace: String) -> FixTarget {
        FixTarget {
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

    /// Takes up what runs in the cluster under the kind and name that a file gives, with the same
    /// images: what it does as root tells what it will be refused.
    pub(super) async fn take_running(&mut self, cluster: &Cluster, tell: Tell<'_>) {
        let Some(manifest) = self.manifest.as_ref().filter(|manifest| manifest.pod.is_own) else {
            return;
        };
        let (kind, name) = (&manifest.workload.kind, &manifest.workload.name);
        let object = cluster.object(kind, &self.namespace, name).await.ok().flatten();
        let Some(object) = object.filter(|object| images_of(object) == images_of(&self.object))
        else {
            return;
        };
        let running = Running::of(cluster, object, kind, name, &self.namespace, tell).await;
        if let Some((_, pod)) = &running.root_pod {
            tell(Activity::Note(format!("pod {pod} runs, and tells what {} does", self.name())));
        }
        let Running { root_pod, workload, volumes, .. } = running;
        (self.root_pod, self.workload, self.volumes) = (root_pod, workload, volumes);
    }

    /// What is known of its containers: live, else by its file.
    pub fn known(&self) -> Option<&Workload> {
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
    pub fn was_root(&self, container: &str) -> bool {
        let known = self
            .known()
            .and_then(|workload| workload.containers.iter().find(|known| known.name == container));
        known.is_none_or(|known| known.root != Some(false))
    }

    /// Whether its pods have a volume of this name, of their own or of a StatefulSet's claim
    /// templates.
    pub fn has_volume(&self, name: &str) -> bool {
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
pub struct OfFiles {
    pub files: Vec<Arc<ManifestFile>>,
    pub targets: Vec<FixTarget>,
    /// What is not edited, or not as its writer meant it, each in a sentence.
    pub notes: Vec<String>,
    /// Something that makes pods is there and is not edited.
    pub saw_others: bool,
    /// Among that is something that the level forbids, or root.
    pub left_alone: bool,
    /// Kinds of what is not edited: apiVersion and kind.
    pub kinds: BTreeSet<(String, String)>,
}

impl OfFiles {
    /// Which fields of the kinds that are not edited take a change, where the cluster knows these
    /// kinds.
    pub async fn ask_schemas(&mut self, cluster: &Cluster) {
        for (api_version, kind) in &self.kinds {
            let takes = cluster.takes(api_version, kind).await;
            let places: Vec<&str> = takes
                .iter()
                .map(|one| match one {
                    Takes::Pod(path) | Takes::Context(path) => path.as_str(),
                })
                .collect();
            let more = places.len().saturating_sub(MAX_PLACES);
            let shown = places.get(..MAX_PLACES).unwrap_or(&places).join(", ");
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
const MAX_PLACES: usize = 8;

/// What is to be done with a workload of a file.
enum Taken {
    Fixed(Box<FixTarget>),
    Refused(Error),
    /// Not all of its pod is there; of which kind it is, and whether the level forbids what there
    /// is.
    Left(String, (String, String), bool),
}

/// The files of -f, each once, and their workloads. What cannot be read or is no place for a plan
/// is an error beside the rest.
#[must_use]
pub fn of_files(selector: &Selector, level: Level, namespace: &str) -> (OfFiles, Vec<Error>) {
    let Partial { value: mut files, mut errors } =
        manifests::files(&selector.files, selector.recursive);
    let mut seen = BTreeSet::new();
    files.retain(|file| {
        let path = file.path.as_deref().and_then(|path| std::fs::canonicalize(path).ok());
        path.is_none_or(|path| seen.insert(path))
    });
    let (found, of_workloads) = of_texts(files, level, namespace);
    errors.extend(of_workloads);
    (found, errors)
}

/// The workloads of files that have been read, or of what a chart was rendered to.
#[must_use]
pub fn of_texts(files: Vec<ManifestFile>, level: Level, namespace: &str) -> (OfFiles, Vec<Error>) {
    let mut errors = Vec::new();
    let files: Vec<Arc<ManifestFile>> = files.into_iter().map(Arc::new).collect();
    let read = manifests::workloads(&files, |manifest| match refused(&manifest) {
        Some(error) => Taken::Refused(error),
        None if !manifest.pod.is_whole => {
            let kind = (manifest.workload.api_version.clone(), manifest.workload.kind.clone());
            Taken::Left(left(&manifest), kind, violates(&manifest, level))
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
            Taken::Fixed(target) => found.targets.push(*target),
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
        found.targets.iter().flat_map(|target| target.faults.iter().cloned()).collect();
    found.notes.retain(|note| !told.contains(note));
    (found, errors)
}

/// The Jobs and Pods of --check-job, one a file.
///
/// # Errors
/// A file cannot be read, or holds anything else.
pub fn check_jobs(files: &[String]) -> Result<Vec<Value>, Error> {
    let mut jobs = Vec::new();
    for file in files {
        let Partial { value, errors } =
            manifests::read(std::slice::from_ref(file), false, |manifest| manifest.object);
        if let Some(error) = errors.into_iter().next() {
            return Err(error);
        }
        match value.workloads.as_slice() {
            [job] if run::is_runnable(job) => jobs.push(Value::clone(job)),
            _ => {
                let why = "it must hold exactly one Job or Pod";
                return Err(Error::input(format!("check with {file} (--check-job)"), why));
            }
        }
    }
    Ok(jobs)
}

/// Why a workload of a file cannot be planned for: its document is not a whole object.
fn refused(manifest: &Manifest) -> Option<Error> {
    let Manifest { file, part, workload, .. } = manifest;
    if file.is_rendered {
        return None;
    }
    let text = &file.text[part.clone()];
    let attempted =
        || format!("fix {}/{} in {}", workload.kind.to_lowercase(), workload.name, file.name);
    if text.contains("{{") {
        if let Some(chart) = source::chart(file) {
            return Some(Error::input(attempted(), chart.advice()));
        }
        if source::is_helm_template(text) {
            let error = Error::input(attempted(), "it is a template of Helm's");
            return Some(
                error.help(
                    "set its values, or plan for what it renders: helm template CHART | kubectl nonroot fix -f -",
                ),
            );
        }
    }
    // A directive of a strategic merge patch (kubernetes/community,
    // sig-api-machinery/strategic-merge-patch.md).
    if text.contains("$patch:") {
        let error =
            Error::input(attempted(), "it is a strategic merge patch ($patch) and no whole object");
        return Some(error.help("fix the resource that it changes, or what comes of it"));
    }
    let kustomization = source::patched_by(file)?;
    let directory = kustomization.parent().unwrap_or(FilePath::new(".")).display().to_string();
    let why = format!("it is a patch of {} and no whole object", kustomization.display());
    let help = format!(
        "fix the resource that it changes, or what comes of it: kubectl kustomize {directory} | kubectl nonroot fix -f - -o kustomize"
    );
    Some(Error::input(attempted(), why).help(help))
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
pub fn of_manifest(manifest: Manifest, namespace: &str) -> FixTarget {
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
    FixTarget {
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

/// The workloads of the cluster that are selected.
///
/// # Errors
/// The cluster does not answer, or nothing is selected.
pub async fn of_cluster(
    cluster: &Cluster,
    selector: &Selector,
    tell: Tell<'_>,
) -> Result<(Vec<FixTarget>, Vec<Error>), Error> {
    let named = &selector.targets;
    let are_all_named =
        named.iter().all(|target| target.name.is_some()) && selector.labels.is_none();
    let mut found = Vec::new();
    if are_all_named && !named.is_empty() && !selector.all_namespaces {
        // One that is named is read by itself: a list would need more rights.
        for target in named {
            found.push(of_name(cluster, target, tell).await?);
        }
        return Ok((found, Vec::new()));
    }
    let scope = selector.scope(&cluster.namespace, Fields::All);
    let inventory = cluster.inventory(&scope).await?;
    let mut errors = inventory.errors;
    let shared = volume::shared(&inventory.value.workloads);
    let mut workloads = inventory.value.workloads;
    workloads.retain(|workload| selector.names(workload));
    let volumes = Arc::new(Volumes { storage: cluster.storage(&workloads).await, shared });
    for workload in workloads {
        let namespace = workload.namespace.clone().unwrap_or_else(|| cluster.namespace.clone());
        match cluster.object(&workload.kind, &namespace, &workload.name).await {
            Ok(Some(object)) => {
                let root_pod = root_pod(cluster, &object, &namespace, tell).await;
                let volumes = Arc::clone(&volumes);
                let live = Some(workload);
                found.push(FixTarget {
                    root_pod,
                    workload: live,
                    volumes,
                    ..FixTarget::of_cluster(object, namespace)
                });
            }
            Ok(None) => errors.push(foreign(&workload.kind, &workload.name)),
            Err(error) => errors.push(error),
        }
    }
    if found.is_empty() && errors.is_empty() {
        let place = if selector.all_namespaces {
            "the cluster".to_owned()
        } else {
            format!("namespace {}", cluster.namespace)
        };
        return Err(Error::input("find what to fix", format!("nothing in {place} matches")));
    }
    Ok((found, errors))
}

async fn of_name(cluster: &Cluster, target: &Target, tell: Tell<'_>) -> Result<FixTarget, Error> {
    let (kind, name) = (&target.kind, target.name.as_deref().unwrap_or_default());
    let namespace = cluster.namespace.clone();
    let Some(object) = cluster.object(kind, &namespace, name).await? else {
        return Err(foreign(kind, name));
    };
    let Running { object, root_pod, workload, volumes } =
        Running::of(cluster, object, kind, name, &namespace, tell).await;
    Ok(FixTarget { root_pod, workload, volumes, ..FixTarget::of_cluster(object, namespace) })
}

/// A workload of the cluster, and what is live of it.
struct Running {
    object: Value,
    root_pod: Option<(String, String)>,
    workload: Option<Workload>,
    volumes: Arc<Volumes>,
}

impl Running {
    async fn of(
        cluster: &Cluster,
        object: Value,
        kind: &str,
        name: &str,
        namespace: &str,
        tell: Tell<'_>,
    ) -> Running {
        let root_pod = root_pod(cluster, &object, namespace, tell).await;
        // What fails now tells what to remedy; who may not list pods still gets a plan.
        let all = cluster
            .inventory(&everything_in(namespace))
            .await
            .map(|inventory| inventory.value.workloads)
            .unwrap_or_default();
        let shared = volume::shared(&all);
        let workload = all.into_iter().find(|one| one.kind == kind && one.name == name);
        let storage = cluster.storage(workload.as_slice()).await;
        let volumes = Arc::new(Volumes { storage, shared });
        Running { object, root_pod, workload, volumes }
    }
}

/// The image of each container of an object.
fn images_of(object: &Value) -> BTreeMap<&str, &str> {
    let spec = plan::pod_spec(object);
    let containers = spec.and_then(|spec| spec["containers"].as_array()).into_iter().flatten();
    containers.filter_map(|one| Some((one["name"].as_str()?, one["image"].as_str()?))).collect()
}

async fn root_pod(
    cluster: &Cluster,
    object: &Value,
    namespace: &str,
    tell: Tell<'_>,
) -> Option<(String, String)> {
    let (pod, is_well) = cluster.live_pod(object, namespace).await.ok().flatten()?;
    if !is_well {
        let note =
            format!("pod {pod} runs and is not ready: what it shows may not be all that it does");
        tell(Activity::Note(note));
    }
    Some((namespace.to_owned(), pod))
}

/// How long registries may take to tell the users of images.
const REGISTRIES: Duration = Duration::from_secs(5);

/// Asks the images for their users where nothing else tells, each image once and all side by side.
pub async fn ask_images(
    cluster: Option<&Cluster>,
    registry: &RegistryOptions,
    targets: &mut [FixTarget],
    tell: Tell<'_>,
) {
    let mut wanted: Vec<Wanted> = Vec::new();
    for target in targets.iter() {
        let Some(workload) = target.known() else { continue };
        for container in target.undecided() {
            if container.image.is_empty()
                || wanted.iter().any(|(name, ..)| *name == container.image)
            {
                continue;
            }
            let (source, options) = match cluster.filter(|_| target.workload.is_some()) {
                Some(cluster) => images::source(cluster, workload, container, registry).await.value,
                None => (Source::Registry(container.image.clone()), registry.options.clone()),
            };
            wanted.push((container.image.clone(), source, options));
        }
    }
    if wanted.is_empty() {
        return;
    }
    let _work = Work::begin(tell, "asking the images for their users");
    let names: Vec<String> = wanted.iter().map(|(name, ..)| name.clone()).collect();
    let read = configurations(wanted, REGISTRIES).await;
    let read: BTreeMap<String, Result<Config, Error>> = names.into_iter().zip(read).collect();
    for target in targets {
        let of_each = target
            .undecided()
            .filter_map(|one| Some((one.name.clone(), read.get(&one.image)?.clone())));
        let of_each = of_each.map(|(name, read)| read.map(|config| (name, config)));
        let mut configurations = Partial::of(of_each.collect::<Vec<_>>());
        let mut said = BTreeSet::new();
        configurations.errors.retain(|error| said.insert(error.to_string()));
        target.configurations = configurations;
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
    fn what_is_written_is_not_mended() {
        let file = tempfile::NamedTempFile::with_suffix(".yaml").expect("a file");
        let pod = "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {runAsNonRoot: true, \
                   containers: [{name: a, image: x}]}}";
        std::fs::write(file.path(), pod).expect("a file");
        let files = vec![file.path().display().to_string()];
        let selector = Selector { files, ..Selector::default() };
        let (found, errors) = of_files(&selector, Level::Restricted, "shop");
        assert_eq!((found.targets.len(), errors.len()), (1, 0));
        let target = &found.targets[0];
        assert_eq!(target.object["spec"]["securityContext"]["runAsNonRoot"], true);
        let written = target.as_written();
        assert_eq!(written["spec"]["runAsNonRoot"], true);
        assert_eq!(written["spec"]["securityContext"], Value::Null, "prove judges what is there");
    }

    #[test]
    fn what_knative_refuses_are_remedies() {
        for id in knative::refused_remedies(&json!({})) {
            assert!(REMEDIES.iter().any(|remedy| remedy.id == id), "{id}");
        }
    }
}
