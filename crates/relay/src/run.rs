//! Runs one session for the lifetime of one Lambda invocation.
//!
//! There are three entry points: [`start`] (ACTIVE, or a restart by the health check), [`stop`]
//! (ENDED) and [`go_on`] (the next invocation after a hand-off). Each takes the lease if no active
//! run holds it, and processes the stream until it is drained, handed off, or taken over by another
//! run. Reader, deliverer and keeper are futures of one task: dropping the run at any await point
//! leaves only the last checkpoint, from which the next run resumes.

use std::convert::Infallible;
use std::time::Duration;

use serde::Serialize;
use session::{Desired, SessionId, Settings, StreamArn, StreamItem};

use crate::clock::Clock;
use crate::config::Config;
use crate::delivery::{DeliveryEnd, deliver};
use crate::error::RelayError;
use crate::farewell;
use crate::handoff::{Timetable, call_next, hand_on, succeed};
use crate::keeper::{Keeper, report, watch_languages, watch_session};
use crate::lease::{Held, LeaseTable, Patience, Taking, acquire, checkpoint};
use crate::line::{Line, Orders};
use crate::ports::{Meter, Ports};
use crate::reader::read;
use crate::retry::persist;

/// Parameters of a run.
#[derive(Debug, Clone)]
pub struct Order {
    /// The session.
    pub session_id: SessionId,
    /// Its stream, if the caller knows it.
    pub stream_arn: Option<StreamArn>,
    /// Its languages and tier, if the caller knows them.
    pub settings: Option<Settings>,
    /// The run's unique name.
    pub owner: String,
    /// How long this run may take, by the monotonic clock.
    pub remaining: Duration,
}

/// The outcome of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything in the stream is delivered.
    Ended,
    /// The session is over, and KVS no longer has the undelivered audio.
    GivenUp,
    /// The next invocation continues.
    HandedOff,
    /// Another active run holds the lease; this run did nothing.
    AlreadyRunning,
    /// Another active run holds the lease and will read the stop request.
    Stopping,
    /// Another run took over while this run held the lease.
    Superseded,
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The session.
    pub session_id: SessionId,
    /// The outcome of the run.
    pub outcome: Outcome,
    /// The epoch of this run, or of the active run.
    pub epoch: u64,
    /// Samples delivered by this run.
    pub delivered_samples: u64,
    /// Position up to which the session is settled; absent if this run did not hold the lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_sample: Option<u64>,
}

impl Report {
    fn idle(session_id: SessionId, outcome: Outcome, epoch: u64) -> Self {
        Self { session_id, outcome, epoch, delivered_samples: 0, next_sample: None }
    }
}

/// Processes a session that has started, or that has no active run although it should.
///
/// Repeated calls are harmless: while another active run holds the lease, this returns within about
/// two renewals. A session with a stop request is not restarted; its remaining audio is drained.
///
/// # Errors
/// Returns [`RelayError`]; the platform retries the event if it is retryable.
pub async fn start<P: Ports>(
    ports: &P,
    config: &Config,
    order: Order,
) -> Result<Report, RelayError> {
    let session = &order.session_id;
    let request =
        || ports.leases().request_run(session, order.stream_arn.as_ref(), order.settings.as_ref());
    let item = persist(ports, config, session, request).await?;
    own(ports, config, order, &item).await
}

/// Stops a session: the rest of its stream is still delivered, by the active run or, if there is
/// none, by this one.
///
/// # Errors
/// Returns [`RelayError`]; the platform retries the event if it is retryable.
pub async fn stop<P: Ports>(
    ports: &P,
    config: &Config,
    order: Order,
) -> Result<Report, RelayError> {
    let session = &order.session_id;
    let stop_at = ports.clock().now_ms();
    let request = || ports.leases().request_stop(session, stop_at);
    persist(ports, config, session, request).await?;
    // The stop is stored even if the rest fails; stream and settings may still be missing (ENDED
    // before ACTIVE).
    let request =
        || ports.leases().request_run(session, order.stream_arn.as_ref(), order.settings.as_ref());
    let item = persist(ports, config, session, request).await?;
    own(ports, config, order, &item).await
}

