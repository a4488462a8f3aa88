//! EventBridge: PutEvents, rules, targets with retries and dead letters, schedules, archives.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::aws_error::AwsError;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::lambda::Lambda;
use crate::sqs::Sqs;
use crate::template::Template;

/// The service.
#[derive(Debug)]
pub struct Events {}

impl Events {
    /// The rules and archives of the template on their buses.
    ///
    /// # Errors
    /// What is wrong with a rule, naming it.
    pub fn new(
        clock: Clock,
        faults: Faults,
        template: &Template,
        lambda: Arc<Lambda>,
        sqs: Arc<Sqs>,
    ) -> Result<Arc<Self>, String> {
        let _ = (clock, faults, template, lambda, sqs);
        Ok(Arc::new(Self {}))
    }

    /// Starts the schedules; they end when `stop` is cancelled.
    pub fn start(self: &Arc<Self>, stop: CancellationToken) {
        drop(stop);
    }

    /// Answers one request of the `events` scope.
    pub async fn handle(self: Arc<Self>, request: Request) -> Response {
        let operation = crate::server::operation(&request);
        AwsError::not_implemented("events", &operation).json("application/x-amz-json-1.1")
    }

    /// What `/_local/state` shows.
    pub fn state(&self) -> Value {
        Value::Null
    }
}
