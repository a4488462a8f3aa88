//! The world's clocks: one time for all, and wall clocks that may be wrong about it.

use std::time::Duration;

use relay::Clock;
use tokio::time::Instant;

use crate::EPOCH_MS;

/// What one machine believes the time is.
#[derive(Debug, Clone)]
pub struct WorldClock {
    begun: Instant,
    skew_ms: i64,
}

impl WorldClock {
    /// The right time, from now on.
    pub(crate) fn begin() -> Self {
        Self { begun: Instant::now(), skew_ms: 0 }
    }

    /// The same time, wrong by `skew_ms` on the wall.
    pub(crate) fn skewed(&self, skew_ms: i64) -> Self {
        Self { skew_ms, ..self.clone() }
    }

    /// Time since the world began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }
}

impl Clock for WorldClock {
    fn now_ms(&self) -> u64 {
        let elapsed = u64::try_from(self.elapsed().as_millis()).unwrap();
        (EPOCH_MS + elapsed).saturating_add_signed(self.skew_ms)
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    async fn sleep_until(&self, instant: Instant) {
        tokio::time::sleep_until(instant).await;
    }
}
