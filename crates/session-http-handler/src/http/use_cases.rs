//! What the routes lead to.

use std::future::Future;

use session::{
    Announcement, Call, Changes, Created, Deleted, Error, IdempotencyKey, NewSession, Session,
    SessionId, SessionService,
    ports::{Clock, Ports},
};

/// The use cases that the routes lead to.
pub(crate) trait SessionApi: Send + Sync {
    /// `POST /sessions`.
    fn create(
        &self,
        new: &NewSession,
        key: Option<&IdempotencyKey>,
        call: &Call,
    ) -> impl Future<Output = Result<Created, Error>> + Send;

    /// What follows the answer to a POST.
    fn announce(&self, announcement: Announcement) -> impl Future<Output = ()> + Send;

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
    ) -> impl Future<Output = Result<Session, Error>> + Send;

    /// `DELETE /sessions/{sessionId}`.
    fn delete(
        &self,
        session_id: &SessionId,
        speaker_id: &str,
        call: &Call,
    ) -> impl Future<Output = Result<Deleted, Error>> + Send;

    /// Now, Unix ms.
    fn now_ms(&self) -> u64;
}

impl<P: Ports> SessionApi for SessionService<P> {
    async fn create(
        &self,
        new: &NewSession,
        key: Option<&IdempotencyKey>,
        call: &Call,
    ) -> Result<Created, Error> {
        Self::create(self, new, key, call).await
    }

    async fn announce(&self, announcement: Announcement) {
        Self::announce(self, announcement).await;
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
    ) -> Result<Session, Error> {
        Self::change(self, session_id, speaker_id, changes, call).await
    }

    async fn delete(
        &self,
        session_id: &SessionId,
        speaker_id: &str,
        call: &Call,
    ) -> Result<Deleted, Error> {
        Self::delete(self, session_id, speaker_id, call).await
    }

    fn now_ms(&self) -> u64 {
        Clock::now_ms(&self.around)
    }
}
