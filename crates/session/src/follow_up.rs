//! Work that runs after the response, so that the client does not wait for it.

use crate::{Call, PendingEvent, Session, SessionId, SessionService, emit, ports::Ports};

/// Result of a use case.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "there may be something to finish"]
pub struct Done<T> {
    /// The response.
    pub answer: T,
    /// Work that remains after the response, if any.
    pub follow_up: Option<FollowUp>,
}

impl<T> Done<T> {
    /// Creates a result without a follow-up.
    pub(crate) fn whole(answer: T) -> Self {
        Self { answer, follow_up: None }
    }
}

/// The work that remains after the response, run by [`SessionService::finish`]. The state of the
/// session is stored before, so the health check completes a follow-up that does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "dropped, it waits for the health check"]
pub struct FollowUp {
    call: Call,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    /// Emit the event of an active session.
    Announce { session_id: SessionId, event: PendingEvent },
    /// Emit the event of an ended session, notify its listeners and delete its channel.
    Close(Box<Session>),
}

impl FollowUp {
    /// Returns the emission of an active session's event. Takes the event out of `session`, because
    /// only the stored item carries it.
    pub(crate) fn announce(session: &mut Session, call: &Call) -> Option<Self> {
        let event = session.pending_event.take()?;
        let what = What::Announce { session_id: session.session_id.clone(), event };
        Some(Self { call: call.clone(), what })
    }

    /// Returns the follow-up of an ended session.
    pub(crate) fn close(session: Session, call: &Call) -> Self {
        Self { call: call.clone(), what: What::Close(Box::new(session)) }
    }

    /// Returns the `X-Amzn-Trace-Id` of the original request.
    #[must_use]
    pub fn trace_header(&self) -> Option<&str> {
        self.call.trace_header.as_deref()
    }
}

impl<P: Ports> SessionService<P> {
    /// Runs a follow-up within the budgets of its call. Never fails: the health check completes
    /// what could not be done.
    pub async fn finish(&self, follow_up: FollowUp) {
        let FollowUp { call, what } = follow_up;
        match what {
            What::Announce { session_id, event } => {
                let budget = call.limits.event;
                // On failure the event stays pending for the health check.
                let _ =
                    emit(&self.sessions, &self.events, &self.around, &session_id, &event, budget)
                        .await;
            }
            What::Close(session) => self.close(&session, &call).await,
        }
    }
}
