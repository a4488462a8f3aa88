//! Faults on demand: `/_local/faults` (POST adds one, GET lists, DELETE clears).
//!
//! A fault waits for calls of one service, operation and target, lets `skip` of them pass and then
//! strikes `times` calls. Services ask [`Faults::take`] (or [`Faults::gate`], which already serves
//! errors and delays) once for each call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws_error::AwsError;

/// How many faults may wait at once.
pub const MAX_FAULTS: usize = 256;

/// What a fault does to the call it strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The call fails with `status`, `code` and `message` and has no effect.
    #[default]
    Error,
    /// One entry of a batch (PutEvents) fails inside a successful answer.
    Entry,
    /// The call waits `delayMs` of real time, then goes on.
    Delay,
    /// The call takes effect, but its answer is the error: the caller cannot know.
    AnswerLost,
    /// The body is cut in the middle (`extra.afterBytes` says where).
    Cut,
    /// The body ends in the middle (`extra.afterBytes`), but cleanly: as GetMedia ends one after 45
    /// minutes.
    End,
    /// The body stands still for `delayMs` of real time in the middle.
    Stall,
    /// The body ends with an error tag (`extra.errorId`, `extra.errorCode`).
    ErrorTag,
    /// Behind a fragment a Void element begins that never ends: 1 KB of it every `delayMs` of real
    /// time.
    Void,
    /// `extra.bytes` (default 16) bytes of the body come damaged, from `extra.afterBytes` on.
    Damage,
    /// The call has no effect and is answered with `extra.answer`, as if it had. Of a Lambda
    /// function `extra.functionError` says that this is its error. An event (`InvokeAsync`) is
    /// taken and lost.
    Answer,
    /// The function's process is killed `delayMs` of real time after it took the invocation.
    Kill,
}

/// One fault that waits for its calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// The service's signing name: `lambda`, `dynamodb`, `events`, `kinesisvideo`, `sqs`,
    /// `execute-api`.
    pub service: String,
    /// The operation, for example `PutEvents`; absent: any. For Lambda `Invoke` is every run of a
    /// function, also each attempt at an event, and `InvokeAsync` the taking of an event; for
    /// EventBridge `Deliver` is an attempt to deliver; for the HTTP API it is a route, for example
    /// `POST /sessions`; for WebSocket connections `PostToConnection` and its like, on a
    /// connection's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// What it is called on (function, table, stream, queue, connection); a name that contains this
    /// text matches; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// How many calls it still strikes.
    #[serde(default = "once")]
    pub times: u32,
    /// How many calls it still lets pass first.
    #[serde(default)]
    pub skip: u32,
    /// What it does.
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
    /// What else the kind reads.
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
    fn matches(&self, service: &str, operation: &str, target: &str) -> bool {
        self.service == service
            && self.operation.as_deref().is_none_or(|wanted| wanted == operation)
            && self.target.as_deref().is_none_or(|wanted| target.contains(wanted))
    }

    /// The error that the struck caller gets.
    pub fn error(&self) -> AwsError {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let message = match self.message.as_str() {
            "" => "a fault set through /_local/faults",
            message => message,
        };
        AwsError::new(status, self.code.clone(), message)
    }

    /// How long the kinds that wait do so, in real time.
    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }

    fn check(&self, operations: &Operations) -> Result<(), FaultError> {
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
        Ok(())
    }
}

/// Why a fault is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No such service.
    #[error("service: no service is called {0:?}")]
    Service(String),
    /// A fault that would wait for ever, because nothing is called like that.
    #[error("operation: {service} has no operation {operation:?} to strike; it has {known}")]
    Operation {
        /// The service.
        service: String,
        /// What the fault names.
        operation: String,
        /// What could be named.
        known: String,
    },
    /// A fault that would never strike.
    #[error("times: 0 strikes no call; it must be at least 1")]
    Times,
    /// Not an error's status.
    #[error("status: {0} is not within 400..=599")]
    Status(u16),
    /// Too long a wait.
    #[error("delayMs: {0} is more than 600000")]
    Delay(u64),
    /// Too many are waiting.
    #[error("{MAX_FAULTS} faults wait already: DELETE /_local/faults clears them")]
    TooMany,
}

