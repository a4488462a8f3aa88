//! ConnectAsMaster and ConnectAsViewer: the upgrade of a signed request to a WebSocket.
//!
//! The connection is registered before the answer 101: a client may join a storage session as soon
//! as it has the answer, and the session's offer needs the connection.

use std::sync::Arc;

use axum::extract::FromRequestParts as _;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::Response;
use http::request::Parts;

use crate::aws_error::AwsError;
use crate::clock::real_now_ms;
use crate::iam;
use crate::wire::query_value;

use super::connection::Connection;
use super::service_side::Client;
use super::signature::Signature;
use super::{CLIENT_ID_RULE, CONNECT_AS_MASTER, Signaling, client_id_is_valid, errors};

/// The largest message, in bytes: more than any message with a valid payload.
const MAX_MESSAGE: usize = 64 * 1024;
/// The prefix, in any case, that a client id may not have.
const RESERVED: &str = "aws_";

impl Signaling {
    /// Answers ConnectAsMaster and ConnectAsViewer.
    ///
    /// # Errors
    /// The signature or a parameter is not valid, the channel does not exist, or a limit is
    /// exceeded.
    pub(super) async fn connect(
        self: &Arc<Self>,
        operation: &str,
        mut head: Parts,
    ) -> Result<Response, AwsError> {
        let signature = Signature::of(&head)?;
        let secret = iam::secret_of(signature.key());
        signature.verify(&self.region, secret, real_now_ms() / 1000)?;
        let arn = query_value(head.uri.query(), "X-Amz-ChannelARN")
            .ok_or_else(|| errors::invalid("X-Amz-ChannelARN is required"))?;
        let client = match operation {
            CONNECT_AS_MASTER => Client::Master,
            _ => viewer(query_value(head.uri.query(), "X-Amz-ClientId"))?,
        };
        let upgrade = WebSocketUpgrade::from_request_parts(&mut head, &()).await;
        let upgrade = upgrade.map_err(|refused| errors::invalid(refused.body_text()))?;
        self.faults.reachable(&arn).await;
        self.faults.gate("kinesisvideo", operation, &arn).await?;
        let channel = self.kvs.active_channel(&arn, "X-Amz-ChannelARN")?;
        let opened = self.sockets().open(&arn, &client, self.clock.now_ms())?;
        let connection = Connection::new(Arc::clone(self), arn, client, opened, channel.deleted);
        let upgrade = upgrade.max_message_size(MAX_MESSAGE);
        Ok(upgrade.on_upgrade(|socket| connection.run(socket)))
    }
}

fn viewer(id: Option<String>) -> Result<Client, AwsError> {
    let id = id.ok_or_else(|| errors::invalid("X-Amz-ClientId is required"))?;
    let is_reserved =
        id.get(..RESERVED.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED));
    if client_id_is_valid(&id) && !is_reserved {
        return Ok(Client::Viewer(id));
    }
    Err(errors::invalid(format!("X-Amz-ClientId {CLIENT_ID_RULE}, and not start with AWS_")))
}
