//! A session's listeners as AWS has them: found and removed in the Connections table, told through the management endpoint
//! of the WebSocket API that holds their connections. What they are told, and when, is `session::listeners`.
//!
//! It stands beside the way of the audio: the session handler and the consumer both use it, for nothing else.

mod endpoint;
mod table;

pub use endpoint::{Endpoint, VARIABLE};

use aws_config::SdkConfig;
use session::{
    Fault, Language, SessionId,
    ports::{Heard, Listener, Listeners},
};

/// The listeners of one environment.
#[derive(Clone, Debug)]
pub struct Connections {
    table: table::Table,
    endpoint: Option<endpoint::Management>,
}

impl Connections {
    /// Those in `table`, told through `endpoint`, if there is one.
    pub fn new(sdk: &SdkConfig, table: String, endpoint: Option<Endpoint>) -> Self {
        Self {
            table: table::Table::new(sdk, table),
            endpoint: endpoint.map(|endpoint| endpoint::Management::new(sdk, &endpoint)),
        }
    }
}

impl Connections {
    /// The distinct languages of a session's listeners.
    ///
    /// # Errors
    /// The table did not answer as it should.
    pub async fn languages(&self, session_id: &SessionId) -> Result<Vec<Language>, Fault> {
        self.table.languages(session_id).await
    }
}

impl Listeners for Connections {
    fn can_be_told(&self) -> bool {
        self.endpoint.is_some()
    }

    async fn page(
        &self,
        session_id: &SessionId,
        after: Option<&Listener>,
    ) -> Result<Vec<Listener>, Fault> {
        self.table.page(session_id, after).await
    }

    async fn post(&self, connection_id: &str, message: &str) -> Result<Heard, Fault> {
        match &self.endpoint {
            Some(endpoint) => endpoint.post(connection_id, message).await,
            None => Ok(Heard::Gone),
        }
    }

    async fn remove(&self, session_id: &SessionId, connection_id: &str) -> Result<(), Fault> {
        self.table.remove(session_id, connection_id).await
    }
}