/// The operations that a fault may name, by the service's signing name.
type Operations = BTreeMap<&'static str, Vec<String>>;

/// The pending faults. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    waiting: Arc<Mutex<Vec<Fault>>>,
    operations: Arc<Operations>,
}

impl Faults {
    /// Adds operations of `service` to those that a fault may name. [`Faults::add`] rejects a fault
    /// that names any other: no call could ever match it.
    #[must_use]
    pub fn with_operations(
        mut self,
        service: &'static str,
        operations: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let known = Arc::make_mut(&mut self.operations).entry(service).or_default();
        known.extend(operations.into_iter().map(Into::into));
        self
    }

    /// The first fault that strikes this call, if any; counts the call for the ones that match.
    pub fn take(&self, service: &str, operation: &str, target: &str) -> Option<Fault> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut struck = None;
        for fault in waiting.iter_mut().filter(|fault| fault.matches(service, operation, target)) {
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if fault.times > 0 {
                fault.times -= 1;
                struck = Some(fault.clone());
                break;
            }
        }
        waiting.retain(|fault| fault.times > 0);
        struck
    }

    /// Like [`Faults::take`], but serves the two plain kinds at once: an error is returned, a delay
    /// is waited for. Every other kind is handed back for the service to act on.
    ///
    /// # Errors
    /// The fault's error.
    pub async fn gate(
        &self,
        service: &str,
        operation: &str,
        target: &str,
    ) -> Result<Option<Fault>, AwsError> {
        match self.take(service, operation, target) {
            Some(fault) if fault.kind == FaultKind::Error => Err(fault.error()),
            Some(fault) if fault.kind == FaultKind::Delay => {
                tokio::time::sleep(fault.delay()).await;
                Ok(None)
            }
            other => Ok(other),
        }
    }

    /// Lets a fault wait.
    ///
    /// # Errors
    /// [`FaultError`] when a field is out of its range, nothing could ever be struck, or too many
    /// wait.
    pub fn add(&self, fault: Fault) -> Result<(), FaultError> {
        fault.check(&self.operations)?;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= MAX_FAULTS {
            return Err(FaultError::TooMany);
        }
        waiting.push(fault);
        Ok(())
    }

    /// The faults that still wait, oldest first.
    pub fn list(&self) -> Vec<Fault> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets all of them.
    pub fn clear(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults() -> Faults {
        Faults::default()
            .with_operations("events", ["PutEvents", "ListRules"])
            .with_operations("lambda", ["Invoke"])
            .with_operations("sqs", ["SendMessage"])
    }

    fn fault(json: Value) -> Fault {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_fault_skips_strikes_and_is_gone() {
        let faults = faults();
        let json = serde_json::json!({
            "service": "events", "operation": "PutEvents", "skip": 1, "times": 2, "status": 503
        });
        faults.add(fault(json)).unwrap();
        assert_eq!(faults.take("events", "ListRules", "default"), None);
        assert_eq!(faults.take("events", "PutEvents", "default"), None);
        for _ in 0..2 {
            let struck = faults.take("events", "PutEvents", "default").unwrap();
            assert_eq!(struck.error().status, StatusCode::SERVICE_UNAVAILABLE);
        }
        assert_eq!(faults.take("events", "PutEvents", "default"), None);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn a_target_is_matched_by_a_part_of_its_name() {
        let faults = faults();
        faults.add(fault(serde_json::json!({"service": "lambda", "target": "audio"}))).unwrap();
        assert!(faults.take("lambda", "Invoke", "kvs-stream-consumer-dev").is_none());
        assert!(faults.take("lambda", "Invoke", "audio-processor-dev").is_some());
    }

    #[test]
    fn a_wrong_field_is_refused_by_name() {
        let faults = faults();
        let error = faults.add(fault(serde_json::json!({"service": "ec2"}))).unwrap_err();
        assert!(error.to_string().starts_with("service:"));
        let json = serde_json::json!({"service": "sqs", "status": 200});
        assert!(faults.add(fault(json)).unwrap_err().to_string().starts_with("status:"));
        let json = serde_json::json!({"service": "sqs", "times": 0});
        assert!(faults.add(fault(json)).unwrap_err().to_string().starts_with("times:"));
        assert!(faults.list().is_empty());
    }
}
