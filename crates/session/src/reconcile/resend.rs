//! Emits the events that their writer could not.

use super::{FirstError, Pass, Ports, Summary, millis};
use crate::{PortError, Session, SessionStatus, emit};

pub(super) async fn run<P: Ports>(
    pass: &Pass<'_, P>,
    summary: &mut Summary,
) -> Result<(), PortError> {
    let before = pass.now_ms.saturating_sub(millis(pass.rules.event_given_up));
    let mut errors = FirstError::default();
    for status in [SessionStatus::Active, SessionStatus::Paused, SessionStatus::Ended] {
        for session in pass.changed_before(status, before, "pendingEvent").await? {
            errors.take(&session.session_id, one(pass, summary, &session, before).await);
        }
    }
    errors.result()
}

async fn one<P: Ports>(
    pass: &Pass<'_, P>,
    summary: &mut Summary,
    session: &Session,
    before: u64,
) -> Result<(), PortError> {
    let Some(event) = session.pending_event.as_ref().filter(|event| event.since < before) else {
        return Ok(());
    };
    let ports = pass.ports;
    let (id, budget) = (&session.session_id, pass.rules.emission);
    let emission = emit(ports.sessions, ports.events, ports.context, id, event, budget);
    pass.repair("resend", id, emission).await?;
    summary.resent += 1;
    Ok(())
}
