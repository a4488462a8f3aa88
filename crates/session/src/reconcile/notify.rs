//! Notifies the remaining listeners of sessions that have ended: their consumer ended without
//! notifying them, or could not reach them.

use std::time::Duration;

use super::{Pass, Ports, Summary, millis};
use crate::{
    PortError, SessionId, SessionStatus,
    listeners::{self, Notification, NotifyBudget, NotifySummary},
    ports::Clock,
};

pub(super) async fn run<P: Ports>(
    pass: &Pass<'_, P>,
    summary: &mut Summary,
) -> Result<(), PortError> {
    let before = pass.ago(pass.rules.listeners_grace);
    for session in pass.changed_before(SessionStatus::Ended, before, "createdAt").await? {
        let limit = pass.rules.listeners_each;
        let sent = send(pass, &session.session_id, Notification::Ended, limit).await;
        summary.notified += sent.notified as u64;
    }
    Ok(())
}

/// Notifies a session's listeners for at most `limit`, within the remaining time of this pass for
/// listeners.
pub(super) async fn send<P: Ports>(
    pass: &Pass<'_, P>,
    session: &SessionId,
    notification: Notification,
    limit: Duration,
) -> NotifySummary {
    let Some(budget) = budget(pass, limit) else { return NotifySummary::default() };
    let (ports, ctx) = (pass.ports, pass.ports.context);
    listeners::notify(ports.listeners, ctx, session, notification, &budget).await
}

/// Deletes the listeners of a session whose record is about to be deleted, because no later pass
/// finds them.
pub(super) async fn delete_all<P: Ports>(pass: &Pass<'_, P>, session: &SessionId) {
    if let Some(budget) = budget(pass, pass.rules.listeners_each) {
        let (ports, ctx) = (pass.ports, pass.ports.context);
        listeners::delete_all(ports.listeners, ctx, session, &budget).await;
    }
}

/// Returns `None` if the time of this pass for listeners is used up.
fn budget<P: Ports>(pass: &Pass<'_, P>, limit: Duration) -> Option<NotifyBudget> {
    let spent = pass.ports.context.now_ms().saturating_sub(pass.now_ms);
    let left = millis(pass.rules.listeners_all).saturating_sub(spent);
    let total = limit.min(Duration::from_millis(left));
    (!total.is_zero()).then(|| pass.rules.notify_budget(total))
}
