//! Emits the events that their writer could not.

use std::time::Duration;

use session::{PortError, Session, SessionStatus, emit};

use super::{Check, EMISSION, Summary, Turns};

/// An event that has been pending for longer was given up by its writer.
const GIVEN_UP: Duration = Duration::from_secs(10);

pub(super) async fn run(check: &Check<'_>, summary: &mut Summary) -> Result<(), PortError> {
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
) -> Result<(), PortError> {
    let Some(event) = session.pending_event.as_ref().filter(|event| event.since < before) else {
        return Ok(());
    };
    let (aws, id) = (check.aws, &session.session_id);
    emit(&aws.sessions, &aws.events, &aws.around, id, event, EMISSION).await?;
    summary.resent += 1;
    Ok(())
}
