//! What runs as root, what Pod Security would refuse, and what fails: the workloads of a cluster or
//! of files, judged.

use std::mem;
use std::path::Path;

use futures::stream::{self, StreamExt as _};
use serde_json::json;

use super::acceptance::{self, AcceptanceOptions, Scanned};
use super::fix;
use super::images::{self, RegistryOptions};
use super::live;
use super::progress::{Tell, Work};
use super::row::{Row, Surroundings};
use super::target::{Selector, Target};
use crate::error::{Error, Partial};
use crate::evidence::cluster::{Cluster, Connection, Fields, Inventory};
use crate::evidence::manifests::{self, Manifest};
use crate::model::finding::{Finding, FindingClass};
use crate::model::obstacle::Obstacle;
use crate::model::podsecurity::{Level, Namespace, Verdicts, Version};
use crate::model::workload::{Unjudged, Workload};
use crate::output::fix::Fix;
use crate::output::image::ImageReport;
use crate::output::report::{self, ScanReport};
use crate::policy;
use crate::run::diagnosed;

/// What is scanned, and how it is judged.
#[derive(Debug, Clone)]
pub struct ScanOptions {
    pub selector: Selector,
    /// The level that is asked for: by it workloads are left out, and plans made.
    pub level: Level,
    /// The level that findings are about.
    pub judged_level: Level,
    /// The version of both.
    pub version: Version,
    pub only: Option<Only>,
    /// Plan for each workload of which something was found.
    pub plan: bool,
    /// Read the images of the workloads.
    pub images: bool,
    pub registry: RegistryOptions,
    pub acceptance: AcceptanceOptions,
    /// The classes of findings that a baseline must hold.
    pub counts: Vec<FindingClass>,
}

impl ScanOptions {
    /// Whether a finding counts: it does, until it is accepted.
    fn counts(&self, finding: &Finding) -> bool {
        self.counts.contains(&finding.class)
    }

    /// Whether a workload is in the report.
    pub(super) fn shows(&self, workload: &report::Workload) -> bool {
        match self.only {
            None => true,
            Some(Only::Root) => workload.root == Some(true),
            Some(Only::Failing) => !workload.failures.is_empty(),
            Some(Only::Violating) => match self.level {
                Level::Privileged => false,
                Level::Baseline => !workload.pod_security.baseline.is_empty(),
                Level::Restricted => !workload.pod_security.restricted.is_empty(),
            },
        }
    }
}

/// Which workloads are in the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// A container runs as root.
    Root,
    /// Something fails now.
    Failing,
    /// The level forbids something.
    Violating,
}

/// Scans a cluster or files.
///
/// # Errors
/// The cluster does not answer, or the baseline cannot be read or written. What else cannot be read
/// is an error beside the report, and a warning in it.
pub async fn scan(
    connection: &Connection,
    options: &ScanOptions,
    tell: Tell<'_>,
) -> Result<Partial<ScanReport>, Error> {
    let Partial { value, errors } = if options.selector.files.is_empty() {
        of_cluster(connection, options, tell).await?
    } else {
        of_files(options, tell).await
    };
    let Inventoried { mut rows, namespaces, images, planned, scanned, notes, unjudged } = value;
    // What could not be read may still be there.
    let scanned = if errors.is_empty() { scanned } else { Scanned::Part };
    let counts = |finding: &Finding| options.counts(finding);
    let (baseline, mut doubts) =
        acceptance::apply(&options.acceptance, &mut rows, &scanned, &counts, tell)?;
    let workloads = rows.into_iter().map(Row::report);
    let mut workloads: Vec<_> = workloads.filter(|workload| options.shows(workload)).collect();
    doubts.extend(notes);
    if options.plan && workloads.iter().any(|workload| !workload.findings.is_empty()) {
        doubts.extend(plans(planned, options, &mut workloads, tell).await?);
    }
    let told = unjudged.iter().map(Unjudged::told);
    let warnings = errors.iter().map(Error::to_string).chain(doubts).chain(told).collect();
    let unjudged = unjudged.into_iter().map(report::Unjudged::from).collect();
    let report = ScanReport::new(workloads, &namespaces, warnings);
    Ok(Partial { value: ScanReport { baseline, images, unjudged, ..report }, errors })
}

