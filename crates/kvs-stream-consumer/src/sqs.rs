//! The dead-letter queues: written with chunks, looked into before a stream is deleted.
//!
//! A stream is kept while a letter that can need it names it or its session (letters live for 14
//! days). A chunk always can. An event can while its session is not delivered to its end; after that
//! it would only find the end, and every principal that may put events can make one.
//!
//! A look is bounded, and letters that another reader has received (a second health check, a
//! redrive, an operator at the console) are hidden from it, so there may be letters that it does not
//! see. Those keep a stream only as long as that can help:
//!
//! | unseen letters in | keep a stream |
//! |---|---|
//! | the chunk queue | of a session that put chunks there (its checkpoint counts them) … |
//! | the event queue | of a session that is not delivered to its end … |
//! | either | … until KVS's retention is over since the session's end: then the stream is empty |

use std::collections::HashSet;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::QueueAttributeName;
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
    /// Texts of the chunks that were seen.
    chunks: Vec<String>,
    /// Texts of the events that were seen.
    events: Vec<String>,
    /// There are chunks that were not seen.
    unseen_chunks: bool,
    /// There are events that were not seen.
    unseen_events: bool,
}

/// Whether a stream is needed by a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// A letter names it.
    Named,
    /// A letter that was not seen may name it.
    Perhaps,
    /// None.
    No,
}

/// Which letters can need a session's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Can {
    /// A chunk that was not seen: chunks of the session went to the queue.
    pub(crate) unseen_chunk: bool,
    /// An event: the session was opened and is not delivered to its end.
    pub(crate) event: bool,
}

impl Named {
    /// Whether a letter needs this stream.
    pub(crate) fn need(&self, stream: &StreamArn, session: &str, can: Can) -> Need {
        let session = format!("\"{session}\"");
        let names = |body: &String| body.contains(stream.as_str()) || body.contains(&session);
        if self.chunks.iter().any(names) || (can.event && self.events.iter().any(names)) {
            Need::Named
        } else if (can.event && self.unseen_events) || (can.unseen_chunk && self.unseen_chunks) {
            Need::Perhaps
        } else {
            Need::No
        }
    }
}

impl Queues {
    pub(crate) fn new(client: Client, config: &Config) -> Self {
        Self { client, chunks: config.chunk_dlq_url.clone(), events: config.events_dlq_url.clone() }
    }

    /// Looks into both queues without taking anything out.
    pub(crate) async fn named(&self) -> Result<Named, StoreError> {
        let mut named = Named::default();
        named.unseen_chunks = self.look(&self.chunks, &mut named.chunks).await?;
        if let Some(url) = &self.events {
            named.unseen_events = self.look(url, &mut named.events).await?;
        }
        Ok(named)
    }

    /// Adds the letters of a queue; `true` when there may be more.
    async fn look(&self, url: &str, bodies: &mut Vec<String>) -> Result<bool, StoreError> {
        let mut seen = HashSet::new();
        for _ in 0..LOOKS {
            let receive = self.client.receive_message().queue_url(url);
            // Waiting asks all of the queue's servers; without it an empty answer proves nothing.
            let receive = receive.max_number_of_messages(10).wait_time_seconds(1);
            let receive = receive.visibility_timeout(HIDDEN_SECONDS);
            let output = receive.send().await.map_err(unanswered)?;
            let messages = output.messages.unwrap_or_default();
            if messages.is_empty() {
                return Ok(self.in_hand(url).await? > seen.len());
            }
            for message in messages {
                if seen.insert(message.message_id) {
                    bodies.extend(message.body);
                }
            }
        }
        Ok(true)
    }
}

impl Queues {
    /// Letters that are hidden now because someone received them, this look included.
    async fn in_hand(&self, url: &str) -> Result<usize, StoreError> {
        let hidden = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
        let ask = self.client.get_queue_attributes().queue_url(url).attribute_names(hidden.clone());
        let output = ask.send().await.map_err(unanswered)?;
        let count = output.attributes.as_ref().and_then(|attributes| attributes.get(&hidden));
        count.and_then(|count| count.parse().ok()).ok_or_else(|| StoreError {
            message: format!("{url} does not say how many of its letters are in hand"),
            retryable: true,
        })
    }
}

fn unanswered(error: impl std::error::Error) -> StoreError {
    StoreError { message: DisplayErrorContext(error).to_string(), retryable: true }
}

impl DeadLetters for Queues {
    async fn send(&self, letter: &DeadLetter) -> Result<(), StoreError> {
        let body = serde_json::to_string(letter)
            .map_err(|error| StoreError { message: error.to_string(), retryable: false })?;
        match self.client.send_message().queue_url(&self.chunks).message_body(body).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(unanswered(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> StreamArn {
        "arn:aws:kinesisvideo:us-east-1:1:stream/session-a-b-1/5".parse().unwrap()
    }

    fn can(unseen_chunk: bool, event: bool) -> Can {
        Can { unseen_chunk, event }
    }

    #[test]
    fn a_letter_is_found_by_stream_or_session() {
        let stream = stream();
        let need = |body: &str| {
            let named = Named { chunks: vec![body.to_owned()], ..Named::default() };
            named.need(&stream, "a-b-1", can(false, false))
        };
        assert_eq!(need(&format!("{{\"streamArn\":\"{stream}\"}}")), Need::Named);
        assert_eq!(need("{\"detail\":{\"sessionId\":\"a-b-1\"}}"), Need::Named);
        assert_eq!(need("{\"sessionId\":\"a-b-12\"}"), Need::No);
    }

    #[test]
    fn an_event_needs_no_stream_that_is_delivered_to_its_end() {
        let body = "{\"detail\":{\"sessionId\":\"a-b-1\"}}".to_owned();
        let named = Named { events: vec![body], ..Named::default() };
        assert_eq!(named.need(&stream(), "a-b-1", can(true, true)), Need::Named);
        assert_eq!(named.need(&stream(), "a-b-1", can(true, false)), Need::No);
    }

    #[test]
    fn unseen_letters_need_what_they_can_name() {
        let need = |unseen_chunks, unseen_events, can| {
            let named = Named { unseen_chunks, unseen_events, ..Named::default() };
            named.need(&stream(), "a-b-1", can)
        };
        assert_eq!(need(true, false, can(false, true)), Need::No);
        assert_eq!(need(true, false, can(true, false)), Need::Perhaps);
        assert_eq!(need(false, true, can(false, true)), Need::Perhaps);
        assert_eq!(need(false, true, can(true, false)), Need::No);
        assert_eq!(need(false, false, can(true, true)), Need::No);
    }
}
