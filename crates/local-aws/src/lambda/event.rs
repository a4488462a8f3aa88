//! Asynchronous invocations: queued at once, then tried, retried and given up as Lambda does.
//!
//! A function error is retried `MaximumRetryAttempts` times, one and then two minutes later; a
//! throttle or a failure of the service is retried with growing waits and counts no attempt; the
//! event's age ends both. What is given up goes to the OnFailure destination (Lambda guide,
//! "How Lambda handles errors and retries with asynchronous invocation").

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::invocation::Invocation;
use super::pool::Pool;
use super::{Invoked, Lambda};
use crate::aws_error::AwsError;
use crate::clock::rfc3339;

/// How many events may wait at once; more are refused, so that memory stays bounded.
const MAX_WAITING: usize = 10_000;
/// The waits before the first and the second retry of a function error.
const RETRY_WAITS: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];
/// The first and the longest wait after a throttle or a failure of the service.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

/// The events that are neither served nor given up yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn enter(&self) -> Option<Place> {
        let entered = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |waiting| {
            (waiting < MAX_WAITING).then_some(waiting + 1)
        });
        entered.is_ok().then(|| Place(self.clone()))
    }
}

struct Place(Waiting);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// How an event came to its end.
#[derive(Debug)]
struct End {
    condition: &'static str,
    attempts: u32,
    last: Option<Invoked>,
}

/// Queues an event and serves it in the background.
///
/// # Errors
/// `TooManyRequestsException` when too many events wait.
pub(super) fn queue(
    lambda: &Arc<Lambda>,
    pool: Arc<Pool>,
    invocation: Invocation,
) -> Result<(), AwsError> {
    let Some(place) = lambda.events.enter() else {
        let message = format!("{MAX_WAITING} events wait already");
        let status = http::StatusCode::TOO_MANY_REQUESTS;
        return Err(AwsError::new(status, "TooManyRequestsException", message));
    };
    let lambda = Arc::clone(lambda);
    tokio::spawn(async move {
        let stop = lambda.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = serve(&lambda, &pool, &invocation) => {}
        }
        drop(place);
    });
    Ok(())
}

async fn serve(lambda: &Lambda, pool: &Arc<Pool>, invocation: &Invocation) {
    let end = attempt(lambda, pool, invocation).await;
    let settings = &pool.function().event_invoke;
    let destination = match end.condition {
        "Success" => &settings.on_success,
        _ => &settings.on_failure,
    };
    if end.condition != "Success" {
        let (name, id) = (&pool.function().name, &invocation.request_id);
        let to = destination.as_deref().unwrap_or("nowhere: the function has no OnFailure");
        tracing::warn!("event {id} for {name} given up ({}); it goes to {to}", end.condition);
    }
    if let Some(queue) = destination {
        let record = record(lambda, pool, invocation, &end).to_string();
        if let Err(reason) = send(lambda, pool, queue, record).await {
            tracing::error!("the record of event {} is lost: {reason}", invocation.request_id);
        }
    }
}

/// Puts a record into its queue on the function's behalf, whose role must allow it.
async fn send(lambda: &Lambda, pool: &Pool, queue: &str, record: String) -> Result<(), String> {
    lambda.iam.may_send(pool.function(), queue).map_err(|denied| denied.to_string())?;
    lambda.sqs.send(queue, record, BTreeMap::new()).await.map_err(|error| error.to_string())
}

async fn attempt(lambda: &Lambda, pool: &Arc<Pool>, invocation: &Invocation) -> End {
    let settings = pool.function().event_invoke.clone();
    let received_ms = lambda.clock.now_ms();
    let too_old = |wait: Duration| {
        let age = lambda.clock.now_ms() - received_ms;
        let age = Duration::from_millis(u64::try_from(age).unwrap_or(0));
        age + wait > settings.maximum_event_age
    };
    let (mut attempts, mut backoff, mut last) = (0, FIRST_BACKOFF, None);
    loop {
        let wait = match once(lambda, pool, invocation).await {
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
        lambda.clock.sleep(wait).await;
    }
}

async fn once(
    lambda: &Lambda,
    pool: &Arc<Pool>,
    invocation: &Invocation,
) -> Result<Invoked, AwsError> {
    let fault = lambda.faults.gate("lambda", "Invoke", &pool.function().name).await?;
    pool.invoke(invocation.clone(), fault).await
}

/// The record that a destination gets (Lambda guide, "Adding a destination").
fn record(lambda: &Lambda, pool: &Pool, invocation: &Invocation, end: &End) -> Value {
    let parsed = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    let mut record = json!({
        "version": "1.0",
        "timestamp": rfc3339(lambda.clock.now_ms()),
        "requestContext": {
            "requestId": invocation.request_id,
            "functionArn": format!("{}:$LATEST", pool.function().arn),
            "condition": end.condition,
            "approximateInvokeCount": end.attempts,
        },
        "requestPayload": parsed(&invocation.payload),
    });
    if let Some(last) = &end.last {
        let mut context = json!({ "statusCode": 200, "executedVersion": "$LATEST" });
        if let Some(error) = &last.function_error {
            context["functionError"] = error.as_str().into();
        }
        record["responseContext"] = context;
        record["responsePayload"] = parsed(&last.payload);
    }
    record
}
