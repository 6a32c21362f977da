//! What `trace` reports: what was refused, then what the program did.

use std::fmt;

use serde::Serialize;

use super::API_VERSION;
use super::explanation::{self, Explained};
use super::terminal::{Clean, Tone, painted, tone, wrapped};
use crate::model::inside::Listener;
use crate::model::trace::{Lines, PathChange, Then, Traced};

/// `kind: Trace`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub warnings: Vec<String>,
    /// The file, or the pod.
    pub source: String,
    /// What was refused, the one that best explains a failure first.
    pub obstacles: Vec<Refused>,
    /// What the program did as root and another user would be refused.
    pub foreseen: Vec<Explained>,
    pub did: Did,
    pub lines: Counts,
}

/// An obstacle, and what came after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    #[serde(flatten)]
    pub explained: Explained,
    /// In a few words: that the program went on, did the same elsewhere, or ended.
    pub then: String,
    pub times: u64,
}

/// What the program did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Did {
    /// Whether its first process began as root; null where the trace does not tell.
    pub root: Option<bool>,
    /// How its first process ended; null where it did not.
    pub end: Option<String>,
    pub written: Vec<Written>,
    pub listens: Vec<Listens>,
    pub identities: Vec<Identity>,
    pub capabilities: Vec<Capability>,
    pub programs: Vec<String>,
    /// The same folded: a directory stands for more than a few things in it.
    #[serde(skip)]
    folded: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    pub path: String,
    pub changes: Vec<&'static str>,
    /// It was removed again.
    pub gone: bool,
    pub line: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listens {
    /// tcp, udp or unix.
    pub protocol: &'static str,
    pub address: Option<String>,
    pub port: Option<u16>,
    pub path: Option<String>,
    pub line: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    pub uid: u32,
    pub gid: Option<u32>,
    pub groups: Vec<u32>,
    pub program: Option<String>,
    /// Calls that were made as this user.
    pub calls: u64,
    pub line: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Capability {
    pub name: &'static str,
    pub times: u64,
    pub line: u64,
    pub call: String,
}

/// How many lines there were of which kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub total: u64,
    pub calls: u64,
    pub unfinished: u64,
    pub resumed: u64,
    pub signals: u64,
    pub ends: u64,
    pub notes: u64,
    pub empty: u64,
    pub unknown: u64,
    /// The first of the unknown ones.
    pub strange: Vec<Strange>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Strange {
    pub line: u64,
    pub text: String,
}

impl Trace {
    /// `explained` are the refusals of the trace in their order, each with its remedies; `folded`
    /// the paths as a person wants them.
    #[must_use]
    pub fn new(
        source: String,
        warnings: Vec<String>,
        traced: Traced,
        explained: Vec<Explained>,
        foreseen: Vec<Explained>,
        folded: Vec<String>,
        lines: Lines,
    ) -> Trace {
        let obstacles = explained.into_iter().zip(&traced.refusals);
        let obstacles = obstacles
            .map(|(explained, refusal)| Refused {
                explained,
                then: then(&refusal.then),
                times: refusal.times,
            })
            .collect();
        let written = traced.touched.into_iter().map(|(path, touched)| Written {
            path,
            changes: touched.changes.into_iter().map(PathChange::as_str).collect(),
            gone: touched.gone,
            line: touched.first_line,
        });
        let identities = traced.became.into_iter().map(|became| Identity {
            uid: became.uid,
            gid: became.gid,
            groups: became.groups,
            program: became.program,
            calls: became.calls,
            line: became.line,
        });
        let capabilities = traced.needed.into_iter().map(|needed| Capability {
            name: needed.capability,
            times: needed.times,
            line: needed.line,
            call: needed.text,
        });
        let did = Did {
            root: traced.root,
            end: traced.end,
            written: written.collect(),
            listens: traced
                .listeners
                .into_iter()
                .map(|(listener, line)| listens(listener, line))
                .collect(),
            identities: identities.collect(),
            capabilities: capabilities.collect(),
            programs: traced.programs,
            folded,
        };
        Trace {
            api_version: API_VERSION,
            kind: "Trace",
            warnings,
            source,
            obstacles,
            foreseen,
            did,
            lines: Counts {
                total: lines.total,
                calls: lines.calls,
                unfinished: lines.unfinished,
                resumed: lines.resumed,
                signals: lines.signals,
                ends: lines.ends,
                notes: lines.notes,
                empty: lines.empty,
                unknown: lines.unknown,
                strange: lines
                    .strange
                    .into_iter()
                    .map(|(line, text)| Strange { line, text })
                    .collect(),
            },
        }
    }
}

fn then(then: &Then) -> String {
    match then {
        Then::WentOn => "it went on".to_owned(),
        Then::Elsewhere(path) => format!("it took {path} instead"),
        Then::Ended { how, calls, survived } => {
            let later = if *calls == 1 {
                "one call later".to_owned()
            } else {
                format!("{calls} calls later")
            };
            let on = if *survived { ", and what had started it went on" } else { "" };
            format!("it ended with {how}, {later}{on}")
        }
    }
}

fn listens(listener: Listener, line: u64) -> Listens {
    let of_port = |protocol, address: std::net::IpAddr, port| Listens {
        protocol,
        address: Some(address.to_string()),
        port: Some(port),
        path: None,
        line,
    };
    match listener {
        Listener::Tcp { address, port, .. } => of_port("tcp", address, port),
        Listener::Udp { address, port, .. } => of_port("udp", address, port),
        Listener::Unix { path, .. } => {
            Listens { protocol: "unix", address: None, port: None, path: Some(path), line }
        }
    }
}

/// The view for a person: refusals as `explain` shows them, then what was done, a kind a paragraph.
#[derive(Debug, Clone, Copy)]
pub struct Terminal<'t> {
    pub trace: &'t Trace,
    /// Refusals that did not stop the program are shown as well.
    pub all: bool,
    pub width: usize,
}

