//! Ends sessions that are idle, too old, or whose stream is gone.

use futures_util::future::join;

use super::{FirstError, Pass, Ports, SessionsIndex, Streams, Summary, millis, notify};
use crate::{
    EndedReason, PendingEvent, PortError, Session, SessionStatus, StreamItem, emit,
    event::EventStatus, id_generator::uuid, listeners::Notification,
};

pub(super) async fn run<P: Ports>(
    pass: &Pass<'_, P>,
    summary: &mut Summary,
) -> Result<(), PortError> {
    let mut errors = FirstError::default();
    for status in [SessionStatus::Active, SessionStatus::Paused] {
        for session in pass.old_enough(status).await? {
            errors.take(&session.session_id, one(pass, summary, &session).await);
        }
    }
    errors.result()
}

async fn one<P: Ports>(
    pass: &Pass<'_, P>,
    summary: &mut Summary,
    session: &Session,
) -> Result<(), PortError> {
    let item = pass.ports.streams.load(&session.session_id).await?;
    match reason(pass, session, item.as_ref()) {
        Some(reason) => {
            let ending = end(pass, summary, session, reason);
            pass.repair("expire", &session.session_id, ending).await
        }
        None => Ok(()),
    }
}

fn reason<P: Ports>(
    pass: &Pass<'_, P>,
    session: &Session,
    item: Option<&StreamItem>,
) -> Option<EndedReason> {
    let since = |then: u64| pass.now_ms.saturating_sub(then);
    if since(session.created_at) >= millis(pass.rules.max_session) {
        return Some(EndedReason::Expired);
    }
    // The stream ended without a stop request: it was deleted, and no restart helps.
    if item.is_some_and(|item| item.ended) {
        return Some(EndedReason::Lost);
    }
    // Only a run with a lease records activity. A session without one is restarted first.
    let leased = item.filter(|item| item.has_valid_lease(pass.now_ms, 0))?;
    let active_at = leased.last_activity_at.unwrap_or_default().max(session.created_at);
    (since(active_at) >= millis(pass.rules.session_idle)).then_some(EndedReason::Inactive)
}

async fn end<P: Ports>(
    pass: &Pass<'_, P>,
    summary: &mut Summary,
    session: &Session,
    reason: EndedReason,
) -> Result<(), PortError> {
    let (ports, id) = (pass.ports, &session.session_id);
    let ctx = ports.context;
    let Some(change) = session.status_change(EventStatus::Ended, pass.now_ms, uuid(ctx)) else {
        return Ok(());
    };
    let event = PendingEvent::new(&change, pass.trace_header.clone(), pass.now_ms);
    if !ports.sessions.end_as_read(session, reason, &event, pass.now_ms).await? {
        // It has changed: the next pass reads it again.
        return Ok(());
    }
    let reason = reason.as_str();
    tracing::warn!(sessionId = %id, reason, "session ended by the health check");
    summary.ended += 1;
    // State and event are one write: an event that is not emitted now stays pending. The
    // listeners are notified concurrently.
    let budget = pass.rules.emission;
    let emission = emit(ports.sessions, ports.events, ctx, id, &event, budget);
    let notification = notify::send(pass, id, Notification::Ending, pass.rules.listeners_ending);
    let _ = join(emission, notification).await;
    Ok(())
}
