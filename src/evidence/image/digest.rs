//! `sha256:...`: what a blob must hash to.

use std::fmt;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};

use sha2::{Digest as _, Sha256, Sha512};

/// A digest of image-spec's "descriptor", of one of its two registered algorithms.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Digest {
    algorithm: Algorithm,
    hex: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Algorithm {
    Sha256,
    Sha512,
}

impl Digest {
    /// Reads `sha256:` or `sha512:` and lowercase hexadecimal digits of the right length. Nothing
    /// else passes, so that the digits can be a file name.
    pub(crate) fn parse(text: &str) -> Option<Digest> {
        let (algorithm, hex, len) = match text.split_once(':')? {
            ("sha256", hex) => (Algorithm::Sha256, hex, 64),
            ("sha512", hex) => (Algorithm::Sha512, hex, 128),
            _ => return None,
        };
        let valid = hex.len() == len && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        valid.then(|| Digest { algorithm, hex: hex.to_owned() })
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self.algorithm {
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
        }
    }

    pub(crate) fn hex(&self) -> &str {
        &self.hex
    }

    /// A hasher for bytes that should have this digest.
    pub(crate) fn hasher(&self) -> Hasher {
        match self.algorithm {
            Algorithm::Sha256 => Hasher::Sha256(Sha256::new()),
            Algorithm::Sha512 => Hasher::Sha512(Sha512::new()),
        }
    }

    /// Whether `bytes` have this digest.
    pub(crate) fn verifies(&self, bytes: &[u8]) -> bool {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        hasher.finish() == *self
    }

    pub(crate) fn of(bytes: &[u8]) -> Digest {
        let mut hasher = Hasher::Sha256(Sha256::new());
        hasher.update(bytes);
        hasher.finish()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm(), self.hex)
    }
}

/// A digest in the making.
pub(crate) enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Sha256(hasher) => hasher.update(bytes),
            Hasher::Sha512(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Hasher::Sha256(hasher) => {
                Digest { algorithm: Algorithm::Sha256, hex: hex(&hasher.finalize()) }
            }
            Hasher::Sha512(hasher) => {
                Digest { algorithm: Algorithm::Sha512, hex: hex(&hasher.finalize()) }
            }
        }
    }
}

/// Pieces under way to the thread that hashes.
const MAX_PIECES: usize = 8;

/// A digest that another thread makes: hashing takes longer than all the rest of reading a plain
/// layer.
pub(crate) struct Background {
    pieces: SyncSender<Vec<u8>>,
    /// Buffers to use again.
    spent: Receiver<Vec<u8>>,
    thread: JoinHandle<Digest>,
}

impl Background {
    pub(crate) fn start(mut hasher: Hasher) -> Background {
        let (pieces, incoming) = mpsc::sync_channel::<Vec<u8>>(MAX_PIECES);
        let (outgoing, spent) = mpsc::channel();
        let thread = thread::spawn(move || {
            for piece in incoming {
                hasher.update(&piece);
                // Its reader may be done with reading.
                let _ = outgoing.send(piece);
            }
            hasher.finish()
        });
        Background { pieces, spent, thread }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let mut piece = self.spent.try_recv().unwrap_or_default();
        piece.clear();
        piece.extend_from_slice(bytes);
        // A thread that is gone shows in `finish`.
        let _ = self.pieces.send(piece);
    }

    /// `None` if the thread broke down.
    pub(crate) fn finish(self) -> Option<Digest> {
        drop(self.pieces);
        self.thread.join().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_hashes_what_it_is_given_in_order() {
        let bytes: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        let mut background = Background::start(Digest::of(b"").hasher());
        bytes.chunks(777).for_each(|piece| background.update(piece));
        assert_eq!(background.finish(), Some(Digest::of(&bytes)));
    }

    #[test]
    fn only_whole_digests_of_known_algorithms_are_read() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").to_string(), empty);
        assert!(
            Digest::parse(empty)
                .is_some_and(|digest| digest.verifies(b"") && !digest.verifies(b"x"))
        );
        for wrong in [
            "",
            "sha256:",
            "md5:d41d8cd98f00b204e9800998ecf8427e",
            &empty.to_uppercase(),
            &empty[..70],
        ] {
            assert_eq!(Digest::parse(wrong), None, "{wrong}");
        }
        let traversal = format!("sha256:{}", "../".repeat(22));
        assert_eq!(Digest::parse(&traversal[..71]), None);
    }
}
