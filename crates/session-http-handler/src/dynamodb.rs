//! The Sessions table: DynamoDB.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    config::{Builder, http::HttpResponse},
    error::{ProvideErrorMetadata, SdkError},
    types::AttributeValue,
};
use lambda_shell::aws::TraceHeader;
use serde::Serialize;
use session::{
    Fault, FaultKind, PendingEvent, Session, SessionId, SessionStatus,
    ports::{Activation, Ending, PendingEvents, Sessions},
};

mod attributes;
use attributes::{from_item, to_attribute, to_item};

use crate::sdk_fault;

/// The key of the table, and of most conditions.
const KEY: &str = "sessionId";

/// One table of DynamoDB.
#[derive(Clone, Debug)]
pub(crate) struct SessionsTable {
    client: Client,
    name: String,
}

impl SessionsTable {
    pub(crate) fn new(sdk: &SdkConfig, name: String) -> Self {
        let config = Builder::from(sdk).interceptor(TraceHeader).build();
        Self { client: Client::from_conf(config), name }
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
    async fn insert(&self, session: &Session) -> Result<bool, Fault> {
        let output = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(to_item("PutItem", session)?))
            .condition_expression("attribute_not_exists(sessionId)")
            .send()
            .await;
        held("PutItem", output)
    }

    async fn get(&self, session_id: &SessionId) -> Result<Option<Session>, Fault> {
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .key(KEY, AttributeValue::S(session_id.to_string()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("GetItem", &error))?;
        output.item.map(|item| from_item("GetItem", item)).transpose()
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
        self.update(&session.session_id, set, as_reserved, values).await
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

/// `status` is a reserved word of DynamoDB. An unused name is an error there, so it is named only
/// where it is used.
fn names(expressions: &[&str]) -> Option<HashMap<String, String>> {
    let used = expressions.iter().any(|expression| expression.contains("#status"));
    used.then(|| HashMap::from([("#status".to_owned(), "status".to_owned())]))
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

/// Whether the condition of a write held.
fn held<T, E>(
    operation: &'static str,
    output: Result<T, SdkError<E, HttpResponse>>,
) -> Result<bool, Fault>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match output {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
        Err(error) => Err(fault(operation, &error)),
    }
}

/// Here "not found" speaks of the table, which is our mistake.
fn fault<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let fault = sdk_fault::fault(operation, error);
    match fault.kind {
        FaultKind::NotFound => Fault { kind: FaultKind::Invalid, ..fault },
        _ => fault,
    }
}
