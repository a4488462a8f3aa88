//! The dead-letter queues: refused chunks are sent to one, and the health check looks into both.
//!
//! A look is bounded, and messages that another reader has received (a second health check, a
//! redrive, an operator at the console) are hidden from it, so there may be messages that it does
//! not see. [`DeadLetterScan`] says whether there are.

use std::collections::HashSet;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::types::QueueAttributeName;
use relay::ports::{DeadLetter, DeadLetters};
use session::reconcile::{self, DeadLetterScan};
use session::{ErrorKind, PortError};

use crate::client::{Sdk, TraceHeader};
use crate::sdk_error::port_error;

/// Receives of ten messages each that one scan makes at most.
const MAX_RECEIVES: usize = 20;

/// How long a message that was scanned stays hidden, s: long enough that the same scan does not
/// receive it again, short enough that a redrive is hardly delayed.
const HIDDEN_SECONDS: i32 = 20;

/// Both dead-letter queues.
#[derive(Debug)]
pub struct DeadLetterQueues {
    client: Client,
    chunks: String,
    events: Option<String>,
}

impl DeadLetterQueues {
    /// The queues with these URLs; `events` may be missing.
    pub fn new(sdk: &Sdk, chunks: String, events: Option<String>) -> Self {
        let config = Builder::from(sdk.config()).interceptor(TraceHeader).build();
        Self { client: Client::from_conf(config), chunks, events }
    }

    /// Adds the messages of a queue; `true` when there may be more.
    async fn receive(&self, url: &str, bodies: &mut Vec<String>) -> Result<bool, PortError> {
        let mut seen = HashSet::new();
        for _ in 0..MAX_RECEIVES {
            let receive = self.client.receive_message().queue_url(url);
            // A wait asks all of the queue's servers; without it an empty answer proves nothing.
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

    /// Messages that are hidden now because a reader received them, this scan included.
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

impl reconcile::DeadLetters for DeadLetterQueues {
    async fn scan(&self) -> Result<DeadLetterScan, PortError> {
        let mut scan = DeadLetterScan::default();
        scan.unseen_chunks = self.receive(&self.chunks, &mut scan.chunks).await?;
        if let Some(url) = &self.events {
            scan.unseen_events = self.receive(url, &mut scan.events).await?;
        }
        Ok(scan)
    }
}

impl DeadLetters for DeadLetterQueues {
    async fn send(&self, letter: &DeadLetter) -> Result<(), PortError> {
        let operation = "SendMessage";
        let body = serde_json::to_string(letter)
            .map_err(|error| PortError::new(operation, ErrorKind::Invalid, error.to_string()))?;
        let send = self.client.send_message().queue_url(&self.chunks).message_body(body).send();
        send.await.map(drop).map_err(|error| port_error(operation, &error))
    }
}
