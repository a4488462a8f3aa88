//! Changing a session: `PATCH /sessions/{sessionId}`.

use crate::{
    Call, Done, Error, ErrorKind, Language, PortError, QualityTier, Session, SessionId,
    SessionService, SessionStatus,
    limits::persist,
    ports::{Change, Clock, Ports, Sessions},
};

/// What a speaker wants changed; what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The state to go to.
    pub status: Option<NewStatus>,
    /// The language that is spoken from now on.
    pub source_language: Option<Language>,
    /// The languages to translate to, without repeats.
    pub target_languages: Option<Vec<Language>>,
    /// Quality of transcription and translation.
    pub quality_tier: Option<QualityTier>,
}

/// A state that a speaker may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewStatus {
    /// What is spoken is delivered.
    Active,
    /// What is spoken is read and skipped.
    Paused,
    /// The session is over: the same as a DELETE.
    Ended,
}

/// How often a PATCH looks again when the session changed between its look and its write.
const LOOKS: u32 = 4;

impl Changes {
    /// `session` as it is to be; `None` when it is so already.
    fn applied_to(&self, session: &Session, now: u64) -> Option<Session> {
        let mut changed = session.clone();
        match self.status {
            Some(NewStatus::Active) => changed.status = SessionStatus::Active,
            Some(NewStatus::Paused) => changed.status = SessionStatus::Paused,
            Some(NewStatus::Ended) | None => {}
        }
        changed.source_language = self.source_language.unwrap_or(changed.source_language);
        changed.quality_tier = self.quality_tier.unwrap_or(changed.quality_tier);
        if let Some(languages) = &self.target_languages {
            changed.target_languages.clone_from(languages);
        }
        if changed == *session {
            return None;
        }
        changed.settings_version += 1;
        // It tells this write from the one before, so it must differ.
        changed.updated_at = now.max(session.updated_at + 1);
        Some(changed)
    }
}

impl<P: Ports> SessionService<P> {
    /// Changes a session of `speaker_id`, and returns it as it is then.
    ///
    /// One transaction changes the session and tells its consumer, which knows within one renewal of its lease
    /// (2 s). Changes that are made already write nothing, so that a request may be repeated. Ending is a
    /// [`delete`](Self::delete), whatever else is asked for beside it.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotOwner`], [`Error::NotReady`], [`Error::Over`] when it has ended and something
    /// else than that is asked for, or [`Error::Store`] when the tables do not answer; then trying again is
    /// harmless.
    pub async fn change(
        &self,
        session_id: &SessionId,
        speaker_id: &str,
        changes: &Changes,
        call: &Call,
    ) -> Result<Done<Session>, Error> {
        if changes.status == Some(NewStatus::Ended) {
            return self.end(session_id, speaker_id, call).await;
        }
        for _ in 0..LOOKS {
            let session = self.read_own(session_id, speaker_id, call).await?;
            match session.status {
                SessionStatus::Active | SessionStatus::Paused => {}
                SessionStatus::Creating => {
                    return Err(Error::NotReady { session_id: session_id.clone() });
                }
                SessionStatus::Ended | SessionStatus::Cleaning | SessionStatus::Removed => {
                    return Err(Error::Over { session_id: session_id.clone() });
                }
            }
            let Some(changed) = changes.applied_to(&session, self.around.now_ms()) else {
                return Ok(Done::whole(session));
            };
            if self.write(&changed, session.updated_at, call).await? {
                return Ok(Done::whole(changed));
            }
        }
        let fault =
            PortError::new("TransactWriteItems", ErrorKind::InUse, "the session keeps changing");
        Err(Error::Store(fault))
    }

    async fn end(
        &self,
        session_id: &SessionId,
        speaker_id: &str,
        call: &Call,
    ) -> Result<Done<Session>, Error> {
        let follow_up = self.delete(session_id, speaker_id, call).await?.follow_up;
        match (self.get(session_id, call).await, follow_up) {
            (Ok(answer), follow_up) => Ok(Done { answer, follow_up }),
            (Err(error), None) => Err(error),
            // It has ended, whatever the caller is told.
            (Err(error), Some(follow_up)) => {
                self.finish(follow_up).await;
                Err(error)
            }
        }
    }

    /// The one transaction; `false` when the session is not what it was.
    async fn write(&self, session: &Session, seen_at: u64, call: &Call) -> Result<bool, Error> {
        let change = Change { session, seen_at };
        // Only what certainly had no effect is repeated here: a change whose answer was lost is found made.
        let again = |kind: ErrorKind| kind == ErrorKind::Throttled;
        let deadline = self.around.monotonic() + call.limits.event;
        let write = || self.sessions.change(&change);
        persist(&self.around, &call.limits, deadline, "TransactWriteItems", again, write)
            .await
            .map_err(Error::Store)
    }
}

#[cfg(test)]
mod tests;
