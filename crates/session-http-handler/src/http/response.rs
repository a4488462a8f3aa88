//! Builds the responses.

use std::time::Duration;

use lambda_http::{
    Body, Response,
    http::{
        HeaderValue, StatusCode,
        header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
    },
};
use serde::Serialize;
use serde_json::json;
use session::{
    ChannelArn, Error, ErrorKind, Language, QualityTier, Session, SessionId, SessionStatus,
    SignalingEndpoints, StreamArn,
};

use super::request::Rejection;

/// The public view of a session: what a listener needs, without resource names or owner data.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PublicView<'a> {
    session_id: &'a SessionId,
    source_language: Language,
    target_languages: &'a [Language],
    quality_tier: QualityTier,
    status: SessionStatus,
    listener_count: u64,
    created_at: u64,
    updated_at: u64,
    expires_at: u64,
}

/// The speaker's view of a session.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OwnerView<'a> {
    #[serde(flatten)]
    public: PublicView<'a>,
    speaker_id: &'a str,
    kvs_channel_arn: Option<&'a ChannelArn>,
    kvs_channel_name: &'a str,
    kvs_stream_arn: Option<&'a StreamArn>,
    kvs_stream_name: &'a str,
    kvs_signaling_endpoints: Option<&'a SignalingEndpoints>,
}

impl<'a> PublicView<'a> {
    fn new(session: &'a Session) -> Self {
        Self {
            session_id: &session.session_id,
            source_language: session.source_language,
            target_languages: &session.target_languages,
            quality_tier: session.quality_tier,
            status: session.status,
            listener_count: session.listener_count,
            created_at: session.created_at,
            updated_at: session.updated_at,
            expires_at: session.expires_at,
        }
    }
}

impl<'a> OwnerView<'a> {
    fn new(session: &'a Session) -> Self {
        Self {
            public: PublicView::new(session),
            speaker_id: &session.speaker_id,
            kvs_channel_arn: session.kvs_channel_arn.as_ref(),
            kvs_channel_name: &session.kvs_channel_name,
            kvs_stream_arn: session.kvs_stream_arn.as_ref(),
            kvs_stream_name: &session.kvs_stream_name,
            kvs_signaling_endpoints: session.kvs_signaling_endpoints.as_ref(),
        }
    }
}

/// 201 with the speaker's view of the new session.
pub(super) fn created(session: &Session) -> Response<Body> {
    json_response(StatusCode::CREATED, &OwnerView::new(session))
}

/// 200 with the speaker's view of the session.
pub(super) fn owner_view(session: &Session) -> Response<Body> {
    json_response(StatusCode::OK, &OwnerView::new(session))
}

/// 200 with the public view of the session.
pub(super) fn public_view(session: &Session) -> Response<Body> {
    json_response(StatusCode::OK, &PublicView::new(session))
}

/// 204 without a body.
pub(super) fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// 200 with environment and version of the function.
pub(super) fn health(environment: &str) -> Response<Body> {
    let version = env!("CARGO_PKG_VERSION");
    let body = json!({"status": "ok", "environment": environment, "version": version});
    json_response(StatusCode::OK, &body)
}

/// 4xx for a rejected request.
pub(super) fn rejected(rejection: &Rejection, now_ms: u64) -> Response<Body> {
    let mut response = error_response(rejection.status, &rejection.error, now_ms);
    if let Some(allow) = rejection.allow.as_deref().and_then(|allow| allow.parse().ok()) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

/// The response to a failed use case. Messages from AWS are logged only, because they may name
/// roles and accounts.
pub(super) fn failed(error: &Error, now_ms: u64) -> Response<Body> {
    let (status, text) = match error {
        Error::NotFound { .. } => (StatusCode::NOT_FOUND, error.to_string()),
        Error::NotOwner { .. } => (StatusCode::FORBIDDEN, error.to_string()),
        Error::NotReady { .. } | Error::Over { .. } | Error::InProgress { .. } => {
            (StatusCode::CONFLICT, error.to_string())
        }
        Error::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
        Error::TooManySessions { .. } => (StatusCode::TOO_MANY_REQUESTS, error.to_string()),
        Error::NoFreeId { .. } => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        Error::Creation { cause, .. } | Error::Store(cause) => {
            let status = match error.retry_after() {
                Some(_) => StatusCode::SERVICE_UNAVAILABLE,
                None => StatusCode::INTERNAL_SERVER_ERROR,
            };
            (status, reason(cause.kind).to_owned())
        }
    };
    let mut response = error_response(status, &text, now_ms);
    if let Some(after) = error.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(whole_seconds(after)));
    }
    response
}

/// Rounds up, so that the client does not retry too early.
fn whole_seconds(after: Duration) -> u64 {
    after.as_secs() + u64::from(after.subsec_nanos() > 0)
}

const fn reason(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Throttled => "too many concurrent requests; retry later",
        ErrorKind::LimitExceeded => "account limit reached; retry later",
        ErrorKind::Unavailable | ErrorKind::TimedOut | ErrorKind::InUse => {
            "a required service is unavailable; retry later"
        }
        ErrorKind::NotFound | ErrorKind::Denied | ErrorKind::Invalid => {
            "internal error; a retry will not succeed"
        }
    }
}

fn error_response(status: StatusCode, error: &str, now_ms: u64) -> Response<Body> {
    json_response(status, &json!({"error": error, "timestamp": now_ms}))
}

fn json_response(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    // Serializing these bodies cannot fail; the fallback is an empty body.
    let body = serde_json::to_string(body).unwrap_or_default();
    let mut response = Response::new(Body::Text(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
