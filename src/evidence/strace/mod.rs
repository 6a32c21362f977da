//! The output of strace(1), read as it comes: pieces of any size go in, events come out, memory
//! stays bounded.
//!
//! It is read whether it was made with `-f`, `-ff` and merged, `-y`, `-yy`, `-Y`, `-t` of any kind,
//! `-r`, `-T`, `-i`, `-n` or `-k`; calls that another thread's line interrupted are put together
//! again. Every line is counted, and those that are not strace's are told.

mod line;
mod value;

use std::collections::HashMap;
use std::mem;

use self::line::{Line, Rest};
use crate::model::trace::{Event, Lines, What};

/// Bytes of a line that are kept; the rest of a longer line is passed over.
const MAX_LINE_BYTES: usize = 64 * 1024;
/// Threads with a call that was interrupted: as many as run at a time at the most.
const MAX_UNFINISHED: usize = 4096;
/// Bytes kept of a call that was interrupted.
const MAX_UNFINISHED_BYTES: usize = 8 * 1024;
/// Unknown lines that are told with their text, and how much of it.
const MAX_STRANGE: usize = 10;
const MAX_STRANGE_BYTES: usize = 160;

/// A trace in the making.
#[derive(Debug, Default)]
pub struct Strace {
    /// The line that the last piece ended in.
    rest: Vec<u8>,
    lines: Lines,
    /// Calls that were interrupted, by thread: the line where each began, and what stood there.
    unfinished: HashMap<Option<u32>, (u64, String)>,
}

impl Strace {
    /// Takes the next piece, which may begin and end anywhere, and hands over the events of its
    /// lines.
    pub fn feed(&mut self, piece: &[u8], take: &mut impl FnMut(Event)) {
        let mut pieces = piece.split(|byte| *byte == b'\n');
        let Some(first) = pieces.next() else { return };
        self.keep(first);
        for next in pieces {
            let line = mem::take(&mut self.rest);
            self.line(&line, take);
            self.keep(next);
        }
    }

