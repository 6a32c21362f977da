//! What becomes of a plan: it is shown, tried, applied, written, saved, or left.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::super::prompts::{self, Next};
use super::super::{Fault, print, say, width};
use super::render::{diff, rendered, yaml};
use super::{FixArgs, plan};
use crate::apply;
use crate::error::Error;
use crate::evidence::cluster::Cluster;
use crate::evidence::manifests::ManifestFile;
use crate::output::explanation::Terminal;
use crate::output::fix as report;
use crate::usecase::fix::delivery::{self, Delivered, Delivery};
use crate::usecase::fix::targets::FixTarget;
use crate::usecase::fix::{FixOptions, Fixed, edited_files};

/// Applies every plan, if the flags ask to. False: something was not, and that was said.
pub(super) async fn all(
    cluster: Option<&Cluster>,
    args: &FixArgs,
    fixed: &[Fixed],
    errors: &mut Vec<Error>,
) -> bool {
    let Some(cluster) = cluster.filter(|_| args.apply) else { return true };
    let mut good = true;
    for one in fixed {
        match applied(cluster, args, one).await {
            Ok(done) => good &= done,
            Err(error) => {
                say(format_args!("error: {error}"));
                errors.push(error);
            }
        }
    }
    good
}

/// Applies one plan and says how that goes. False: it was not applied, or taken back.
async fn applied(cluster: &Cluster, args: &FixArgs, one: &Fixed) -> Result<bool, Error> {
    let name = one.target.name();
    let bar = ProgressBar::new(1).with_style(
        ProgressStyle::with_template("{prefix} {bar:20} {pos}/{len} ready {elapsed}")
            .unwrap_or(ProgressStyle::default_bar()),
    );
    bar.set_prefix(name.clone());
    let tell = |delivery: Delivery<'_>| told(&name, &bar, &delivery);
    let delivered = delivery::apply(cluster, args.apply_options(), one, &tell).await;
    bar.finish_and_clear();
    let delivered = delivered?;
    match delivered {
        Delivered::Refuted => say(format_args!("{name} is not applied: its trial did not work.")),
        Delivered::Unchanged => say(format_args!("{name}: nothing to change.")),
        Delivered::Accepted => say(format_args!("{name}: nothing was written (--dry-run=server).")),
        Delivered::RolledOut => say(format_args!("{name}: rolled out.")),
        Delivered::Written => {
            say(format_args!("{name}: patched; the pods that it makes from now on follow."))
        }
        Delivered::TakenBack => say(format_args!(
            "{name}: the pod template is as it was before; --trial finds out what is missing."
        )),
    }
    Ok(delivered.is_good())
}

/// Says how an application goes.
fn told(name: &str, bar: &ProgressBar, delivery: &Delivery<'_>) {
    match delivery {
        Delivery::Goes(apply::RolloutProgress::Accepted) => {
            say(format_args!("{name}: the API server accepts it"));
        }
        Delivery::Goes(apply::RolloutProgress::Patched) => {
            say(format_args!("{name}: patched, rolling out"));
        }
        Delivery::Goes(apply::RolloutProgress::Rolling(ready, wanted)) => {
            bar.set_length(*wanted);
            bar.set_position(*ready);
        }
        Delivery::Interrupted => {
            bar.finish_and_clear();
            say(format_args!("{name}: interrupted, taking the change back"));
        }
        Delivery::Failed(why, explanation) => {
            bar.finish_and_clear();
            say(format_args!("{name}: {why}"));
            if let Some(explanation) = explanation {
                // Its lines are clean and styled already.
                let _ = write!(
                    anstream::stderr().lock(),
                    "{}",
                    Terminal { explanation, all: false, width: width() }
                );
            }
        }
        Delivery::TakingBack => say(format_args!("{name}: taking the change back")),
    }
}

/// Writes the plans of a file into it, and says so.
///
/// # Errors
/// As [`edited_files::write`].
pub(super) fn write(file: &Arc<ManifestFile>, fixed: &[&Fixed]) -> Result<(), Error> {
    let is_of_file = |one: &&&Fixed| {
        one.target.manifest.as_ref().is_some_and(|manifest| Arc::ptr_eq(&manifest.file, file))
    };
    for one in fixed.iter().filter(is_of_file).filter(|one| one.is_refuted()) {
        say(format_args!("{} is not written: its trial did not work.", one.target.name()));
    }
    let names = edited_files::write(file, fixed)?;
    if !names.is_empty() {
        say(format_args!("{}: written ({}).", file.name, names.join(", ")));
    }
    Ok(())
}

/// Shows a plan, asks about it, and does what is answered.
pub(super) async fn interactive(
    cluster: Option<&Cluster>,
    args: &FixArgs,
    options: &FixOptions,
    target: FixTarget,
) -> Result<u8, Fault> {
    if args.trial {
        prompts::start(&target, &args.with_volumes, options.trial.control)?;
    }
    let mut one = planned(cluster, options, target, args.trial).await?;
    if !one.changes() {
        print(&rendered(std::slice::from_ref(&one), &[], &[], args)?)?;
        return Ok(u8::from(!one.is_good()));
    }
    if !args.trial {
        one = chosen(cluster, options, one).await?;
    }
    loop {
        print(&report::text(&one.report(), &diff(&one)?, width()))?;
        match prompts::next(&one.target, one.is_proven(), cluster.is_some())? {
            Next::Try => {
                if !prompts::may_start(&one.target, &args.with_volumes, options.trial.control)? {
                    continue;
                }
                one = planned(cluster, options, one.target, true).await?;
            }
            Next::Apply => {
                let Some(cluster) = cluster else { continue };
                return Ok(u8::from(!applied(cluster, args, &one).await?));
            }
            Next::Write => {
                let Some(manifest) = &one.target.manifest else { continue };
                let edited = edited_files::edited(&manifest.file, &[&one]);
                match edited
                    .errors
                    .into_iter()
                    .next()
                    .map_or_else(|| write(&manifest.file, &[&one]), Err)
                {
                    Ok(()) => return Ok(0),
                    Err(error) => say(format_args!("error: {error}")),
                }
            }
            Next::Save => {
                let path = prompts::file(&one.target)?;
                let text = match &one.target.manifest {
                    Some(manifest) => {
                        let edited = edited_files::edited(&manifest.file, &[&one]);
                        edited.errors.into_iter().next().map_or(Ok(edited.text), Err)?
                    }
                    None => yaml(std::slice::from_ref(&one))?,
                };
                apply::write_new(Path::new(&path), &text)?;
                say(format_args!("Saved as {path}."));
                return Ok(0);
            }
            Next::Quit => {
                say(format_args!("Nothing was changed."));
                return Ok(u8::from(!one.is_good()));
            }
        }
    }
}

async fn planned(
    cluster: Option<&Cluster>,
    options: &FixOptions,
    target: FixTarget,
    proves: bool,
) -> Result<Fixed, Fault> {
    plan(cluster, options, target, proves, &MultiProgress::new(), String::new()).await
}

/// The plan with the identity and the remedies that the user chose.
async fn chosen(
    cluster: Option<&Cluster>,
    options: &FixOptions,
    mut one: Fixed,
) -> Result<Fixed, Fault> {
    print(&report::text(&one.report(), "", width()))?;
    if options.trial.search.run_as.is_none()
        && let Some(user) = prompts::identity(&one.plan)?
    {
        let mut options = options.clone();
        options.trial.search.run_as = Some(user);
        one = planned(cluster, &options, one.target, false).await?;
    }
    let without = prompts::without(&one.plan)?;
    one.leave_out(&without, options.level());
    Ok(one)
}
