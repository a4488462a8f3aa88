//! The Sessions table, and what is told to consumers in Streams: DynamoDB.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    config::{Builder, http::HttpResponse},
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, CancellationReason, TransactWriteItem, Update},
};
use lambda_shell::{
    aws::TraceHeader,
    sdk_fault::{held, table_fault},
};
use serde::Serialize;
use session::{
    Fault, FaultKind, PendingEvent, Remembered, RequestId, Session, SessionId, SessionStatus,
    ports::{Activation, Change, Ending, PendingEvents, Reservation, Reserved, Sessions},
};

mod attributes;
use attributes::{Item, from_item, to_attribute};

mod claims;

/// The key of both tables, and of most conditions.
const KEY: &str = "sessionId";

const TRANSACTION: &str = "TransactWriteItems";

/// The tables of DynamoDB.
#[derive(Clone, Debug)]
pub(crate) struct SessionsTable {
    client: Client,
    name: String,
    /// Where consumers look for what they must know.
    streams: String,
}

impl SessionsTable {
    pub(crate) fn new(sdk: &SdkConfig, name: String, streams: String) -> Self {
        let config = Builder::from(sdk).interceptor(TraceHeader).build();
        Self { client: Client::from_conf(config), name, streams }
    }

    /// An item as it is now.
    async fn read(&self, key: &str) -> Result<Option<Item>, Fault> {
        let get = self.client.get_item().table_name(&self.name);
        let get = get.key(KEY, AttributeValue::S(key.to_owned())).consistent_read(true);
        let output = get.send().await.map_err(|error| table_fault("GetItem", &error))?;
        Ok(output.item)
    }

    /// One write of a transaction.
    fn write(
        table: &str,
        key: &str,
        expression: &str,
        condition: &str,
        values: Values,
    ) -> Result<TransactWriteItem, Fault> {
        let update = Update::builder()
            .table_name(table)
            .key(KEY, AttributeValue::S(key.to_owned()))
            .update_expression(expression)
            .condition_expression(condition)
            .set_expression_attribute_names(names(&[expression, condition]))
            .set_expression_attribute_values(Some(values.0))
            .build()
            .map_err(|error| Fault::new(TRANSACTION, FaultKind::Invalid, error.to_string()))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// One conditional update; `false` when its condition does not hold.
    async fn update(
        &self,
        session_id: &SessionId,
        expression: &str,
        condition: &str,
        values: Values,
    ) -> Result<bool, Fault> {
        let output = self
            .client
            .update_item()
            .table_name(&self.name)
            .key(KEY, AttributeValue::S(session_id.to_string()))
            .update_expression(expression)
            .condition_expression(condition)
            .set_expression_attribute_names(names(&[expression, condition]))
            .set_expression_attribute_values(Some(values.0))
            .send()
            .await;
        held("UpdateItem", output)
    }
}

impl Sessions for SessionsTable {
    async fn insert(&self, reservation: &Reservation<'_>) -> Result<Reserved, Fault> {
        self.reserve(reservation).await
    }

    async fn places(&self, speaker_id: &str) -> Result<Vec<SessionId>, Fault> {
        self.taken(speaker_id).await
    }

    async fn free_places(&self, speaker_id: &str, sessions: &[SessionId]) -> Result<(), Fault> {
        self.give_back(speaker_id, sessions).await
    }

    async fn remembered(&self, request: &RequestId) -> Result<Option<Remembered>, Fault> {
        let item = self.read(request.as_str()).await?;
        item.map(|item| from_item("GetItem", item)).transpose()
    }

    async fn forget(&self, request: &RequestId, session_id: &SessionId) -> Result<(), Fault> {
        self.forget_request(request, session_id).await
    }

    async fn get(&self, session_id: &SessionId) -> Result<Option<Session>, Fault> {
        let item = self.read(session_id.as_str()).await?;
        item.map(|item| from_item("GetItem", item)).transpose()
    }

