//! Activates a session, and resolves an activation whose outcome is unknown.

use crate::{
    Call, ErrorKind, IdempotencyClaim, PendingEvent, PortError, Session, SessionService,
    SessionStatus,
    event::EventStatus,
    id_generator::uuid,
    limits::CallBudget,
    ports::{Activation, Clock, Ports, Reservations, SessionLookup, Sessions},
};

/// Outcome of the write that makes the session active.
pub(super) enum ActivationOutcome {
    /// The session is active.
    Committed,
    /// The session is not active and cannot become active.
    Rejected(PortError),
    /// The session may be active.
    Indeterminate(PortError),
}

impl<P: Ports> SessionService<P> {
    /// Makes the session active and stores its event, in one write.
    pub(super) async fn activate(
        &self,
        session: &mut Session,
        reserved_at: u64,
        claim: Option<&IdempotencyClaim>,
        call: &Call,
        budget: &CallBudget<'_, P::Context>,
    ) -> ActivationOutcome {
        let operation = "UpdateItem";
        // `updatedAt` distinguishes this write from the reservation, so it must differ.
        let now = self.ctx.now_ms().max(reserved_at + 1);
        session.status = SessionStatus::Active;
        session.updated_at = now;
        let change = session.status_change(EventStatus::Active, now, uuid(&self.ctx));
        session.pending_event =
            change.map(|change| PendingEvent::new(&change, call.trace_header.clone(), now));

        let activation = Activation { session: &*session, reserved_at, claim };
        let write = || self.sessions.activate(&activation);
        let cause = match budget.idempotent(operation, write).await {
            Ok(true) => return ActivationOutcome::Committed,
            Ok(false) => PortError::new(operation, ErrorKind::InUse, "the reservation has changed"),
            Err(cause) => cause,
        };
        self.resolve_activation(session, reserved_at, call, cause).await
    }

    /// Resolves an activation that did not return success: ensures that it either has succeeded or
    /// can no longer succeed. Otherwise compensation could delete the channel of a session that
    /// becomes active afterwards.
    async fn resolve_activation(
        &self,
        session: &Session,
        reserved_at: u64,
        call: &Call,
        cause: PortError,
    ) -> ActivationOutcome {
        let (id, budget) = (&session.session_id, self.event_budget(call));
        let now = session.updated_at + 1;
        let fence = || self.sessions.fence_reservation(id, reserved_at, now);
        match budget.idempotent("UpdateItem", fence).await {
            Ok(true) => return ActivationOutcome::Rejected(cause),
            Ok(false) => {} // Changed by this activation, or by a repeat of this write.
            Err(_) => return ActivationOutcome::Indeterminate(cause),
        }
        match budget.idempotent("GetItem", || self.sessions.get(id)).await {
            Ok(Some(item)) if item.status.is_live() => ActivationOutcome::Committed,
            Ok(_) => ActivationOutcome::Rejected(cause),
            Err(_) => ActivationOutcome::Indeterminate(cause),
        }
    }
}
