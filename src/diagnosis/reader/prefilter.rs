//! The search that tells which lines of a log are looked at, at about the speed at which a log can
//! be read.
//!
//! Some hundred words are looked for at once. A [`Gram`] is four bytes, and only every third place
//! of a text is asked whether the gram that begins there is one of a word's: whatever place a word
//! stands at, one of its grams begins at such a place if it has a known gram at a distance of 0, 1
//! and 2, modulo 3. Of each word those three grams are known that are rarest in logs. Where one is
//! found, the whole word is compared.

use std::collections::HashSet;

/// The bit by which ASCII letters of two cases differ. Set in every byte, it makes a few other
/// bytes alike as well, which costs a comparison now and then.
const FOLD: u8 = b'a' ^ b'A';

/// Four folded bytes, the first the lowest.
type Gram = u32;

/// Bytes between two places that are asked for their gram.
const STRIDE: usize = 3;

/// The shortest word. A shorter one would be found by too few of its own bytes.
const SHORTEST: usize = 4;

/// Bits of a hash, and those of them that choose a bucket.
const BITS: u32 = 17;
const BUCKET_BITS: u32 = 12;

/// Ordinary lines of logs: no word is searched for by a gram of them, if it has another.
const ORDINARY: &str = r#"
10.0.3.7 - - [25/Nov/2026:03:59:07 +0000] "GET /static/images/index.html?id=42 HTTP/1.1" 200 5316 "https://example.com/" "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0 Safari/537.36"
I1125 03:59:07.123456       1 controller.go:189] "Finished syncing volumes, starting containers for pod" namespace="default" service="web-5d9c7b" duration="1.2ms" request="update" status=success
{"level":"info","ts":"2026-11-25T03:59:07.000Z","logger":"http.server","caller":"server/handler.go:120","msg":"request completed","method":"POST","path":"/api/v1/users","user_agent":"curl/8.5.0","elapsed_ms":12,"error":null}
time="2026-11-25T03:59:07Z" level=info msg="loading plugin, connecting to database" type=io.containerd.snapshotter.v1 component=cache
2026-11-25 03:59:07,123 INFO  [main] org.apache.kafka.common.utils.AppInfoParser - Application started in 5.2 seconds (process running for 6.1)
2026-11-25 03:59:07.123 UTC [27] LOG:  database system is ready to accept connections
Nov 25 03:59:07 node-1 systemd[1]: Starting session 4 of user root, listening on port 8080, configuration file /etc/app/config.yaml, process group 1
WARNING: failed to resolve the address of the remote host, retrying in 30 seconds: no such host, access from another machine is refused or not found
"#;

/// Words that are searched for in raw bytes, without regard to ASCII case.
pub(crate) struct WordSet {
    words: Vec<Vec<u8>>,
    /// One bit for each hash of a gram that a word is found by: small enough for a processor's
    /// nearest cache.
    seen: Box<[u64; 1 << (BITS - 6)]>,
    /// The grams by their hashes.
    grams: Vec<Known>,
    /// Where in `grams` a bucket begins, and where the last ends.
    buckets: Vec<u16>,
}

/// A gram of a word.
struct Known {
    gram: Gram,
    /// Which word, and how far behind the byte before it the gram begins.
    word: u16,
    from_before: u16,
}

