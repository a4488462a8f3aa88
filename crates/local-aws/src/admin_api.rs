//! `/_local/…`: the operations that AWS does not have: state, faults, tokens, keys, audio, logs,
//! and a page that shows them.

mod connections;
mod deploy;
mod events;
pub(crate) mod index;
mod live;
mod logs;
pub(crate) mod page;
mod signaling;
pub(crate) mod speaker_page;
mod tasks;

use std::path::Path as FilePath;
use std::sync::Arc;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use http::{StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::clock::real_now_ms;
use crate::delivery_stats::DeliveryStats;
use crate::faults::{Fault, FaultFilter};
use crate::http_api::NotRemoved;
use crate::http_api::issuer::TokenRequest;
use crate::services::Services;

/// The largest body of a POST, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// An error of these routes: `{"error": "…"}`.
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        json_answer(self.0, &json!({ "error": self.1 }))
    }
}

impl From<QueryRejection> for Refused {
    fn from(rejection: QueryRejection) -> Self {
        Self(StatusCode::BAD_REQUEST, rejection.body_text())
    }
}

/// The query of a request, or why it is not one.
type QueryOf<T> = Result<Query<T>, QueryRejection>;

/// The routes below `/_local`.
pub(crate) fn router() -> Router<Arc<Services>> {
    Router::new()
        .route("/", get(show_index))
        .route("/state", get(state))
        .route("/faults", get(list_faults).post(add_fault).delete(remove_faults))
        .route("/processes/{function}", delete(kill))
        .route("/tasks/{task}", put(tasks::update))
        .route("/deploy", post(deploy::deploy))
        .route("/token", post(mint))
        .route("/keys", post(rotate))
        .route("/keys/{kid}", delete(remove_key))
        .route("/jwks.json", get(jwks))
        .route("/openid-configuration", get(discovery))
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/audio/{file}", get(audio))
        .route("/deliveries/{session}", get(deliveries))
        .route("/words/{session}", get(words))
        .route("/logs/{package}", get(logs::show))
        .route("/events", get(events::list))
        .route("/notifications", get(notifications))
        .route("/live", get(live::cloud))
        .route("/live/{session}", get(live::session))
        .route("/page", get(page::redirect))
        .route("/page/", get(page::show))
        .route("/page/{file}", get(page::file))
        .nest("/connections", connections::router())
        .nest("/signaling", signaling::router())
        .fallback(nothing_here)
}

async fn show_index(State(services): State<Arc<Services>>) -> Response {
    json_answer(StatusCode::OK, &index::body(&services))
}

async fn state(State(services): State<Arc<Services>>) -> Response {
    json_answer(StatusCode::OK, &services.state())
}

async fn list_faults(State(services): State<Arc<Services>>) -> Response {
    json_answer(StatusCode::OK, &json!({ "faults": services.faults.list() }))
}

async fn add_fault(
    State(services): State<Arc<Services>>,
    request: Request,
) -> Result<Response, Refused> {
    let fault: Fault = read(request).await?;
    let bad =
        |error: crate::faults::FaultError| Refused(StatusCode::BAD_REQUEST, error.to_string());
    services.faults.add(fault).map_err(bad)?;
    Ok(json_answer(StatusCode::CREATED, &json!({ "faults": services.faults.list() })))
}

/// Removes the faults that the query selects (`?service=…&operation=…&target=…&kind=…`), or
/// all.
async fn remove_faults(
    State(services): State<Arc<Services>>,
    which: QueryOf<FaultFilter>,
) -> Result<StatusCode, Refused> {
    services.faults.remove(&which?.0);
    Ok(StatusCode::NO_CONTENT)
}

/// Kills the processes of a function, or the workers of a task: `{"killed": N}`.
async fn kill(
    State(services): State<Arc<Services>>,
    Path(function): Path<String>,
) -> Result<Response, Refused> {
    let killed = match services.tasks.kill(&function) {
        Some(killed) => killed,
        None => services.lambda.kill(&function).map_err(|error| not_found(&error.message))?,
    };
    Ok(json_answer(StatusCode::OK, &json!({ "killed": killed })))
}

