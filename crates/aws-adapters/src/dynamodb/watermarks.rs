//! The watermarks in DynamoDB: item `{sessionId, nextSample, epoch, expiresAt}` of table Processed.
//!
//! An advance is one conditional UpdateItem without a previous read: if the condition is not met,
//! the response contains the item.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure};
use serde::Deserialize;
use session::{Advance, Moved, PortError, SessionId, Watermark, Watermarks};

use super::attributes::{Item, from_item, to_attribute};
use super::{DynamoDb, KEY, UPDATE, text, unmet};

/// [`Advance::applies_to`] as a condition expression. A session without an item is at sample 0.
const APPLIES: &str = "epoch <= :epoch AND nextSample >= :floor AND nextSample < :end";
const APPLIES_OR_NEW: &str = "attribute_not_exists(sessionId) OR \
    (epoch <= :epoch AND nextSample >= :floor AND nextSample < :end)";

/// The Processed table.
#[derive(Debug, Clone)]
pub struct ProcessedTable {
    client: Client,
    name: String,
}

impl ProcessedTable {
    /// Creates a client of the table with this name.
    pub fn new(dynamodb: &DynamoDb, name: String) -> Self {
        Self { client: dynamodb.0.clone(), name }
    }
}

impl Watermarks for ProcessedTable {
    async fn advance(&self, session: &SessionId, step: Advance) -> Result<Moved, PortError> {
        // An empty chunk at 0 must not create an item, hence `:end > 0`.
        let may_be_new = step.floor == 0 && step.end > 0;
        let answer = self
            .client
            .update_item()
            .table_name(&self.name)
            .key(KEY, text(session))
            .update_expression("SET nextSample = :end, epoch = :epoch, expiresAt = :expires")
            .condition_expression(if may_be_new { APPLIES_OR_NEW } else { APPLIES })
            .expression_attribute_values(":epoch", to_attribute(&step.epoch))
            .expression_attribute_values(":floor", to_attribute(&step.floor))
            .expression_attribute_values(":end", to_attribute(&step.end))
            .expression_attribute_values(":expires", to_attribute(&step.expires_at))
            .return_values(ReturnValue::UpdatedOld)
            .return_values_on_condition_check_failure(OnFailure::AllOld)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(Moved::From(watermark(answer.attributes)?)),
            Err(error) => Ok(Moved::Not(watermark(unmet(&error)?)?)),
        }
    }

    async fn fence(&self, session: &SessionId, epoch: u64) -> Result<Watermark, PortError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.name)
            .key(KEY, text(session))
            .update_expression("SET epoch = :epoch")
            .condition_expression("epoch < :epoch")
            .expression_attribute_values(":epoch", to_attribute(&epoch))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(OnFailure::AllOld)
            .send()
            .await;
        match answer {
            Ok(answer) => watermark(answer.attributes),
            Err(error) => watermark(unmet(&error)?),
        }
    }
}

/// Reads an item; a session without one is at sample 0.
fn watermark(item: Option<Item>) -> Result<Watermark, PortError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Attributes {
        next_sample: u64,
        epoch: u64,
    }
    let Some(item) = item.filter(|item| !item.is_empty()) else { return Ok(Watermark::default()) };
    let Attributes { next_sample, epoch } = from_item(UPDATE, item)?;
    Ok(Watermark { next: next_sample, epoch })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_item_is_the_beginning_and_a_broken_one_is_an_error() {
        assert_eq!(watermark(None).unwrap(), Watermark::default());
        let attributes = [("nextSample", to_attribute(&8000)), ("epoch", to_attribute(&3))];
        let item = Item::from(attributes.map(|(name, value)| (name.to_owned(), value)));
        assert_eq!(watermark(Some(item.clone())).unwrap(), Watermark { next: 8000, epoch: 3 });
        let mut broken = item;
        broken.insert("epoch".to_owned(), text("3"));
        assert!(!watermark(Some(broken)).unwrap_err().is_retryable());
    }
}
