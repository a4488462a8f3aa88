//! The rate of JoinStorageSession for one channel.

use std::collections::VecDeque;

/// Calls in a second for a channel (WebRTC developer guide, service quotas: a hard limit).
pub(super) const PER_SECOND: usize = 2;

/// The admitted calls of the last second.
#[derive(Debug, Default)]
pub(super) struct Calls(VecDeque<i64>);

impl Calls {
    /// Returns whether a call is admitted at `now_ms`, and counts it if it is.
    pub(super) fn admit(&mut self, now_ms: i64) -> bool {
        while self.0.front().is_some_and(|call| now_ms - call >= 1000) {
            self.0.pop_front();
        }
        let admitted = self.0.len() < PER_SECOND;
        if admitted {
            self.0.push_back(now_ms);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_calls_are_admitted_in_a_second() {
        let mut calls = Calls::default();
        let admitted: Vec<bool> =
            [0, 500, 600, 999, 1000, 1499, 1500].map(|now_ms| calls.admit(now_ms)).into();
        assert_eq!(admitted, [true, true, false, false, true, false, true]);
    }
}
