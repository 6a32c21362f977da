//! A spinner on standard error, for what takes longer than a second on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};
use tokio::task::JoinHandle;

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
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()).with_message(message.to_owned());
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
