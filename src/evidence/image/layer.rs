//! One layer in one pass: unpacked, checked against its digest and turned into a [`Layer`], in
//! memory that grows with its entries and never with their bytes.

use std::cell::{Cell, RefCell};
use std::hash::Hasher as _;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::FrameDecoder;
use twox_hash::XxHash64;

use super::digest::{Background, Digest};
use super::tar::{Member, MemberKind, Members};
use crate::model::capability::FileCapabilities;
use crate::model::filesystem::FileType;
use crate::model::filesystem::path::PathText;
use crate::model::image::layer::{Attributes, Layer, LayerChange};

/// What a layer may cost. The numbers are far above any image in use; they bound what a hostile one
/// can do.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of memory for all layers of one image, by a generous estimate: about two million
    /// files.
    pub memory: usize,
    /// Unpacked bytes of one layer.
    pub bytes: u64,
    /// Unpacked bytes for each stored one. It counts after the first `ratio_free` unpacked bytes:
    /// small layers of zeros are common and harmless.
    pub ratio: u64,
    pub ratio_free: u64,
    /// Bytes of a path: `PATH_MAX` of Linux's `include/uapi/linux/limits.h`.
    pub path: usize,
    /// Bytes of one file that is read whole.
    pub content: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 1 << 30,
            bytes: 64 << 30,
            ratio: 500,
            ratio_free: 256 << 20,
            path: 4096,
            content: 256 << 10,
        }
    }
}

/// What an entry and a path cost beside the bytes of their names: in their layer, in the merged
/// tree, and in the measurement of efficiency.
const ENTRY: usize = 250;
const PATH: usize = 200;
const COPIES: usize = 3;
const BUFFER: usize = 128 << 10;
/// Longest name that Linux's file systems have: `NAME_MAX`.
const NAME_MAX: usize = 255;

/// What the bytes must hash to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    /// As they are stored.
    pub(crate) stored: Option<Digest>,
    /// Unpacked: the `diff_id` of the image's configuration.
    pub(crate) unpacked: Option<Digest>,
}

/// A layer, and what it costs of its image's memory.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) layer: Layer,
    pub(crate) memory: usize,
}

/// Reads one layer: plain tar, gzip or zstd, told by its first bytes. Text files whose name,
/// without the directories above it, is in `wanted` are read whole.
///
/// # Errors
/// Why the layer cannot be used, as the end of a sentence: it is truncated or malformed, it is
/// above a limit, or it does not have the digest that it should have.
pub(crate) fn read(
    stored: impl Read,
    expected: &Expected,
    wanted: &[Vec<u8>],
    limits: &Limits,
    memory: &Memory,
) -> Result<Measured, String> {
    let seen = Cell::new(0);
    let start = |digest: &Digest| Background::start(digest.hasher());
    let stored_hash = RefCell::new(expected.stored.as_ref().map(start));
    let mut raw = BufReader::with_capacity(
        BUFFER,
        Counted { inner: stored, seen: &seen, hash: &stored_hash },
    );
    let format = Format::sniff(&mut raw).map_err(reason)?;
    let unpacked_hash = match (&expected.stored, &expected.unpacked, format) {
        // The same bytes need no second hash.
        (Some(stored), Some(unpacked), Format::Plain) if stored == unpacked => None,
        (_, unpacked, _) => unpacked.as_ref().map(start),
    };
    let mut layer = Layer::default();
    let (cost, unpacked_digest) = {
        let decoder: Box<dyn Read + '_> = match format {
            Format::Plain => Box::new(&mut raw),
            Format::Gzip => Box::new(MultiGzDecoder::new(&mut raw)),
            Format::Zstd => Box::new(ZstdFrames::new(&mut raw)),
        };
        let unpacked =
            Unpacked { inner: decoder, count: 0, stored: &seen, hash: unpacked_hash, limits };
        let mut members = Members::new(BufReader::with_capacity(BUFFER, unpacked));
        let cost = collect(&mut members, &mut layer, wanted, limits, memory).map_err(reason)?;
        // The digest is over everything, and an archive may be followed by more than its end.
        let mut rest = members.into_inner();
        io::copy(&mut rest, &mut io::sink()).map_err(reason)?;
        (cost, rest.into_inner().hash.map(Background::finish))
    };
    io::copy(&mut raw, &mut io::sink()).map_err(reason)?;
    let stored_digest = stored_hash.take().map(Background::finish);
    for (found, expected) in
        [(stored_digest, &expected.stored), (unpacked_digest, &expected.unpacked)]
    {
        match (found, expected) {
            (Some(Some(found)), Some(expected)) if found != *expected => {
                return Err(format!(
                    "its bytes have the digest {found} and should have {expected}"
                ));
            }
            (Some(None), _) => return Err("its digest could not be worked out".to_owned()),
            _ => {}
        }
    }
    Ok(Measured { layer, memory: cost })
}

