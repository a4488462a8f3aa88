//! Rules, queues and archives.

use std::time::Duration;

use serde_json::Value;

/// A rule on an event bus.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name inside the template.
    pub logical_id: String,
    /// Its deployed name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The name of the bus. Default: `default`.
    pub bus: String,
    /// The description.
    pub description: Option<String>,
    /// Whether it is enabled.
    pub enabled: bool,
    /// The events it matches.
    pub pattern: Option<Value>,
    /// `rate(...)` or `cron(...)`.
    pub schedule: Option<String>,
    /// The targets of its events.
    pub targets: Vec<Target>,
}

/// A target of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Its id inside the rule.
    pub id: String,
    /// The function or queue.
    pub arn: String,
    /// `Input`: the JSON text that replaces the event.
    pub input: Option<String>,
    /// `InputPath`: the part of the event that replaces it.
    pub input_path: Option<String>,
    /// `InputTransformer`, as written.
    pub input_transformer: Option<Value>,
    /// The retry policy of its deliveries.
    pub retry: RetryPolicy,
    /// The ARN of the queue for undeliverable events.
    pub dead_letter_arn: Option<String>,
}

/// A target's retry policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Retries after the first attempt: 0..=185.
    pub maximum_retry_attempts: u32,
    /// Maximum age of an event, in the cloud's time: 60 s to 24 h.
    pub maximum_event_age: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { maximum_retry_attempts: 185, maximum_event_age: Duration::from_secs(86_400) }
    }
}

/// An SQS queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// Its name inside the template.
    pub logical_id: String,
    /// Its deployed name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its URL on this cloud.
    pub url: String,
    /// Visibility timeout of a received message, in the cloud's time.
    pub visibility_timeout: Duration,
    /// Retention period of a message, in the cloud's time.
    pub retention: Duration,
    /// How long ReceiveMessage waits when the queue is empty, in the cloud's time.
    pub receive_wait: Duration,
    /// Delay before a new message is visible, in the cloud's time.
    pub delay: Duration,
    /// `RedrivePolicy`, as written.
    pub redrive_policy: Option<Value>,
    /// The documents of the policies that name this queue.
    pub policies: Vec<Value>,
}

/// An archive of a bus.
#[derive(Debug, Clone, PartialEq)]
pub struct Archive {
    /// Its name inside the template.
    pub logical_id: String,
    /// Its deployed name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The ARN of the archived bus.
    pub source_arn: String,
    /// The description.
    pub description: Option<String>,
    /// The pattern of archived events; absent: all events.
    pub pattern: Option<Value>,
    /// Retention in days; 0: unlimited.
    pub retention_days: u32,
}
