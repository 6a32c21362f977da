//! Which lines of a log are worth reading. The search for them is nearly all the work that a long
//! log makes, and it needs nothing of what came before, so that pieces are searched side by side.

use std::sync::LazyLock;

use memchr::{memchr, memchr_iter, memrchr};

use super::patterns::PATTERNS;
use super::reader::prefilter::WordSet;
use super::reader::{errno, exclusions};

/// The words of all patterns, and those of the exclusions.
static WORDS: LazyLock<WordSet> =
    LazyLock::new(|| WordSet::new(signals().chain(exclusions::SIGNALS.iter().copied())));

/// The words of all patterns alone.
static WORDS_OF_PATTERNS: LazyLock<WordSet> = LazyLock::new(|| WordSet::new(signals()));

fn signals() -> impl Iterator<Item = &'static str> {
    errno::signals().chain(PATTERNS.iter().flat_map(|pattern| pattern.signals.iter().copied()))
}

/// Whether a line has a word of a pattern or of an exclusion.
pub(super) fn is_candidate(line: &[u8]) -> bool {
    WORDS.is_in(line)
}

/// Whether a line has a word of a pattern.
pub(super) fn has_word_of_pattern(line: &[u8]) -> bool {
    WORDS_OF_PATTERNS.is_in(line)
}

/// A place in a piece, and how many lines end before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) at: usize,
    pub(super) lines: u64,
}

/// Where the candidate lines of a piece are.
#[derive(Debug)]
pub struct Candidates {
    /// Where each begins, and where the last line ends.
    marks: Vec<Mark>,
}

/// Searches the lines that end in a piece.
#[must_use]
pub fn search(piece: &[u8]) -> Candidates {
    let whole = &piece[..memrchr(b'\n', piece).map_or(0, |end| end + 1)];
    let mut marks = Vec::new();
    let Mark { mut at, mut lines } = Mark { at: 0, lines: 0 };
    while let Some(word) = WORDS.find(&whole[at..]) {
        let start = memrchr(b'\n', &whole[at..at + word]).map_or(at, |before| at + before + 1);
        lines += count(&whole[at..start]);
        marks.push(Mark { at: start, lines });
        at = memchr(b'\n', &whole[start..]).map_or(whole.len(), |end| start + end + 1);
        lines += 1;
    }
    marks.push(Mark { at: whole.len(), lines: lines + count(&whole[at..]) });
    Candidates { marks }
}

impl Candidates {
    /// The first candidate at or behind a place that is wanted, else the end of the last line.
    pub(super) fn next(&self, at: usize, wanted: impl Fn(usize) -> bool) -> Mark {
        let behind = &self.marks[self.marks.partition_point(|mark| mark.at < at)..];
        behind.iter().copied().find(|mark| wanted(mark.at)).unwrap_or(self.end())
    }

    /// Where the last line ends.
    pub(super) fn end(&self) -> Mark {
        self.marks.last().copied().unwrap_or(Mark { at: 0, lines: 0 })
    }
}

fn count(lines: &[u8]) -> u64 {
    memchr_iter(b'\n', lines).count() as u64
}

#[cfg(test)]
mod tests {
    use super::{Mark, search};

    #[test]
    fn candidate_lines_are_marked_with_the_lines_before_them() {
        let found = search(b"a\nb\nPermission denied\nc\nEACCES\nd\nunfinished: EACCES");
        assert_eq!(found.next(0, |_| true), Mark { at: 4, lines: 2 });
        assert_eq!(found.next(5, |_| true), Mark { at: 24, lines: 4 });
        assert_eq!(found.next(0, |at| at > 4), Mark { at: 24, lines: 4 });
        assert_eq!(found.next(25, |_| true), Mark { at: 33, lines: 6 });
    }
}
