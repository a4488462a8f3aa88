//! The Sessions table as the consumer sees it: read by everyone, written by the health check only.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use listeners::Connections;
use relay::StoreError;
use session::{EndedReason, Language, PendingEvent, Session, SessionId, SessionStatus};

use super::{Item, from_json, store_error, to_json};

/// The index sessions are found by.
const INDEX: &str = "status-updatedAt-index";
/// Most sessions of one status that a health check looks at; the rest wait for the next one.
const MOST: usize = 2_000;

/// The table of sessions, and their listeners.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    client: Client,
    table: String,
    listeners: Connections,
}

impl Sessions {
    pub(crate) fn new(client: Client, table: String, listeners: Connections) -> Self {
        Self { client, table, listeners }
    }

    /// The session, read consistently.
    pub(crate) async fn get(&self, id: &SessionId) -> Result<Option<Session>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).consistent_read(true);
        let output = get.key("sessionId", AttributeValue::S(id.to_string())).send().await;
        output.map_err(store_error)?.item.as_ref().map(decode).transpose()
    }

    /// Ids of the sessions with `status` that last changed before `before_ms` and have `attribute`,
    /// oldest first.
    pub(crate) async fn with_status(
        &self,
        status: SessionStatus,
        before_ms: u64,
        attribute: &str,
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut ids = Vec::new();
        let mut from: Option<Item> = None;
        while ids.len() < MOST {
            let output = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(INDEX)
                .key_condition_expression("#status = :status AND updatedAt < :before")
                .filter_expression("attribute_exists(#attribute)")
                .expression_attribute_names("#attribute", attribute)
                .expression_attribute_names("#status", "status")
                .expression_attribute_values(":status", AttributeValue::S(status.as_str().into()))
                .expression_attribute_values(":before", AttributeValue::N(before_ms.to_string()))
                .set_exclusive_start_key(from.take())
                .send()
                .await
                .map_err(store_error)?;
            let key = |item: &Item| item.get("sessionId")?.as_s().ok()?.parse().ok();
            ids.extend(output.items().iter().filter_map(key));
            from = output.last_evaluated_key;
            if from.is_none() {
                break;
            }
        }
        Ok(ids)
    }

    /// Forgets a pending event that was taken, unless another has taken its place.
    pub(crate) async fn event_taken(&self, id: &SessionId, since: u64) -> Result<bool, StoreError> {
        let update = self
            .update(id)
            .update_expression("REMOVE pendingEvent")
            .condition_expression("pendingEvent.since = :since")
            .expression_attribute_values(":since", AttributeValue::N(since.to_string()));
        applied(update).await
    }

    /// Ends a live session and remembers the event to emit, in one write.
    pub(crate) async fn end(
        &self,
        session: &Session,
        reason: EndedReason,
        event: &PendingEvent,
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        let update = self
            .update(&session.session_id)
            .update_expression(
                "SET #status = :ended, endedReason = :reason, pendingEvent = :event, \
                 updatedAt = :now",
            )
            .condition_expression("#status = :was AND updatedAt = :seen")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":ended", AttributeValue::S("ended".into()))
            .expression_attribute_values(":reason", AttributeValue::S(reason.as_str().into()))
            .expression_attribute_values(":event", from_json(&serde_json::json!(event)))
            .expression_attribute_values(":now", AttributeValue::N(now_ms.to_string()))
            .expression_attribute_values(":was", AttributeValue::S(session.status.as_str().into()))
            .expression_attribute_values(
                ":seen",
                AttributeValue::N(session.updated_at.to_string()),
            );
        applied(update).await
    }

    /// Claims a session for cleaning until `until_ms`, if it is still as it was read.
    pub(crate) async fn claim(
        &self,
        session: &Session,
        until_ms: u64,
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        let update = self
            .update(&session.session_id)
            .update_expression("SET #status = :cleaning, claimUntil = :until, updatedAt = :now")
            .condition_expression("#status = :was AND updatedAt = :seen")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":cleaning", AttributeValue::S("cleaning".into()))
            .expression_attribute_values(":until", AttributeValue::N(until_ms.to_string()))
            .expression_attribute_values(":now", AttributeValue::N(now_ms.to_string()))
            .expression_attribute_values(":was", AttributeValue::S(session.status.as_str().into()))
            .expression_attribute_values(
                ":seen",
                AttributeValue::N(session.updated_at.to_string()),
            );
        applied(update).await
    }

    /// Records that nothing of an ended session is left in KVS. The record itself stays until
    /// `remove_at` (Unix seconds), so that a replayed event finds the session ended and its id is
    /// not drawn again.
    pub(crate) async fn cleaned(
        &self,
        id: &SessionId,
        until_ms: u64,
        remove_at: u64,
    ) -> Result<bool, StoreError> {
        let update = self
            .update(id)
            .update_expression(
                "SET #status = :removed, removeAt = :at REMOVE claimUntil, kvsChannelArn, \
                 kvsStreamArn, kvsSignalingEndpoints",
            )
            .condition_expression("claimUntil = :until")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(
                ":removed",
                AttributeValue::S(SessionStatus::Removed.as_str().into()),
            )
            .expression_attribute_values(":at", AttributeValue::N(remove_at.to_string()))
            .expression_attribute_values(":until", AttributeValue::N(until_ms.to_string()));
        applied(update).await
    }

    /// Removes the record of a creation that broke off, if our claim still stands.
    pub(crate) async fn remove(&self, id: &SessionId, until_ms: u64) -> Result<(), StoreError> {
        let output = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key("sessionId", AttributeValue::S(id.to_string()))
            .condition_expression("claimUntil = :until")
            .expression_attribute_values(":until", AttributeValue::N(until_ms.to_string()))
            .send()
            .await;
        match output {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error))
                if error.err().is_conditional_check_failed_exception() =>
            {
                Ok(())
            }
            Err(error) => Err(store_error(error)),
        }
    }

    fn update(&self, id: &SessionId) -> UpdateItemFluentBuilder {
        let update = self.client.update_item().table_name(&self.table);
        update.key("sessionId", AttributeValue::S(id.to_string()))
    }
}

impl relay::ports::Sessions for Sessions {
    async fn is_over(&self, session: &SessionId) -> Result<bool, StoreError> {
        let session = self.get(session).await?;
        Ok(session.is_some_and(|session| {
            matches!(
                session.status,
                SessionStatus::Ended | SessionStatus::Cleaning | SessionStatus::Removed
            )
        }))
    }

    async fn listener_languages(&self, session: &SessionId) -> Result<Vec<Language>, StoreError> {
        self.listeners.languages(session).await.map_err(|fault| StoreError {
            message: fault.to_string(),
            retryable: fault.kind.is_transient(),
        })
    }
}

/// Whether the condition held.
async fn applied(update: UpdateItemFluentBuilder) -> Result<bool, StoreError> {
    match update.send().await {
        Ok(_) => Ok(true),
        Err(SdkError::ServiceError(error))
            if error.err().is_conditional_check_failed_exception() =>
        {
            Ok(false)
        }
        Err(error) => Err(store_error(error)),
    }
}

fn decode(item: &Item) -> Result<Session, StoreError> {
    serde_json::from_value(to_json(item)).map_err(|error| StoreError {
        message: format!("malformed Sessions item: {error}"),
        retryable: false,
    })
}
