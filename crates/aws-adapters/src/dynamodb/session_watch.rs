//! The session data that a run reads: whether it has ended, and its listeners' languages.

use session::ports::SessionLookup as _;
use session::{Language, PortError, SessionId};

use super::SessionsTable;
use crate::listeners::Connections;

/// The tables Sessions and Connections, read only.
#[derive(Clone, Debug)]
pub struct SessionWatch {
    sessions: SessionsTable,
    connections: Connections,
}

impl SessionWatch {
    /// Creates a reader of these tables.
    pub const fn new(sessions: SessionsTable, connections: Connections) -> Self {
        Self { sessions, connections }
    }
}

impl relay::ports::SessionReader for SessionWatch {
    async fn is_over(&self, session: &SessionId) -> Result<bool, PortError> {
        let session = self.sessions.get(session).await?;
        Ok(session.is_some_and(|session| session.status.is_over()))
    }

    async fn listener_languages(&self, session: &SessionId) -> Result<Vec<Language>, PortError> {
        self.connections.languages(session).await
    }
}
