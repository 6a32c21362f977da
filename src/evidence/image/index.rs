//! What was read of a layer, as a file of the cache: a second look at the same bytes unpacks and
//! hashes nothing.
//!
//! Such a file is believed without the bytes that it was made from, so its name is the digest of
//! all that decides what is in it. Bytes of a registry are known by their digest, which the first
//! look verified. A file on this machine may claim any digest, another image's among them, so its
//! bytes are known by where they stand and by what the kernel says of the file, and what they claim
//! was verified there.

use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use twox_hash::XxHash64;

use super::digest::Digest;
use super::layer::{Expected, Limits, Measured};
use super::part::Origin;
use crate::model::capability::{FileCapabilities, Set};
use crate::model::filesystem::FileType;
use crate::model::image::layer::{Attributes, Layer, LayerChange};
use crate::model::image::paths::{PathId, Paths};

/// To be raised whenever a layer is read or written otherwise than before.
const VERSION: u32 = 1;
/// An index of more bytes, of about a million files, is not kept.
const MAX_BYTES: usize = 64 << 20;
const CHECKSUM: usize = 8;

/// The name of an index: the digest of all that decides what is in it. `origin` is `None` for bytes
/// of a registry.
pub(crate) fn name(
    origin: Option<&Origin>,
    expected: &Expected,
    wanted: &[Vec<u8>],
    limits: &Limits,
) -> Digest {
    let program = env!("CARGO_PKG_VERSION");
    Digest::of(
        format!("{program} {VERSION} {origin:?} {expected:?} {wanted:?} {limits:?}").as_bytes(),
    )
}

/// The file is a checksum, then these messages one after the other, each after its length: a head,
/// paths, entries.
#[derive(Clone, PartialEq, Message)]
struct Head {
    #[prost(uint64, tag = "1")]
    size: u64,
    #[prost(uint64, tag = "2")]
    memory: u64,
    /// Those beside `/`.
    #[prost(uint64, tag = "3")]
    paths: u64,
    #[prost(string, repeated, tag = "4")]
    warnings: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct PathName {
    #[prost(uint64, tag = "1")]
    parent: u64,
    #[prost(bytes = "bytes", tag = "2")]
    name: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(uint64, tag = "1")]
    path: u64,
    #[prost(uint32, tag = "2")]
    change: u32,
    #[prost(uint32, tag = "3")]
    mode: u32,
    #[prost(uint32, tag = "4")]
    uid: u32,
    #[prost(uint32, tag = "5")]
    gid: u32,
    #[prost(uint64, tag = "6")]
    size: u64,
    #[prost(fixed64, tag = "7")]
    hash: u64,
    /// Of a link.
    #[prost(bytes = "bytes", optional, tag = "8")]
    target: Option<Bytes>,
    #[prost(message, optional, tag = "9")]
    capabilities: Option<Capabilities>,
    /// Of a file that was read whole.
    #[prost(bytes = "bytes", optional, tag = "10")]
    content: Option<Bytes>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Capabilities {
    #[prost(uint64, tag = "1")]
    permitted: u64,
    #[prost(uint64, tag = "2")]
    inheritable: u64,
    #[prost(bool, tag = "3")]
    effective: bool,
    #[prost(uint32, tag = "4")]
    root: u32,
}

/// What an entry's `change` counts: a file of one of these kinds, or a change that puts none.
const KINDS: [FileType; 7] = [
    FileType::File,
    FileType::Directory,
    FileType::Symlink,
    FileType::CharDevice,
    FileType::BlockDevice,
    FileType::Fifo,
    FileType::Socket,
];
const HARD_LINK: u32 = 7;
const WHITEOUT: u32 = 8;
const OPAQUE: u32 = 9;

/// The bytes of an index; `None` for a layer whose index would be too large.
pub(crate) fn encode(measured: &Measured) -> Option<Vec<u8>> {
    let Measured { layer, memory } = measured;
    let mut bytes = vec![0; CHECKSUM];
    let head = Head {
        size: layer.size,
        memory: *memory as u64,
        paths: layer.paths.len() as u64 - 1,
        warnings: layer.warnings.clone(),
    };
    head.encode_length_delimited(&mut bytes).ok()?;
    for path in layer.paths.iter().skip(1) {
        let parent = layer.paths.parent(path).index() as u64;
        let name = Bytes::copy_from_slice(layer.paths.name(path));
        PathName { parent, name }.encode_length_delimited(&mut bytes).ok()?;
        if bytes.len() > MAX_BYTES {
            return None;
        }
    }
    let mut contents = layer.contents.iter().peekable();
    for (i, (path, change)) in layer.entries.iter().enumerate() {
        let content = contents
            .next_if(|(entry, _)| *entry == i)
            .map(|(_, content)| Bytes::copy_from_slice(content));
        let entry = Entry { path: path.index() as u64, content, ..Entry::from(change) };
        entry.encode_length_delimited(&mut bytes).ok()?;
        if bytes.len() > MAX_BYTES {
            return None;
        }
    }
    let checksum = XxHash64::oneshot(0, &bytes[CHECKSUM..]);
    bytes[..CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
    Some(bytes)
}

/// Reads an index; `None` for one that is damaged.
pub(crate) fn read(file: File) -> Option<Measured> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() <= MAX_BYTES).then(|| decode(Bytes::from(bytes)))?
}

