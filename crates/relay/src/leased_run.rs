//! The part of a run that holds the lease: delivery and everything that accompanies it.

use std::convert::Infallible;

use session::ports::{Clock, millis};

use crate::context::RunContext;
use crate::deadline::Deadline;
use crate::delivery::{DeliveryEnd, deliver};
use crate::end_notice;
use crate::error::RelayError;
use crate::handoff::{HandoffSchedule, hand_off, invoke_next};
use crate::lease::Lease;
use crate::lease_renewer::LeaseRenewer;
use crate::polling::{poll_languages, poll_session};
use crate::ports::{MetricsSink, Ports};
use crate::report::{Outcome, Report};
use crate::run_metrics::report_periodically;
use crate::run_state::RunState;

/// Why a run with the lease stopped.
enum RunEnd {
    Delivery(DeliveryEnd),
    /// Another run holds the lease.
    LeaseLost,
    /// The delivery attempt in flight did not finish before the deadline.
    Abandoned,
    /// The undelivered audio is past KVS's retention.
    Expired,
}

/// Delivers with the lease held, until the stream or the available time ends.
///
/// # Errors
/// The lease cannot be released because the table is unavailable.
pub(crate) async fn run_with_lease<P: Ports>(
    run: &RunState<'_, P>,
    lease: &Lease,
    deadline: &Deadline,
) -> Result<Report, RelayError> {
    let ctx = &run.ctx;
    let before = run.progress.lock().settled().totals;
    run.metrics.start_at(before);
    count_hand_off(run);
    let renewer = LeaseRenewer::new(run, lease);
    let end = run_until_end(run, lease, &renewer, deadline).await;
    let outcome = finish(run, lease, &renewer, &end).await?;
    let (totals, next_sample) = {
        let progress = run.progress.lock();
        (progress.settled().totals, progress.settled().next)
    };
    ctx.relay.metrics.emit(&ctx.session_id, &run.metrics.take(totals, None));
    let delivered_samples = totals.delivered - before.delivered;
    tracing::info!(
        sessionId = %ctx.session_id, ?outcome, epoch = lease.epoch, deliveredSamples = delivered_samples,
        nextSample = next_sample, totals = %serde_json::json!(totals), "run finished"
    );
    Ok(Report {
        session_id: ctx.session_id.clone(),
        outcome,
        epoch: lease.epoch,
        delivered_samples,
        next_sample: Some(next_sample),
    })
}

async fn run_until_end<P: Ports>(
    run: &RunState<'_, P>,
    lease: &Lease,
    renewer: &LeaseRenewer<'_, P>,
    deadline: &Deadline,
) -> RunEnd {
    let (ctx, view, epoch) = (&run.ctx, &run.lease, lease.epoch);
    let now = ctx.clock().instant();
    let schedule = HandoffSchedule::new(now, deadline.at, ctx.config);
    // A previous run may have delivered the last chunk and crashed before recording it.
    let finished = run.progress.lock().settled().finished;
    tokio::select! {
        biased;
        () = std::future::ready(()), if finished => RunEnd::Delivery(DeliveryEnd::Drained),
        () = renewer.renew_loop() => RunEnd::LeaseLost,
        // Otherwise runs whose audio is past the retention would invoke each other for ever.
        () = view.stopped_longer_than(ctx.config.retention, ctx.clock()) => RunEnd::Expired,
        end = deliver(run, epoch) => RunEnd::Delivery(end),
        () = hand_off(ctx, epoch, schedule, &deadline.hand_over, view) => RunEnd::Abandoned,
        never = background(run) => match never {},
    }
}

/// Runs the tasks that accompany delivery.
async fn background<P: Ports>(run: &RunState<'_, P>) -> Infallible {
    let ctx = &run.ctx;
    tokio::select! {
        never = poll_session(ctx, &run.lease) => never,
        never = poll_languages(ctx, &run.languages) => never,
        never = report_periodically(run) => never,
        never = end_notice::send_when_overdue(ctx, &run.lease) => never,
    }
}

/// Counts a hand-off to this run and the time without delivery.
fn count_hand_off<P: Ports>(run: &RunState<'_, P>) {
    let mut progress = run.progress.lock();
    let settled = progress.settled_mut();
    if let Some(released_at) = settled.released_at_ms.take() {
        settled.totals.hand_offs += 1;
        let gap = run.ctx.clock().now_ms().saturating_sub(released_at);
        run.metrics.observed().hand_off_gap_millis = Some(gap);
    }
}

async fn finish<P: Ports>(
    run: &RunState<'_, P>,
    lease: &Lease,
    renewer: &LeaseRenewer<'_, P>,
    end: &RunEnd,
) -> Result<Outcome, RelayError> {
    let ctx = &run.ctx;
    match end {
        RunEnd::LeaseLost | RunEnd::Delivery(DeliveryEnd::StaleEpoch) => Ok(Outcome::Superseded),
        RunEnd::Delivery(DeliveryEnd::Drained) => {
            renewer.release(true).await?;
            let latency = run.lease.stopped_for(ctx.clock().now_ms()).map(millis);
            run.metrics.observed().stop_latency_millis = latency;
            Ok(Outcome::Ended)
        }
        RunEnd::Expired => {
            give_up(run);
            renewer.release(true).await?;
            Ok(Outcome::GivenUp)
        }
        RunEnd::Delivery(DeliveryEnd::HandoffRequested) | RunEnd::Abandoned => {
            let has_successor = run.lease.desired().successor.is_some();
            renewer.release(false).await?;
            if !has_successor {
                ensure_successor(ctx, lease.epoch).await;
            }
            Ok(Outcome::HandedOff)
        }
    }
}

/// Counts audio that was read and never accepted as unavailable; it will not be read again.
fn give_up<P: Ports>(run: &RunState<'_, P>) {
    let mut progress = run.progress.lock();
    let lost = progress.give_up();
    tracing::error!(
        sessionId = %run.ctx.session_id, unavailableSamples = lost, nextSample = progress.settled().next,
        "session abandoned: the session's undelivered audio is past the stream's retention; check this log for errors of the processor and of GetMedia"
    );
}

/// Starts the next invocation of a run that released its lease without an announced successor.
async fn ensure_successor<P: Ports>(ctx: &RunContext<'_, P>, epoch: u64) {
    let limit = ctx.config.abandon / 2;
    if ctx.clock().within(limit, invoke_next(ctx, epoch)).await.is_none() {
        tracing::error!(sessionId = %ctx.session_id, "starting the next invocation failed; the health check will restart the session");
    }
}
