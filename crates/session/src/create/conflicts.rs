//! Resolves conflicts of a reservation: an earlier request with the same key, or too many sessions.

use std::time::Duration;

use crate::{
    Call, Error, IdempotencyClaim, IdempotencyRecord, Session, SessionId, SessionService,
    SessionStatus,
    ports::{Clock, Ports, Reservations, SessionLookup, Telemetry},
};

/// State of an earlier request with the same key.
pub(super) enum PriorRequest {
    /// Its response was this session.
    Answered(Box<Session>),
    /// It has failed without a response. Contains the id of its session if its record still exists.
    Failed(Option<SessionId>),
}

impl<P: Ports> SessionService<P> {
    /// Reads the earlier request with the claim's key and returns its state.
    ///
    /// # Errors
    /// [`Error::KeyReused`] if its parameters differ, [`Error::InProgress`] while it may still be
    /// running.
    pub(super) async fn prior_request(
        &self,
        claim: &IdempotencyClaim,
        call: &Call,
    ) -> Result<PriorRequest, Error> {
        let Some(record) = self.idempotency_record(claim, call).await? else {
            return Ok(PriorRequest::Failed(None));
        };
        if record.remove_at <= claim.now {
            return Ok(PriorRequest::Failed(Some(record.for_session)));
        }
        if record.asked != claim.asked {
            return Err(Error::KeyReused);
        }
        if let Some(answer) = record.answer {
            return Ok(PriorRequest::Answered(Box::new(answer)));
        }
        // A request that fails deletes the session's item before its own record.
        let session = self.read(&record.for_session, call).await?;
        let is_creating = session.is_some_and(|session| session.status == SessionStatus::Creating);
        let left_ms = record.in_progress_until.saturating_sub(self.ctx.now_ms());
        if is_creating && left_ms > 0 {
            return Err(Error::InProgress { retry_after: Duration::from_millis(left_ms) });
        }
        Ok(PriorRequest::Failed(Some(record.for_session)))
    }

    async fn idempotency_record(
        &self,
        claim: &IdempotencyClaim,
        call: &Call,
    ) -> Result<Option<IdempotencyRecord>, Error> {
        let read = || self.sessions.idempotency_record(&claim.id);
        Ok(self.event_budget(call).idempotent("GetItem", read).await?)
    }

    /// Deletes the record of a failed request, so that the client can retry at once. If this fails,
    /// the client must wait until the record no longer counts as in progress.
    pub(super) async fn delete_record(
        &self,
        claim: &IdempotencyClaim,
        session_id: &SessionId,
        call: &Call,
    ) {
        let delete = || self.sessions.delete_idempotency_record(&claim.id, session_id);
        if let Err(cause) = self.event_budget(call).idempotent("DeleteItem", delete).await {
            self.ctx.record(&crate::DomainEvent::CleanupDeferred { session_id, cause: &cause });
        }
    }

    /// Releases the slots of sessions that no longer exist or have ended. Slots are released only
    /// here, not when a session ends, so that no failure between two writes can leak one; only a
    /// request that reaches the limit pays for the reads. All calls together may take
    /// [`Limits::event`](crate::Limits::event).
    ///
    /// # Errors
    /// [`Error::TooManySessions`] if all slots are in use.
    pub(super) async fn release_unused_slots(
        &self,
        speaker_id: &str,
        call: &Call,
    ) -> Result<(), Error> {
        let budget = self.event_budget(call);
        let slots = || self.sessions.session_slots(speaker_id);
        let mut unused = Vec::new();
        for session_id in budget.idempotent("GetItem", slots).await? {
            let session = budget.idempotent("GetItem", || self.sessions.get(&session_id)).await?;
            let is_open =
                |status: SessionStatus| status.is_live() || status == SessionStatus::Creating;
            if !session.is_some_and(|session| is_open(session.status)) {
                unused.push(session_id);
            }
        }
        if unused.is_empty() {
            return Err(Error::TooManySessions { max_sessions: self.max_sessions });
        }
        let release = || self.sessions.release_slots(speaker_id, &unused);
        Ok(budget.idempotent("UpdateItem", release).await?)
    }
}

#[cfg(test)]
mod tests;
