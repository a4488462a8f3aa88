//! Ends a session, `DELETE /sessions/{sessionId}`.

use futures_util::future::join;

use crate::{
    Call, Completed, DomainEvent, EndedReason, Error, ErrorKind, Limits, PendingEvent, PortError,
    PostResponse, Session, SessionId, SessionService, SessionStatus, emit,
    event::EventStatus,
    id_generator::uuid,
    limits::CallBudget,
    listeners::{Notification, NotifyBudget, notify},
    ports::{Clock, Ports, SessionEnd, Sessions, Telemetry},
};

/// Whether this call ended the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// This call ended it, and its post-response work emits the event.
    Now,
    /// An earlier call or the health check ended it. No work remains.
    Before,
}

/// Maximum number of attempts when the session changes between read and write. Each failed attempt
/// means that a concurrent writer changed the session.
const MAX_ATTEMPTS: u32 = 4;

impl<P: Ports> SessionService<P> {
    /// Ends a session of `speaker_id`.
    ///
    /// One conditional write marks the session as ended and stores the event. Of several concurrent
    /// calls exactly one succeeds, so one ENDED event is emitted.
    /// [`run_post_response`](Self::run_post_response) then emits the event, unmaps and deletes the
    /// channel, and notifies the listeners. These steps never fail the request, because the health
    /// check completes them. The stream is kept until the consumer has read the remaining media.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotOwner`], [`Error::NotReady`], or [`Error::Store`] if the
    /// table is unavailable. The call can be retried safely.
    pub async fn delete(
        &self,
        session_id: &SessionId,
        speaker_id: &str,
        call: &Call,
    ) -> Result<Completed<Deleted>, Error> {
        let mut own_event: Option<PendingEvent> = None;
        for _ in 0..MAX_ATTEMPTS {
            let mut session = self.read_own(session_id, speaker_id, call).await?;
            if session.status == SessionStatus::Creating {
                return Err(Error::NotReady { session_id: session_id.clone() });
            }
            if session.status.is_over() {
                // The SDK retries a write whose response was lost; in that case this call ended the
                // session.
                let is_own = own_event.is_some() && session.pending_event == own_event;
                return Ok(match is_own && session.status == SessionStatus::Ended {
                    true => self.ended(session, call),
                    false => Completed::new(Deleted::Before),
                });
            }
            let event = self.ended_event(&session, call)?;
            if let (Some(earlier), None) = (session.pending_event.replace(event), &own_event) {
                self.emit_earlier_event(&session.session_id, &earlier, call).await;
            }
            if self.mark_ended(&session, call).await? {
                return Ok(self.ended(session, call));
            }
            own_event = session.pending_event;
        }
        Err(Error::always_changing("UpdateItem"))
    }

    fn ended_event(&self, session: &Session, call: &Call) -> Result<PendingEvent, Error> {
        let now = self.ctx.now_ms();
        let change = session.status_change(EventStatus::Ended, now, uuid(&self.ctx));
        let change = change.ok_or_else(|| {
            let message = format!("session {} is active without a channel", session.session_id);
            Error::Store(PortError::new("GetItem", ErrorKind::Invalid, message))
        })?;
        Ok(PendingEvent::new(&change, call.trace_header.clone(), now))
    }

    /// Marks the session as ended in one write. Returns `false` if the session has changed.
    async fn mark_ended(&self, session: &Session, call: &Call) -> Result<bool, Error> {
        let Some(event) = &session.pending_event else { return Ok(false) };
        let ending = SessionEnd {
            session_id: &session.session_id,
            speaker_id: &session.speaker_id,
            reason: EndedReason::Deleted,
            pending_event: event,
            now: event.since,
        };
        // Retries only errors that certainly had no effect. After a lost response the caller reads
        // again, finds the session ended and its own event pending.
        let write = || self.sessions.end(&ending);
        Ok(self.event_budget(call).at_most_once("UpdateItem", write).await?)
    }

    /// Emits the pending event of an earlier change, usually ACTIVE, before ENDED replaces it: the
    /// item stores one event. If the bus rejects the earlier event now, it is lost.
    async fn emit_earlier_event(
        &self,
        session_id: &SessionId,
        earlier: &PendingEvent,
        call: &Call,
    ) {
        let budget = call.limits.event;
        let _ = emit(&self.sessions, &self.events, &self.ctx, session_id, earlier, budget).await;
    }

    fn ended(&self, session: Session, call: &Call) -> Completed<Deleted> {
        self.ctx.record(&DomainEvent::SessionDeleted { session_id: &session.session_id });
        Completed {
            response: Deleted::Now,
            post_response: Some(PostResponse::close(session, call)),
        }
    }

    /// Runs the steps that follow the end of a session, and notifies its listeners concurrently.
    pub(crate) async fn close(&self, session: &Session, call: &Call) {
        let notification = self.notify_ending(&session.session_id, &call.limits);
        join(self.emit_and_remove_channel(session, call), notification).await;
    }

    /// Emits the event and deletes the channel.
    async fn emit_and_remove_channel(&self, session: &Session, call: &Call) {
        let (session_id, budget) = (&session.session_id, call.limits.event);
        let deletion = CallBudget::new(&self.ctx, &call.limits, call.limits.deletion);
        if let Some(event) = &session.pending_event {
            // On failure the event stays pending for the health check.
            let _ = emit(&self.sessions, &self.events, &self.ctx, session_id, event, budget).await;
        }
        if let Some(channel) = &session.kvs_channel_arn {
            self.remove_channel(session_id, channel, true, &deletion).await;
        }
    }

    async fn notify_ending(&self, session_id: &SessionId, limits: &Limits) {
        let total = limits.notification;
        let budget = NotifyBudget { total, per_listener: total / 2, limits: *limits };
        notify(&self.listeners, &self.ctx, session_id, Notification::Ending, &budget).await;
    }
}

#[cfg(test)]
mod tests;
