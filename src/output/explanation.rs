//! What `explain` reports: the JSON contract, and its view for a terminal.

use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::terminal::{Clean, wrapped};
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
    /// Why it is not known which of them apply, where a pod was looked at.
    pub undecided: Option<String>,
    /// Remedies that are left out of the view.
    #[serde(skip)]
    pub left_out: usize,
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
    pub fn new(
        warnings: Vec<String>,
        obstacles: Vec<Explained>,
        looks_like: Option<String>,
    ) -> Self {
        Explanation {
            api_version: super::API_VERSION,
            kind: "Explanation",
            warnings,
            obstacles,
            looks_like,
        }
    }

    /// The same with only the first remedies of each obstacle.
    #[must_use]
    pub fn brief(&self) -> Self {
        let mut brief = self.clone();
        for obstacle in &mut brief.obstacles {
            obstacle.left_out = obstacle.remedies.len().saturating_sub(FIRST);
            obstacle.remedies.truncate(FIRST);
        }
        brief
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
            undecided: None,
            left_out: 0,
        }
    }
}

/// Remedies that are shown at first sight.
const FIRST: usize = 3;

/// How each part of the terminal view looks; the writer takes the colours off where nobody sees
/// them.
const FATAL: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Magenta.on_default().bold();
const GUTTER: Style = AnsiColor::BrightBlue.on_default().bold();
const HELP: Style = Style::new().bold();
const STRONG: Style = Style::new().bold();

/// Columns of a quoted line, the telling part among them, where there is room for all.
const QUOTED: usize = 160;
/// Columns that it has where there is least.
const LEAST_QUOTED: usize = 30;

/// The view for a terminal, as a compiler explains an error: the line quoted with its telling part
/// marked, the cause, and what would remove it.
#[derive(Debug, Clone, Copy)]
pub struct Terminal<'e> {
    pub explanation: &'e Explanation,
    /// Obstacles that did not stop the program are shown as well.
    pub all: bool,
    pub width: usize,
}

impl fmt::Display for Terminal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explanation { obstacles, looks_like, .. } = self.explanation;
        let shown =
            |(index, obstacle): &(usize, &Explained)| self.all || *index == 0 || obstacle.fatal;
        for (index, obstacle) in obstacles.iter().enumerate().filter(shown) {
            if index > 0 {
                writeln!(f)?;
            }
            one(f, obstacle, self.width)?;
        }
        let hidden = obstacles
            .iter()
            .enumerate()
            .filter(|(index, obstacle)| *index > 0 && !obstacle.fatal)
            .count();
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

/// One obstacle.
pub(super) fn one(f: &mut fmt::Formatter<'_>, obstacle: &Explained, width: usize) -> fmt::Result {
    let (style, label) = if obstacle.fatal { (FATAL, "obstacle") } else { (WARNING, "not fatal") };
    let head = format!("{style}{label}[{}]{style:#}{STRONG}: ", obstacle.category);
    wrapped(f, &head, 2, &format!("{}{STRONG:#}", Clean(&obstacle.cause)), width)?;
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
    let room = width.saturating_sub(number.len() + " | ".len()).clamp(LEAST_QUOTED, QUOTED);
    let (before, excerpt, after) = quote(obstacle, room);
    writeln!(f, "{margin} {GUTTER}|{GUTTER:#}")?;
    writeln!(f, "{GUTTER}{number} |{GUTTER:#} {before}{excerpt}{after}")?;
    let (indent, marks) =
        (console::measure_text_width(&before), console::measure_text_width(&excerpt));
    if marks > 0 {
        let mut what = match obstacle.operation {
            "other" => "refused".to_owned(),
            operation => format!("{operation} refused"),
        };
        if let Some(errno) = obstacle.errno {
            write!(what, " with {errno}")?;
        }
        let below = |indent: usize, what: &str| {
            format!("{margin} {GUTTER}|{GUTTER:#} {}{style}{what}{style:#}", " ".repeat(indent))
        };
        let marks = "^".repeat(marks);
        if indent + marks.len() + 1 + what.len() <= room {
            writeln!(f, "{}", below(indent, &format!("{marks} {what}")))?;
        } else {
            writeln!(f, "{}", below(indent, &marks))?;
            writeln!(f, "{}", below(indent.min(room.saturating_sub(what.len())), &what))?;
        }
    }
    for (index, step) in obstacle.why.iter().enumerate() {
        let label = if index == 0 { "why:" } else { "    " };
        let head = format!("{margin} {GUTTER}={GUTTER:#} {HELP}{label}{HELP:#} ");
        wrapped(f, &head, margin.len() + 8, &Clean(step).to_string(), width)?;
    }
    for (index, remedy) in obstacle.remedies.iter().enumerate() {
        let label = if index == 0 { "remedy" } else { "    or" };
        let head = format!("{margin} {GUTTER}={GUTTER:#} {HELP}{label}{HELP:#}: ");
        let text = format!("{} [{}, {}]", Clean(&remedy.summary), remedy.id, remedy.level);
        wrapped(f, &head, margin.len() + 11, &text, width)?;
    }
    if let Some(why) = &obstacle.undecided {
        let head = format!("{margin} {GUTTER}={GUTTER:#} {HELP}note:{HELP:#} ");
        let text = format!("which of these applies is not known: {}", Clean(why));
        wrapped(f, &head, margin.len() + 9, &text, width)?;
    }
    if obstacle.left_out > 0 {
        let more = if obstacle.left_out == 1 {
            "one more".to_owned()
        } else {
            format!("{} more", obstacle.left_out)
        };
        writeln!(f, "{margin} {GUTTER}={GUTTER:#} {more} with --all-remedies")?;
    }
    Ok(())
}

