//! AWS errors on the wire: every SDK reads their code, message and status.
//!
//! SDKs take the code from the `x-amzn-ErrorType` header or from `__type` in the body, and the
//! message from `message` or `Message` (facts: botocore's parsers and the Rust SDK's json_errors).

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

/// An error of a service.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct AwsError {
    /// HTTP status, for example 404.
    pub status: StatusCode,
    /// The error's code without any namespace, for example `ResourceNotFoundException`.
    pub code: Cow<'static, str>,
    /// The message.
    pub message: String,
    /// Further members of the body, for example `Reason`.
    pub extra: Map<String, Value>,
}

impl AwsError {
    /// An error with a status, a code and a message.
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self { status, code: code.into(), message: message.into(), extra: Map::new() }
    }

    /// Status 400, which most errors have.
    pub fn bad_request(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 404 `ResourceNotFoundException`.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "ResourceNotFoundException", message)
    }

    /// 500 with the given code, for example `ServiceException` or `InternalFailure`.
    pub fn internal(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, message)
    }

    /// 501 `NotImplemented`, for an operation that is not implemented here. AWS has no such error.
    pub fn not_implemented(service: &str, operation: &str) -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "NotImplemented",
            format!("local-cloud does not run {service}:{operation}"),
        )
    }

    /// Adds a member to the body.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(name.to_owned(), value.into());
        self
    }

    /// Whether the caller may try again: throttling and the service's own failures.
    pub fn retryable(&self) -> bool {
        self.status.is_server_error() || self.status == StatusCode::TOO_MANY_REQUESTS
    }

    /// The answer of a rest-json service (Lambda, Kinesis Video): code in the header, `Message` in
    /// the body.
    pub fn rest_json(&self) -> Response {
        let mut body = self.extra.clone();
        body.insert("Message".to_owned(), self.message.clone().into());
        let mut response = json_answer(self.status, "application/json", &body);
        if let Ok(code) = HeaderValue::from_str(&self.code) {
            response.headers_mut().insert("x-amzn-errortype", code);
        }
        response
    }

    /// The answer of a json-1.0 or json-1.1 service (EventBridge, SQS, DynamoDB): `__type` and
    /// `message` in the body. `content_type` is the request's, for example
    /// `application/x-amz-json-1.1`.
    pub fn json(&self, content_type: &'static str) -> Response {
        let mut body = self.extra.clone();
        body.insert("__type".to_owned(), self.code.clone().into());
        body.insert("message".to_owned(), self.message.clone().into());
        json_answer(self.status, content_type, &body)
    }
}

fn json_answer(
    status: StatusCode,
    content_type: &'static str,
    body: &Map<String, Value>,
) -> Response {
    let body = Value::Object(body.clone()).to_string();
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static(content_type))], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_protocols_carry_code_and_message() {
        let error = AwsError::not_found("no such stream").with("Type", "User");
        let rest = error.rest_json();
        assert_eq!(rest.status(), StatusCode::NOT_FOUND);
        assert_eq!(rest.headers()["x-amzn-errortype"], "ResourceNotFoundException");
        let body = axum::body::to_bytes(rest.into_body(), 1024).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body, serde_json::json!({"Message": "no such stream", "Type": "User"}));

        let body = axum::body::to_bytes(error.json("application/x-amz-json-1.1").into_body(), 1024)
            .await
            .unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["__type"], "ResourceNotFoundException");
        assert_eq!(body["message"], "no such stream");
    }
}
