//! Bytes that stand in a file on this machine.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::time::{Duration, SystemTime};

/// How long a file must have been left alone: a write within the same tick of a file system's clock
/// leaves no trace in the file's times. FAT's tick is the longest.
const SETTLED: Duration = Duration::from_secs(2);

/// A part of a file that must be there to its end.
pub(crate) struct Part {
    bytes: io::Take<File>,
    start: u64,
    size: u64,
}

impl Part {
    pub(crate) fn new(mut file: File, start: u64, size: u64) -> io::Result<Part> {
        file.seek(SeekFrom::Start(start))?;
        Ok(Part { bytes: file.take(size), start, size })
    }

    pub(crate) fn whole(file: File) -> io::Result<Part> {
        let size = file.metadata()?.len();
        Part::new(file, 0, size)
    }

    /// `None` where the same answer later would not mean the same bytes.
    pub(crate) fn origin(&self) -> Option<Origin> {
        Origin::of(self.bytes.get_ref(), self.start, self.size)
    }
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        if count == 0 && !buffer.is_empty() && self.bytes.limit() > 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file ends in the middle of it",
            ));
        }
        Ok(count)
    }
}

/// Which file, and which of its bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) file_size: u64,
    pub(crate) modified: (i64, i64),
    /// When anything of the file last changed, which nobody can set.
    pub(crate) changed: (i64, i64),
    pub(crate) start: u64,
    pub(crate) size: u64,
}

impl Origin {
    #[cfg(unix)]
    fn of(file: &File, start: u64, size: u64) -> Option<Origin> {
        use std::os::unix::fs::MetadataExt as _;
        let found = file.metadata().ok()?;
        let (seconds, nanoseconds) = (found.ctime(), found.ctime_nsec());
        let since = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?);
        let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + since).ok()?;
        (age >= SETTLED).then(|| Origin {
            device: found.dev(),
            inode: found.ino(),
            file_size: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (seconds, nanoseconds),
            start,
            size,
        })
    }

    /// The standard library tells too little of a file elsewhere.
    #[cfg(not(unix))]
    fn of(_: &File, _: u64, _: u64) -> Option<Origin> {
        None
    }
}
