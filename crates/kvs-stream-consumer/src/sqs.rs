//! The dead-letter queues: written with chunks, looked into before a stream is deleted.

use std::collections::HashSet;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use relay::StoreError;
use relay::ports::{DeadLetter, DeadLetters};
use session::StreamArn;

use crate::config::Config;

/// Receives of ten messages each that one look makes at most.
const LOOKS: usize = 20;
/// How long a message that was looked at stays out of sight, s: long enough that the same look does
/// not meet it again, short enough that a redrive is hardly held up.
const HIDDEN_SECONDS: i32 = 20;

/// Both dead-letter queues.
#[derive(Debug)]
pub(crate) struct Queues {
    client: Client,
    chunks: String,
    events: Option<String>,
}

/// What the dead letters name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// Texts of the letters that were seen.
    bodies: Vec<String>,
    /// Not every letter was seen: any stream may be named.
    incomplete: bool,
}

impl Named {
    /// Whether a letter may need this stream.
    pub(crate) fn may_need(&self, stream: &StreamArn, session: &str) -> bool {
        let session = format!("\"{session}\"");
        self.incomplete
            || self
                .bodies
                .iter()
                .any(|body| body.contains(stream.as_str()) || body.contains(&session))
    }
}

impl Queues {
    pub(crate) fn new(client: Client, config: &Config) -> Self {
        Self { client, chunks: config.chunk_dlq_url.clone(), events: config.events_dlq_url.clone() }
    }

    /// Looks into both queues without taking anything out.
    pub(crate) async fn named(&self) -> Result<Named, StoreError> {
        let mut named = Named::default();
        for url in [Some(&self.chunks), self.events.as_ref()].into_iter().flatten() {
            self.look(url, &mut named).await?;
        }
        Ok(named)
    }

    async fn look(&self, url: &str, named: &mut Named) -> Result<(), StoreError> {
        let mut seen = HashSet::new();
        for _ in 0..LOOKS {
            let receive = self.client.receive_message().queue_url(url);
            // Waiting asks all of the queue's servers; without it an empty answer proves nothing.
            let receive = receive.max_number_of_messages(10).wait_time_seconds(1);
            let receive = receive.visibility_timeout(HIDDEN_SECONDS);
            let output = receive.send().await.map_err(|error| StoreError {
                message: DisplayErrorContext(error).to_string(),
                retryable: true,
            })?;
            let messages = output.messages.unwrap_or_default();
            if messages.is_empty() {
                return Ok(());
            }
            for message in messages {
                if seen.insert(message.message_id) {
                    named.bodies.extend(message.body);
                }
            }
        }
        named.incomplete = true;
        Ok(())
    }
}

impl DeadLetters for Queues {
    async fn send(&self, letter: &DeadLetter) -> Result<(), StoreError> {
        let body = serde_json::to_string(letter)
            .map_err(|error| StoreError { message: error.to_string(), retryable: false })?;
        match self.client.send_message().queue_url(&self.chunks).message_body(body).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                Err(StoreError { message: DisplayErrorContext(error).to_string(), retryable: true })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_found_by_stream_or_session() {
        let stream: StreamArn =
            "arn:aws:kinesisvideo:us-east-1:1:stream/session-a-b-1/5".parse().unwrap();
        let named = |body: &str| Named { bodies: vec![body.to_owned()], incomplete: false };
        assert!(named(&format!("{{\"streamArn\":\"{stream}\"}}")).may_need(&stream, "a-b-1"));
        assert!(named("{\"detail\":{\"sessionId\":\"a-b-1\"}}").may_need(&stream, "a-b-1"));
        assert!(!named("{\"sessionId\":\"a-b-12\"}").may_need(&stream, "a-b-1"));
        assert!(Named { bodies: vec![], incomplete: true }.may_need(&stream, "a-b-1"));
    }
}
