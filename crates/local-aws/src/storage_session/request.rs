//! The requests of the service.

use axum::extract::Request;

use crate::aws_error::AwsError;
use crate::kvs::Input;
use crate::signaling::errors::invalid;
use crate::signaling::{CLIENT_ID_RULE, Client, client_id_is_valid};

const AS_MASTER: &str = "/joinStorageSession";
const AS_VIEWER: &str = "/joinStorageSessionAsViewer";
/// A request to join the storage session of a channel.
#[derive(Debug)]
pub(super) struct JoinRequest {
    pub(super) channel_arn: String,
    /// Who joins.
    pub(super) client: Client,
}

impl JoinRequest {
    /// Returns whether a path is an operation of this service.
    pub(super) fn is_at(path: &str) -> bool {
        [AS_MASTER, AS_VIEWER].contains(&path)
    }

    /// Reads a request.
    ///
    /// # Errors
    /// It is not JSON, or a member is missing or malformed.
    pub(super) async fn read(request: Request) -> Result<Self, AwsError> {
        let as_viewer = request.uri().path() == AS_VIEWER;
        let input = Input::read(request).await?;
        let channel_arn = input.required_text("channelArn")?.to_owned();
        let client = match input.text("clientId")? {
            _ if !as_viewer => Client::Master,
            Some(id) if client_id_is_valid(id) => Client::Viewer(id.to_owned()),
            _ => return Err(invalid(format!("clientId {CLIENT_ID_RULE}"))),
        };
        Ok(Self { channel_arn, client })
    }

    /// Returns the operation.
    pub(super) fn operation(&self) -> &'static str {
        match self.client {
            Client::Master => "JoinStorageSession",
            Client::Viewer(_) => "JoinStorageSessionAsViewer",
        }
    }
}