    async fn activate(&self, activation: &Activation<'_>) -> Result<bool, Fault> {
        let session = activation.session;
        let values = Values::new()
            .with(":active", &session.status)
            .with(":now", &session.updated_at)
            .with(":channel", &session.kvs_channel_arn)
            .with(":stream", &session.kvs_stream_arn)
            .with(":endpoints", &session.kvs_signaling_endpoints)
            .with(":event", &session.pending_event)
            .with(":creating", &SessionStatus::Creating)
            .with(":reserved", &activation.reserved_at);
        let set = "SET #status = :active, updatedAt = :now, kvsChannelArn = :channel, \
                   kvsStreamArn = :stream, kvsSignalingEndpoints = :endpoints, \
                   pendingEvent = :event";
        let as_reserved = "#status = :creating AND updatedAt = :reserved";
        let Some(claim) = activation.claim else {
            return self.update(&session.session_id, set, as_reserved, values).await;
        };
        let item = Self::write(&self.name, session.session_id.as_str(), set, as_reserved, values)?;
        let answer = self.answer(claim, session)?;
        let transaction =
            self.client.transact_write_items().transact_items(item).transact_items(answer);
        made(transaction.send().await)
    }

    async fn forestall(
        &self,
        session_id: &SessionId,
        reserved_at: u64,
        now: u64,
    ) -> Result<bool, Fault> {
        let values = Values::new()
            .with(":now", &now)
            .with(":creating", &SessionStatus::Creating)
            .with(":reserved", &reserved_at);
        let as_reserved = "#status = :creating AND updatedAt = :reserved";
        self.update(session_id, "SET updatedAt = :now", as_reserved, values).await
    }

    async fn discard(&self, session_id: &SessionId) -> Result<(), Fault> {
        let condition = "#status = :creating";
        let output = self
            .client
            .delete_item()
            .table_name(&self.name)
            .key(KEY, AttributeValue::S(session_id.to_string()))
            .condition_expression(condition)
            .set_expression_attribute_names(names(&[condition]))
            .expression_attribute_values(":creating", to_attribute(&SessionStatus::Creating))
            .send()
            .await;
        // Not `creating` any more: somebody else looks after it.
        held("DeleteItem", output).map(drop)
    }

    async fn change(&self, change: &Change<'_>) -> Result<bool, Fault> {
        let session = change.session;
        let values = Values::new()
            .with(":status", &session.status)
            .with(":source", &session.source_language)
            .with(":targets", &session.target_languages)
            .with(":tier", &session.quality_tier)
            .with(":version", &session.settings_version)
            .with(":now", &session.updated_at)
            .with(":active", &SessionStatus::Active)
            .with(":paused", &SessionStatus::Paused)
            .with(":speaker", &session.speaker_id)
            .with(":seen", &change.seen_at);
        let set = "SET #status = :status, sourceLanguage = :source, targetLanguages = :targets, \
                   qualityTier = :tier, settingsVersion = :version, updatedAt = :now";
        let as_seen =
            "speakerId = :speaker AND #status IN (:active, :paused) AND updatedAt = :seen";
        let id = session.session_id.as_str();
        let item = Self::write(&self.name, id, set, as_seen, values)?;

        let desired = if session.status == SessionStatus::Paused { "PAUSE" } else { "RUN" };
        let values = Values::new()
            .with(":settings", &session.settings())
            .with(":desired", &desired)
            .with(":stop", &"STOP");
        let set = "SET settings = :settings, #desired = :desired";
        // Nobody takes a stop back.
        let goes_on = "attribute_not_exists(#desired) OR #desired <> :stop";
        let told = Self::write(&self.streams, id, set, goes_on, values)?;
        let transaction =
            self.client.transact_write_items().transact_items(item).transact_items(told);
        made(transaction.send().await)
    }

