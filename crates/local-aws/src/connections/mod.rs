//! API Gateway's `@connections`: the management endpoint of a WebSocket API. Connections are opened
//! through `/_local/connections`.
//!
//! - `open`: the connections and the messages sent over them. Time is passed in.
//!
//! Facts: API Gateway Developer Guide, "Use @connections commands in your backend service", and the
//! API model of ApiGatewayManagementApi: POST, GET and DELETE of `/@connections/{connectionId}`,
//! 410 GoneException, 413 PayloadTooLargeException above 128 KB, 403 ForbiddenException, 429
//! LimitExceededException.

mod open;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use crate::aws_error::AwsError;
use crate::clock::{Clock, rfc3339};
use crate::faults::{FaultKind, Faults};
use crate::wire::percent_decoded;
pub(crate) use open::MOST;
use open::Open;

/// The largest message, in bytes (WebSocket API quotas: 128 KB).
const MAX_MESSAGE: usize = 128 * 1024;
/// The path prefix of the management endpoint.
const PATH: &str = "/@connections/";
const OPERATIONS: [&str; 3] = ["PostToConnection", "GetConnection", "DeleteConnection"];

/// The service.
#[derive(Debug)]
pub struct Connections {
    clock: Clock,
    faults: Faults,
    open: Mutex<Open>,
}

impl Connections {
    /// The id and stage of the WebSocket API in ARNs.
    pub(crate) const API_ID: &str = "local";
    pub(crate) const STAGE: &str = "local";

    /// No connection yet.
    pub fn new(clock: Clock, faults: Faults) -> Arc<Self> {
        Arc::new(Self { clock, faults, open: Mutex::default() })
    }

    /// Returns the operations that a fault may name; its target is a connection's id.
    pub fn operations() -> impl Iterator<Item = &'static str> {
        OPERATIONS.into_iter()
    }

    /// Returns whether a path belongs to this service and not to the HTTP API.
    pub fn takes(path: &str) -> bool {
        path.starts_with(PATH)
    }

    /// Answers one request of the `execute-api` scope.
    pub async fn handle(self: Arc<Self>, request: Request) -> Response {
        self.answer(request).await.unwrap_or_else(|error| on_the_wire(&error))
    }

    /// Returns API Gateway's answer to an unsigned request.
    pub fn unsigned() -> Response {
        let (code, message) =
            ("MissingAuthenticationTokenException", "Missing Authentication Token");
        on_the_wire(&AwsError::new(StatusCode::FORBIDDEN, code, message))
    }

    /// Returns the service's part of `/_local/state`.
    pub fn state(&self) -> Value {
        let open = self.lock();
        json!({ "open": open.count(), "gone": open.count_gone() })
    }

    async fn answer(&self, request: Request) -> Result<Response, AwsError> {
        let (head, body) = request.into_parts();
        let id = head.uri.path().strip_prefix(PATH).and_then(percent_decoded);
        let id = id.filter(|id| !id.is_empty() && !id.contains('/')).ok_or_else(forbidden)?;
        let operation = match head.method {
            Method::POST => OPERATIONS[0],
            Method::GET => OPERATIONS[1],
            Method::DELETE => OPERATIONS[2],
            _ => return Err(forbidden()),
        };
        let fault = self.faults.gate("execute-api", operation, &id).await?;
        let answer = match operation {
            "PostToConnection" => {
                let message = to_bytes(body, MAX_MESSAGE).await.map_err(|_| too_large())?;
                self.post(&id, message)?
            }
            "GetConnection" => self.get(&id)?,
            _ => self.delete(&id)?,
        };
        match fault {
            Some(fault) if fault.kind == FaultKind::AnswerLost => Err(fault.error()),
            _ => Ok(answer),
        }
    }

    fn post(&self, id: &str, message: Bytes) -> Result<Response, AwsError> {
        let now = self.clock.now_ms();
        self.lock().send(id, &message, now).ok_or_else(gone)?;
        Ok(StatusCode::OK.into_response())
    }

    fn get(&self, id: &str) -> Result<Response, AwsError> {
        let open = self.lock();
        let connection = open.get(id).ok_or_else(gone)?;
        let body = json!({
            "connectedAt": rfc3339(connection.connected_at),
            "lastActiveAt": rfc3339(connection.last_active_at),
            "identity": { "sourceIp": "127.0.0.1", "userAgent": "local-cloud" },
        });
        let json = [(header::CONTENT_TYPE, "application/json")];
        Ok((json, body.to_string()).into_response())
    }

    fn delete(&self, id: &str) -> Result<Response, AwsError> {
        let now = self.clock.now_ms();
        self.lock().close(id, now).ok_or_else(gone)?;
        Ok(StatusCode::NO_CONTENT.into_response())
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn gone() -> AwsError {
    AwsError::new(StatusCode::GONE, "GoneException", "Gone")
}

fn too_large() -> AwsError {
    let message = "Message too long";
    AwsError::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLargeException", message)
}

fn forbidden() -> AwsError {
    AwsError::new(StatusCode::FORBIDDEN, "ForbiddenException", "Forbidden")
}

/// Returns the code in the header and `message` in the body; in lower case, unlike Lambda's.
fn on_the_wire(error: &AwsError) -> Response {
    let body = json!({ "message": error.message }).to_string();
    let json = [(header::CONTENT_TYPE, "application/json")];
    let mut response = (error.status, json, body).into_response();
    if let Ok(code) = HeaderValue::from_str(&error.code) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}
