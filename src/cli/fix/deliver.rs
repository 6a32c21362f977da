//! What becomes of a plan: it is shown, tried, applied, written, saved, or left.

use std::io::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::super::{Fault, explain, print, say, width};
use super::ask::{self, Next};
use super::planning::planned;
use super::render::{diff, fix, rendered, yaml};
use super::subject::Subject;
use super::{FixArgs, Fixed, file, stopped};
use crate::apply::{self, Change, RolloutOutcome, RolloutProgress};
use crate::error::Error;
use crate::evidence::cluster::Cluster;
use crate::model::plan::Plan;
use crate::output::explanation::{Explanation, Terminal};
use crate::output::fix as report;
use crate::output::patch;
use crate::plan;
use crate::run;

/// Applies every plan, if the flags ask to. False: something was not, and that was said.
pub(super) async fn all(
    cluster: Option<&Cluster>,
    args: &FixArgs,
    fixed: &[Fixed],
    errors: &mut Vec<Error>,
) -> Result<bool, Fault> {
    let mut good = true;
    if let (true, Some(cluster)) = (args.apply, cluster) {
        for one in fixed {
            match applied(cluster, args, one).await {
                Ok(done) => good &= done,
                Err(error) => {
                    say(format_args!("error: {error}"));
                    errors.push(error);
                }
            }
        }
    }
    Ok(good)
}

/// Applies one plan. False: it was not, or it was taken back.
async fn applied(cluster: &Cluster, args: &FixArgs, one: &Fixed) -> Result<bool, Error> {
    let name = one.subject.name();
    if one.proof.as_ref().is_some_and(|proof| !proof.ready) {
        say(format_args!("{name} is not applied: its trial did not work."));
        return Ok(false);
    }
    if one.plan.object == one.subject.object {
        say(format_args!("{name}: nothing to change."));
        return Ok(true);
    }
    if let Some(owner) = one.owner.as_ref().filter(|_| !args.force) {
        let why = format!("it belongs to {}, which would take the change back", owner.who);
        let help = format!("{}; --force applies it here all the same", owner.advice);
        return Err(Error::input(format!("apply the change to {name}"), why).help(help));
    }
    let patch = patch::strategic(&one.subject.object, &one.plan.object);
    let change =
        Change { original: &one.subject.object, patch: &patch, namespace: &one.subject.namespace };
    let bar = ProgressBar::new(1).with_style(
        ProgressStyle::with_template("{prefix} {bar:20} {pos}/{len} ready {elapsed}")
            .unwrap_or(ProgressStyle::default_bar()),
    );
    bar.set_prefix(name.clone());
    let progress = |progress: RolloutProgress| match progress {
        RolloutProgress::Accepted => say(format_args!("{name}: the API server takes it")),
        RolloutProgress::Patched => say(format_args!("{name}: patched, rolling out")),
        RolloutProgress::Rolling(ready, wanted) => {
            bar.set_length(wanted);
            bar.set_position(ready);
        }
    };
    let options = (args.dry_run.is_some(), Duration::from_secs(args.timeout));
    let outcome = tokio::select! {
        outcome = apply::apply(cluster, change, options, &progress) => outcome,
        () = stopped() => {
            bar.finish_and_clear();
            say(format_args!("{name}: interrupted, taking the change back"));
            apply::roll_back(cluster, change).await?;
            return Err(Error::input(format!("finish the rollout of {name}"), "it was interrupted").help("the pod template is as it was before"));
        }
    };
    bar.finish_and_clear();
    match outcome? {
        RolloutOutcome::Accepted => {
            say(format_args!("{name}: nothing was written (--dry-run=server)."))
        }
        RolloutOutcome::RolledOut => say(format_args!("{name}: rolled out.")),
        RolloutOutcome::Written => {
            say(format_args!("{name}: patched; the pods that it makes from now on follow."))
        }
        RolloutOutcome::Failed { why, pod } => {
            say(format_args!("{name}: {why}"));
            if let Some(pod) = pod {
                explained(cluster, &one.subject, &pod).await;
            }
            say(format_args!("{name}: taking the change back"));
            apply::roll_back(cluster, change).await?;
            say(format_args!(
                "{name}: the pod template is as it was before; --trial finds out what is missing."
            ));
            return Ok(false);
        }
    }
    Ok(true)
}

