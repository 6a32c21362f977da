//! The questions of the commands, each of which has a flag.

use std::collections::BTreeSet;

use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};
use dialoguer::{Confirm, Input, MultiSelect, Select};

use super::{Fault, say};
use crate::error::Error;
use crate::model::plan::Plan;
use crate::output::terminal::Clean;
use crate::run;
use crate::usecase::fix::targets::FixTarget;

/// What to do with a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Try,
    Apply,
    Write,
    Save,
    Quit,
}

/// Whether a person can answer.
pub(super) fn is_answered() -> bool {
    console::user_attended()
        && console::user_attended_stderr()
        && std::io::IsTerminal::is_terminal(&std::io::stdin())
}

/// The answer to a question. Esc and `q` end everything and change nothing; so does Ctrl-C, after
/// which the terminal has its cursor again.
fn answered<T>(
    question: impl FnOnce(&dyn Theme) -> dialoguer::Result<Option<T>>,
) -> Result<T, Fault> {
    let theme: Box<dyn Theme> = if console::colors_enabled_stderr() {
        Box::new(ColorfulTheme::default())
    } else {
        Box::new(SimpleTheme)
    };
    let interrupted = tokio::spawn(interrupts());
    let answer = tokio::task::block_in_place(|| question(&*theme));
    interrupted.abort();
    // The console raises the signal and returns at once: whichever is noticed first ends it in the
    // same way.
    if matches!(&answer, Err(dialoguer::Error::IO(error)) if error.kind() == std::io::ErrorKind::Interrupted)
    {
        stop();
    }
    answer.ok().flatten().ok_or_else(|| {
        Error::input("go on", "no answer was given").help("nothing was changed").into()
    })
}

/// Ends the program at Ctrl-C. The handler is in force when this returns, before a question is
/// drawn.
fn interrupts() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let handler = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
    async move {
        #[cfg(unix)]
        let came = match handler {
            Ok(mut handler) => handler.recv().await.is_some(),
            Err(_) => false,
        };
        #[cfg(not(unix))]
        let came = tokio::signal::ctrl_c().await.is_ok();
        if came {
            stop();
        }
    }
}

/// Leaves the terminal with its cursor, on a line of its own.
#[allow(clippy::exit, reason = "a question waits for a key and for nothing else")]
fn stop() -> ! {
    let _ = console::Term::stderr().show_cursor();
    say(format_args!(""));
    say(format_args!("Nothing was changed."));
    std::process::exit(INTERRUPTED)
}

/// The exit code for an end by SIGINT, as shells have it.
const INTERRUPTED: i32 = 130;

/// One of the workloads that could be fixed.
pub(super) fn which(targets: &[FixTarget]) -> Result<usize, Fault> {
    let items: Vec<String> = targets
        .iter()
        .map(|target| Clean(&format!("{} in {}", target.name(), target.namespace)).to_string())
        .collect();
    answered(|theme| {
        Select::with_theme(theme)
            .with_prompt("Fix which workload?")
            .items(&items)
            .default(0)
            .interact_opt()
    })
}

/// The uid and gid to run as, of those that could be; `None` for the one that the plan has.
pub(super) fn identity(plan: &Plan) -> Result<Option<(u32, u32)>, Fault> {
    if plan.candidates.len() < 2 {
        return Ok(None);
    }
    let width = usize::from(console::Term::stderr().size().1).saturating_sub(8).max(20);
    let items: Vec<String> = plan
        .candidates
        .iter()
        .map(|one| {
            let line = Clean(&format!("{}:{}  {}", one.uid, one.gid, one.why)).to_string();
            console::truncate_str(&line, width, "...").into_owned()
        })
        .collect();
    let prompt = "Run as which user? (--run-as)";
    let chosen = answered(|theme| {
        Select::with_theme(theme).with_prompt(prompt).items(&items).default(0).interact_opt()
    })?;
    Ok((chosen > 0).then(|| (plan.candidates[chosen].uid, plan.candidates[chosen].gid)))
}

