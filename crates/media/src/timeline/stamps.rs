//! Statistics of recent time stamps relative to the sample count.
//!
//! A block's *lateness* is its stamped position minus its expected position, in samples. [`Stamps`]
//! keeps the range of the lateness of the last 64 to 128 blocks, or of the last 1.3 to 2.6 s if
//! those are more blocks, the moving average, and the current run of blocks outside of the range.
//! These are the input of [`super::evidence`], which decides.

use super::evidence::{SHORTEST, SNAP, STEADY};
use super::{Length, MAX_GAP};

/// Shortest block that counts as one: 20 ms. Shorter ones count by their time, because the delay of
/// a network hardly changes between them.
const UNIT: i64 = 320;

/// Blocks in one range; the current range and the one before are used together.
const RANGE: i64 = 64;

/// Blocks of a run that establish a new level: half a second of 20 ms packets. Independent jitter
/// stays on one side for so long by chance once in 10⁷ positions or less.
const RUN: i64 = 24;

/// Consecutive early blocks after which the average follows them: steps that are too short are
/// permanent.
const EARLY: i64 = 4;

/// Value for no peak: earlier than any stamp.
const NO_PEAK: i64 = -(1 << 60);

/// Weight of the moving average: the last 16 blocks.
const AVERAGE: i64 = 16;

/// Lowest and highest lateness, in samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) low: i64,
    pub(super) high: i64,
}

impl Range {
    fn of(value: i64) -> Self {
        Self { low: value, high: value }
    }

    fn add(&mut self, value: i64) {
        self.low = self.low.min(value);
        self.high = self.high.max(value);
    }

    pub(super) fn width(self) -> i64 {
        self.high - self.low
    }
}

/// The lateness of a stream's recent blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamps {
    current: Option<Range>,
    /// Blocks in `current`.
    count: Count,
    before: Option<Range>,
    /// Highest lateness during `current` and `before` of blocks whose successors were on time
    /// again: a stamp may be this late without lost time.
    peaks: [i64; 2],
    /// Moving average, in 1/16 of a sample.
    average: i64,
    run: OutlierRun,
}

impl Default for Stamps {
    fn default() -> Self {
        Self {
            current: None,
            count: Count::default(),
            before: None,
            peaks: [NO_PEAK; 2],
            average: 0,
            run: OutlierRun::default(),
        }
    }
}

/// A number of blocks, and their time in samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Count {
    blocks: i64,
    samples: i64,
}

impl Count {
    fn add(&mut self, length: Length) {
        self.blocks += 1;
        self.samples += length.in_samples();
    }

    /// Returns the number of blocks; those shorter than 20 ms count by their time.
    fn units(self) -> i64 {
        self.blocks.min(self.samples / UNIT)
    }
}

/// Consecutive blocks that are all later than the range, or all earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct OutlierRun {
    /// 1 for later ones, -1 for earlier ones, 0 for none.
    side: i64,
    count: Count,
    low: i64,
    high: i64,
    /// Number of blocks and sum of their lateness, for both halves of a run.
    halves: [(i64, i64); 2],
}

impl OutlierRun {
    fn add(&mut self, lateness: i64, length: Length) {
        let half = usize::from(self.count.units() >= RUN / 2);
        self.count.add(length);
        self.low = self.low.min(lateness);
        self.high = self.high.max(lateness);
        let (blocks, sum) = self.halves[half];
        self.halves[half] = (blocks + 1, sum.saturating_add(lateness));
    }

    /// Returns the mean lateness of both halves.
    fn means(&self) -> [i64; 2] {
        self.halves.map(|(blocks, sum)| sum / blocks.max(1))
    }

    /// Whether the run is a level, and neither a slope nor jitter.
    fn is_level(&self) -> bool {
        let (width, [first, second]) = (self.high - self.low, self.means());
        width <= STEADY && (second - first).abs() <= width / 3 + SNAP
    }
}

/// The result of adding a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// The level has not changed.
    Same,
    /// Stamps are permanently later, by so many samples.
    Later(i64),
}

impl Stamps {
    /// Returns the range of recent lateness; 0 before the first block.
    pub(super) fn range(&self) -> Range {
        let current = self.current.or(self.before).unwrap_or(Range::of(0));
        let before = self.before.unwrap_or(current);
        Range { low: current.low.min(before.low), high: current.high.max(before.high) }
    }

    /// Returns the number of blocks in [`Stamps::range`]; those shorter than 20 ms count by their
    /// time.
    pub(super) fn count(&self) -> i64 {
        self.count.units() + if self.before.is_some() { RANGE } else { 0 }
    }

    /// Returns the highest recent lateness of a block whose successors were on time again.
    pub(super) fn peak(&self) -> i64 {
        self.peaks[0].max(self.peaks[1])
    }

