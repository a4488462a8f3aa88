//! Which stream an event may start or stop: the record decides, not the event.
//!
//! Every principal with `events:PutEvents` on the bus can write an event. The session's Sessions
//! item therefore decides its stream, settings and state; for a session without an item the tags
//! `env` and `sessionId` of the stream do, which only the session handler writes. The item is read
//! consistently, and each true event is emitted after the write that it tells of (`activate` and
//! `mark_ended` in `session`, `end` in the health check), so a true event never contradicts it.

use aws_adapters::kinesis_video::KinesisVideo;
use relay::RelayError;
use session::event::{EventStatus, StatusChange};
use session::reconcile::Inventory as _;
use session::{Ownership, Session, SessionId, SessionStatus, StreamArn};

use crate::failure::Failure;

/// An event that disagrees with what is recorded of its session. Retries do not help, except when
/// the record changes meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event contradicts the record of session {session_id}: {reason}")]
pub(crate) struct Contradiction {
    /// The session that the event names.
    pub(crate) session_id: SessionId,
    /// What does not agree. It names no value of the record: the event's author may read the queue.
    pub(crate) reason: &'static str,
}

/// What a record says of an event that agrees with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Follow it with this stream; `None`: the record names no stream, so the stream's tags decide.
    Follow(Option<StreamArn>),
    /// Everything of the session was delivered before its resources were removed.
    Over,
}

/// Checks an event against its session's record.
///
/// # Errors
/// [`Contradiction`].
pub(crate) fn by_record(
    change: &StatusChange,
    session: &Session,
) -> Result<Verdict, Contradiction> {
    let differ = |reason| Contradiction { session_id: change.session_id.clone(), reason };
    if session.kvs_channel_arn.as_ref().is_some_and(|channel| *channel != change.channel_arn) {
        return Err(differ("`channelArn` is not the session's channel"));
    }
    let recorded = &session.kvs_stream_arn;
    if let (Some(claimed), Some(recorded)) = (&change.stream_arn, recorded)
        && claimed != recorded
    {
        return Err(differ("`streamArn` is not the session's stream"));
    }
    match (session.status, change.status) {
        (SessionStatus::Creating, _) => Err(differ("the session is not open yet")),
        (SessionStatus::Active | SessionStatus::Paused, EventStatus::Ended) => {
            Err(differ("`status` is ENDED and the session is still open"))
        }
        (SessionStatus::Cleaning | SessionStatus::Removed, _) => Ok(Verdict::Over),
        _ => Ok(Verdict::Follow(recorded.clone())),
    }
}

/// The stream of a session whose record names none: the event's, or the one that its channel is
/// mapped to, if the stream's own tags name this environment and this session. `None`: it is
/// another environment's.
///
/// # Errors
/// [`Contradiction`]; [`RelayError::StreamUnknown`] when there is no such stream: nothing is
/// written then, because the id may be drawn one day; [`RelayError::Store`] when KVS does not
/// answer.
pub(crate) async fn by_tags(
    change: &StatusChange,
    kinesis_video: &KinesisVideo,
) -> Result<Option<StreamArn>, Failure> {
    let id = &change.session_id;
    let unanswered = |source| RelayError::Store { session_id: id.clone(), source };
    let unknown = || RelayError::StreamUnknown { session_id: id.clone() };
    let stream = match &change.stream_arn {
        Some(stream) => stream.clone(),
        None => {
            let mapped = kinesis_video.mapped_stream(&change.channel_arn).await;
            mapped.map_err(unanswered)?.ok_or_else(unknown)?
        }
    };
    match kinesis_video.stream_owner(&stream).await.map_err(unanswered)? {
        owner if owner.is_of(id) => Ok(Some(stream)),
        Ownership::Ours(_) => {
            let reason = "the stream's tag `sessionId` does not name the session";
            Err(Contradiction { session_id: id.clone(), reason }.into())
        }
        Ownership::Foreign => Ok(None),
        Ownership::NotFound | Ownership::AccessDenied => Err(unknown().into()),
    }
}

#[cfg(test)]
mod tests;