    /// Ends the trace.
    #[must_use]
    pub fn finish(mut self, take: &mut impl FnMut(Event)) -> Lines {
        if !self.rest.is_empty() {
            let line = mem::take(&mut self.rest);
            self.line(&line, take);
        }
        self.lines
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MAX_LINE_BYTES.saturating_sub(self.rest.len());
        self.rest.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn line(&mut self, bytes: &[u8], take: &mut impl FnMut(Event)) {
        self.lines.total += 1;
        let number = self.lines.total;
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end();
        if text.is_empty() {
            self.lines.empty += 1;
            return;
        }
        let Some(Line { pid, rest }) = line::split(text) else { return self.unknown(text) };
        let mut tell = |line: u64, what: What| take(Event { line, pid, what });
        match rest {
            Rest::Signal => self.lines.signals += 1,
            Rest::Note => self.lines.notes += 1,
            Rest::Exited(code) => {
                self.lines.ends += 1;
                tell(number, What::Exited(code));
            }
            Rest::Killed(signal) => {
                self.lines.ends += 1;
                tell(number, What::Killed(signal.to_owned()));
            }
            Rest::Superseded => {
                self.lines.ends += 1;
                tell(number, What::Superseded);
            }
            Rest::Unfinished(begun) => {
                self.lines.unfinished += 1;
                let name = begun.split('(').next().unwrap_or_default();
                if matches!(name, "fork" | "vfork" | "clone" | "clone3") {
                    tell(number, What::Forking);
                }
                if self.unfinished.len() < MAX_UNFINISHED || self.unfinished.contains_key(&pid) {
                    let mut kept = begun.to_owned();
                    kept.truncate(kept.floor_char_boundary(MAX_UNFINISHED_BYTES));
                    self.unfinished.insert(pid, (number, kept));
                }
            }
            Rest::Resumed(rest) => {
                self.lines.resumed += 1;
                // Of a call that was going on when strace came, only the second half is there.
                if let Some((begun, first)) = self.unfinished.remove(&pid)
                    && let Some(call) = line::call(&format!("{}{rest}", first.trim_end()))
                {
                    tell(begun, What::Call(call));
                }
            }
            Rest::Call(text) => match line::call(text) {
                Some(call) => {
                    self.lines.calls += 1;
                    tell(number, What::Call(call));
                }
                None => self.unknown(text),
            },
        }
    }

    fn unknown(&mut self, text: &str) {
        self.lines.unknown += 1;
        if self.lines.strange.len() < MAX_STRANGE {
            let cut = &text[..text.floor_char_boundary(MAX_STRANGE_BYTES)];
            self.lines.strange.push((self.lines.total, cut.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::trace::CallOutcome;

    fn read(text: &str) -> (Vec<Event>, Lines) {
        let mut events = Vec::new();
        let mut strace = Strace::default();
        let mut take = |event| events.push(event);
        // Of pieces that end anywhere the events are the same.
        for piece in text.as_bytes().chunks(3) {
            strace.feed(piece, &mut take);
        }
        let lines = strace.finish(&mut take);
        (events, lines)
    }

    #[test]
    fn every_form_of_a_line_gives_the_same_call() {
        for prefix in [
            "",
            "17 ",
            "17    ",
            "[pid    17] ",
            "17 22:38:26 ",
            "[pid 17] 22:38:26.123456 ",
            "1700000000.123456 ",
            "17    1700000000.123456 ",
            "     0.000123 ",
            "[pid 17]      0.000123 ",
            "22:38:26 (+     0.000123) ",
            "17<sh> ",
            "[pid 17<sh>] ",
            "17 [00007f3b2c1d2f3e] ",
            "17 [ 257] ",
            "22:38:26 [ 257] [00007f3b2c1d2f3e] ",
        ] {
            for suffix in ["", " <0.000012>"] {
                let text = format!(
                    "{prefix}openat(AT_FDCWD</srv>, \"x\", O_RDONLY) = -1 EACCES (Permission denied){suffix}\n"
                );
                let (events, lines) = read(&text);
                assert_eq!((lines.calls, lines.unknown, events.len()), (1, 0, 1), "{text}");
                let What::Call(call) = &events[0].what else { panic!("{text}") };
                assert_eq!(
                    (call.name.as_str(), call.text(1), call.note(0)),
                    ("openat", Some("x"), Some("/srv"))
                );
                assert_eq!(call.outcome, CallOutcome::Failed("EACCES".to_owned()), "{text}");
                assert_eq!(
                    events[0].pid,
                    prefix.contains("17 ").then_some(17).or(events[0].pid),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn halves_are_put_together_by_thread() {
        let (events, lines) = read(
            "7 mkdir(\"/a\", 0755 <unfinished ...>\n\
             8 wait4(-1,  <unfinished ...>\n\
             7 <... mkdir resumed>)  = -1 EROFS (Read-only file system)\n\
             8 <... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 1}], 0, NULL) = 7\n\
             9 <... read resumed>\"x\", 1) = 1\n",
        );
        assert_eq!((lines.unfinished, lines.resumed, lines.unknown, events.len()), (2, 3, 0, 2));
        let What::Call(call) = &events[0].what else { panic!("{events:?}") };
        assert_eq!((events[0].line, call.name.as_str(), call.text(0)), (1, "mkdir", Some("/a")));
        assert_eq!(call.outcome, CallOutcome::Failed("EROFS".to_owned()));
    }

    #[test]
    fn ends_signals_and_notes_are_told_apart() {
        let (events, lines) = read(
            "strace: Process 8 attached\n\
             [pid     7] --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=8} ---\n\
             [pid     7] +++ exited with 3 +++\n\
             8 +++ killed by SIGSEGV (core dumped) +++\n\
             9 +++ superseded by execve in pid 10 +++\n\
             9 exit_group(1)     = ?\n\
             9 restart_syscall(<... resuming interrupted read ...>) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)\n \
             > /usr/lib/libc.so.6(__open64+0x5b) [0xf1a5b]\n\
             \n\
             nginx: [emerg] something else\n",
        );
        let ends: Vec<&What> = events.iter().map(|event| &event.what).collect();
        assert!(
            matches!(ends[..3], [What::Exited(3), What::Killed(_), What::Superseded]),
            "{ends:?}"
        );
        let Lines { total, calls, signals, ends, notes, empty, unknown, strange, .. } = lines;
        assert_eq!((total, calls, signals, ends, notes, empty, unknown), (10, 2, 1, 3, 2, 1, 1));
        assert_eq!(strange, [(10, "nginx: [emerg] something else".to_owned())]);
    }

    #[test]
    fn a_note_may_come_into_the_middle_of_a_call() {
        let (events, lines) = read(
            "[pid 7] vfork(strace: Process 8 attached\n \
             <unfinished ...>\n\
             [pid 8] getpid() = 8\n\
             [pid 7] <... vfork resumed>) = 8\n\
             [pid 7] wait4(-1, strace: Process 8 detached\n \
             <detached ...>\n",
        );
        assert_eq!((lines.unknown, lines.unfinished, lines.notes), (0, 2, 2));
        assert_eq!(events.iter().filter(|event| matches!(event.what, What::Call(_))).count(), 2);
    }

    #[test]
    fn a_line_without_end_is_bounded() {
        let mut strace = Strace::default();
        for _ in 0..100 {
            strace.feed(&[b'x'; 10_000], &mut |_| ());
        }
        assert_eq!(strace.rest.len(), MAX_LINE_BYTES);
        assert_eq!(strace.finish(&mut |_| ()).unknown, 1);
    }
}
