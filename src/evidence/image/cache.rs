//! Blobs that were pulled once, by their digest, in the user's cache directory. What is read from it is checked like what
//! comes from a registry, so a damaged or forged file is only pulled again.

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

/// A directory of blobs that keeps itself below a size.
#[derive(Debug, Clone)]
pub struct Cache {
    directory: PathBuf,
    /// In bytes; the blobs unused for longest go first.
    limit: u64,
}

impl Cache {
    #[must_use]
    pub fn new(directory: PathBuf, limit: u64) -> Cache {
        Cache { directory, limit }
    }

    /// `kubectl-nonroot` in `$XDG_CACHE_HOME`, else in `~/.cache` (XDG base directory specification).
    #[must_use]
    pub fn directory() -> Option<PathBuf> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
        Some(base.join("kubectl-nonroot"))
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.directory.join("blobs").join(digest.algorithm()).join(digest.hex())
    }

    /// The blob, if it is there. Opening it counts as a use.
    pub(crate) fn open(&self, digest: &Digest) -> Option<File> {
        let file = File::open(self.path(digest)).ok()?;
        // A file system that cannot note the use lets the blob go a little early.
        let _ = file.set_modified(SystemTime::now());
        Some(file)
    }

    pub(crate) fn remove(&self, digest: &Digest) {
        let _ = fs::remove_file(self.path(digest));
    }

    /// Copies what is read from `stream`. A cache that cannot be written is no reason to fail: then nothing is copied.
    pub(crate) fn copy<R: Read>(&self, digest: &Digest, stream: R) -> Copy<R> {
        let path = self.path(digest);
        let create = || {
            let directory = path.parent()?;
            fs::create_dir_all(directory).ok()?;
            tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(directory).ok()
        };
        Copy { stream, file: create(), path: path.clone() }
    }

    /// Deletes blobs, the longest unused first, until the rest is below the limit.
    pub(crate) fn sweep(&self) {
        let now = SystemTime::now();
        let mut blobs = Vec::new();
        for algorithm in fs::read_dir(self.directory.join("blobs")).into_iter().flatten().flatten() {
            for blob in fs::read_dir(algorithm.path()).into_iter().flatten().flatten() {
                let Ok(found) = blob.metadata() else { continue };
                let used = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                let unfinished = blob.file_name().to_string_lossy().starts_with(UNFINISHED);
                if !unfinished {
                    blobs.push((used, found.len(), blob.path()));
                } else if now.duration_since(used).is_ok_and(|age| age > ABANDONED) {
                    remove(&blob.path());
                }
            }
        }
        blobs.sort();
        let mut total: u64 = blobs.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in blobs {
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
        let blobs: Vec<Vec<u8>> = (0..3).map(|i| vec![i; 100]).collect();
        let digests: Vec<Digest> = blobs.iter().map(|blob| Digest::of(blob)).collect();
        for (age, (blob, digest)) in blobs.iter().zip(&digests).enumerate() {
            let mut copy = cache.copy(digest, blob.as_slice());
            io::copy(&mut copy, &mut io::sink()).unwrap();
            copy.keep();
            let used = SystemTime::now() - Duration::from_secs(1000 - 100 * age as u64);
            File::open(cache.path(digest)).unwrap().set_modified(used).unwrap();
        }
        let mut abandoned = cache.copy(&Digest::of(b"x"), b"x".as_slice());
        io::copy(&mut abandoned, &mut io::sink()).unwrap();

        assert!(cache.open(&digests[0]).is_some());
        cache.sweep();
        let left: Vec<bool> = digests.iter().map(|digest| cache.path(digest).exists()).collect();
        assert_eq!(left, [true, false, true], "the second is the one unused for longest");
        assert!(abandoned.file.as_ref().is_some_and(|file| file.path().exists()), "somebody is writing it");
        drop(abandoned);
        assert_eq!(fs::read_dir(directory.path().join("blobs/sha256")).unwrap().count(), 2);
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_no_failure() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let mut copy = Cache::new(file, 1).copy(&Digest::of(b"x"), b"x".as_slice());
        let mut text = String::new();
        copy.read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");
        copy.keep();
    }
}
