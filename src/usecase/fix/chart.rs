//! Plans for what a Helm chart renders: the values that give them, and what no value reaches.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::super::interrupt::interrupted;
use super::super::progress::{Tell, Work};
use super::targets::{self, FixTarget, OfFiles};
use super::{Fixed, objects};
use crate::apply;
use crate::chart::{
    self, ChartSearch, FieldDifference, FoundValues, PlannedObject, RenderFailure, differences,
};
use crate::error::Error;
use crate::evidence::cluster::Cluster;
use crate::evidence::helm::{self, HelmChart, RenderOptions};
use crate::evidence::manifests::document::Document;
use crate::evidence::manifests::{self, ManifestFile};
use crate::model::podsecurity::Level;
use crate::output::patch;
use crate::output::values::ValueLine;
use crate::plan;

/// A chart, and how it is rendered.
pub struct ChartTarget {
    chart: HelmChart,
    options: RenderOptions,
    /// As the user named it: a path, or a release.
    name: String,
    /// The values that its user gave.
    given: Value,
    /// How a release calls its charts that Helm has not kept.
    lost: Vec<String>,
}

/// How a chart that is given by its path is rendered.
#[derive(Debug, Clone, Default)]
pub struct ChartOptions {
    /// Files of values, the last one over the others.
    pub values: Vec<String>,
    /// The release's name; the chart's own without.
    pub release: Option<String>,
}

/// What came of a chart.
pub struct ChartPlan {
    pub lines: Vec<ValueLine>,
    found: FoundValues,
}

impl ChartTarget {
    /// A chart in a directory or an archive.
    ///
    /// # Errors
    /// It or a file of values cannot be read.
    pub fn of_path(
        path: &str,
        options: &ChartOptions,
        namespace: &str,
    ) -> Result<ChartTarget, Error> {
        let chart = HelmChart::read(path)?;
        let mut given = json!({});
        for file in &options.values {
            given = chart::layered(given, &helm::values(file)?);
        }
        let options = RenderOptions {
            chart: chart.path.clone(),
            release: options.release.clone().unwrap_or_else(|| chart.name.clone()),
            namespace: namespace.to_owned(),
            values: options.values.clone(),
        };
        Ok(ChartTarget { chart, options, name: path.to_owned(), given, lost: Vec::new() })
    }

    /// The chart of the release that a workload of the cluster belongs to.
    ///
    /// # Errors
    /// It belongs to none, or the release cannot be read.
    pub async fn of_workload(cluster: &Cluster, target: &FixTarget) -> Result<ChartTarget, Error> {
        let Some((release, namespace)) = plan::release(&target.object) else {
            let why = "it belongs to no Helm release (meta.helm.sh/release-name)";
            return Err(Error::input(format!("find the chart of {}", target.name()), why)
                .help("give the chart: fix -f CHART --values FILE"));
        };
        let namespace = namespace.unwrap_or(&target.namespace);
        let release = cluster.release(namespace, release).await?;
        let chart = HelmChart::of_release(&release)?;
        let options = RenderOptions {
            chart: chart.path.clone(),
            release: release.name.clone(),
            namespace: namespace.to_owned(),
            values: Vec::new(),
        };
        let name = format!("release {}", release.name);
        Ok(ChartTarget { chart, options, name, given: release.config, lost: release.lost })
    }

    /// The workloads that the chart renders.
    ///
    /// # Errors
    /// It cannot be rendered, or it was interrupted.
    pub async fn targets(
        &self,
        level: Level,
        tell: Tell<'_>,
    ) -> Result<(OfFiles, Vec<Error>), Error> {
        let _work = Work::begin(tell, "rendering the chart");
        let (options, over) = (self.options.clone(), self.beneath());
        let text = stoppable(move |stop| helm::rendered(&options, &over, stop)).await;
        let text = text.map_err(|error| self.explained(error))?;
        let file = ManifestFile { name: self.name.clone(), path: None, text, is_rendered: true };
        Ok(targets::of_texts(vec![file], level, &self.options.namespace))
    }

    /// The workload of the release that is this one of the cluster, with what is known of it there.
    ///
    /// # Errors
    /// The chart cannot be rendered, or renders no such workload.
    pub async fn live_target(
        &self,
        cluster: &Cluster,
        live: &FixTarget,
        level: Level,
        tell: Tell<'_>,
    ) -> Result<FixTarget, Error> {
        let (found, _) = self.targets(level, tell).await?;
        let is_same = |target: &FixTarget| {
            ["kind", "apiVersion"].iter().all(|field| target.object[*field] == live.object[*field])
                && target.object["metadata"]["name"] == live.object["metadata"]["name"]
        };
        let Some(mut target) = found.targets.into_iter().find(is_same) else {
            let why = "the chart that Helm keeps with it does not render it".to_owned();
            let error = Error::input(format!("find {} in the {}", live.name(), self.name), why);
            return Err(self.explained(error));
        };
        target.take_running(cluster, tell).await;
        Ok(target)
    }

