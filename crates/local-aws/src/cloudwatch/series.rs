//! The values of one metric, in minutes: the resolution of standard metrics.

use std::collections::VecDeque;

use super::statistic::Statistic;

/// Maximum number of different values that are kept of a metric; the oldest are dropped first.
const MAX_SAMPLES: usize = 20_000;
/// How long values are kept: as long as CloudWatch keeps one-minute values.
const KEPT_MS: i64 = 15 * 86_400_000;
/// How many values of a minute are searched for an equal one.
const SEARCHED: usize = 64;
/// One minute in ms.
pub(super) const MINUTE_MS: i64 = 60_000;

/// A value, and how often it occurred in a minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    /// The beginning of the minute, ms since the epoch.
    pub(super) minute: i64,
    pub(super) value: f64,
    pub(super) count: f64,
}

/// Equal windows of time, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Windows {
    /// The beginning of the first one, ms since the epoch.
    pub(super) start: i64,
    /// The length of each, ms.
    pub(super) length: i64,
    pub(super) count: usize,
}

impl Windows {
    /// Returns the beginning of each window.
    pub(super) fn starts(self) -> impl Iterator<Item = i64> {
        (self.start..).step_by(usize::try_from(self.length).unwrap_or(1)).take(self.count)
    }
}

/// The values of a metric, oldest first.
#[derive(Debug, Default)]
pub(super) struct Series {
    /// The unit of the latest value. Different units of one metric are not kept apart.
    pub(super) unit: Option<String>,
    samples: VecDeque<Sample>,
}

impl Series {
    /// Adds a value that occurred `count` times at `time`, ms since the epoch.
    pub(super) fn add(&mut self, time: i64, value: f64, count: f64) {
        let minute = time - time.rem_euclid(MINUTE_MS);
        let end = self.samples.partition_point(|it| it.minute <= minute);
        let same = self.samples.iter_mut().take(end).rev();
        let mut same = same.take(SEARCHED).take_while(|it| it.minute == minute);
        match same.find(|it| it.value == value) {
            Some(known) => known.count += count,
            None => self.samples.insert(end, Sample { minute, value, count }),
        }
        let oldest = self.newest().unwrap_or(minute) - KEPT_MS;
        let old = self.samples.partition_point(|it| it.minute < oldest);
        self.samples.drain(..old.max(self.samples.len().saturating_sub(MAX_SAMPLES)));
    }

    /// Returns the minute of the newest value.
    pub(super) fn newest(&self) -> Option<i64> {
        self.samples.back().map(|it| it.minute)
    }

    /// Returns a statistic of each window; `None` for one without values.
    pub(super) fn statistics(&self, statistic: Statistic, windows: Windows) -> Vec<Option<f64>> {
        let from = |time: i64| self.samples.partition_point(|it| it.minute < time);
        let of = |start: i64| {
            let (first, end) = (from(start), from(start + windows.length));
            statistic.of(self.samples.range(first..end))
        };
        windows.starts().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_in_their_minute_whatever_their_order() {
        let mut series = Series::default();
        for (time, value) in [(60_000, 1.0), (200_000, 7.0), (119_999, 2.0), (61_000, 1.0)] {
            series.add(time, value, 1.0);
        }
        let windows = Windows { start: 0, length: 60_000, count: 4 };
        let sums = series.statistics(Statistic::Sum, windows);
        assert_eq!(sums, [None, Some(4.0), None, Some(7.0)]);
        let windows = Windows { start: 0, length: 120_000, count: 2 };
        let counts = series.statistics(Statistic::SampleCount, windows);
        assert_eq!(counts, [Some(3.0), Some(1.0)]);
    }

    #[test]
    fn old_values_are_dropped() {
        let mut series = Series::default();
        (0..MAX_SAMPLES + 10).for_each(|value| series.add(0, value as f64, 1.0));
        assert_eq!(series.samples.len(), MAX_SAMPLES);
        series.add(KEPT_MS + MINUTE_MS, 1.0, 1.0);
        assert_eq!(series.samples.len(), 1);
    }
}
