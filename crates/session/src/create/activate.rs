//! Activates a session, and resolves an activation whose outcome is unknown.

use std::time::Duration;

use crate::{
    Call, ErrorKind, IdempotencyClaim, Limits, PendingEvent, PortError, Session, SessionService,
    SessionStatus,
    event::EventStatus,
    id_generator::uuid,
    limits::retry,
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
        deadline: Duration,
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
        let written =
            retry(&self.ctx, &call.limits, deadline, operation, ErrorKind::is_retryable, write)
                .await;
        let cause = match written {
            Ok(true) => return ActivationOutcome::Committed,
            Ok(false) => PortError::new(operation, ErrorKind::InUse, "the reservation has changed"),
            Err(cause) => cause,
        };
        self.resolve_activation(session, reserved_at, &call.limits, cause).await
    }

    /// Resolves an activation that did not return success: ensures that it either has succeeded or
    /// can no longer succeed. Otherwise compensation could delete the channel of a session that
    /// becomes active afterwards.
    async fn resolve_activation(
        &self,
        session: &Session,
        reserved_at: u64,
        limits: &Limits,
        cause: PortError,
    ) -> ActivationOutcome {
        let (id, operation) = (&session.session_id, "UpdateItem");
        let deadline = self.ctx.monotonic() + limits.event;
        let now = session.updated_at + 1;
        let fence = || self.sessions.fence_reservation(id, reserved_at, now);
        match retry(&self.ctx, limits, deadline, operation, ErrorKind::is_retryable, fence).await {
            Ok(true) => return ActivationOutcome::Rejected(cause),
            Ok(false) => {} // Changed by this activation, or by a repeat of this write.
            Err(_) => return ActivationOutcome::Indeterminate(cause),
        }
        let read = || self.sessions.get(id);
        match retry(&self.ctx, limits, deadline, "GetItem", ErrorKind::is_retryable, read).await {
            Ok(Some(item)) if item.status.is_live() => ActivationOutcome::Committed,
            Ok(_) => ActivationOutcome::Rejected(cause),
            Err(_) => ActivationOutcome::Indeterminate(cause),
        }
    }
}
