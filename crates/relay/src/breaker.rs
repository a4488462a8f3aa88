//! The circuit breaker between one session and its processor.
//!
//! It opens after consecutive failures, then lets one chunk through (half-open), and closes or
//! opens again depending on the result. Its state is stored in the checkpoint, so the next
//! invocation of a session does not send full load to a processor that the previous one found down.
//! Only transitions change the stored state: a healthy session adds no writes. Content rejections
//! (validation) never open the breaker, because they do not indicate that the processor is
//! unhealthy.

use serde::{Deserialize, Serialize};

/// What the breaker allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// No restriction.
    Full,
    /// One chunk, as a probe.
    Probe,
    /// No delivery before this wall-clock time, ms.
    WaitUntil(u64),
}

/// Counts consecutive failures and records how long the breaker stays open.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Breaker {
    /// Consecutive failures since the last success.
    #[serde(skip)]
    failures: u32,
    /// Wall clock, ms, until which the breaker blocks delivery; absent when closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    open_until: Option<u64>,
}

impl Breaker {
    /// Returns what may be sent at `now_ms`.
    #[must_use]
    pub fn permit(&self, now_ms: u64) -> Permit {
        match self.open_until {
            None => Permit::Full,
            Some(until) if now_ms >= until => Permit::Probe,
            Some(until) => Permit::WaitUntil(until),
        }
    }

    /// Records a success and closes the breaker.
    pub fn success(&mut self) {
        *self = Self::default();
    }

    /// Records a failure. Returns whether it opened (or reopened) the breaker.
    pub fn failure(&mut self, now_ms: u64, threshold: u32, open_ms: u64) -> bool {
        self.failures = self.failures.saturating_add(1);
        let opens = self.open_until.is_some() || self.failures >= threshold;
        if opens {
            self.open_until = Some(now_ms + open_ms);
        }
        opens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_after_a_row_of_failures_and_closes_after_one_good_probe() {
        let mut breaker = Breaker::default();
        assert!(!breaker.failure(0, 3, 100));
        assert!(!breaker.failure(1, 3, 100));
        assert_eq!(breaker.permit(1), Permit::Full);
        assert!(breaker.failure(2, 3, 100));
        assert_eq!(breaker.permit(50), Permit::WaitUntil(102));
        assert_eq!(breaker.permit(102), Permit::Probe);
        assert!(breaker.failure(103, 3, 100), "a failed probe opens it again");
        assert_eq!(breaker.permit(150), Permit::WaitUntil(203));
        breaker.success();
        assert_eq!(breaker.permit(151), Permit::Full);
    }

    #[test]
    fn a_success_between_failures_keeps_it_closed() {
        let mut breaker = Breaker::default();
        for now in 0..100 {
            assert!(!breaker.failure(now, 2, 100));
            breaker.success();
        }
    }

    #[test]
    fn the_next_run_finds_it_open() {
        let mut breaker = Breaker::default();
        breaker.failure(5, 1, 100);
        let text = serde_json::to_string(&breaker).unwrap();
        let read: Breaker = serde_json::from_str(&text).unwrap();
        assert_eq!(read.permit(6), Permit::WaitUntil(105));
    }
}
