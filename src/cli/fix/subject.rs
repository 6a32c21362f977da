//! What is to be fixed: workloads of the cluster, or of files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::super::image::{self, RegistryFlags};
use super::super::progress::Spinner;
use super::super::target::{self, Target};
use super::super::{Fault, say};
use super::{FixArgs, file};
use crate::error::{Error, Read};
use crate::evidence::cluster::{Cluster, Detail, Namespaces, Scope, Selection};
use crate::evidence::image::{Source, Wanted, configurations};
use crate::evidence::manifests::{self, File, Manifest};
use crate::model::container::Container;
use crate::model::identity::Origin;
use crate::model::image::Config;
use crate::model::volume::{self, Volumes};
use crate::model::workload::Workload;
use crate::plan;

/// One workload to fix.
pub(super) struct Subject {
    /// The whole object, with the fields that our types do not know.
    pub(super) object: Value,
    pub(super) namespace: String,
    /// A pod of it that runs today: where, and its name.
    pub(super) root_pod: Option<(String, String)>,
    /// What is live of it.
    pub(super) workload: Option<Workload>,
    /// The storage behind its volumes, and who shares them.
    pub(super) volumes: Arc<Volumes>,
    /// Where it stands in a file.
    pub(super) manifest: Option<Manifest>,
    /// The configurations of its images, each by its container, and why those are missing that could not be read.
    pub(super) configurations: Read<Vec<(String, Config)>>,
}

impl Subject {
    /// `deployment/web`.
    pub(super) fn name(&self) -> String {
        plan::name(&self.object)
    }

    /// What is known of its containers: live, else by its file.
    pub(super) fn known(&self) -> Option<&Workload> {
        self.workload.as_ref().or_else(|| self.manifest.as_ref().map(|manifest| &manifest.workload))
    }

    /// Its containers whose user only their image tells: the spec gives them none, and no pod runs that would show that it
    /// is root.
    fn undecided(&self) -> impl Iterator<Item = &Container> {
        let containers = self.known().map(|workload| workload.containers.as_slice()).unwrap_or_default();
        containers.iter().filter(|container| match container.user.origin {
            Origin::Container | Origin::Pod => false,
            _ => container.user.uid != Some(0),
        })
    }

    /// Whether a container of it was root until now, or may have been.
    pub(super) fn was_root(&self, container: &str) -> bool {
        let known = self.known().and_then(|workload| workload.containers.iter().find(|known| known.name == container));
        known.is_none_or(|known| known.root != Some(false))
    }

    /// Whether its pods have a volume of this name, of their own or of a StatefulSet's claim templates.
    pub(super) fn has_volume(&self, name: &str) -> bool {
        let volumes = plan::pod_spec(&self.object).and_then(|spec| spec["volumes"].as_array());
        let claims = self.object.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
        volumes.into_iter().flatten().any(|volume| volume["name"] == name)
            || claims.into_iter().flatten().any(|claim| claim["metadata"]["name"] == name)
    }
}

/// The files of -f, each once, and their workloads. What cannot be read or is no place for a plan is an error beside the
/// rest.
pub(super) fn of_files(args: &FixArgs, namespace: &str) -> (Vec<Arc<File>>, Vec<Subject>, Vec<Error>) {
    let selection = &args.selection;
    let Read { value: mut files, errors } = manifests::files(&selection.filename, selection.recursive);
    let mut seen = BTreeSet::new();
    files.retain(|file| {
        let path = file.path.as_deref().and_then(|path| std::fs::canonicalize(path).ok());
        path.is_none_or(|path| seen.insert(path))
    });
    let files: Vec<Arc<File>> = files.into_iter().map(Arc::new).collect();
    let read = manifests::workloads(&files, |manifest| match file::refused(&manifest) {
        Some(error) => Err(error),
        None => Ok(of_manifest(manifest, namespace)),
    });
    let Read { value: found, errors: refused } = Read::of(read.value);
    (files, found, [errors, read.errors, refused].concat())
}

/// A workload of a file, in its own namespace or else in this one.
pub(super) fn of_manifest(manifest: Manifest, namespace: &str) -> Subject {
    Subject {
        object: manifest.object.clone(),
        namespace: manifest.workload.namespace.clone().unwrap_or_else(|| namespace.to_owned()),
        root_pod: None,
        workload: None,
        volumes: Arc::default(),
        manifest: Some(manifest),
        configurations: Read::clean(Vec::new()),
    }
}

