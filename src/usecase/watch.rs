//! The workloads of a scope while they change, judged each time anew.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use super::acceptance;
use super::row::{Row, Surroundings};
use super::scan::{ScanOptions, diagnose_failing};
use crate::error::{Error, Partial};
use crate::evidence::cluster::{Cluster, Watch};
use crate::model::obstacle::Obstacle;
use crate::model::virtual_machine::{self, VirtualMachines};
use crate::model::volume::{Storage, claim_name};
use crate::model::workload::{Failure, Workload};
use crate::output::report::{self, Namespace};
use crate::policy;

/// How long what is behind claims counts as read: it is not watched, and a claim is bound some
/// seconds after it is made.
const STORAGE_FOR: Duration = Duration::from_secs(10);

/// Those that are wanted. The rest is passed by: of 10,000 pods all workloads unpacked take some
/// dozen MB.
fn picked(watch: &Watch<'_>, wanted: impl Fn(&Workload) -> bool) -> Vec<Workload> {
    let mut picked = Vec::new();
    watch.each(|workload| {
        if wanted(&workload) {
            picked.push(workload);
        }
    });
    picked
}

/// What is beside the workloads of a watch.
pub struct WatchedScope {
    pub namespaces: Vec<Namespace>,
    /// All since the watch began.
    pub warnings: Vec<String>,
}

/// What was read beside the watch.
#[derive(Default)]
pub struct WatchState {
    /// What the logs of failing workloads told, each read once for each way in which it fails.
    diagnoses: HashMap<Name, (Vec<Failure>, Vec<Obstacle>)>,
    /// What is behind the claims, the claims, and when it was read.
    storage: Storage,
    claims: BTreeSet<(Option<String>, String)>,
    storage_read: Option<Instant>,
    machines: VirtualMachines,
    errors: Vec<Error>,
}
/// Namespace, kind and name.
type Name = (Option<String>, String, String);

impl WatchState {
    /// Judges one workload after the other, and hands each to `take`: none is kept.
    ///
    /// # Errors
    /// The baseline cannot be read.
    pub fn judge(
        &self,
        watch: &Watch<'_>,
        options: &ScanOptions,
        mut take: impl FnMut(&report::Workload),
    ) -> Result<WatchedScope, Error> {
        let sharing = picked(watch, |workload| claims(workload).next().is_some());
        let mut surroundings = Surroundings::of(&sharing);
        surroundings.storage = self.storage.clone();
        surroundings.machines = self.machines.clone();
        drop(sharing);
        let baseline = acceptance::read(&options.acceptance)?;
        let mut doubts = Vec::new();
        watch.each(|mut workload| {
            if !options.selector.names(&workload) {
                return;
            }
            let obstacles = self.of(&workload);
            let verdicts = policy::verdicts(&workload.metadata, &workload.spec, options.version);
            let level = options.judged_level;
            let mut row = Row::new(&mut workload, verdicts, obstacles, &surroundings, &[], level);
            doubts.extend(acceptance::accept(&mut row, baseline.as_ref()));
            let report = row.report();
            if options.shows(&report) {
                take(&report);
            }
        });
        let Partial { value: namespaces, errors } = watch.namespaces();
        let errors = errors.iter().chain(&self.errors).map(Error::to_string);
        let warnings = errors.chain(doubts).chain(surroundings.storage.notes).collect();
        Ok(WatchedScope { namespaces: namespaces.iter().map(Namespace::from).collect(), warnings })
    }

    fn name(workload: &Workload) -> Name {
        (workload.namespace.clone(), workload.kind.clone(), workload.name.clone())
    }

    fn of(&self, workload: &Workload) -> Vec<Obstacle> {
        let known = self
            .diagnoses
            .get(&Self::name(workload))
            .filter(|(failures, _)| *failures == workload.failures);
        known.map(|(_, obstacles)| obstacles.clone()).unwrap_or_default()
    }

    /// Reads what is new, and says whether there was anything.
    pub async fn learn(
        &mut self,
        cluster: &Cluster,
        watch: &Watch<'_>,
        options: &ScanOptions,
    ) -> bool {
        let is_told_of = |workload: &Workload| {
            let is_asked_about =
                claims(workload).next().is_some() || workload.kind == virtual_machine::INSTANCE;
            options.selector.names(workload) && (is_asked_about || !workload.failures.is_empty())
        };
        let workloads = picked(watch, is_told_of);
        self.errors.clear();
        // One after the other: both take what the other leaves of the server's patience with one
        // user.
        let is_any = self.learn_storage(cluster, &workloads).await;
        self.learn_failures(cluster, workloads).await || is_any
    }

    async fn learn_storage(&mut self, cluster: &Cluster, workloads: &[Workload]) -> bool {
        let claims: BTreeSet<_> = workloads.iter().flat_map(claims).collect();
        let is_fresh = self.storage_read.is_some_and(|read| read.elapsed() < STORAGE_FOR);
        if claims == self.claims && (claims.is_empty() || is_fresh) && self.storage_read.is_some() {
            return false;
        }
        let (storage, machines) =
            tokio::join!(cluster.storage(workloads), cluster.virtual_machines(workloads));
        self.errors.extend(machines.errors);
        (self.storage, self.machines, self.claims) = (storage, machines.value, claims);
        self.storage_read = Some(Instant::now());
        true
    }

    /// Reads the logs of what fails otherwise than before.
    async fn learn_failures(&mut self, cluster: &Cluster, mut failing: Vec<Workload>) -> bool {
        failing.retain(|workload| !workload.failures.is_empty());
        let names: HashSet<Name> = failing.iter().map(Self::name).collect();
        self.diagnoses.retain(|name, _| names.contains(name));
        failing.retain(|workload| {
            self.diagnoses
                .get(&Self::name(workload))
                .is_none_or(|(failures, _)| *failures != workload.failures)
        });
        let diagnosed = diagnose_failing(cluster, &failing).await;
        let is_any = !failing.is_empty();
        for (workload, read) in failing.into_iter().zip(diagnosed) {
            self.errors.extend(read.errors);
            self.diagnoses.insert(Self::name(&workload), (workload.failures, read.value));
        }
        is_any
    }
}

/// The claims of a workload, and inline volumes of CSI drivers by their own names.
fn claims(workload: &Workload) -> impl Iterator<Item = (Option<String>, String)> {
    let volumes = workload.spec.volumes.iter().flatten();
    let names = volumes.filter_map(move |volume| {
        let claim = claim_name(volume, workload.metadata.name.as_deref());
        claim.or_else(|| volume.csi.as_ref().map(|_| volume.name.clone()))
    });
    names.map(move |name| (workload.namespace.clone(), name))
}
