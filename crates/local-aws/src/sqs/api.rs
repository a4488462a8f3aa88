//! The operations, from JSON requests to JSON answers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde_json::{Map, Value, json};

use super::Sqs;
use super::errors::{JSON, error_response, no_such_queue};
use super::message::{MAX_MESSAGE, NewMessage, attributes_md5, md5, show};
use super::parameters::{number, queue_of, seconds};
use super::queue::{QueueState, Received};
use crate::aws_error::AwsError;
use crate::faults::FaultKind;

/// A request with ten messages of together 1 MiB, in JSON.
const MAX_REQUEST: usize = 8 * 1024 * 1024;

/// The operations of [`Sqs::run`]. Any other is not implemented, and no fault may name it.
pub(super) const OPERATIONS: [&str; 11] = [
    "GetQueueUrl",
    "ListQueues",
    "GetQueueAttributes",
    "SendMessage",
    "SendMessageBatch",
    "ReceiveMessage",
    "DeleteMessage",
    "DeleteMessageBatch",
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
    "PurgeQueue",
];

impl Sqs {
    /// Returns the operations that a fault may name.
    pub fn operations() -> impl Iterator<Item = &'static str> {
        OPERATIONS.into_iter()
    }

    /// Answers one request of the `sqs` scope.
    pub async fn handle(self: Arc<Self>, request: Request) -> Response {
        let operation = crate::wire::operation(request.headers());
        match self.answer(&operation, request).await {
            Ok(body) => {
                ([(header::CONTENT_TYPE, HeaderValue::from_static(JSON))], body.to_string())
                    .into_response()
            }
            Err(error) => error_response(error),
        }
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
            Some(fault) if fault.kind == FaultKind::AnswerLost => Err(fault.error()),
            _ => Ok(answer),
        }
    }

    pub(super) async fn run(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        let known = OPERATIONS.into_iter().find(|known| *known == operation);
        match known.unwrap_or_default() {
            "GetQueueUrl" => {
                self.queue(request, |queue, _| Ok(json!({"QueueUrl": queue.config.url})))
            }
            "ListQueues" => Ok(self.list(request)),
            "GetQueueAttributes" => {
                self.queue(request, |queue, now| Ok(queue_attributes(queue, request, now)))
            }
            "SendMessage" => {
                let name = queue_of(request).ok_or_else(no_such_queue)?;
                self.put(name, NewMessage::read(request)?).map(|sent| Value::Object(sent.show()))
            }
            "SendMessageBatch" => self.send_batch(request),
            "ReceiveMessage" => self.receive(request).await,
            "DeleteMessage" => {
                self.queue(request, |queue, _| queue.delete(receipt(request)?).map(|()| json!({})))
            }
            "DeleteMessageBatch" => self.batch(request, |sqs, entry| {
                sqs.queue(request, |queue, _| queue.delete(receipt(entry)?).map(|()| json!({})))
            }),
            "ChangeMessageVisibility" => self.change_visibility(request, request),
            "ChangeMessageVisibilityBatch" => {
                self.batch(request, |sqs, entry| sqs.change_visibility(request, entry))
            }
            "PurgeQueue" => self.queue(request, |queue, _| {
                queue.purge();
                Ok(json!({}))
            }),
            _ => Err(AwsError::not_implemented("sqs", operation)),
        }
    }

    fn queue(
        &self,
        request: &Value,
        act: impl FnOnce(&mut QueueState, i64) -> Result<Value, AwsError>,
    ) -> Result<Value, AwsError> {
        let name = queue_of(request).ok_or_else(no_such_queue)?;
        let now = self.clock.now_ms();
        act(self.lock().get_mut(name).ok_or_else(no_such_queue)?, now)
    }

    fn list(&self, request: &Value) -> Value {
        let prefix = request["QueueNamePrefix"].as_str().unwrap_or_default();
        let queues = self.lock();
        let found = queues.iter().filter(|(name, _)| name.starts_with(prefix));
        json!({"QueueUrls": found.map(|(_, queue)| queue.config.url.clone()).collect::<Vec<_>>()})
    }

    fn send_batch(&self, request: &Value) -> Result<Value, AwsError> {
        let name = queue_of(request).ok_or_else(no_such_queue)?;
        let entries = request["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
        let bytes = |entry: &Value| NewMessage::read(entry).map_or(0, |message| message.length());
        if entries.iter().map(bytes).sum::<usize>() > MAX_MESSAGE {
            let reason = "Batch requests cannot be longer than 1048576 bytes.";
            return Err(AwsError::bad_request("BatchRequestTooLong", reason));
        }
        self.batch(request, |sqs, entry| {
            sqs.put(name, NewMessage::read(entry)?).map(|sent| Value::Object(sent.show()))
        })
    }

    /// Runs each entry of a batch. The answer lists the failed entries beside the successful ones.
    fn batch(
        &self,
        request: &Value,
        act: impl Fn(&Self, &Value) -> Result<Value, AwsError>,
    ) -> Result<Value, AwsError> {
        self.queue(request, |_, _| Ok(Value::Null))?;
        let entries = request["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ids: BTreeSet<_> = entries.iter().filter_map(|entry| entry["Id"].as_str()).collect();
        let refuse = |code: &'static str, reason: &str| Err(AwsError::bad_request(code, reason));
        match entries.len() {
            0 => return refuse("EmptyBatchRequest", "There should be at least one entry."),
            1..=10 if ids.len() == entries.len() => {}
            1..=10 => return refuse("BatchEntryIdsNotDistinct", "Each entry needs its own Id."),
            _ => {
                let reason = "Maximum number of entries per request are 10.";
                return refuse("TooManyEntriesInBatchRequest", reason);
            }
        }
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for entry in entries {
            let id = entry["Id"].clone();
            match act(self, entry) {
                Ok(mut answer) => {
                    answer["Id"] = id;
                    done.push(answer);
                }
                Err(error) => failed.push(json!({
                    "Id": id, "Code": error.code, "Message": error.message,
                    "SenderFault": !error.status.is_server_error(),
                })),
            }
        }
        Ok(json!({"Successful": done, "Failed": failed}))
    }

    fn change_visibility(&self, request: &Value, entry: &Value) -> Result<Value, AwsError> {
        let timeout = seconds(entry, "VisibilityTimeout", 43_200)?;
        let timeout = timeout.ok_or_else(|| {
            let message = "The request must contain the parameter VisibilityTimeout.";
            AwsError::bad_request("MissingParameter", message)
        })?;
        self.queue(request, |queue, now| {
            queue.change_visibility(receipt(entry)?, timeout, now).map(|()| json!({}))
        })
    }

    async fn receive(&self, request: &Value) -> Result<Value, AwsError> {
        let name = queue_of(request).ok_or_else(no_such_queue)?;
        let most = number(request, "MaxNumberOfMessages", 1, 10)?.unwrap_or(1);
        let visibility = seconds(request, "VisibilityTimeout", 43_200)?;
        let wait = seconds(request, "WaitTimeSeconds", 20)?;
        let most = usize::try_from(most).unwrap_or(1);
        let received = self.take(name, most, visibility, wait).await?;
        if received.is_empty() {
            return Ok(json!({}));
        }
        let shown: Vec<_> =
            received.iter().map(|message| show_received(message, request)).collect();
        Ok(json!({"Messages": shown}))
    }
}

fn receipt(entry: &Value) -> Result<&str, AwsError> {
    entry["ReceiptHandle"].as_str().ok_or_else(|| {
        let message = "The request must contain the parameter ReceiptHandle.";
        AwsError::bad_request("MissingParameter", message)
    })
}

fn names(request: &Value, field: &str) -> Vec<String> {
    let names = request[field].as_array().into_iter().flatten();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn show_received(message: &Received, request: &Value) -> Value {
    let mut shown = json!({
        "MessageId": message.id, "ReceiptHandle": message.receipt, "Body": message.body,
        "MD5OfBody": md5(&message.body),
    });
    let mut wanted = names(request, "MessageSystemAttributeNames");
    wanted.extend(names(request, "AttributeNames"));
    let mut system = Map::new();
    system.insert("SentTimestamp".to_owned(), message.sent.to_string().into());
    system.insert("ApproximateReceiveCount".to_owned(), message.receives.to_string().into());
    let first = message.first_received.to_string();
    system.insert("ApproximateFirstReceiveTimestamp".to_owned(), first.into());
    system.insert("SenderId".to_owned(), "local-cloud".into());
    if let Some(trace) = &message.trace {
        system.insert("AWSTraceHeader".to_owned(), trace.clone().into());
    }
    system.retain(|name, _| wanted.iter().any(|it| it == "All" || it == name));
    if !system.is_empty() {
        shown["Attributes"] = Value::Object(system);
    }
    let wanted = names(request, "MessageAttributeNames");
    let mut attributes = message.attributes.clone();
    attributes.retain(|name, _| wanted.iter().any(|wanted| asks_for(wanted, name)));
    if let Some(md5) = attributes_md5(&attributes) {
        shown["MessageAttributes"] = show(&attributes);
        shown["MD5OfMessageAttributes"] = md5.into();
    }
    shown
}

/// `All`, `.*`, a name, or the beginning of names as `prefix.*`.
fn asks_for(wanted: &str, name: &str) -> bool {
    wanted == "All"
        || wanted == name
        || wanted.strip_suffix(".*").is_some_and(|prefix| name.starts_with(prefix))
}

fn queue_attributes(queue: &mut QueueState, request: &Value, now: i64) -> Value {
    let counts = queue.counts(now);
    let config = &queue.config;
    let created = (queue.created / 1000).to_string();
    let seconds = |duration: Duration| duration.as_secs().to_string();
    let mut all: Vec<(&str, String)> = vec![
        ("QueueArn", config.arn.clone()),
        ("ApproximateNumberOfMessages", counts.visible.to_string()),
        ("ApproximateNumberOfMessagesNotVisible", counts.in_flight.to_string()),
        ("ApproximateNumberOfMessagesDelayed", counts.delayed.to_string()),
        ("CreatedTimestamp", created.clone()),
        ("LastModifiedTimestamp", created),
        ("VisibilityTimeout", seconds(config.visibility_timeout)),
        ("MessageRetentionPeriod", seconds(config.retention)),
        ("DelaySeconds", seconds(config.delay)),
        ("ReceiveMessageWaitTimeSeconds", seconds(config.receive_wait)),
        ("MaximumMessageSize", MAX_MESSAGE.to_string()),
        ("SqsManagedSseEnabled", "true".to_owned()),
    ];
    all.extend(config.policies.first().map(|policy| ("Policy", policy.to_string())));
    all.extend(config.redrive_policy.as_ref().map(|policy| ("RedrivePolicy", policy.to_string())));
    let wanted = names(request, "AttributeNames");
    let asked = |name: &str| wanted.iter().any(|wanted| wanted == "All" || wanted == name);
    let shown: Map<_, _> = all
        .into_iter()
        .filter(|(name, _)| asked(name))
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect();
    if shown.is_empty() { json!({}) } else { json!({"Attributes": shown}) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::faults::Faults;

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
