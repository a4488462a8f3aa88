//! How a producer's time stamps have stood to the sample count lately.
//!
//! A block's *lateness* is its stamp less the position at which the block before it ends, in samples.
//! [`Stamps`] keeps the range of the last 64 to 128 lateness values, their moving average, and the run
//! of blocks that stand apart from that range. Nothing here moves a sample; [`super::evidence`] decides.

use super::evidence::{SNAP, STEADY};
use super::{Length, MAX_GAP};

/// Lateness values in one range; two ranges, the current and the one before, are looked at together.
const RANGE: u32 = 64;

/// Blocks of a run that make a new level believed: half a second of 20 ms packets. By chance
/// independent jitter stays on one side for so long once in 10⁷ positions or less.
const RUN: u32 = 24;

/// Blocks in a row that stand earlier than the range before the average follows them: stamps that step
/// too short do so for good.
const EARLY: i32 = 4;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stamps {
    current: Option<Range>,
    /// Values in `current`.
    count: u32,
    before: Option<Range>,
    /// Moving average, in 1/16 of a sample.
    average: i64,
    run: Run,
}

/// Consecutive blocks that all stand later than the range, or all earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Run {
    /// Blocks so far: positive for later ones, negative for earlier ones.
    blocks: i32,
    low: i64,
    high: i64,
    /// Sums of lateness over the first half of a run and over the second.
    halves: [i64; 2],
}

/// What a run of blocks showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Nothing yet.
    Same,
    /// Stamps stand later by so many samples, for good.
    Later(i64),
}

impl Stamps {
    /// The range of recent lateness; 0 before the first block.
    pub(super) fn range(&self) -> Range {
        let current = self.current.or(self.before).unwrap_or(Range::of(0));
        let before = self.before.unwrap_or(current);
        Range { low: current.low.min(before.low), high: current.high.max(before.high) }
    }

    /// Values that [`Stamps::range`] covers.
    pub(super) fn count(&self) -> u32 {
        self.count + if self.before.is_some() { RANGE } else { 0 }
    }

    /// Moving average of lateness, in samples.
    pub(super) fn average(&self) -> i64 {
        self.average.div_euclid(AVERAGE)
    }

    /// A block of `length` went in line with this lateness. What stands apart from the range by more
    /// than `tolerance` is not taken into it, unless [`RUN`] blocks in a row do.
    pub(super) fn add(&mut self, lateness: i64, length: Length, tolerance: i64) -> Level {
        if self.count() == 0 {
            self.average = lateness.saturating_mul(AVERAGE);
            self.take(lateness);
            return Level::Same;
        }
        let range = self.range();
        let missing = range.low + least_missing(length, tolerance);
        let level = self.follow_run(lateness, range, missing, tolerance);
        let usual = range.low - tolerance..=range.high + tolerance;
        if level == Level::Same && usual.contains(&lateness) {
            self.take(lateness);
        }
        if level == Level::Same && (usual.contains(&lateness) || self.run.blocks <= -EARLY) {
            self.average += lateness - self.average();
        }
        level
    }

    fn take(&mut self, lateness: i64) {
        match &mut self.current {
            Some(current) => current.add(lateness),
            None => self.current = Some(Range::of(lateness)),
        }
        self.count += 1;
        if self.count == RANGE {
            self.before = self.current.take();
            self.count = 0;
        }
    }

    /// Blocks of a run count whether their lateness is in the range or not.
    fn follow_run(&mut self, lateness: i64, range: Range, missing: i64, tolerance: i64) -> Level {
        let side = i32::from(lateness >= missing) - i32::from(lateness < range.low - tolerance);
        if side == 0 {
            self.run = Run::default();
            return Level::Same;
        }
        if self.run.blocks.signum() != side {
            self.run = Run { low: lateness, high: lateness, ..Run::default() };
        }
        let run = &mut self.run;
        let half = usize::from(run.blocks.unsigned_abs() >= RUN / 2);
        run.blocks += side;
        run.low = run.low.min(lateness);
        run.high = run.high.max(lateness);
        run.halves[half] = run.halves[half].saturating_add(lateness);
        if run.blocks.unsigned_abs() < RUN {
            return Level::Same;
        }
        let run = std::mem::take(&mut self.run);
        let width = run.high - run.low;
        let trend = (run.halves[1] - run.halves[0]) / i64::from(RUN / 2);
        if width > STEADY || trend.abs() > width / 3 + SNAP {
            return Level::Same;
        }
        let later = if side > 0 { run.low - range.low } else { 0 };
        // A longer jump is a broken clock: its level is taken as it is.
        let later = if later <= MAX_GAP { later } else { 0 };
        *self = Self {
            before: Some(Range { low: run.low - later, high: run.high - later }),
            average: ((run.halves[0] + run.halves[1]) / i64::from(RUN) - later) * AVERAGE,
            ..Self::default()
        };
        if later > 0 { Level::Later(later) } else { Level::Same }
    }

