//! Whether a dead letter needs a session's stream.
//!
//! A stream is kept while a letter that can need it names it or its session (letters live for 14
//! days). A chunk always can. An event can while its session is not delivered to its end; after that
//! it would only find the end, and every principal that may put events can make one.
//!
//! Letters that a scan did not see keep a stream only as long as that can help:
//!
//! | unseen letters in | keep a stream |
//! |---|---|
//! | the chunk queue | of a session that put chunks there (its checkpoint counts them) … |
//! | the event queue | of a session that is not delivered to its end … |
//! | either | … until KVS's retention is over since the session's end: then the stream is empty |

use aws_adapters::sqs::DeadLetterScan;
use session::StreamArn;

/// Whether a stream is needed by a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// A letter names it.
    Named,
    /// A letter that was not seen may name it.
    Perhaps,
    /// None.
    No,
}

/// Which letters can need a session's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Can {
    /// A chunk that was not seen: chunks of the session went to the queue.
    pub(super) unseen_chunk: bool,
    /// An event: the session was opened and is not delivered to its end.
    pub(super) event: bool,
}

/// Whether a letter needs this stream.
pub(super) fn need(scan: &DeadLetterScan, stream: &StreamArn, session: &str, can: Can) -> Need {
    let session = format!("\"{session}\"");
    let names = |body: &String| body.contains(stream.as_str()) || body.contains(&session);
    if scan.chunks.iter().any(names) || (can.event && scan.events.iter().any(names)) {
        Need::Named
    } else if (can.event && scan.unseen_events) || (can.unseen_chunk && scan.unseen_chunks) {
        Need::Perhaps
    } else {
        Need::No
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
        let needed = |body: &str| {
            let scan =
                DeadLetterScan { chunks: vec![body.to_owned()], ..DeadLetterScan::default() };
            need(&scan, &stream, "a-b-1", can(false, false))
        };
        assert_eq!(needed(&format!("{{\"streamArn\":\"{stream}\"}}")), Need::Named);
        assert_eq!(needed("{\"detail\":{\"sessionId\":\"a-b-1\"}}"), Need::Named);
        assert_eq!(needed("{\"sessionId\":\"a-b-12\"}"), Need::No);
    }

    #[test]
    fn an_event_needs_no_stream_that_is_delivered_to_its_end() {
        let body = "{\"detail\":{\"sessionId\":\"a-b-1\"}}".to_owned();
        let scan = DeadLetterScan { events: vec![body], ..DeadLetterScan::default() };
        assert_eq!(need(&scan, &stream(), "a-b-1", can(true, true)), Need::Named);
        assert_eq!(need(&scan, &stream(), "a-b-1", can(true, false)), Need::No);
    }

    #[test]
    fn unseen_letters_need_what_they_can_name() {
        let needed = |unseen_chunks, unseen_events, can| {
            let scan = DeadLetterScan { unseen_chunks, unseen_events, ..DeadLetterScan::default() };
            need(&scan, &stream(), "a-b-1", can)
        };
        assert_eq!(needed(true, false, can(false, true)), Need::No);
        assert_eq!(needed(true, false, can(true, false)), Need::Perhaps);
        assert_eq!(needed(false, true, can(false, true)), Need::Perhaps);
        assert_eq!(needed(false, true, can(true, false)), Need::No);
        assert_eq!(needed(false, false, can(true, true)), Need::No);
    }
}