fn decode(mut bytes: Bytes) -> Option<Measured> {
    if bytes.len() < CHECKSUM {
        return None;
    }
    let checksum = bytes.split_to(CHECKSUM);
    if XxHash64::oneshot(0, &bytes).to_le_bytes() != *checksum {
        return None;
    }
    let head = Head::decode_length_delimited(&mut bytes).ok()?;
    let mut layer = Layer { size: head.size, warnings: head.warnings, ..Layer::default() };
    for _ in 0..head.paths {
        let PathName { parent, name } = PathName::decode_length_delimited(&mut bytes).ok()?;
        let parent = path(&layer.paths, parent)?;
        layer.paths.make_child(parent, &name);
    }
    while !bytes.is_empty() {
        let entry = Entry::decode_length_delimited(&mut bytes).ok()?;
        if let Some(content) = &entry.content {
            layer.contents.push((layer.entries.len(), Arc::from(content.as_ref())));
        }
        layer.entries.push((path(&layer.paths, entry.path)?, entry.change()?));
    }
    Some(Measured { layer, memory: usize::try_from(head.memory).ok()? })
}

fn path(paths: &Paths, index: u64) -> Option<PathId> {
    paths.at(usize::try_from(index).ok()?)
}

impl From<&LayerChange> for Entry {
    fn from(change: &LayerChange) -> Entry {
        let file = match change {
            LayerChange::Put(file) => file,
            LayerChange::HardLink(target) => {
                return Entry {
                    change: HARD_LINK,
                    target: Some(Bytes::copy_from_slice(target)),
                    ..Entry::default()
                };
            }
            LayerChange::Whiteout => return Entry { change: WHITEOUT, ..Entry::default() },
            LayerChange::Opaque => return Entry { change: OPAQUE, ..Entry::default() },
        };
        Entry {
            change: (0..)
                .zip(KINDS)
                .find(|(_, kind)| *kind == file.file_type)
                .map_or(u32::MAX, |(number, _)| number),
            mode: file.mode.into(),
            uid: file.uid,
            gid: file.gid,
            size: file.size,
            hash: file.content,
            target: file.target.as_deref().map(Bytes::copy_from_slice),
            capabilities: file.capabilities.map(|of| Capabilities {
                permitted: of.permitted.bits(),
                inheritable: of.inheritable.bits(),
                effective: of.effective,
                root: of.root,
            }),
            ..Entry::default()
        }
    }
}

