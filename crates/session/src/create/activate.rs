//! Activates a session, and resolves an activation whose outcome is unknown.

use std::time::Duration;

use crate::{
    Call, Claim, ErrorKind, Limits, PendingEvent, PortError, Session, SessionService,
    SessionStatus,
    event::EventStatus,
    limits::persist,
    ports::{Activation, Clock, Ports, SessionLookup, Sessions},
    words::uuid,
};

/// Outcome of the write that makes the session active.
pub(super) enum Activated {
    Yes,
    No(PortError),
    Unknown(PortError),
}

impl<P: Ports> SessionService<P> {
    /// Makes the session active and stores its event, in one write.
    pub(super) async fn activate(
        &self,
        session: &mut Session,
        reserved_at: u64,
        claim: Option<&Claim>,
        call: &Call,
        deadline: Duration,
    ) -> Activated {
        let operation = "UpdateItem";
        // `updatedAt` distinguishes this write from the reservation, so it must differ.
        let now = self.around.now_ms().max(reserved_at + 1);
        session.status = SessionStatus::Active;
        session.updated_at = now;
        let change = session.status_change(EventStatus::Active, now, uuid(&self.around));
        session.pending_event =
            change.map(|change| PendingEvent::new(&change, call.trace_header.clone(), now));

        let activation = Activation { session: &*session, reserved_at, claim };
        let again = |kind: ErrorKind| kind.is_retryable();
        let write = || self.sessions.activate(&activation);
        let written = persist(&self.around, &call.limits, deadline, operation, again, write).await;
        let fault = match written {
            Ok(true) => return Activated::Yes,
            Ok(false) => PortError::new(operation, ErrorKind::InUse, "the reservation has changed"),
            Err(fault) => fault,
        };
        self.settle(session, reserved_at, &call.limits, fault).await
    }

    /// Resolves an activation that did not return success: ensures that it either has succeeded or
    /// can no longer succeed. Otherwise the undo could delete the channel of a session that becomes
    /// active afterwards.
    async fn settle(
        &self,
        session: &Session,
        reserved_at: u64,
        limits: &Limits,
        fault: PortError,
    ) -> Activated {
        let (id, operation) = (&session.session_id, "UpdateItem");
        let deadline = self.around.monotonic() + limits.event;
        let again = |kind: ErrorKind| kind.is_retryable();
        let now = session.updated_at + 1;
        let forestall = || self.sessions.forestall(id, reserved_at, now);
        match persist(&self.around, limits, deadline, operation, again, forestall).await {
            Ok(true) => return Activated::No(fault),
            Ok(false) => {} // Changed by this activation, or by a repeat of this write.
            Err(_) => return Activated::Unknown(fault),
        }
        let read = || self.sessions.get(id);
        match persist(&self.around, limits, deadline, "GetItem", again, read).await {
            Ok(Some(item)) if item.status.is_live() => Activated::Yes,
            Ok(_) => Activated::No(fault),
            Err(_) => Activated::Unknown(fault),
        }
    }
}
