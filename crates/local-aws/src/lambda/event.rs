//! Asynchronous invocations: queued, then attempted, retried and given up as Lambda does.
//!
//! A function error is retried `MaximumRetryAttempts` times, after one and then after two minutes.
//! A throttle or an error of the service is retried with increasing delays and does not count as an
//! attempt. The maximum age of the event limits both. An event that is given up goes to the
//! OnFailure destination (Lambda guide, "How Lambda handles errors and retries with asynchronous
//! invocation").

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::invocation::{Invocation, Invoked};
use super::pool::Pool;
use super::qualifier;
use super::segments::{Queued, Segment};
use crate::aws_error::AwsError;
use crate::clock::{Clock, rfc3339};
use crate::faults::Faults;
use crate::iam::Iam;
use crate::sqs::Sqs;

/// The most pending events. More are rejected, so that memory is bounded.
const MAX_PENDING: usize = 10_000;
/// The delays before the first and the second retry of a function error.
const RETRY_WAITS: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];
/// The first and the longest delay after a throttle or an error of the service.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

/// The queue of asynchronous invocations.
#[derive(Debug)]
pub(super) struct EventQueue {
    clock: Clock,
    faults: Faults,
    iam: Arc<Iam>,
    sqs: Arc<Sqs>,
    pending: AtomicUsize,
    stop: CancellationToken,
}

impl EventQueue {
    /// An empty queue. Its events are dropped when `stop` is cancelled.
    pub(super) fn new(
        clock: Clock,
        faults: Faults,
        iam: Arc<Iam>,
        sqs: Arc<Sqs>,
        stop: CancellationToken,
    ) -> Self {
        Self { clock, faults, iam, sqs, pending: AtomicUsize::default(), stop }
    }

    /// Queues an event and serves it in the background. `segment` is that of its request.
    ///
    /// # Errors
    /// `TooManyRequestsException` when too many events are pending.
    pub(super) fn push(
        self: &Arc<Self>,
        pool: Arc<Pool>,
        invocation: Invocation,
        segment: Segment,
    ) -> Result<(), AwsError> {
        let admitted = self.pending.fetch_update(Ordering::AcqRel, Ordering::Acquire, |pending| {
            (pending < MAX_PENDING).then_some(pending + 1)
        });
        if admitted.is_err() {
            let message = format!("{MAX_PENDING} events are pending");
            let status = http::StatusCode::TOO_MANY_REQUESTS;
            let error = AwsError::new(status, "TooManyRequestsException", message);
            return Err(segment.refused(error));
        }
        let (queue, mut queued) = (Arc::clone(self), segment.accepted());
        tokio::spawn(async move {
            tokio::select! {
                () = queue.stop.cancelled() => {}
                () = serve(&queue, &pool, &invocation, &mut queued) => {}
            }
            queue.pending.fetch_sub(1, Ordering::AcqRel);
        });
        Ok(())
    }

    /// Returns the number of events that are neither served nor given up.
    pub(super) fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }
}

/// The outcome of an event.
#[derive(Debug)]
struct End {
    condition: &'static str,
    attempts: u32,
    last: Option<Invoked>,
}

async fn serve(queue: &EventQueue, pool: &Arc<Pool>, invocation: &Invocation, queued: &mut Queued) {
    let end = attempt(queue, pool, invocation, queued).await;
    let function = pool.function();
    let settings = &function.event_invoke;
    let destination = match end.condition {
        "Success" => &settings.on_success,
        _ => &settings.on_failure,
    };
    if end.condition != "Success" {
        let (name, id) = (&function.name, &invocation.request_id);
        let to = destination.as_deref().unwrap_or("none");
        tracing::warn!("event {id} for {name} given up ({}); destination: {to}", end.condition);
    }
    if let Some(destination) = destination {
        let record = record(queue, pool, invocation, &end).to_string();
        if let Err(reason) = send(queue, pool, destination, record).await {
            tracing::error!("the record of event {} is lost: {reason}", invocation.request_id);
        }
    }
}

/// Sends a record to its queue on behalf of the function, whose role must allow it.
async fn send(
    queue: &EventQueue,
    pool: &Pool,
    destination: &str,
    record: String,
) -> Result<(), String> {
    queue.iam.may_send(&pool.function(), destination).map_err(|denied| denied.to_string())?;
    queue.sqs.send(destination, record, BTreeMap::new()).await.map_err(|error| error.to_string())
}

async fn attempt(
    queue: &EventQueue,
    pool: &Arc<Pool>,
    invocation: &Invocation,
    queued: &mut Queued,
) -> End {
    let settings = pool.function().event_invoke.clone();
    let received_ms = queue.clock.now_ms();
    let too_old = |wait: Duration| {
        let age = queue.clock.now_ms() - received_ms;
        let age = Duration::from_millis(u64::try_from(age).unwrap_or(0));
        age + wait > settings.maximum_event_age
    };
    let (mut attempts, mut backoff, mut last) = (0, FIRST_BACKOFF, None);
    loop {
        let (segment, invocation) = queued.attempt(invocation);
        let wait = match once(queue, pool, invocation, segment).await {
            Ok(invoked) => {
                attempts += 1;
                let failed = invoked.function_error.is_some();
                last = Some(invoked);
                if !failed {
                    return End { condition: "Success", attempts, last };
                }
                if attempts > settings.maximum_retry_attempts {
                    return End { condition: "RetriesExhausted", attempts, last };
                }
                RETRY_WAITS[usize::from(attempts > 1)]
            }
            Err(_) => {
                let wait = backoff;
                backoff = (backoff * 2).min(LONGEST_BACKOFF);
                wait
            }
        };
        if too_old(wait) {
            return End { condition: "EventAgeExceeded", attempts, last };
        }
        queue.clock.sleep(wait).await;
    }
}

async fn once(
    queue: &EventQueue,
    pool: &Arc<Pool>,
    invocation: Invocation,
    segment: Segment,
) -> Result<Invoked, AwsError> {
    match pool.gate(&queue.faults, "Invoke").await {
        Ok(fault) => pool.invoke(invocation, fault, segment).await,
        Err(error) => Err(segment.refused(error)),
    }
}

/// Returns the record for a destination (Lambda guide, "Adding a destination").
fn record(queue: &EventQueue, pool: &Pool, invocation: &Invocation, end: &End) -> Value {
    let parsed = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    let mut record = json!({
        "version": "1.0",
        "timestamp": rfc3339(queue.clock.now_ms()),
        "requestContext": {
            "requestId": invocation.request_id,
            "functionArn": qualifier::recorded_arn(&pool.function()),
            "condition": end.condition,
            "approximateInvokeCount": end.attempts,
        },
        "requestPayload": parsed(&invocation.payload),
    });
    if let Some(last) = &end.last {
        let version = qualifier::version_of(&pool.function());
        let mut context = json!({ "statusCode": 200, "executedVersion": version });
        if let Some(error) = &last.function_error {
            context["functionError"] = error.as_str().into();
        }
        record["responseContext"] = context;
        record["responsePayload"] = parsed(&last.payload);
    }
    record
}
