//! The watermarks in DynamoDB: item `{sessionId, nextSample, epoch, expiresAt}` of table Processed.
//!
//! A step is one UpdateItem with a condition, and nothing is read before: when the condition fails,
//! the answer carries the item as it is.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure,
};
use session::SessionId;

use crate::error::StoreError;
use crate::watermark::{Moved, Step, Watermark, Watermarks};

type Item = HashMap<String, AttributeValue>;

/// [`Step::applies_to`] in DynamoDB's words. A session without an item stands at sample 0.
const APPLIES: &str = "epoch <= :epoch AND nextSample >= :floor AND nextSample < :end";
const APPLIES_OR_NEW: &str = "attribute_not_exists(sessionId) OR \
    (epoch <= :epoch AND nextSample >= :floor AND nextSample < :end)";

/// The table Processed.
#[derive(Debug, Clone)]
pub struct DynamoWatermarks {
    client: Client,
    table: String,
}

impl DynamoWatermarks {
    /// The table of that name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

impl Watermarks for DynamoWatermarks {
    async fn advance(&self, session: &SessionId, step: Step) -> Result<Moved, StoreError> {
        // An empty chunk at 0 has nothing to move: without `:end > 0` it would make an item.
        let may_be_new = step.floor == 0 && step.end > 0;
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("sessionId", AttributeValue::S(session.to_string()))
            .update_expression("SET nextSample = :end, epoch = :epoch, expiresAt = :expires")
            .condition_expression(if may_be_new { APPLIES_OR_NEW } else { APPLIES })
            .expression_attribute_values(":epoch", number(step.epoch))
            .expression_attribute_values(":floor", number(step.floor))
            .expression_attribute_values(":end", number(step.end))
            .expression_attribute_values(":expires", number(step.expires_at))
            .return_values(ReturnValue::UpdatedOld)
            .return_values_on_condition_check_failure(OnFailure::AllOld)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(Moved::From(watermark(answer.attributes)?)),
            Err(error) => match error.into_service_error() {
                UpdateItemError::ConditionalCheckFailedException(refused) => {
                    Ok(Moved::Not(watermark(refused.item)?))
                }
                error => Err(unavailable(&error)),
            },
        }
    }

    async fn fence(&self, session: &SessionId, epoch: u64) -> Result<Watermark, StoreError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("sessionId", AttributeValue::S(session.to_string()))
            .update_expression("SET epoch = :epoch")
            .condition_expression("epoch < :epoch")
            .expression_attribute_values(":epoch", number(epoch))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(OnFailure::AllOld)
            .send()
            .await;
        match answer {
            Ok(answer) => watermark(answer.attributes),
            Err(error) => match error.into_service_error() {
                UpdateItemError::ConditionalCheckFailedException(refused) => {
                    watermark(refused.item)
                }
                error => Err(unavailable(&error)),
            },
        }
    }
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Reads an item; a session without one stands at its beginning.
fn watermark(item: Option<Item>) -> Result<Watermark, StoreError> {
    let Some(item) = item.filter(|item| !item.is_empty()) else { return Ok(Watermark::default()) };
    let field = |name: &str| {
        let number = item.get(name).and_then(|value| value.as_n().ok());
        number.and_then(|text| text.parse().ok()).ok_or_else(|| StoreError {
            reason: format!("the item's {name} is missing or not a whole number"),
        })
    };
    Ok(Watermark { next: field("nextSample")?, epoch: field("epoch")? })
}

fn unavailable(error: &UpdateItemError) -> StoreError {
    let code = error.code().unwrap_or("no answer");
    let reason = match error.message() {
        Some(message) => format!("{code}: {message}"),
        None => code.to_owned(),
    };
    StoreError { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_item_is_the_beginning_and_a_broken_one_is_an_error() {
        assert_eq!(watermark(None).unwrap(), Watermark::default());
        let item =
            Item::from([("nextSample".to_owned(), number(8000)), ("epoch".to_owned(), number(3))]);
        assert_eq!(watermark(Some(item.clone())).unwrap(), Watermark { next: 8000, epoch: 3 });
        let mut broken = item;
        broken.insert("epoch".to_owned(), AttributeValue::S("3".to_owned()));
        assert!(watermark(Some(broken)).unwrap_err().to_string().contains("epoch"));
    }
}