/// What was read, from a cluster or from files.
struct Inventoried {
    rows: Vec<Row>,
    namespaces: Vec<Namespace>,
    images: Vec<ImageReport>,
    planned: Planned,
    scanned: Scanned,
    /// What stays unknown though nothing failed.
    notes: Vec<String>,
    unjudged: Vec<Unjudged>,
}

/// What a plan is made for.
enum Planned {
    /// The workloads of a cluster.
    Live(Box<Cluster>),
    /// Manifests: what standard input said cannot be read again.
    Manifests(Vec<Manifest>),
}

async fn of_cluster(
    connection: &Connection,
    options: &ScanOptions,
    tell: Tell<'_>,
) -> Result<Partial<Inventoried>, Error> {
    let selector = &options.selector;
    let cluster = Cluster::connect(connection).await?;
    // Only images need to know who pulls them, and what they start.
    let detail = if options.images { Fields::All } else { Fields::PolicyOnly };
    let work = Work::begin(tell, "reading pods");
    let Partial { value: Inventory { workloads, namespaces }, errors } =
        cluster.inventory(&selector.scope(&cluster.namespace, detail)).await?;
    let mut surroundings = Surroundings::of(&workloads);
    let mut read = Partial { value: workloads, errors };
    if !selector.targets.is_empty() {
        read = pick(&cluster, &selector.targets, read, selector.all_namespaces).await;
    }
    let (diagnosed, storage, machines) = tokio::join!(
        diagnose_failing(&cluster, &read.value),
        cluster.storage(&read.value),
        cluster.virtual_machines(&read.value),
    );
    read.errors.extend(machines.errors);
    (surroundings.storage, surroundings.machines) = (storage, machines.value);
    drop(work);
    let mut images = Partial::clean(Vec::new());
    if options.images {
        images = images::of_workloads(Some(&cluster), &read.value, &options.registry, tell).await;
    }
    read.errors.extend(images.errors);
    let images = images.value;
    // Each workload goes when its row is made.
    let rows = read.value.into_iter().zip(diagnosed).map(|(mut workload, diagnosed)| {
        read.errors.extend(diagnosed.errors);
        let verdicts = policy::verdicts(&workload.metadata, &workload.spec, options.version);
        let level = options.judged_level;
        Row::new(&mut workload, verdicts, diagnosed.value, &surroundings, &images, level)
    });
    let rows = rows.collect();
    let is_part =
        !selector.targets.is_empty() || selector.labels.is_some() || selector.fields.is_some();
    let scanned = match selector.all_namespaces {
        _ if is_part => Scanned::Part,
        true => Scanned::Everything,
        false => Scanned::Namespace(cluster.namespace.clone()),
    };
    let value = Inventoried {
        rows,
        namespaces,
        images,
        planned: Planned::Live(Box::new(cluster)),
        scanned,
        notes: surroundings.storage.notes,
        unjudged: Vec::new(),
    };
    Ok(Partial { value, errors: read.errors })
}

/// What stands in the way of each workload that fails, in the order of the workloads.
pub(super) async fn diagnose_failing(
    cluster: &Cluster,
    workloads: &[Workload],
) -> Vec<Partial<Vec<Obstacle>>> {
    let each = workloads.iter().map(|workload| async {
        if workload.failures.is_empty() {
            return Partial::clean(Vec::new());
        }
        match live::failure_texts(cluster, workload, None, false).await {
            Ok(texts) => Partial { value: diagnosed(&texts.value).obstacles, errors: texts.errors },
            Err(error) => Partial { value: Vec::new(), errors: vec![error] },
        }
    });
    stream::iter(each).buffered(DIAGNOSED_AT_ONCE).collect().await
}

/// Failing workloads whose logs are read side by side: as many as the API server answers without
/// queueing one user's requests behind each other.
const DIAGNOSED_AT_ONCE: usize = 8;

/// The workloads that targets name. A pod stands for itself then, whatever owns it.
async fn pick(
    cluster: &Cluster,
    targets: &[Target],
    all: Partial<Vec<Workload>>,
    everywhere: bool,
) -> Partial<Vec<Workload>> {
    let mut picked = Partial { value: Vec::new(), errors: all.errors };
    for target in targets {
        let named_pod = target.name.as_deref().filter(|_| target.kind == "Pod" && !everywhere);
        if let Some(name) = named_pod {
            match cluster.pod(&cluster.namespace, name).await {
                Ok(workload) => picked.value.push(workload),
                Err(error) => picked.errors.push(error),
            }
            continue;
        }
        let before = picked.value.len();
        let is_named = |workload: &&Workload| target.matches(&workload.kind, &workload.name);
        picked.value.extend(all.value.iter().filter(is_named).cloned());
        if picked.value.len() == before && (target.name.is_some() || !target.is_built_in()) {
            let place = if everywhere {
                "any namespace".to_owned()
            } else {
                format!("namespace {}", cluster.namespace)
            };
            let name = target.name.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
            let attempted = format!("scan {}{name}", target.kind.to_lowercase());
            let error = Error::input(attempted, format!("there is none in {place}"));
            picked.errors.push(error.help(target.hint(all.value.iter())));
        }
    }
    picked
}

