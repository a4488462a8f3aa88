//! Tells the listeners of sessions that ended a while ago and still have some: their consumer died,
//! or could not reach them.

use std::time::Duration;

use super::{Ports, Run, Summary, millis};
use crate::{
    PortError, SessionId, SessionStatus,
    listeners::{self, News, Patience, Told},
    ports::Clock,
};

pub(super) async fn run<P: Ports>(
    run: &Run<'_, P>,
    summary: &mut Summary,
) -> Result<(), PortError> {
    let before = run.ago(run.rules.listeners_grace);
    for session in run.changed_before(SessionStatus::Ended, before, "createdAt").await? {
        let limit = run.rules.listeners_each;
        summary.told += tell(run, &session.session_id, News::Ended, limit).await.told as u64;
    }
    Ok(())
}

/// Tells a session's listeners for at most `limit`, in what is left of this run's time for
/// listeners.
pub(super) async fn tell<P: Ports>(
    run: &Run<'_, P>,
    session: &SessionId,
    news: News,
    limit: Duration,
) -> Told {
    let Some(patience) = patience(run, limit) else { return Told::default() };
    let (ports, around) = (run.ports, run.ports.surroundings());
    listeners::tell(ports.listeners(), around, session, news, &patience).await
}

/// Removes the listeners of a session whose record is about to be removed: no later run finds them.
pub(super) async fn forget<P: Ports>(run: &Run<'_, P>, session: &SessionId) {
    if let Some(patience) = patience(run, run.rules.listeners_each) {
        let (ports, around) = (run.ports, run.ports.surroundings());
        listeners::forget(ports.listeners(), around, session, &patience).await;
    }
}

/// `None` when this run's time for listeners is used up.
fn patience<P: Ports>(run: &Run<'_, P>, limit: Duration) -> Option<Patience> {
    let spent = run.ports.surroundings().now_ms().saturating_sub(run.now_ms);
    let left = millis(run.rules.listeners_all).saturating_sub(spent);
    let all = limit.min(Duration::from_millis(left));
    (!all.is_zero()).then(|| run.rules.patience(all))
}
