//! What a pattern sees: one line with its refusal, the record around it, and the lines near by.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    errno::{ErrnoMatch, compile},
    line::LogLine,
    path::{self, MessagePath},
    record::Record,
    reported::{self, Reported},
    severity::Severity,
};
use crate::diagnosis::finding::{Certainty, Confidence};
use crate::model::obstacle::Operation;

/// One line of an excerpt, as a pattern reads it.
#[derive(Clone, Copy)]
pub(crate) struct LineContext<'s> {
    pub records: &'s [Record],
    pub record: usize,
    pub index: usize,
    /// The operation that the runtime itself reports: beside the errno, in a field or in a stack
    /// frame.
    pub reported: Option<Reported>,
}

/// Frames beside an exception that may say whether it was about to read or to write.
const FRAMES: usize = 8;

/// A verb of a family, found in a line that was refused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verb {
    /// Byte offset behind the verb.
    pub end: usize,
    /// Where it stands, and how near to the errno.
    pub confidence: Confidence,
}

impl Verb {
    pub(crate) fn at(end: usize, certainty: Certainty, offset: usize) -> Self {
        Verb { end, confidence: Confidence { certainty, offset } }
    }
}

impl<'s> LineContext<'s> {
    pub(crate) fn new(records: &'s [Record], record: usize, index: usize) -> Self {
        let mut context = LineContext { records, record, index, reported: None };
        let above =
            context.before().find(|line| !line.text.bytes().all(|byte| b"^~ ".contains(&byte)));
        context.reported = reported::operation(context.record(), index, above);
        context
    }

    pub(crate) fn line(&self) -> &'s LogLine {
        &self.records[self.record].lines[self.index]
    }

    /// Whether the program calls the message a warning, and so continues.
    pub(crate) fn is_warning(&self) -> bool {
        self.line().severity == Severity::Warning
    }

    pub(crate) fn text(&self) -> &'s str {
        &self.line().text
    }

    pub(crate) fn record(&self) -> &'s Record {
        &self.records[self.record]
    }

    pub(crate) fn refusal(&self) -> Option<&'s ErrnoMatch> {
        self.line().refusal.as_ref()
    }

    /// Lines before this one, nearest first, over the borders of records.
    pub(crate) fn before(&self) -> impl Iterator<Item = &'s LogLine> + use<'s> {
        let here = self.record().lines[..self.index].iter().rev();
        here.chain(
            self.records[..self.record].iter().rev().flat_map(|record| record.lines.iter().rev()),
        )
    }

    /// Lines after this one, over the borders of records.
    pub(crate) fn after(&self) -> impl Iterator<Item = &'s LogLine> + use<'s> {
        let here = self.record().lines[self.index + 1..].iter();
        here.chain(self.records[self.record + 1..].iter().flat_map(|record| record.lines.iter()))
    }

    /// The verb of a family that is nearest to the errno: the words before an errno lead from what
    /// was wanted to what failed, so the last one is the system call. Words after the errno
    /// count only where none stands before it.
    pub(crate) fn verb(&self, words: &Regex, operation: Operation) -> Option<Verb> {
        let refusal = self.refusal()?;
        if let Some(reported) = self.reported {
            if reported.operation == operation {
                return Some(Verb::at(reported.at.unwrap_or(0), Certainty::Exact, 0));
            }
            if reported.operation != Operation::Open || reported.at.is_some() {
                return None;
            }
        }
        let text = self.text();
        let paths = self.paths();
        let in_path = |at: usize| paths.iter().any(|path| path.span.contains(&at));
        // `read-write` is no verb.
        let is_half = |end: usize| {
            text[end..]
                .strip_prefix('-')
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
        };
        // `open /srv/x for writing`: what it was to be opened for.
        let is_purpose = |m: &regex::Match| {
            text[..m.start()].ends_with(" for")
                && ["writing", "reading", "append"].iter().any(|end| m.as_str().ends_with(end))
        };
        let before_errno = words
            .find_iter(&text[..refusal.span.start])
            .filter(|m| !in_path(m.start() + 1) && !is_half(m.end()) && !is_purpose(m));
        // `unable to spawn s6-mkdir: Permission denied`: what stands before the errno is what was
        // to be spawned.
        let (mut before, mut earlier) = (None, None);
        for found in before_errno {
            earlier = before.replace(found);
        }
        let is_object = |m: &regex::Match| {
            text[m.end()..refusal.span.start] == *": " && text[..m.start()].ends_with("spawn")
        };
        let before = before.map(|last| earlier.filter(|_| is_object(&last)).unwrap_or(last));
        if let Some(found) = before {
            let offset = refusal.span.start - found.end();
            return Some(Verb::at(found.end(), Certainty::VerbBeforeErrno, offset));
        }
        let rest = refusal.span.end;
        let found = words
            .find_iter(&text[rest..])
            .find(|m| !in_path(rest + m.start() + 1) && !is_half(rest + m.end()))?;
        Some(Verb::at(rest + found.end(), Certainty::VerbAfterErrno, found.start()))
    }

    pub(crate) fn paths(&self) -> Vec<MessagePath<'s>> {
        path::paths(self.text())
    }

    /// Whether the frames around an exception open to write or to read, as far as they tell.
    pub(crate) fn frames_write(&self) -> Option<bool> {
        static WRITES: LazyLock<Regex> = LazyLock::new(|| {
            compile(
                r#"\b(?:writeFile(?:Sync)?|appendFile(?:Sync)?|createWriteStream|newOutputStream|FileOutputStream|FileWriter|newBufferedWriter|RandomAccessFile|FileHandler|WriteAll\w+|StreamWriter|OpenWrite|File\.Create|File\.Copy|write_text|write_bytes|json\.dump|shutil\.copy\w*|os\.WriteFile|to_csv|savefig)\b|:in [`'](?:(?:IO|File)\.)?(?:bin)?write'|\bopen\([^)]*,\s*(?:mode=)?f?["'](?:[wax]|r\+)"#,
            )
        });
        static READS: LazyLock<Regex> = LazyLock::new(|| {
            compile(
                r#"\b(?:readFile(?:Sync)?|createReadStream|newInputStream|FileInputStream|FileReader|newBufferedReader|readAllBytes|readString|ReadAll\w+|StreamReader|OpenRead|read_text|read_bytes|scandirSync|readdirSync|os\.listdir|os\.scandir|ReadDir|ReadFile)\b|:in [`'](?:(?:IO|File)\.)?(?:(?:bin)?read|readlines|foreach)'"#,
            )
        });
        let text_of =
            |line: &LogLine| match (WRITES.is_match(&line.text), READS.is_match(&line.text)) {
                (true, _) => Some(true),
                (_, true) => Some(false),
                _ => None,
            };
        let lines = &self.record().lines;
        let is_frame = |line: &&LogLine| {
            line.text.starts_with("at ")
                || line.text.contains(":in `")
                || line.text.contains(":in '")
        };
        let behind = lines[self.index + 1..].iter().take(FRAMES).filter(is_frame);
        let before =
            lines[..self.index].iter().rev().take(FRAMES).filter(|_| self.record().is_trace);
        behind
            .map(text_of)
            .find(Option::is_some)
            .or_else(|| before.map(text_of).find(Option::is_some))
            .flatten()
    }
}
