//! Text to obstacles, one file a family of messages.
//!
//! A log goes in as bytes of any kind and size; what comes out are the obstacles that it tells of,
//! the one that killed the container first. Most lines are passed over by one search for all words
//! that any pattern needs ([`words`], [`search()`]). Around a line that has one, an excerpt of the
//! log is looked at closely: prefixes come off (`line`), lines that belong together are joined
//! (`record`), and every pattern of [`PATTERNS`] reads (`scene`). The nearest reading wins,
//! `restraint` has a veto, and `rank` puts what was found in order.

mod bind;
mod call;
mod capability;
mod cause;
mod chmod;
mod chown;
mod connect;
mod create;
mod device;
mod errno;
mod exec;
mod identity;
mod judge;
mod kubelet;
mod line;
mod lock;
mod merge;
mod mkdir;
mod open;
mod passwd;
mod path;
mod place;
mod pod_security;
mod privileged_call;
mod rank;
mod record;
mod rename;
mod restraint;
mod root_required;
mod runtime;
mod scene;
mod search;
mod seccomp;
mod security_context_constraints;
mod selinux;
mod silent;
pub mod trace;
mod unlink;
mod verb;
mod volume;
mod words;

use std::{
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    sync::LazyLock,
};

use memchr::{memchr, memrchr};
pub use merge::merge;
pub use search::{Searched, search};

use regex::Regex;

use crate::model::obstacle::{Errno, Obstacle};
use line::{Line, Severity};
use rank::{Collected, Found};
use scene::{Finding, Scene};
use search::Mark;
use words::Words;

/// One family of messages.
pub struct Pattern {
    /// Unique, in kebab case.
    pub id: &'static str,
    pub title: &'static str,
    /// What it means, for somebody who does not know the call.
    pub explain: &'static str,
    /// Where the knowledge comes from: man pages and upstream files.
    pub source: &'static str,
    /// Words of which one is in every line that the pattern reads, without regard to ASCII case,
    /// beside those that give an errno.
    pub signals: &'static [&'static str],
    /// Each must be read as it says. They are tests.
    pub examples: &'static [Example],
    /// None of them may give an obstacle. They are tests as well.
    pub near_misses: &'static [&'static str],
    read: Read,
}

/// A message and what it means: `OPERATION ERRNO [PATH|PORT] CATEGORY`, `-` for no errno.
pub struct Example {
    pub log: &'static str,
    pub says: &'static str,
}

enum Read {
    One(fn(&Scene) -> Option<Finding>),
    Many(fn(&Scene) -> Vec<Finding>),
}

/// Every pattern. Of two that read one line equally well, the first wins.
pub const PATTERNS: &[&Pattern] = &[
    &pod_security::PATTERN,
    &security_context_constraints::PATTERN,
    &kubelet::PATTERN,
    &selinux::PATTERN,
    &seccomp::PATTERN,
    &volume::PATTERN,
    &passwd::PATTERN,
    &identity::PATTERN,
    &privileged_call::PATTERN,
    &bind::PATTERN,
    &connect::PATTERN,
    &mkdir::PATTERN,
    &chown::PATTERN,
    &chmod::PATTERN,
    &unlink::PATTERN,
    &rename::PATTERN,
    &runtime::PATTERN,
    &exec::PATTERN,
    &lock::PATTERN,
    &device::PATTERN,
    &open::PATTERN,
    &create::PATTERN,
    &root_required::PATTERN,
    &capability::PATTERN,
    &silent::PATTERN,
    &path::PATTERN,
];

/// What is known of a text besides the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// What was read, for the evidence: "log of container web", a file name, "stdin".
    pub source: String,
    pub container: Option<String>,
    /// The working directory, by which relative paths become absolute.
    pub directory: Option<String>,
}

/// What a text told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnosed {
    /// The one that best explains the failure first.
    pub obstacles: Vec<Obstacle>,
    /// Where there is no obstacle: what it looks like instead, in a few words.
    pub looks_like: Option<&'static str>,
}

