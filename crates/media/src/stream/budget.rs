//! The limit of audio in one fragment, derived from its own stamps.
//!
//! A KVS fragment lasts at most 20 s. A lace or a sequence of frames can claim hours of audio in a
//! few kilobytes, and a stamp any time; neither may advance the session by more than a fragment can
//! last.

use crate::timeline::MediaTime;

/// Longest time between the first and the last stamp of a fragment, ns: the 20 s of KVS plus a
/// quarter for clock errors and rounding.
const LONGEST: i64 = 25_000_000_000;

/// Audio that any fragment may contain, ns: that of the longest fragment of KVS. Stamps that are
/// all equal, or clustered after a stall, must not cause the loss of real audio.
const ALWAYS_ALLOWED: i64 = 20_000_000_000;

/// Audio per time between stamps. The sample source of AWS's C producer writes steps of 20 ms for
/// frames of 64 ms: 3.2.
const RATIO: i64 = 4;

/// Additional audio, ns: 3 s, for the last block and for rounding.
const SLACK: i64 = 3_000_000_000;

/// Stamps and audio of one fragment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Budget {
    first: Option<MediaTime>,
    /// From the first stamp to the latest, ns.
    span: i64,
    taken: i64,
    exceeded: bool,
}

/// Decision about a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowance {
    /// It is within the budget.
    Within,
    /// It is within the budget, but its stamp is further ahead than a fragment can last.
    WrongStamp,
    /// It exceeds the budget; `true` for the first such packet.
    Exceeded(bool),
}

impl Budget {
    /// Adds a packet of `nanos` at `time`.
    pub(super) fn take(&mut self, time: MediaTime, nanos: i64) -> Allowance {
        let first = *self.first.get_or_insert(time);
        let since = time.nanos_since(first);
        let is_plausible = since <= LONGEST;
        if is_plausible {
            self.span = self.span.max(since);
        }
        if self.taken + nanos > ALWAYS_ALLOWED.max(self.span * RATIO + SLACK) {
            return Allowance::Exceeded(!std::mem::replace(&mut self.exceeded, true));
        }
        self.taken += nanos;
        if is_plausible { Allowance::Within } else { Allowance::WrongStamp }
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
    fn blocks_of_one_stamp_may_last_as_long_as_the_longest_fragment() {
        let mut budget = Budget::default();
        let taken: Vec<_> = (0..1100).map(|_| budget.take(at(0), 20_000_000)).collect();
        assert!(taken[..1000].iter().all(|allowed| *allowed == Allowance::Within));
        assert_eq!(taken[1000], Allowance::Exceeded(true));
        assert!(taken[1001..].iter().all(|allowed| *allowed == Allowance::Exceeded(false)));
    }

    #[test]
    fn a_stamp_beyond_the_longest_fragment_does_not_extend_the_budget() {
        let mut budget = Budget::default();
        budget.take(at(0), 20_000_000);
        assert_eq!(budget.take(at(24_000), 20_000_000), Allowance::Within);
        assert_eq!(budget.take(at(3_600_000), 20_000_000), Allowance::WrongStamp);
        let taken =
            (0..).take_while(|_| budget.take(at(3_600_000), 20_000_000) == Allowance::WrongStamp);
        assert!(taken.count() < 5000);
    }
}
