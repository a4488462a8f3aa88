//! The Streams table: lease, orders and checkpoint of each session.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure,
};
use relay::StoreError;
use relay::lease::{Desired, LeaseTable, Renewal, StreamItem};
use serde::Deserialize;
use session::{SessionId, Settings, StreamArn};

use super::{Item, from_json, store_error, to_json};

/// The table.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    client: Client,
    table: String,
}

/// What the health check reads besides the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamRecord {
    pub(crate) item: StreamItem,
    /// Wall clock of the last fragment, ms.
    pub(crate) last_activity_at: Option<u64>,
}

impl StreamRecord {
    /// Whether someone may be delivering at `now_ms`.
    pub(crate) fn live(&self, now_ms: u64, margin_ms: u64) -> bool {
        self.item.owner.is_some() && now_ms < self.item.lease_expires_at + margin_ms
    }
}

fn n(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

impl Streams {
    pub(crate) fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// The item with what the health check needs.
    pub(crate) async fn record(
        &self,
        session: &SessionId,
    ) -> Result<Option<StreamRecord>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).consistent_read(true);
        let output = get.key("sessionId", s(session.as_str())).send().await;
        output.map_err(store_error)?.item.as_ref().map(decode).transpose()
    }

    /// Lets the item of a cleaned session go at `expires_at` (Unix seconds): until then a replayed
    /// event finds that everything was delivered.
    pub(crate) async fn expire(
        &self,
        session: &SessionId,
        expires_at: u64,
    ) -> Result<(), StoreError> {
        let update = self
            .update(session)
            .update_expression("SET expiresAt = :at")
            .condition_expression("attribute_exists(sessionId)")
            .expression_attribute_values(":at", n(expires_at));
        conditional(update, |_| false).await.map(|_| ())
    }

    fn update(&self, session: &SessionId) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("sessionId", s(session.as_str()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(OnFailure::AllOld)
    }
}

impl LeaseTable for Streams {
    async fn load(&self, session: &SessionId) -> Result<Option<StreamItem>, StoreError> {
        Ok(self.record(session).await?.map(|record| record.item))
    }

    async fn take(
        &self,
        session: &SessionId,
        seen: &StreamItem,
        owner: &str,
        expires_at: u64,
    ) -> Result<Option<StreamItem>, StoreError> {
        let same_owner = match seen.owner {
            Some(_) => "#owner = :seen",
            None => "(attribute_not_exists(#owner) OR #owner = :seen)",
        };
        let update = self
            .update(session)
            .update_expression(
                "SET #owner = :me, epoch = :next, leaseExpiresAt = :expires, revision = :zero, \
                 #status = :running REMOVE successor",
            )
            .condition_expression(format!(
                "epoch = :epoch AND leaseExpiresAt = :lease AND {same_owner} \
                 AND (attribute_not_exists(#status) OR #status <> :ended)"
            ))
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":me", s(owner))
            .expression_attribute_values(":next", n(seen.epoch + 1))
            .expression_attribute_values(":expires", n(expires_at))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":running", s("RUNNING"))
            .expression_attribute_values(":ended", s("ENDED"))
            .expression_attribute_values(":epoch", n(seen.epoch))
            .expression_attribute_values(":lease", n(seen.lease_expires_at))
            .expression_attribute_values(":seen", s(seen.owner.as_deref().unwrap_or_default()));
        // A take whose answer was lost and that the SDK sent again finds itself.
        conditional(update, |old| {
            old.owner.as_deref() == Some(owner) && old.epoch == seen.epoch + 1
        })
        .await
    }

    async fn renew(
        &self,
        session: &SessionId,
        renewal: Renewal<'_>,
    ) -> Result<Option<StreamItem>, StoreError> {
        let activity = renewal.last_activity_at.map_or("", |_| ", lastActivityAt = :activity");
        let mut update = self
            .update(session)
            .update_expression(format!(
                "SET leaseExpiresAt = :expires, checkpoint = :checkpoint, revision = :revision, \
                 fragmentMillis = :fragment{activity}"
            ))
            .condition_expression("#owner = :me AND epoch = :epoch AND revision < :revision")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":me", s(renewal.owner))
            .expression_attribute_values(":epoch", n(renewal.epoch))
            .expression_attribute_values(":revision", n(renewal.revision))
            .expression_attribute_values(":expires", n(renewal.expires_at))
            .expression_attribute_values(":checkpoint", s(&renewal.checkpoint.to_json()))
            .expression_attribute_values(":fragment", n(renewal.fragment_millis));
        if let Some(at) = renewal.last_activity_at {
            update = update.expression_attribute_values(":activity", n(at));
        }
        conditional(update, |old| {
            old.owner.as_deref() == Some(renewal.owner) && old.epoch == renewal.epoch
        })
        .await
    }

    async fn release(
        &self,
        session: &SessionId,
        renewal: Renewal<'_>,
        ended: bool,
    ) -> Result<Option<()>, StoreError> {
        let update = self
            .update(session)
            .update_expression(
                "SET checkpoint = :checkpoint, revision = :revision, #status = :status \
                 REMOVE #owner",
            )
            .condition_expression("#owner = :me AND epoch = :epoch")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":me", s(renewal.owner))
            .expression_attribute_values(":epoch", n(renewal.epoch))
            .expression_attribute_values(":revision", n(renewal.revision))
            .expression_attribute_values(":checkpoint", s(&renewal.checkpoint.to_json()))
            .expression_attribute_values(":status", s(if ended { "ENDED" } else { "RUNNING" }));
        let released = conditional(update, |old| old.owner.is_none() && old.epoch == renewal.epoch);
        Ok(released.await?.map(|_| ()))
    }

    async fn announce(
        &self,
        session: &SessionId,
        epoch: u64,
        successor: &str,
    ) -> Result<Option<()>, StoreError> {
        let update = self
            .update(session)
            .update_expression("SET successor = :successor")
            .condition_expression("epoch = :epoch AND attribute_exists(#owner)")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":successor", s(successor))
            .expression_attribute_values(":epoch", n(epoch));
        Ok(conditional(update, |_| false).await?.map(|_| ()))
    }

    async fn request_run(
        &self,
        session: &SessionId,
        stream: Option<&StreamArn>,
        settings: Option<&Settings>,
    ) -> Result<StreamItem, StoreError> {
        let mut expression = "SET #desired = if_not_exists(#desired, :run), \
             epoch = if_not_exists(epoch, :zero), \
             leaseExpiresAt = if_not_exists(leaseExpiresAt, :zero)"
            .to_owned();
        let mut update = self
            .update(session)
            .expression_attribute_names("#desired", "desired")
            .expression_attribute_values(":run", s("RUN"))
            .expression_attribute_values(":zero", n(0));
        if let Some(stream) = stream {
            expression += ", streamArn = if_not_exists(streamArn, :stream)";
            update = update.expression_attribute_values(":stream", s(stream.as_str()));
        }
        if let Some(settings) = settings {
            expression += ", settings = if_not_exists(settings, :settings)";
            let settings = from_json(&serde_json::json!(settings));
            update = update.expression_attribute_values(":settings", settings);
        }
        unconditional(update.update_expression(expression)).await
    }

    async fn request_stop(
        &self,
        session: &SessionId,
        stop_at: u64,
    ) -> Result<StreamItem, StoreError> {
        let update = self
            .update(session)
            .update_expression(
                "SET #desired = :stop, stopAt = if_not_exists(stopAt, :now), \
                 epoch = if_not_exists(epoch, :zero), \
                 leaseExpiresAt = if_not_exists(leaseExpiresAt, :zero)",
            )
            .expression_attribute_names("#desired", "desired")
            .expression_attribute_values(":stop", s("STOP"))
            .expression_attribute_values(":now", n(stop_at))
            .expression_attribute_values(":zero", n(0));
        unconditional(update).await
    }
}

