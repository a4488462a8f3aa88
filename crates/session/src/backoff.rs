//! Exponential backoff with jitter, so that clients that fail at the same time do not retry at the
//! same time ("equal jitter" of the AWS Architecture Blog, "Exponential Backoff And Jitter").

use std::time::Duration;

use crate::ports::Random;

/// Pauses between the attempts of a call.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    attempt: u32,
}

impl Backoff {
    /// Creates pauses of at most `base`, doubling with each attempt up to `cap`.
    #[must_use]
    pub const fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap, attempt: 0 }
    }

    /// Returns the next pause: between half of its maximum and its maximum.
    pub fn next(&mut self, random: &impl Random) -> Duration {
        let most = self.base.saturating_mul(1 << self.attempt.min(16)).min(self.cap);
        self.attempt = self.attempt.saturating_add(1);
        most.mul_f64(0.5 + random.fraction() / 2.0)
    }

    /// Starts again at `base`, after a success.
    pub const fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u64);

    impl Random for Fixed {
        fn next_u64(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn pauses_double_up_to_the_cap_and_start_again_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        let longest: Vec<_> = (0..4).map(|_| backoff.next(&Fixed(u64::MAX))).collect();
        let rounded: Vec<_> = longest.iter().map(|pause| pause.as_secs_f64() * 1000.0).collect();
        for (pause, expected) in rounded.iter().zip([100.0, 200.0, 350.0, 350.0]) {
            assert!((pause - expected).abs() < 0.001, "{rounded:?}");
        }
        backoff.reset();
        assert_eq!(backoff.next(&Fixed(0)), Duration::from_millis(50));
    }

    #[test]
    fn a_very_long_outage_does_not_overflow() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));
        for _ in 0..200 {
            assert!(backoff.next(&Fixed(u64::MAX)) <= Duration::from_secs(10));
        }
    }
}
