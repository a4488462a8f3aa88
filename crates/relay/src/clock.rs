//! Time as a port: wall clock for what other machines read, a monotonic clock for what only this
//! process measures. The two are never mixed: a lease's end is wall time, the holder's own right to
//! deliver is monotonic.

use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Where the time comes from.
pub trait Clock: Clone + Send + Sync + 'static {
    /// Wall clock, milliseconds since the Unix epoch.
    fn now_ms(&self) -> u64;

    /// Monotonic clock; never goes back, means nothing outside this process.
    fn instant(&self) -> Instant;

    /// Resolves at `instant` of the monotonic clock, at once when it has passed.
    fn sleep_until(&self, instant: Instant) -> impl Future<Output = ()> + Send;

    /// Resolves after `duration`.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        self.sleep_until(self.instant() + duration)
    }

    /// `future`'s output, or `None` once `limit` has passed.
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

/// The machine's clocks.
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
