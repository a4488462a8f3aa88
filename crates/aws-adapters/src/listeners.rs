//! A session's listeners: their items in the Connections table, and messages through the management
//! endpoint of the WebSocket API.

use session::{
    Language, PortError, SessionId,
    ports::{Listener, Listeners, PostOutcome},
};

use crate::client::Sdk;
use crate::dynamodb::{DynamoDb, connections::ConnectionsTable};
use crate::websocket::Management;

pub use crate::websocket::Endpoint;

/// The listeners of one environment.
#[derive(Clone, Debug)]
pub struct Connections {
    table: ConnectionsTable,
    endpoint: Option<Management>,
}

impl Connections {
    /// Creates the listeners of `table`. Without an `endpoint` no messages are sent.
    pub fn new(sdk: &Sdk, dynamodb: &DynamoDb, table: String, endpoint: Option<Endpoint>) -> Self {
        Self {
            table: ConnectionsTable::new(dynamodb, table),
            endpoint: endpoint.map(|endpoint| Management::new(sdk, &endpoint)),
        }
    }

    /// Returns the distinct languages of a session's listeners.
    ///
    /// # Errors
    /// Returns the error of the table.
    pub async fn languages(&self, session_id: &SessionId) -> Result<Vec<Language>, PortError> {
        self.table.languages(session_id).await
    }
}

impl Listeners for Connections {
    fn can_notify(&self) -> bool {
        self.endpoint.is_some()
    }

    async fn page(
        &self,
        session_id: &SessionId,
        after: Option<&Listener>,
    ) -> Result<Vec<Listener>, PortError> {
        self.table.page(session_id, after).await
    }

    async fn post(&self, connection_id: &str, message: &str) -> Result<PostOutcome, PortError> {
        match &self.endpoint {
            Some(endpoint) => endpoint.post(connection_id, message).await,
            None => Ok(PostOutcome::Gone),
        }
    }

    async fn remove(&self, session_id: &SessionId, connection_id: &str) -> Result<(), PortError> {
        self.table.remove(session_id, connection_id).await
    }
}
