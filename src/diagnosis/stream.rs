//! A log that comes in pieces of any size, in constant memory: which of its lines are read
//! together, as an excerpt.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    hash::{DefaultHasher, Hash, Hasher},
};

use memchr::{memchr, memrchr};

use super::candidates::{self, Candidates, Mark};
use super::reader::line::{self, LogLine};
use super::reader::{rank::Collected, record};
use super::{Context, Diagnosed, excerpt};

/// Bytes of a line that are read; the rest of a longer line is passed over.
pub const LONGEST_LINE: usize = 64 * 1024;
/// Lines before a candidate that are read with it: Python prints the frames before the exception.
const LINES_BEFORE: usize = 24;
/// Lines after the last candidate that belong to the same excerpt: Java prints the frames after
/// the exception.
const LINES_AFTER: usize = 40;
/// Lines and bytes of an excerpt, beyond which a new one begins.
const MAX_EXCERPT_LINES: usize = 600;
const MAX_EXCERPT_BYTES: usize = 2 * 1024 * 1024;
/// How often lines are read that differ in digits only.
const MAX_REPEATS: u32 = 12;
/// Shapes of lines that are remembered, so that memory stays bounded in a log without end.
const MAX_SHAPES: usize = 1 << 14;
/// Lines with words of exclusions alone that are read; a web server may have any number of them.
const MAX_EXCLUSIONS: u32 = 128;

/// A diagnosis in the making.
pub struct Diagnosis {
    context: Context,
    /// The line that the last piece ended in, cut at [`LONGEST_LINE`].
    unfinished: Vec<u8>,
    lines: u64,
    /// The newest lines outside of an excerpt, with their numbers.
    recent: VecDeque<(u64, Vec<u8>)>,
    excerpt: Vec<LogLine>,
    excerpt_bytes: usize,
    /// Lines of the excerpt behind its last candidate.
    lines_since_match: usize,
    shapes: HashMap<u64, u32>,
    collected: Collected,
    looks_like: Option<&'static str>,
    /// How many of [`MAX_EXCLUSIONS`] are left.
    exclusions_left: u32,
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
            lines_since_match: 0,
            shapes: HashMap::new(),
            collected: Collected::default(),
            looks_like: None,
            exclusions_left: MAX_EXCLUSIONS,
        }
    }

    /// Takes the next piece, which may begin and end anywhere.
    pub fn feed(&mut self, piece: &[u8]) {
        self.feed_searched(piece, &candidates::search(piece));
    }

    /// Takes the next piece, which was searched before.
    pub fn feed_searched(&mut self, piece: &[u8], candidates: &Candidates) {
        let mut from = Mark { at: 0, lines: 0 };
        if !self.unfinished.is_empty() {
            let Some(end) = memchr(b'\n', piece) else { return self.keep(piece) };
            self.keep(&piece[..end]);
            let line = std::mem::take(&mut self.unfinished);
            self.line(&line);
            from = Mark { at: end + 1, lines: 1 };
        }
        self.lines(piece, from, candidates);
        self.keep(&piece[candidates.end().at..]);
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

    /// Takes the whole lines of a piece. Outside of an excerpt, the lines between two candidates
    /// are passed over at once.
    fn lines(&mut self, piece: &[u8], from: Mark, candidates: &Candidates) {
        let Mark { mut at, mut lines } = from;
        while at < candidates.end().at {
            if self.excerpt.is_empty() {
                let next =
                    candidates.next(at, |start| self.is_candidate(first_line(&piece[start..])));
                self.pass_over(&piece[at..next.at], next.lines - lines);
                Mark { at, lines } = next;
                if at == candidates.end().at {
                    return;
                }
            }
            let line = first_line(&piece[at..]);
            self.line(line);
            at += line.len() + 1;
            lines += 1;
        }
    }

    /// Whether a line has a word that is searched for. Those of exclusions count only until enough
    /// of them were read.
    fn is_candidate(&self, line: &[u8]) -> bool {
        if self.exclusions_left > 0 {
            candidates::is_candidate(line)
        } else {
            candidates::has_word_of_pattern(line)
        }
    }

    /// Takes `count` whole lines without a candidate, and keeps the last of them for the next
    /// excerpt.
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
        let is_candidate = self.is_candidate(line);
        if is_candidate && self.is_repeated(line) {
            return;
        }
        if is_candidate && self.exclusions_left > 0 && !candidates::has_word_of_pattern(line) {
            self.exclusions_left -= 1;
        }
        if self.excerpt.is_empty() && !is_candidate {
            self.remember(line);
            return;
        }
        for (number, line) in std::mem::take(&mut self.recent) {
            self.excerpt.extend(line::parse(number, &line));
        }
        self.excerpt.extend(line::parse(self.lines, line));
        self.excerpt_bytes += line.len();
        self.lines_since_match = if is_candidate { 0 } else { self.lines_since_match + 1 };

        let is_full =
            self.excerpt.len() > MAX_EXCERPT_LINES || self.excerpt_bytes > MAX_EXCERPT_BYTES;
        if self.lines_since_match >= LINES_AFTER || is_full {
            self.close_excerpt();
        }
    }

    fn is_repeated(&mut self, line: &[u8]) -> bool {
        let mut hasher = DefaultHasher::new();
        for part in line.split(u8::is_ascii_digit).filter(|part| !part.is_empty()) {
            part.hash(&mut hasher);
        }
        let room = self.shapes.len() < MAX_SHAPES;
        match self.shapes.entry(hasher.finish()) {
            Entry::Occupied(mut seen) => {
                *seen.get_mut() += 1;
                *seen.get() > MAX_REPEATS
            }
            Entry::Vacant(new) if room => {
                new.insert(1);
                false
            }
            Entry::Vacant(_) => false,
        }
    }

    fn close_excerpt(&mut self) {
        let lines = std::mem::take(&mut self.excerpt);
        self.excerpt_bytes = 0;
        self.lines_since_match = 0;
        let is_candidate = |line: &LogLine| {
            line.refusal.is_some() || candidates::is_candidate(line.text.as_bytes())
        };
        let records = record::split(lines, is_candidate);
        for at in 0..records.len() {
            let read = excerpt::read_record(&records, at);
            self.looks_like = self.looks_like.or(read.looks_like);
            read.found.into_iter().for_each(|found| self.collected.add(found));
        }
    }
}

fn first_line(bytes: &[u8]) -> &[u8] {
    &bytes[..memchr(b'\n', bytes).unwrap_or(bytes.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::diagnose;

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
