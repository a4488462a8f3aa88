//! The Connections table: a session's listeners and their languages. The functions of the WebSocket
//! API write its items; they are deleted after the end of the session.

use std::collections::HashMap;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use session::{Language, PortError, SessionId, listeners::PAGE, ports::Listener};

use super::DynamoDb;
use crate::sdk_error::{condition_met, table_error};

/// The index of listeners by session.
const INDEX: &str = "sessionId-targetLanguage-index";

/// One table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    client: Client,
    name: String,
}

impl Table {
    pub(crate) fn new(dynamodb: &DynamoDb, name: String) -> Self {
        Self { client: dynamodb.0.clone(), name }
    }

    pub(crate) async fn page(
        &self,
        session_id: &SessionId,
        after: Option<&Listener>,
    ) -> Result<Vec<Listener>, PortError> {
        let output = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(INDEX)
            .key_condition_expression("sessionId = :session")
            .projection_expression("connectionId, targetLanguage")
            .expression_attribute_values(":session", AttributeValue::S(session_id.to_string()))
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
        let delete = self
            .client
            .delete_item()
            .table_name(&self.name)
            .key("connectionId", AttributeValue::S(connection_id.to_owned()))
            .condition_expression("sessionId = :session")
            .expression_attribute_values(":session", AttributeValue::S(session_id.to_string()));
        condition_met("DeleteItem", delete.send().await).map(drop)
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
                .client
                .query()
                .table_name(&self.name)
                .index_name(INDEX)
                .key_condition_expression("sessionId = :session AND targetLanguage > :last")
                .expression_attribute_values(":session", AttributeValue::S(session_id.to_string()))
                .expression_attribute_values(":last", AttributeValue::S(last.clone()))
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
    let text = |text: &str| AttributeValue::S(text.to_owned());
    HashMap::from([
        ("sessionId".to_owned(), text(session_id.as_str())),
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
