//! The errors of API Gateway itself: `{"message": "…"}`.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use super::jwt::Refusal;

/// An error of API Gateway itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct ApiError {
    status: StatusCode,
    message: &'static str,
    /// With 401: the reason in the `www-authenticate` header.
    refusal: Option<Refusal>,
}

impl ApiError {
    pub(super) const NOT_FOUND: Self = Self::new(StatusCode::NOT_FOUND, "Not Found");
    pub(super) const BODY_TOO_LARGE: Self =
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    pub(super) const HEADERS_TOO_LARGE: Self =
        Self::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Request Header Fields Too Large");
    pub(super) const INTERNAL: Self =
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    pub(super) const UNAVAILABLE: Self =
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
    pub(super) const TOO_MANY: Self = Self::new(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests");

    const fn new(status: StatusCode, message: &'static str) -> Self {
        Self { status, message, refusal: None }
    }

    /// Returns the error for a rejected token: 403 for missing scopes, 401 for anything else.
    pub(super) const fn of_refusal(refusal: Refusal) -> Self {
        let (status, message) = match refusal {
            Refusal::Scope => (StatusCode::FORBIDDEN, "Forbidden"),
            _ => (StatusCode::UNAUTHORIZED, "Unauthorized"),
        };
        Self { status, message, refusal: Some(refusal) }
    }

    pub(super) fn of_fault(status: StatusCode) -> Self {
        match status {
            StatusCode::TOO_MANY_REQUESTS => Self::TOO_MANY,
            StatusCode::INTERNAL_SERVER_ERROR => Self::INTERNAL,
            _ => Self::UNAVAILABLE,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self { status, message, refusal } = self;
        let body = json!({ "message": message }).to_string();
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        // As the guide shows it ("Troubleshooting issues with HTTP API JWT authorizers").
        let challenge = match refusal {
            None | Some(Refusal::Scope) => return response,
            Some(Refusal::Missing) => "Bearer".to_owned(),
            Some(why) => {
                format!("Bearer scope=\"\" error=\"invalid_token\" error_description=\"{why}\"")
            }
        };
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
