//! SQS: what the dead-letter queues need.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use serde_json::Value;

use crate::aws_error::AwsError;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::template::Queue;

/// The service.
#[derive(Debug)]
pub struct Sqs {}

impl Sqs {
    /// The queues of the template, empty.
    pub fn new(clock: Clock, faults: Faults, queues: &[Queue]) -> Arc<Self> {
        let _ = (clock, faults, queues);
        Arc::new(Self {})
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
        let _ = (body, attributes);
        Err(AwsError::not_implemented("sqs", &format!("SendMessage to {queue_arn}")))
    }

    /// Answers one request of the `sqs` scope.
    pub async fn handle(self: Arc<Self>, request: Request) -> Response {
        let operation = crate::server::operation(&request);
        AwsError::not_implemented("sqs", &operation).json("application/x-amz-json-1.0")
    }

    /// What `/_local/state` shows.
    pub fn state(&self) -> Value {
        Value::Null
    }
}
