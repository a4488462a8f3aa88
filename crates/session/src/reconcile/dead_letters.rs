//! Whether a dead letter needs a session's stream.
//!
//! A stream is kept while a letter that can need it names it or its session (letters live for 14
//! days). A chunk always can. An event can while its session is not delivered to its end; after
//! that it would only find the end, and every principal that may put events can make one.
//!
//! A scan is bounded, and messages that another reader has received are hidden from it. Letters
//! that it did not see keep a stream only as long as that can help:
//!
//! | unseen letters in | keep a stream |
//! |---|---|
//! | the chunk queue | of a session that put chunks there (its checkpoint counts them) … |
//! | the event queue | of a session that is not delivered to its end … |
//! | either | … until KVS's retention is over since the session's end: then the stream is empty |

use crate::StreamArn;

/// What the dead-letter queues hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterScan {
    /// Bodies of the chunks that were seen.
    pub chunks: Vec<String>,
    /// Bodies of the events that were seen.
    pub events: Vec<String>,
    /// There are chunks that were not seen.
    pub unseen_chunks: bool,
    /// There are events that were not seen.
    pub unseen_events: bool,
}

/// Which letters can need a session's stream, besides chunks that name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Eligible {
    /// A chunk that was not seen: chunks of the session went to the queue.
    pub(super) unseen_chunk: bool,
    /// An event: the session was opened and is not delivered to its end.
    pub(super) event: bool,
}

/// Whether dead letters need a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retention {
    /// A letter names it.
    Needed,
    /// A letter that was not seen may name it.
    MaybeNeeded,
    /// None needs it.
    Unneeded,
}

/// Whether a letter needs this stream of this session.
pub(super) fn retention(
    scan: &DeadLetterScan,
    stream: &StreamArn,
    session: &str,
    eligible: Eligible,
) -> Retention {
    let session = format!("\"{session}\"");
    let names = |body: &String| body.contains(stream.as_str()) || body.contains(&session);
    if scan.chunks.iter().any(names) || (eligible.event && scan.events.iter().any(names)) {
        Retention::Needed
    } else if (eligible.event && scan.unseen_events)
        || (eligible.unseen_chunk && scan.unseen_chunks)
    {
        Retention::MaybeNeeded
    } else {
        Retention::Unneeded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> StreamArn {
        "arn:aws:kinesisvideo:us-east-1:1:stream/session-a-b-1/5".parse().unwrap()
    }

    fn eligible(unseen_chunk: bool, event: bool) -> Eligible {
        Eligible { unseen_chunk, event }
    }

    #[test]
    fn a_letter_is_found_by_stream_or_session() {
        let stream = stream();
        let needed = |body: &str| {
            let scan =
                DeadLetterScan { chunks: vec![body.to_owned()], ..DeadLetterScan::default() };
            retention(&scan, &stream, "a-b-1", eligible(false, false))
        };
        assert_eq!(needed(&format!("{{\"streamArn\":\"{stream}\"}}")), Retention::Needed);
        assert_eq!(needed("{\"detail\":{\"sessionId\":\"a-b-1\"}}"), Retention::Needed);
        assert_eq!(needed("{\"sessionId\":\"a-b-12\"}"), Retention::Unneeded);
    }

    #[test]
    fn an_event_needs_no_stream_that_is_delivered_to_its_end() {
        let body = "{\"detail\":{\"sessionId\":\"a-b-1\"}}".to_owned();
        let scan = DeadLetterScan { events: vec![body], ..DeadLetterScan::default() };
        assert_eq!(retention(&scan, &stream(), "a-b-1", eligible(true, true)), Retention::Needed);
        assert_eq!(
            retention(&scan, &stream(), "a-b-1", eligible(true, false)),
            Retention::Unneeded
        );
    }

    #[test]
    fn unseen_letters_need_what_they_can_name() {
        let needed = |unseen_chunks, unseen_events, eligible| {
            let scan = DeadLetterScan { unseen_chunks, unseen_events, ..DeadLetterScan::default() };
            retention(&scan, &stream(), "a-b-1", eligible)
        };
        assert_eq!(needed(true, false, eligible(false, true)), Retention::Unneeded);
        assert_eq!(needed(true, false, eligible(true, false)), Retention::MaybeNeeded);
        assert_eq!(needed(false, true, eligible(false, true)), Retention::MaybeNeeded);
        assert_eq!(needed(false, true, eligible(true, false)), Retention::Unneeded);
        assert_eq!(needed(false, false, eligible(true, true)), Retention::Unneeded);
    }
}
