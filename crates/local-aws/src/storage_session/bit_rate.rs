//! The bit rate of a session, against AWS's quota. What AWS does with a session that exceeds it is
//! not documented, and the quota can be raised; here a log line names it.

use std::time::{Duration, Instant};

/// Bits a second of a session (WebRTC developer guide, service quotas).
const QUOTA: u64 = 1_000_000;
/// The time of a measurement.
const WINDOW: Duration = Duration::from_secs(10);

/// The media of the current measurement.
#[derive(Debug)]
pub(super) struct BitRate {
    since: Instant,
    bytes: u64,
}

impl BitRate {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, bytes: 0 }
    }

    /// Counts media. Returns its bits a second if a measurement has ended and they exceed the quota.
    pub(super) fn excess(&mut self, bytes: usize, now: Instant) -> Option<u64> {
        self.bytes += bytes as u64;
        let elapsed = now.saturating_duration_since(self.since);
        if elapsed < WINDOW {
            return None;
        }
        let rate = (self.bytes * 8 * 1000).checked_div(elapsed.as_millis() as u64)?;
        *self = Self::new(now);
        Some(rate).filter(|rate| *rate > QUOTA)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excess_is_returned_once_in_ten_seconds() {
        let start = Instant::now();
        let excesses = |bytes_a_second: usize| -> Vec<(u64, u64)> {
            let mut rate = BitRate::new(start);
            let second = |second| rate.excess(bytes_a_second, start + Duration::from_secs(second));
            (1..=25).map(second).zip(1..).filter_map(|(rate, at)| Some((rate?, at))).collect()
        };
        assert_eq!(excesses(125_000), []);
        assert_eq!(excesses(150_000), [(1_200_000, 10), (1_200_000, 20)]);
    }
}