    /// Returns the moving average of lateness, in samples.
    pub(super) fn average(&self) -> i64 {
        self.average.div_euclid(AVERAGE)
    }

    /// Adds a contiguous block. Lateness outside of the range by more than `tolerance` is an
    /// outlier and does not extend it, unless [`RUN`] blocks in a row are.
    pub(super) fn add(&mut self, lateness: i64, length: Length, tolerance: i64) -> Level {
        if self.current.or(self.before).is_none() {
            self.average = lateness.saturating_mul(AVERAGE);
            self.take(lateness, length);
            return Level::Same;
        }
        let range = self.range();
        let missing = least_missing(length, tolerance).max(SHORTEST);
        // A wider range contains levels to which stamps may return.
        let narrow = range.width() <= missing + STEADY + 2 * SNAP;
        let later = narrow && lateness >= range.low + missing;
        let side = i64::from(later) - i64::from(lateness < range.low - tolerance);
        let level = self.follow_run(lateness, length, side, tolerance);
        let usual = range.low - tolerance..=range.high + tolerance;
        if level == Level::Same && usual.contains(&lateness) {
            self.take(lateness, length);
        }
        let early = self.run.side < 0 && self.run.count.blocks >= EARLY;
        if level == Level::Same && (usual.contains(&lateness) || early) {
            self.average += lateness - self.average();
        }
        level
    }

    fn take(&mut self, lateness: i64, length: Length) {
        match &mut self.current {
            Some(current) => current.add(lateness),
            None => self.current = Some(Range::of(lateness)),
        }
        self.count.add(length);
        if self.count.units() >= RANGE {
            self.before = self.current.take();
            self.peaks = [NO_PEAK, self.peaks[0]];
            self.count = Count::default();
        }
    }

    /// Adds a block to the current run, also if its lateness is within the range.
    fn follow_run(&mut self, lateness: i64, length: Length, side: i64, tolerance: i64) -> Level {
        if side == 0 {
            let run = std::mem::take(&mut self.run);
            // Lateness in the range, or right above it, is covered by the range.
            if run.side > 0 && run.high > self.range().high + tolerance {
                self.peaks[0] = self.peaks[0].max(run.high);
            }
            return Level::Same;
        }
        if self.run.side != side {
            self.run = OutlierRun { side, low: lateness, high: lateness, ..OutlierRun::default() };
        }
        self.run.add(lateness, length);
        if self.run.count.units() < RUN {
            return Level::Same;
        }
        let run = std::mem::take(&mut self.run);
        let level = Range { low: run.low, high: run.high };
        match () {
            () if !run.is_level() => Level::Same,
            () if side > 0 => self.rise(run),
            () => {
                // The previous range is kept: stamps that return to it are not late.
                let before = self.range();
                (self.before, self.current, self.count) = (Some(before), Some(level), run.count);
                Level::Same
            }
        }
    }

    /// Applies a permanent rise of lateness.
    fn rise(&mut self, run: OutlierRun) -> Level {
        let later = run.low - self.range().low;
        // A longer jump is a clock error, not lost time.
        let later = if later <= MAX_GAP { later } else { 0 };
        let [first, second] = run.means();
        *self = Self {
            before: Some(Range { low: run.low - later, high: run.high - later }),
            average: ((first + second) / 2 - later).saturating_mul(AVERAGE),
            ..Self::default()
        };
        if later > 0 { Level::Later(later) } else { Level::Same }
    }

    /// Returns the state as numbers, for an [`crate::ResumePoint`].
    pub(crate) fn numbers(&self) -> Vec<i64> {
        let Self { count, average, peaks, run, .. } = *self;
        let current = self.current.unwrap_or(Range::of(0));
        let before = self.before.unwrap_or(Range::of(0));
        let mut numbers = Vec::with_capacity(19);
        numbers.extend([average, count.blocks, count.samples, current.low, current.high]);
        numbers.extend([self.before.is_some().into(), before.low, before.high]);
        numbers.extend(peaks.map(|peak| if peak == NO_PEAK { 0 } else { peak }));
        if run.side != 0 {
            let OutlierRun { side, count, low, high, halves: [first, second] } = run;
            numbers.extend([side, count.blocks, count.samples, low, high]);
            numbers.extend([first.0, first.1, second.0, second.1]);
        }
        numbers
    }

