//! The Sessions table. A change of settings is written to Streams in the same transaction.

use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{CancellationReason, ReturnValue, TransactWriteItem, Update},
};
use session::{
    Desired, ErrorKind, PendingEvent, PortError, Session, SessionId, SessionStatus,
    ports::{Activation, Change, PendingEvents, SessionEnd, SessionLookup, Sessions},
};

use super::table::{self, KEY, Table, Written};
use super::{DynamoDb, Values, names, text};
use crate::sdk_error::table_error;

mod reconcile;
mod reservation;
mod warm_pairs;

const TRANSACTION: &str = "TransactWriteItems";

/// The Sessions table.
#[derive(Clone, Debug)]
pub struct SessionsTable {
    table: Table,
    /// Name of the Streams table, from which consumers read their settings.
    streams: String,
}

impl SessionsTable {
    /// Creates a client of the tables with these names.
    pub fn new(dynamodb: &DynamoDb, name: String, streams: String) -> Self {
        Self { table: Table::new(dynamodb, name), streams }
    }

    /// Creates a conditional update of a transaction.
    fn write(
        table: &str,
        key: &str,
        expression: &str,
        condition: &str,
        values: Values,
    ) -> Result<TransactWriteItem, PortError> {
        let update = Update::builder()
            .table_name(table)
            .key(KEY, text(key))
            .update_expression(expression)
            .condition_expression(condition)
            .set_expression_attribute_names(names(&[expression, condition]))
            .set_expression_attribute_values(Some(values.0))
            .build()
            .map_err(|error| PortError::new(TRANSACTION, ErrorKind::Invalid, error.to_string()))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Updates an item. Returns `false` if the condition is not met.
    async fn update(
        &self,
        session_id: &SessionId,
        expression: &str,
        condition: &str,
        values: Values,
    ) -> Result<bool, PortError> {
        let update = table::Update { expression, condition: Some(condition), values };
        let written = self.table.update(session_id, update, ReturnValue::None).await?;
        Ok(matches!(written, Written::Applied(_)))
    }
}

impl SessionLookup for SessionsTable {
    async fn get(&self, session_id: &SessionId) -> Result<Option<Session>, PortError> {
        self.table.get(session_id).await
    }
}

impl Sessions for SessionsTable {
    async fn activate(&self, activation: &Activation<'_>) -> Result<bool, PortError> {
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
        let item =
            Self::write(&self.table.name, session.session_id.as_str(), set, as_reserved, values)?;
        let answer = self.record_response(claim, session)?;
        let transaction =
            self.table.client.transact_write_items().transact_items(item).transact_items(answer);
        committed(transaction.send().await)
    }

    async fn change(&self, change: &Change<'_>) -> Result<bool, PortError> {
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
        let item = Self::write(&self.table.name, id, set, as_seen, values)?;

        let paused = session.status == SessionStatus::Paused;
        let desired = if paused { Desired::Pause } else { Desired::Run };
        let values = Values::new()
            .with(":settings", &session.settings())
            .with(":desired", &desired)
            .with(":paused", &paused.then_some(session.settings_version))
            .with(":stop", &Desired::Stop);
        let set = "SET settings = :settings, #desired = :desired, pausedVersion = :paused";
        // A stop is final.
        let not_stopped = "attribute_not_exists(#desired) OR #desired <> :stop";
        let settings = Self::write(&self.streams, id, set, not_stopped, values)?;
        let transaction =
            self.table.client.transact_write_items().transact_items(item).transact_items(settings);
        committed(transaction.send().await)
    }

    async fn end(&self, ending: &SessionEnd<'_>) -> Result<bool, PortError> {
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
        let as_live = "speakerId = :speaker AND #status IN (:active, :paused)";
        self.update(ending.session_id, set, as_live, values).await
    }
}

impl PendingEvents for SessionsTable {
    async fn clear_pending_event(
        &self,
        session_id: &SessionId,
        event: &PendingEvent,
    ) -> Result<(), PortError> {
        // The detail contains the eventId, so it identifies one event.
        let values = Values::new().with(":detail", &event.detail);
        let condition = "pendingEvent.detail = :detail";
        self.update(session_id, "REMOVE pendingEvent", condition, values).await.map(drop)
    }
}

/// Returns whether a transaction was committed.
fn committed<T>(
    output: Result<T, SdkError<TransactWriteItemsError, HttpResponse>>,
) -> Result<bool, PortError> {
    match output {
        Ok(_) => Ok(true),
        Err(error) => cancellation(&reasons_of(&error)?),
    }
}

/// Returns the cancellation reasons of a transaction, one for each of its writes.
fn reasons_of(
    error: &SdkError<TransactWriteItemsError, HttpResponse>,
) -> Result<Vec<CancellationReason>, PortError> {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            Ok(cancelled.cancellation_reasons().to_vec())
        }
        _ => Err(table_error(TRANSACTION, error)),
    }
}

/// Returns `false` if a condition was not met, else an error, which is retryable if another write
/// was in progress or the table is throttled.
fn cancellation(reasons: &[CancellationReason]) -> Result<bool, PortError> {
    let codes = || reasons.iter().filter_map(CancellationReason::code);
    if codes().any(|code| code == "ConditionalCheckFailed") {
        return Ok(false);
    }
    let transient = [
        "TransactionConflict",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "InternalServerError",
    ];
    let is_transient = codes().any(|code| transient.contains(&code));
    let kind = if is_transient { ErrorKind::Throttled } else { ErrorKind::Invalid };
    let codes: Vec<_> = codes().collect();
    Err(PortError::new(TRANSACTION, kind, format!("cancelled: {}", codes.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(codes: &[&str]) -> Vec<CancellationReason> {
        codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect()
    }

    #[test]
    fn the_reasons_of_a_cancellation_determine_its_error() {
        assert_eq!(cancellation(&reasons(&["None", "ConditionalCheckFailed"])), Ok(false));
        for code in ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"] {
            let error = cancellation(&reasons(&[code, "None"])).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Throttled, "{error}");
        }
        let error = cancellation(&reasons(&["ValidationError", "None"])).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
    }
}