/// The evidence cut to so many columns around its telling part, each part fit for a terminal.
fn quote(obstacle: &Explained, room: usize) -> (String, String, String) {
    let text = obstacle.evidence.text.trim();
    let (start, end) = excerpt(text, obstacle);
    let clean = |part: &str| Clean(part).to_string();
    let columns = |text: &str| console::measure_text_width(text);
    let (before, excerpt, after) =
        (clean(&text[..start]), clean(&text[start..end]), clean(&text[end..]));
    if columns(&before) + columns(&excerpt) + columns(&after) <= room {
        return (before, excerpt, after);
    }
    let excerpt = beginning(&excerpt, room);
    // What does not need its half of the rest leaves it to the other.
    let rest = room - columns(&excerpt);
    let of_after = columns(&after).min(rest - columns(&before).min(rest / 2));
    (ending(&before, rest - of_after), excerpt, beginning(&after, of_after))
}

/// The beginning of a text, as many columns of it as there is room for.
fn beginning(text: &str, room: usize) -> String {
    if room == 0 { String::new() } else { console::truncate_str(text, room, "…").into_owned() }
}

/// The end of a text, as many columns of it as there is room for.
fn ending(text: &str, room: usize) -> String {
    if console::measure_text_width(text) <= room {
        return text.to_owned();
    }
    let mut columns = 1;
    let fits = |(_, c): &(usize, char)| {
        columns += console::measure_text_width(c.encode_utf8(&mut [0; 4]));
        columns <= room
    };
    match text.char_indices().rev().take_while(fits).last() {
        // A word that is cut in two tells nothing.
        Some((at, _)) => {
            let kept = &text[at..];
            let word = kept.char_indices().take(LONGEST_PIECE).find(|(_, c)| *c == ' ');
            word.map_or_else(
                || format!("…{kept}"),
                |(space, _)| format!("… {}", kept[space..].trim_start()),
            )
        }
        None if room > 0 => "…".to_owned(),
        None => String::new(),
    }
}

/// Columns of a word cut in two, beyond which the rest of it is shown.
const LONGEST_PIECE: usize = 16;

/// The path or the port where the text names it, else the words that tell the reason, else all of
/// it.
fn excerpt(text: &str, obstacle: &Explained) -> (usize, usize) {
    let port = obstacle.port.map(|port| port.to_string());
    let by_path =
        obstacle.path.as_deref().and_then(|path| Some((whole(text, path, false)?, path.len())));
    let by_port = port.as_deref().and_then(|port| Some((whole(text, port, true)?, port.len())));
    let found = by_path.or(by_port).filter(|(_, length)| *length > 0);
    found.or_else(|| reason(text)).map_or((0, text.len()), |(at, length)| (at, at + length))
}

