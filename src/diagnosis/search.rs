//! Where a piece of a log tells something: nearly all the work that a long log makes, and it needs
//! nothing of what came before, so that pieces are searched side by side.

use memchr::{memchr, memchr_iter, memrchr};

use super::TELLING;

/// A place in a piece, and how many lines end before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) at: usize,
    pub(super) lines: u64,
}

/// The lines of a piece that have a word of a pattern or of another trouble, and nothing else of
/// it.
#[derive(Debug)]
pub struct Searched {
    /// Where each begins, and where the last line ends.
    marks: Vec<Mark>,
}

/// Searches the lines that end in a piece.
#[must_use]
pub fn search(piece: &[u8]) -> Searched {
    let whole = &piece[..memrchr(b'\n', piece).map_or(0, |end| end + 1)];
    let mut marks = Vec::new();
    let Mark { mut at, mut lines } = Mark { at: 0, lines: 0 };
    while let Some(word) = TELLING.find(&whole[at..]) {
        let start = memrchr(b'\n', &whole[at..at + word]).map_or(at, |before| at + before + 1);
        lines += count(&whole[at..start]);
        marks.push(Mark { at: start, lines });
        at = memchr(b'\n', &whole[start..]).map_or(whole.len(), |end| start + end + 1);
        lines += 1;
    }
    marks.push(Mark { at: whole.len(), lines: lines + count(&whole[at..]) });
    Searched { marks }
}

impl Searched {
    /// The first telling line at or behind a place that is wanted, or else the end of the last
    /// line.
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
    fn telling_lines_are_marked_with_the_lines_before_them() {
        let searched = search(b"a\nb\nPermission denied\nc\nEACCES\nd\nunfinished: EACCES");
        assert_eq!(searched.next(0, |_| true), Mark { at: 4, lines: 2 });
        assert_eq!(searched.next(5, |_| true), Mark { at: 24, lines: 4 });
        assert_eq!(searched.next(0, |at| at > 4), Mark { at: 24, lines: 4 });
        assert_eq!(searched.next(25, |_| true), Mark { at: 33, lines: 6 });
    }
}
