//! One fault: the calls that it matches, its effect, and the rules that its fields obey.

use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws_error::AwsError;

use super::{MAX_FAULTS, Operations, network};

/// The effect of a fault on a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The call fails with `status`, `code` and `message` and has no effect.
    #[default]
    Error,
    /// One entry of a batch (PutEvents) fails inside a successful answer.
    Entry,
    /// The call is delayed by `delayMs` of real time.
    Delay,
    /// The call takes effect, but the caller receives the error.
    AnswerLost,
    /// The body breaks off after `extra.afterBytes` bytes.
    Cut,
    /// The body ends cleanly after `extra.afterBytes` bytes, as GetMedia ends one after 45 minutes.
    End,
    /// The body pauses for `delayMs` of real time after `extra.afterBytes` bytes.
    Stall,
    /// The body ends with an error tag (`extra.errorId`, `extra.errorCode`).
    ErrorTag,
    /// After a fragment, an endless Void element follows: 1 KB every `delayMs` of real time.
    Void,
    /// `extra.bytes` (default 16) bytes of the body are damaged, from `extra.afterBytes` on.
    Damage,
    /// The call has no effect and is answered with `extra.answer`. For a Lambda function,
    /// `extra.functionError` marks the answer as a function error. An event (`InvokeAsync`) is
    /// accepted and dropped.
    Answer,
    /// The function's process is killed `delayMs` of real time after the invocation was handed
    /// over.
    Kill,
    /// Nothing passes between a channel's clients and the service for `delayMs` of real time, or
    /// until the fault is removed if that is 0 (`ClientNetwork`).
    Outage,
    /// `extra.dropPercent` of 100 audio datagrams that a channel's clients send are lost, at equal
    /// distances, until the fault is removed (`ClientAudio`).
    Loss,
}

/// A fault and the calls that it matches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// The service's signing name: `lambda`, `dynamodb`, `events`, `kinesisvideo`, `sqs`,
    /// `execute-api`.
    pub service: String,
    /// The operation, for example `PutEvents`; absent: any. For Lambda `Invoke` is every run of a
    /// function, also each attempt at an event, and `InvokeAsync` the taking of an event; for
    /// EventBridge `Deliver` is an attempt to deliver; for Kinesis Video Streams `GetMediaBody` is
    /// each piece of a GetMedia body that is being sent, and `ClientNetwork` and `ClientAudio` are
    /// all that the clients of a signaling channel exchange with the service; for the HTTP API it
    /// is a route, for example `POST /sessions`; for WebSocket connections `PostToConnection` and
    /// its like, on a connection's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The function, table, stream, channel, queue or connection: every name that contains this
    /// text; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The number of calls that it still applies to.
    #[serde(default = "once")]
    pub times: u32,
    /// The number of matching calls that it still skips.
    #[serde(default)]
    pub skip: u32,
    /// Its effect.
    #[serde(default)]
    pub kind: FaultKind,
    /// HTTP status of the error, 400 to 599.
    #[serde(default = "internal")]
    pub status: u16,
    /// The error's code.
    #[serde(default = "internal_failure")]
    pub code: String,
    /// The error's message.
    #[serde(default)]
    pub message: String,
    /// Real milliseconds for the kinds that wait; at most ten minutes.
    #[serde(default)]
    pub delay_ms: u64,
    /// Further settings of the kind.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub extra: Value,
}

fn once() -> u32 {
    1
}

fn internal() -> u16 {
    500
}

fn internal_failure() -> String {
    "InternalFailure".to_owned()
}

impl Fault {
    pub(super) fn matches(&self, service: &str, operation: &str, target: &str) -> bool {
        self.service == service
            && self.operation.as_deref().is_none_or(|wanted| wanted == operation)
            && self.target.as_deref().is_none_or(|wanted| target.contains(wanted))
    }

    /// Returns the error for the caller.
    pub fn error(&self) -> AwsError {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let message = match self.message.as_str() {
            "" => "a fault set through /_local/faults",
            message => message,
        };
        AwsError::new(status, self.code.clone(), message)
    }

    /// Returns `delayMs`, in real time.
    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }

    pub(super) fn check(&self, operations: &Operations) -> Result<(), FaultError> {
        let known = operations
            .get(self.service.as_str())
            .ok_or_else(|| FaultError::Service(self.service.clone()))?;
        if let Some(operation) = &self.operation
            && !known.contains(operation)
        {
            return Err(FaultError::Operation {
                service: self.service.clone(),
                operation: operation.clone(),
                known: known.join(", "),
            });
        }
        if self.times == 0 {
            return Err(FaultError::Times);
        }
        if !(400..600).contains(&self.status) {
            return Err(FaultError::Status(self.status));
        }
        if self.delay_ms > 600_000 {
            return Err(FaultError::Delay(self.delay_ms));
        }
        let function_error = &self.extra["functionError"];
        if !function_error.is_null() && !function_error.is_string() {
            return Err(FaultError::FunctionError(function_error.clone()));
        }
        network::check(self).map_err(FaultError::Network)
    }
}

/// Selects pending faults by their fields; an absent field selects all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultFilter {
    /// The fault's service.
    pub service: Option<String>,
    /// The fault's operation.
    pub operation: Option<String>,
    /// The fault's target.
    pub target: Option<String>,
    /// The fault's effect.
    pub kind: Option<FaultKind>,
}

impl FaultFilter {
    pub(super) fn selects(&self, fault: &Fault) -> bool {
        self.service.as_ref().is_none_or(|service| *service == fault.service)
            && (self.operation.is_none() || self.operation == fault.operation)
            && (self.target.is_none() || self.target == fault.target)
            && self.kind.is_none_or(|kind| kind == fault.kind)
    }
}

/// Why a fault was rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No such service.
    #[error("service: no service is called {0:?}")]
    Service(String),
    /// The service has no such operation.
    #[error("operation: {service} has no operation {operation:?} for faults; it has {known}")]
    Operation {
        /// The service.
        service: String,
        /// The operation that the fault names.
        operation: String,
        /// The operations of the service.
        known: String,
    },
    /// `times` is 0.
    #[error("times: 0 is no call; it must be at least 1")]
    Times,
    /// The status is not one of an error.
    #[error("status: {0} is not within 400..=599")]
    Status(u16),
    /// The delay is too long.
    #[error("delayMs: {0} is more than 600000")]
    Delay(u64),
    /// The function error is not a text.
    #[error("extra.functionError: {0} is not a text such as \"Unhandled\"")]
    FunctionError(Value),
    /// A rule of faults of the network is broken.
    #[error("{0}")]
    Network(&'static str),
    /// Too many faults are pending.
    #[error("{MAX_FAULTS} faults are pending already: DELETE /_local/faults clears them")]
    TooMany,
}
