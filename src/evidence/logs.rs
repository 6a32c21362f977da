//! Logs from a file or from standard input, in pieces of bounded size.

use std::{
    fs::File,
    io,
    path::Path,
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

use crate::error::{Error, Partial};

/// Bytes of one piece: large enough that a search over it runs at full speed, small enough to count
/// for nothing.
const PIECE: usize = 256 * 1024;
/// Bytes of a page of memory. Where a piece begins at one, the kernel fills it four times as fast
/// on some processors.
const PAGE: usize = 4096;
/// Threads that look at pieces: more would wait for the one that reads.
const MAX_THREADS: usize = 6;
/// Bytes of a thread's stack, as the main thread has it.
const STACK: usize = 8 << 20;

/// Hands the file's bytes to `take`, piece by piece and in order, each with what `look` made of it.
/// Pieces are looked at side by side. The value is how many bytes there were.
pub fn file<L>(
    path: &Path,
    look: impl Fn(&[u8]) -> L + Sync,
    take: impl FnMut(&[u8], L) + Send,
) -> Result<Partial<u64>, Error> {
    let attempted = || format!("read the log {}", path.display());
    let file = File::open(path).map_err(|why| Error::input(attempted(), why))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(Error::input(attempted(), "it is a directory")
            .help("name a file, or - for standard input"));
    }
    Ok(stream(file, &attempted(), look, take))
}

/// Hands the bytes of standard input to `take`, as [`file`] does.
pub fn standard_input<L>(
    look: impl Fn(&[u8]) -> L + Sync,
    take: impl FnMut(&[u8], L) + Send,
) -> Partial<u64> {
    stream(io::stdin(), "read standard input", look, take)
}

/// Reads to the end, or to the first error: what came before it is good and stays taken.
pub fn stream<L, T: FnMut(&[u8], L) + Send>(
    reader: impl io::Read + Send,
    attempted: &str,
    look: impl Fn(&[u8]) -> L + Sync,
    take: T,
) -> Partial<u64> {
    let (before, taker) = mpsc::channel::<T>();
    let source = Mutex::new(Source { reader, total: 0, ended: None, taker });
    // Whoever has read a piece looks at it as well, while it is in the processor's cache.
    let work = || {
        let mut memory = vec![0; PIECE + PAGE];
        let start = memory.as_ptr().align_offset(PAGE).min(PAGE);
        let piece = &mut memory[start..start + PIECE];
        loop {
            let next = source.lock().unwrap_or_else(PoisonError::into_inner).next(piece);
            let Some(Next { length, turn, after }) = next else { return };
            let looked = look(&piece[..length]);
            // Nobody passes it on where a thread has panicked, which the scope tells.
            let Ok(mut take) = turn.recv() else { return };
            take(&piece[..length], looked);
            if after.send(take).is_err() {
                return;
            }
        }
    };
    thread::scope(|scope| {
        // There is nobody before the first.
        if before.send(take).is_err() {
            return;
        }
        let threads = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        for _ in 1..threads {
            // A thread that cannot be had is done without.
            drop(thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work));
        }
        work();
    });
    let Source { total, ended, .. } = source.into_inner().unwrap_or_else(PoisonError::into_inner);
    Partial {
        value: total,
        errors: ended
            .and_then(Result::err)
            .map(|why| Error::input(attempted, why))
            .into_iter()
            .collect(),
    }
}

/// What is read, by one thread at a time.
struct Source<R, T> {
    reader: R,
    total: u64,
    /// How it ended, once it did.
    ended: Option<io::Result<()>>,
    /// Where who reads the next piece gets what takes it: it goes from hand to hand, so that
    /// pieces are taken in order.
    taker: mpsc::Receiver<T>,
}

struct Next<T> {
    length: usize,
    turn: mpsc::Receiver<T>,
    after: mpsc::Sender<T>,
}

impl<R: io::Read, T> Source<R, T> {
    fn next(&mut self, piece: &mut [u8]) -> Option<Next<T>> {
        while self.ended.is_none() {
            match self.reader.read(piece) {
                Ok(0) => self.ended = Some(Ok(())),
                Ok(length) => {
                    self.total += length as u64;
                    let (after, taker) = mpsc::channel();
                    return Some(Next {
                        length,
                        turn: std::mem::replace(&mut self.taker, taker),
                        after,
                    });
                }
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) => self.ended = Some(Err(why)),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Torn(bool);

    impl io::Read for Torn {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(io::Error::other("cable cut"));
            }
            into[..3].copy_from_slice(b"abc");
            Ok(3)
        }
    }

    #[test]
    fn what_came_before_an_error_is_kept_and_the_error_told() {
        let mut got = Vec::new();
        let read = stream(Torn(false), "read it", |_| (), |piece, ()| got.extend_from_slice(piece));
        assert_eq!((got.as_slice(), read.value), (b"abc".as_slice(), 3));
        assert_eq!(read.errors[0].to_string(), "cannot read it: cable cut");
    }

    #[test]
    fn a_directory_is_refused() {
        let error = file(Path::new("/"), |_| (), |_, ()| ()).unwrap_err();
        assert_eq!(error.class.exit_code(), 2);
    }

    #[test]
    fn pieces_are_taken_in_order_each_with_what_was_made_of_it() {
        let log: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut got = Vec::new();
        let read = stream(log.as_slice(), "read it", <[u8]>::to_vec, |piece, looked| {
            assert!(piece == looked);
            got.extend(looked);
        });
        assert!(got == log);
        assert_eq!(read, Partial::clean(log.len() as u64));
    }
}