/// Diagnoses a whole text.
#[must_use]
pub fn diagnose(text: &[u8], context: Context) -> Diagnosed {
    let mut diagnosis = Diagnosis::new(context);
    diagnosis.feed(text);
    diagnosis.finish()
}

/// Bytes of a line that are looked at; the rest of a longer line is passed over.
pub const LONGEST_LINE: usize = 64 * 1024;
/// Lines before a telling line that are looked at with it: Python prints the frames before the
/// exception.
const LINES_BEFORE: usize = 24;
/// Lines after the last telling line that belong to the same excerpt: Java prints the frames after
/// it.
const LINES_AFTER: usize = 40;
/// Lines and bytes of an excerpt, beyond which a new one begins.
const LONGEST_EXCERPT: (usize, usize) = (600, 2 * 1024 * 1024);
/// Lines that differ in digits only are looked at this often.
const REPEATS: u32 = 12;
/// Shapes of lines that are remembered, so that memory stays bounded in a log without end.
const SHAPES: usize = 1 << 14;

/// Lines that tell of nothing but another trouble, and are looked at; a web server may have any
/// number of them.
const OTHERS: u32 = 128;

/// A diagnosis in the making: takes a log in pieces of any size, in constant memory.
pub struct Diagnosis {
    context: Context,
    /// The line that the last piece ended in, cut at [`LONGEST_LINE`].
    unfinished: Vec<u8>,
    lines: u64,
    /// The newest lines outside of an excerpt, with their numbers.
    recent: VecDeque<(u64, Vec<u8>)>,
    excerpt: Vec<Line>,
    excerpt_bytes: usize,
    /// Lines since the last telling one in the excerpt.
    quiet: usize,
    shapes: HashMap<u64, u32>,
    collected: Collected,
    looks_like: Option<&'static str>,
    /// How many of [`OTHERS`] are left.
    others_left: u32,
}

impl Diagnosis {
    #[must_use]
    pub fn new(context: Context) -> Self {
        Diagnosis {
            context,
            unfinished: Vec::new(),
            lines: 0,
            recent: VecDeque::new(),
            excerpt: Vec::new(),
            excerpt_bytes: 0,
            quiet: 0,
            shapes: HashMap::new(),
            collected: Collected::default(),
            looks_like: None,
            others_left: OTHERS,
        }
    }

    /// Takes the next piece, which may begin and end anywhere.
    pub fn feed(&mut self, piece: &[u8]) {
        self.feed_searched(piece, &search(piece));
    }

    /// Takes the next piece, which was searched before.
    pub fn feed_searched(&mut self, piece: &[u8], searched: &Searched) {
        let mut from = Mark { at: 0, lines: 0 };
        if !self.unfinished.is_empty() {
            let Some(end) = memchr(b'\n', piece) else { return self.keep(piece) };
            self.keep(&piece[..end]);
            let line = std::mem::take(&mut self.unfinished);
            self.line(&line);
            from = Mark { at: end + 1, lines: 1 };
        }
        self.lines(piece, from, searched);
        self.keep(&piece[searched.end().at..]);
    }

