//! How much audio one fragment may hold: its own clock bounds it.
//!
//! A fragment of KVS lasts 20 s at most. A lace or a row of frames can claim hours of audio in a
//! few kilobytes, and a stamp any time; neither moves the session further than the fragment can
//! last.

use crate::timeline::MediaTime;

/// Longest time between a fragment's first stamp and its last, ns: KVS's 20 s, and a quarter more
/// for clocks and rounding.
const LONGEST: i64 = 25_000_000_000;

/// Audio that any fragment may hold, ns: what the longest fragment of KVS holds. Stamps that are
/// all the same, or of the time when a stall ended, are no reason to refuse real audio.
const WITHOUT_A_CLOCK: i64 = 20_000_000_000;

/// Audio per time of the fragment's clock. Steps of 20 ms for frames of 64 ms, as the sample source
/// of AWS's C producer makes them, are 3.2.
const RATIO: i64 = 4;

/// Audio beyond that, ns: 3 s, for the last block and for rounding.
const SLACK: i64 = 3_000_000_000;

/// The clock of one fragment, and the audio that was taken from it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Budget {
    first: Option<MediaTime>,
    /// From the first stamp to the latest, ns.
    span: i64,
    taken: i64,
    exceeded: bool,
}

/// What a packet is to its fragment's budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowance {
    /// Within it.
    Within,
    /// Within it, but its stamp lies further ahead than a fragment can last.
    WrongStamp,
    /// Too much; `true` for the first packet that is.
    Exceeded(bool),
}

impl Budget {
    /// A packet of `nanos` at `time`.
    pub(super) fn take(&mut self, time: MediaTime, nanos: i64) -> Allowance {
        let first = *self.first.get_or_insert(time);
        let since = time.nanos_since(first);
        let stands_right = since <= LONGEST;
        if stands_right {
            self.span = self.span.max(since);
        }
        if self.taken + nanos > WITHOUT_A_CLOCK.max(self.span * RATIO + SLACK) {
            return Allowance::Exceeded(!std::mem::replace(&mut self.exceeded, true));
        }
        self.taken += nanos;
        if stands_right { Allowance::Within } else { Allowance::WrongStamp }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> MediaTime {
        MediaTime::from_ms(1_700_000_000_000 + ms)
    }

    #[test]
    fn stamps_that_step_too_short_are_within() {
        let mut budget = Budget::default();
        for block in 0..1000 {
            assert_eq!(budget.take(at(20 * block), 64_000_000), Allowance::Within, "{block}");
        }
    }

    #[test]
    fn blocks_of_one_stamp_hold_what_the_longest_fragment_holds() {
        let mut budget = Budget::default();
        let taken: Vec<_> = (0..1100).map(|_| budget.take(at(0), 20_000_000)).collect();
        assert!(taken[..1000].iter().all(|allowed| *allowed == Allowance::Within));
        assert_eq!(taken[1000], Allowance::Exceeded(true));
        assert!(taken[1001..].iter().all(|allowed| *allowed == Allowance::Exceeded(false)));
    }

    #[test]
    fn a_stamp_beyond_the_longest_fragment_is_wrong_and_allows_nothing() {
        let mut budget = Budget::default();
        budget.take(at(0), 20_000_000);
        assert_eq!(budget.take(at(24_000), 20_000_000), Allowance::Within);
        assert_eq!(budget.take(at(3_600_000), 20_000_000), Allowance::WrongStamp);
        let taken =
            (0..).take_while(|_| budget.take(at(3_600_000), 20_000_000) == Allowance::WrongStamp);
        assert!(taken.count() < 5000);
    }
}
