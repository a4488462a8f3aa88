//! Resolves conflicts of a reservation: an earlier request with the same key, or too many sessions.

use std::time::Duration;

use crate::{
    Call, Claim, Error, ErrorKind, Remembered, Session, SessionId, SessionService, SessionStatus,
    limits::persist,
    ports::{Clock, Journal, Ports, SessionLookup, Sessions},
};

/// State of an earlier request with the same key.
pub(super) enum Earlier {
    /// It was answered with this session.
    Answered(Box<Session>),
    /// It is over without a response. Holds the id of its session if its record still exists.
    Over(Option<SessionId>),
}

impl<P: Ports> SessionService<P> {
    /// Reads the earlier request with the claim's key and returns its state.
    ///
    /// # Errors
    /// [`Error::KeyReused`] if its parameters differ, [`Error::InProgress`] while it may still be
    /// running.
    pub(super) async fn earlier(&self, claim: &Claim, call: &Call) -> Result<Earlier, Error> {
        let Some(earlier) = self.remembered(claim, call).await? else {
            return Ok(Earlier::Over(None));
        };
        if earlier.remove_at <= claim.now {
            return Ok(Earlier::Over(Some(earlier.for_session)));
        }
        if earlier.asked != claim.asked {
            return Err(Error::KeyReused);
        }
        if let Some(answer) = earlier.answer {
            return Ok(Earlier::Answered(Box::new(answer)));
        }
        // A request that fails deletes the session's item before its own record.
        let session = self.read(&earlier.for_session, call).await?;
        let made = session.is_some_and(|session| session.status == SessionStatus::Creating);
        let left = earlier.in_progress_until.saturating_sub(self.around.now_ms());
        if made && left > 0 {
            return Err(Error::InProgress { retry_after: Duration::from_millis(left) });
        }
        Ok(Earlier::Over(Some(earlier.for_session)))
    }

    async fn remembered(&self, claim: &Claim, call: &Call) -> Result<Option<Remembered>, Error> {
        let deadline = self.around.monotonic() + call.limits.event;
        let again = |kind: ErrorKind| kind.is_retryable();
        let read = || self.sessions.remembered(&claim.id);
        persist(&self.around, &call.limits, deadline, "GetItem", again, read)
            .await
            .map_err(Error::Store)
    }

    /// Deletes the record of a failed request, so that the client can retry at once. If this fails,
    /// the client must wait until the record no longer counts as in progress.
    pub(super) async fn forget(&self, claim: &Claim, session_id: &SessionId, call: &Call) {
        let deadline = self.around.monotonic() + call.limits.event;
        let again = |kind: ErrorKind| kind.is_retryable();
        let forget = || self.sessions.forget(&claim.id, session_id);
        let forgotten =
            persist(&self.around, &call.limits, deadline, "DeleteItem", again, forget).await;
        if let Err(fault) = forgotten {
            self.around.note(&crate::Notice::LeftBehind { session_id, fault: &fault });
        }
    }

    /// Releases the slots of sessions that no longer exist or have ended. Slots are released only
    /// here, not when a session ends, so that no failure between two writes can leak one; only a
    /// request that reaches the limit pays for the reads. All calls together may take
    /// [`Limits::event`](crate::Limits::event).
    ///
    /// # Errors
    /// [`Error::TooManySessions`] if all slots are in use.
    pub(super) async fn make_place(&self, speaker_id: &str, call: &Call) -> Result<(), Error> {
        let deadline = self.around.monotonic() + call.limits.event;
        let again = |kind: ErrorKind| kind.is_retryable();
        let look = || self.sessions.places(speaker_id);
        let taken = persist(&self.around, &call.limits, deadline, "GetItem", again, look)
            .await
            .map_err(Error::Store)?;
        let mut free = Vec::new();
        for session_id in taken {
            let read = || self.sessions.get(&session_id);
            let session = persist(&self.around, &call.limits, deadline, "GetItem", again, read)
                .await
                .map_err(Error::Store)?;
            let lives =
                |status: SessionStatus| status.is_live() || status == SessionStatus::Creating;
            if !session.is_some_and(|session| lives(session.status)) {
                free.push(session_id);
            }
        }
        if free.is_empty() {
            return Err(Error::TooManySessions { most: self.most_sessions });
        }
        let give_back = || self.sessions.free_places(speaker_id, &free);
        persist(&self.around, &call.limits, deadline, "UpdateItem", again, give_back)
            .await
            .map_err(Error::Store)
    }
}

#[cfg(test)]
mod tests;
