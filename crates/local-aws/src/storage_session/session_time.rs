//! The time of media in a storage session.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Units of a second: the least common multiple of the RTP clocks of Opus (48 kHz) and H.264
/// (90 kHz), so that both are converted without rounding.
const UNITS: i64 = 720_000;

/// Time since the start of a storage session, or a difference of two such times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SessionTime(i64);

impl SessionTime {
    /// Later than every time of a session, by so much that differences do not overflow.
    pub(super) const MAX: Self = Self(i64::MAX / 2);

    /// Returns the time of `samples` at 48 kHz.
    pub(super) const fn samples(samples: i64) -> Self {
        Self(samples * (UNITS / 48_000))
    }

    /// Returns `ms` milliseconds.
    pub(super) const fn ms(ms: i64) -> Self {
        Self(ms * (UNITS / 1000))
    }

    /// Returns the time of `ticks` of a clock of `rate` Hz.
    pub(super) const fn ticks(ticks: i64, rate: i64) -> Self {
        Self(ticks * (UNITS / rate))
    }

    /// Returns `us` microseconds, rounded down to a unit.
    pub(super) fn us(us: i64) -> Self {
        let units = i128::from(us) * i128::from(UNITS) / 1_000_000;
        Self(i64::try_from(units).unwrap_or(i64::MAX))
    }

    /// Returns whole samples at 48 kHz, rounded down.
    pub(super) const fn as_samples(self) -> i64 {
        self.0.div_euclid(UNITS / 48_000)
    }

    /// Returns whole milliseconds, rounded down.
    pub(super) const fn as_ms(self) -> i64 {
        self.0.div_euclid(UNITS / 1000)
    }

    /// Returns the absolute value.
    pub(super) const fn abs(self) -> Self {
        Self(self.0.abs())
    }
}

impl From<Duration> for SessionTime {
    fn from(duration: Duration) -> Self {
        Self::us(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
    }
}

impl Add for SessionTime {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for SessionTime {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}
