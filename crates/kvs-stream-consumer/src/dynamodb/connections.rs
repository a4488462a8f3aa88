//! The Connections table: which languages listeners asked for.

use aws_sdk_dynamodb::types::AttributeValue;
use relay::StoreError;
use session::{Language, SessionId};

use super::sessions::Sessions;
use super::store_error;

/// The index listeners are found by.
const INDEX: &str = "sessionId-targetLanguage-index";

impl Sessions {
    /// The distinct languages of a session's listeners.
    ///
    /// The index is sorted by language, so each query skips to the first listener of the next
    /// language: as many single-item reads as there are languages, however many listen.
    pub(super) async fn languages(&self, id: &SessionId) -> Result<Vec<Language>, StoreError> {
        let mut languages = Vec::new();
        let mut last = " ".to_owned();
        // Codes that are none of ours may stand between; a bound keeps a polluted table harmless.
        for _ in 0..2 * Language::ALL.len() {
            let output = self
                .client
                .query()
                .table_name(&self.connections)
                .index_name(INDEX)
                .key_condition_expression("sessionId = :session AND targetLanguage > :last")
                .expression_attribute_values(":session", AttributeValue::S(id.to_string()))
                .expression_attribute_values(":last", AttributeValue::S(last.clone()))
                .limit(1)
                .send()
                .await
                .map_err(store_error)?;
            let Some(item) = output.items().first() else { break };
            let Some(Ok(code)) = item.get("targetLanguage").map(AttributeValue::as_s) else {
                break;
            };
            languages.extend(code.parse::<Language>());
            last.clone_from(code);
        }
        Ok(languages)
    }
}
