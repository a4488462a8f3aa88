//! Delivers one event to one target: attempts with backoff within the target's retry policy, then
//! the dead-letter queue.
//!
//! Delivery to a function is an asynchronous invocation: EventBridge retries until Lambda has
//! queued the event; Lambda retries the function.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rand::RngExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::pattern;
use super::rule::RuleState;
use crate::aws_error::AwsError;
use crate::clock::Clock;
use crate::cloudwatch::Metrics;
use crate::faults::{FaultKind, Faults};
use crate::lambda::Lambda;
use crate::sqs::Sqs;
use sam_template::{Rule, Target};

/// The most pending deliveries; beyond it, entries are throttled.
const MAX_DELIVERIES: usize = 10_000;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The services behind targets, and the number of pending deliveries.
#[derive(Debug)]
pub(super) struct Targets {
    pub(super) clock: Clock,
    pub(super) faults: Faults,
    metrics: Metrics,
    lambda: Arc<Lambda>,
    sqs: Arc<Sqs>,
    pending: AtomicUsize,
    pub(super) stop: CancellationToken,
}

impl Targets {
    pub(super) fn new(
        clock: Clock,
        faults: Faults,
        metrics: Metrics,
        lambda: Arc<Lambda>,
        sqs: Arc<Sqs>,
    ) -> Self {
        let (pending, stop) = (AtomicUsize::default(), CancellationToken::new());
        Self { clock, faults, metrics, lambda, sqs, pending, stop }
    }

    /// Counts an event in a metric of its rule (EventBridge user guide, "Monitoring Amazon
    /// EventBridge").
    pub(super) fn metric(&self, rule: &Rule, metric: &str) {
        self.metrics.count("AWS/Events", metric, ("RuleName", &rule.name), "Count", 1.0);
    }

    /// Delivers an event in the background.
    pub(super) fn deliver(self: &Arc<Self>, delivery: Delivery) {
        self.pending.fetch_add(1, Ordering::Relaxed);
        let targets = Arc::clone(self);
        tokio::spawn(async move { delivery.run(&targets).await });
    }

    /// Returns the number of deliveries that have not ended.
    pub(super) fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// Whether fewer deliveries are pending than the limit.
    pub(super) fn has_room(&self) -> bool {
        self.pending() < MAX_DELIVERIES
    }
}

/// A delivery of one event to one target.
#[derive(Debug)]
pub(super) struct Delivery {
    rule: Arc<RuleState>,
    target: Target,
    input: String,
    event: String,
    trace: Option<String>,
}

/// The outcome of a delivery.
enum End {
    Delivered,
    /// Given up after `retries`, with the limit of the retry policy that was reached, if any.
    GivenUp {
        error: AwsError,
        retries: u32,
        limit: Option<&'static str>,
    },
    /// A fault dropped it.
    Lost,
    /// The services stopped.
    Stopped,
}

impl Delivery {
    pub(super) fn new(
        rule: &Arc<RuleState>,
        target: Target,
        event: &Value,
        trace: Option<&str>,
    ) -> Self {
        let input = input_of(&target, event);
        let trace = trace.map(str::to_owned);
        Self { rule: Arc::clone(rule), target, input, event: event.to_string(), trace }
    }

    async fn run(self, targets: &Targets) {
        match self.attempts(targets).await {
            End::Delivered => {
                self.rule.counts.delivered.fetch_add(1, Ordering::Relaxed);
            }
            End::Lost => {
                self.rule.counts.lost.fetch_add(1, Ordering::Relaxed);
            }
            End::Stopped => {}
            End::GivenUp { error, retries, limit } => {
                targets.metric(&self.rule.rule, "FailedInvocations");
                self.dead_letter(targets, &error, retries, limit).await;
            }
        }
        targets.pending.fetch_sub(1, Ordering::Relaxed);
    }

    async fn attempts(&self, targets: &Targets) -> End {
        let began = targets.clock.now_ms();
        let policy = self.target.retry;
        let mut retries = 0;
        loop {
            let error = match self.attempt(targets).await {
                Ok(end) => return end,
                Err(error) => error,
            };
            let age = u64::try_from(targets.clock.now_ms() - began).unwrap_or(0);
            let limit = if !error.retryable() {
                None
            } else if retries >= policy.maximum_retry_attempts {
                Some("MaximumRetryAttempts")
            } else if Duration::from_millis(age) >= policy.maximum_event_age {
                Some("MaximumEventAgeInSeconds")
            } else {
                tokio::select! {
                    () = targets.clock.sleep(pause(retries)) => {}
                    () = targets.stop.cancelled() => return End::Stopped,
                }
                retries += 1;
                continue;
            };
            return End::GivenUp { error, retries, limit };
        }
    }

