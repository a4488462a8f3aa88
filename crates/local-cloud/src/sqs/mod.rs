//! SQS: what the dead-letter queues need. Standard queues, the json-1.0 protocol.
//!
//! - `queue`: one queue's messages, in flight and waiting. Time is passed in.
//! - `message`: what a message is and its MD5s, which SDKs check.
//! - `api`: the operations, from JSON to JSON.
//! - `policy`: whether a queue's policy lets a service send.

mod api;
mod message;
mod policy;
mod queue;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::aws_error::AwsError;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::template::Queue;

pub(crate) use api::queue_of;
use message::{Attribute, NewMessage};
use queue::{QueueState, Received};

const JSON: &str = "application/x-amz-json-1.0";
/// A request with ten messages of together 1 MiB, in JSON.
const MAX_REQUEST: usize = 8 * 1024 * 1024;

/// The service.
#[derive(Debug)]
pub struct Sqs {
    clock: Clock,
    faults: Faults,
    queues: Mutex<BTreeMap<String, QueueState>>,
    /// Wakes the receivers that wait.
    arrived: Notify,
}

impl Sqs {
    /// The queues of the template, empty.
    pub fn new(clock: Clock, faults: Faults, queues: &[Queue]) -> Arc<Self> {
        let now = clock.now_ms();
        let state = |queue: &Queue| (queue.name.clone(), QueueState::new(queue.clone(), now));
        let queues = Mutex::new(queues.iter().map(state).collect());
        Arc::new(Self { clock, faults, queues, arrived: Notify::new() })
    }

    /// Puts a message into a queue on a service's behalf (dead letters, OnFailure records).
    /// `attributes` become string message attributes.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, or what a fault says.
    pub async fn send(
        &self,
        queue_arn: &str,
        body: String,
        attributes: BTreeMap<String, String>,
    ) -> Result<(), AwsError> {
        let name = queue_arn.rsplit(':').next().unwrap_or_default();
        self.faults.gate("sqs", "SendMessage", name).await?;
        let attributes =
            attributes.into_iter().map(|(name, value)| (name, Attribute::text(value))).collect();
        self.put(name, NewMessage { body, attributes, delay: None, trace: None }).map(|_| ())
    }

    /// As [`Sqs::send`], if the queue's policy lets `service` (for example `events.amazonaws.com`)
    /// send on behalf of `source_arn`.
    ///
    /// # Errors
    /// As [`Sqs::send`], and `AccessDenied` when no statement of the policy allows it.
    pub async fn send_from(
        &self,
        service: &str,
        source_arn: &str,
        queue_arn: &str,
        body: String,
        attributes: BTreeMap<String, String>,
    ) -> Result<(), AwsError> {
        {
            let queues = self.lock();
            let found = queues.values().find(|queue| queue.config.arn == queue_arn);
            let queue = found.ok_or_else(no_such_queue)?;
            if !policy::may_send(&queue.config.policies, service, source_arn, queue_arn) {
                let message = format!(
                    "the policy of {queue_arn} does not let {service} send for {source_arn}"
                );
                return Err(AwsError::new(http::StatusCode::FORBIDDEN, "AccessDenied", message));
            }
        }
        self.send(queue_arn, body, attributes).await
    }