async fn mint(
    State(services): State<Arc<Services>>,
    request: Request,
) -> Result<Response, Refused> {
    let request: TokenRequest = read(request).await?;
    let now_s = real_now_ms() / 1000;
    let token = services.issuer.mint(&request, now_s);
    let token =
        token.map_err(|error| Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(json_answer(StatusCode::OK, &json!({ "token": token })))
}

/// Adds a signing key. Tokens signed with the others stay valid until those keys are removed.
async fn rotate(State(services): State<Arc<Services>>) -> Result<Response, Refused> {
    let kid = services.issuer.rotate();
    let kid = kid.map_err(|error| Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(json_answer(StatusCode::CREATED, &json!({ "kid": kid })))
}

async fn remove_key(
    State(services): State<Arc<Services>>,
    Path(kid): Path<String>,
) -> Result<StatusCode, Refused> {
    match services.issuer.remove_key(&kid) {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(NotRemoved::Unknown) => Err(not_found(&NotRemoved::Unknown.to_string())),
        Err(signs) => Err(Refused(StatusCode::CONFLICT, signs.to_string())),
    }
}

async fn jwks(State(services): State<Arc<Services>>) -> Response {
    json_answer(StatusCode::OK, &services.issuer.jwks())
}

async fn discovery(State(services): State<Arc<Services>>) -> Response {
    json_answer(StatusCode::OK, &services.issuer.openid_configuration(&services.base_url))
}

async fn audio(
    State(services): State<Arc<Services>>,
    Path(file): Path<String>,
) -> Result<Response, Refused> {
    let session = file.strip_suffix(".wav").filter(|session| is_plain(session));
    let session = session.ok_or_else(|| not_found("ask for SESSION-ID.wav"))?;
    send(&services.audio.join(format!("{session}.wav")), "audio/wav").await
}

/// The query of a session's deliveries.
#[derive(Debug, Deserialize)]
struct Detail {
    /// Whether the latency of each chunk is returned, too.
    #[serde(default)]
    latencies: bool,
}

/// Returns the delivery statistics of a session: zeros while nothing has been delivered, 404 when
/// the session has neither a stream nor deliveries.
async fn deliveries(
    State(services): State<Arc<Services>>,
    Path(session): Path<String>,
    detail: QueryOf<Detail>,
) -> Result<Response, Refused> {
    let Query(detail) = detail?;
    if !has_media(&services, &session) {
        return Err(not_found(&format!(
            "no session {session:?} was seen since this cloud started: it has no stream \
             session-{session}, and none of its audio was delivered"
        )));
    }
    let deliveries = services.lambda.deliveries().of(&session);
    let stats = DeliveryStats::of(&session, &deliveries, &services.kvs.sent(&stream_of(&session)));
    let mut body = json!(stats);
    if detail.latencies {
        body["latenciesMs"] = json!(stats.latencies_ms);
    }
    Ok(json_answer(StatusCode::OK, &body))
}

fn stream_of(session: &str) -> String {
    format!("session-{session}")
}

/// Returns whether a session has a stream, or had one that was read, or was delivered.
fn has_media(services: &Services, session: &str) -> bool {
    let stream = stream_of(session);
    services.kvs.has_stream(&stream)
        || !services.kvs.sent(&stream).is_empty()
        || services.lambda.deliveries().latest(session).0.is_some()
}

/// Returns the recognised words of a session; 404 when it has neither a stream nor deliveries.
async fn words(
    State(services): State<Arc<Services>>,
    Path(session): Path<String>,
) -> Result<Response, Refused> {
    if !has_media(&services, &session) {
        return Err(not_found("no session with such an id was seen here"));
    }
    Ok(json_answer(StatusCode::OK, &json!(services.words(&session))))
}

async fn notifications(State(services): State<Arc<Services>>) -> Response {
    json_answer(StatusCode::OK, &services.sns.published())
}

async fn nothing_here() -> Refused {
    let paths: Vec<&str> = index::ENDPOINTS.iter().map(|(_, path, _)| *path).collect();
    not_found(&format!("there is only {} here; GET /_local describes each", paths.join(", ")))
}

/// Returns whether a name stays within its folder.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

async fn send(path: &FilePath, kind: &'static str) -> Result<Response, Refused> {
    match tokio::fs::read(path).await {
        Ok(bytes) => Ok(([(header::CONTENT_TYPE, kind)], Bytes::from(bytes)).into_response()),
        Err(error) => Err(not_found(&format!("nothing there yet: {error}"))),
    }
}

async fn read<T: DeserializeOwned>(request: Request) -> Result<T, Refused> {
    let body = to_bytes(request.into_body(), MAX_BODY)
        .await
        .map_err(|error| Refused(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()))?;
    serde_json::from_slice(&body)
        .map_err(|error| Refused(StatusCode::BAD_REQUEST, error.to_string()))
}

fn not_found(reason: &str) -> Refused {
    Refused(StatusCode::NOT_FOUND, reason.to_owned())
}

fn json_answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_reach_a_file() {
        assert!(is_plain("blessed-shepherd-123"));
        for name in ["", "..", "a/b", "a\\b", "a.b", "%2e%2e"] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
