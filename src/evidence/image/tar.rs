//! Walks a tar stream header by header, in bounded memory.
//!
//! The fields of a header are read by the `tar` crate. Its own iterator is not used: it collects
//! long names, PAX records and sparse maps of any length, and splits PAX records at newlines, which
//! occur in `security.capability`.

use std::io::{self, Read};

use tar::{EntryType, Header};

const BLOCK: u64 = 512;
/// Longest name or PAX record block: `maxSpecialFileSize` of Go's archive/tar, which every runtime
/// reads layers with.
const MAX_EXTENSION: u64 = 1 << 20;

/// One file of the archive.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) kind: MemberKind,
    /// As written, neither cleaned nor checked.
    pub(crate) path: Vec<u8>,
    /// Of a link.
    pub(crate) target: Vec<u8>,
    /// The lowest 12 bits.
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// As the header has it, the holes of a sparse file among them; bytes to read may be fewer.
    pub(crate) size: u64,
    /// The value of the extended attribute `security.capability`.
    pub(crate) capability: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemberKind {
    File,
    Directory,
    Symlink,
    HardLink,
    CharDevice,
    BlockDevice,
    Fifo,
    /// A kind that runtimes skip.
    Other,
}

/// The headers of a tar stream, and the bytes of each file while its header is the last one read.
pub(crate) struct Members<R> {
    stream: R,
    /// Bytes consumed since the start.
    position: u64,
    /// Bytes of the present file that are not read yet, and the padding behind them.
    data: u64,
    padding: u64,
}

impl<R: Read> Members<R> {
    pub(crate) fn new(stream: R) -> Self {
        Self { stream, position: 0, data: 0, padding: 0 }
    }

    /// Where the bytes of the present file start.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// How many bytes of the present file are not read yet.
    pub(crate) fn remaining(&self) -> u64 {
        self.data
    }

    /// Lets the caller move the stream past the rest of the present file; it is given the stream
    /// and the distance.
    pub(crate) fn skip_with(
        &mut self,
        skip: impl FnOnce(&mut R, u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let distance = self.data.saturating_add(self.padding);
        skip(&mut self.stream, distance)?;
        self.position = self.position.saturating_add(distance);
        (self.data, self.padding) = (0, 0);
        Ok(())
    }

    /// The next file, or `None` at the end of the archive. What was not read of the one before is
    /// skipped.
    pub(crate) fn next(&mut self) -> io::Result<Option<Member>> {
        let mut long_path = None;
        let mut long_target = None;
        let mut records = Records::default();
        loop {
            self.skip_data()?;
            let Some(header) = self.header()? else { return Ok(None) };
            let stored = header.entry_size().map_err(|_| malformed("a size is not a number"))?;
            match header.entry_type() {
                EntryType::GNULongName => long_path = Some(self.text(stored)?),
                EntryType::GNULongLink => long_target = Some(self.text(stored)?),
                EntryType::XHeader => records = Records::parse(&self.extension(stored)?)?,
                // Nothing that runtimes read for a layer is global.
                EntryType::XGlobalHeader => self.start(stored),
                _ => {
                    return self.member(&header, stored, long_path, long_target, records).map(Some);
                }
            }
        }
    }

    /// Reads from the present file.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.data).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let count = self.stream.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(truncated());
        }
        self.data -= count as u64;
        self.position += count as u64;
        Ok(count)
    }

    /// Gives the stream back, wherever it stands.
    pub(crate) fn into_inner(self) -> R {
        self.stream
    }

    fn start(&mut self, size: u64) {
        self.data = size;
        self.padding = size.wrapping_neg() % BLOCK;
    }

    fn skip_data(&mut self) -> io::Result<()> {
        let distance = self.data.saturating_add(self.padding);
        if distance > 0 {
            let skipped = io::copy(&mut (&mut self.stream).take(distance), &mut io::sink())?;
            // The padding of the last file may be missing: Go's reader does not mind either.
            if skipped < self.data {
                return Err(truncated());
            }
            self.position += skipped;
        }
        (self.data, self.padding) = (0, 0);
        Ok(())
    }

    fn header(&mut self) -> io::Result<Option<Header>> {
        let mut header = Header::new_old();
        if !self.block(header.as_mut_bytes())? || header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let bytes = header.as_bytes();
        let sum =
            bytes[..148].iter().chain(&bytes[156..]).map(|byte| u32::from(*byte)).sum::<u32>()
                + 8 * 32;
        if header.cksum().ok() != Some(sum) {
            return Err(malformed("a header's checksum is wrong"));
        }
        Ok(Some(header))
    }

    /// Fills one block; false at the end of the stream.
    fn block(&mut self, block: &mut [u8; BLOCK as usize]) -> io::Result<bool> {
        let mut filled = 0;
        while filled < block.len() {
            match self.stream.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => return Err(truncated()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.position += BLOCK;
        Ok(true)
    }

    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > MAX_EXTENSION {
            return Err(malformed("a name or attribute is longer than 1 MiB"));
        }
        self.start(size);
        let mut bytes = vec![0; usize::try_from(size).map_err(|_| truncated())?];
        let mut filled = 0;
        while filled < bytes.len() {
            filled += self.read(&mut bytes[filled..])?;
        }
        Ok(bytes)
    }

    /// A GNU long name: up to its first NUL.
    fn text(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let mut text = self.extension(size)?;
        if let Some(end) = text.iter().position(|byte| *byte == 0) {
            text.truncate(end);
        }
        Ok(text)
    }

    fn member(
        &mut self,
        header: &Header,
        stored: u64,
        long_path: Option<Vec<u8>>,
        long_target: Option<Vec<u8>>,
        records: Records,
    ) -> io::Result<Member> {
        let path = long_path.or(records.path).unwrap_or_else(|| header.path_bytes().into_owned());
        let target = long_target.or(records.target);
        let target = target
            .or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned))
            .unwrap_or_default();
        let kind = match header.entry_type() {
            // Before POSIX a directory was a file whose name ends in a slash.
            EntryType::Regular if header.as_bytes()[156] == 0 && path.ends_with(b"/") => {
                MemberKind::Directory
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => MemberKind::File,
            EntryType::Directory => MemberKind::Directory,
            EntryType::Symlink => MemberKind::Symlink,
            EntryType::Link => MemberKind::HardLink,
            EntryType::Char => MemberKind::CharDevice,
            EntryType::Block => MemberKind::BlockDevice,
            EntryType::Fifo => MemberKind::Fifo,
            _ => MemberKind::Other,
        };
        let stored = records.size.unwrap_or(stored);
        let mut size = records.real_size.unwrap_or(stored);
        if let Some(gnu) = header.as_gnu().filter(|_| header.entry_type() == EntryType::GNUSparse) {
            size = gnu.real_size().map_err(|_| malformed("a size is not a number"))?;
            let mut more = gnu.is_extended();
            while more {
                let mut map = tar::GnuExtSparseHeader::new();
                if !self.block(map.as_mut_bytes())? {
                    return Err(truncated());
                }
                more = map.is_extended();
            }
        }
        // Like Go's reader: only files have bytes behind their header, whatever it says.
        let has_data = matches!(kind, MemberKind::File | MemberKind::Other);
        self.start(if has_data { stored } else { 0 });
        let old = header.as_old();
        Ok(Member {
            kind,
            path,
            target,
            mode: (number(&old.mode, || header.mode().map(u64::from))? & 0o7777) as u16,
            uid: id(records.uid, &old.uid, || header.uid())?,
            gid: id(records.gid, &old.gid, || header.gid())?,
            size,
            capability: records.capability,
        })
    }
}