    /// Ends the log, and ranks what was found.
    #[must_use]
    pub fn finish(mut self) -> Diagnosed {
        if !self.unfinished.is_empty() {
            let line = std::mem::take(&mut self.unfinished);
            self.line(&line);
        }
        self.close_excerpt();
        let looks_like = self.looks_like.filter(|_| self.collected.is_empty());
        let obstacles = self.collected.into_obstacles(
            &self.context.source,
            self.context.container.as_deref(),
            self.context.directory.as_deref(),
            self.lines,
        );
        Diagnosed { obstacles, looks_like }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST_LINE.saturating_sub(self.unfinished.len());
        self.unfinished.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Takes the whole lines of a piece. From one that tells something to the next, no line is
    /// looked at by itself.
    fn lines(&mut self, piece: &[u8], from: Mark, searched: &Searched) {
        let Mark { mut at, mut lines } = from;
        while at < searched.end().at {
            if self.excerpt.is_empty() {
                let next = searched.next(at, |start| self.tells(first_line(&piece[start..])));
                self.pass_over(&piece[at..next.at], next.lines - lines);
                Mark { at, lines } = next;
                if at == searched.end().at {
                    return;
                }
            }
            let line = first_line(&piece[at..]);
            self.line(line);
            at += line.len() + 1;
            lines += 1;
        }
    }

    /// Whether a line has a word that is searched for: those of other troubles count only until
    /// enough of them were seen.
    fn tells(&self, line: &[u8]) -> bool {
        let words: &Words = if self.others_left > 0 { &TELLING } else { &REFUSALS };
        words.is_in(line)
    }

    /// Takes so many whole lines that tell nothing, of which the last are kept for what may come.
    fn pass_over(&mut self, lines: &[u8], count: u64) {
        let (mut start, mut last) = (lines.len(), 0);
        while start > 0 && last < LINES_BEFORE as u64 {
            start = memrchr(b'\n', &lines[..start - 1]).map_or(0, |end| end + 1);
            last += 1;
        }
        self.lines += count - last;
        let mut rest = &lines[start..];
        while let Some(end) = memchr(b'\n', rest) {
            self.lines += 1;
            self.remember(&rest[..end.min(LONGEST_LINE)]);
            rest = &rest[end + 1..];
        }
    }

    fn remember(&mut self, line: &[u8]) {
        let full = self.recent.len() == LINES_BEFORE;
        let mut oldest =
            if full { self.recent.pop_front().unwrap_or_default().1 } else { Vec::new() };
        oldest.clear();
        oldest.extend_from_slice(line);
        self.recent.push_back((self.lines, oldest));
    }

    fn line(&mut self, line: &[u8]) {
        self.lines += 1;
        let line = &line[..line.len().min(LONGEST_LINE)];
        let tells = self.tells(line);
        if tells && self.is_repeated(line) {
            return;
        }
        if tells && self.others_left > 0 && !REFUSALS.is_in(line) {
            self.others_left -= 1;
        }
        if self.excerpt.is_empty() && !tells {
            self.remember(line);
            return;
        }
        for (number, line) in std::mem::take(&mut self.recent) {
            self.excerpt.extend(line::parse(number, &line));
        }
        self.excerpt.extend(line::parse(self.lines, line));
        self.excerpt_bytes += line.len();
        self.quiet = if tells { 0 } else { self.quiet + 1 };
        let full = self.excerpt.len() > LONGEST_EXCERPT.0 || self.excerpt_bytes > LONGEST_EXCERPT.1;
        if self.quiet >= LINES_AFTER || full {
            self.close_excerpt();
        }
    }

    fn is_repeated(&mut self, line: &[u8]) -> bool {
        let mut hasher = DefaultHasher::new();
        for part in line.split(u8::is_ascii_digit).filter(|part| !part.is_empty()) {
            part.hash(&mut hasher);
        }
        let room = self.shapes.len() < SHAPES;
        match self.shapes.entry(hasher.finish()) {
            std::collections::hash_map::Entry::Occupied(mut seen) => {
                *seen.get_mut() += 1;
                *seen.get() > REPEATS
            }
            std::collections::hash_map::Entry::Vacant(new) if room => {
                new.insert(1);
                false
            }
            std::collections::hash_map::Entry::Vacant(_) => false,
        }
    }

    fn close_excerpt(&mut self) {
        let lines = std::mem::take(&mut self.excerpt);
        self.excerpt_bytes = 0;
        self.quiet = 0;
        let records = record::split(lines);
        for at in 0..records.len() {
            self.read_record(&records, at);
        }
    }

    /// One failure for a stack trace, one for each telling line elsewhere.
    fn read_record(&mut self, records: &[record::Record], at: usize) {
        let record = &records[at];
        let vetoed = record.is_trace
            && record
                .lines
                .iter()
                .any(|line| !line.text.starts_with("at ") && restraint::forbids(line));
        let mut read: Vec<(usize, Finding)> = Vec::new();
        for (index, line) in record.lines.iter().enumerate() {
            if (line.refusal.is_none() && !TELLING.is_in(line.text.as_bytes()))
                || is_call(&line.text)
            {
                continue;
            }
            let is_free_port = line.refusal.is_some() && bind::is_free_port(&line.text);
            if vetoed
                || is_free_port
                || restraint::forbids(line)
                || is_broken_disk(records, at, index)
            {
                self.looks_like = self.looks_like.or_else(|| restraint::looks_like(&line.text));
                continue;
            }
            let findings = read_line(&Scene::new(records, at, index));
            if findings.is_empty() {
                self.looks_like = self.looks_like.or_else(|| restraint::looks_like(&line.text));
            }
            read.extend(findings.into_iter().map(|finding| (index, finding)));
        }
        if record.is_trace {
            read = one_failure(read);
        }
        let worst = record.lines.iter().map(|line| line.severity).max().unwrap_or(Severity::Unsaid);
        for (index, finding) in read {
            let line = &record.lines[index];
            let severity = if record.is_trace { line.severity.max(worst) } else { line.severity };
            let text = line
                .whole
                .as_ref()
                .filter(|whole| whole.len() <= 600)
                .unwrap_or(&line.text)
                .clone();
            self.collected.add(Found {
                finding,
                severity,
                program: program(&line.text),
                line: line.number,
                text,
            });
        }
    }
}

/// A file system that the kernel itself made read-only, since its disk fails: who runs does not
/// matter, and no volume helps.
fn is_broken_disk(records: &[record::Record], at: usize, index: usize) -> bool {
    static FAILS: LazyLock<Regex> = LazyLock::new(|| {
        errno::compile(
            r"(?i)\bremounting filesystem read-only|\b(?:EXT4-fs|XFS|BTRFS)\b[^:]*:? ?(?:error|critical|.*(?:shutdown|corruption|forced readonly))|\bbuffer I/O error|\bblk_update_request: .*error|\bemergency_ro\b",
        )
    });
    let is_read_only =
        |line: &Line| line.refusal.as_ref().is_some_and(|refusal| refusal.errno == Errno::Erofs);
    let scene = || Scene::new(records, at, index);
    records[at].lines.get(index).is_some_and(is_read_only)
        && scene()
            .before()
            .take(LINES_BEFORE)
            .chain(scene().after().take(LINES_BEFORE))
            .any(|line| FAILS.is_match(&line.text))
}

/// A frame of a stack trace, as Java and JavaScript print it: what it calls itself is no message.
fn is_call(text: &str) -> bool {
    text.starts_with("at ") && text.ends_with(')')
}

fn first_line(bytes: &[u8]) -> &[u8] {
    &bytes[..memchr(b'\n', bytes).unwrap_or(bytes.len())]
}

/// What the patterns make of one line: the nearest reading.
fn read_line(scene: &Scene) -> Vec<Finding> {
    let mut best: Vec<Finding> = Vec::new();
    for pattern in PATTERNS {
        let read = match pattern.read {
            Read::One(read) => read(scene).into_iter().collect(),
            Read::Many(read) => read(scene),
        };
        let nearer = match (read.first(), best.first()) {
            (Some(new), Some(old)) => new.distance < old.distance,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if nearer {
            best = read;
        }
    }
    best
}

/// A stack trace tells of one failure, however many of its lines speak of it: the first that names
/// a place, with the errno of what caused it where it has none itself.
fn one_failure(read: Vec<(usize, Finding)>) -> Vec<(usize, Finding)> {
    let best = read
        .iter()
        .position(|(_, finding)| finding.path.is_some() || finding.port.is_some())
        .unwrap_or(0);
    let Some((index, mut finding)) = read.get(best).cloned() else { return read };
    let is_cause = |(_, other): &&(usize, Finding)| {
        other.category == finding.category || (other.path.is_none() && other.port.is_none())
    };
    let mut causes = read[best..].iter().filter(is_cause);
    finding.errno = causes.find_map(|(_, cause)| cause.errno);
    vec![(index, finding)]
}

/// The program that speaks, where the message starts with its name and a colon.
fn program(text: &str) -> Option<String> {
    let (name, _) = text.split_once(": ")?;
    let name = name.rsplit('/').next()?;
    let is_name = !name.is_empty()
        && name.len() < 32
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.+".contains(&b));
    let is_label = matches!(
        name,
        "error"
            | "fatal"
            | "warning"
            | "panic"
            | "info"
            | "err"
            | "exec"
            | "mount"
            | "open"
            | "listen"
            | "bind"
    );
    (is_name && !is_label).then(|| name.to_owned())
}

/// Every word that a pattern needs, or that tells of another trouble.
static TELLING: LazyLock<Words> =
    LazyLock::new(|| Words::new(signals().chain(restraint::SIGNALS.iter().copied())));

/// The same without the words of other troubles.
static REFUSALS: LazyLock<Words> = LazyLock::new(|| Words::new(signals()));

fn signals() -> impl Iterator<Item = &'static str> {
    errno::signals().chain(PATTERNS.iter().flat_map(|pattern| pattern.signals.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(log: &str) -> Option<String> {
        let obstacle = diagnose(log.as_bytes(), Context::default()).obstacles.into_iter().next()?;
        let errno = obstacle.errno.map_or("-", crate::model::obstacle::Errno::as_str);
        let place = obstacle.path.or(obstacle.port.map(|port| port.to_string()));
        Some(
            [
                Some(obstacle.operation.as_str()),
                Some(errno),
                place.as_deref(),
                Some(obstacle.category.as_str()),
            ]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" "),
        )
    }

    #[test]
    fn every_example_is_read_as_it_says() {
        let mut wrong = Vec::new();
        for pattern in PATTERNS {
            for example in pattern.examples {
                let told = told(example.log);
                if told.as_deref() != Some(example.says) {
                    wrong.push(format!(
                        "{}: {}\n  says {:?}\n  not  {:?}",
                        pattern.id, example.log, told, example.says
                    ));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn no_near_miss_gives_an_obstacle() {
        let mut wrong = Vec::new();
        for pattern in PATTERNS {
            for near_miss in pattern.near_misses {
                if let Some(told) = told(near_miss) {
                    wrong.push(format!("{}: {near_miss}\n  says {told}", pattern.id));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn ids_are_unique_and_every_pattern_has_examples_and_near_misses() {
        for (at, pattern) in PATTERNS.iter().enumerate() {
            assert!(
                !pattern.examples.is_empty() && !pattern.near_misses.is_empty(),
                "{}",
                pattern.id
            );
            assert!(PATTERNS[..at].iter().all(|other| other.id != pattern.id), "{}", pattern.id);
        }
    }

    #[test]
    fn pieces_of_any_size_tell_the_same() {
        let log = b"one\ntwo\nmkdir: cannot create directory '/srv/a': Permission denied\nthree\nnginx: bind() to 0.0.0.0:80 failed (13: Permission denied)";
        let whole = diagnose(log, Context::default());
        assert_eq!(whole.obstacles.len(), 2);
        for size in 1..40 {
            let mut diagnosis = Diagnosis::new(Context::default());
            log.chunks(size).for_each(|piece| diagnosis.feed(piece));
            assert_eq!(diagnosis.finish(), whole, "{size}");
        }
    }
}
