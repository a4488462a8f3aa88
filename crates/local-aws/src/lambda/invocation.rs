//! One invocation: its id, payload and trace, and the errors that Lambda answers for a function.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::trace;
use crate::aws_error::AwsError;

/// The largest payload and answer of a synchronous invocation, in bytes (Lambda quotas: 6 MB).
pub const MAX_SYNC_PAYLOAD: usize = 6 * 1024 * 1024;
/// The largest payload of an asynchronous invocation, in bytes (1 MB since 2026-01).
pub const MAX_ASYNC_PAYLOAD: usize = 1024 * 1024;

/// How long a synchronous invocation may last; one of a function on managed instances with a longer
/// timeout.
pub(super) const MAX_SYNC_TIME: Duration = Duration::from_secs(900);

/// The result of an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoked {
    /// The id of the invocation, as the function saw it.
    pub request_id: String,
    /// The answer, or the error's `{"errorType", "errorMessage"}`.
    pub payload: Bytes,
    /// `Handled` or `Unhandled` when the function failed; absent when it answered.
    pub function_error: Option<String>,
}

/// An invocation of a function. A retry of an event keeps the id.
#[derive(Debug, Clone)]
pub(super) struct Invocation {
    pub(super) request_id: String,
    pub(super) payload: Bytes,
    pub(super) trace: String,
    /// The ClientContext of a synchronous caller, as JSON on one line.
    pub(super) client_context: Option<String>,
    /// An HTTP request waits for it, so that its timeout is a [`Clock::request_timeout`].
    ///
    /// [`Clock::request_timeout`]: crate::clock::Clock::request_timeout
    pub(super) of_http_request: bool,
    /// It is asynchronous, so that it may last longer than [`MAX_SYNC_TIME`].
    pub(super) is_event: bool,
}

impl Invocation {
    /// An invocation with a new id. An empty payload is `{}`; a missing trace begins here.
    ///
    /// # Errors
    /// `RequestTooLargeException` above `limit` bytes, `InvalidRequestContentException` when the
    /// payload is not JSON.
    pub(super) fn new(
        payload: Bytes,
        trace: Option<String>,
        limit: usize,
    ) -> Result<Self, AwsError> {
        if payload.len() > limit {
            let message = format!(
                "Request must be smaller than {limit} bytes for the InvokeFunction operation"
            );
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return Err(
                AwsError::new(status, "RequestTooLargeException", message).with("Type", "User")
            );
        }
        let payload = if payload.is_empty() { Bytes::from_static(b"{}") } else { payload };
        if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&payload) {
            let message = format!("Could not parse request body into json: {error}");
            return Err(AwsError::bad_request("InvalidRequestContentException", message)
                .with("Type", "User"));
        }
        let trace = trace.filter(|trace| trace::is_header(trace));
        let trace = trace.unwrap_or_else(trace::begin);
        let request_id = uuid::Uuid::new_v4().to_string();
        let (client_context, of_http_request, is_event) = (None, false, false);
        Ok(Self { request_id, payload, trace, client_context, of_http_request, is_event })
    }

    /// Returns the result when the function answered.
    pub(super) fn answered(&self, payload: Bytes) -> Invoked {
        Invoked { request_id: self.request_id.clone(), payload, function_error: None }
    }

    /// Returns the result when the function reported an error; `payload` is the report.
    pub(super) fn failed(&self, payload: Bytes) -> Invoked {
        let function_error = Some("Unhandled".to_owned());
        Invoked { request_id: self.request_id.clone(), payload, function_error }
    }

    /// Returns the result when a fault answers in place of the function.
    pub(super) fn answered_by_fault(&self, fault: &Value) -> Invoked {
        let payload = Bytes::from(fault["answer"].to_string());
        let function_error = fault["functionError"].as_str().map(str::to_owned);
        Invoked { request_id: self.request_id.clone(), payload, function_error }
    }

    /// Returns the result when Lambda ended the invocation. The message begins with the id, as
    /// Lambda's messages do.
    pub(super) fn ended(&self, error_type: &str, reason: &str) -> Invoked {
        let message = format!("RequestId: {} Error: {reason}", self.request_id);
        self.failed(error_body(error_type, &message))
    }
}

/// `{"errorType", "errorMessage"}`.
pub(super) fn error_body(error_type: &str, message: &str) -> Bytes {
    let body: Value = json!({ "errorType": error_type, "errorMessage": message });
    Bytes::from(body.to_string())
}