/// A numeric field; a blank one is 0.
fn number(field: &[u8], read: impl FnOnce() -> io::Result<u64>) -> io::Result<u64> {
    if field.iter().all(|byte| matches!(byte, 0 | b' ')) {
        return Ok(0);
    }
    read().map_err(|_| malformed("a mode, owner or group is not a number"))
}

fn id(
    record: Option<u64>,
    field: &[u8],
    read: impl FnOnce() -> io::Result<u64>,
) -> io::Result<u32> {
    let id = match record {
        Some(id) => id,
        None => number(field, read)?,
    };
    u32::try_from(id).map_err(|_| malformed("an owner or group is above 4294967295"))
}

/// The PAX records that matter: pax(1), and `SCHILY.xattr.` as star, GNU tar and Go write it.
#[derive(Debug, Default)]
struct Records {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    size: Option<u64>,
    real_size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    capability: Option<Vec<u8>>,
}

impl Records {
    /// Each is `LENGTH KEYWORD=VALUE\n`, LENGTH counting all of it; a value may hold any byte.
    fn parse(mut block: &[u8]) -> io::Result<Records> {
        let wrong = || malformed("a PAX record is not LENGTH KEYWORD=VALUE");
        let decimal = |value: &[u8]| std::str::from_utf8(value).ok()?.parse::<u64>().ok();
        let mut records = Records::default();
        while !block.is_empty() {
            let space = block.iter().position(|byte| *byte == b' ').ok_or_else(wrong)?;
            let length = decimal(&block[..space])
                .and_then(|length| usize::try_from(length).ok())
                .ok_or_else(wrong)?;
            let record = block
                .get(space + 1..length)
                .and_then(|record| record.strip_suffix(b"\n"))
                .ok_or_else(wrong)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(wrong)?;
            let (keyword, value) = (&record[..equals], &record[equals + 1..]);
            let number = || decimal(value).map(Some).ok_or_else(wrong);
            match keyword {
                b"path" | b"GNU.sparse.name" => records.path = Some(value.to_vec()),
                b"linkpath" => records.target = Some(value.to_vec()),
                b"size" => records.size = number()?,
                b"GNU.sparse.realsize" | b"GNU.sparse.size" => records.real_size = number()?,
                b"uid" => records.uid = number()?,
                b"gid" => records.gid = number()?,
                b"SCHILY.xattr.security.capability" => records.capability = Some(value.to_vec()),
                _ => {}
            }
            block = &block[length..];
        }
        Ok(records)
    }
}

fn malformed(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn truncated() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "it ends in the middle of a file")
}
