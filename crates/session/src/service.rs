//! The use cases of the session API, independent of HTTP.

use std::time::Duration;

use crate::{
    Error, Limits, PairRules, Session, SessionId, SessionStatus,
    limits::CallBudget,
    ports::{Ports, SessionLookup},
};

/// The use cases: [`create`](Self::create), [`get`](Self::get), [`change`](Self::change) and
/// [`delete`](Self::delete).
#[derive(Debug)]
pub struct SessionService<P: Ports> {
    /// The Sessions table.
    pub sessions: P::Sessions,
    /// The control plane of KVS.
    pub media: P::Media,
    /// The event bus that receives status changes.
    pub events: P::Events,
    /// The session's listeners.
    pub listeners: P::Listeners,
    /// Clock, random source and telemetry.
    pub ctx: P::Context,
    /// The environment that owns the created resources, for example `dev`.
    pub env: String,
    /// Retention of a stream, in hours; ≥ 1, because KVS does not map a channel to a stream
    /// without retention.
    pub stream_retention_hours: u32,
    /// Maximum number of concurrent sessions of a speaker; ≥ 1.
    pub max_sessions: u32,
    /// Maximum length of a session; the health check ends an older one.
    pub max_session: Duration,
    /// The warm pairs that sessions may take.
    pub pairs: PairRules,
}

/// Context of the invocation that runs a use case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// Time budgets.
    pub limits: Limits,
    /// `X-Amzn-Trace-Id` of the invocation, propagated by the event.
    pub trace_header: Option<String>,
}

impl<P: Ports> SessionService<P> {
    /// Reads a session, without checking its owner.
    ///
    /// A session that is being created does not exist yet for readers. A session that is being
    /// cleaned up, or has been, is returned as ended.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Store`] if the table is unavailable.
    pub async fn get(&self, session_id: &SessionId, call: &Call) -> Result<Session, Error> {
        let not_found = || Error::NotFound { session_id: session_id.clone() };
        let mut session = self.read(session_id, call).await?.ok_or_else(not_found)?;
        let was_open = session.kvs_channel_arn.is_some();
        match session.status {
            SessionStatus::Active | SessionStatus::Paused | SessionStatus::Ended => Ok(session),
            SessionStatus::Cleaning if was_open => {
                session.status = SessionStatus::Ended;
                Ok(session)
            }
            SessionStatus::Removed => {
                session.status = SessionStatus::Ended;
                Ok(session)
            }
            SessionStatus::Creating | SessionStatus::Cleaning => Err(not_found()),
        }
    }

    /// Reads the current item and checks that it belongs to this speaker.
    pub(crate) async fn read_own(
        &self,
        session_id: &SessionId,
        speaker_id: &str,
        call: &Call,
    ) -> Result<Session, Error> {
        let session = self.read(session_id, call).await?;
        let session = session.ok_or_else(|| Error::NotFound { session_id: session_id.clone() })?;
        if session.speaker_id != speaker_id {
            return Err(Error::NotOwner { session_id: session_id.clone() });
        }
        Ok(session)
    }

    /// Reads the current item.
    pub(crate) async fn read(
        &self,
        session_id: &SessionId,
        call: &Call,
    ) -> Result<Option<Session>, Error> {
        let read = || self.sessions.get(session_id);
        Ok(self.event_budget(call).idempotent("GetItem", read).await?)
    }

    /// Returns the budget of one or a few calls, [`Limits::event`].
    pub(crate) fn event_budget<'a>(&'a self, call: &'a Call) -> CallBudget<'a, P::Context> {
        CallBudget::new(&self.ctx, &call.limits, call.limits.event)
    }
}
