//! The session API as its function sees it: events of an HTTP API with payload format 2.0, and the
//! function's responses (API Gateway developer guide, "Lambda integrations for HTTP APIs").

use serde::Deserialize;
use serde_json::{Value, json};
use session::SessionId;

use crate::error::CanaryError;

/// The speaker of the canary's sessions: their `sub` claim.
const SPEAKER: &str = "session-canary";

/// Returns the event of POST /sessions. Requests with the same key create one session.
pub(crate) fn create(key: &str) -> Value {
    let mut event = event("POST /sessions", "/sessions");
    event["headers"] = json!({"content-type": "application/json", "idempotency-key": key});
    event["body"] = json!({"sourceLanguage": "en"}).to_string().into();
    event
}

/// Returns the event of DELETE /sessions/{sessionId}.
pub(crate) fn end(session: &SessionId) -> Value {
    let mut event = event("DELETE /sessions/{sessionId}", &format!("/sessions/{session}"));
    event["pathParameters"] = json!({"sessionId": session});
    event
}

fn event(route: &str, path: &str) -> Value {
    let method = route.split(' ').next();
    json!({
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": "",
        "headers": {},
        "requestContext": {
            "authorizer": {"jwt": {"claims": {"sub": SPEAKER}, "scopes": null}},
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1",
                     "sourceIp": "127.0.0.1", "userAgent": SPEAKER},
            "routeKey": route,
            "stage": "$default",
            "timeEpoch": 0,
        },
        "isBase64Encoded": false,
    })
}

/// A response of the session handler.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Response {
    /// The HTTP status.
    pub(crate) status_code: u16,
    /// The body; empty for 204.
    #[serde(default)]
    pub(crate) body: Option<String>,
}

/// A created session.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    /// Its id.
    #[serde(rename = "sessionId")]
    pub(crate) id: SessionId,
    /// The stream that it is spoken into.
    #[serde(rename = "kvsStreamName")]
    pub(crate) stream: String,
}

impl Response {
    /// Returns whether the same request may succeed later.
    pub(crate) const fn is_retryable(&self) -> bool {
        matches!(self.status_code, 409 | 503)
    }

    /// Returns the created session.
    ///
    /// # Errors
    /// The response is another one.
    pub(crate) fn session(&self) -> Result<Session, CanaryError> {
        let body = self.body.as_deref().filter(|_| self.status_code == 201);
        let session = body.and_then(|body| serde_json::from_str(body).ok());
        session.ok_or_else(|| self.refusal("POST"))
    }

    /// Checks that the session is ended.
    ///
    /// # Errors
    /// The response is another one.
    pub(crate) fn ended(&self) -> Result<(), CanaryError> {
        if self.status_code == 204 { Ok(()) } else { Err(self.refusal("DELETE")) }
    }

    fn refusal(&self, method: &'static str) -> CanaryError {
        let body = self.body.as_deref().unwrap_or_default();
        let body = body.chars().take(200).collect();
        CanaryError::Refused { method, status: self.status_code, body }
    }
}
