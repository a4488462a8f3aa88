//! The watermarks in DynamoDB: item `{sessionId, nextSample, epoch, expiresAt}` of table Processed.
//!
//! An advance is one conditional UpdateItem without a previous read: if the condition is not met,
//! the response contains the item.

use aws_sdk_dynamodb::types::ReturnValue;
use serde::Deserialize;
use session::{Advance, Moved, PortError, SessionId, Watermark, Watermarks};

use super::attributes::{Item, from_item};
use super::table::{Table, UPDATE, Update, Written};
use super::{DynamoDb, Values};

/// [`Advance::applies_to`] as a condition expression. A session without an item is at sample 0.
const APPLIES: &str = "epoch <= :epoch AND nextSample >= :floor AND nextSample < :end";
const APPLIES_OR_NEW: &str = "attribute_not_exists(sessionId) OR \
    (epoch <= :epoch AND nextSample >= :floor AND nextSample < :end)";

/// The Processed table.
#[derive(Debug, Clone)]
pub struct ProcessedTable(Table);

impl ProcessedTable {
    /// Creates a client of the table with this name.
    pub fn new(dynamodb: &DynamoDb, name: String) -> Self {
        Self(Table::new(dynamodb, name))
    }
}

impl Watermarks for ProcessedTable {
    async fn advance(&self, session: &SessionId, step: Advance) -> Result<Moved, PortError> {
        // An empty chunk at 0 must not create an item, hence `:end > 0`.
        let may_be_new = step.floor == 0 && step.end > 0;
        let update = Update {
            expression: "SET nextSample = :end, epoch = :epoch, expiresAt = :expires",
            condition: Some(if may_be_new { APPLIES_OR_NEW } else { APPLIES }),
            values: Values::new()
                .with(":epoch", &step.epoch)
                .with(":floor", &step.floor)
                .with(":end", &step.end)
                .with(":expires", &step.expires_at),
        };
        match self.0.update(session, update, ReturnValue::UpdatedOld).await? {
            Written::Applied(before) => Ok(Moved::From(watermark(Some(before))?)),
            Written::Unmet(item) => Ok(Moved::Not(watermark(item)?)),
        }
    }

    async fn fence(&self, session: &SessionId, epoch: u64) -> Result<Watermark, PortError> {
        let update = Update {
            expression: "SET epoch = :epoch",
            condition: Some("epoch < :epoch"),
            values: Values::new().with(":epoch", &epoch),
        };
        match self.0.update(session, update, ReturnValue::AllNew).await? {
            Written::Applied(item) => watermark(Some(item)),
            Written::Unmet(item) => watermark(item),
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
    use super::super::{attributes::to_attribute, text};
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