    /// Restores the state from [`Stamps::numbers`]; `None` if the numbers are invalid.
    pub(crate) fn from_numbers(numbers: &[i64]) -> Option<Self> {
        let (known, run) = numbers.split_first_chunk::<10>()?;
        let &[average, blocks, samples, low, high, has, low_before, high_before, now, then] = known;
        let count = |blocks: i64, samples: i64, most: i64| {
            let count = Count { blocks, samples };
            (blocks >= 0 && samples >= 0 && count.units() < most).then_some(count)
        };
        let run = match *run {
            [] => OutlierRun::default(),
            [side @ (1 | -1), blocks, samples, low, high, a, b, c, d] => {
                let count = count(blocks, samples, RUN)?;
                OutlierRun { side, count, low, high, halves: [(a, b), (c, d)] }
            }
            _ => return None,
        };
        let bounded = |number: &i64| number.unsigned_abs() < 1 << 61;
        numbers.iter().all(bounded).then_some(Self {
            current: (blocks > 0).then_some(Range { low, high }),
            count: count(blocks, samples, RANGE)?,
            before: (has == 1).then_some(Range { low: low_before, high: high_before }),
            peaks: [now, then].map(|peak| if peak == 0 { NO_PEAK } else { peak }),
            average,
            run,
        })
    }
}

/// Returns the shortest time that can be lost before a packet of `length`, in samples: one packet
/// of the same length, minus 2 ms for rounded stamps, but at least the tolerance.
pub(super) fn least_missing(length: Length, tolerance: i64) -> i64 {
    (length.at_output_rate(0).0 - SNAP).max(tolerance)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLERANCE: i64 = 160;

    fn packet() -> Length {
        Length::samples(320)
    }

    #[test]
    fn the_range_covers_the_last_two_ranges_only() {
        let mut stamps = Stamps::default();
        for block in 0..64 * 3 {
            stamps.add(if block < 64 { -100 } else { 0 }, packet(), TOLERANCE);
        }
        assert_eq!(stamps.range(), Range { low: 0, high: 0 });
        assert_eq!(stamps.count(), 64);
    }

    #[test]
    fn single_outliers_do_not_extend_the_range() {
        let mut stamps = Stamps::default();
        for block in 0..100 {
            let lateness = if block % 10 == 9 { 5000 - 10_000 * (block % 20 / 10) } else { 0 };
            assert_eq!(stamps.add(lateness, packet(), TOLERANCE), Level::Same);
        }
        assert_eq!(stamps.range(), Range { low: 0, high: 0 });
    }

    #[test]
    fn a_lasting_level_moves_the_range() {
        let mut stamps = Stamps::default();
        stamps.add(0, packet(), TOLERANCE);
        let levels: Vec<_> = (0..24).map(|_| stamps.add(640, packet(), TOLERANCE)).collect();
        assert!(levels[..23].iter().all(|level| *level == Level::Same));
        assert_eq!(levels[23], Level::Later(640));
        assert_eq!(stamps.range(), Range { low: 0, high: 0 });
        // Earlier stamps only move the range; the previous range is kept.
        for (blocks, range) in
            [(24, Range { low: -1600, high: 0 }), (100, Range { low: -1600, high: -1600 })]
        {
            for _ in 0..blocks {
                assert_eq!(stamps.add(-1600, packet(), TOLERANCE), Level::Same);
            }
            assert_eq!(stamps.range(), range);
        }
    }

    #[test]
    fn stamps_that_alternate_between_two_levels_report_no_change() {
        for level in [-7200, -1600, -960] {
            let mut stamps = Stamps::default();
            for block in 0..2000 {
                let lateness = if block / 50 % 2 == 0 { 0 } else { level };
                assert_eq!(stamps.add(lateness, packet(), TOLERANCE), Level::Same, "{block}");
            }
        }
    }

    #[test]
    fn stamps_with_wrong_steps_report_no_change() {
        let mut stamps = Stamps::default();
        for block in 0..10_000 {
            assert_eq!(stamps.add(21 * block, packet(), TOLERANCE), Level::Same);
        }
        for block in 0..10_000 {
            assert_eq!(stamps.add(210_000 - 700 * block, packet(), TOLERANCE), Level::Same);
        }
    }

    #[test]
    fn numbers_restore_the_state() {
        let mut stamps = Stamps::default();
        for block in 0..200 {
            let lateness = (block * 37) % 100 - if block > 190 { 5000 } else { 0 };
            stamps.add(lateness, packet(), TOLERANCE);
            assert_eq!(Stamps::from_numbers(&stamps.numbers()), Some(stamps));
        }
        assert_eq!(Stamps::from_numbers(&[0; 6]), None);
        assert_eq!(Stamps::from_numbers(&[0, 64, 64 * 320, 0, 0]), None);
        assert_eq!(Stamps::from_numbers(&[i64::MAX, 0, 0, 0, 0]), None);
        assert_eq!(
            Stamps::from_numbers(&[0, 0, 0, 0, 0, 1, 0, 0, 2, 1, 1, 0, 0, 0, 0, 0, 0]),
            None
        );
    }
}
