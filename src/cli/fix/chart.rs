//! Plans for a Helm chart, or for the release that a workload belongs to.

use super::super::{Fault, exit_code, print, say};
use super::arguments::{FixArgs, Format};
use super::{planned, print_rendered, warn};
use crate::error::Error;
use crate::evidence::cluster::Cluster;
use crate::evidence::helm::HelmChart;
use crate::output::patch;
use crate::output::values::values;
use crate::usecase::fix::chart::{ChartOptions, ChartPlan, ChartTarget};
use crate::usecase::fix::edited_files::{self, Edited};
use crate::usecase::fix::targets::{FixTarget, OfFiles};
use crate::usecase::fix::{FixOptions, Fixed};
use crate::usecase::progress::Tell;

/// The chart of -f, and nothing else is there.
pub(super) struct OfChart(ChartTarget);

/// The chart that -f names, if it does.
///
/// # Errors
/// It cannot be read, other files are named beside it, or the flags do not go with what is there.
pub(super) fn of(cluster: Option<&Cluster>, args: &FixArgs) -> Result<Option<OfChart>, Error> {
    let files = &args.selection.filename;
    let Some(path) = files.iter().find(|path| HelmChart::is_at(path)) else {
        if files.is_empty() {
            return Ok(None);
        }
        let flag = if !args.values.is_empty() {
            "take values (--values)"
        } else if args.release.is_some() {
            "name a release (--release)"
        } else if args.is_of_values() {
            "find values of a chart (-o)"
        } else {
            return Ok(None);
        };
        let why = "-f names no Helm chart: no directory with a Chart.yaml, and no archive of one";
        return Err(Error::input(flag, why));
    };
    if files.len() > 1 {
        return Err(Error::input(
            format!("fix the chart {path}"),
            "other files are named beside it",
        )
        .help("a chart is fixed by itself"));
    }
    if args.write && args.values.is_empty() {
        let why = "its templates are rendered, and stay as they are";
        return Err(Error::input(format!("write to the chart {path}"), why)
            .help("with --values FILE the values are written into that file"));
    }
    let namespace = cluster.map_or("default", |cluster| cluster.namespace.as_str());
    let options = ChartOptions { values: args.values.clone(), release: args.release.clone() };
    ChartTarget::of_path(path, &options, namespace).map(|target| Some(OfChart(target)))
}

impl OfChart {
    /// Plans for what the chart renders, and prints what is asked for.
    pub(super) async fn run(
        self,
        cluster: Option<&Cluster>,
        args: &FixArgs,
        options: &FixOptions,
        tell: Tell<'_>,
    ) -> Result<u8, Fault> {
        let (found, mut errors) = self.0.targets(options.level(), tell).await?;
        let OfFiles { files, targets, notes, left_alone, .. } = found;
        for warning in errors.iter().map(ToString::to_string).chain(notes) {
            say(format_args!("warning: {warning}"));
        }
        if targets.is_empty() {
            say(format_args!("The chart renders no workloads."));
            return Ok(exit_code(&errors, left_alone));
        }
        let fixed = planned(cluster, args, options, targets, &mut errors, tell).await?;
        if args.is_of_values() || args.write {
            printed(&self.0, args, options, &fixed, tell).await?;
        } else {
            let all: Vec<&Fixed> = fixed.iter().collect();
            let edited: Vec<Edited> =
                files.iter().map(|file| edited_files::edited(file, &all)).collect();
            print_rendered(&fixed, &files, &edited, args)?;
            if args.prints_changes() {
                warn(&fixed);
            }
        }
        Ok(exit_code(&errors, left_alone || !fixed.iter().all(Fixed::is_good)))
    }
}

/// Plans for workloads of a release, in the values of its chart.
pub(super) async fn of_release(
    cluster: Option<&Cluster>,
    args: &FixArgs,
    options: &FixOptions,
    live: Vec<FixTarget>,
    tell: Tell<'_>,
) -> Result<u8, Fault> {
    let (Some(cluster), [live]) = (cluster, live.as_slice()) else {
        let error = Error::input("find values of a chart (-o)", "several workloads are selected");
        return Err(error.help("name one as TYPE/NAME, or give the chart: fix -f CHART").into());
    };
    let chart = ChartTarget::of_workload(cluster, live).await?;
    let target = chart.live_target(cluster, live, options.level(), tell).await?;
    let mut errors = Vec::new();
    let fixed = planned(Some(cluster), args, options, vec![target], &mut errors, tell).await?;
    printed(&chart, args, options, &fixed, tell).await?;
    Ok(exit_code(&errors, !fixed.iter().all(Fixed::is_good)))
}

/// Prints the values or what they do not reach, or writes the values.
async fn printed(
    chart: &ChartTarget,
    args: &FixArgs,
    options: &FixOptions,
    fixed: &[Fixed],
    tell: Tell<'_>,
) -> Result<(), Fault> {
    warn(fixed);
    let plan = chart.planned(fixed, options.level(), tell).await?;
    if args.output == Some(Format::PostRenderer) {
        for hook in plan.hooks() {
            say(format_args!(
                "warning: {hook} is a hook, and Helm 3 gives no hook to a post-renderer"
            ));
        }
        print(&patch::post_renderer(&plan.changes(), &plan.made_up())?)?;
    } else {
        if args.is_of_values() {
            print(&values(&plan.lines)?)?;
        }
        tell_rest(&plan);
    }
    if args.write {
        match chart.write(&plan)? {
            Some(file) => say(format_args!("{file}: written.")),
            None => say(format_args!("No value changes anything.")),
        }
    }
    Ok(())
}

/// Says what the values do not reach, and where that is printed.
fn tell_rest(plan: &ChartPlan) {
    let (wanted, reached, renderings) = plan.counts();
    for sentence in plan.unreached() {
        say(format_args!("warning: {sentence}"));
    }
    let rest = if reached < wanted { "; -o post-renderer prints the rest" } else { "" };
    say(format_args!(
        "The values reach {reached} of {wanted} fields of the plan ({renderings} renderings){rest}."
    ));
}
