//! The simulation's clocks: one monotonic time, and one wall clock per run that may be skewed.

use std::time::Duration;

use session::ports::Clock;
use tokio::time::Instant;

use crate::EPOCH_MS;

/// The clock of one run: the monotonic time of the simulation, and a wall clock with a skew.
#[derive(Debug, Clone)]
pub struct SimClock {
    begun: Instant,
    skew_ms: i64,
}

impl SimClock {
    /// Returns an unskewed clock that starts now.
    pub(crate) fn begin() -> Self {
        Self { begun: Instant::now(), skew_ms: 0 }
    }

    /// Returns this clock with a wall clock that is off by `skew_ms`.
    pub(crate) fn skewed(&self, skew_ms: i64) -> Self {
        Self { skew_ms, ..self.clone() }
    }

    /// Returns the time since the simulation began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }
}

impl Clock for SimClock {
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