/// A workload of a file, with what each level forbids in it, and its manifest if it is planned for.
type OfFile = (Workload, Verdicts, Option<Manifest>);

async fn of_files(options: &ScanOptions, tell: Tell<'_>) -> Partial<Inventoried> {
    let selector = &options.selector;
    let of_file = |manifest: Manifest| -> Box<OfFile> {
        let Workload { metadata, spec, .. } = &manifest.workload;
        let mut verdicts = policy::verdicts(metadata, spec, options.version);
        let violations = verdicts.baseline.iter().chain(&verdicts.restricted);
        let fields = violations.flat_map(|violation| &violation.fields);
        verdicts.lines = fields.map(|field| (field.clone(), manifest.line(field))).collect();
        let planned = (options.plan && manifest.pod.is_whole).then(|| manifest.clone());
        // In a box: all three are large, and are handed on more than once.
        Box::new((manifest.workload, verdicts, planned))
    };
    let Partial { value, mut errors } =
        manifests::read(&selector.files, selector.recursive, of_file);
    let manifests::ManifestContents { workloads: read, unjudged, notes } = value;
    let mut workloads = Vec::with_capacity(read.len());
    let mut verdicts = Vec::with_capacity(read.len());
    let mut planned = Vec::new();
    for one in read {
        let (workload, of_each, manifest) = *one;
        workloads.push(workload);
        verdicts.push(of_each);
        planned.extend(manifest);
    }
    let surroundings = Surroundings::of(&workloads);
    let mut images = Vec::new();
    if options.images {
        let read = images::of_workloads(None, &workloads, &options.registry, tell).await;
        images = read.value;
        errors.extend(read.errors);
    }
    let rows = workloads.iter_mut().zip(verdicts).map(|(workload, verdicts)| {
        let level = options.judged_level;
        Row::new(workload, verdicts, Vec::new(), &surroundings, &images, level)
    });
    let rows = rows.collect();
    // The process ends soon, and gives them back at once: one after the other takes longer than to
    // judge them.
    mem::forget(workloads);
    // Files one by one are what a commit changed; a directory is all there is.
    let is_directory = |path: &String| Path::new(path).is_dir();
    let has_directory = selector.files.iter().any(is_directory);
    let value = Inventoried {
        rows,
        namespaces: Vec::new(),
        images,
        planned: Planned::Manifests(planned),
        scanned: if has_directory { Scanned::Everything } else { Scanned::Part },
        notes,
        unjudged,
    };
    Partial { value, errors }
}

/// Adds to each workload of which something was found what fix would do; comes back with what could
/// not be planned.
async fn plans(
    planned: Planned,
    options: &ScanOptions,
    workloads: &mut [report::Workload],
    tell: Tell<'_>,
) -> Result<Vec<String>, Error> {
    let options = fix::FixOptions::of_level(options.selector.clone(), options.level);
    let Partial { value: fixes, errors } = match planned {
        Planned::Live(cluster) => fix::plans_of_cluster(&cluster, &options, tell).await?,
        Planned::Manifests(manifests) => fix::plans_of(manifests, &options, tell).await,
    };
    for workload in workloads.iter_mut().filter(|workload| !workload.findings.is_empty()) {
        let name = |fix: &Fix| {
            (fix.workload.namespace.clone(), fix.workload.kind.clone(), fix.workload.name.clone())
        };
        let wanted = (json!(workload.namespace), json!(workload.kind), json!(workload.name));
        let source = workload.source.as_ref().map(|source| (&source.file, source.line));
        let same = fixes.iter().find(|(place, fix)| {
            name(fix) == wanted && place.as_ref().map(|place| (&place.file, place.line)) == source
        });
        workload.plan = same.map(|(_, fix)| fix.clone().into());
    }
    Ok(errors.iter().map(Error::to_string).collect())
}