    async fn attempt(&self, targets: &Targets) -> Result<End, AwsError> {
        targets.metric(&self.rule.rule, "Invocations");
        let fault = targets.faults.gate("events", "Deliver", &self.rule.rule.name).await?;
        let kind = fault.as_ref().map(|fault| fault.kind);
        if kind == Some(FaultKind::Cut) {
            return Ok(End::Lost);
        }
        let arn = &self.target.arn;
        if arn.split(':').nth(2) == Some("sqs") {
            let (rule, body) = (&self.rule.rule.arn, self.input.clone());
            let trace = self.trace.clone();
            targets.sqs.send_from(PRINCIPAL, rule, arn, body, BTreeMap::new(), trace).await?;
        } else {
            let payload = self.input.clone().into();
            targets.lambda.invoke_async(arn, payload, self.trace.clone()).await?;
        }
        match fault {
            Some(fault) if kind == Some(FaultKind::AnswerLost) => Err(fault.error()),
            _ => Ok(End::Delivered),
        }
    }

    /// Sends the event to the dead-letter queue, with the reason in its attributes.
    async fn dead_letter(
        &self,
        targets: &Targets,
        error: &AwsError,
        retries: u32,
        limit: Option<&'static str>,
    ) {
        let rule = &self.rule.rule;
        tracing::warn!(
            rule = rule.name, target = self.target.id, %error, retries, "event not delivered"
        );
        let Some(queue) = &self.target.dead_letter_arn else {
            self.rule.counts.lost.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let mut attributes = BTreeMap::from([
            ("RULE_ARN".to_owned(), rule.arn.clone()),
            ("TARGET_ARN".to_owned(), self.target.arn.clone()),
            ("ERROR_CODE".to_owned(), error_code(error).to_owned()),
            ("ERROR_MESSAGE".to_owned(), error.message.clone()),
            ("RETRY_ATTEMPTS".to_owned(), retries.to_string()),
        ]);
        if let Some(limit) = limit {
            attributes.insert("EXHAUSTED_RETRY_CONDITION".to_owned(), limit.to_owned());
        }
        let body = self.event.clone();
        match targets.sqs.send_from(PRINCIPAL, &rule.arn, queue, body, attributes, None).await {
            Ok(()) => {
                targets.metric(rule, "InvocationsSentToDlq");
                self.rule.counts.dead_lettered.fetch_add(1, Ordering::Relaxed)
            }
            Err(error) => {
                tracing::error!(rule = rule.name, queue, %error, "dead letter lost");
                self.rule.counts.lost.fetch_add(1, Ordering::Relaxed)
            }
        };
    }
}

const PRINCIPAL: &str = "events.amazonaws.com";

/// Returns the input of a target for an event: the event, the target's input, or a part of the
/// event.
fn input_of(target: &Target, event: &Value) -> String {
    if let Some(input) = &target.input {
        return input.clone();
    }
    match &target.input_path {
        Some(path) => pattern::at_path(event, path).unwrap_or(&Value::Null).to_string(),
        None => event.to_string(),
    }
}

/// Returns an exponential backoff with jitter, at least half of its maximum.
fn pause(retries: u32) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << retries.min(16)).min(LONGEST_PAUSE);
    let jitter = rand::rng().random_range(0.5..=1.0);
    longest.mul_f64(jitter)
}

/// Returns EventBridge's error code for an error (User Guide, "Using dead-letter queues").
fn error_code(error: &AwsError) -> &'static str {
    match &*error.code {
        "ResourceNotFoundException" | "QueueDoesNotExist" => "NO_RESOURCE",
        "AccessDenied" | "AccessDeniedException" => "NO_PERMISSIONS",
        "TooManyRequestsException" | "ThrottlingException" => "THROTTLING",
        "InvalidRequestContentException" | "RequestTooLargeException" => "INVALID_PARAMETER",
        _ if error.status.is_server_error() => "INTERNAL_ERROR",
        _ => "SDK_CLIENT_ERROR",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit() {
        for retries in 0..40 {
            let longest = FIRST_PAUSE.saturating_mul(1 << retries.min(16)).min(LONGEST_PAUSE);
            let pause = pause(retries);
            assert!(pause <= longest && pause >= longest / 2, "{retries}: {pause:?}");
        }
    }

    #[test]
    fn reasons_are_named_as_eventbridge_names_them() {
        assert_eq!(error_code(&AwsError::not_found("f")), "NO_RESOURCE");
        assert_eq!(error_code(&AwsError::internal("ServiceException", "x")), "INTERNAL_ERROR");
        assert_eq!(
            error_code(&AwsError::bad_request("TooManyRequestsException", "")),
            "THROTTLING"
        );
    }
}
