//! A short fingerprint of a fragment's audio, to detect it when the producer sends it again.

use std::collections::VecDeque;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

mod list;

/// First word of [`Content::to_text`].
const VERSION: &str = "1";

/// Digits of base 64; each encodes three packets with two bits.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Most packets stored of a fragment: 20 s of 10 ms.
const MAX_PACKETS: usize = 2000;

/// Most packets stored of all fragments, 8 KB: a minute of 8 ms.
const MAX_STORED: usize = 8000;

/// Fingerprint of one fragment's audio: the producer time of the first packet, its hash, and for
/// each packet after it a part of the hash over all packets so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Content {
    time_ms: i64,
    first: u32,
    nanos: i64,
    /// Upper bits of the running hash, for each packet after the first.
    checks: Vec<u8>,
    packets: usize,
    /// Only two bits of each check are known, because they come from [`Content::from_text`].
    is_coarse: bool,
}

/// A running hash over packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RunningHash(u64);

impl RunningHash {
    /// Adds the next packet.
    pub(crate) fn add(&mut self, data: &[u8]) {
        // A variant of FNV-1a over words of eight bytes and the length. It is stored, so it must
        // not depend on the build.
        let mut hash = (self.0 ^ 0xCBF2_9CE4_8422_2325).wrapping_mul(0x0100_0000_01B3);
        let mut words = data.chunks_exact(8);
        let mut mix = |word: u64| {
            hash = (hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            hash ^= hash >> 29;
        };
        for word in &mut words {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(word);
            mix(u64::from_le_bytes(bytes));
        }
        mix(words.remainder().iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        mix(data.len() as u64);
        self.0 = hash;
    }

    /// Returns the upper 32 bits.
    pub(crate) fn upper_32(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Returns the upper 8 bits.
    fn upper_8(self) -> u8 {
        (self.0 >> 56) as u8
    }
}

impl Content {
    /// Creates an empty fingerprint with capacity for `packets`, at most [`MAX_PACKETS`].
    pub(crate) fn with_room_for(packets: usize) -> Self {
        let checks = Vec::with_capacity(packets.min(MAX_PACKETS));
        Self { checks, ..Self::default() }
    }

    /// Releases unused capacity.
    pub(crate) fn shrink(&mut self) {
        self.checks.shrink_to_fit();
    }

    /// Returns the producer's clock at the first packet, ms since the epoch.
    pub fn time_ms(&self) -> i64 {
        self.time_ms
    }

    /// Returns the time that the packets cover, ms.
    pub fn duration_ms(&self) -> u64 {
        self.nanos.unsigned_abs() / 1_000_000
    }

    pub(crate) fn packets(&self) -> usize {
        self.packets
    }

    pub(crate) fn first(&self) -> u32 {
        self.first
    }

    pub(crate) fn push(&mut self, time_ms: i64, check: RunningHash, nanos: i64) {
        if self.packets == 0 {
            (self.time_ms, self.first) = (time_ms, check.upper_32());
        } else if self.packets < MAX_PACKETS {
            self.checks.push(check.upper_8());
        }
        self.packets += 1;
        self.nanos = self.nanos.saturating_add(nanos);
    }

    /// Whether the hash up to the packet at `index` (not the first) equals `check`.
    pub(crate) fn agrees(&self, index: usize, check: RunningHash) -> bool {
        let mask = if self.is_coarse { 0xC0 } else { 0xFF };
        let known = index.checked_sub(1).and_then(|index| self.checks.get(index));
        known.is_some_and(|known| (known ^ check.upper_8()) & mask == 0)
    }

    /// Drops the oldest of `contents`: those before the last `remembered_ms` of audio, and those
    /// beyond `most`.
    pub fn forget_old(contents: &mut VecDeque<Self>, remembered_ms: u64, most: usize) {
        let (mut total_ms, mut packets) = (0, 0);
        let kept = contents.iter().rev().take(most).take_while(|content| {
            let wanted = total_ms < remembered_ms;
            total_ms += content.duration_ms();
            packets += content.checks.len() + 1;
            wanted && packets <= MAX_STORED
        });
        let kept = kept.count();
        contents.drain(..contents.len() - kept);
    }

    /// Formats the fingerprint as one ASCII word that [`Content::from_text`] parses, with two bits
    /// per packet: about 40 bytes, plus 17 for each second of 20 ms packets.
    pub fn to_text(&self) -> String {
        let Self { time_ms, first, nanos, checks, .. } = self;
        let mut text = format!("{VERSION}:{time_ms}:{first:08x}:{nanos}:{}:", checks.len());
        push_digits(&mut text, checks);
        text
    }

    /// Parses the text of [`Content::to_text`].
    ///
    /// # Errors
    /// [`Error::Content`] for anything else.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let words: Vec<_> = text.split(':').collect();
        let [VERSION, time_ms, first, nanos, count, digits] = words[..] else {
            return Err(Error::Content { reason: "unknown version" });
        };
        let (time_ms, nanos) = (number(time_ms, "time")?, number(nanos, "duration")?);
        Self::read(time_ms, first, nanos, number(count, "packets")?, digits)
    }

    /// Creates a fingerprint whose hashes are texts.
    fn read(
        time_ms: i64,
        first: &str,
        nanos: i64,
        count: usize,
        digits: &str,
    ) -> Result<Self, Error> {
        let first = u32::from_str_radix(first, 16);
        let first = first.map_err(|_| Error::Content { reason: "first packet" })?;
        let checks = checks(digits, count)?;
        Ok(Self { time_ms, first, nanos, packets: count + 1, checks, is_coarse: true })
    }
}

/// Appends the checks, two bits each.
fn push_digits(text: &mut String, checks: &[u8]) {
    for three in checks.chunks(3) {
        let digit = three.iter().enumerate();
        let digit = digit.fold(0, |digit, (at, check)| digit | check >> 6 << (2 * at));
        text.push(char::from(DIGITS[usize::from(digit) % DIGITS.len()]));
    }
}

/// Parses `count` checks of two bits.
fn checks(digits: &str, count: usize) -> Result<Vec<u8>, Error> {
    if count >= MAX_PACKETS || digits.len() != count.div_ceil(3) {
        return Err(Error::Content { reason: "checks" });
    }
    let mut checks = Vec::with_capacity(count);
    for digit in digits.bytes() {
        let digit = DIGITS.iter().position(|known| *known == digit);
        // An index below 64.
        let digit = digit.ok_or(Error::Content { reason: "checks" })? as u8;
        checks.extend([digit << 6, digit >> 2 << 6, digit >> 4 << 6]);
    }
    checks.truncate(count);
    Ok(checks)
}

fn number<N: FromStr>(text: &str, reason: &'static str) -> Result<N, Error> {
    text.parse().map_err(|_| Error::Content { reason })
}

impl From<Content> for String {
    fn from(content: Content) -> Self {
        content.to_text()
    }
}

impl TryFrom<String> for Content {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::from_text(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(packets: usize, seed: u8) -> (Content, Vec<RunningHash>) {
        let (mut content, mut check, mut all) =
            (Content::default(), RunningHash::default(), Vec::new());
        for packet in 0..packets {
            check.add(&[seed, packet as u8, (packet >> 8) as u8]);
            content.push(1_700_000_000_000, check, 20_000_000);
            all.push(check);
        }
        (content, all)
    }

    #[test]
    fn text_is_short_and_detects_the_same_packets() {
        for packets in [1, 2, 3, 4, 100, 1000] {
            let (content, checks) = content(packets, 1);
            let text = content.to_text();
            assert!(text.len() <= 60 + packets / 3, "{text}");
            let read = Content::from_text(&text).unwrap();
            assert_eq!(read.to_text(), text);
            assert_eq!((read.packets(), read.duration_ms()), (packets, 20 * packets as u64));
            for (index, check) in checks.iter().enumerate().skip(1) {
                assert!(content.agrees(index, *check) && read.agrees(index, *check), "{index}");
            }
            assert!(!read.agrees(packets, checks[0]));
        }
    }

    #[test]
    fn a_different_byte_is_detected_from_there_on() {
        let (known, _) = content(100, 1);
        let (_, other) = content(100, 2);
        let agreeing = (1..100).filter(|index| known.agrees(*index, other[*index])).count();
        assert!(agreeing < 3, "{agreeing}");
        let coarse = Content::from_text(&known.to_text()).unwrap();
        let agreeing = (1..100).filter(|index| coarse.agrees(*index, other[*index])).count();
        assert!(agreeing < 50, "{agreeing}");
    }

    #[test]
    fn malformed_text_is_rejected() {
        let text = content(4, 1).0.to_text();
        for bad in [
            "",
            "1",
            "2:0:0:0:0:",
            "1:x:0:0:0:",
            "1:0:g:0:0:",
            "1:0:0:0:1:",
            "1:0:0:0:1:!",
            "1:0:0:0:-1:",
        ] {
            assert!(Content::from_text(bad).is_err(), "{bad}");
        }
        assert!(Content::from_text(&format!("{text}:")).is_err());
        assert!(Content::from_text("1:0:0:0:9000:A").is_err());
    }

    #[test]
    fn contents_older_than_the_limit_are_dropped() {
        let mut items: VecDeque<_> = (0..100).map(|_| content(100, 1).0).collect();
        Content::forget_old(&mut items, 60_000, 128);
        assert_eq!(items.len(), 30);
        Content::forget_old(&mut items, 60_000, 10);
        assert_eq!(items.len(), 10);
    }
}
