//! Blobs that were pulled once, by their digest, and what was read of layers, in the user's cache
//! directory. A blob is checked like what comes from a registry, so a damaged or forged one is only
//! pulled again.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

use super::digest::Digest;

/// A file that is written for so long was left behind.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);
/// What starts the name of a file that is being written.
const UNFINISHED: &str = ".unfinished-";

/// What the cache keeps, each in a directory of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shelf {
    /// As they were pulled, by their digest.
    Blobs,
    /// By the name of an [`index`](super::index).
    Indexes,
}

impl Shelf {
    const ALL: [Shelf; 2] = [Shelf::Blobs, Shelf::Indexes];

    fn directory(self) -> &'static str {
        match self {
            Shelf::Blobs => "blobs",
            Shelf::Indexes => "indexes",
        }
    }
}

/// A directory of files that keeps itself below a size.
#[derive(Debug, Clone)]
pub struct Cache {
    directory: PathBuf,
    /// In bytes; the files unused for longest go first.
    limit: u64,
}

impl Cache {
    #[must_use]
    pub fn new(directory: PathBuf, limit: u64) -> Cache {
        Cache { directory, limit }
    }

    /// `kubectl-nonroot` in `$XDG_CACHE_HOME`, else in `~/.cache` (XDG base directory
    /// specification).
    #[must_use]
    pub fn directory() -> Option<PathBuf> {
        let absolute = |name: &str| {
            std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
        };
        let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
        Some(base.join("kubectl-nonroot"))
    }

    fn path(&self, shelf: Shelf, digest: &Digest) -> PathBuf {
        self.directory.join(shelf.directory()).join(digest.algorithm()).join(digest.hex())
    }

    /// The file, if it is there. Opening it counts as a use.
    pub(crate) fn open(&self, shelf: Shelf, digest: &Digest) -> Option<File> {
        let file = File::open(self.path(shelf, digest)).ok()?;
        // A file system that cannot note the use lets the file go a little early.
        let _ = file.set_modified(SystemTime::now());
        Some(file)
    }

    pub(crate) fn remove(&self, shelf: Shelf, digest: &Digest) {
        remove(&self.path(shelf, digest));
    }

    /// Keeps these bytes.
    pub(crate) fn keep(&self, shelf: Shelf, digest: &Digest, bytes: &[u8]) {
        let mut copy = self.copy(shelf, digest, bytes);
        if io::copy(&mut copy, &mut io::sink()).is_ok() {
            copy.keep();
        }
    }

    /// Copies what is read from `stream`. A cache that cannot be written is no reason to fail: then
    /// nothing is copied.
    pub(crate) fn copy<R: Read>(&self, shelf: Shelf, digest: &Digest, stream: R) -> Copy<R> {
        let path = self.path(shelf, digest);
        let create = || {
            let directory = path.parent()?;
            fs::create_dir_all(directory).ok()?;
            tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(directory).ok()
        };
        Copy { stream, file: create(), path: path.clone() }
    }

    /// Deletes files, the longest unused first, until the rest is below the limit.
    pub(crate) fn sweep(&self) {
        let now = SystemTime::now();
        let mut files = Vec::new();
        let shelves = Shelf::ALL.map(|shelf| self.directory.join(shelf.directory()));
        for algorithm in shelves.into_iter().flat_map(fs::read_dir).flatten().flatten() {
            for file in fs::read_dir(algorithm.path()).into_iter().flatten().flatten() {
                let Ok(found) = file.metadata() else { continue };
                let used = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                let unfinished = file.file_name().to_string_lossy().starts_with(UNFINISHED);
                if !unfinished {
                    files.push((used, found.len(), file.path()));
                } else if now.duration_since(used).is_ok_and(|age| age > ABANDONED) {
                    remove(&file.path());
                }
            }
        }
        files.sort();
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in files {
            if total <= self.limit {
                break;
            }
            remove(&path);
            total -= size;
        }
    }
}

/// Another process may have been faster.
fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

/// A stream whose bytes are kept when all of them turned out right.
pub(crate) struct Copy<R> {
    stream: R,
    file: Option<NamedTempFile>,
    path: PathBuf,
}

impl<R> Copy<R> {
    /// Gives the bytes their place, at once and as a whole.
    pub(crate) fn keep(self) {
        if let Some(file) = self.file {
            let _ = file.persist(self.path);
        }
    }
}

impl<R: Read> Read for Copy<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        if let Some(file) = &mut self.file
            && file.write_all(&buffer[..count]).is_err()
        {
            self.file = None;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_keeps_what_was_used_last() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(directory.path().to_owned(), 250);
        let files: Vec<(Shelf, Digest)> = [Shelf::Blobs, Shelf::Indexes, Shelf::Blobs]
            .into_iter()
            .zip((0..3).map(|i| Digest::of(&[i])))
            .collect();
        for (age, (shelf, digest)) in files.iter().enumerate() {
            cache.keep(*shelf, digest, &[0; 100]);
            let used = SystemTime::now() - Duration::from_secs(1000 - 100 * age as u64);
            File::open(cache.path(*shelf, digest)).unwrap().set_modified(used).unwrap();
        }
        let mut abandoned = cache.copy(Shelf::Blobs, &Digest::of(b"x"), b"x".as_slice());
        io::copy(&mut abandoned, &mut io::sink()).unwrap();

        assert!(cache.open(files[0].0, &files[0].1).is_some());
        cache.sweep();
        let left: Vec<bool> =
            files.iter().map(|(shelf, digest)| cache.path(*shelf, digest).exists()).collect();
        assert_eq!(left, [true, false, true], "the second is the one unused for longest");
        assert!(
            abandoned.file.as_ref().is_some_and(|file| file.path().exists()),
            "somebody is writing it"
        );
        drop(abandoned);
        assert_eq!(fs::read_dir(directory.path().join("blobs/sha256")).unwrap().count(), 2);
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_no_failure() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let mut copy = Cache::new(file, 1).copy(Shelf::Blobs, &Digest::of(b"x"), b"x".as_slice());
        let mut text = String::new();
        copy.read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");
        copy.keep();
    }
}