impl WordSet {
    /// Each of the words has at least [`SHORTEST`] bytes. One with letters beyond ASCII is found as
    /// it is, and with all letters in one case.
    pub(crate) fn new<'w>(words: impl Iterator<Item = &'w str>) -> Self {
        let mut words: Vec<Vec<u8>> = words
            .flat_map(|word| match word.is_ascii() {
                true => vec![word.to_ascii_lowercase()],
                false => vec![word.to_owned(), word.to_lowercase(), word.to_uppercase()],
            })
            .map(String::into_bytes)
            .collect();
        words.sort();
        words.dedup();
        let ordinary = ORDINARY
            .as_bytes()
            .windows(4)
            .map(|bytes| Gram::from_le_bytes(std::array::from_fn(|at| bytes[at] | FOLD)))
            .collect();
        let mut grams: Vec<Known> =
            (0u16..).zip(&words).flat_map(|(at, word)| grams(at, word, &ordinary)).collect();
        grams.sort_by_key(|known| hash(known.gram));
        let mut seen = Box::new([0; 1 << (BITS - 6)]);
        let mut buckets = vec![0; (1 << BUCKET_BITS) + 1];
        for known in &grams {
            let hash = hash(known.gram);
            seen[hash >> 6] |= 1 << (hash & 63);
            buckets[bucket(hash) + 1] += 1;
        }
        for at in 1..buckets.len() {
            buckets[at] += buckets[at - 1];
        }
        WordSet { words, seen, grams, buckets }
    }

    /// Where a word begins, if there is any: on the first line that has one.
    pub(crate) fn find(&self, text: &[u8]) -> Option<usize> {
        let fold = u64::from_ne_bytes([FOLD; 8]);
        let mut at = 0;
        // Two loads of eight bytes hold the grams of four places.
        while let Some(bytes) = text.get(at..at + 2 * STRIDE + 8) {
            let early = eight(bytes) | fold;
            let late = eight(&bytes[2 * STRIDE..]) | fold;
            let [a, b] = [early as Gram, (early >> (8 * STRIDE)) as Gram];
            let [c, d] = [late as Gram, (late >> (8 * STRIDE)) as Gram];
            // Not `||`: one branch for the four of them, which is hardly ever taken.
            if self.has_seen(a) | self.has_seen(b) | self.has_seen(c) | self.has_seen(d) {
                for (place, gram) in (at..).step_by(STRIDE).zip([a, b, c, d]) {
                    if let Some(start) = self.word_at(text, place, gram) {
                        return Some(start);
                    }
                }
            }
            at += 4 * STRIDE;
        }
        (at..text.len()).step_by(STRIDE).find_map(|place| {
            let bytes =
                std::array::from_fn(|behind| text.get(place + behind).copied().unwrap_or(0) | FOLD);
            self.word_at(text, place, Gram::from_le_bytes(bytes))
        })
    }

    pub(crate) fn is_in(&self, text: &[u8]) -> bool {
        self.find(text).is_some()
    }

    #[inline]
    fn has_seen(&self, gram: Gram) -> bool {
        let hash = hash(gram);
        self.seen[hash >> 6] >> (hash & 63) & 1 == 1
    }

    /// Where the word begins that has the gram found at a place.
    fn word_at(&self, text: &[u8], place: usize, gram: Gram) -> Option<usize> {
        if !self.has_seen(gram) {
            return None;
        }
        let bucket = bucket(hash(gram));
        let known =
            &self.grams[usize::from(self.buckets[bucket])..usize::from(self.buckets[bucket + 1])];
        known.iter().filter(|known| known.gram == gram).find_map(|known| {
            let word = &self.words[usize::from(known.word)];
            let start = (place + 1).checked_sub(usize::from(known.from_before))?;
            let there = text.get(start..start + word.len())?;
            there.eq_ignore_ascii_case(word).then_some(start)
        })
    }
}

/// The grams by which a word is found: for each distance modulo [`STRIDE`] the rarest.
fn grams(word_at: u16, word: &[u8], ordinary: &HashSet<Gram>) -> Vec<Known> {
    debug_assert!(word.len() >= SHORTEST, "{}", String::from_utf8_lossy(word));
    // A short word has no gram of its own at all three distances: any byte may stand before and
    // behind it.
    let mut bytes: Vec<Option<u8>> = word.iter().map(|byte| Some(byte | FOLD)).collect();
    let is_behind_another = bytes.len() == SHORTEST;
    if is_behind_another {
        bytes.insert(0, None);
    }
    bytes.resize(bytes.len().max(4 + STRIDE - 1), None);
    let rarest = |distance: usize| {
        (distance..=bytes.len() - 4)
            .step_by(STRIDE)
            .min_by_key(|&at| frequency(&bytes[at..at + 4], ordinary))
    };
    let mut grams = Vec::new();
    for at in (0..STRIDE).filter_map(rarest) {
        let from_before = (at + usize::from(!is_behind_another)) as u16;
        let gram = &bytes[at..at + 4];
        let any = (0..=u8::MAX).filter(|byte| byte & FOLD != 0);
        let any = any.take(if gram.contains(&None) { usize::MAX } else { 1 });
        grams.extend(any.map(|any| {
            let gram = Gram::from_le_bytes(std::array::from_fn(|at| gram[at].unwrap_or(any)));
            Known { gram, word: word_at, from_before }
        }));
    }
    grams
}

