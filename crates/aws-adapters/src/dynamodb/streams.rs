//! The Streams table: lease, desired state and checkpoint of each session.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure};
use relay::lease_table::{LeaseTable, Renewal};
use session::{
    Desired, ErrorKind, PortError, SessionId, Settings, StreamArn, StreamItem, StreamStatus,
    reconcile,
};

use super::attributes::{Item, from_item};
use super::{DynamoDb, KEY, UPDATE, Values, names, text, unmet};
use crate::sdk_error::table_error;

const GET: &str = "GetItem";

/// The Streams table.
#[derive(Debug, Clone)]
pub struct StreamsTable {
    client: Client,
    name: String,
}

/// An UpdateItem call: its expression, its condition if any, and the values of both.
struct Update {
    expression: String,
    condition: Option<String>,
    values: Values,
}

/// Outcome of an [`Update`].
enum Written {
    /// The item after the update.
    Applied(StreamItem),
    /// The condition was not met. Contains the item, if it exists.
    Unmet(Option<StreamItem>),
}

impl StreamsTable {
    /// Creates a client of the table with this name.
    pub fn new(dynamodb: &DynamoDb, name: String) -> Self {
        Self { client: dynamodb.0.clone(), name }
    }

    async fn send(&self, session: &SessionId, update: Update) -> Result<Written, PortError> {
        let Update { expression, condition, values } = update;
        let output = self
            .client
            .update_item()
            .table_name(&self.name)
            .key(KEY, text(session))
            .set_expression_attribute_names(names(&[
                &expression,
                condition.as_deref().unwrap_or_default(),
            ]))
            .set_expression_attribute_values(Some(values.0))
            .update_expression(expression)
            .set_condition_expression(condition)
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(OnFailure::AllOld)
            .send()
            .await;
        match output {
            Ok(output) => {
                decode(UPDATE, output.attributes.unwrap_or_default()).map(Written::Applied)
            }
            Err(error) => {
                let stored = unmet(&error)?.map(|item| decode(UPDATE, item));
                stored.transpose().map(Written::Unmet)
            }
        }
    }

    async fn unconditional(
        &self,
        session: &SessionId,
        expression: String,
        values: Values,
    ) -> Result<StreamItem, PortError> {
        match self.send(session, Update { expression, condition: None, values }).await? {
            Written::Applied(item) => Ok(item),
            Written::Unmet(_) => {
                Err(PortError::new(UPDATE, ErrorKind::Invalid, "unmet, without a condition"))
            }
        }
    }

    /// Sends a conditional write. A failed condition counts as success if `applied` returns `true`
    /// for the stored item: this write, or a later one of the same holder, was applied before.
    async fn conditional(
        &self,
        session: &SessionId,
        update: Update,
        applied: impl Fn(&StreamItem) -> bool,
    ) -> Result<Option<StreamItem>, PortError> {
        Ok(match self.send(session, update).await? {
            Written::Applied(item) => Some(item),
            Written::Unmet(stored) => stored.filter(applied),
        })
    }
}

impl reconcile::Streams for StreamsTable {
    async fn load(&self, session: &SessionId) -> Result<Option<StreamItem>, PortError> {
        let get = self.client.get_item().table_name(&self.name).consistent_read(true);
        let output = get.key(KEY, text(session)).send().await;
        let item = output.map_err(|error| table_error(GET, &error))?.item;
        item.map(|item| decode(GET, item)).transpose()
    }

    async fn expire(&self, session: &SessionId, expires_at: u64) -> Result<(), PortError> {
        let update = Update {
            expression: "SET expiresAt = :at".to_owned(),
            condition: Some("attribute_exists(sessionId)".to_owned()),
            values: Values::new().with(":at", &expires_at),
        };
        self.conditional(session, update, |_| false).await.map(drop)
    }
}

impl LeaseTable for StreamsTable {
    async fn load(&self, session: &SessionId) -> Result<Option<StreamItem>, PortError> {
        reconcile::Streams::load(self, session).await
    }

