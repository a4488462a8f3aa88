//! `/_local/connections`: what a WebSocket client does on AWS. PUT of an id connects, DELETE leaves
//! without a word, GET shows what it was told.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::open::MOST;
use crate::cloud::Cloud;

/// The routes, to stand below `/_local/connections`.
pub fn router() -> Router<Arc<Cloud>> {
    Router::new().route("/", get(list)).route("/{id}", get(show).put(connect).delete(leave))
}

async fn list(State(cloud): State<Arc<Cloud>>) -> Response {
    let all = cloud.connections.lock().all();
    answer(StatusCode::OK, &json!({ "connections": all }))
}

async fn show(State(cloud): State<Arc<Cloud>>, Path(id): Path<String>) -> Response {
    let shown = cloud.connections.lock().shown(&id);
    shown.map_or_else(|| unknown(&id), |shown| answer(StatusCode::OK, &shown))
}

async fn connect(State(cloud): State<Arc<Cloud>>, Path(id): Path<String>) -> Response {
    let now = cloud.clock.now_ms();
    let mut open = cloud.connections.lock();
    match open.open(&id, now).and_then(|()| open.shown(&id)) {
        Some(shown) => answer(StatusCode::OK, &shown),
        None => {
            let error = format!("there are {MOST} connections already");
            answer(StatusCode::TOO_MANY_REQUESTS, &json!({ "error": error }))
        }
    }
}

async fn leave(State(cloud): State<Arc<Cloud>>, Path(id): Path<String>) -> Response {
    let now = cloud.clock.now_ms();
    let left = cloud.connections.lock().close(&id, now);
    left.map_or_else(|| unknown(&id), |()| StatusCode::NO_CONTENT.into_response())
}

fn unknown(id: &str) -> Response {
    let error = format!("no connection {id:?}: PUT /_local/connections/{id} opens it");
    answer(StatusCode::NOT_FOUND, &json!({ "error": error }))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
