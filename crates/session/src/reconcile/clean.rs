//! Deletes the KVS resources of ended sessions and of interrupted creations.

use super::dead_letters::{DeadLetterScan, Eligible, Retention, retention};
use super::{
    Checkpoints, DeadLetterScanner, FirstError, Inventory, Pass, Ports, SessionsIndex, Streams,
    Summary, millis, notify, removal, sweep,
};
use crate::{ChannelArn, PortError, Session, SessionStatus, StreamArn, StreamItem};

/// Retention of the record of a removed session, s: two days longer than a processor keeps a
/// session's watermark (60 days), because an id that is reused earlier would collide with it.
const RECORD_RETENTION_SECONDS: u64 = 62 * DAY_SECONDS;
const DAY_SECONDS: u64 = 24 * 3600;

/// Maximum number of sessions cleaned per pass.
const MAX_CLEANED: u64 = 50;

pub(super) async fn run<P: Ports>(
    pass: &Pass<'_, P>,
    summary: &mut Summary,
) -> Result<(), PortError> {
    let mut errors = FirstError::default();
    let candidates = candidates(pass, &mut errors).await?;
    let sweeps = pass.sweeps();
    if candidates.is_empty() && !sweeps {
        return errors.result();
    }
    let letters = pass.ports.dead_letters.scan().await?;
    for session in candidates {
        if summary.cleaned < MAX_CLEANED {
            errors.take(&session.session_id, one(pass, summary, &session, &letters).await);
        }
    }
    if sweeps {
        sweep::run(pass, summary, &letters, &mut errors).await?;
    }
    errors.result()
}

async fn candidates<P: Ports>(
    pass: &Pass<'_, P>,
    errors: &mut FirstError,
) -> Result<Vec<Session>, PortError> {
    let mut candidates = pass.old_enough(SessionStatus::Creating).await?;
    let cleaning = pass.old_enough(SessionStatus::Cleaning).await?;
    candidates.extend(
        cleaning.into_iter().filter(|s| s.claim_until.is_none_or(|until| until < pass.now_ms)),
    );
    let kept = pass.ago(pass.rules.stream_keep);
    // Not checked until the stream is deleted: streams are kept for up to a week, and each check
    // of each session is a call.
    let checked = pass.ago(pass.rules.channel_checks);
    for session in pass.old_enough(SessionStatus::Ended).await? {
        match drained_at(pass, &session).await {
            Ok(Some(at)) if at <= kept => candidates.push(session),
            Ok(Some(at)) if at <= checked => {}
            // A drain ends when the stream is empty, so no media may flow in; and an account has
            // only a hundred mapped channels.
            Ok(_) => errors.take(&session.session_id, remove_channel(pass, &session).await),
            Err(error) => errors.take(&session.session_id, Err(error)),
        }
    }
    Ok(candidates)
}

/// Unmaps and deletes the channel of an ended session, if the invocation that ended it did not.
async fn remove_channel<P: Ports>(pass: &Pass<'_, P>, session: &Session) -> Result<(), PortError> {
    match &session.kvs_channel_arn {
        Some(channel) => removal::channel(pass, &session.session_id, channel).await,
        None => Ok(()),
    }
}

/// Returns the time at which an ended session was delivered completely, Unix ms; `None` if it is
/// not, because its stream may contain the only copy.
async fn drained_at<P: Ports>(
    pass: &Pass<'_, P>,
    session: &Session,
) -> Result<Option<u64>, PortError> {
    if session.pending_event.is_some() {
        return Ok(None);
    }
    Ok(match pass.ports.streams.load(&session.session_id).await? {
        Some(item) => {
            let is_over = item.ended || is_out_of_reach(pass, session, &item);
            // The end of the last lease is that time, to within the length of a lease.
            is_over.then_some(item.lease_expires_at.max(session.updated_at))
        }
        None => session.kvs_stream_arn.is_none().then_some(session.updated_at),
    })
}

