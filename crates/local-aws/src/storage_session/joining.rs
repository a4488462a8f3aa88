//! Admits the calls to join a storage session, and starts the sessions.

use std::sync::Arc;

use crate::aws_error::AwsError;
use crate::kvs::ActiveChannel;
use crate::signaling::{Client, ServiceSide, errors};

use super::network::Network;
use super::request::JoinRequest;
use super::session::{Destination, Session};
use super::viewer_session::ViewerSession;
use super::viewers::{self, TakenSlot};
use super::{StorageSessions, calls};

impl StorageSessions {
    /// Starts a session of a client. It replaces the client's session before.
    ///
    /// # Errors
    /// The call is refused, with the error that the API reference lists.
    pub(super) async fn join(&self, request: &JoinRequest) -> Result<(), AwsError> {
        let JoinRequest { channel_arn, client } = request;
        let ActiveChannel { stores_in, deleted, .. } =
            self.kvs.active_channel(channel_arn, "channelArn")?;
        let stream_arn = stores_in.ok_or_else(|| {
            let reason = "has no media storage configuration with Status ENABLED";
            errors::invalid(format!("The channel {channel_arn} {reason}"))
        })?;
        self.with(channel_arn, |channel| channel.deleted = deleted);
        self.admit(request)?;
        let Some(signaling) = (self.service_side)(channel_arn, client) else {
            return Err(errors::invalid(match client {
                Client::Master => format!("No master is connected to the channel {channel_arn}"),
                Client::Viewer(id) => {
                    format!("No viewer {id} is connected to the channel {channel_arn}")
                }
            }));
        };
        let datagrams = self.with(channel_arn, |channel| Arc::clone(&channel.datagrams));
        let network = Network::bind(self.faults.clone(), channel_arn, datagrams)
            .await
            .map_err(|error| internal(&error))?;
        match client {
            Client::Master => self.start_master(channel_arn, stream_arn, network, signaling),
            Client::Viewer(id) => self.start_viewer(channel_arn, id, network, signaling),
        }
    }

    /// Counts a call.
    ///
    /// # Errors
    /// `ClientLimitExceededException`: there were too many in the last second.
    fn admit(&self, request: &JoinRequest) -> Result<(), AwsError> {
        let JoinRequest { channel_arn, client } = request;
        let now_ms = self.kvs.clock().now_ms();
        let too_many = |most: usize, of: &str| {
            let operation = request.operation();
            errors::too_many(format!(
                "{operation} was called more than {most} times in a second {of}"
            ))
        };
        if !self.with(channel_arn, |channel| channel.calls.admit(client, now_ms)) {
            return Err(too_many(calls::MAX_PER_CHANNEL, "for the channel"));
        }
        match self.joined().calls.admit(client, now_ms) {
            true => Ok(()),
            false => Err(too_many(calls::MAX_PER_ACCOUNT, "in the account")),
        }
    }

    fn start_master(
        &self,
        channel_arn: &str,
        stream_arn: String,
        network: Network,
        signaling: ServiceSide,
    ) -> Result<(), AwsError> {
        let (kvs, fragments) = (Arc::clone(&self.kvs), self.fragments);
        let viewers = self.with(channel_arn, |channel| channel.frames.clone());
        let destination = Destination { kvs, stream_arn, fragments, viewers };
        let session =
            Session::new(destination, network, signaling).map_err(|error| internal(&error))?;
        let stop = self.stop.child_token();
        self.with(channel_arn, |channel| channel.replace_master(session, stop));
        Ok(())
    }

    fn start_viewer(
        &self,
        channel_arn: &str,
        client_id: &str,
        network: Network,
        signaling: ServiceSide,
    ) -> Result<(), AwsError> {
        let (clock, stop) = (self.kvs.clock().clone(), self.stop.child_token());
        let frames = self.with(channel_arn, |channel| channel.frames.subscribe());
        let session = ViewerSession::new(clock.clone(), client_id, network, signaling, frames)
            .map_err(|error| internal(&error))?;
        let now_ms = clock.now_ms();
        let taken = self.with(channel_arn, |channel| channel.viewers.take(client_id, stop, now_ms));
        let Some(TakenSlot { stop, ended_ms }) = taken else {
            let most = viewers::MAX_VIEWERS;
            return Err(errors::too_many(format!(
                "The session has the maximum number of viewers, {most}"
            )));
        };
        tokio::spawn(async move {
            session.run(stop).await;
            let _ = ended_ms.set(clock.now_ms());
        });
        Ok(())
    }
}

fn internal(error: &dyn std::error::Error) -> AwsError {
    AwsError::internal("InternalFailure", error.to_string())
}
