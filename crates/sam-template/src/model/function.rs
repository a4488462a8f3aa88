//! Functions, and how events invoke them.

use std::collections::BTreeMap;
use std::time::Duration;

/// A function.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Its name inside the template.
    pub logical_id: String,
    /// The package of its binary: the last part of CodeUri.
    pub package: String,
    /// The name of its log: its package, or its deployed name if an earlier function has the same
    /// package.
    pub log: String,
    /// Its deployed name.
    pub name: String,
    /// `arn:aws:lambda:REGION:ACCOUNT:function:NAME`.
    pub arn: String,
    /// The alias of its published version (`AutoPublishAlias`).
    pub alias: Option<String>,
    /// How it runs on managed instances, if it does (`CapacityProviderConfig`).
    pub instances: Option<ManagedInstances>,
    /// Timeout of an invocation, in the cloud's time.
    pub timeout: Duration,
    /// Memory in MB: 128..=10240. Passed to the function, not enforced.
    pub memory_mb: u32,
    /// The ARN of its role; absent if SAM creates the role, which is not modelled here.
    pub role: Option<String>,
    /// The environment, every value resolved.
    pub environment: BTreeMap<String, String>,
    /// Maximum number of concurrent invocations, if limited.
    pub reserved_concurrency: Option<u32>,
    /// The settings of asynchronous invocations.
    pub event_invoke: EventInvoke,
    /// Whether Lambda traces invocations for which the caller has not decided (`Tracing: Active`).
    pub tracing_active: bool,
    /// Whether recursive loops are allowed (`RecursiveLoop: Allow`).
    pub recursive_loop_allowed: bool,
}

/// A function's part of managed instances: its environments run several invocations at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManagedInstances {
    /// Invocations that one environment runs at once
    /// (`PerExecutionEnvironmentMaxConcurrency`).
    pub max_concurrency: u32,
}

/// How Lambda retries asynchronous invocations (`EventInvokeConfig`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventInvoke {
    /// Retries after a function error: 0..=2.
    pub maximum_retry_attempts: u32,
    /// Maximum age of an event, in the cloud's time: 60 s to 6 h.
    pub maximum_event_age: Duration,
    /// Destination of the record of a given-up event (ARN).
    pub on_failure: Option<String>,
    /// Destination of the record of a successful event (ARN).
    pub on_success: Option<String>,
}

impl Default for EventInvoke {
    fn default() -> Self {
        Self {
            maximum_retry_attempts: 2,
            maximum_event_age: Duration::from_secs(21_600),
            on_failure: None,
            on_success: None,
        }
    }
}
