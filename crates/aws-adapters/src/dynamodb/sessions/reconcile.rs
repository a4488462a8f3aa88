//! The Sessions table as the index of the health check.

use session::reconcile::SessionsIndex;
use session::{EndedReason, PendingEvent, PortError, Session, SessionId, SessionStatus};

use super::super::attributes::Item;
use super::{KEY, SessionsTable, Values, table_error};

/// The index of sessions by status.
const INDEX: &str = "status-updatedAt-index";

/// Maximum number of sessions per status and health check.
const MAX_SESSIONS: usize = 2_000;

/// Condition: the item has not changed since it was read.
const AS_READ: &str = "#status = :was AND updatedAt = :seen";

fn as_read(session: &Session) -> Values {
    Values::new().with(":was", &session.status).with(":seen", &session.updated_at)
}

impl SessionsIndex for SessionsTable {
    async fn with_status(
        &self,
        status: SessionStatus,
        before_ms: u64,
        attribute: &str,
    ) -> Result<Vec<SessionId>, PortError> {
        let values = Values::new().with(":status", &status).with(":before", &before_ms);
        let mut ids = Vec::new();
        let mut from: Option<Item> = None;
        while ids.len() < MAX_SESSIONS {
            let output = self
                .table
                .client
                .query()
                .table_name(&self.table.name)
                .index_name(INDEX)
                .key_condition_expression("#status = :status AND updatedAt < :before")
                .filter_expression("attribute_exists(#attribute)")
                .expression_attribute_names("#attribute", attribute)
                .expression_attribute_names("#status", "status")
                .set_expression_attribute_values(Some(values.0.clone()))
                .set_exclusive_start_key(from.take())
                .send()
                .await
                .map_err(|error| table_error("Query", &error))?;
            let id = |item: &Item| item.get(KEY)?.as_s().ok()?.parse().ok();
            ids.extend(output.items().iter().filter_map(id));
            from = output.last_evaluated_key;
            if from.is_none() {
                break;
            }
        }
        Ok(ids)
    }

    async fn end_as_read(
        &self,
        session: &Session,
        reason: EndedReason,
        event: &PendingEvent,
        now_ms: u64,
    ) -> Result<bool, PortError> {
        let values = as_read(session)
            .with(":ended", &SessionStatus::Ended)
            .with(":reason", &reason)
            .with(":event", event)
            .with(":now", &now_ms);
        let set = "SET #status = :ended, endedReason = :reason, pendingEvent = :event, \
                   updatedAt = :now";
        self.update(&session.session_id, set, AS_READ, values).await
    }

    async fn claim(
        &self,
        session: &Session,
        until_ms: u64,
        now_ms: u64,
    ) -> Result<bool, PortError> {
        let values = as_read(session)
            .with(":cleaning", &SessionStatus::Cleaning)
            .with(":until", &until_ms)
            .with(":now", &now_ms);
        let set = "SET #status = :cleaning, claimUntil = :until, updatedAt = :now";
        self.update(&session.session_id, set, AS_READ, values).await
    }

    async fn mark_removed(
        &self,
        id: &SessionId,
        claimed_until: u64,
        remove_at: u64,
    ) -> Result<bool, PortError> {
        let values = Values::new()
            .with(":removed", &SessionStatus::Removed)
            .with(":at", &remove_at)
            .with(":until", &claimed_until);
        let set = "SET #status = :removed, removeAt = :at REMOVE claimUntil, kvsChannelArn, \
                   kvsStreamArn, kvsSignalingEndpoints";
        self.update(id, set, "claimUntil = :until", values).await
    }

    async fn delete_claimed(&self, id: &SessionId, claimed_until: u64) -> Result<(), PortError> {
        let values = Values::new().with(":until", &claimed_until);
        self.table.delete((KEY, id), "claimUntil = :until", values).await
    }
}
