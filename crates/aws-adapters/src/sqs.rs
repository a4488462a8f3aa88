//! The dead-letter queues: rejected chunks are sent to one, and the health check scans both.
//!
//! A scan is bounded, and messages that another reader has received (a second health check, a
//! redrive, an operator at the console) are invisible to it. [`DeadLetterScan`] states whether
//! there are messages that were not seen.

use std::collections::HashSet;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::types::QueueAttributeName;
use relay::ports::{DeadLetter, DeadLetterQueue};
use session::reconcile::{self, DeadLetterScan};
use session::{ErrorKind, PortError};

use crate::client::{Sdk, TraceHeader};
use crate::sdk_error::port_error;

/// Maximum number of ReceiveMessage calls per scan, of ten messages each.
const MAX_RECEIVES: usize = 20;

/// Visibility timeout of scanned messages, s: long enough that the same scan does not receive a
/// message again, short enough that a redrive is hardly delayed.
const HIDDEN_SECONDS: i32 = 20;

/// Both dead-letter queues.
#[derive(Debug)]
pub struct DeadLetterQueues {
    client: Client,
    chunks: String,
    events: Option<String>,
}

impl DeadLetterQueues {
    /// Creates a client of the queues with these URLs.
    pub fn new(sdk: &Sdk, chunks: String, events: Option<String>) -> Self {
        let config = Builder::from(sdk.config()).interceptor(TraceHeader).build();
        Self { client: Client::from_conf(config), chunks, events }
    }

    /// Adds the messages of a queue. Returns `true` if there may be more.
    async fn receive(&self, url: &str, bodies: &mut Vec<String>) -> Result<bool, PortError> {
        let mut seen = HashSet::new();
        for _ in 0..MAX_RECEIVES {
            let receive = self.client.receive_message().queue_url(url);
            // Long polling queries all servers of the queue; otherwise an empty response proves
            // nothing.
            let receive = receive.max_number_of_messages(10).wait_time_seconds(1);
            let receive = receive.visibility_timeout(HIDDEN_SECONDS);
            let output = receive.send().await;
            let output = output.map_err(|error| port_error("ReceiveMessage", &error))?;
            let messages = output.messages.unwrap_or_default();
            if messages.is_empty() {
                return Ok(self.hidden(url).await? > seen.len());
            }
            for message in messages {
                if seen.insert(message.message_id) {
                    bodies.extend(message.body);
                }
            }
        }
        Ok(true)
    }

    /// Returns the number of messages that are invisible because a reader, including this scan, has
    /// received them.
    async fn hidden(&self, url: &str) -> Result<usize, PortError> {
        let operation = "GetQueueAttributes";
        let hidden = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
        let ask = self.client.get_queue_attributes().queue_url(url).attribute_names(hidden.clone());
        let output = ask.send().await.map_err(|error| port_error(operation, &error))?;
        let count = output.attributes.as_ref().and_then(|attributes| attributes.get(&hidden));
        count.and_then(|count| count.parse().ok()).ok_or_else(|| {
            let message = format!("{url}: no ApproximateNumberOfMessagesNotVisible");
            PortError::new(operation, ErrorKind::Unavailable, message)
        })
    }
}

impl reconcile::DeadLetterScanner for DeadLetterQueues {
    async fn scan(&self) -> Result<DeadLetterScan, PortError> {
        let mut scan = DeadLetterScan::default();
        scan.unseen_chunks = self.receive(&self.chunks, &mut scan.chunks).await?;
        if let Some(url) = &self.events {
            scan.unseen_events = self.receive(url, &mut scan.events).await?;
        }
        Ok(scan)
    }
}

impl DeadLetterQueue for DeadLetterQueues {
    async fn send(&self, letter: &DeadLetter) -> Result<(), PortError> {
        let operation = "SendMessage";
        let body = serde_json::to_string(letter)
            .map_err(|error| PortError::new(operation, ErrorKind::Invalid, error.to_string()))?;
        let send = self.client.send_message().queue_url(&self.chunks).message_body(body).send();
        send.await.map(drop).map_err(|error| port_error(operation, &error))
    }
}
