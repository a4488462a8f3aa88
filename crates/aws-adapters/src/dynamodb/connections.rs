//! The Connections table: a session's listeners and their languages. The functions of the WebSocket
//! API write its items; they are deleted after the end of the session.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use session::{Language, PortError, SessionId, listeners::PAGE, ports::Listener};

use super::table::Table;
use super::{DynamoDb, KEY, Values, text};
use crate::sdk_error::table_error;

/// The index of listeners by session.
const INDEX: &str = "sessionId-targetLanguage-index";

/// The Connections table.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionsTable(Table);

impl ConnectionsTable {
    pub(crate) fn new(dynamodb: &DynamoDb, name: String) -> Self {
        Self(Table::new(dynamodb, name))
    }

    /// Returns a query of a session's listeners.
    fn query(&self, session_id: &SessionId) -> QueryFluentBuilder {
        let query = self.0.client.query().table_name(&self.0.name).index_name(INDEX);
        query.expression_attribute_values(":session", text(session_id))
    }

    pub(crate) async fn page(
        &self,
        session_id: &SessionId,
        after: Option<&Listener>,
    ) -> Result<Vec<Listener>, PortError> {
        let output = self
            .query(session_id)
            .key_condition_expression("sessionId = :session")
            .projection_expression("connectionId, targetLanguage")
            .limit(i32::try_from(PAGE).unwrap_or(i32::MAX))
            .set_exclusive_start_key(after.map(|listener| place(session_id, listener)))
            .send()
            .await
            .map_err(|error| table_error("Query", &error))?;
        Ok(output.items().iter().filter_map(listener).collect())
    }

    pub(crate) async fn remove(
        &self,
        session_id: &SessionId,
        connection_id: &str,
    ) -> Result<(), PortError> {
        // The index lags behind: the connection may listen to another session now.
        let values = Values::new().with(":session", session_id);
        self.0.delete(("connectionId", connection_id), "sessionId = :session", values).await
    }

    /// Returns the distinct languages of a session's listeners.
    ///
    /// The index is sorted by language, so each query skips to the first listener of the next
    /// language. The number of single-item reads depends on the number of languages only.
    pub(crate) async fn languages(
        &self,
        session_id: &SessionId,
    ) -> Result<Vec<Language>, PortError> {
        let mut languages = Vec::new();
        let mut last = " ".to_owned();
        // The table may contain other codes; a bound limits the number of reads.
        for _ in 0..2 * Language::ALL.len() {
            let query = self
                .query(session_id)
                .key_condition_expression("sessionId = :session AND targetLanguage > :last")
                .expression_attribute_values(":last", text(&last))
                .limit(1);
            let output = query.send().await.map_err(|error| table_error("Query", &error))?;
            let Some(first) = output.items().first().and_then(listener) else { break };
            languages.extend(first.target_language.parse::<Language>());
            last = first.target_language;
        }
        Ok(languages)
    }
}

/// Returns the position of a listener in the index; a page starts after it.
fn place(session_id: &SessionId, listener: &Listener) -> HashMap<String, AttributeValue> {
    HashMap::from([
        (KEY.to_owned(), text(session_id)),
        ("targetLanguage".to_owned(), text(&listener.target_language)),
        ("connectionId".to_owned(), text(&listener.connection_id)),
    ])
}

/// Both are keys, so every item of the index has them.
fn listener(item: &HashMap<String, AttributeValue>) -> Option<Listener> {
    let text = |name: &str| item.get(name)?.as_s().ok().cloned();
    Some(Listener {
        target_language: text("targetLanguage")?,
        connection_id: text("connectionId")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_after_the_last_listener_of_the_one_before() {
        let last = Listener {
            target_language: "de".to_owned(),
            connection_id: "L0SM9cOFvHcCIhw=".to_owned(),
        };
        let place = place(&"blessed-shepherd-123".parse().unwrap(), &last);
        // The keys of the index and of the table, and nothing more: DynamoDB refuses any other
        // start.
        let mut names: Vec<_> = place.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["connectionId", "sessionId", "targetLanguage"]);
        assert_eq!(listener(&place), Some(last));
    }
}
