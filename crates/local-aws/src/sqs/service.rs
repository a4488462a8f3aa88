//! The queues of the template, and the sending and receiving of messages.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::aws_error::AwsError;
use crate::clock::Clock;
use crate::cloudwatch::Metrics;
use crate::faults::Faults;
use sam_template::Queue;

use super::errors::no_such_queue;
use super::message::{Attribute, NewMessage, Sent};
use super::policy;
use super::queue::{QueueState, Received, millis};

/// The service.
#[derive(Debug)]
pub struct Sqs {
    pub(super) clock: Clock,
    pub(super) faults: Faults,
    queues: Mutex<BTreeMap<String, QueueState>>,
    /// Notified when a message arrives.
    arrived: Notify,
}

impl Sqs {
    /// Creates the queues of the template, empty.
    pub fn new(clock: Clock, faults: Faults, queues: &[Queue]) -> Arc<Self> {
        let now = clock.now_ms();
        let state = |queue: &Queue| (queue.name.clone(), QueueState::new(queue.clone(), now));
        let queues = Mutex::new(queues.iter().map(state).collect());
        Arc::new(Self { clock, faults, queues, arrived: Notify::new() })
    }

    /// Creates queues, or gives those that exist their new settings.
    pub(crate) fn create(&self, wanted: &[Queue]) {
        let now = self.clock.now_ms();
        let mut queues = self.lock();
        for queue in wanted {
            let state = queues.entry(queue.name.clone());
            let state = state.or_insert_with(|| QueueState::new(queue.clone(), now));
            state.config = queue.clone();
        }
    }

    /// Deletes all other queues. Their messages are lost.
    pub(crate) fn remove_others(&self, wanted: &[Queue]) {
        self.lock().retain(|name, _| wanted.iter().any(|queue| queue.name == *name));
        // A receiver of a deleted queue does not wait for its time to end.
        self.arrived.notify_waiters();
    }

    /// Sends a message on behalf of a service (dead letters, OnFailure records). `attributes`
    /// become string message attributes.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, or a fault's error.
    pub async fn send(
        &self,
        queue_arn: &str,
        body: String,
        attributes: BTreeMap<String, String>,
    ) -> Result<(), AwsError> {
        self.send_traced(queue_arn, body, attributes, None).await
    }

    async fn send_traced(
        &self,
        queue_arn: &str,
        body: String,
        attributes: BTreeMap<String, String>,
        trace: Option<String>,
    ) -> Result<(), AwsError> {
        let name = queue_arn.rsplit(':').next().unwrap_or_default();
        self.faults.gate("sqs", "SendMessage", name).await?;
        let attributes =
            attributes.into_iter().map(|(name, value)| (name, Attribute::text(value))).collect();
        self.put(name, NewMessage { body, attributes, delay: None, trace }).map(|_| ())
    }

    /// As [`Sqs::send`], if the queue's policy allows `service` (for example
    /// `events.amazonaws.com`) to send on behalf of `source_arn`, with the sender's trace header.
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
        trace: Option<String>,
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
        self.send_traced(queue_arn, body, attributes, trace).await
    }

    /// Returns the service's part of `/_local/state`.
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

    /// Samples the gauges of each queue (SQS developer guide, "Available CloudWatch metrics").
    pub(crate) fn sample_metrics(&self, metrics: &Metrics) {
        let now = self.clock.now_ms();
        for (name, queue) in self.lock().iter_mut() {
            let (counts, oldest) = (queue.counts(now), queue.oldest());
            let age = oldest.map_or(0, |sent| now.saturating_sub(sent) / 1000);
            for (metric, unit, value) in [
                ("ApproximateNumberOfMessagesVisible", "Count", counts.visible as f64),
                ("ApproximateNumberOfMessagesNotVisible", "Count", counts.in_flight as f64),
                ("ApproximateNumberOfMessagesDelayed", "Count", counts.delayed as f64),
                ("ApproximateAgeOfOldestMessage", "Seconds", age as f64),
            ] {
                metrics.count("AWS/SQS", metric, ("QueueName", name), unit, value);
            }
        }
    }

    pub(super) fn put(&self, name: &str, message: NewMessage) -> Result<Sent, AwsError> {
        let now = self.clock.now_ms();
        let sent = self.lock().get_mut(name).ok_or_else(no_such_queue)?.send(message, now)?;
        self.arrived.notify_waiters();
        Ok(sent)
    }

    /// Takes up to `most` messages, waiting for the first one for up to `wait` of the cloud's time.
    pub(super) async fn take(
        &self,
        name: &str,
        most: usize,
        visibility: Option<Duration>,
        wait: Option<Duration>,
    ) -> Result<Vec<Received>, AwsError> {
        let mut until = None;
        loop {
            // Subscribes before it checks the queue, so that no message that arrives in between is
            // missed.
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

    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<String, QueueState>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
