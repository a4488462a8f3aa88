//! What follows an answer, so that nobody waits for it.

use crate::{Call, PendingEvent, Session, SessionId, SessionService, emit, ports::Ports};

/// What a use case came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "there may be something to finish"]
pub struct Done<T> {
    /// What to answer.
    pub answer: T,
    /// What is still to be done, if anything is.
    pub follow_up: Option<FollowUp>,
}

impl<T> Done<T> {
    /// With nothing to follow.
    pub(crate) fn whole(answer: T) -> Self {
        Self { answer, follow_up: None }
    }
}

/// What a use case still does once its caller is answered: for [`SessionService::finish`]. What became of the session
/// is written by then, so what is not finished here the health check finds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "dropped, it waits for the health check"]
pub struct FollowUp {
    call: Call,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    /// To tell the bus of a session that is active.
    Announce { session_id: SessionId, event: PendingEvent },
    /// To tell bus and listeners of one that has ended, and to remove its channel.
    Close(Box<Session>),
}

impl FollowUp {
    /// The event of a session that is active: taken out of it, for its item alone holds it.
    pub(crate) fn announce(session: &mut Session, call: &Call) -> Option<Self> {
        let event = session.pending_event.take()?;
        let what = What::Announce { session_id: session.session_id.clone(), event };
        Some(Self { call: call.clone(), what })
    }

    /// What the end of a session asks for.
    pub(crate) fn close(session: Session, call: &Call) -> Self {
        Self { call: call.clone(), what: What::Close(Box::new(session)) }
    }

    /// The `X-Amzn-Trace-Id` of the request that it follows.
    #[must_use]
    pub fn trace_header(&self) -> Option<&str> {
        self.call.trace_header.as_deref()
    }
}

impl<P: Ports> SessionService<P> {
    /// Does what follows an answer, within the budgets of its call. It never fails: what cannot be done now is left to
    /// the health check.
    pub async fn finish(&self, follow_up: FollowUp) {
        let FollowUp { call, what } = follow_up;
        match what {
            What::Announce { session_id, event } => {
                let budget = call.limits.event;
                // Otherwise it stays pending for the health check.
                let _ =
                    emit(&self.sessions, &self.events, &self.around, &session_id, &event, budget)
                        .await;
            }
            What::Close(session) => self.close(&session, &call).await,
        }
    }
}
