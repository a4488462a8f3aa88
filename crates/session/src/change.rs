//! Changes a session, `PATCH /sessions/{sessionId}`.

use crate::{
    Call, Completed, Error, Language, QualityTier, Session, SessionId, SessionService,
    SessionStatus,
    ports::{Change, Clock, Ports, Sessions},
};

/// Changes requested by a speaker. Fields that are `None` stay unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The new state.
    pub status: Option<NewStatus>,
    /// The new language of the speech.
    pub source_language: Option<Language>,
    /// The languages to translate to, without duplicates.
    pub target_languages: Option<Vec<Language>>,
    /// Quality of transcription and translation.
    pub quality_tier: Option<QualityTier>,
}

/// A state that a speaker can request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewStatus {
    /// Speech is delivered.
    Active,
    /// Speech is read and skipped.
    Paused,
    /// The session ends; equivalent to a DELETE.
    Ended,
}

/// Maximum number of attempts when the session changes between read and write.
const MAX_ATTEMPTS: u32 = 4;

impl Changes {
    /// Returns the changed session, or `None` if the changes have no effect.
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
        // `updatedAt` distinguishes this write from the previous one, so it must differ.
        changed.updated_at = now.max(session.updated_at + 1);
        Some(changed)
    }
}

impl<P: Ports> SessionService<P> {
    /// Changes a session of `speaker_id` and returns the changed session.
    ///
    /// One transaction changes the session and the settings of its consumer, which reads them at
    /// its next lease renewal (within 2 s). Changes without effect write nothing, so a request can
    /// be repeated. A change to `Ended` is a [`delete`](Self::delete) and ignores the other fields.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotOwner`], [`Error::NotReady`], [`Error::Over`] if the
    /// session has ended and the change is not `Ended`, or [`Error::Store`] if the tables are
    /// unavailable. The call can be retried safely.
    pub async fn change(
        &self,
        session_id: &SessionId,
        speaker_id: &str,
        changes: &Changes,
        call: &Call,
    ) -> Result<Completed<Session>, Error> {
        if changes.status == Some(NewStatus::Ended) {
            return self.end(session_id, speaker_id, call).await;
        }
        for _ in 0..MAX_ATTEMPTS {
            let session = self.read_own(session_id, speaker_id, call).await?;
            if session.status == SessionStatus::Creating {
                return Err(Error::NotReady { session_id: session_id.clone() });
            }
            if session.status.is_over() {
                return Err(Error::Over { session_id: session_id.clone() });
            }
            let Some(changed) = changes.applied_to(&session, self.ctx.now_ms()) else {
                return Ok(Completed::new(session));
            };
            if self.write(&changed, session.updated_at, call).await? {
                return Ok(Completed::new(changed));
            }
        }
        Err(Error::always_changing("TransactWriteItems"))
    }

    async fn end(
        &self,
        session_id: &SessionId,
        speaker_id: &str,
        call: &Call,
    ) -> Result<Completed<Session>, Error> {
        let post_response = self.delete(session_id, speaker_id, call).await?.post_response;
        match (self.get(session_id, call).await, post_response) {
            (Ok(response), post_response) => Ok(Completed { response, post_response }),
            (Err(error), None) => Err(error),
            // The session has ended even if the read fails, so its post-response work must run.
            (Err(error), Some(post_response)) => {
                self.run_post_response(post_response).await;
                Err(error)
            }
        }
    }

    /// Writes the change in one transaction. Returns `false` if the session has changed.
    async fn write(&self, session: &Session, seen_at: u64, call: &Call) -> Result<bool, Error> {
        let change = Change { session, seen_at };
        // Retries only errors that certainly had no effect. After a lost response, a repeated
        // request finds the change already made.
        let write = || self.sessions.change(&change);
        Ok(self.event_budget(call).at_most_once("TransactWriteItems", write).await?)
    }
}

#[cfg(test)]
mod tests;