async fn unconditional(update: UpdateItemFluentBuilder) -> Result<StreamItem, StoreError> {
    let item = update.send().await.map_err(store_error)?.attributes.unwrap_or_default();
    Ok(decode(&item)?.item)
}

/// Sends a conditional write. A failed condition whose stored item shows that this very write was
/// applied before (`applied`) counts as success.
async fn conditional(
    update: UpdateItemFluentBuilder,
    applied: impl Fn(&StreamItem) -> bool,
) -> Result<Option<StreamItem>, StoreError> {
    match update.send().await {
        Ok(output) => Ok(Some(decode(&output.attributes.unwrap_or_default())?.item)),
        Err(SdkError::ServiceError(error))
            if error.err().is_conditional_check_failed_exception() =>
        {
            let UpdateItemError::ConditionalCheckFailedException(failed) = error.err() else {
                return Ok(None);
            };
            let old = failed.item.as_ref().map(decode).transpose()?.map(|record| record.item);
            Ok(old.filter(applied))
        }
        Err(error) => Err(store_error(error)),
    }
}

/// The attributes as they stand.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    owner: Option<String>,
    #[serde(default)]
    epoch: u64,
    #[serde(default)]
    lease_expires_at: u64,
    #[serde(default)]
    desired: Desired,
    stop_at: Option<u64>,
    settings: Option<Settings>,
    successor: Option<String>,
    status: Option<String>,
    checkpoint: Option<String>,
    stream_arn: Option<StreamArn>,
    last_activity_at: Option<u64>,
}

fn decode(item: &Item) -> Result<StreamRecord, StoreError> {
    let attributes: Attributes = serde_json::from_value(to_json(item)).map_err(|error| {
        StoreError { message: format!("malformed Streams item: {error}"), retryable: false }
    })?;
    let named = |text: Option<String>| text.filter(|text| !text.is_empty());
    let item = StreamItem {
        owner: named(attributes.owner),
        epoch: attributes.epoch,
        lease_expires_at: attributes.lease_expires_at,
        desired: attributes.desired,
        stop_at: attributes.stop_at,
        settings: attributes.settings,
        successor: named(attributes.successor),
        ended: attributes.status.as_deref() == Some("ENDED"),
        checkpoint: attributes.checkpoint,
        stream_arn: attributes.stream_arn,
    };
    Ok(StreamRecord { item, last_activity_at: attributes.last_activity_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_with_only_its_key_is_free_and_wanted() {
        let item = Item::from([("sessionId".to_owned(), s("a-b-1"))]);
        let record = decode(&item).unwrap();
        assert_eq!(record.item.owner, None);
        assert_eq!((record.item.epoch, record.item.desired), (0, Desired::Run));
        assert!(!record.live(0, 0));
    }

    #[test]
    fn an_empty_owner_is_none_and_a_channel_in_the_streams_place_refused() {
        let item = Item::from([("owner".to_owned(), s("")), ("epoch".to_owned(), n(4))]);
        assert_eq!(decode(&item).unwrap().item.owner, None);
        let channel = s("arn:aws:kinesisvideo:us-east-1:1:channel/x/1");
        assert!(decode(&Item::from([("streamArn".to_owned(), channel)])).is_err());
    }
}
