//! The protocol's durations, taken from the code and counted in ticks.
//!
//! Two durations decide who may deliver: how long a holder delivers after a renewal was sent, and how
//! soon after that somebody else may take over. A tick is the longest time that divides both, so
//! that rounding a behaviour of real clocks to ticks changes none of the comparisons that matter. (The
//! shorter it is, the more states there are: 8 s and 12 s are kind to the search.)
//! Both are taken as closed bounds (a holder may still deliver at the very end of its guard, a taker
//! may come at the very beginning), which is how digitised time stands for dense time.

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
    /// How far two wall clocks are apart: an assumption about machines, hence not a constant of the
    /// code, whose `take_margin` is there to cover it.
    pub(crate) skew: u64,
}

impl Durations {
    /// What the code runs by in AWS.
    pub(crate) fn of_the_code() -> Self {
        let config = Config::scaled(1.0);
        let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap();
        Self {
            lease: millis(config.lease),
            guard: millis(config.lease_guard),
            margin: millis(config.take_margin),
            skew: 5_000,
        }
    }

    /// From the moment a lease is renewed until somebody else may take it: the holder's wall clock is
    /// the slowest there is, the taker's the fastest.
    pub(crate) fn soonest_take(self) -> u64 {
        (self.lease + self.margin).saturating_sub(self.skew)
    }

    /// What the model counts with.
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
    /// How long a holder delivers after its last good renewal was sent.
    pub(crate) guard: i8,
    /// How long after that somebody may take the lease …
    pub(crate) soonest_take: i8,
    /// … and how much later everybody does: the holder's clock is the fastest, the taker's the slowest.
    pub(crate) doubt: i8,
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a.max(1) } else { greatest_common_divisor(b, a % b) }
}
