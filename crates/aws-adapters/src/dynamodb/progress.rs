//! Reads of the canary: how far a session is delivered.

use serde::Deserialize;
use session::{PortError, SessionId, StreamItem};

use super::DynamoDb;
use super::table::Table;

/// The tables that state how far a session is delivered: Streams, and Processed if the processor is
/// the reference.
#[derive(Debug, Clone)]
pub struct ProgressTables {
    streams: Table,
    processed: Option<Table>,
}

/// An item of Processed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Processed {
    next_sample: u64,
}

impl ProgressTables {
    /// Creates a client of the tables with these names.
    pub fn new(dynamodb: &DynamoDb, streams: String, processed: Option<String>) -> Self {
        let table = |name| Table::new(dynamodb, name);
        Self { streams: table(streams), processed: processed.map(table) }
    }

    /// Returns the Streams item of a session, or `None` before its consumer has started.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn stream(&self, session: &SessionId) -> Result<Option<StreamItem>, PortError> {
        self.streams.get(session).await
    }

    /// Returns the samples that the reference processor has accepted; `None` without a Processed
    /// table.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn watermark(&self, session: &SessionId) -> Result<Option<u64>, PortError> {
        let Some(processed) = &self.processed else { return Ok(None) };
        let item = processed.get::<Processed>(session).await?;
        Ok(Some(item.map_or(0, |item| item.next_sample)))
    }
}
