//! Decides which stream an event may start or stop.
//!
//! Every principal with `events:PutEvents` on the bus can write an event. The session's Sessions
//! item therefore decides its stream, settings and state; for a session without an item, the tags
//! `env` and `sessionId` of the stream decide, which only the session handler and the health check
//! write. The stream of a warm pair has such tags before its session exists, and no event may start
//! it. The item is read consistently, and each event is emitted after the write that it reports
//! (`activate` and `mark_ended` in `session`, `end` in the health check), so a true event never
//! contradicts it.

use aws_adapters::kinesis_video::KinesisVideo;
use relay::RelayError;
use session::event::{EventStatus, StatusChange};
use session::reconcile::Inventory as _;
use session::{Ownership, Session, SessionId, SessionStatus, StreamArn, WarmPair};

use crate::failure::Failure;

/// An event that contradicts its session's record. Retries do not help unless the record changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event contradicts the record of session {session_id}: {reason}")]
pub struct Contradiction {
    /// The session that the event names.
    pub session_id: SessionId,
    /// The contradiction, without values of the record: the author of the event may read the
    /// queue.
    pub reason: &'static str,
}

/// The stream that an event may start or stop.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// This stream.
    Stream(StreamArn),
    /// None: the session belongs to another environment.
    Foreign,
    /// None: everything was delivered before the session's resources were removed.
    Removed,
}

/// The stream that a session's record names.
#[derive(Debug, PartialEq, Eq)]
enum Recorded {
    Stream(StreamArn),
    /// The record names no stream; the stream's tags decide.
    Unnamed,
    /// The session's resources are removed.
    Removed,
}

/// Returns the stream of an event's session. `pairs` are the warm pairs, for a session without a
/// record.
///
/// # Errors
/// [`Contradiction`]; [`RelayError::StreamUnknown`] if there is no such stream: nothing is written
/// then, because a session may be created with that ID later; [`RelayError::Store`] if KVS is
/// unavailable.
pub(crate) async fn resolve_stream(
    change: &StatusChange,
    session: Option<&Session>,
    pairs: &[WarmPair],
    kinesis_video: &KinesisVideo,
) -> Result<Resolution, Failure> {
    let recorded = session.map(|session| by_record(change, session)).transpose()?;
    if recorded.is_none() {
        not_warm(change, pairs)?;
    }
    match recorded {
        Some(Recorded::Stream(stream)) => Ok(Resolution::Stream(stream)),
        Some(Recorded::Removed) => Ok(Resolution::Removed),
        Some(Recorded::Unnamed) | None => by_tags(change, kinesis_video).await,
    }
}

/// Checks an event against its session's record and returns the stream that the record names.
fn by_record(change: &StatusChange, session: &Session) -> Result<Recorded, Contradiction> {
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
        (SessionStatus::Cleaning | SessionStatus::Removed, _) => Ok(Recorded::Removed),
        _ => Ok(recorded.clone().map_or(Recorded::Unnamed, Recorded::Stream)),
    }
}

/// Checks that an event of a session without a record does not name a warm pair.
fn not_warm(change: &StatusChange, pairs: &[WarmPair]) -> Result<(), Contradiction> {
    if pairs.iter().any(|pair| pair.session_id == change.session_id) {
        let reason = "the session is not open yet";
        return Err(Contradiction { session_id: change.session_id.clone(), reason });
    }
    Ok(())
}

/// Returns the event's stream, or the one that its channel is mapped to, if the stream's own tags
/// name this environment and this session.
async fn by_tags(
    change: &StatusChange,
    kinesis_video: &KinesisVideo,
) -> Result<Resolution, Failure> {
    let id = &change.session_id;
    let unavailable = |source| RelayError::Store { session_id: id.clone(), source };
    let unknown = || RelayError::StreamUnknown { session_id: id.clone() };
    let stream = match &change.stream_arn {
        Some(stream) => stream.clone(),
        None => {
            let mapped = kinesis_video.mapped_stream(&change.channel_arn).await;
            mapped.map_err(unavailable)?.ok_or_else(unknown)?
        }
    };
    match kinesis_video.stream_owner(&stream).await.map_err(unavailable)? {
        owner if owner.is_of(id) => Ok(Resolution::Stream(stream)),
        Ownership::Ours(_) => {
            let reason = "the stream's tag `sessionId` does not name the session";
            Err(Contradiction { session_id: id.clone(), reason }.into())
        }
        Ownership::Foreign => Ok(Resolution::Foreign),
        Ownership::NotFound | Ownership::AccessDenied => Err(unknown().into()),
    }
}

#[cfg(test)]
mod tests;
