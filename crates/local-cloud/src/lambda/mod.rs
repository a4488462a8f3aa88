//! Lambda: Invoke on one side, the Runtime API on the other, function processes between them.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;

use crate::aws_error::AwsError;

/// The service.
#[derive(Debug)]
pub struct Lambda {}

/// What an invocation gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoked {
    /// The id of the invocation, as the function saw it.
    pub request_id: String,
    /// The answer, or the error's `{"errorType", "errorMessage"}`.
    pub payload: Bytes,
    /// `Handled` or `Unhandled` when the function failed; absent when it answered.
    pub function_error: Option<String>,
}

impl Lambda {
    /// Runs a function and waits for its answer (RequestResponse). `function` is a name or an ARN,
    /// `trace` the X-Amzn-Trace-Id header to hand on.
    ///
    /// # Errors
    /// `ResourceNotFoundException`, `TooManyRequestsException`, `RequestTooLargeException`,
    /// `InvalidRequestContentException`, `ServiceException`. A failing function is no error here:
    /// see [`Invoked::function_error`].
    pub async fn invoke(
        &self,
        function: &str,
        payload: Bytes,
        trace: Option<String>,
    ) -> Result<Invoked, AwsError> {
        let _ = (payload, trace);
        Err(AwsError::not_implemented("lambda", &format!("Invoke of {function}")))
    }

    /// Queues an event for a function (Event, 202): Lambda then retries it by itself and sends what
    /// it gives up to the function's OnFailure destination.
    ///
    /// # Errors
    /// Why the event was not even queued: as [`Lambda::invoke`], without the throttling.
    pub async fn invoke_async(
        self: &Arc<Self>,
        function: &str,
        payload: Bytes,
        trace: Option<String>,
    ) -> Result<(), AwsError> {
        let _ = (payload, trace);
        Err(AwsError::not_implemented("lambda", &format!("Invoke of {function}")))
    }

    /// Answers one request of the `lambda` scope.
    pub async fn handle(self: Arc<Self>, request: Request) -> Response {
        AwsError::not_implemented("lambda", request.uri().path()).rest_json()
    }

    /// What `/_local/state` shows.
    pub fn state(&self) -> Value {
        Value::Null
    }
}