    /// A release without its charts below may fail for that alone.
    fn explained(&self, error: Error) -> Error {
        if self.lost.is_empty() {
            return error;
        }
        error.help(format!(
            "Helm keeps no chart below a chart with a release ({}): give the whole, fix -f CHART --values FILE",
            self.lost.join(", ")
        ))
    }

    /// What helm is not given by files: of a release, its user's values.
    fn beneath(&self) -> Value {
        match self.chart.is_of_release() {
            true => self.given.clone(),
            false => json!({}),
        }
    }

    /// The values that move what the chart renders to the plans, and what they leave.
    ///
    /// # Errors
    /// The chart cannot be rendered, or it was interrupted.
    pub async fn planned(
        &self,
        fixed: &[Fixed],
        level: Level,
        tell: Tell<'_>,
    ) -> Result<ChartPlan, Error> {
        let _work = Work::begin(tell, "searching the chart's values");
        let changed = objects(fixed).into_iter().filter(|(before, after)| before != after);
        let planned: Vec<PlannedObject> =
            changed.map(|(before, after)| PlannedObject { before, after }).collect();
        let (options, parts) = (self.options.clone(), self.chart.parts.clone());
        let values = self.values();
        let beneath = self.beneath();
        let searched = planned.clone();
        let found = stoppable(move |stop| {
            let mut render = |overrides: &Value| {
                rendered_objects(&options, &chart::layered(beneath.clone(), overrides), stop)
            };
            // What a user gave to a release is not printed again.
            let may_repeat = |path: &[String]| !chart::has_field(&beneath, path);
            let search = ChartSearch {
                parts: &parts,
                values: &values,
                planned: &searched,
                may_repeat: &may_repeat,
            };
            chart::search(&search, &mut render)
        });
        let found = found.await?;
        let reasons = reasons(fixed, &planned, level);
        let lines = found.set.iter().map(|one| {
            let mut why = Vec::new();
            for (number, place) in &one.fields {
                let reason = reason(&reasons[*number], place, &one.value, level);
                if !why.contains(&reason) {
                    why.push(reason);
                }
            }
            if why.is_empty() {
                why.push("the plan needs it for what stands beside it".to_owned());
            }
            ValueLine { path: one.path.clone(), value: one.value.clone(), reasons: why }
        });
        Ok(ChartPlan { lines: lines.collect(), found })
    }

    /// The values in force.
    fn values(&self) -> Value {
        let mut all = json!({});
        // The deepest first: a chart's own values are over those of the charts below it.
        let mut parts: Vec<_> = self.chart.parts.iter().collect();
        parts.sort_by_key(|part| std::cmp::Reverse(part.prefix.len()));
        for part in parts {
            let own = part
                .prefix
                .iter()
                .rev()
                .fold(part.values.clone(), |value, name| json!({name.as_str(): value}));
            all = chart::merged(all, &own);
        }
        chart::merged(all, &self.given)
    }

    /// Writes the values into a user's own file.
    ///
    /// # Errors
    /// The file cannot be edited or written.
    pub fn write(&self, plan: &ChartPlan) -> Result<Option<String>, Error> {
        let Some(file) = self.options.values.last().filter(|_| !plan.lines.is_empty()) else {
            return Ok(None);
        };
        let attempt = || format!("write the values to {file}");
        let text = std::fs::read_to_string(file).map_err(|why| Error::input(attempt(), why))?;
        let read = |text: &str| Document::parse(text).ok().flatten().map(|document| document.value);
        let original = read(&text).unwrap_or_else(|| json!({}));
        let planned = chart::layered(original.clone(), &plan.found.overrides);
        let edited = patch::manifest(&text, &original, &planned, &read)
            .map_err(|unfit| Error::input(attempt(), unfit.why).help("-o values prints them"))?;
        apply::replace(Path::new(file), &text, &edited)?;
        Ok(Some(file.clone()))
    }

    /// A file of values is there to write to.
    #[must_use]
    pub fn has_file(&self) -> bool {
        !self.options.values.is_empty()
    }
}

impl ChartPlan {
    /// Each object as it is rendered with the values, and as it is planned.
    #[must_use]
    pub fn changes(&self) -> Vec<(Value, Value)> {
        let objects = self.found.objects.iter();
        objects.map(|one| (one.before.clone(), one.after.clone())).collect()
    }

    /// What a name begins and ends with that the chart makes up at each rendering.
    #[must_use]
    pub fn made_up(&self) -> BTreeMap<String, (String, String)> {
        let name = |number: &usize| {
            let name = &self.found.objects[*number].before["metadata"]["name"];
            name.as_str().unwrap_or_default().to_owned()
        };
        self.found.renamed.iter().map(|(number, ends)| (name(number), ends.clone())).collect()
    }

    /// What the values do not reach, in a sentence for each object.
    #[must_use]
    pub fn unreached(&self) -> Vec<String> {
        let mut told = Vec::new();
        for PlannedObject { before, after } in &self.found.objects {
            let left = differences(before, after);
            if left.is_empty() {
                continue;
            }
            let mut places: Vec<String> = left.iter().map(place).collect();
            places.dedup();
            told.push(format!("{}: no value reaches {}", plan::name(before), places.join(", ")));
        }
        told
    }

