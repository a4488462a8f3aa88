//! Decides whether a dead letter needs a session's stream.
//!
//! A stream is kept while a dead letter (retained for 14 days) names the stream or its session and
//! may need it. A chunk always may. An event may until its session is delivered completely;
//! afterwards it has no effect, and any principal that may put events can create one.
//!
//! A scan is bounded, and messages that another reader has received are invisible to it. Unseen
//! letters keep a stream only until KVS's retention has passed since the session's end (then the
//! stream is empty), and only under these conditions:
//!
//! | unseen letters in | keep the stream of a session |
//! |---|---|
//! | the chunk queue | that put chunks there (its checkpoint counts them) |
//! | the event queue | that is not delivered to its end |

use crate::StreamArn;

/// Contents of the dead-letter queues.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterScan {
    /// Bodies of the chunks seen.
    pub chunks: Vec<String>,
    /// Bodies of the events seen.
    pub events: Vec<String>,
    /// Whether the queue contains chunks that were not seen.
    pub unseen_chunks: bool,
    /// Whether the queue contains events that were not seen.
    pub unseen_events: bool,
}

/// The letters that may need a session's stream, apart from chunks that name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Eligible {
    /// An unseen chunk: the session has chunks in the queue.
    pub(super) unseen_chunk: bool,
    /// An event: the session was open and is not delivered completely.
    pub(super) event: bool,
}

/// Outcome of [`retention`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retention {
    /// A letter needs the stream.
    Needed,
    /// An unseen letter may need it.
    MaybeNeeded,
    /// No letter needs it.
    Unneeded,
}

/// Returns whether a letter needs the stream of a session.
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
