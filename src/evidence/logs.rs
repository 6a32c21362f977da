//! Logs from a file or from standard input, in pieces of bounded size.

use std::{
    fs::File,
    io::{self},
    path::Path,
};

use crate::error::{Error, Read};

/// Bytes of one piece: large enough that a search over it runs at full speed, small enough to count for nothing.
const PIECE: usize = 256 * 1024;
/// Bytes of a page of memory. Where a piece begins at one, the kernel fills it four times as fast on some processors.
const PAGE: usize = 4096;

/// Hands the file's bytes to `take`, piece by piece. The value is how many there were.
pub fn file(path: &Path, take: impl FnMut(&[u8])) -> Result<Read<u64>, Error> {
    let attempted = || format!("read the log {}", path.display());
    let file = File::open(path).map_err(|why| Error::input(attempted(), why))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(Error::input(attempted(), "it is a directory").help("name a file, or - for standard input"));
    }
    Ok(stream(file, &attempted(), take))
}

/// Hands the bytes of standard input to `take`, piece by piece.
pub fn standard_input(take: impl FnMut(&[u8])) -> Read<u64> {
    stream(io::stdin().lock(), "read standard input", take)
}

/// Reads to the end, or to the first error: what came before it is good and stays taken.
pub fn stream(mut reader: impl io::Read, attempted: &str, mut take: impl FnMut(&[u8])) -> Read<u64> {
    let mut memory = vec![0; PIECE + PAGE];
    let start = memory.as_ptr().align_offset(PAGE).min(PAGE);
    let piece = &mut memory[start..start + PIECE];
    let mut total = 0;
    loop {
        match reader.read(piece) {
            Ok(0) => return Read::clean(total),
            Ok(length) => {
                total += length as u64;
                take(&piece[..length]);
            }
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Read { value: total, errors: vec![Error::input(attempted, why)] },
        }
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
        let read = stream(Torn(false), "read it", |piece| got.extend_from_slice(piece));
        assert_eq!((got.as_slice(), read.value), (b"abc".as_slice(), 3));
        assert_eq!(read.errors[0].to_string(), "cannot read it: cable cut");
    }

    #[test]
    fn a_directory_is_refused() {
        let error = file(Path::new("/"), |_| {}).unwrap_err();
        assert_eq!(error.class.exit_code(), 2);
    }
}