/// Returns whether this build cannot resume from the checkpoint, and the remaining media has
/// expired in KVS.
fn is_out_of_reach<P: Ports>(pass: &Pass<'_, P>, session: &Session, item: &StreamItem) -> bool {
    let has_expired = pass.now_ms >= session.updated_at + millis(pass.rules.retention);
    has_expired && pass.ports.checkpoints.has_dead_letters(item).is_err()
}

async fn one<P: Ports>(
    pass: &Pass<'_, P>,
    summary: &mut Summary,
    session: &Session,
    letters: &DeadLetterScan,
) -> Result<(), PortError> {
    let (ports, id) = (pass.ports, &session.session_id);
    // An interrupted creation may have created resources that its record does not name.
    let stream = match &session.kvs_stream_arn {
        Some(stream) => Some(stream.clone()),
        None => ports.media.stream_named(&session.kvs_stream_name).await?,
    };
    let channel = match &session.kvs_channel_arn {
        Some(channel) => Some(channel.clone()),
        None => ports.media.channel_named(&session.kvs_channel_name).await?,
    };
    if let Some(stream) = &stream
        && is_needed(pass, session, stream, letters).await?
    {
        tracing::info!(sessionId = %id, "stream kept: a dead letter may need it");
        let has_ended = session.status == SessionStatus::Ended;
        return if has_ended { remove_channel(pass, session).await } else { Ok(()) };
    }
    let until = pass.now_ms + millis(pass.rules.claim);
    if !ports.sessions.claim(session, until, pass.now_ms).await? {
        return Ok(());
    }
    pass.repair("clean", id, remove(pass, session, channel, stream, until)).await?;
    tracing::info!(sessionId = %id, "channel and stream removed");
    summary.cleaned += 1;
    Ok(())
}

/// Removes what belongs to a session that is claimed until `until`.
async fn remove<P: Ports>(
    pass: &Pass<'_, P>,
    session: &Session,
    channel: Option<ChannelArn>,
    stream: Option<StreamArn>,
    until: u64,
) -> Result<(), PortError> {
    let (ports, id) = (pass.ports, &session.session_id);
    // Channel first: KVS rejects the deletion of a stream while a channel is mapped to it.
    if let Some(channel) = channel {
        removal::channel(pass, id, &channel).await?;
    }
    if let Some(stream) = stream {
        removal::stream(pass, id, &stream).await?;
    }
    notify::delete_all(pass, id).await;
    let remove_at = pass.now_ms / 1000 + RECORD_RETENTION_SECONDS;
    // Before the session's record, so that a reused id does not find the old item.
    ports.streams.expire(id, remove_at - DAY_SECONDS).await?;
    if was_open(session) {
        ports.sessions.mark_removed(id, until, remove_at).await?;
    } else {
        ports.sessions.delete_claimed(id, until).await?;
    }
    Ok(())
}

/// Returns whether the session was ever open; otherwise its creation was interrupted.
fn was_open(session: &Session) -> bool {
    session.ended_reason.is_some() || session.status == SessionStatus::Ended
}

/// Returns whether a dead letter needs the stream, or may need it while KVS still has its media.
async fn is_needed<P: Ports>(
    pass: &Pass<'_, P>,
    session: &Session,
    stream: &StreamArn,
    letters: &DeadLetterScan,
) -> Result<bool, PortError> {
    let id = &session.session_id;
    let item = pass.ports.streams.load(id).await?;
    let is_delivered = item.as_ref().is_some_and(|item| item.ended);
    // An unreadable checkpoint may have counted chunks.
    let unseen_chunk =
        item.is_some_and(|item| pass.ports.checkpoints.has_dead_letters(&item).unwrap_or(true));
    // No genuine event names a session that was never open.
    let event = was_open(session) && !is_delivered;
    Ok(match retention(letters, stream, id.as_str(), Eligible { unseen_chunk, event }) {
        Retention::Needed => true,
        Retention::MaybeNeeded => pass.now_ms < session.updated_at + millis(pass.rules.retention),
        Retention::Unneeded => false,
    })
}