/// Continues a session that the holder of `epoch` hands off.
///
/// # Errors
/// Returns [`RelayError`]; the platform retries the event if it is retryable.
pub async fn go_on<P: Ports>(
    ports: &P,
    config: &Config,
    order: Order,
    epoch: u64,
) -> Result<Report, RelayError> {
    let session = order.session_id.clone();
    let began = ports.clock().instant();
    let load = || ports.leases().load(&session);
    let item = match persist(ports, config, &session, load).await? {
        Some(item) if !item.ended => item,
        item => {
            let epoch = item.map_or(0, |item| item.epoch);
            return Ok(Report::idle(session, Outcome::Ended, epoch));
        }
    };
    let line = line(ports, config, &order, &item)?;
    let deadline = began + order.remaining;
    // The reader starts now, so that connection, decoder and queue are ready when the lease is
    // free.
    let report = tokio::select! {
        biased;
        report = async {
            let held = match succeed(&line, &order.owner, epoch).await? {
                Taking::Held(held) => held,
                taking => return Ok(not_taken(session, &taking, &item)),
            };
            let theirs = checkpoint(&session, &held.item, config)?;
            line.heard(Orders::from(&held.item));
            line.ledger().adopt(theirs);
            let waited = ports.clock().instant().saturating_duration_since(began);
            carry(&line, &held, order.remaining.saturating_sub(waited)).await
        } => report?,
        never = read(&line) => match never {},
    };
    farewell::after(ports, config, &report, line.is_stopped(), deadline).await;
    Ok(report)
}

async fn own<P: Ports>(
    ports: &P,
    config: &Config,
    order: Order,
    item: &StreamItem,
) -> Result<Report, RelayError> {
    let session = order.session_id.clone();
    if item.stream_arn.is_none() && !item.ended {
        return Err(RelayError::StreamUnknown { session_id: session });
    }
    let began = ports.clock().instant();
    let deadline = began + order.remaining;
    let taking = acquire(ports, config, &session, &order.owner, Patience::Leave, |_| {}).await?;
    let held = match taking {
        Taking::Held(held) => held,
        taking => {
            let report = not_taken(session, &taking, item);
            let stopped = item.desired == Desired::Stop;
            farewell::after(ports, config, &report, stopped, deadline).await;
            return Ok(report);
        }
    };
    tracing::info!(sessionId = %session, epoch = held.epoch, "lease acquired");
    let line = line(ports, config, &order, &held.item)?;
    let waited = ports.clock().instant().saturating_duration_since(began);
    let report = tokio::select! {
        biased;
        report = carry(&line, &held, order.remaining.saturating_sub(waited)) => report?,
        never = read(&line) => match never {},
    };
    farewell::after(ports, config, &report, line.is_stopped(), deadline).await;
    Ok(report)
}

fn not_taken(session: SessionId, taking: &Taking, item: &StreamItem) -> Report {
    let (outcome, epoch) = match taking {
        Taking::Ended { epoch } => (Outcome::Ended, *epoch),
        Taking::Running { epoch } if item.desired == Desired::Stop => (Outcome::Stopping, *epoch),
        Taking::Running { epoch } => (Outcome::AlreadyRunning, *epoch),
        Taking::Held(held) => (Outcome::Superseded, held.epoch),
    };
    tracing::info!(sessionId = %session, ?outcome, epoch, "nothing to carry");
    Report::idle(session, outcome, epoch)
}

fn line<'a, P: Ports>(
    ports: &'a P,
    config: &'a Config,
    order: &Order,
    item: &StreamItem,
) -> Result<Line<'a, P>, RelayError> {
    let session = order.session_id.clone();
    let Some(stream) = item.stream_arn.clone().or_else(|| order.stream_arn.clone()) else {
        return Err(RelayError::StreamUnknown { session_id: session });
    };
    let checkpoint = checkpoint(&session, item, config)?;
    let mut orders = Orders::from(item);
    orders.settings = orders.settings.or_else(|| order.settings.clone());
    Ok(Line::new(ports, config, session, stream, checkpoint, orders))
}

/// Why a run with the lease stopped.
enum End {
    Delivery(DeliveryEnd),
    /// Another run holds the lease.
    Lost,
    /// The invocation in flight did not finish before the deadline.
    Abandoned,
    /// The undelivered audio is past KVS's retention.
    Forsaken,
}

