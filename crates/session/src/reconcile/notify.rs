//! Notifies the remaining listeners of sessions that have ended: their consumer ended without
//! notifying them, or could not reach them.

use std::time::Duration;

use super::{Ports, Run, Summary, millis};
use crate::{
    PortError, SessionId, SessionStatus,
    listeners::{self, Notification, NotifyBudget, NotifySummary},
    ports::Clock,
};

pub(super) async fn run<P: Ports>(
    run: &Run<'_, P>,
    summary: &mut Summary,
) -> Result<(), PortError> {
    let before = run.ago(run.rules.listeners_grace);
    for session in run.changed_before(SessionStatus::Ended, before, "createdAt").await? {
        let limit = run.rules.listeners_each;
        let sent = send(run, &session.session_id, Notification::Ended, limit).await;
        summary.notified += sent.notified as u64;
    }
    Ok(())
}

/// Notifies a session's listeners for at most `limit`, within the remaining time of this run for
/// listeners.
pub(super) async fn send<P: Ports>(
    run: &Run<'_, P>,
    session: &SessionId,
    notification: Notification,
    limit: Duration,
) -> NotifySummary {
    let Some(budget) = budget(run, limit) else { return NotifySummary::default() };
    let (ports, ctx) = (run.ports, run.ports.context);
    listeners::notify(ports.listeners, ctx, session, notification, &budget).await
}

/// Deletes the listeners of a session whose record is about to be deleted, because no later run
/// finds them.
pub(super) async fn delete_all<P: Ports>(run: &Run<'_, P>, session: &SessionId) {
    if let Some(budget) = budget(run, run.rules.listeners_each) {
        let (ports, ctx) = (run.ports, run.ports.context);
        listeners::delete_all(ports.listeners, ctx, session, &budget).await;
    }
}

/// Returns `None` if the time of this run for listeners is used up.
fn budget<P: Ports>(run: &Run<'_, P>, limit: Duration) -> Option<NotifyBudget> {
    let spent = run.ports.context.now_ms().saturating_sub(run.now_ms);
    let left = millis(run.rules.listeners_all).saturating_sub(spent);
    let total = limit.min(Duration::from_millis(left));
    (!total.is_zero()).then(|| run.rules.notify_budget(total))
}
