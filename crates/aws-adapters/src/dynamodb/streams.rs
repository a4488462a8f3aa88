//! The Streams table: lease, desired state and checkpoint of each session.

use aws_sdk_dynamodb::types::ReturnValue;
use relay::lease_table::{LeaseTable, Renewal};
use session::{
    Desired, ErrorKind, PortError, SessionId, Settings, StreamArn, StreamItem, StreamStatus,
    reconcile,
};

use super::attributes::from_item;
use super::table::{Table, UPDATE, Update, Written};
use super::{DynamoDb, Values};

/// The Streams table.
#[derive(Debug, Clone)]
pub struct StreamsTable(Table);

impl StreamsTable {
    /// Creates a client of the table with this name.
    pub fn new(dynamodb: &DynamoDb, name: String) -> Self {
        Self(Table::new(dynamodb, name))
    }

    async fn unconditional(
        &self,
        session: &SessionId,
        expression: &str,
        values: Values,
    ) -> Result<StreamItem, PortError> {
        let update = Update { expression, condition: None, values };
        let written = self.write(session, update, |_| false).await?;
        let unmet = || PortError::new(UPDATE, ErrorKind::Invalid, "unmet, without a condition");
        written.ok_or_else(unmet)
    }

    /// Sends a write and returns the item after it, or `None` if the condition is not met. A failed
    /// condition counts as success if `applied` returns `true` for the stored item: this write, or
    /// a later one of the same holder, was applied before.
    async fn write(
        &self,
        session: &SessionId,
        update: Update<'_>,
        applied: impl Fn(&StreamItem) -> bool,
    ) -> Result<Option<StreamItem>, PortError> {
        match self.0.update(session, update, ReturnValue::AllNew).await? {
            Written::Applied(item) => from_item(UPDATE, item).map(Some),
            Written::Unmet(None) => Ok(None),
            Written::Unmet(Some(item)) => Ok(Some(from_item(UPDATE, item)?).filter(applied)),
        }
    }
}

impl reconcile::Streams for StreamsTable {
    async fn load(&self, session: &SessionId) -> Result<Option<StreamItem>, PortError> {
        self.0.get(session).await
    }

    async fn expire(&self, session: &SessionId, expires_at: u64) -> Result<(), PortError> {
        let update = Update {
            expression: "SET expiresAt = :at",
            condition: Some("attribute_exists(sessionId)"),
            values: Values::new().with(":at", &expires_at),
        };
        self.write(session, update, |_| false).await.map(drop)
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
        let condition = format!(
            "epoch = :epoch AND leaseExpiresAt = :lease AND {same_owner} \
             AND (attribute_not_exists(#status) OR #status <> :ended)"
        );
        let update = Update {
            expression: "SET #owner = :me, epoch = :next, leaseExpiresAt = :expires, \
                         revision = :zero, #status = :running REMOVE successor",
            condition: Some(&condition),
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
        self.write(session, update, |stored| {
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
        let condition = "#owner = :me AND epoch = :epoch AND revision < :revision";
        let update = Update { expression: &expression, condition: Some(condition), values };
        self.write(session, update, |stored| {
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
                         REMOVE #owner",
            condition: Some("#owner = :me AND epoch = :epoch"),
            values: Values::new()
                .with(":me", &renewal.owner)
                .with(":epoch", &renewal.epoch)
                .with(":revision", &renewal.revision)
                .with(":checkpoint", &renewal.checkpoint.to_json())
                .with(":status", &status),
        };
        let released = self.write(session, update, |stored| {
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
            expression: "SET successor = :successor",
            condition: Some("epoch = :epoch AND attribute_exists(#owner)"),
            values: Values::new().with(":successor", &successor).with(":epoch", &epoch),
        };
        Ok(self.write(session, update, |_| false).await?.map(drop))
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
        self.unconditional(session, &expression, values).await
    }

    async fn request_stop(
        &self,
        session: &SessionId,
        stop_at: u64,
    ) -> Result<StreamItem, PortError> {
        let expression = "SET #desired = :stop, stopAt = if_not_exists(stopAt, :now), \
             epoch = if_not_exists(epoch, :zero), \
             leaseExpiresAt = if_not_exists(leaseExpiresAt, :zero)";
        let values =
            Values::new().with(":stop", &Desired::Stop).with(":now", &stop_at).with(":zero", &0);
        self.unconditional(session, expression, values).await
    }
}