/// Says why a new pod failed, before it is gone.
async fn explained(cluster: &Cluster, subject: &Subject, pod: &str) {
    let Ok(texts) = cluster.failure_texts(&subject.namespace, pod, None, false).await else {
        return;
    };
    let diagnosed = run::diagnosed(&texts.value);
    let obstacles = diagnosed.obstacles.into_iter().map(explain::explained).collect();
    let explanation =
        Explanation::new(Vec::new(), obstacles, diagnosed.looks_like.map(str::to_owned));
    // Its lines are clean and styled already.
    let _ = write!(
        anstream::stderr().lock(),
        "{}",
        Terminal { explanation: &explanation, all: false, width: width() }
    );
}

/// Shows a plan, asks about it, and does what is answered.
pub(super) async fn interactive(
    cluster: Option<&Cluster>,
    args: &FixArgs,
    subject: Subject,
) -> Result<u8, Fault> {
    if args.trial {
        ask::start(&subject, &args.with_volumes)?;
    }
    let mut one = planned(cluster, args, subject, args.trial, None).await?;
    if !one.changes() {
        print(&rendered(std::slice::from_ref(&one), &[], &[], args)?)?;
        return Ok(u8::from(!one.is_good()));
    }
    if !args.trial {
        one = chosen(cluster, args, one).await?;
    }
    loop {
        print(&report::text(&fix(&one), &diff(&one)?, width()))?;
        match ask::next(&one.subject, one.is_proven(), cluster.is_some())? {
            Next::Try => {
                if !ask::may_start(&one.subject, &args.with_volumes)? {
                    continue;
                }
                one = planned(cluster, args, one.subject, true, None).await?;
            }
            Next::Apply => {
                let Some(cluster) = cluster else { continue };
                return Ok(u8::from(!applied(cluster, args, &one).await?));
            }
            Next::Write => {
                let Some(manifest) = &one.subject.manifest else { continue };
                let edited = file::edited(&manifest.file, &[&one]);
                match edited
                    .errors
                    .into_iter()
                    .next()
                    .map_or_else(|| file::write(&manifest.file, &[&one]), Err)
                {
                    Ok(()) => return Ok(0),
                    Err(error) => say(format_args!("error: {error}")),
                }
            }
            Next::Save => {
                let path = ask::file(&one.subject)?;
                let text = match &one.subject.manifest {
                    Some(manifest) => {
                        let edited = file::edited(&manifest.file, &[&one]);
                        edited.errors.into_iter().next().map_or(Ok(edited.text), Err)?
                    }
                    None => yaml(std::slice::from_ref(&one))?,
                };
                apply::write_new(std::path::Path::new(&path), &text)?;
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

/// The plan with the identity and the remedies that the user chose.
async fn chosen(cluster: Option<&Cluster>, args: &FixArgs, one: Fixed) -> Result<Fixed, Fault> {
    print(&report::text(&fix(&one), "", width()))?;
    let mut one = one;
    if args.run_as.is_none()
        && let Some(user) = ask::identity(&one.plan)?
    {
        let args = FixArgs { run_as: Some(user), ..FixArgs::clone(args) };
        one = planned(cluster, &args, one.subject, false, None).await?;
    }
    let without = ask::without(&one.plan)?;
    if !without.is_empty() {
        let mut number = 0;
        let mut steps = std::mem::take(&mut one.plan.steps);
        steps.retain(|_| {
            number += 1;
            !without.contains(&(number - 1))
        });
        let edits = plan::edits(&one.subject.object, args.level(), &one.plan.identities, &steps);
        let object = plan::compose(&one.subject.object, args.level(), &edits);
        one.plan = Plan { steps, object, ..one.plan };
    }
    Ok(one)
}
