//! Media time, and the length of a packet.

use crate::{SAMPLE_RATE, SAMPLES_PER_MS};

/// Duration of one sample, ns.
pub(crate) const SAMPLE_NANOS: i64 = 1_000_000 / SAMPLES_PER_MS as i64;

/// A point in media time, in nanoseconds; saturates at about ±146 years around the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct MediaTime(i64);

impl MediaTime {
    const LIMIT: i128 = 1 << 62;

    fn saturating(nanos: i128) -> Self {
        // The clamp keeps the value inside i64.
        Self(nanos.clamp(-Self::LIMIT, Self::LIMIT) as i64)
    }

    /// Converts milliseconds.
    pub fn from_ms(ms: i64) -> Self {
        Self::saturating(i128::from(ms) * 1_000_000)
    }

    /// Converts Matroska ticks of `scale` nanoseconds (TimestampScale).
    pub fn from_ticks(ticks: i64, scale: u64) -> Self {
        Self::saturating(i128::from(ticks) * i128::from(scale))
    }

    /// Adds nanoseconds, which may be negative.
    pub fn plus_nanos(self, nanos: i64) -> Self {
        Self::saturating(i128::from(self.0) + i128::from(nanos))
    }

    /// Adds samples at 16 kHz, which may be negative.
    pub fn plus_samples(self, samples: i64) -> Self {
        Self::saturating(i128::from(self.0) + i128::from(samples) * i128::from(SAMPLE_NANOS))
    }

    /// Adds two spans.
    pub fn plus(self, other: Self) -> Self {
        self.plus_nanos(other.0)
    }

    /// Returns the time since `earlier`, ns.
    pub(crate) fn nanos_since(self, earlier: Self) -> i64 {
        // Both are within ±2^62.
        self.0.saturating_sub(earlier.0)
    }

    /// Returns the nearest millisecond.
    pub fn to_ms(self) -> i64 {
        (self.0 + 500_000).div_euclid(1_000_000)
    }

    /// Returns the nearest sample since `origin_ms`.
    pub(super) fn samples_since(self, origin_ms: i64) -> i64 {
        let nanos = self.nanos_since(Self::from_ms(origin_ms));
        nanos.saturating_add(SAMPLE_NANOS / 2).div_euclid(SAMPLE_NANOS)
    }
}

/// The time that a packet covers, at its codec's rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// Samples per channel.
    pub frames: u32,
    /// Samples per second; not 0.
    pub rate: u32,
}

impl Length {
    /// Creates a length at 16 kHz.
    pub fn samples(samples: u32) -> Self {
        Self { frames: samples, rate: SAMPLE_RATE }
    }

    /// Returns the whole samples at 16 kHz.
    pub(crate) fn in_samples(self) -> i64 {
        self.at_output_rate(0).0
    }

    /// Returns the duration, ns.
    pub(crate) fn nanos(self) -> i64 {
        // frames × 10⁹ is below 2^62.
        (u64::from(self.frames) * 1_000_000_000 / u64::from(self.rate.max(1))) as i64
    }

    /// Returns the number of samples at 16 kHz that begin in a block that starts `fraction`/rate of
    /// a sample after the first of them, and the same offset for the next block.
    pub(super) fn at_output_rate(self, fraction: u32) -> (i64, u32) {
        let rate = u64::from(self.rate.max(1));
        // An offset at another rate is ignored.
        let fraction = if u64::from(fraction) < rate { u64::from(fraction) } else { 0 };
        let ahead = fraction + u64::from(self.frames) * u64::from(SAMPLE_RATE);
        // frames × 16 000 is below 2^46, and the remainder below the rate.
        ((ahead / rate) as i64, (ahead % rate) as u32)
    }

    /// Returns [`Length::at_output_rate`] of `times` lengths in a row.
    pub(super) fn times_at_output_rate(self, times: u32, fraction: u32) -> (i64, u32) {
        let rate = u64::from(self.rate.max(1));
        let fraction = if u64::from(fraction) < rate { u64::from(fraction) } else { 0 };
        let frames = u128::from(self.frames) * u128::from(times);
        let ahead = u128::from(fraction) + frames * u128::from(SAMPLE_RATE);
        let (samples, rest) = (ahead / u128::from(rate), ahead % u128::from(rate));
        // The remainder is below the rate.
        (i64::try_from(samples).unwrap_or(i64::MAX), rest as u32)
    }
}
