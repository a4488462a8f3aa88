//! The session API without HTTP: what a speaker can do with a session.

use crate::{
    Error, Limits, Session, SessionId, SessionStatus,
    limits::persist,
    ports::{Clock, Ports, SessionLookup},
};

/// The use cases: [`create`](Self::create), [`get`](Self::get), [`change`](Self::change) and
/// [`delete`](Self::delete).
#[derive(Debug)]
pub struct SessionService<P: Ports> {
    /// The Sessions table.
    pub sessions: P::Sessions,
    /// The control plane of KVS.
    pub media: P::Media,
    /// The bus that takes status changes.
    pub events: P::Events,
    /// Who listens.
    pub listeners: P::Listeners,
    /// Time, chance and the journal.
    pub around: P::Surroundings,
    /// The environment that owns what is created, for example `dev`.
    pub env: String,
    /// How long a stream keeps its media, in hours; ≥ 1, or it could not be mapped.
    pub stream_retention_hours: u32,
    /// Most sessions that a speaker may have at a time; ≥ 1.
    pub most_sessions: u32,
}

/// What is known of the invocation that a use case runs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// How long it may take.
    pub limits: Limits,
    /// `X-Amzn-Trace-Id` of the invocation, carried on by the event.
    pub trace_header: Option<String>,
}

impl<P: Ports> SessionService<P> {
    /// Reads a session that anybody may know of.
    ///
    /// One that is still being created is not there yet, and one that is being cleaned up, or was,
    /// reads as ended.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Store`] when the table does not answer.
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

    /// The item as it is now, of this speaker and no other.
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

    /// The item as it is now.
    pub(crate) async fn read(
        &self,
        session_id: &SessionId,
        call: &Call,
    ) -> Result<Option<Session>, Error> {
        let deadline = self.around.monotonic() + call.limits.event;
        let again = |kind: crate::ErrorKind| kind.is_retryable();
        let read = || self.sessions.get(session_id);
        persist(&self.around, &call.limits, deadline, "GetItem", again, read)
            .await
            .map_err(Error::Store)
    }
}
