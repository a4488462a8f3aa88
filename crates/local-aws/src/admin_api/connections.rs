//! `/_local/connections`: simulates WebSocket clients. PUT of an id connects, DELETE disconnects,
//! GET returns the messages sent to it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use serde_json::{Value, json};

use crate::connections::MOST;
use crate::services::Services;

/// Returns the routes under `/_local/connections`.
pub(super) fn router() -> Router<Arc<Services>> {
    Router::new().route("/", get(list)).route("/{id}", get(show).put(connect).delete(leave))
}

async fn list(State(services): State<Arc<Services>>) -> Response {
    let all = services.connections.lock().all();
    answer(StatusCode::OK, &json!({ "connections": all }))
}

async fn show(State(services): State<Arc<Services>>, Path(id): Path<String>) -> Response {
    let shown = services.connections.lock().shown(&id);
    shown.map_or_else(|| unknown(&id), |shown| answer(StatusCode::OK, &shown))
}

async fn connect(State(services): State<Arc<Services>>, Path(id): Path<String>) -> Response {
    let now = services.clock.now_ms();
    let mut open = services.connections.lock();
    match open.open(&id, now).and_then(|()| open.shown(&id)) {
        Some(shown) => answer(StatusCode::OK, &shown),
        None => {
            let error = format!("there are {MOST} connections already");
            answer(StatusCode::TOO_MANY_REQUESTS, &json!({ "error": error }))
        }
    }
}

async fn leave(State(services): State<Arc<Services>>, Path(id): Path<String>) -> Response {
    let now = services.clock.now_ms();
    let left = services.connections.lock().close(&id, now);
    left.map_or_else(|| unknown(&id), |()| StatusCode::NO_CONTENT.into_response())
}

fn unknown(id: &str) -> Response {
    let error = format!("no connection {id:?}: PUT /_local/connections/{id} opens it");
    answer(StatusCode::NOT_FOUND, &json!({ "error": error }))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
