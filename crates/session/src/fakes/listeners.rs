//! Listeners of the fake AWS: connected, disconnected or not responding.

use std::time::Duration;

use super::World;
use crate::{
    PortError, SessionId,
    listeners::PAGE,
    ports::{Clock, Listener, Listeners, PostOutcome},
};

/// Latency of a message.
const MESSAGE_LATENCY: Duration = Duration::from_millis(20);

impl World {
    /// Adds `count` listeners to a session, with names that begin with `name`.
    pub(crate) fn listen(&self, session_id: &SessionId, name: &str, count: usize) {
        let mut state = self.state();
        let listeners = state.listeners.entry(session_id.clone()).or_default();
        listeners.extend((0..count).map(|number| Listener {
            target_language: ["de", "es", "fr"][number % 3].to_owned(),
            connection_id: format!("{name}-{number}="),
        }));
    }

    /// Returns the types of the messages sent to a connection, in order.
    pub(crate) fn message_types(&self, connection: &str) -> Vec<String> {
        let state = self.state();
        let messages = state.messages.get(connection).into_iter().flatten();
        messages.map(|message| message["type"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn listening(&self, session_id: &SessionId) -> usize {
        self.state().listeners.get(session_id).map_or(0, |listeners| listeners.len())
    }
}

/// Counts a post as in progress until dropped.
struct Posting<'a>(&'a World);

impl<'a> Posting<'a> {
    fn begin(world: &'a World) -> Self {
        let mut state = world.state();
        state.posting.0 += 1;
        state.posting.1 = state.posting.1.max(state.posting.0);
        drop(state);
        Self(world)
    }
}

impl Drop for Posting<'_> {
    fn drop(&mut self) {
        self.0.state().posting.0 -= 1;
    }
}

impl Listeners for World {
    fn can_notify(&self) -> bool {
        !self.state().mute
    }

    async fn page(
        &self,
        session_id: &SessionId,
        after: Option<&Listener>,
    ) -> Result<Vec<Listener>, PortError> {
        let (session_id, after) = (session_id.clone(), after.cloned());
        self.call("page", move |state| {
            let all = state.listeners.get(&session_id).into_iter().flatten();
            let rest = all.filter(|listener| after.as_ref().is_none_or(|after| *listener > after));
            Ok(rest.take(PAGE).cloned().collect())
        })
        .await
    }

    async fn post(&self, connection_id: &str, message: &str) -> Result<PostOutcome, PortError> {
        let _posting = Posting::begin(self);
        if self.state().hanging.contains(connection_id) {
            let now = self.state().now;
            self.state().calls.push(("post", now));
            return std::future::pending().await;
        }
        self.sleep(MESSAGE_LATENCY).await;
        let connection = connection_id.to_owned();
        let message: serde_json::Value = serde_json::from_str(message).unwrap();
        self.call("post", move |state| {
            if state.gone.contains(&connection) {
                return Ok(PostOutcome::Gone);
            }
            state.messages.entry(connection.clone()).or_default().push(message.clone());
            Ok(PostOutcome::Sent)
        })
        .await
    }

    async fn remove(&self, session_id: &SessionId, connection_id: &str) -> Result<(), PortError> {
        let (session_id, connection) = (session_id.clone(), connection_id.to_owned());
        self.call("remove", move |state| {
            let listeners = state.listeners.entry(session_id.clone()).or_default();
            listeners.retain(|listener| listener.connection_id != connection);
            Ok(())
        })
        .await
    }
}
