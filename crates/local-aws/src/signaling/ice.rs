//! GetIceServerConfig: the TURN servers of a channel.
//!
//! AWS returns TURN servers with passwords that are valid for five minutes. One machine has none
//! and needs none: the service offers a host candidate on 127.0.0.1, which a browser on the same
//! machine reaches directly. The list is empty, as the API's model allows; an entry that leads
//! nowhere would delay a client that waits until all its candidates are gathered.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header;
use serde_json::json;

use crate::aws_error::AwsError;
use crate::faults::FaultKind;
use crate::kvs::Input;

use super::{CLIENT_ID_RULE, Signaling, client_id_is_valid, errors};

impl Signaling {
    /// Answers GetIceServerConfig.
    ///
    /// # Errors
    /// A member is missing or malformed, or the channel does not exist.
    pub(super) async fn ice_server_config(&self, request: Request) -> Result<Response, AwsError> {
        let input = Input::read(request).await?;
        let arn = input.required_text("ChannelARN")?;
        if !matches!(input.text("Service")?, None | Some("TURN")) {
            return Err(errors::invalid("Service must be TURN"));
        }
        for member in ["ClientId", "Username"] {
            if input.text(member)?.is_some_and(|id| !client_id_is_valid(id)) {
                return Err(errors::invalid(format!("{member} {CLIENT_ID_RULE}")));
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