/// Reads a layer from memory, whatever its digest: for tests and fuzzing.
///
/// # Errors
/// As `read`: why it cannot be used, as the end of a sentence.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Layer, String> {
    let read =
        read(bytes, &Expected::default(), &[b"passwd".to_vec()], limits, &Memory::default())?;
    Ok(read.layer)
}

fn reason(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => format!("it is truncated ({error})"),
        _ => error.to_string(),
    }
}

fn above(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("it has {what}, which is above the limit"))
}

/// Reads all entries; what they cost of `memory`.
fn collect<R: Read>(
    members: &mut Members<R>,
    layer: &mut Layer,
    wanted: &[Vec<u8>],
    limits: &Limits,
    memory: &Memory,
) -> io::Result<usize> {
    let mut total = 0;
    let mut buffer = vec![0; BUFFER];
    while let Some(member) = members.next()? {
        let names = clean(&member.path, limits)?;
        layer.size = layer.size.saturating_add(member.size);
        let keep = member.kind == MemberKind::File
            && names.last().is_some_and(|name| wanted.iter().any(|wanted| wanted == name))
            && usize::try_from(members.remaining()).is_ok_and(|size| size <= limits.content);
        let mut content = keep.then(Vec::new);
        let mut hash = XxHash64::with_seed(0);
        if member.kind == MemberKind::File {
            loop {
                let count = members.read(&mut buffer)?;
                if count == 0 {
                    break;
                }
                hash.write(&buffer[..count]);
                if let Some(content) = &mut content {
                    content.extend_from_slice(&buffer[..count]);
                }
            }
        }
        let content = content.filter(|content| !content.contains(&0));
        let Some(change) = change(&member, hash.finish(), layer, limits)? else { continue };
        let paths = layer.paths.len();
        let deepest: usize = names.iter().map(|name| name.len()).sum();
        let entry = layer.add(names, change);
        let made = layer.paths.len() - paths;
        let bytes = member.target.len() + content.as_ref().map_or(0, Vec::len);
        let cost = ENTRY + bytes + made * PATH + if made > 0 { COPIES * deepest } else { 0 };
        memory.take(cost, limits)?;
        total += cost;
        if let (Some(content), Some(entry)) = (content, entry) {
            layer.contents.push((entry, Arc::from(content)));
        }
    }
    Ok(total)
}

/// What the layers of one image cost so far.
#[derive(Debug, Default)]
pub(crate) struct Memory(AtomicUsize);

impl Memory {
    pub(crate) fn take(&self, cost: usize, limits: &Limits) -> io::Result<()> {
        if self.0.fetch_add(cost, Ordering::Relaxed).saturating_add(cost) > limits.memory {
            return Err(above(format_args!(
                "so many files that they take more than {} bytes of memory",
                limits.memory
            )));
        }
        Ok(())
    }
}

/// The names of a path as Go's `filepath.Clean` leaves them.
fn clean<'p>(path: &'p [u8], limits: &Limits) -> io::Result<Vec<&'p [u8]>> {
    if path.len() > limits.path {
        return Err(above(format_args!("a path of {} bytes", path.len())));
    }
    let mut names = Vec::new();
    for name in path.names() {
        if name == b".." {
            if names.pop().is_none() {
                let shown = String::from_utf8_lossy(path);
                let why = format!("it has a path that leads out of the image, {shown:?}");
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        } else if name.len() > NAME_MAX {
            return Err(above(format_args!("a file name of {} bytes", name.len())));
        } else {
            names.push(name);
        }
    }
    Ok(names)
}

fn change(
    member: &Member,
    content: u64,
    layer: &mut Layer,
    limits: &Limits,
) -> io::Result<Option<LayerChange>> {
    let kind = match member.kind {
        MemberKind::File => FileType::File,
        MemberKind::Directory => FileType::Directory,
        MemberKind::Symlink => FileType::Symlink,
        MemberKind::CharDevice => FileType::CharDevice,
        MemberKind::BlockDevice => FileType::BlockDevice,
        MemberKind::Fifo => FileType::Fifo,
        MemberKind::HardLink => {
            // What leads out of the image is cut off at its root, as the runtimes' own path
            // resolution does it.
            return match member.target.len() {
                len if len > limits.path => Err(above(format_args!("a link of {len} bytes"))),
                _ => Ok(Some(LayerChange::HardLink(member.target.clone().into_boxed_slice()))),
            };
        }
        MemberKind::Other => return Ok(None),
    };
    if member.target.len() > limits.path {
        return Err(above(format_args!("a link of {} bytes", member.target.len())));
    }
    let capabilities = member.capability.as_deref().and_then(|bytes| {
        let decoded = FileCapabilities::decode(bytes);
        if decoded.is_none() && layer.warnings.len() < 10 {
            let path = String::from_utf8_lossy(&member.path);
            layer
                .warnings
                .push(format!("{path} has file capabilities that no kernel reads: left out"));
        }
        decoded
    });
    Ok(Some(LayerChange::Put(Attributes {
        file_type: kind,
        mode: if kind == FileType::Symlink { 0o777 } else { member.mode },
        uid: member.uid,
        gid: member.gid,
        size: member.size,
        content: if kind == FileType::File { content } else { 0 },
        target: (kind == FileType::Symlink).then(|| Arc::from(member.target.as_slice())),
        capabilities,
    })))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Plain,
    Gzip,
    Zstd,
}

