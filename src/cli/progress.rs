//! What is going on, on standard error where that is a terminal.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;

use crate::output::terminal::Clean;

/// Short work shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// Spins until it is dropped.
pub(super) struct Spinner {
    bar: ProgressBar,
    later: JoinHandle<()>,
}

impl Spinner {
    /// Starts to count; `message` says what is done.
    #[must_use]
    pub(super) fn start(message: &str) -> Self {
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
pub(super) struct Live(ProgressBar);

impl Live {
    pub(super) fn start(all: &MultiProgress) -> Self {
        let bar = all.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// Something begins.
    pub(super) fn begins(&self, what: &str) {
        self.0.reset_elapsed();
        self.0.set_message(Clean(what).to_string());
    }

    /// Says something above the line.
    pub(super) fn say(&self, text: std::fmt::Arguments<'_>) {
        self.0.suspend(|| super::say(text));
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
