//! Restarts sessions that run although nobody carries them, and drains those that ended so.

use relay::Checkpoint;
use relay::lease::LeaseTable as _;
use relay::ports::millis;
use session::{PortError, Session, SessionStatus};

use super::{Check, Summary, Turns};

/// Most asynchronous invocations of this function in one run; the rest wait five minutes.
const MOST: u64 = 50;

pub(super) async fn run(check: &Check<'_>, summary: &mut Summary) -> Result<(), PortError> {
    let mut turns = Turns::default();
    // The youngest too: they count as active streams, although nobody restarts them yet.
    for status in [SessionStatus::Active, SessionStatus::Paused] {
        for session in check.all(status).await? {
            turns.take(&session.session_id, one(check, summary, &session, "start").await);
        }
    }
    for session in check.settled(SessionStatus::Ended).await? {
        turns.take(&session.session_id, one(check, summary, &session, "stop").await);
    }
    turns.result()
}

async fn one(
    check: &Check<'_>,
    summary: &mut Summary,
    session: &Session,
    action: &str,
) -> Result<(), PortError> {
    let aws = check.aws;
    let item = aws.streams.load(&session.session_id).await?;
    let margin = millis(aws.config.relay.take_margin);
    match item {
        Some(item) if item.ended => return Ok(()),
        Some(item) if item.is_carried(check.now_ms, margin) => {
            summary.active_streams += 1;
            return Ok(());
        }
        // Every try would end the same way, and leave a dead letter.
        Some(item) if let Err(error) = Checkpoint::of(&item, &aws.config.relay) => {
            summary.unreadable += 1;
            tracing::error!(sessionId = %session.session_id, %error, "not restarted: deploy the build that wrote its checkpoint again; KVS keeps the audio until the end of its retention");
            return Ok(());
        }
        // Its own event is on the way.
        _ if !check.is_settled(session) => return Ok(()),
        // A session that ended before anything was asked of its stream has nothing to drain once
        // its stream is gone.
        None if session.kvs_stream_arn.is_none() => return Ok(()),
        _ => {}
    }
    if summary.restarted >= MOST {
        tracing::warn!(sessionId = %session.session_id, "not restarted: {MOST} restarts in this run already");
        return Ok(());
    }
    tracing::warn!(sessionId = %session.session_id, action, "nobody carries this session");
    aws.invoker.direct(&session.session_id, action).await?;
    summary.restarted += 1;
    Ok(())
}