    /// The operations that a fault can strike.
    pub fn operations() -> impl Iterator<Item = &'static str> {
        api::OPERATIONS.into_iter()
    }

    /// Answers one request of the `sqs` scope.
    pub async fn handle(self: Arc<Self>, request: Request) -> Response {
        let operation = crate::wire::operation(request.headers());
        match self.answer(&operation, request).await {
            Ok(body) => {
                ([(header::CONTENT_TYPE, HeaderValue::from_static(JSON))], body.to_string())
                    .into_response()
            }
            Err(error) => on_the_wire(error),
        }
    }

    /// What `/_local/state` shows.
    pub fn state(&self) -> Value {
        let now = self.clock.now_ms();
        let mut queues = self.lock();
        let shown = queues.iter_mut().map(|(name, queue)| {
            let counts = queue.counts(now);
            let counts = json!({
                "visible": counts.visible, "inFlight": counts.in_flight, "delayed": counts.delayed
            });
            (name.clone(), counts)
        });
        Value::Object(shown.collect())
    }

    /// The answer that says why a call was refused before it came here.
    pub(crate) fn refused(error: AwsError) -> Response {
        on_the_wire(error)
    }

    async fn answer(&self, operation: &str, request: Request) -> Result<Value, AwsError> {
        let body = axum::body::to_bytes(request.into_body(), MAX_REQUEST).await;
        let body = body.map_err(|_| {
            AwsError::bad_request("InvalidParameterValue", "the request is longer than 8 MiB")
        })?;
        let body: Value = serde_json::from_slice(&body).map_err(|error| {
            AwsError::bad_request("SerializationException", format!("not JSON: {error}"))
        })?;
        let target = queue_of(&body).unwrap_or_default();
        let fault = self.faults.gate("sqs", operation, target).await?;
        let answer = self.run(operation, &body).await?;
        match fault {
            Some(fault) if fault.kind == crate::faults::FaultKind::AnswerLost => Err(fault.error()),
            _ => Ok(answer),
        }
    }

    fn put(&self, name: &str, message: NewMessage) -> Result<message::Sent, AwsError> {
        let now = self.clock.now_ms();
        let sent = self.lock().get_mut(name).ok_or_else(no_such_queue)?.send(message, now)?;
        self.arrived.notify_waiters();
        Ok(sent)
    }

    /// Takes up to `most` messages, waiting for the first one for up to `wait` of the cloud's time.
    async fn take(
        &self,
        name: &str,
        most: usize,
        visibility: Option<Duration>,
        wait: Option<Duration>,
    ) -> Result<Vec<Received>, AwsError> {
        let mut until = None;
        loop {
            // Listens before it looks, so that nothing arrives in between unseen.
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            let now = self.clock.now_ms();
            let next = {
                let mut queues = self.lock();
                let queue = queues.get_mut(name).ok_or_else(no_such_queue)?;
                let wait = wait.unwrap_or(queue.config.receive_wait);
                until.get_or_insert(now + millis(wait));
                let (received, dead) = queue.receive(most, visibility, now);
                let next = queue.next_visible();
                for (arn, message) in dead {
                    let target = arn.rsplit(':').next().unwrap_or_default().to_owned();
                    if let Some(target) = queues.get_mut(&target) {
                        target.accept(message, now);
                    }
                }
                if !received.is_empty() || until.is_some_and(|until| now >= until) {
                    return Ok(received);
                }
                next
            };
            let until = until.unwrap_or(now);
            let pause = next.unwrap_or(until).min(until) - now;
            let pause = Duration::from_millis(u64::try_from(pause.max(1)).unwrap_or(1));
            tokio::select! {
                () = arrived => {}
                () = self.clock.sleep(pause) => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, QueueState>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

fn no_such_queue() -> AwsError {
    AwsError::bad_request("QueueDoesNotExist", "The specified queue does not exist.")
}

/// SQS names its errors with a namespace, and their names of the older query protocol in a header.
fn on_the_wire(error: AwsError) -> Response {
    let older = match &*error.code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue".to_owned(),
        "MessageNotInflight" => "AWS.SimpleQueueService.MessageNotInflight".to_owned(),
        "EmptyBatchRequest"
        | "TooManyEntriesInBatchRequest"
        | "BatchEntryIdsNotDistinct"
        | "BatchRequestTooLong" => format!("AWS.SimpleQueueService.{}", error.code),
        other => other.to_owned(),
    };
    let side = if error.status.is_server_error() { "Receiver" } else { "Sender" };
    let named = AwsError { code: format!("com.amazonaws.sqs#{}", error.code).into(), ..error };
    let mut response = named.json(JSON);
    if let Ok(value) = HeaderValue::from_str(&format!("{older};{side}")) {
        response.headers_mut().insert("x-amzn-query-error", value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_operation_that_a_fault_may_name_is_run() {
        let sqs = Sqs::new(Clock::new(1.0), Faults::default(), &[]);
        for operation in Sqs::operations() {
            let answer = sqs.run(operation, &serde_json::json!({})).await;
            let code = answer.err().map(|error| error.code);
            assert_ne!(code.as_deref(), Some("NotImplemented"), "{operation}");
        }
    }
}