    async fn take(
        &self,
        session: &SessionId,
        seen: &StreamItem,
        owner: &str,
        expires_at: u64,
    ) -> Result<Option<StreamItem>, PortError> {
        let same_owner = match seen.owner {
            Some(_) => "#owner = :seen",
            None => "(attribute_not_exists(#owner) OR #owner = :seen)",
        };
        let update = Update {
            expression: "SET #owner = :me, epoch = :next, leaseExpiresAt = :expires, \
                         revision = :zero, #status = :running REMOVE successor"
                .to_owned(),
            condition: Some(format!(
                "epoch = :epoch AND leaseExpiresAt = :lease AND {same_owner} \
                 AND (attribute_not_exists(#status) OR #status <> :ended)"
            )),
            values: Values::new()
                .with(":me", &owner)
                .with(":next", &(seen.epoch + 1))
                .with(":expires", &expires_at)
                .with(":zero", &0)
                .with(":running", &StreamStatus::Running)
                .with(":ended", &StreamStatus::Ended)
                .with(":epoch", &seen.epoch)
                .with(":lease", &seen.lease_expires_at)
                .with(":seen", &seen.owner.as_deref().unwrap_or_default()),
        };
        // If only the response was lost, the SDK's retry fails the condition, and the stored item
        // has this owner and epoch.
        self.conditional(session, update, |stored| {
            stored.owner.as_deref() == Some(owner) && stored.epoch == seen.epoch + 1
        })
        .await
    }

    async fn renew(
        &self,
        session: &SessionId,
        renewal: Renewal<'_>,
    ) -> Result<Option<StreamItem>, PortError> {
        let mut expression = "SET leaseExpiresAt = :expires, checkpoint = :checkpoint, \
                              revision = :revision"
            .to_owned();
        let mut values = Values::new()
            .with(":me", &renewal.owner)
            .with(":epoch", &renewal.epoch)
            .with(":revision", &renewal.revision)
            .with(":expires", &renewal.expires_at)
            .with(":checkpoint", &renewal.checkpoint.to_json());
        if let Some(at) = renewal.last_activity_at {
            expression += ", lastActivityAt = :activity";
            values = values.with(":activity", &at);
        }
        let condition = "#owner = :me AND epoch = :epoch AND revision < :revision".to_owned();
        let update = Update { expression, condition: Some(condition), values };
        self.conditional(session, update, |stored| {
            stored.owner.as_deref() == Some(renewal.owner) && stored.epoch == renewal.epoch
        })
        .await
    }

    async fn release(
        &self,
        session: &SessionId,
        renewal: Renewal<'_>,
        ended: bool,
    ) -> Result<Option<()>, PortError> {
        let status = if ended { StreamStatus::Ended } else { StreamStatus::Running };
        let update = Update {
            expression: "SET checkpoint = :checkpoint, revision = :revision, #status = :status \
                         REMOVE #owner"
                .to_owned(),
            condition: Some("#owner = :me AND epoch = :epoch".to_owned()),
            values: Values::new()
                .with(":me", &renewal.owner)
                .with(":epoch", &renewal.epoch)
                .with(":revision", &renewal.revision)
                .with(":checkpoint", &renewal.checkpoint.to_json())
                .with(":status", &status),
        };
        let released = self.conditional(session, update, |stored| {
            stored.owner.is_none() && stored.epoch == renewal.epoch
        });
        Ok(released.await?.map(drop))
    }

    async fn announce(
        &self,
        session: &SessionId,
        epoch: u64,
        successor: &str,
    ) -> Result<Option<()>, PortError> {
        let update = Update {
            expression: "SET successor = :successor".to_owned(),
            condition: Some("epoch = :epoch AND attribute_exists(#owner)".to_owned()),
            values: Values::new().with(":successor", &successor).with(":epoch", &epoch),
        };
        Ok(self.conditional(session, update, |_| false).await?.map(drop))
    }

    async fn request_run(
        &self,
        session: &SessionId,
        stream: Option<&StreamArn>,
        settings: Option<&Settings>,
    ) -> Result<StreamItem, PortError> {
        let mut expression = "SET #desired = if_not_exists(#desired, :run), \
             epoch = if_not_exists(epoch, :zero), \
             leaseExpiresAt = if_not_exists(leaseExpiresAt, :zero)"
            .to_owned();
        let mut values = Values::new().with(":run", &Desired::Run).with(":zero", &0);
        if let Some(stream) = stream {
            expression += ", streamArn = if_not_exists(streamArn, :stream)";
            values = values.with(":stream", stream);
        }
        if let Some(settings) = settings {
            expression += ", settings = if_not_exists(settings, :settings)";
            values = values.with(":settings", settings);
        }
        self.unconditional(session, expression, values).await
    }

    async fn request_stop(
        &self,
        session: &SessionId,
        stop_at: u64,
    ) -> Result<StreamItem, PortError> {
        let expression = "SET #desired = :stop, stopAt = if_not_exists(stopAt, :now), \
             epoch = if_not_exists(epoch, :zero), \
             leaseExpiresAt = if_not_exists(leaseExpiresAt, :zero)"
            .to_owned();
        let values =
            Values::new().with(":stop", &Desired::Stop).with(":now", &stop_at).with(":zero", &0);
        self.unconditional(session, expression, values).await
    }
}

fn decode(operation: &'static str, item: Item) -> Result<StreamItem, PortError> {
    from_item(operation, item)
}
