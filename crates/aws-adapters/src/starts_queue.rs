//! The workers' queue: one message is one run.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::types::{
    Message, MessageSystemAttributeName, MessageSystemAttributeNameForSends,
    MessageSystemAttributeValue,
};
use serde_json::Value;
use session::{ErrorKind, PortError};

use crate::client::{Sdk, TraceHeader};
use crate::sdk_error::port_error;

/// Duration of long polling, in seconds. A worker that stops waits for its last call, and what that
/// call receives is hidden from other workers until their last calls have ended too.
pub const WAIT_SECONDS: i32 = 5;

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// What identifies this receipt of the message.
    pub receipt: String,
    /// Its text.
    pub body: String,
    /// The trace header that was sent with it.
    pub trace: Option<String>,
    /// How often it was received, this time included.
    pub receives: u32,
}

/// The workers' queue.
#[derive(Debug, Clone)]
pub struct StartsQueue {
    client: Client,
    url: String,
}

impl StartsQueue {
    /// Creates a client of the queue with this URL.
    pub fn new(sdk: &Sdk, url: String) -> Self {
        let config = Builder::from(sdk.config()).interceptor(TraceHeader).build();
        Self { client: Client::from_conf(config), url }
    }

    /// Sends an event, with the current trace.
    ///
    /// # Errors
    /// The call failed.
    pub async fn send(&self, event: &Value) -> Result<(), PortError> {
        let operation = "SendMessage";
        let mut send = self.client.send_message().queue_url(&self.url);
        if let Some(header) = lambda_support::trace::current() {
            let value = MessageSystemAttributeValue::builder().data_type("String");
            let value = value.string_value(header).build().map_err(|error| {
                PortError::new(operation, ErrorKind::Invalid, error.to_string())
            })?;
            let name = MessageSystemAttributeNameForSends::AwsTraceHeader;
            send = send.message_system_attributes(name, value);
        }
        let sent = send.message_body(event.to_string()).send().await;
        sent.map(drop).map_err(|error| port_error(operation, &error))
    }

    /// Receives up to `most` (1 to 10) messages, which are then invisible for `visibility` seconds;
    /// waits up to [`WAIT_SECONDS`] for the first one.
    ///
    /// # Errors
    /// The call failed.
    pub async fn receive(&self, most: i32, visibility: i32) -> Result<Vec<Start>, PortError> {
        let receive = self.client.receive_message().queue_url(&self.url);
        let receive = receive.max_number_of_messages(most).wait_time_seconds(WAIT_SECONDS);
        let receive = receive
            .visibility_timeout(visibility)
            .message_system_attribute_names(MessageSystemAttributeName::AwsTraceHeader)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        let output = receive.send().await.map_err(|error| port_error("ReceiveMessage", &error))?;
        Ok(output.messages.unwrap_or_default().into_iter().map(start).collect())
    }

    /// Makes a received message invisible for `seconds` from now on; 0 makes it visible.
    ///
    /// # Errors
    /// The call failed; also if the message is visible already.
    pub async fn hide(&self, receipt: &str, seconds: i32) -> Result<(), PortError> {
        let change = self.client.change_message_visibility().queue_url(&self.url);
        let change = change.receipt_handle(receipt).visibility_timeout(seconds).send().await;
        change.map(drop).map_err(|error| port_error("ChangeMessageVisibility", &error))
    }

    /// Deletes a received message.
    ///
    /// # Errors
    /// The call failed.
    pub async fn delete(&self, receipt: &str) -> Result<(), PortError> {
        let delete = self.client.delete_message().queue_url(&self.url).receipt_handle(receipt);
        delete.send().await.map(drop).map_err(|error| port_error("DeleteMessage", &error))
    }
}

fn start(message: Message) -> Start {
    let mut attributes = message.attributes.unwrap_or_default();
    let receives = attributes.get(&MessageSystemAttributeName::ApproximateReceiveCount);
    Start {
        receives: receives.and_then(|count| count.parse().ok()).unwrap_or(1),
        trace: attributes.remove(&MessageSystemAttributeName::AwsTraceHeader),
        receipt: message.receipt_handle.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
    }
}
