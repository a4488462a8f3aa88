//! Tells the listeners of sessions that ended a while ago and still have some: their consumer died, or could not reach them.

use std::time::Duration;

use relay::ports::millis;
use relay::{Clock, SystemClock};
use session::listeners::{GRACE, News, Told};
use session::{PortError, SessionId, SessionStatus};

use super::{Check, Summary};

/// After its own minute a consumer has so long to tell them, before this is believed to be nobody's any more.
const TURN: Duration = Duration::from_secs(15);
/// Most time for the listeners of one session …
const EACH: Duration = Duration::from_secs(10);
/// … and for those of all sessions that one run looks at, so that it comes to its other duties. The rest wait five
/// minutes.
pub(super) const ALL: Duration = Duration::from_secs(120);

pub(super) async fn run(check: &Check<'_>, summary: &mut Summary) -> Result<(), PortError> {
    let before = check.now_ms.saturating_sub(check.millis(GRACE + TURN));
    for session in check.changed_before(SessionStatus::Ended, before, "createdAt").await? {
        let told = tell(check, &session.session_id, News::Ended, EACH).await;
        summary.told += told.told as u64;
    }
    Ok(())
}

/// Tells a session's listeners for at most `limit`, in what is left of this run's time for listeners.
pub(super) async fn tell(
    check: &Check<'_>,
    session: &SessionId,
    news: News,
    limit: Duration,
) -> Told {
    let limit = left(check, limit);
    if limit.is_zero() {
        return Told::default();
    }
    check.aws.farewell.tell(session, news, limit).await
}

/// Removes the listeners of a session whose record is about to go: nobody would look for them again.
pub(super) async fn forget(check: &Check<'_>, session: &SessionId) {
    let limit = left(check, EACH);
    if !limit.is_zero() {
        check.aws.farewell.forget(session, limit).await;
    }
}

fn left(check: &Check<'_>, limit: Duration) -> Duration {
    let scale = check.aws.config.scale;
    let spent = SystemClock.now_ms().saturating_sub(check.now_ms);
    let left = millis(scale.wall(ALL)).saturating_sub(spent);
    scale.wall(limit).min(Duration::from_millis(left))
}
