//! GetIceServerConfig: the TURN servers of a channel.
//!
//! AWS returns TURN servers with passwords that are valid for five minutes. One machine has none
//! and needs none: the service offers a host candidate on 127.0.0.1, which a browser on the same
//! machine reaches directly. The list is empty, as the API's model allows; an entry that leads
//! nowhere would delay a client that waits until all its candidates are gathered.

use axum::body::{Body, to_bytes};
use axum::response::{IntoResponse, Response};
use http::header;
use serde_json::{Value, json};

use crate::aws_error::AwsError;
use crate::faults::FaultKind;

use super::{Signaling, client_id_is_valid, errors};

/// Maximum size of a request, in bytes.
const MAX_BODY: usize = 64 * 1024;

impl Signaling {
    /// Answers GetIceServerConfig.
    ///
    /// # Errors
    /// A member is missing or malformed, or the channel does not exist.
    pub(super) async fn ice_server_config(&self, body: Body) -> Result<Response, AwsError> {
        let body = to_bytes(body, MAX_BODY).await;
        let body = body.map_err(|_| errors::invalid("The body cannot be read or is too large"))?;
        let input: Value = serde_json::from_slice(&body).map_err(|_| {
            AwsError::bad_request("SerializationException", "The body is not a JSON object")
        })?;
        let arn = input["ChannelARN"].as_str();
        let arn = arn.ok_or_else(|| errors::invalid("ChannelARN is required"))?;
        if !matches!(input["Service"].as_str(), None | Some("TURN")) {
            return Err(errors::invalid("Service must be TURN"));
        }
        for member in ["ClientId", "Username"] {
            if input[member].as_str().is_some_and(|id| !client_id_is_valid(id)) {
                return Err(errors::invalid(format!(
                    "{member} must have 1 to 256 characters of a-z, A-Z, 0-9, '_', '.' and '-'"
                )));
            }
        }
        self.faults.reachable(arn).await;
        let fault = self.faults.gate("kinesisvideo", "GetIceServerConfig", arn).await?;
        self.kvs.active_channel(arn, "ChannelARN")?;
        let body = match fault {
            Some(fault) if fault.kind == FaultKind::Answer => fault.extra["answer"].to_string(),
            _ => json!({ "IceServerList": [] }).to_string(),
        };
        Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
    }
}
