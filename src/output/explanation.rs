//! What `explain` reports: the JSON contract, and its view for a terminal.

use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::terminal::Clean;
use crate::model::obstacle::Obstacle;

/// `kind: Explanation`. Field names are promised to scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub warnings: Vec<String>,
    /// The one that best explains the failure first.
    pub obstacles: Vec<Explained>,
    /// Where there is no obstacle: what the text looks like instead.
    pub looks_like: Option<String>,
}

/// An obstacle with what would remove it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    pub container: Option<String>,
    pub program: Option<String>,
    pub operation: &'static str,
    pub errno: Option<&'static str>,
    pub path: Option<String>,
    pub port: Option<u16>,
    pub capability: Option<String>,
    pub category: &'static str,
    pub fatal: bool,
    pub cause: String,
    /// How the refusal comes about, step by step, where the pod and a running container tell.
    pub why: Vec<String>,
    pub evidence: Evidence,
    /// In the order in which they should be tried.
    pub remedies: Vec<Remedy>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    pub source: String,
    pub line: Option<u64>,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remedy {
    pub id: &'static str,
    pub level: &'static str,
    pub summary: String,
}

impl Explanation {
    #[must_use]
    pub fn new(warnings: Vec<String>, obstacles: Vec<Explained>, looks_like: Option<String>) -> Self {
        Explanation { api_version: "nonroot/v1", kind: "Explanation", warnings, obstacles, looks_like }
    }
}

impl Explained {
    #[must_use]
    pub fn new(obstacle: Obstacle, remedies: Vec<Remedy>) -> Self {
        Explained {
            container: obstacle.container,
            program: obstacle.program,
            operation: obstacle.operation.as_str(),
            errno: obstacle.errno.map(|errno| errno.as_str()),
            path: obstacle.path,
            port: obstacle.port,
            capability: obstacle.capability,
            category: obstacle.category.as_str(),
            fatal: obstacle.fatal,
            cause: obstacle.cause,
            why: Vec::new(),
            evidence: Evidence {
                source: obstacle.evidence.source,
                line: obstacle.evidence.line,
                text: obstacle.evidence.text,
            },
            remedies,
        }
    }
}

/// How each part of the terminal view looks; the writer takes the colours off where nobody sees them.
const FATAL: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Magenta.on_default().bold();
const GUTTER: Style = AnsiColor::BrightBlue.on_default().bold();
const HELP: Style = Style::new().bold();
const STRONG: Style = Style::new().bold();

/// Characters of a quoted line around its telling part.
const QUOTED: usize = 160;

/// The view for a terminal, as a compiler explains an error: the line quoted with its telling part marked, the cause, and
/// what would remove it.
#[derive(Debug, Clone, Copy)]
pub struct Terminal<'e> {
    pub explanation: &'e Explanation,
    /// Obstacles that did not stop the program are shown as well.
    pub all: bool,
}

impl fmt::Display for Terminal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explanation { obstacles, looks_like, .. } = self.explanation;
        let shown = |(index, obstacle): &(usize, &Explained)| self.all || *index == 0 || obstacle.fatal;
        for (index, obstacle) in obstacles.iter().enumerate().filter(shown) {
            if index > 0 {
                writeln!(f)?;
            }
            one(f, obstacle)?;
        }
        let hidden = obstacles.iter().enumerate().filter(|(index, obstacle)| *index > 0 && !obstacle.fatal).count();
        if hidden > 0 && !self.all {
            let them = if hidden == 1 {
                "one more refusal that did not stop the program"
            } else {
                "more refusals that did not stop the program"
            };
            match hidden {
                1 => writeln!(f, "\n{them} (--all shows it)")?,
                _ => writeln!(f, "\n{hidden} {them} (--all shows them)")?,
            }
        }
        if obstacles.is_empty() {
            writeln!(f, "Nothing here points at running as non-root.")?;
            if let Some(looks_like) = looks_like {
                writeln!(f, "It looks like {}.", Clean(looks_like))?;
            }
        }
        Ok(())
    }
}

pub(super) fn one(f: &mut fmt::Formatter<'_>, obstacle: &Explained) -> fmt::Result {
    let (style, label) = if obstacle.fatal { (FATAL, "obstacle") } else { (WARNING, "not fatal") };
    writeln!(f, "{style}{label}[{}]{style:#}{STRONG}: {}{STRONG:#}", obstacle.category, Clean(&obstacle.cause))?;
    let number = obstacle.evidence.line.map(|line| line.to_string()).unwrap_or_default();
    let margin = " ".repeat(number.len());
    write!(f, "{margin}{GUTTER}-->{GUTTER:#} {}", Clean(&obstacle.evidence.source))?;
    if !number.is_empty() {
        write!(f, ":{number}")?;
    }
    if let Some(container) = &obstacle.container {
        write!(f, " (container {})", Clean(container))?;
    }
    writeln!(f)?;
    let (before, telling, after) = quote(obstacle);
    writeln!(f, "{margin} {GUTTER}|{GUTTER:#}")?;
    writeln!(f, "{GUTTER}{number} |{GUTTER:#} {before}{telling}{after}")?;
    let (indent, width) = (before.chars().count(), telling.chars().count());
    if width > 0 {
        let mut what = format!("{} refused", obstacle.operation);
        if let Some(errno) = obstacle.errno {
            write!(what, " with {errno}")?;
        }
        writeln!(f, "{margin} {GUTTER}|{GUTTER:#} {}{style}{} {what}{style:#}", " ".repeat(indent), "^".repeat(width))?;
    }
    for (index, step) in obstacle.why.iter().enumerate() {
        let label = if index == 0 { "why:" } else { "    " };
        writeln!(f, "{margin} {GUTTER}={GUTTER:#} {HELP}{label}{HELP:#} {}", Clean(step))?;
    }
    for (index, remedy) in obstacle.remedies.iter().enumerate() {
        let label = if index == 0 { "remedy" } else { "    or" };
        writeln!(
            f,
            "{margin} {GUTTER}={GUTTER:#} {HELP}{label}{HELP:#}: {} [{}, {}]",
            Clean(&remedy.summary),
            remedy.id,
            remedy.level
        )?;
    }
    Ok(())
}

/// The evidence cut to a readable length around its telling part, each part fit for a terminal.
fn quote(obstacle: &Explained) -> (String, String, String) {
    let text = obstacle.evidence.text.trim();
    let (start, end) = telling(text, obstacle);
    let from = text[..start].char_indices().rev().nth(QUOTED / 2).map_or(0, |(at, _)| at);
    let to = text[end..].char_indices().nth(QUOTED / 2).map_or(text.len(), |(at, _)| end + at);
    let clean = |part: &str| Clean(part).to_string();
    let before = format!("{}{}", if from > 0 { "…" } else { "" }, clean(&text[from..start]));
    let after = format!("{}{}", clean(&text[end..to]), if to < text.len() { "…" } else { "" });
    let telling: String = text[start..end].chars().take(QUOTED).collect();
    (before, clean(&telling), after)
}

/// The path or the port where the text names it, else all of it.
fn telling(text: &str, obstacle: &Explained) -> (usize, usize) {
    let port = obstacle.port.map(|port| port.to_string());
    let by_path = obstacle.path.as_deref().and_then(|path| Some((text.find(path)?, path.len())));
    let by_port = port.as_deref().and_then(|port| Some((text.rfind(port)?, port.len())));
    match by_path.or(by_port).filter(|(_, length)| *length > 0) {
        Some((at, length)) => (at, at + length),
        None => (0, text.len()),
    }
}
