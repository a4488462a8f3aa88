//! Hands a session from one invocation to the next without a pause and without losing a sample.
//!
//! A Lambda invocation lasts at most 15 minutes; a session can last longer. At deadline − 45 s
//! the holder invokes the next one asynchronously. The successor opens GetMedia from the
//! checkpoint, warms up its decoder, fills its queue and writes its name as `successor`. The
//! holder reads that name with its next renewal, finishes the invocation in flight, and stores
//! the checkpoint and clears the owner in one write. The successor, which polls the item, takes
//! epoch + 1, drops from its queue what was accepted in the meantime, and continues delivery. If
//! no successor is announced by deadline − 10 s, the holder releases and invokes again, so that
//! the next invocation does not have to wait for the lease to expire.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use session::StreamItem;
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::checkpoint::Checkpoint;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::RelayError;
use crate::lease::{LeaseTable, Patience, Taking, acquire};
use crate::line::{Line, Orders};
use crate::ports::{Continuation, Links, Ports};
use crate::retry::persist;

/// The points in time of a hand-off, relative to the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timetable {
    /// Start the next invocation.
    pub(crate) invoke: Instant,
    /// Release, with or without a successor.
    pub(crate) release: Instant,
    /// Abandon even an invocation in flight.
    pub(crate) abandon: Instant,
}

impl Timetable {
    /// Creates the schedule of a run that must finish within `remaining`. A run too short for the
    /// usual lead times spends at most a quarter of its time on the hand-off, so that a chain of
    /// short runs still makes progress.
    pub(crate) fn new(now: Instant, remaining: Duration, config: &Config) -> Self {
        let before = |lead: Duration, share: u32| now + (remaining - lead.min(remaining / share));
        Self {
            invoke: before(config.hand_off_lead, 4),
            release: before(config.hand_off_last, 8),
            abandon: before(config.abandon, 16),
        }
    }
}

/// Runs the holder's side: prepares the hand-off in time and asks delivery to yield. Returns only
/// if the invocation in flight did not finish in time.
pub(crate) async fn hand_on<P: Ports>(line: &Line<'_, P>, epoch: u64, times: Timetable) {
    let clock = line.ports.clock();
    clock.sleep_until(times.invoke).await;
    tokio::select! {
        () = call_next(line, epoch) => {
            let mut orders = line.orders.subscribe();
            tokio::select! {
                _ = orders.wait_for(|orders| orders.successor.is_some()) => {}
                () = clock.sleep_until(times.release) => {}
            }
        }
        () = clock.sleep_until(times.release) => {}
    }
    line.yielding.send_replace(true);
    clock.sleep_until(times.abandon).await;
}

/// Starts the next invocation and retries until the call is accepted.
pub(crate) async fn call_next<P: Ports>(line: &Line<'_, P>, epoch: u64) {
    let (first, cap) = line.config.retry;
    let mut backoff = Backoff::new(first, cap);
    let continuation = Continuation { session_id: line.session.clone(), epoch };
    while let Err(error) = line.ports.links().invoke_next(&continuation).await {
        tracing::warn!(sessionId = %line.session, %error, "starting the next invocation failed; retrying");
        line.ports.clock().sleep(backoff.next(line.ports.random())).await;
    }
    tracing::info!(sessionId = %line.session, epoch, "next invocation started");
}

/// Runs the successor's side: announces itself once its GetMedia connection is open, and takes the
/// lease as soon as it is free.
///
/// # Errors
/// The table is unavailable, or the predecessor's checkpoint cannot be read.
pub(crate) async fn succeed<P: Ports>(
    line: &Line<'_, P>,
    owner: &str,
    epoch: u64,
) -> Result<Taking, RelayError> {
    let taking =
        acquire(line.ports, line.config, &line.session, owner, Patience::Await { epoch }, |item| {
            follow(line, item)
        });
    tokio::select! {
        biased;
        taking = taking => taking,
        never = announce(line, owner, epoch) => match never? {},
    }
}

/// Follows the progress of a predecessor that still delivers.
fn follow<P: Ports>(line: &Line<'_, P>, item: &StreamItem) {
    line.heard(Orders::from(item));
    if let Some(Ok(checkpoint)) = item.checkpoint.as_deref().map(Checkpoint::from_json) {
        line.queue.discard_before(checkpoint.next);
    }
}

async fn announce<P: Ports>(
    line: &Line<'_, P>,
    owner: &str,
    epoch: u64,
) -> Result<Infallible, RelayError> {
    let mut listening = line.listening.subscribe();
    // The sender lives as long as `line`.
    let _ = listening.wait_for(|listening| *listening).await;
    let write = || line.ports.leases().announce(&line.session, epoch, owner);
    persist(line.ports, line.config, &line.session, write).await?;
    pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leads_are_those_of_the_design_and_never_eat_a_short_run() {
        let (now, config) = (Instant::now(), Config::scaled(1.0));
        let long = Timetable::new(now, Duration::from_secs(900), &config);
        assert_eq!(long.invoke, now + Duration::from_secs(855));
        assert_eq!(long.release, now + Duration::from_secs(890));
        assert_eq!(long.abandon, now + Duration::from_secs(897));
        let short = Timetable::new(now, Duration::from_secs(16), &config);
        assert_eq!(short.invoke, now + Duration::from_secs(12));
        assert!(short.invoke < short.release && short.release < short.abandon);
    }
}
