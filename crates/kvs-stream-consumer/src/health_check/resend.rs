//! Emits the events that their writer could not.

use std::time::Duration;

use relay::StoreError;
use session::{Session, SessionStatus};

use super::{Check, Summary, Turns};

/// An event that has been pending for longer was given up by its writer.
const GIVEN_UP: Duration = Duration::from_secs(10);

pub(super) async fn run(check: &Check<'_>, summary: &mut Summary) -> Result<(), StoreError> {
    let before = check.now_ms.saturating_sub(check.millis(GIVEN_UP));
    let mut turns = Turns::default();
    for status in [SessionStatus::Active, SessionStatus::Paused, SessionStatus::Ended] {
        let ids = check.aws.sessions.with_status(status, before, "pendingEvent").await?;
        for session in check.fresh(ids, status).await? {
            turns.take(&session.session_id, one(check, summary, &session, before).await);
        }
    }
    turns.result()
}

async fn one(
    check: &Check<'_>,
    summary: &mut Summary,
    session: &Session,
    before: u64,
) -> Result<(), StoreError> {
    let Some(event) = session.pending_event.as_ref().filter(|event| event.since < before) else {
        return Ok(());
    };
    check.aws.events.emit(event).await?;
    check.aws.sessions.event_taken(&session.session_id, event.since).await?;
    tracing::info!(sessionId = %session.session_id, "pending event emitted");
    summary.resent += 1;
    Ok(())
}
