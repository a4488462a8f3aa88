//! What a fragment's audio was, in a few bytes, so that it is recognised when it is sent again.

use std::collections::VecDeque;
use std::fmt::Write as _;

use crate::Error;

/// First word of [`Content::to_text`].
const VERSION: &str = "1";

/// Three packets of two bits each are one of these.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Most packets that are remembered of a fragment: 20 s of 10 ms.
const MAX_PACKETS: usize = 2000;

/// Most packets that are remembered together, 8 KB: a minute of 8 ms.
const MAX_REMEMBERED: usize = 8000;

/// The packets of one fragment's audio: the producer time of the first, its hash, and a check for
/// each packet behind it that depends on all packets before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content {
    time_ms: i64,
    first: u32,
    nanos: i64,
    /// One for each packet behind the first.
    checks: Vec<u8>,
    packets: usize,
    /// The checks have two bits only: they come from a text.
    is_coarse: bool,
}

/// A running hash over packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Check(u64);

impl Check {
    /// The next packet.
    pub(crate) fn add(&mut self, data: &[u8]) {
        // FNV-1a over words of eight bytes and the length: any build computes it alike.
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

    /// 32 bits of it.
    pub(crate) fn whole(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn short(self) -> u8 {
        (self.0 >> 56) as u8
    }
}

impl Content {
    /// Takes so many packets without an allocation, [`MAX_PACKETS`] at most.
    pub(crate) fn with_room_for(packets: usize) -> Self {
        let checks = Vec::with_capacity(packets.min(MAX_PACKETS));
        Self { checks, ..Self::default() }
    }

    /// Gives back the room that was not taken.
    pub(crate) fn shrink(&mut self) {
        self.checks.shrink_to_fit();
    }

    /// Producer clock at the first packet, ms since the epoch.
    pub fn time_ms(&self) -> i64 {
        self.time_ms
    }

    /// Time that the packets cover, ms.
    pub fn duration_ms(&self) -> u64 {
        self.nanos.unsigned_abs() / 1_000_000
    }

    pub(crate) fn packets(&self) -> usize {
        self.packets
    }

    pub(crate) fn first(&self) -> u32 {
        self.first
    }

    pub(crate) fn push(&mut self, time_ms: i64, check: Check, nanos: i64) {
        if self.packets == 0 {
            (self.time_ms, self.first) = (time_ms, check.whole());
        } else if self.packets < MAX_PACKETS {
            self.checks.push(check.short());
        }
        self.packets += 1;
        self.nanos = self.nanos.saturating_add(nanos);
    }

    /// Whether the packet at `index` (not the first) and all before it hash to `check`.
    pub(crate) fn agrees(&self, index: usize, check: Check) -> bool {
        let mask = if self.is_coarse { 0xC0 } else { 0xFF };
        let known = index.checked_sub(1).and_then(|index| self.checks.get(index));
        known.is_some_and(|known| (known ^ check.short()) & mask == 0)
    }

    /// Drops the oldest of `contents`: those before the last `remembered_ms` of audio, and all but
    /// `most`.
    pub fn forget_old(contents: &mut VecDeque<Self>, remembered_ms: u64, most: usize) {
        let (mut total_ms, mut packets) = (0, 0);
        let kept = contents.iter().rev().take(most).take_while(|content| {
            let wanted = total_ms < remembered_ms;
            total_ms += content.duration_ms();
            packets += content.checks.len() + 1;
            wanted && packets <= MAX_REMEMBERED
        });
        let kept = kept.count();
        contents.drain(..contents.len() - kept);
    }

    /// One word of ASCII that [`Content::from_text`] reads back, with two bits a packet: about 40
    /// bytes and 17 more for each second of 20 ms packets.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let Self { time_ms, first, nanos, .. } = self;
        // Writing to a String cannot fail.
        let _ = write!(text, "{VERSION}:{time_ms}:{first:08x}:{nanos}:{}:", self.checks.len());
        for three in self.checks.chunks(3) {
            let digit = three.iter().enumerate();
            let digit = digit.fold(0, |digit, (at, check)| digit | check >> 6 << (2 * at));
            text.push(char::from(DIGITS[usize::from(digit) % DIGITS.len()]));
        }
        text
    }

    /// Reads what [`Content::to_text`] wrote.
    ///
    /// # Errors
    /// [`Error::Content`] for anything else.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let mut words = text.split(':');
        let mut word = |reason| words.next().ok_or(Error::Content { reason });
        if word("version")? != VERSION {
            return Err(Error::Content { reason: "unknown version" });
        }
        let number = |text: &str, reason| text.parse().map_err(|_| Error::Content { reason });
        let time_ms = number(word("time")?, "time")?;
        let first = u32::from_str_radix(word("first packet")?, 16);
        let first = first.map_err(|_| Error::Content { reason: "first packet" })?;
        let nanos = number(word("duration")?, "duration")?;
        let count = usize::try_from(number(word("packets")?, "packets")?).unwrap_or(usize::MAX);
        let digits = word("checks")?;
        if count >= MAX_PACKETS || digits.len() != count.div_ceil(3) || words.next().is_some() {
            return Err(Error::Content { reason: "checks" });
        }
        let mut checks = Vec::with_capacity(count);
        for digit in digits.bytes() {
            let digit = DIGITS.iter().position(|known| *known == digit);
            // One of 64.
            let digit = digit.ok_or(Error::Content { reason: "checks" })? as u8;
            checks.extend([digit << 6, digit >> 2 << 6, digit >> 4 << 6]);
        }
        checks.truncate(count);
        Ok(Self { time_ms, first, nanos, packets: count + 1, checks, is_coarse: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(packets: usize, seed: u8) -> (Content, Vec<Check>) {
        let (mut content, mut check, mut all) = (Content::default(), Check::default(), Vec::new());
        for packet in 0..packets {
            check.add(&[seed, packet as u8, (packet >> 8) as u8]);
            content.push(1_700_000_000_000, check, 20_000_000);
            all.push(check);
        }
        (content, all)
    }

    #[test]
    fn text_is_short_and_recognises_what_the_content_did() {
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
    fn one_byte_that_differs_shows_from_there_on() {
        let (known, _) = content(100, 1);
        let (_, other) = content(100, 2);
        let agreeing = (1..100).filter(|index| known.agrees(*index, other[*index])).count();
        assert!(agreeing < 3, "{agreeing}");
        let coarse = Content::from_text(&known.to_text()).unwrap();
        let agreeing = (1..100).filter(|index| coarse.agrees(*index, other[*index])).count();
        assert!(agreeing < 50, "{agreeing}");
    }

    #[test]
    fn foreign_text_is_refused() {
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
    fn what_is_older_than_the_time_asked_for_goes() {
        let mut items: VecDeque<_> = (0..100).map(|_| content(100, 1).0).collect();
        Content::forget_old(&mut items, 60_000, 128);
        assert_eq!(items.len(), 30);
        Content::forget_old(&mut items, 60_000, 10);
        assert_eq!(items.len(), 10);
    }
}
