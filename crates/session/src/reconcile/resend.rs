//! Emits the events that their writer could not.

use super::{FirstError, Ports, Run, Summary, millis};
use crate::{PortError, Session, SessionStatus, emit};

pub(super) async fn run<P: Ports>(
    run: &Run<'_, P>,
    summary: &mut Summary,
) -> Result<(), PortError> {
    let before = run.now_ms.saturating_sub(millis(run.rules.event_given_up));
    let mut errors = FirstError::default();
    for status in [SessionStatus::Active, SessionStatus::Paused, SessionStatus::Ended] {
        for session in run.changed_before(status, before, "pendingEvent").await? {
            errors.take(&session.session_id, one(run, summary, &session, before).await);
        }
    }
    errors.result()
}

async fn one<P: Ports>(
    run: &Run<'_, P>,
    summary: &mut Summary,
    session: &Session,
    before: u64,
) -> Result<(), PortError> {
    let Some(event) = session.pending_event.as_ref().filter(|event| event.since < before) else {
        return Ok(());
    };
    let ports = run.ports;
    let (id, budget) = (&session.session_id, run.rules.emission);
    let emission = emit(ports.sessions, ports.events, ports.context, id, event, budget);
    run.repair("resend", id, emission).await?;
    summary.resent += 1;
    Ok(())
}
