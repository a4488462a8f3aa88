//! The interface between routes and use cases.

use std::future::Future;

use session::{
    Call, Changes, Deleted, Done, Error, FollowUp, IdempotencyKey, NewSession, Session, SessionId,
    SessionService,
    ports::{Clock, Ports},
};

/// The use cases called by the routes.
pub(crate) trait SessionApi: Send + Sync {
    /// `POST /sessions`.
    fn create(
        &self,
        new: &NewSession,
        key: Option<&IdempotencyKey>,
        call: &Call,
    ) -> impl Future<Output = Result<Done<Session>, Error>> + Send;

    /// Runs the work that follows a response.
    fn finish(&self, follow_up: FollowUp) -> impl Future<Output = ()> + Send;

    /// `GET /sessions/{sessionId}`.
    fn get(
        &self,
        session_id: &SessionId,
        call: &Call,
    ) -> impl Future<Output = Result<Session, Error>> + Send;

    /// `PATCH /sessions/{sessionId}`.
    fn change(
        &self,
        session_id: &SessionId,
        speaker_id: &str,
        changes: &Changes,
        call: &Call,
    ) -> impl Future<Output = Result<Done<Session>, Error>> + Send;

    /// `DELETE /sessions/{sessionId}`.
    fn delete(
        &self,
        session_id: &SessionId,
        speaker_id: &str,
        call: &Call,
    ) -> impl Future<Output = Result<Done<Deleted>, Error>> + Send;

    /// Returns the current time, Unix ms.
    fn now_ms(&self) -> u64;
}

impl<P: Ports> SessionApi for SessionService<P> {
    async fn create(
        &self,
        new: &NewSession,
        key: Option<&IdempotencyKey>,
        call: &Call,
    ) -> Result<Done<Session>, Error> {
        Self::create(self, new, key, call).await
    }

    async fn finish(&self, follow_up: FollowUp) {
        Self::finish(self, follow_up).await;
    }

    async fn get(&self, session_id: &SessionId, call: &Call) -> Result<Session, Error> {
        Self::get(self, session_id, call).await
    }

    async fn change(
        &self,
        session_id: &SessionId,
        speaker_id: &str,
        changes: &Changes,
        call: &Call,
    ) -> Result<Done<Session>, Error> {
        Self::change(self, session_id, speaker_id, changes, call).await
    }

    async fn delete(
        &self,
        session_id: &SessionId,
        speaker_id: &str,
        call: &Call,
    ) -> Result<Done<Deleted>, Error> {
        Self::delete(self, session_id, speaker_id, call).await
    }

    fn now_ms(&self) -> u64 {
        Clock::now_ms(&self.around)
    }
}
