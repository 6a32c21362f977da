//! Images in one tar file: what `docker save`, `podman save`, `buildah push` and `ctr images
//! export` write. The file is walked once from header to header; what is in it is then read in
//! place.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use tempfile::NamedTempFile;

use super::layer::{Format, Limits, ZstdFrames};
use super::part::Part;
use super::tar::{MemberKind, Members};

/// Files of an archive: one for each blob, and a few more. An image has at most 127 layers on
/// overlay file systems.
const MAX_MEMBERS: usize = 100_000;
/// Symbolic links that `docker save` sets for a layer that it has written already.
const MAX_LINKS: usize = 10;

/// An archive and where everything in it stands.
#[derive(Debug)]
pub(crate) struct Archive {
    path: PathBuf,
    /// The archive unpacked, where it was compressed as a whole.
    unpacked: Option<NamedTempFile>,
    members: HashMap<String, Place>,
}

#[derive(Debug, Clone)]
enum Place {
    Data { start: u64, size: u64 },
    Link(String),
}

impl Archive {
    /// Walks the archive. One that is compressed as a whole is first unpacked to a temporary file.
    pub(crate) fn open(path: &Path, limits: &Limits) -> io::Result<Archive> {
        let mut file = BufReader::new(File::open(path)?);
        let unpacked = match Format::sniff(&mut file)? {
            Format::Plain => None,
            Format::Gzip => Some(unpack(MultiGzDecoder::new(file), limits)?),
            Format::Zstd => Some(unpack(ZstdFrames::new(file), limits)?),
        };
        let mut archive = Archive { path: path.to_owned(), unpacked, members: HashMap::new() };
        let mut walk = Members::new(BufReader::new(archive.file()?));
        loop {
            walk.skip_with(|file, distance| {
                file.seek_relative(i64::try_from(distance).map_err(io::Error::other)?)
            })?;
            let Some(member) = walk.next()? else { break };
            let name = clean("", &String::from_utf8_lossy(&member.path));
            let target = String::from_utf8_lossy(&member.target);
            let place = match member.kind {
                MemberKind::File => Place::Data { start: walk.position(), size: walk.remaining() },
                MemberKind::Symlink => {
                    Place::Link(clean(name.rsplit_once('/').map_or("", |(dir, _)| dir), &target))
                }
                MemberKind::HardLink => Place::Link(clean("", &target)),
                _ => continue,
            };
            archive.members.insert(name, place);
            if archive.members.len() > MAX_MEMBERS {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("it has more than {MAX_MEMBERS} files"),
                ));
            }
        }
        Ok(archive)
    }

    /// Whether its bytes stand in a file that is gone after this look.
    pub(crate) fn is_temporary(&self) -> bool {
        self.unpacked.is_some()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// The bytes that a file of the archive takes; 0 for one that is not there.
    pub(crate) fn size(&self, name: &str) -> u64 {
        match self.find(name) {
            Ok((_, size)) => size,
            Err(_) => 0,
        }
    }

    /// The bytes of one file of the archive, from a file handle of their own.
    pub(crate) fn read(&self, name: &str) -> io::Result<Part> {
        let (start, size) = self.find(name)?;
        Part::new(self.file()?, start, size)
    }

    fn find(&self, name: &str) -> io::Result<(u64, u64)> {
        let absent =
            || io::Error::new(io::ErrorKind::NotFound, format!("the archive has no {name}"));
        let mut place = self.members.get(&clean("", name)).ok_or_else(absent)?;
        for _ in 0..MAX_LINKS {
            match place {
                Place::Data { start, size } => return Ok((*start, *size)),
                Place::Link(target) => place = self.members.get(target).ok_or_else(absent)?,
            }
        }
        Err(absent())
    }

    /// The file anew, so that every reader has a position of its own.
    fn file(&self) -> io::Result<File> {
        match &self.unpacked {
            Some(file) => file.reopen(),
            None => File::open(&self.path),
        }
    }
}

fn unpack(stream: impl Read, limits: &Limits) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    if io::copy(&mut stream.take(limits.bytes), &mut file)? == limits.bytes {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("it unpacks to {} bytes or more", limits.bytes),
        ));
    }
    Ok(file)
}

/// A path in the archive without `.` and `..`, relative to `directory` unless it is absolute.
fn clean(directory: &str, path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    let directory = if path.starts_with('/') { "" } else { directory };
    for name in directory.split('/').chain(path.split('/')) {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    names.join("/")
}
