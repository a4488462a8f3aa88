//! Time as a port: a wall clock for values that other machines read, and a monotonic clock for
//! intervals measured within this process. The two are never mixed: a lease expires in wall time,
//! and the holder's right to deliver expires in monotonic time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// A source of time.
pub trait Clock: Clone + Send + Sync + 'static {
    /// Returns the wall clock, in milliseconds since the Unix epoch.
    fn now_ms(&self) -> u64;

    /// Returns the monotonic clock. It never goes back and is meaningful only within this process.
    fn instant(&self) -> Instant;

    /// Resolves at `instant` of the monotonic clock, or immediately if it has passed.
    fn sleep_until(&self, instant: Instant) -> impl Future<Output = ()> + Send;

    /// Resolves after `duration`.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        self.sleep_until(self.instant() + duration)
    }

    /// Returns the output of `future`, or `None` if it takes longer than `limit`.
    fn within<F: Future + Send>(
        &self,
        limit: Duration,
        future: F,
    ) -> impl Future<Output = Option<F::Output>> + Send
    where
        F::Output: Send,
    {
        async move {
            tokio::select! {
                biased;
                output = future => Some(output),
                () = self.sleep(limit) => None,
            }
        }
    }
}

/// The system's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    async fn sleep_until(&self, instant: Instant) {
        tokio::time::sleep_until(instant).await;
    }
}

/// Returns a duration in milliseconds, saturating.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