/// The workloads of the cluster that the arguments name or select.
pub(super) async fn of_cluster(cluster: &Cluster, args: &FixArgs) -> Result<(Vec<Subject>, Vec<Error>), Fault> {
    let targets = target::targets(&args.target)?;
    let named = targets.iter().all(|target| target.name.is_some()) && args.selection.selector.is_none();
    let mut found = Vec::new();
    if named && !targets.is_empty() && !args.selection.all_namespaces {
        // One that is named is read by itself: a list would need more rights.
        for target in &targets {
            found.push(of_name(cluster, target).await?);
        }
        return Ok((found, Vec::new()));
    }
    let scope = Scope { detail: Detail::Whole, ..args.selection.scope(&cluster.namespace) };
    let everywhere = matches!(scope.namespaces, Namespaces::All);
    let inventory = cluster.inventory(&scope).await?;
    let mut errors = inventory.errors;
    let shared = volume::shared(&inventory.value.workloads);
    let mut workloads = inventory.value.workloads;
    workloads.retain(|workload| {
        targets.is_empty() || targets.iter().any(|target| target.matches(&workload.kind, &workload.name))
    });
    let volumes = Arc::new(Volumes { storage: cluster.storage(&workloads).await, shared });
    for workload in workloads {
        let namespace = workload.namespace.clone().unwrap_or_else(|| cluster.namespace.clone());
        match cluster.object(&workload.kind, &namespace, &workload.name).await {
            Ok(Some(object)) => {
                let root_pod = root_pod(cluster, &object, &namespace).await;
                let volumes = Arc::clone(&volumes);
                let workload = Some(workload);
                let configurations = Read::clean(Vec::new());
                found.push(Subject { object, namespace, root_pod, workload, volumes, manifest: None, configurations });
            }
            Ok(None) => errors.push(foreign(&workload.kind, &workload.name)),
            Err(error) => errors.push(error),
        }
    }
    if found.is_empty() && errors.is_empty() {
        let place = if everywhere { "the cluster".to_owned() } else { format!("namespace {}", cluster.namespace) };
        return Err(Error::input("find what to fix", format!("nothing in {place} matches")).into());
    }
    Ok((found, errors))
}

async fn of_name(cluster: &Cluster, target: &Target) -> Result<Subject, Error> {
    let (kind, name) = (&target.kind, target.name.as_deref().unwrap_or_default());
    let namespace = cluster.namespace.clone();
    let Some(object) = cluster.object(kind, &namespace, name).await? else { return Err(foreign(kind, name)) };
    let root_pod = root_pod(cluster, &object, &namespace).await;
    // What fails now tells what to remedy; who may not list pods still gets a plan.
    let scope = Scope {
        namespaces: Namespaces::One(namespace.clone()),
        selection: Selection::default(),
        detail: Detail::Whole,
    };
    let all = cluster.inventory(&scope).await.map(|inventory| inventory.value.workloads).unwrap_or_default();
    let shared = volume::shared(&all);
    let workload = all.into_iter().find(|workload| workload.kind == *kind && workload.name == name);
    let storage = cluster.storage(workload.as_slice()).await;
    let volumes = Arc::new(Volumes { storage, shared });
    let configurations = Read::clean(Vec::new());
    Ok(Subject { object, namespace, root_pod, workload, volumes, manifest: None, configurations })
}

async fn root_pod(cluster: &Cluster, object: &Value, namespace: &str) -> Option<(String, String)> {
    let (pod, is_well) = cluster.live_pod(object, namespace).await.ok().flatten()?;
    if !is_well {
        say(format_args!("note: pod {pod} runs and is not ready: what it shows may not be all that it does"));
    }
    Some((namespace.to_owned(), pod))
}

/// How long registries are waited for that shall tell whom images are made for.
const REGISTRIES: Duration = Duration::from_secs(5);

/// Asks the images for their users where nothing else tells, each image once and all side by side.
pub(super) async fn ask_images(cluster: Option<&Cluster>, registry: &RegistryFlags, subjects: &mut [Subject]) {
    let mut wanted: Vec<Wanted> = Vec::new();
    for subject in subjects.iter() {
        let Some(workload) = subject.known() else { continue };
        for container in subject.undecided() {
            if container.image.is_empty() || wanted.iter().any(|(name, ..)| *name == container.image) {
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
        let of_each = subject.undecided().filter_map(|one| Some((one.name.clone(), read.get(&one.image)?.clone())));
        let of_each = of_each.map(|(name, read)| read.map(|config| (name, config)));
        let mut configurations = Read::of(of_each.collect::<Vec<_>>());
        let mut said = BTreeSet::new();
        configurations.errors.retain(|error| said.insert(error.to_string()));
        subject.configurations = configurations;
    }
}

fn foreign(kind: &str, name: &str) -> Error {
    Error::input(format!("fix {}/{name}", kind.to_lowercase()), "only built-in kinds can be fixed")
        .help("change it where its own controller takes its pod template from")
}