impl fmt::Display for Terminal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Trace { obstacles, did, lines, .. } = self.trace;
        let shown =
            |(index, one): &(usize, &Refused)| self.all || *index == 0 || one.explained.fatal;
        for (_, refused) in obstacles.iter().enumerate().filter(shown) {
            explanation::one(f, &refused.explained, self.width)?;
            let times = if refused.times > 1 {
                format!(" (refused {} times)", refused.times)
            } else {
                String::new()
            };
            let margin = refused
                .explained
                .evidence
                .line
                .map(|line| line.to_string().len())
                .unwrap_or_default();
            let head = format!("{} = then: ", " ".repeat(margin));
            wrapped(f, &head, head.len(), &format!("{}{times}", Clean(&refused.then)), self.width)?;
            writeln!(f)?;
        }
        let hidden = obstacles.iter().enumerate().filter(|one| !shown(one)).count();
        match (obstacles.len(), hidden) {
            (0, _) => writeln!(f, "Nothing was refused.\n")?,
            (_, 0) => {}
            (_, 1) => {
                writeln!(f, "one more refusal that did not stop the program (--all shows it)\n")?
            }
            (_, hidden) => writeln!(
                f,
                "{hidden} more refusals that did not stop the program (--all shows them)\n"
            )?,
        }
        self.did(f, did)?;
        write!(
            f,
            "{}",
            painted(&tone(
                Tone::Faint,
                format_args!(
                    "{} lines: {} calls, {} halves, {} signals, {} ends, {} notes",
                    lines.total,
                    lines.calls,
                    lines.unfinished + lines.resumed,
                    lines.signals,
                    lines.ends,
                    lines.notes + lines.empty
                )
            ))
        )?;
        if lines.unknown > 0 {
            let first = lines
                .strange
                .first()
                .map_or(String::new(), |one| format!(", the first in line {}", one.line));
            write!(
                f,
                ", {}",
                painted(&tone(Tone::Doubtful, format_args!("{} unknown{first}", lines.unknown)))
            )?;
        }
        writeln!(f)
    }
}

/// Entries of one kind that are shown.
const MAX_SHOWN: usize = 20;

impl Terminal<'_> {
    fn did(&self, f: &mut fmt::Formatter<'_>, did: &Did) -> fmt::Result {
        let who = match did.root {
            Some(true) => "as root",
            Some(false) => "not as root",
            None => "as a user that the trace does not tell",
        };
        let end =
            did.end.as_ref().map_or(String::new(), |end| format!(", and it ended with {end}"));
        writeln!(f, "The program ran {who}{}.", Clean(&end))?;
        let written = did.folded.iter().map(|path| {
            let below = format!("{path}/");
            let those = || {
                did.written.iter().filter(|one| one.path == *path || one.path.starts_with(&below))
            };
            let mut changes: Vec<&str> =
                those().flat_map(|one| one.changes.iter().copied()).collect();
            changes.sort_unstable();
            changes.dedup();
            let many = match those().count() {
                0 | 1 => String::new(),
                many => format!(", {many} paths"),
            };
            let line = those().map(|one| one.line).min().unwrap_or_default();
            format!("{path} ({}{many}, line {line})", changes.join(", "))
        });
        self.paragraph(f, "writes", written.collect())?;
        let listens = did.listens.iter().map(|one| match (&one.path, one.port) {
            (Some(path), _) => format!("{path} (unix, line {})", one.line),
            (None, port) => format!(
                "{}/{} on {} (line {})",
                port.unwrap_or_default(),
                one.protocol,
                one.address.as_deref().unwrap_or_default(),
                one.line
            ),
        });
        self.paragraph(f, "listens", listens.collect())?;
        let becomes = did.identities.iter().map(|one| {
            let gid = one.gid.map_or(String::new(), |gid| format!(":{gid}"));
            let groups: Vec<String> = one.groups.iter().map(u32::to_string).collect();
            let groups = if groups.is_empty() {
                String::new()
            } else {
                format!(", groups {}", groups.join(" "))
            };
            let program =
                one.program.as_ref().map_or(String::new(), |program| format!(" in {program}"));
            format!("{}{gid}{groups}{program} ({} calls, line {})", one.uid, one.calls, one.line)
        });
        self.paragraph(f, "becomes", becomes.collect())?;
        let needed = did
            .capabilities
            .iter()
            .map(|one| format!("{} ({}, line {})", one.name, one.call, one.line));
        self.paragraph(f, "needs", needed.collect())?;
        self.paragraph(f, "runs", did.programs.clone())
    }

    fn paragraph(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        entries: Vec<String>,
    ) -> fmt::Result {
        let most = if self.all { usize::MAX } else { MAX_SHOWN };
        for (index, entry) in entries.iter().take(most).enumerate() {
            let label = if index == 0 { name } else { "" };
            let head = format!("{} ", painted(&tone(Tone::Strong, format_args!("{label:<8}"))));
            wrapped(f, &head, 9, &Clean(entry).to_string(), self.width)?;
        }
        if entries.len() > most {
            writeln!(f, "{:<8} and {} more (--all)", "", entries.len() - most)?;
        }
        Ok(())
    }
}