impl Entry {
    fn change(&self) -> Option<LayerChange> {
        Some(match self.change {
            HARD_LINK => LayerChange::HardLink(Box::from(self.target.as_deref()?)),
            WHITEOUT => LayerChange::Whiteout,
            OPAQUE => LayerChange::Opaque,
            number => LayerChange::Put(Attributes {
                file_type: *KINDS.get(usize::try_from(number).ok()?)?,
                mode: u16::try_from(self.mode).ok()?,
                uid: self.uid,
                gid: self.gid,
                size: self.size,
                content: self.hash,
                target: self.target.as_deref().map(Arc::from),
                capabilities: self.capabilities.map(|of| FileCapabilities {
                    permitted: Set::from_bits(of.permitted),
                    inheritable: Set::from_bits(of.inheritable),
                    effective: of.effective,
                    root: of.root,
                }),
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn change() -> impl Strategy<Value = LayerChange> {
        let capabilities =
            any::<(u64, u64, bool, u32)>().prop_map(|(permitted, inheritable, effective, root)| {
                let (permitted, inheritable) =
                    (Set::from_bits(permitted), Set::from_bits(inheritable));
                FileCapabilities { permitted, inheritable, effective, root }
            });
        let target = prop::collection::vec(any::<u8>(), 0..5);
        let file = (
            prop::sample::select(KINDS.to_vec()),
            any::<(u16, u32, u32, u64, u64)>(),
            prop::option::of(target.clone()),
            prop::option::of(capabilities),
        );
        let put = file.prop_map(|(kind, (mode, uid, gid, size, content), target, capabilities)| {
            LayerChange::Put(Attributes {
                file_type: kind,
                mode,
                uid,
                gid,
                size,
                content,
                target: target.map(Arc::from),
                capabilities,
            })
        });
        prop_oneof![4 => put, 1 => target.prop_map(|target| LayerChange::HardLink(target.into()))]
    }

    fn measured() -> impl Strategy<Value = Measured> {
        let name =
            prop::sample::select(vec!["a", "b", "\u{e9}", ".wh.a", ".wh..wh.x", ".wh..wh..opq"]);
        let content = prop::option::of(prop::collection::vec(any::<u8>(), 0..9));
        let step = (prop::collection::vec(name, 1..4), change(), content);
        let warnings = prop::collection::vec(any::<String>(), 0..2);
        (prop::collection::vec(step, 0..20), warnings, any::<u64>(), any::<u32>()).prop_map(
            |(steps, warnings, size, memory)| {
                let mut layer = Layer { size, warnings, ..Layer::default() };
                for (names, change, content) in steps {
                    let entry = layer.add(names.iter().map(|name| name.as_bytes()), change);
                    layer.contents.extend(entry.zip(content.map(Arc::from)));
                }
                Measured { layer, memory: memory as usize }
            },
        )
    }

    fn paths(layer: &Layer) -> Vec<(PathId, Vec<u8>)> {
        layer
            .paths
            .iter()
            .map(|path| (layer.paths.parent(path), layer.paths.name(path).to_vec()))
            .collect()
    }

    proptest! {
        #[test]
        fn what_was_kept_is_what_was_read(first in measured()) {
            let again = decode(encode(&first).unwrap().into()).unwrap();
            prop_assert_eq!(first.memory, again.memory);
            let (first, again) = (first.layer, again.layer);
            prop_assert_eq!(first.size, again.size);
            prop_assert_eq!(paths(&first), paths(&again));
            prop_assert_eq!(first.entries, again.entries);
            prop_assert_eq!(first.contents, again.contents);
            prop_assert_eq!(first.warnings, again.warnings);
        }

        #[test]
        fn a_damaged_index_is_none(first in measured(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
            let mut bytes = encode(&first).unwrap();
            let at = at.index(bytes.len());
            prop_assert!(decode(bytes[..at].to_vec().into()).is_none());
            bytes[at] ^= 1u8 << bit;
            prop_assert!(decode(bytes.into()).is_none());
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let checksum = XxHash64::oneshot(0, &bytes).to_le_bytes();
            let _ = decode([&checksum, bytes.as_slice()].concat().into());
        }
    }

    #[test]
    fn a_name_tells_apart_all_that_decides() {
        let (expected, limits) = (Expected::default(), Limits::default());
        let plain = name(None, &expected, &[], &limits);
        let digest = Expected { stored: Some(Digest::of(b"x")), ..Expected::default() };
        let fewer = Limits { memory: 1, ..Limits::default() };
        let origin = Origin { device: 1, inode: 2, changed: (6, 7), ..Origin::default() };
        let names = [
            name(None, &digest, &[], &limits),
            name(None, &expected, &[b"passwd".to_vec()], &limits),
            name(None, &expected, &[], &fewer),
            name(Some(&origin), &expected, &[], &limits),
            name(Some(&Origin { start: 512, ..origin }), &expected, &[], &limits),
        ];
        for (i, name) in names.iter().enumerate() {
            assert_ne!(*name, plain);
            assert!(!names[..i].contains(name));
        }
    }
}