/// Delivers with the lease held, until the stream or the available time ends.
async fn carry<P: Ports>(
    line: &Line<'_, P>,
    held: &Held,
    remaining: Duration,
) -> Result<Report, RelayError> {
    let keeper = Keeper::new(line, held);
    let before = line.ledger().state().totals;
    taken(line);
    let times = Timetable::new(line.ports.clock().instant(), remaining, line.config);
    // A previous run may have delivered the last chunk and crashed before recording it.
    let finished = line.ledger().state().finished;
    let end = tokio::select! {
        biased;
        () = std::future::ready(()), if finished => End::Delivery(DeliveryEnd::Drained),
        () = keeper.keep() => End::Lost,
        () = past_retention(line) => End::Forsaken,
        end = deliver(line, keeper.epoch()) => End::Delivery(end),
        () = hand_on(line, keeper.epoch(), times) => End::Abandoned,
        never = attend(line) => match never {},
    };
    let outcome = finish(line, &keeper, &end).await?;
    let snapshot = line.metrics().take();
    line.ports.meter().emit(&line.session, &snapshot);
    let (totals, next_sample) = {
        let ledger = line.ledger();
        (ledger.state().totals, ledger.state().next)
    };
    let delivered_samples = totals.delivered - before.delivered;
    tracing::info!(
        sessionId = %line.session, ?outcome, epoch = keeper.epoch(), deliveredSamples = delivered_samples,
        nextSample = next_sample, totals = %serde_json::json!(totals), "run finished"
    );
    Ok(Report {
        session_id: line.session.clone(),
        outcome,
        epoch: keeper.epoch(),
        delivered_samples,
        next_sample: Some(next_sample),
    })
}

/// Runs the tasks that accompany delivery.
async fn attend<P: Ports>(line: &Line<'_, P>) -> Infallible {
    tokio::select! {
        never = watch_session(line) => never,
        never = watch_languages(line) => never,
        never = report(line) => never,
        never = farewell::overdue(line) => never,
    }
}

/// Resolves when a stopped session's audio is past KVS's retention. The chain of invocations must
/// end then, whatever prevented delivery.
async fn past_retention<P: Ports>(line: &Line<'_, P>) {
    stopped_for(line, line.config.retention).await;
}

/// Resolves when the session has been stopped for `duration`.
pub(crate) async fn stopped_for<P: Ports>(line: &Line<'_, P>, duration: Duration) {
    let mut orders = line.orders.subscribe();
    // The sender lives as long as `line`: waiting cannot fail.
    let _ = orders.wait_for(|orders| orders.desired == Desired::Stop).await;
    let stop_at = line.orders.borrow().stop_at.unwrap_or_default();
    let clock = line.ports.clock();
    let since = Duration::from_millis(clock.now_ms().saturating_sub(stop_at));
    clock.sleep(duration.saturating_sub(since)).await;
}

/// Counts audio that was read and never accepted as unavailable; it will not be read again.
fn forsake<P: Ports>(line: &Line<'_, P>) {
    let mut ledger = line.ledger();
    let lost = ledger.read_to().saturating_sub(ledger.state().next);
    ledger.state_mut().totals.unavailable += lost;
    line.metrics().unavailable += lost;
    tracing::error!(
        sessionId = %line.session, unavailableSamples = lost, nextSample = ledger.state().next,
        "given up: the session's undelivered audio is past the stream's retention; check this log for errors of the processor and of GetMedia"
    );
}

/// Counts a hand-off and the time without delivery.
fn taken<P: Ports>(line: &Line<'_, P>) {
    let mut ledger = line.ledger();
    let state = ledger.state_mut();
    if let Some(released_at) = state.released_at_ms.take() {
        let gap = line.ports.clock().now_ms().saturating_sub(released_at);
        state.totals.hand_offs += 1;
        let mut metrics = line.metrics();
        metrics.hand_offs += 1;
        metrics.hand_off_gap_millis = Some(gap);
    }
}

async fn finish<P: Ports>(
    line: &Line<'_, P>,
    keeper: &Keeper<'_, '_, P>,
    end: &End,
) -> Result<Outcome, RelayError> {
    match end {
        End::Lost | End::Delivery(DeliveryEnd::Stale) => Ok(Outcome::Superseded),
        End::Delivery(DeliveryEnd::Drained) => {
            keeper.release(true).await?;
            let stop_at = line.orders.borrow().stop_at;
            let since = |stop_at| line.ports.clock().now_ms().saturating_sub(stop_at);
            line.metrics().stop_latency_millis = stop_at.map(since);
            Ok(Outcome::Ended)
        }
        End::Forsaken => {
            forsake(line);
            keeper.release(true).await?;
            Ok(Outcome::GivenUp)
        }
        End::Delivery(DeliveryEnd::Yielded) | End::Abandoned => {
            let succeeded = line.orders.borrow().successor.is_some();
            keeper.release(false).await?;
            if !succeeded {
                let limit = line.config.abandon / 2;
                let call = call_next(line, keeper.epoch());
                if line.ports.clock().within(limit, call).await.is_none() {
                    tracing::error!(sessionId = %line.session, "starting the next invocation failed; the health check will restart the session");
                }
            }
            Ok(Outcome::HandedOff)
        }
    }
}