    async fn end(&self, ending: &Ending<'_>) -> Result<bool, Fault> {
        let values = Values::new()
            .with(":ended", &SessionStatus::Ended)
            .with(":now", &ending.now)
            .with(":reason", &ending.reason)
            .with(":event", ending.pending_event)
            .with(":active", &SessionStatus::Active)
            .with(":paused", &SessionStatus::Paused)
            .with(":speaker", &ending.speaker_id);
        let set = "SET #status = :ended, updatedAt = :now, endedReason = :reason, \
                   pendingEvent = :event";
        let live_and_theirs = "speakerId = :speaker AND #status IN (:active, :paused)";
        self.update(ending.session_id, set, live_and_theirs, values).await
    }
}

impl PendingEvents for SessionsTable {
    async fn clear_pending_event(
        &self,
        session_id: &SessionId,
        event: &PendingEvent,
    ) -> Result<(), Fault> {
        // The detail holds the eventId, so no other event is taken for this one.
        let values = Values::new().with(":detail", &event.detail);
        let condition = "pendingEvent.detail = :detail";
        self.update(session_id, "REMOVE pendingEvent", condition, values).await.map(drop)
    }
}

/// Words that DynamoDB may reserve. An unused name is an error there, so each is named only where it is used.
const NAMED: [&str; 2] = ["status", "desired"];

fn names(expressions: &[&str]) -> Option<HashMap<String, String>> {
    let placeholder = |name: &str| format!("#{name}");
    let used = |name: &&str| expressions.iter().any(|text| text.contains(&placeholder(name)));
    let names: HashMap<_, _> =
        NAMED.into_iter().filter(used).map(|name| (placeholder(name), name.to_owned())).collect();
    (!names.is_empty()).then_some(names)
}

/// Whether a transaction was made.
fn made<T>(
    output: Result<T, SdkError<TransactWriteItemsError, HttpResponse>>,
) -> Result<bool, Fault> {
    match output {
        Ok(_) => Ok(true),
        Err(error) => cancellation(&reasons_of(&error)?),
    }
}

/// Why a transaction was cancelled, one reason for each of its writes.
fn reasons_of(
    error: &SdkError<TransactWriteItemsError, HttpResponse>,
) -> Result<Vec<CancellationReason>, Fault> {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            Ok(cancelled.cancellation_reasons().to_vec())
        }
        _ => Err(table_fault(TRANSACTION, error)),
    }
}

/// Why a transaction was not made: `false` when a condition did not hold, else a fault that passes, for
/// another write was under way or the table is busy.
fn cancellation(reasons: &[CancellationReason]) -> Result<bool, Fault> {
    let codes = || reasons.iter().filter_map(CancellationReason::code);
    if codes().any(|code| code == "ConditionalCheckFailed") {
        return Ok(false);
    }
    let passing = [
        "TransactionConflict",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "InternalServerError",
    ];
    let passes = codes().any(|code| passing.contains(&code));
    let kind = if passes { FaultKind::Throttled } else { FaultKind::Invalid };
    let codes: Vec<_> = codes().collect();
    Err(Fault::new(TRANSACTION, kind, format!("cancelled: {}", codes.join(", "))))
}

/// Values of an expression by their placeholders.
struct Values(HashMap<String, AttributeValue>);

impl Values {
    fn new() -> Self {
        Self(HashMap::new())
    }

    fn with(mut self, name: &str, value: &impl Serialize) -> Self {
        self.0.insert(name.to_owned(), to_attribute(value));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(codes: &[&str]) -> Vec<CancellationReason> {
        codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect()
    }

    #[test]
    fn a_cancelled_transaction_is_told_apart() {
        assert_eq!(cancellation(&reasons(&["None", "ConditionalCheckFailed"])), Ok(false));
        for code in ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"] {
            let fault = cancellation(&reasons(&[code, "None"])).unwrap_err();
            assert_eq!(fault.kind, FaultKind::Throttled, "{fault}");
        }
        let fault = cancellation(&reasons(&["ValidationError", "None"])).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Invalid);
    }

    #[test]
    fn only_the_names_in_use_are_named() {
        assert_eq!(names(&["SET updatedAt = :now"]), None);
        let used = names(&["SET #status = :a", "#status = :b"]).unwrap();
        assert_eq!(used, HashMap::from([("#status".to_owned(), "status".to_owned())]));
    }
}
