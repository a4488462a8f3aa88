//! The interface between routes and use cases.

use session::{
    Call, Changes, Completed, Deleted, Error, IdempotencyKey, NewSession, PostResponse, Session,
    SessionId, SessionService,
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
    ) -> impl Future<Output = Result<Completed<Session>, Error>> + Send;

    /// Runs the work that follows a response.
    fn run_post_response(&self, post_response: PostResponse) -> impl Future<Output = ()> + Send;

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
    ) -> impl Future<Output = Result<Completed<Session>, Error>> + Send;

    /// `DELETE /sessions/{sessionId}`.
    fn delete(
        &self,
        session_id: &SessionId,
        speaker_id: &str,
        call: &Call,
    ) -> impl Future<Output = Result<Completed<Deleted>, Error>> + Send;

    /// Returns the current time, Unix ms.
    fn now_ms(&self) -> u64;
}

impl<P: Ports> SessionApi for SessionService<P> {
    async fn create(
        &self,
        new: &NewSession,
        key: Option<&IdempotencyKey>,
        call: &Call,
    ) -> Result<Completed<Session>, Error> {
        Self::create(self, new, key, call).await
    }

    async fn run_post_response(&self, post_response: PostResponse) {
        Self::run_post_response(self, post_response).await;
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
    ) -> Result<Completed<Session>, Error> {
        Self::change(self, session_id, speaker_id, changes, call).await
    }

    async fn delete(
        &self,
        session_id: &SessionId,
        speaker_id: &str,
        call: &Call,
    ) -> Result<Completed<Deleted>, Error> {
        Self::delete(self, session_id, speaker_id, call).await
    }

    fn now_ms(&self) -> u64 {
        Clock::now_ms(&self.ctx)
    }
}
