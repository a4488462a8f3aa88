//! Drawing session ids: words that are easy to read out, and a number.

use crate::{SessionId, ports::Random};

#[rustfmt::skip]
const ADJECTIVES: [&str; 64] = [
    "able", "amber", "ancient", "autumn", "blessed", "blue", "bold", "brave",
    "bright", "broad", "calm", "careful", "cheerful", "clear", "clever", "cosmic",
    "crimson", "crisp", "daring", "eager", "early", "faithful", "fearless", "gentle",
    "gifted", "glad", "golden", "grand", "green", "happy", "honest", "humble",
    "jolly", "joyful", "keen", "kind", "lively", "loyal", "lucky", "mellow",
    "merry", "mighty", "misty", "noble", "patient", "peaceful", "polite", "proud",
    "quick", "quiet", "radiant", "rapid", "ready", "royal", "silent", "silver",
    "steady", "sunny", "swift", "tender", "vivid", "warm", "wise", "young",
];

#[rustfmt::skip]
const NOUNS: [&str; 64] = [
    "anchor", "arrow", "badger", "beacon", "bridge", "brook", "canyon", "cedar",
    "cliff", "cloud", "comet", "coral", "crane", "creek", "dawn", "delta",
    "dolphin", "eagle", "ember", "falcon", "field", "forest", "fountain", "garden",
    "glacier", "harbor", "heron", "hill", "island", "lantern", "lark", "maple",
    "meadow", "meteor", "moon", "mountain", "ocean", "orchard", "otter", "owl",
    "panda", "pebble", "pine", "planet", "prairie", "raven", "reef", "river",
    "robin", "sail", "shepherd", "shore", "sparrow", "spring", "star", "stone",
    "summit", "sunrise", "thunder", "tiger", "valley", "violet", "willow", "wolf",
];

/// Digits of the number at the first attempt: 64 · 64 · 900, or 3.7 million ids.
const DIGITS: u32 = 3;

impl SessionId {
    /// Draws an id for the given attempt (0 is the first). Every second attempt that found its id
    /// taken adds a digit, so that a crowded table never runs out of ids.
    #[must_use]
    pub fn draw(random: &impl Random, attempt: u32) -> Self {
        let digits = DIGITS.saturating_add(attempt / 2).min(12);
        let lowest = 10_u64.pow(digits - 1);
        let number = lowest + random.next_u64() % (9 * lowest);
        let word = |words: &[&'static str; 64]| words[(random.next_u64() % 64) as usize];
        Self::from_parts(word(&ADJECTIVES), word(&NOUNS), number)
    }
}

/// A random (version 4) UUID as text.
pub(crate) fn uuid(random: &impl Random) -> String {
    let (high, low) = (random.next_u64(), random.next_u64());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0x0fff,
        (low >> 48) & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Counts up by a large odd step: every draw differs.
    struct Walk(AtomicU64);

    impl Random for Walk {
        fn next_u64(&self) -> u64 {
            const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
            let x = self.0.fetch_add(STEP, Ordering::Relaxed);
            (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
        }
    }

    #[test]
    fn the_number_grows_with_the_attempts() {
        let digits = |attempt| {
            let id = SessionId::draw(&Walk(1.into()), attempt);
            id.as_str().rsplit('-').next().unwrap().len()
        };
        let grown: Vec<_> = [0, 1, 2, 3, 4, 100].map(digits).into();
        assert_eq!(grown, [3, 3, 4, 4, 5, 12]);
    }

    #[test]
    fn a_uuid_is_a_uuid() {
        let random = Walk(1.into());
        let ids: Vec<String> = (0..100).map(|_| uuid(&random)).collect();
        for id in &ids {
            let groups: Vec<_> = id.split('-').map(str::len).collect();
            assert_eq!(groups, [8, 4, 4, 4, 12], "{id}");
            assert_eq!(&id[14..15], "4");
            assert!("89ab".contains(&id[19..20]));
            assert_eq!(ids.iter().filter(|other| *other == id).count(), 1);
        }
    }

    proptest! {
        #[test]
        fn every_draw_is_a_session_id(seed in any::<u64>(), attempt in any::<u32>()) {
            let id = SessionId::draw(&Walk(seed.into()), attempt);
            prop_assert_eq!(id.as_str().parse::<SessionId>(), Ok(id));
        }
    }
}
