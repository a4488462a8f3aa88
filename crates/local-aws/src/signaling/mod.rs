//! Signaling of Kinesis Video Streams with WebRTC: the WebSockets of masters and viewers, and
//! GetIceServerConfig. Channels are created in `kvs`.
//!
//! - `connect`: the upgrade of a signed request (`signature`) to a WebSocket.
//! - `connection`: one WebSocket and its limits.
//! - `sockets`: the open WebSockets of each channel. `waiting`: messages for clients without one.
//! - `message`: the messages as JSON. `relay`: where each goes.
//! - `service_side`: the end that a storage session takes.
//! - `ice`: GetIceServerConfig.
//!
//! Facts: *Kinesis Video Streams WebRTC Developer Guide*, "ConnectAsMaster", "ConnectAsViewer",
//! "Service quotas"; the API model of `kinesis-video-signaling`.

mod connect;
mod connection;
pub(crate) mod errors;
mod ice;
mod message;
mod relay;
mod service_side;
mod signature;
mod sockets;
#[cfg(test)]
mod tests;
mod waiting;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use serde_json::Value;

use crate::aws_error::AwsError;
use crate::clock::Clock;
use crate::faults::{self, Faults};
use crate::kvs::Kvs;
pub(crate) use service_side::{Client, ServiceSide};
pub(crate) use service_side::{FromClient, ToClient};
use sockets::{Push, Sockets};

/// The path of the WSS endpoint for masters.
pub(crate) const MASTER_PATH: &str = "/_signaling/master";
/// The path of the WSS endpoint for viewers.
pub(crate) const VIEWER_PATH: &str = "/_signaling/viewer";
const CONNECT_AS_MASTER: &str = "ConnectAsMaster";
const CONNECT_AS_VIEWER: &str = "ConnectAsViewer";
const GET_ICE_SERVER_CONFIG: &str = "GetIceServerConfig";

/// The operations by their path. AWS has one host for masters and one for viewers.
const OPERATIONS: [(&str, &str); 3] = [
    (MASTER_PATH, CONNECT_AS_MASTER),
    (VIEWER_PATH, CONNECT_AS_VIEWER),
    ("/v1/get-ice-server-config", GET_ICE_SERVER_CONFIG),
];

/// The service.
#[derive(Debug)]
pub struct Signaling {
    clock: Clock,
    faults: Faults,
    kvs: Arc<Kvs>,
    region: String,
    sockets: Mutex<Sockets>,
}

impl Signaling {
    /// Creates the service for the channels of `kvs`. Signatures must be scoped to `region`.
    pub fn new(clock: Clock, faults: Faults, kvs: Arc<Kvs>, region: String) -> Arc<Self> {
        Arc::new(Self { clock, faults, kvs, region, sockets: Mutex::default() })
    }

    /// Returns the operation at a path, if there is one. A signer may add a slash to an endpoint.
    pub(crate) fn operation(path: &str) -> Option<&'static str> {
        let path = path.strip_suffix('/').unwrap_or(path);
        OPERATIONS.iter().find(|(known, _)| *known == path).map(|(_, operation)| *operation)
    }

    /// Returns the operations that a fault may name; its target is a channel's ARN.
    pub fn operations() -> impl Iterator<Item = &'static str> {
        let operations = OPERATIONS.into_iter().map(|(_, operation)| operation);
        operations.chain(faults::network::OPERATIONS)
    }

    /// Returns AWS's answer to an unsigned request.
    pub(crate) fn unsigned() -> Response {
        let (code, message) =
            ("MissingAuthenticationTokenException", "Missing Authentication Token");
        AwsError::new(StatusCode::FORBIDDEN, code, message).rest_json()
    }

    /// Answers one request of the `kinesisvideo` scope to an operation of this service.
    pub async fn handle(self: Arc<Self>, request: Request) -> Response {
        let path = request.uri().path();
        let answer = match Self::operation(path) {
            Some(GET_ICE_SERVER_CONFIG) => self.ice_server_config(request).await,
            Some(operation) => self.connect(operation, request.into_parts().0).await,
            None => Err(AwsError::not_implemented("kinesisvideo", path)),
        };
        answer.unwrap_or_else(|refused| refused.rest_json())
    }

    /// Takes the service's end of a client's connection, for a storage session. The one taken
    /// before ends. `None`: the client has no open connection.
    pub(crate) fn service_side(&self, channel_arn: &str, client: &Client) -> Option<ServiceSide> {
        self.sockets().service_side(channel_arn, client)
    }

    /// Sends GO_AWAY to the clients of a channel, by its name, and ends their connections a minute
    /// later. Returns the number of connections.
    pub(crate) fn go_away(&self, channel: &str, client: Option<&Client>) -> usize {
        self.sockets().push(channel, wanted(client), || Push::GoAway)
    }

    /// Sends RECONNECT_ICE_SERVER to the clients of a channel, by its name. Returns the number of
    /// connections.
    pub(crate) fn reconnect_ice_server(&self, channel: &str, client: Option<&Client>) -> usize {
        self.sockets().push(channel, wanted(client), || Push::ReconnectIceServer)
    }

    /// Closes the connections of a channel, by its name. Returns their number.
    pub(crate) fn close(&self, channel: &str, client: Option<&Client>) -> usize {
        self.sockets().close_clients(channel, wanted(client))
    }

    /// Returns the channels with open connections, as `/_local/signaling` shows them.
    pub fn state(&self) -> Value {
        self.sockets().state()
    }

    fn sockets(&self) -> MutexGuard<'_, Sockets> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether a client is the wanted one; without one, any client is.
fn wanted(client: Option<&Client>) -> impl Fn(&Client) -> bool {
    move |it| client.is_none_or(|wanted| wanted == it)
}

/// The rule for client ids, after the name of the member.
pub(crate) const CLIENT_ID_RULE: &str =
    "must have 1 to 256 characters of a-z, A-Z, 0-9, '_', '.' and '-'";

/// Returns whether an id has 1 to 256 characters of `[a-zA-Z0-9_.-]`.
pub(crate) fn client_id_is_valid(id: &str) -> bool {
    (1..=256).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}
