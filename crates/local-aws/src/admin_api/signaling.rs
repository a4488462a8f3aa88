//! `/_local/signaling`: the connections of signaling channels. POST sends a message of the service
//! to the clients of a channel, DELETE closes their connections.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::services::Services;
use crate::signaling::Client;

use super::{QueryOf, Refused, json_answer, not_found, read};

/// A message of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum MessageType {
    GoAway,
    ReconnectIceServer,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MessageRequest {
    message_type: MessageType,
}

/// Selects the client: `?client=master`, or `?client=` and a viewer's id.
#[derive(Debug, Deserialize)]
struct ClientFilter {
    client: Option<String>,
}

impl ClientFilter {
    fn client(self) -> Option<Client> {
        self.client.map(|id| match id.as_str() {
            "master" => Client::Master,
            _ => Client::Viewer(id),
        })
    }
}

/// Returns the routes under `/_local/signaling`.
pub(super) fn router() -> Router<Arc<Services>> {
    Router::new().route("/", get(list)).route("/{channel}", post(send).delete(close))
}

async fn list(State(services): State<Arc<Services>>) -> Response {
    json_answer(StatusCode::OK, &json!({ "channels": services.signaling.state() }))
}

async fn send(
    State(services): State<Arc<Services>>,
    Path(channel): Path<String>,
    filter: QueryOf<ClientFilter>,
    request: Request,
) -> Result<Response, Refused> {
    let request: MessageRequest = read(request).await?;
    let client = filter?.0.client();
    let sent = match request.message_type {
        MessageType::GoAway => services.signaling.go_away(&channel, client.as_ref()),
        MessageType::ReconnectIceServer => {
            services.signaling.reconnect_ice_server(&channel, client.as_ref())
        }
    };
    answer(&channel, sent)
}

async fn close(
    State(services): State<Arc<Services>>,
    Path(channel): Path<String>,
    filter: QueryOf<ClientFilter>,
) -> Result<Response, Refused> {
    answer(&channel, services.signaling.close(&channel, filter?.0.client().as_ref()))
}

fn answer(channel: &str, connections: usize) -> Result<Response, Refused> {
    match connections {
        0 => Err(not_found(&format!("the channel {channel:?} has no such connection"))),
        connections => Ok(json_answer(StatusCode::OK, &json!({ "connections": connections }))),
    }
}
