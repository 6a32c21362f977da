//! What is going on, on standard error where that is a terminal.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;

use super::say;
use crate::output::terminal::Clean;
use crate::run;
use crate::search::End;
use crate::usecase::progress::Activity;

/// Short work shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// Shows what a use case tells: a spinner while it works, and a line for what is worth knowing.
pub(super) fn shown() -> impl Fn(Activity<'_>) + Sync {
    shown_of(String::new())
}

/// The same, with a prefix that names the workload, where there are several.
pub(super) fn shown_of(prefix: String) -> impl Fn(Activity<'_>) + Sync {
    let spinners: Mutex<Vec<Spinner>> = Mutex::default();
    move |progress| {
        let mut spinners = spinners.lock().unwrap_or_else(PoisonError::into_inner);
        match progress {
            Activity::Begins(what) => spinners.push(Spinner::start(what)),
            Activity::Ends => drop(spinners.pop()),
            Activity::Note(note) => say(format_args!("{prefix}note: {note}")),
            Activity::Warning(warning) => say(format_args!("warning: {warning}")),
            Activity::BaselineWritten { file, added, removed, renewed, kept } => {
                say(format_args!(
                    "{}: {added} added, {removed} removed, {renewed} renewed, {kept} as before.",
                    file.display()
                ));
            }
            // Of a plan without a trial only the notes are worth knowing.
            Activity::Trial(_) => {}
        }
    }
}

/// Shows a trial: a line for each round, and below them what goes on now.
pub(super) fn shown_trial(all: &MultiProgress, prefix: String) -> impl Fn(Activity<'_>) + Sync {
    let live = Live::start(all);
    let others = shown_of(prefix.clone());
    move |progress| match progress {
        Activity::Note(note) => live.say(format_args!("{prefix}note: {note}")),
        Activity::Trial(progress) => live.show(&prefix, &progress),
        other => others(other),
    }
}

/// Spins until it is dropped.
struct Spinner {
    bar: ProgressBar,
    later: JoinHandle<()>,
}

impl Spinner {
    /// Starts to count; `message` says what is done.
    fn start(message: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())
            .with_style(ProgressStyle::default_spinner())
            .with_message(message.to_owned());
        let shown = bar.clone();
        let later = tokio::spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            // indicatif draws nothing where standard error is no terminal.
            shown.set_draw_target(ProgressDrawTarget::stderr());
            shown.enable_steady_tick(Duration::from_millis(100));
        });
        Self { bar, later }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.later.abort();
        self.bar.finish_and_clear();
    }
}

/// The last line of what is said: what goes on now, and since when. Several stand one below the
/// other.
struct Live(ProgressBar);

impl Live {
    fn start(all: &MultiProgress) -> Self {
        let bar = all.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// Something begins.
    fn begins(&self, what: &str) {
        self.0.reset_elapsed();
        self.0.set_message(Clean(what).to_string());
    }

    fn show(&self, prefix: &str, progress: &run::Progress<'_>) {
        match progress {
            run::Progress::Note(note) => self.say(format_args!("{prefix}note: {note}")),
            run::Progress::Survey => self.begins(&format!("{prefix}looking at the image")),
            run::Progress::Running(number) => {
                self.begins(&format!("{prefix}round {number}: running"));
            }
            run::Progress::Ended(number, end, round) => {
                let how = match end {
                    End::Works => "ready",
                    End::Died => "died",
                    End::NotStarted => "was not started",
                    End::NotReady => "did not get ready",
                    End::Differs => "ready, and not the same as root",
                };
                let why = round.obstacles.first().map(|obstacle| format!(": {}", obstacle.cause));
                self.say(format_args!(
                    "{prefix}round {number}: {how} after {} s{}",
                    round.seconds,
                    why.unwrap_or_default()
                ));
                self.begins(&format!("{prefix}round {number}: looking for a remedy"));
            }
            run::Progress::LeavingOut(step) => {
                self.say(format_args!("{prefix}  - {}", step.summary))
            }
            run::Progress::Adding(step) => self.say(format_args!("{prefix}  + {}", step.summary)),
        }
    }

    /// Says something above the line.
    fn say(&self, text: std::fmt::Arguments<'_>) {
        self.0.suspend(|| say(text));
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