/// The steps to leave out, by number.
pub(super) fn without(plan: &Plan) -> Result<BTreeSet<usize>, Fault> {
    if plan.steps.is_empty() {
        return Ok(BTreeSet::new());
    }
    let width = usize::from(console::Term::stderr().size().1).saturating_sub(8).max(20);
    let items: Vec<(String, bool)> = plan
        .steps
        .iter()
        .map(|step| {
            let line =
                Clean(&format!("{}, because {}", step.summary, step.obstacle.cause)).to_string();
            (console::truncate_str(&line, width, "...").into_owned(), true)
        })
        .collect();
    let prompt = "Which remedies? Space selects or deselects one (--without)";
    let taken = answered(|theme| {
        MultiSelect::with_theme(theme).with_prompt(prompt).items_checked(items).interact_opt()
    })?;
    let taken: BTreeSet<usize> = taken.into_iter().collect();
    Ok((0..plan.steps.len()).filter(|number| !taken.contains(number)).collect())
}

/// What to do with the plan that was shown.
pub(super) fn next(target: &FixTarget, is_proven: bool, has_cluster: bool) -> Result<Next, Fault> {
    let mut choices = Vec::new();
    if has_cluster && !is_proven {
        choices.push(("Try it first: a copy of the pod runs until it works (--trial)", Next::Try));
    }
    match &target.manifest {
        Some(manifest) if manifest.file.path.is_some() => {
            choices.push(("Write it into the file (--write)", Next::Write));
        }
        Some(_) => {}
        None => {
            choices.push(("Apply it to the cluster, and watch the rollout (--apply)", Next::Apply))
        }
    }
    choices.push(("Save the patched object as a file (-o yaml)", Next::Save));
    choices.push(("Quit, and change nothing", Next::Quit));
    let items: Vec<&str> = choices.iter().map(|(text, _)| *text).collect();
    let prompt = "What next?";
    let chosen = answered(|theme| {
        Select::with_theme(theme).with_prompt(prompt).items(&items).default(0).interact_opt()
    })?;
    Ok(choices[chosen].1)
}

/// The file to save to.
pub(super) fn file(target: &FixTarget) -> Result<String, Fault> {
    let name = target.name().replace('/', "-");
    answered(|theme| {
        let input =
            Input::<String>::with_theme(theme).with_prompt("File").default(format!("{name}.yaml"));
        input.interact_text().map(Some)
    })
}

/// Asks whether something may be done: `attempted` names it, `why` says why the question is asked.
pub(super) fn allowed(attempted: &str, why: &str, prompt: &str) -> Result<(), Fault> {
    if !is_answered() {
        let why = format!("{why}, and there is no terminal to ask on");
        return Err(Error::input(attempted, why).help("--yes allows it").into());
    }
    match answered(|theme| {
        Confirm::with_theme(theme).with_prompt(prompt).default(false).interact_opt()
    })? {
        true => Ok(()),
        false => Err(Error::input(attempted, "it was not allowed").into()),
    }
}

/// Asks whether a copy may start, and refuses to go on without a yes.
pub(super) fn start(
    target: &FixTarget,
    with_volumes: &[String],
    has_control: bool,
) -> Result<(), Fault> {
    match may_start(target, with_volumes, has_control)? {
        true => Ok(()),
        false => {
            Err(Error::input(format!("start a copy of {}", target.name()), "it was not allowed")
                .into())
        }
    }
}

/// Asks whether copies may start: they do what the program does.
pub(super) fn may_start(
    target: &FixTarget,
    with_volumes: &[String],
    has_control: bool,
) -> Result<bool, Fault> {
    let name = target.name();
    let attempted = format!("start a copy of {name}");
    if !is_answered() {
        let why = "it does what the program does, and there is no terminal to ask on";
        return Err(Error::input(attempted, why).help("--yes allows it").into());
    }
    let data = if with_volumes.is_empty() {
        "without its volumes' data".to_owned()
    } else {
        format!("with the data of {}, which it may change", with_volumes.join(", "))
    };
    let which = if has_control { ", first as root to compare with" } else { "" };
    say(format_args!(
        "Copies of {name} will run in the cluster, one after the other{which}, {data}, and do what the program does."
    ));
    for effect in run::side_effects(&target.object) {
        say(format_args!("  It {effect}."));
    }
    is_confirmed("Start it?")
}

/// Asks for a yes; Enter alone means no.
pub(super) fn is_confirmed(prompt: &str) -> Result<bool, Fault> {
    answered(|theme| Confirm::with_theme(theme).with_prompt(prompt).default(false).interact_opt())
}