impl Format {
    /// Tells by the magic number: RFC 1952 and RFC 8878, a zstd stream possibly starting with a
    /// skippable frame.
    pub(crate) fn sniff(stream: &mut impl BufRead) -> io::Result<Format> {
        let start = stream.fill_buf()?;
        Ok(match start {
            [0x1f, 0x8b, ..] => Format::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Format::Zstd,
            _ => Format::Plain,
        })
    }
}

/// Counts and hashes the bytes that pass.
struct Counted<'s, R> {
    inner: R,
    seen: &'s Cell<u64>,
    hash: &'s RefCell<Option<Background>>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.seen.set(self.seen.get() + count as u64);
        if let Some(hash) = self.hash.borrow_mut().as_mut() {
            hash.update(&buffer[..count]);
        }
        Ok(count)
    }
}

/// Unpacked bytes, as many as the limits allow.
struct Unpacked<'s, R> {
    inner: R,
    count: u64,
    stored: &'s Cell<u64>,
    hash: Option<Background>,
    limits: &'s Limits,
}

impl<R: Read> Read for Unpacked<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count += count as u64;
        if self.count > self.limits.bytes {
            return Err(above(format_args!("more than {} bytes unpacked", self.limits.bytes)));
        }
        if self.count > self.limits.ratio_free && self.count / self.limits.ratio > self.stored.get()
        {
            return Err(above(format_args!(
                "more than {} bytes unpacked for each stored one",
                self.limits.ratio
            )));
        }
        if let Some(hash) = &mut self.hash {
            hash.update(&buffer[..count]);
        }
        Ok(count)
    }
}

/// All the frames of a zstd stream, skippable ones skipped.
pub(crate) struct ZstdFrames<R> {
    source: R,
    decoder: FrameDecoder,
    within: bool,
}

impl<R: BufRead> ZstdFrames<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, decoder: FrameDecoder::new(), within: false }
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use ruzstd::decoding::BlockDecodingStrategy::UptoBlocks;
        use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
        loop {
            if self.within {
                while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                    self.decoder.decode_blocks(&mut self.source, UptoBlocks(1)).map_err(zstd)?;
                }
                let count = self.decoder.read(buffer)?;
                if count > 0 || buffer.is_empty() {
                    return Ok(count);
                }
                self.within = false;
            }
            if self.source.fill_buf()?.is_empty() {
                return Ok(0);
            }
            match self.decoder.reset(&mut self.source) {
                Ok(()) => self.within = true,
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    if io::copy(&mut (&mut self.source).take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(zstd(error)),
            }
        }
    }
}

fn zstd(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("it is no valid zstd stream: {error}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::image::efficiency::efficiency;
    use crate::model::image::paths::PathId;
    use crate::model::image::tree::Tree;

    /// A block that often is a header: its checksum is right and its fields are nearly so.
    fn block() -> impl Strategy<Value = Vec<u8>> {
        let names = prop::sample::select(vec![
            "a",
            "a/b",
            ".wh.a",
            "a/.wh..wh..opq",
            "/",
            "./",
            "../x",
            "PaxHeader",
            "",
        ]);
        let kinds = prop::sample::select(b"012345xgLKSVD7\0".to_vec());
        let header = (names, kinds, prop_oneof![0..2000u64, any::<u64>()], any::<[u8; 24]>())
            .prop_map(|(name, kind, size, odd)| {
                let mut header = tar::Header::new_gnu();
                header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
                header.set_size(size);
                header.set_mode(0o644);
                header.as_old_mut().linkname[..24].copy_from_slice(&odd);
                header.as_mut_bytes()[156] = kind;
                header.set_cksum();
                header.as_bytes().to_vec()
            });
        prop_oneof![3 => header, 1 => prop::collection::vec(any::<u8>(), 512), 1 => Just(b"9 path=x\n".to_vec())]
    }

    proptest! {
        #[test]
        fn nothing_in_a_layer_makes_the_reader_panic(blocks in prop::collection::vec(block(), 0..12), cut in 0..600usize) {
            let mut bytes = blocks.concat();
            bytes.truncate(bytes.len().saturating_sub(cut));
            for bytes in [bytes.clone(), [b"\x1f\x8b".as_slice(), &bytes].concat(), [b"\x28\xb5\x2f\xfd".as_slice(), &bytes].concat()] {
                let limits = Limits { memory: 1 << 20, bytes: 1 << 20, ..Limits::default() };
                if let Ok(layer) = parse(&bytes, &limits) {
                    let mut tree = Tree::default();
                    tree.merge(&layer, 0);
                    tree.merge(&layer, 1);
                    let _ = efficiency(&[layer.clone(), layer]);
                    prop_assert!(tree.below(PathId::ROOT).count() < 1000);
                }
            }
        }
    }
}
