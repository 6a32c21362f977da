//! `scan --watch`: the table, kept up to date.

use std::collections::{HashMap, HashSet};
use std::io::IsTerminal as _;
use std::time::Duration;

use crate::cli::{Fault, print, say};
use crate::error::Error;
use crate::evidence::cluster::{Cluster, Fields, Watch};
use crate::output::report::Namespace;
use crate::output::table::{Rows, View};
use crate::usecase::scan::ScanOptions;
use crate::usecase::watch::WatchState;

/// What a shell makes of an interrupt (128 + SIGINT): `kubectl get -w` ends with the same.
const INTERRUPTED: u8 = 130;

/// Time between two looks at what changed: a rollout changes much at once, and nobody reads
/// faster.
const PAUSE: Duration = Duration::from_millis(500);

/// Shows the workloads of a scope and what becomes of them, until an interrupt.
pub(super) async fn run(cluster: &Cluster, options: &ScanOptions, view: View) -> Result<u8, Fault> {
    let scope = options.selector.scope(&cluster.namespace, Fields::PolicyOnly);
    let watch = cluster.watch(&scope);
    let show = async {
        let mut screen = Screen::new();
        let mut known = WatchState::default();
        loop {
            watch.changed().await;
            screen.show(picture(&watch, options, view, &known)?)?;
            if known.learn(cluster, &watch, options).await {
                screen.show(picture(&watch, options, view, &known)?)?;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        error = watch.run() => Err(error.into()),
        fault = show => fault,
        _ = tokio::signal::ctrl_c() => Ok(INTERRUPTED),
    }
}

/// What the screen shows.
struct Picture {
    rows: Rows,
    namespaces: Vec<Namespace>,
    /// All since the watch began.
    warnings: Vec<String>,
}

/// What is known now. Of each workload only the cells of the table are kept.
fn picture(
    watch: &Watch<'_>,
    options: &ScanOptions,
    view: View,
    known: &WatchState,
) -> Result<Picture, Error> {
    let mut rows = Rows::new(view);
    let seen = known.judge(watch, options, |workload| rows.add(workload))?;
    Ok(Picture { rows, namespaces: seen.namespaces, warnings: seen.warnings })
}

/// What is shown already.
struct Screen {
    /// Lines of the last table on a terminal; `None` where there is none, and only changes are
    /// printed.
    drawn: Option<usize>,
    /// The last line of each workload without its spaces, which the width of others changes.
    lines: HashMap<String, String>,
    /// Warnings that were printed.
    told: HashSet<String>,
}

impl Screen {
    fn new() -> Self {
        let drawn = std::io::stdout().is_terminal().then_some(0);
        Self { drawn, lines: HashMap::new(), told: HashSet::new() }
    }

    fn show(&mut self, picture: Picture) -> Result<(), Fault> {
        for warning in picture.warnings {
            if !self.told.contains(&warning) {
                say(format_args!("warning: {warning}"));
                self.told.insert(warning);
            }
        }
        match self.drawn {
            Some(lines) => self.redraw(lines, picture.rows, &picture.namespaces),
            None => self.print_changes(picture.rows),
        }
    }

    fn redraw(&mut self, before: usize, rows: Rows, namespaces: &[Namespace]) -> Result<(), Fault> {
        let terminal = console::Term::stdout();
        let text = match rows.table(namespaces) {
            text if text.is_empty() => "No workloads found.\n".to_owned(),
            text => text,
        };
        let text = fitted(&text, usize::from(terminal.size().0).saturating_sub(1));
        let failed = |error: std::io::Error| Error::input("write to the terminal", error);
        terminal.clear_last_lines(before).map_err(failed)?;
        self.drawn = Some(text.lines().count());
        print(&text)
    }

    fn print_changes(&mut self, rows: Rows) -> Result<(), Fault> {
        let is_first = self.lines.is_empty();
        let mut out = String::new();
        let mut now = HashMap::new();
        for (name, line) in rows.lines() {
            let cells = line.split_whitespace().collect::<Vec<_>>().join(" ");
            let is_new = match &name {
                Some(name) => self.lines.get(name) != Some(&cells),
                None => is_first,
            };
            if is_new {
                out.push_str(&line);
                out.push('\n');
            }
            now.extend(name.map(|name| (name, cells)));
        }
        let mut gone: Vec<&String> =
            self.lines.keys().filter(|name| !now.contains_key(*name)).collect();
        gone.sort();
        for name in gone {
            out.push_str(name);
            out.push_str("  gone\n");
        }
        self.lines = now;
        print(&out)
    }
}

/// Leaves out what does not fit the height, from the end of the table, and says how much.
fn fitted(text: &str, height: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= height {
        return text.to_owned();
    }
    let after_table = lines.iter().rposition(|line| line.is_empty()).unwrap_or(lines.len());
    let summary = &lines[after_table..];
    let room = height.saturating_sub(summary.len() + 1);
    let hidden = after_table.saturating_sub(room);
    let mut out: Vec<String> = lines.iter().take(room).map(ToString::to_string).collect();
    out.push(format!("... {hidden} more: enlarge the window, or use --only"));
    out.extend(summary.iter().map(ToString::to_string));
    out.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted() {
        let text = "HEAD\na\nb\nc\nd\n\nsummary\nnamespaces\n";
        assert_eq!(fitted(text, 8), text);
        assert_eq!(
            fitted(text, 7),
            "HEAD\na\nb\n... 2 more: enlarge the window, or use --only\n\nsummary\nnamespaces\n"
        );
        assert_eq!(fitted(text, 0).lines().count(), 4);
    }
}