    /// Hooks that change: Helm 3 gives none to a post-renderer.
    #[must_use]
    pub fn hooks(&self) -> Vec<String> {
        let is_hook =
            |object: &Value| object["metadata"]["annotations"]["helm.sh/hook"].is_string();
        let changed = self.found.objects.iter().filter(|one| one.before != one.after);
        changed.filter(|one| is_hook(&one.before)).map(|one| plan::name(&one.before)).collect()
    }

    /// How many fields are planned, how many of them values reach, and how often was rendered.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        let FoundValues { wanted, missing, renderings, .. } = self.found;
        (wanted, wanted.saturating_sub(missing), renderings)
    }
}

/// `containers[web].securityContext.runAsUser`, from the pod template on.
fn place(difference: &FieldDifference) -> String {
    let at = &difference.at;
    let start = at.iter().rposition(|name| name == "template").map_or(0, |at| at + 1);
    let mut text = String::new();
    for name in at[start..].iter().filter(|name| *name != "spec") {
        match name.split_once('=') {
            Some((_, name)) => text.push_str(&format!("[{name}]")),
            None if text.is_empty() => text.push_str(name),
            None => text.push_str(&format!(".{name}")),
        }
    }
    let item = difference.wanted.as_ref().filter(|_| difference.is_item);
    if let Some(name) = item.and_then(|item| item["mountPath"].as_str().or(item["name"].as_str())) {
        text.push_str(&format!("[{name}]"));
    }
    text
}

/// Runs what blocks on a thread of its own, until it is done or interrupted.
async fn stoppable<T: Send + 'static>(
    work: impl FnOnce(&AtomicBool) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let of_work = Arc::clone(&stop);
    let work = tokio::task::spawn_blocking(move || work(&of_work));
    tokio::select! {
        result = work => result.map_err(|why| Error::input("render the chart", why))?,
        () = interrupted() => {
            stop.store(true, Ordering::Relaxed);
            Err(Error::input("render the chart", "it was interrupted"))
        }
    }
}

fn rendered_objects(
    options: &RenderOptions,
    over: &Value,
    stop: &AtomicBool,
) -> Result<Vec<Value>, RenderFailure<Error>> {
    let failed = |error| match stop.load(Ordering::Relaxed) {
        true => RenderFailure::Stopped(error),
        false => RenderFailure::Refused(error),
    };
    let text = helm::rendered(options, over, stop).map_err(failed)?;
    manifests::objects(&text).map_err(|malformed| {
        let why = format!("line {} of what it renders: {}", malformed.line, malformed.why);
        RenderFailure::Refused(Error::input("read what the chart renders", why))
    })
}

/// Fields, and why the plan has them.
type Reasons = Vec<(Vec<FieldDifference>, String)>;

/// Of each planned object: what each step of its plans changes, and why.
fn reasons(fixed: &[Fixed], planned: &[PlannedObject], level: Level) -> Vec<Reasons> {
    let of_object = |object: &PlannedObject| {
        let of_it = fixed.iter().filter(|one| *one.target.before() == object.before);
        of_it.flat_map(|one| reasons_of(one, level)).collect()
    };
    planned.iter().map(of_object).collect()
}

fn reasons_of(one: &Fixed, level: Level) -> Reasons {
    let after = one.after();
    let (identities, steps) = (&one.plan.identities, &one.plan.steps);
    let composed = |steps: &[crate::model::plan::Step], identities: &[_]| {
        let edits = plan::edits(&one.target.object, level, identities, steps);
        one.target.after(&plan::compose(&one.target.object, level, &edits))
    };
    let mut reasons = Reasons::new();
    for number in 0..steps.len() {
        let mut others = steps.clone();
        let step = others.remove(number);
        let without = composed(&others, identities);
        let why = format!("{}, because {}", step.summary, step.obstacle.cause);
        reasons.push((differences(&without, &after), why));
    }
    // The user of each container, the pod's by the first of them.
    for (container, candidate) in identities.iter().filter(|(_, one)| one.assignment.is_written()) {
        let others: Vec<_> =
            identities.iter().filter(|(name, _)| name != container).cloned().collect();
        let mut changed = differences(&composed(steps, &others), &after);
        let ids = ["runAsUser", "runAsGroup"];
        changed.retain(|one| one.at.last().is_some_and(|name| ids.contains(&name.as_str())));
        let why = format!("user {}:{}: {}", candidate.uid, candidate.gid, candidate.why);
        reasons.push((changed, why));
    }
    reasons
}

fn reason(reasons: &Reasons, place: &[String], value: &Value, level: Level) -> String {
    let is_of = |changed: &Vec<FieldDifference>| changed.iter().any(|one| one.at == place);
    let found: Vec<&str> =
        reasons.iter().filter(|(changed, _)| is_of(changed)).map(|(_, why)| why.as_str()).collect();
    match found.as_slice() {
        [] if value.is_null() => "the plan takes it away".to_owned(),
        [] => format!("{} asks for it", level.as_str()),
        found => found.join("; "),
    }
}
