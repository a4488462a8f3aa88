//! Hands a session from one invocation to the next without losing a sample.
//!
//! A Lambda invocation lasts at most 15 minutes; a session can last longer. At deadline − 45 s
//! the holder invokes the next one asynchronously. The successor opens GetMedia from the
//! checkpoint, writes its name as `successor`, warms up its decoder and fills its queue. The
//! holder reads that name within [`Config::observe`], finishes the delivery attempt in flight, and
//! stores the checkpoint and clears the owner in one write. The successor, which polls the item,
//! takes epoch + 1, drops from its queue what was accepted in the meantime, and continues
//! delivery. If no successor is announced by deadline − 10 s, the holder releases and invokes
//! again, so that the next invocation does not have to wait for the lease to expire. A host that
//! stops requests the hand-off earlier ([`HandOver`]).

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use session::Backoff;
use session::StreamItem;
use session::ports::{Clock, Tracer, Work};
use tokio::time::Instant;

use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::context::RunContext;
use crate::deadline::HandOver;
use crate::desired_state::DesiredState;
use crate::error::RelayError;
use crate::lease::{AcquireOutcome, WaitPolicy, acquire};
use crate::lease_table::LeaseTable;
use crate::lease_view::LeaseView;
use crate::ports::{Continuation, Ports, SelfInvoker};
use crate::queue::Queue;
use crate::reader_status::ReaderStatus;
use crate::retry::retry;
use crate::run_state::RunState;

/// The points in time of a hand-off, relative to the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HandoffSchedule {
    /// Start the next invocation.
    pub(crate) invoke: Instant,
    /// Release, with or without a successor.
    pub(crate) release: Instant,
    /// Abandon even a delivery attempt in flight.
    pub(crate) abandon: Instant,
}

impl HandoffSchedule {
    /// Creates the schedule of a run that must finish by `deadline`. A run too short for the
    /// usual lead times spends at most a quarter of its time on the hand-off, so that a chain of
    /// short runs still makes progress.
    pub(crate) fn new(now: Instant, deadline: Instant, config: &Config) -> Self {
        let remaining = deadline.saturating_duration_since(now);
        let before = |lead: Duration, share: u32| now + (remaining - lead.min(remaining / share));
        Self {
            invoke: before(config.hand_off_lead, 4),
            release: before(config.hand_off_last, 8),
            abandon: before(config.abandon, 16),
        }
    }

    /// Creates the schedule of a run whose host stops: the next run is started now.
    fn at_once(now: Instant, deadline: Instant, config: &Config) -> Self {
        Self { invoke: now, ..Self::new(now, deadline, config) }
    }
}

/// Runs the holder's side: starts the next invocation in time and requests the hand-off from
/// delivery. Returns only if the delivery attempt in flight did not finish in time.
pub(crate) async fn hand_off<P: Ports>(
    ctx: &RunContext<'_, P>,
    epoch: u64,
    mut schedule: HandoffSchedule,
    hand_over: &HandOver,
    lease: &LeaseView,
) {
    let clock = ctx.clock();
    tokio::select! {
        deadline = hand_over.requested() => {
            schedule = HandoffSchedule::at_once(clock.instant(), deadline, ctx.config);
        }
        () = clock.sleep_until(schedule.invoke) => {}
    }
    let prepare = async {
        invoke_next(ctx, epoch).await;
        lease.successor_announced().await;
    };
    tokio::select! {
        () = prepare => {}
        () = clock.sleep_until(schedule.release) => {}
    }
    lease.request_handoff();
    clock.sleep_until(schedule.abandon).await;
}

/// Starts the next invocation and retries until the call is accepted.
pub(crate) async fn invoke_next<P: Ports>(ctx: &RunContext<'_, P>, epoch: u64) {
    let (first, cap) = ctx.config.retry;
    let mut backoff = Backoff::new(first, cap);
    let continuation = Continuation { session_id: ctx.session_id.clone(), epoch };
    // A piece of its own, so that its call is recorded however many calls the run has made.
    let work = Work { name: "hand off", session_id: &ctx.session_id, epoch: Some(epoch) };
    let invoked = async {
        while let Err(error) = ctx.relay.self_invoker.invoke_next(&continuation).await {
            tracing::warn!(sessionId = %ctx.session_id, %error, "starting the next invocation failed; retrying");
            ctx.clock().sleep(backoff.next(ctx.clock())).await;
        }
        Ok::<_, Infallible>(())
    };
    let Ok(()) = ctx.clock().traced(work, invoked).await;
    tracing::info!(sessionId = %ctx.session_id, epoch, "next invocation started");
}

/// Runs the successor's side: announces the run once its GetMedia connection is open, and takes the
/// lease as soon as it is free.
///
/// # Errors
/// The table is unavailable, or the predecessor's checkpoint cannot be read.
pub(crate) async fn take_over<P: Ports>(
    run: &RunState<'_, P>,
    owner: &str,
    epoch: u64,
) -> Result<AcquireOutcome, RelayError> {
    let ctx = &run.ctx;
    let wait = WaitPolicy::WaitForRelease { epoch };
    let follow = |item: &StreamItem| follow(item, &run.lease, &run.queue);
    tokio::select! {
        biased;
        outcome = acquire(ctx.relay, &ctx.session_id, owner, wait, follow) => outcome,
        never = announce(ctx, owner, epoch, &run.reader) => match never? {},
    }
}

/// Follows the progress of a predecessor that still delivers.
fn follow(item: &StreamItem, lease: &LeaseView, queue: &Queue) {
    lease.apply(DesiredState::from(item));
    if let Some(Ok(checkpoint)) = item.checkpoint.as_deref().map(Checkpoint::from_json) {
        queue.discard_before(checkpoint.next);
    }
}

async fn announce<P: Ports>(
    ctx: &RunContext<'_, P>,
    owner: &str,
    epoch: u64,
    reader: &ReaderStatus,
) -> Result<Infallible, RelayError> {
    reader.connected().await;
    let write = || ctx.relay.leases.announce(&ctx.session_id, epoch, owner);
    retry(ctx.relay, &ctx.session_id, write).await?;
    pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leads_are_absolute_in_a_long_run_and_a_share_of_a_short_one() {
        let (now, config) = (Instant::now(), Config::scaled(1.0));
        let long = HandoffSchedule::new(now, now + Duration::from_secs(900), &config);
        assert_eq!(long.invoke, now + Duration::from_secs(855));
        assert_eq!(long.release, now + Duration::from_secs(890));
        assert_eq!(long.abandon, now + Duration::from_secs(897));
        let short = HandoffSchedule::new(now, now + Duration::from_secs(16), &config);
        assert_eq!(short.invoke, now + Duration::from_secs(12));
        assert!(short.invoke < short.release && short.release < short.abandon);
        let stopped = HandoffSchedule::at_once(now, now + Duration::from_secs(100), &config);
        assert_eq!((stopped.invoke, stopped.release), (now, now + Duration::from_secs(90)));
    }
}
