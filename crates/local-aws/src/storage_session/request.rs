//! The requests of the service.

use axum::extract::Request;
use serde::Deserialize;

use crate::aws_error::AwsError;
use crate::signaling::{Client, client_id_is_valid};

const AS_MASTER: &str = "/joinStorageSession";
const AS_VIEWER: &str = "/joinStorageSessionAsViewer";
/// Maximum size of a request's body.
const BODY_BYTES: usize = 16 * 1024;

/// A request to join the storage session of a channel.
#[derive(Debug)]
pub(super) struct JoinRequest {
    pub(super) channel_arn: String,
    /// Who joins.
    pub(super) client: Client,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    channel_arn: Option<String>,
    client_id: Option<String>,
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
        let body = axum::body::to_bytes(request.into_body(), BODY_BYTES).await.unwrap_or_default();
        let input: Input = serde_json::from_slice(&body).map_err(|_| {
            AwsError::bad_request("SerializationException", "The body is not a JSON object")
        })?;
        let channel_arn = input.channel_arn.ok_or_else(|| invalid("channelArn is required"))?;
        let client = match (as_viewer, input.client_id) {
            (false, _) => Client::Master,
            (true, Some(id)) if client_id_is_valid(&id) => Client::Viewer(id),
            (true, _) => {
                return Err(invalid(
                    "clientId must have 1 to 256 characters of a-z, A-Z, 0-9, '_', '.' and '-'",
                ));
            }
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

pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidArgumentException", message)
}
