//! Starts consumers for live sessions without one, and for ended sessions that are not drained.

use super::{Checkpoints, Consumer, FirstError, Pass, Ports, Streams, Summary, millis};
use crate::{PortError, Session, SessionStatus};

/// Maximum number of invocations of the consumer per pass; the next pass continues.
const MAX_RESTARTS: u64 = 50;

pub(super) async fn run<P: Ports>(
    pass: &Pass<'_, P>,
    summary: &mut Summary,
) -> Result<(), PortError> {
    let mut errors = FirstError::default();
    // Includes new sessions: they count as active streams, but are not restarted yet.
    for status in [SessionStatus::Active, SessionStatus::Paused] {
        for session in pass.changed_before(status, pass.now_ms, "createdAt").await? {
            errors.take(&session.session_id, one(pass, summary, &session).await);
        }
    }
    for session in pass.old_enough(SessionStatus::Ended).await? {
        errors.take(&session.session_id, one(pass, summary, &session).await);
    }
    errors.result()
}

async fn one<P: Ports>(
    pass: &Pass<'_, P>,
    summary: &mut Summary,
    session: &Session,
) -> Result<(), PortError> {
    let (ports, id) = (pass.ports, &session.session_id);
    match ports.streams.load(id).await? {
        Some(item) if item.ended => return Ok(()),
        Some(item) if item.has_valid_lease(pass.now_ms, millis(pass.rules.take_margin)) => {
            summary.active_streams += 1;
            return Ok(());
        }
        // Every run would fail and produce a dead letter.
        Some(item) if let Err(error) = ports.checkpoints.has_dead_letters(&item) => {
            summary.unreadable += 1;
            tracing::error!(sessionId = %id, %error, "not restarted, because this build cannot read its checkpoint: deploy the build that wrote it; KVS keeps the audio until the end of its retention");
            return Ok(());
        }
        // Its event may still be in delivery.
        _ if !pass.is_old_enough(session) => return Ok(()),
        // No consumer has ever read the stream, and it is deleted: there is nothing to drain.
        None if session.kvs_stream_arn.is_none() => return Ok(()),
        _ => {}
    }
    if summary.restarted >= MAX_RESTARTS {
        tracing::warn!(sessionId = %id, "not restarted: {MAX_RESTARTS} restarts in this pass already");
        return Ok(());
    }
    let has_ended = session.status == SessionStatus::Ended;
    let action = if has_ended { "stop" } else { "start" };
    tracing::warn!(sessionId = %id, action, "session has no active consumer; restarting");
    let invoked = async {
        if has_ended { ports.consumer.stop(id).await } else { ports.consumer.start(id).await }
    };
    pass.repair("restart", id, invoked).await?;
    summary.restarted += 1;
    Ok(())
}
