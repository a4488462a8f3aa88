//! The protocol's durations, taken from the code and counted in ticks.
//!
//! Two durations decide which run may deliver: how long a holder delivers after it sent a renewal,
//! and how soon after that another run may take the lease. A tick is the greatest common divisor of
//! both, so that rounding to ticks changes none of the comparisons that matter. (Shorter ticks mean
//! more states: 24 s and 36 s keep the search small.) Both are closed bounds (a holder may still
//! deliver at the very end of its guard, and a taker may act at the very beginning), so that
//! discrete time represents dense time correctly.

use relay::Config;

/// The durations, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Durations {
    /// `Config::lease`.
    pub(crate) lease: u64,
    /// `Config::lease_guard`.
    pub(crate) guard: u64,
    /// `Config::take_margin`.
    pub(crate) margin: u64,
    /// Maximum difference between two wall clocks. This is an assumption about the machines, not a
    /// constant of the code; `take_margin` exists to cover it.
    pub(crate) skew: u64,
}

impl Durations {
    /// Returns the durations that the code uses in AWS.
    pub(crate) fn of_the_code() -> Self {
        let config = Config::scaled(1.0);
        let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap();
        Self {
            lease: millis(config.lease),
            guard: millis(config.lease_guard()),
            margin: millis(config.take_margin),
            skew: 5_000,
        }
    }

    /// Returns the shortest time from the renewal of a lease until another run may take it: the
    /// holder has the slowest wall clock and the taker the fastest.
    pub(crate) fn soonest_take(self) -> u64 {
        (self.lease + self.margin).saturating_sub(self.skew)
    }

    /// Converts the durations to ticks.
    pub(crate) fn timing(self) -> Timing {
        let tick = greatest_common_divisor(self.guard, self.soonest_take());
        let ticks = |millis: u64| i8::try_from(millis.div_ceil(tick)).unwrap();
        Timing {
            guard: ticks(self.guard),
            soonest_take: ticks(self.soonest_take()),
            doubt: ticks(2 * self.skew),
        }
    }
}

/// The durations, in ticks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// How long a holder delivers after it sent its last successful renewal.
    pub(crate) guard: i8,
    /// How long after that the first run may take the lease …
    pub(crate) soonest_take: i8,
    /// … and how much later any run may: the holder has the fastest clock and the taker the
    /// slowest.
    pub(crate) doubt: i8,
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a.max(1) } else { greatest_common_divisor(b, a % b) }
}
