//! When a run must have ended.

use std::future::pending;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// The request of a host that stops: its runs hand over at once, and must have ended at the given
/// time. The default is a host that never requests it.
#[derive(Debug, Clone, Default)]
pub struct HandOver(Option<watch::Receiver<Option<Instant>>>);

impl HandOver {
    /// Follows the host's channel: `None` until the host stops, then the time at which its runs
    /// must have ended.
    pub const fn new(requests: watch::Receiver<Option<Instant>>) -> Self {
        Self(Some(requests))
    }

    /// Waits for the request and returns when the run must have ended.
    pub(crate) async fn requested(&self) -> Instant {
        if let Some(requests) = &self.0 {
            let mut requests = requests.clone();
            // An error means that the host is gone without a request.
            if let Ok(requested) = requests.wait_for(Option::is_some).await
                && let Some(deadline) = *requested
            {
                return deadline;
            }
        }
        pending().await
    }
}

/// When a run must have ended: at a time that is known at its start, or when its host stops.
#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    pub(crate) hand_over: HandOver,
}

impl Deadline {
    pub(crate) fn new(now: Instant, remaining: Duration, hand_over: HandOver) -> Self {
        Self { at: now + remaining, hand_over }
    }
}