/// How often four folded bytes stand in logs, roughly: whether they are in an ordinary line, and
/// how often each is in English, with numbers. `None` is any byte.
fn frequency(gram: &[Option<u8>], ordinary: &HashSet<Gram>) -> (bool, u64) {
    let of_byte = |byte: &Option<u8>| match byte {
        Some(b' ') => 100,
        Some(b'e') => 80,
        Some(b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r') => 60,
        Some(b'0'..=b'9' | b'l' | b'd' | b'c' | b'u' | b'm' | b'p') => 30,
        Some(0x80..) => 2,
        Some(_) => 20,
        None => 1000,
    };
    let is_ordinary = ordinary
        .contains(&Gram::from_le_bytes(std::array::from_fn(|at| gram[at].unwrap_or_default())));
    (is_ordinary, gram.iter().map(of_byte).product())
}

/// Fibonacci hashing: the high bits of the product.
#[inline]
fn hash(gram: Gram) -> usize {
    (gram.wrapping_mul(0x9E37_79B1) >> (Gram::BITS - BITS)) as usize
}

#[inline]
fn bucket(hash: usize) -> usize {
    hash >> (BITS - BUCKET_BITS)
}

/// The first eight bytes, of which there are as many.
#[inline]
fn eight(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SOME: [&str; 6] =
        ["permission denied", "eperm", "(13)", "Отказано в доступе", "a?a?a?a", "xxxx"];

    /// Where words begin, by trying every place.
    fn by_trial(text: &[u8]) -> impl Iterator<Item = usize> {
        (0..text.len()).filter(|&at| {
            let begins_with = |word: &str| {
                text[at..]
                    .get(..word.len())
                    .is_some_and(|there| there.eq_ignore_ascii_case(word.as_bytes()))
            };
            SOME.iter().any(|word| {
                [word, &*word.to_lowercase(), &word.to_uppercase()].into_iter().any(begins_with)
            })
        })
    }

    fn line_of(text: &[u8], at: usize) -> usize {
        text[..at].iter().filter(|&&byte| byte == b'\n').count()
    }

    /// What is found is a word, on the first line that has one.
    fn assert_found(text: &str) {
        let text = text.as_bytes();
        let at = WordSet::new(SOME.into_iter()).find(text).expect("there is a word");
        assert!(by_trial(text).any(|word| word == at));
        assert_eq!(
            line_of(text, at),
            by_trial(text).map(|word| line_of(text, word)).next().expect("there is a word")
        );
    }

    #[test]
    fn a_word_may_overlap_itself() {
        (0..12).for_each(|before| assert_found(&format!("{}xxxxX\nxxxx", " ".repeat(before))));
    }

    proptest! {
        #[test]
        fn a_word_is_found_wherever_it_stands(before in "[ -~\n]{0,40}", which in 0..SOME.len(), upper: bool, behind in "[ -~x\n]{0,30}") {
            let word = if upper { SOME[which].to_uppercase() } else { SOME[which].to_owned() };
            assert_found(&format!("{before}{word}{behind}"));
        }

        #[test]
        fn nothing_else_is_found(text in "[ePrm1x3()aA?\u{41e}\u{43e}тказано в доступе]{0,60}") {
            let is_in = by_trial(text.as_bytes()).next().is_some();
            prop_assert_eq!(WordSet::new(SOME.into_iter()).is_in(text.as_bytes()), is_in);
        }
    }
}