/// Where a text has a word as a whole, and not as a part of another: the first, or the last.
fn whole(text: &str, word: &str, last: bool) -> Option<usize> {
    let is_whole = |at: &usize| {
        let part = |c: char| c.is_alphanumeric() || c == '_';
        let ends = word.ends_with(part) && text[at + word.len()..].starts_with(part);
        let begins = word.starts_with(part) && text[..*at].ends_with(|c| part(c) || c == '.');
        !ends && !begins
    };
    let quoted = |at: &usize| text[..*at].ends_with(['"', '\'', '`', '‘']);
    let places = || text.match_indices(word).map(|(at, _)| at).filter(is_whole);
    let found = places().find(quoted);
    let found = found.or_else(|| if last { places().last() } else { places().next() });
    found.or_else(|| if last { text.rfind(word) } else { text.find(word) })
}

/// The words of a long line without a path that tell the reason.
fn reason(text: &str) -> Option<(usize, usize)> {
    // What admission refuses it lists behind.
    const LISTS: [&str; 6] = [
        "unable to validate against",
        "violates PodSecurity",
        "violate PodSecurity",
        "denied the request",
        "container has runAsNonRoot",
        "runAsUser breaks",
    ];
    const REASONS: [&str; 6] = [
        "Operation not permitted",
        "operation not permitted",
        "Permission denied",
        "permission denied",
        "Read-only file system",
        "read-only file system",
    ];
    if console::measure_text_width(text) < SHORT {
        return None;
    }
    let list =
        LISTS.iter().filter_map(|words| text.find(words)).min().map(|at| (at, text.len() - at));
    list.or_else(|| REASONS.iter().filter_map(|words| Some((text.find(words)?, words.len()))).min())
}

/// Columns of a line that is seen at a glance.
const SHORT: usize = 90;

#[cfg(test)]
mod tests {
    use super::{Evidence, Explained, Explanation, Remedy, Terminal};

    #[test]
    fn a_path_is_marked_where_it_is_a_whole_word() {
        let line = "audit(1575.582:3210): denied { search } name=\"1\" dev=\"proc\"";
        assert_eq!(super::whole(line, "1", false), line.find("1\" dev"));
        assert_eq!(super::whole("bind() to 0.0.0.0:80 failed", "80", true), Some(18));
        assert_eq!(super::whole("open /a/bc and /a/b", "/a/b", false), Some(15));
    }

    const LINE: &str = "2026/11/24 10:53:15 [emerg] 1#1: mkdir() \"/var/cache/nginx/client_temp\" failed (13: Permission denied)";

    #[test]
    fn every_width_holds_the_quoted_line_and_its_marks() {
        let summary =
            "mount an emptyDir at /var/cache/nginx that an init container of the same image fills"
                .to_owned();
        let obstacle = Explained {
            container: None,
            program: None,
            operation: "mkdir",
            errno: Some("EACCES"),
            path: Some("/var/cache/nginx/client_temp".to_owned()),
            port: None,
            capability: None,
            category: "unwritable-path",
            fatal: true,
            cause: "the container's user may not make the directory: it belongs to another user"
                .to_owned(),
            why: vec![
                "/var/cache/nginx drwxr-xr-x 0:0: others may not write and search".to_owned(),
            ],
            evidence: Evidence {
                source: "web.log".to_owned(),
                line: Some(3),
                text: LINE.to_owned(),
            },
            remedies: vec![Remedy { id: "seeded-empty-dir", level: "pod", summary }],
            undecided: None,
            left_out: 0,
        };
        let explanation = Explanation::new(Vec::new(), vec![obstacle], None);
        for width in [30, 40, 60, 80, 100, 200] {
            let text = Terminal { explanation: &explanation, all: false, width }.to_string();
            let text = console::strip_ansi_codes(&text).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            let at = lines.iter().position(|line| line.contains('^')).expect("marks");
            let (marks, quoted) = (lines[at], lines[at - 1]);
            let under: String = quoted
                .chars()
                .zip(marks.chars())
                .filter(|(_, mark)| *mark == '^')
                .map(|(c, _)| c)
                .collect();
            assert!(
                "/var/cache/nginx/client_temp".starts_with(under.trim_end_matches('…'))
                    && under.len() > 20,
                "{text}"
            );
            let longest = lines.iter().map(|line| console::measure_text_width(line)).max();
            assert!(longest.is_some_and(|longest| longest <= width.max(40)), "{width}: {text}");
        }
    }
}