    /// The numbers that [`Stamps::from_numbers`] takes, for an [`crate::Anchor`].
    pub(crate) fn numbers(&self) -> Vec<i64> {
        let range = |range: Option<Range>| range.map_or([0, 0], |range| [range.low, range.high]);
        let [low, high] = range(self.current);
        let [low_before, high_before] = range(self.before);
        let Run { blocks, low: run_low, high: run_high, halves: [first, second] } = self.run;
        let has_before = i64::from(self.before.is_some());
        let mut numbers =
            vec![self.average, self.count.into(), low, high, has_before, low_before, high_before];
        if blocks != 0 {
            numbers.extend([blocks.into(), run_low, run_high, first, second]);
        }
        numbers
    }

    /// Reads [`Stamps::numbers`]; `None` for anything else.
    pub(crate) fn from_numbers(numbers: &[i64]) -> Option<Self> {
        let bounded = |number: &i64| number.unsigned_abs() < 1 << 61;
        let (numbers_of_ranges, run) = numbers.split_first_chunk::<7>()?;
        let &[average, count, low, high, has_before, low_before, high_before] = numbers_of_ranges;
        let run = match *run {
            [] => Run::default(),
            [blocks, low, high, first, second] => {
                let blocks = i32::try_from(blocks).ok().filter(|b| b.unsigned_abs() < RUN)?;
                Run { blocks, low, high, halves: [first, second] }
            }
            _ => return None,
        };
        let count = u32::try_from(count).ok().filter(|count| *count < RANGE)?;
        numbers.iter().all(bounded).then_some(Self {
            current: (count > 0).then_some(Range { low, high }),
            count,
            before: (has_before == 1).then_some(Range { low: low_before, high: high_before }),
            average,
            run,
        })
    }
}

/// The least time that can be missing before a packet of `length`, in samples: a packet like it, as
/// packets are lost whole, less 2 ms for stamps that are rounded; and more than the tolerance.
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
    fn the_range_forgets_what_is_older_than_two_ranges() {
        let mut stamps = Stamps::default();
        for block in 0..64 * 3 {
            stamps.add(if block < 64 { -100 } else { 0 }, packet(), TOLERANCE);
        }
        assert_eq!(stamps.range(), Range { low: 0, high: 0 });
        assert_eq!(stamps.count(), 64);
    }

    #[test]
    fn single_outliers_are_not_taken_into_the_range() {
        let mut stamps = Stamps::default();
        for block in 0..100 {
            let lateness = if block % 10 == 9 { 5000 - 10_000 * (block % 20 / 10) } else { 0 };
            assert_eq!(stamps.add(lateness, packet(), TOLERANCE), Level::Same);
        }
        assert_eq!(stamps.range(), Range { low: 0, high: 0 });
    }

    #[test]
    fn a_level_that_lasts_is_believed_and_the_range_follows() {
        let mut stamps = Stamps::default();
        stamps.add(0, packet(), TOLERANCE);
        let levels: Vec<_> = (0..24).map(|_| stamps.add(640, packet(), TOLERANCE)).collect();
        assert!(levels[..23].iter().all(|level| *level == Level::Same));
        assert_eq!(levels[23], Level::Later(640));
        assert_eq!(stamps.range(), Range { low: 0, high: 0 });
        // Earlier stamps move the range and nothing else.
        for _ in 0..24 {
            assert_eq!(stamps.add(-1600, packet(), TOLERANCE), Level::Same);
        }
        assert_eq!(stamps.range(), Range { low: -1600, high: -1600 });
    }

    #[test]
    fn stamps_that_step_wrong_are_no_level() {
        let mut stamps = Stamps::default();
        for block in 0..10_000 {
            assert_eq!(stamps.add(21 * block, packet(), TOLERANCE), Level::Same);
        }
        for block in 0..10_000 {
            assert_eq!(stamps.add(210_000 - 700 * block, packet(), TOLERANCE), Level::Same);
        }
    }

    #[test]
    fn numbers_are_read_back() {
        let mut stamps = Stamps::default();
        for block in 0..200 {
            let lateness = (block * 37) % 100 - if block > 190 { 5000 } else { 0 };
            stamps.add(lateness, packet(), TOLERANCE);
            assert_eq!(Stamps::from_numbers(&stamps.numbers()), Some(stamps));
        }
        assert_eq!(Stamps::from_numbers(&[0; 6]), None);
        assert_eq!(Stamps::from_numbers(&[0, 64, 0, 0, 0, 0, 0]), None);
        assert_eq!(Stamps::from_numbers(&[i64::MAX, 0, 0, 0, 0, 0, 0]), None);
    }
}
