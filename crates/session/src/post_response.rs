//! Work that runs after the response, so that the client does not wait for it.

use crate::{Call, PendingEvent, Session, SessionId, SessionService, emit, ports::Ports};

/// Result of a use case.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it may contain work to run after the response"]
pub struct Completed<T> {
    /// The response.
    pub response: T,
    /// Work that remains after the response, if any.
    pub post_response: Option<PostResponse>,
}

impl<T> Completed<T> {
    /// Creates a result without work after the response.
    pub(crate) fn new(response: T) -> Self {
        Self { response, post_response: None }
    }
}

/// The work that remains after the response. [`SessionService::run_post_response`] runs it.
///
/// The state of the session is stored before the response, so the health check completes work that
/// does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "work that is dropped is delayed until the health check"]
pub struct PostResponse {
    call: Call,
    work: Work,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Work {
    /// Emit the event of an active session.
    Announce { session_id: SessionId, event: PendingEvent },
    /// Emit the event of an ended session, notify its listeners and delete its channel.
    Close(Box<Session>),
}

impl PostResponse {
    /// Creates the emission of an active session's event. Takes the event out of `session`, because
    /// only the stored item carries it.
    pub(crate) fn announce(session: &mut Session, call: &Call) -> Option<Self> {
        let event = session.pending_event.take()?;
        let work = Work::Announce { session_id: session.session_id.clone(), event };
        Some(Self { call: call.clone(), work })
    }

    /// Creates the work that follows the end of a session.
    pub(crate) fn close(session: Session, call: &Call) -> Self {
        Self { call: call.clone(), work: Work::Close(Box::new(session)) }
    }

    /// Returns the `X-Amzn-Trace-Id` of the original request.
    #[must_use]
    pub fn trace_header(&self) -> Option<&str> {
        self.call.trace_header.as_deref()
    }
}

impl<P: Ports> SessionService<P> {
    /// Runs work within the budgets of its call. Never fails: the health check completes the work
    /// that could not be done.
    pub async fn run_post_response(&self, post_response: PostResponse) {
        let PostResponse { call, work } = post_response;
        match work {
            Work::Announce { session_id, event } => {
                let budget = call.limits.event;
                // On failure the event stays pending for the health check.
                let _ = emit(&self.sessions, &self.events, &self.ctx, &session_id, &event, budget)
                    .await;
            }
            Work::Close(session) => self.close(&session, &call).await,
        }
    }
}
