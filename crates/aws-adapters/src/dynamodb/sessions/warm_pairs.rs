//! Warm pairs: items of the Sessions table, one for each slot.
//!
//! | key | attributes |
//! |---|---|
//! | `pair#{env}#{slot}` | as [`WarmPair`] |
//!
//! The key is not a valid session id, and the item has no status, so it is in no index.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{Delete, KeysAndAttributes, ReturnValue, TransactWriteItem};
use session::{
    ErrorKind, PairState, PortError, WarmPair, ports::WarmPairs, reconcile::WarmPairSlots,
};

use super::super::attributes::{from_item, to_attribute};
use super::super::table::{Update, Written};
use super::{KEY, SessionsTable, TRANSACTION, Values, table_error, text};

const READ: &str = "BatchGetItem";

/// Condition: the slot contains the pair as it was read.
const AS_READ: &str = "forSession = :read AND updatedAt = :seen";

fn as_read(read: &WarmPair) -> Values {
    Values::new().with(":read", &read.session_id).with(":seen", &read.updated_at)
}

impl WarmPairs for SessionsTable {
    async fn warm_pairs(&self, env: &str, slots: u32) -> Result<Vec<WarmPair>, PortError> {
        let key = |slot| HashMap::from([(KEY.to_owned(), text(WarmPair::key(env, slot)))]);
        let keys = KeysAndAttributes::builder()
            .set_keys(Some((0..slots).map(key).collect()))
            .consistent_read(true)
            .build()
            .map_err(|error| PortError::new(READ, ErrorKind::Invalid, error.to_string()))?;
        let request = self.table.client.batch_get_item().request_items(&self.table.name, keys);
        let output = request.send().await.map_err(|error| table_error(READ, &error))?;
        // At most 20 items of 1 KB, so DynamoDB leaves none out unless the table is throttled.
        if output.unprocessed_keys.is_some_and(|left| !left.is_empty()) {
            return Err(PortError::new(READ, ErrorKind::Throttled, "some keys were not processed"));
        }
        let items = output.responses.into_iter().flatten().flat_map(|(_, items)| items);
        items.map(|item| from_item(READ, item)).collect()
    }
}

impl WarmPairSlots for SessionsTable {
    async fn store_pair(
        &self,
        pair: &WarmPair,
        read: Option<&WarmPair>,
    ) -> Result<bool, PortError> {
        let values = read.map_or_else(Values::new, as_read);
        let values = values
            .with(":env", &pair.env)
            .with(":slot", &pair.slot)
            .with(":session", &pair.session_id)
            .with(":state", &pair.state)
            .with(":now", &pair.updated_at)
            .with(":claim", &pair.claim_until)
            .with(":retention", &pair.retention_hours)
            .with(":key", &pair.kms_key_id)
            .with(":media", &pair.media);
        let expression = "SET env = :env, slot = :slot, forSession = :session, \
                          pairState = :state, updatedAt = :now, claimUntil = :claim, \
                          retentionHours = :retention, kmsKeyId = :key, media = :media";
        let condition = if read.is_some() { AS_READ } else { "attribute_not_exists(sessionId)" };
        let update = Update { expression, condition: Some(condition), values };
        let key = WarmPair::key(&pair.env, pair.slot);
        let written = self.table.update(key, update, ReturnValue::None).await?;
        Ok(matches!(written, Written::Applied(_)))
    }

    async fn delete_pair(&self, read: &WarmPair) -> Result<(), PortError> {
        let key = WarmPair::key(&read.env, read.slot);
        self.table.delete((KEY, key), AS_READ, as_read(read)).await
    }
}

impl SessionsTable {
    /// Takes a pair: deletes its item if it is still ready.
    pub(super) fn taken_pair(&self, pair: &WarmPair) -> Result<TransactWriteItem, PortError> {
        let delete = Delete::builder()
            .table_name(&self.table.name)
            .key(KEY, text(WarmPair::key(&pair.env, pair.slot)))
            .condition_expression("forSession = :session AND pairState = :ready")
            .expression_attribute_values(":session", to_attribute(&pair.session_id))
            .expression_attribute_values(":ready", to_attribute(&PairState::Ready))
            .build()
            .map_err(|error| PortError::new(TRANSACTION, ErrorKind::Invalid, error.to_string()))?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }
}
