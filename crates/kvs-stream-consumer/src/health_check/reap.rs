//! Ends sessions in which nothing is spoken any more, that have run for too long, or whose stream is gone.

use std::time::Duration;

use relay::lease::LeaseTable as _;
use relay::ports::millis;
use session::event::EventStatus;
use session::listeners::News;
use session::{EndedReason, PendingEvent, PortError, Session, SessionStatus, StreamItem, emit};

use super::{Check, EMISSION, Summary, Turns, farewell};

/// Most time for telling the listeners of one session that it ends.
const TELLING: Duration = Duration::from_secs(2);

pub(super) async fn run(check: &Check<'_>, summary: &mut Summary) -> Result<(), PortError> {
    let mut turns = Turns::default();
    for status in [SessionStatus::Active, SessionStatus::Paused] {
        for session in check.settled(status).await? {
            turns.take(&session.session_id, one(check, summary, &session).await);
        }
    }
    turns.result()
}

async fn one(check: &Check<'_>, summary: &mut Summary, session: &Session) -> Result<(), PortError> {
    let item = check.aws.streams.load(&session.session_id).await?;
    match over(check, session, item.as_ref()) {
        Some(reason) => end(check, summary, session, reason).await,
        None => Ok(()),
    }
}

fn over(check: &Check<'_>, session: &Session, item: Option<&StreamItem>) -> Option<EndedReason> {
    let config = &check.aws.config;
    let since = |then: u64| check.now_ms.saturating_sub(then);
    if since(session.created_at) >= millis(config.max_session) {
        return Some(EndedReason::Expired);
    }
    // The stream came to its end although nobody had asked for it: it was deleted, and no restart helps.
    if item.is_some_and(|item| item.ended) {
        return Some(EndedReason::Lost);
    }
    // Silence is what a live consumer hears. Without one nobody knows: it is restarted first.
    let listening = item.filter(|item| item.is_carried(check.now_ms, 0))?;
    let heard = listening.last_activity_at.unwrap_or_default().max(session.created_at);
    (since(heard) >= millis(config.session_idle)).then_some(EndedReason::Inactive)
}

async fn end(
    check: &Check<'_>,
    summary: &mut Summary,
    session: &Session,
    reason: EndedReason,
) -> Result<(), PortError> {
    let id = uuid::Uuid::new_v4().to_string();
    let Some(change) = session.status_change(EventStatus::Ended, check.now_ms, id) else {
        return Ok(());
    };
    let event = PendingEvent {
        detail: change.to_detail().to_string(),
        trace_header: lambda_shell::trace::current(),
        since: check.now_ms,
    };
    if !check.aws.sessions.end_as_read(session, reason, &event, check.now_ms).await? {
        // It changed under our eyes: the next run looks again.
        return Ok(());
    }
    tracing::warn!(sessionId = %session.session_id, reason = reason.as_str(), "session ended by the health check");
    summary.ended += 1;
    // As in the session handler: state and event are one write, so a failure here loses nothing, and
    // the listeners are told meanwhile.
    let telling = farewell::tell(check, &session.session_id, News::Ending, TELLING);
    let (aws, id) = (check.aws, &session.session_id);
    let emission = emit(&aws.sessions, &aws.events, &aws.around, id, &event, EMISSION);
    // What is not emitted stays pending: the next health check emits it.
    let _ = tokio::join!(emission, telling);
    Ok(())
}
