//! Where a client's message goes: to another client, or to the storage session that is the client's
//! peer.

use tokio::sync::mpsc::error::TrySendError;

use crate::aws_error::AwsError;

use super::message::Message;
use super::service_side::Client;
use super::{Signaling, errors};

impl Signaling {
    /// Passes on a message of a connected client. A viewer's recipient is ignored: it is the
    /// master.
    ///
    /// # Errors
    /// The message has no recipient, or the channel stores its media, which ends messages between
    /// its clients, and no storage session has taken the client's connection.
    pub(super) fn relay(
        &self,
        arn: &str,
        sender: &Client,
        message: &Message,
    ) -> Result<(), AwsError> {
        let channel = self.kvs.active_channel(arn, "X-Amz-ChannelARN")?;
        let stores_media = channel.stores_in.is_some();
        let recipient = message.recipient.clone().filter(|_| *sender == Client::Master);
        let mut sockets = self.sockets();
        if recipient.is_none()
            && let Some(session) = sockets.storage_session(arn, sender)
        {
            let Some(message) = message.for_service()? else { return Ok(()) };
            return session.try_send(message).map_err(|error| match error {
                TrySendError::Full(_) => errors::too_many("The storage session is too busy"),
                TrySendError::Closed(_) => no_session(),
            });
        }
        let recipient = match (sender, recipient) {
            (Client::Master, None) if !stores_media => {
                return Err(errors::invalid("recipientClientId is required"));
            }
            (_, None) if stores_media => return Err(no_session()),
            (Client::Master, Some(id)) if !stores_media => Client::Viewer(id),
            (Client::Viewer(_), None) => Client::Master,
            _ => {
                return Err(errors::invalid(
                    "The channel stores its media: its master and viewers cannot reach each other",
                ));
            }
        };
        let (now_ms, ttl_ms) = (self.clock.now_ms(), channel.message_ttl_ms);
        sockets.deliver(arn, sender, recipient, message, now_ms, ttl_ms);
        Ok(())
    }
}

fn no_session() -> AwsError {
    errors::invalid("No storage session waits for the message: call JoinStorageSession first")
}
