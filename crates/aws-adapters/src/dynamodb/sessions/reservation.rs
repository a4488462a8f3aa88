//! Reservations: the session's item and, in the same table, the speaker's session slots and the
//! record of the request. The warm pair that a session takes is deleted in the same transaction.
//!
//! | key | attributes |
//! |---|---|
//! | `speaker#{sub}` | `sessions`: a set of ids, at most `MAX_ACTIVE_SESSIONS` of them |
//! | `request#{length}#{sub}#{Idempotency-Key}` | as [`IdempotencyRecord`] |
//!
//! Neither key is a valid session id, and neither item has a status. The table's time to live
//! deletes both.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Put, ReturnValue, TransactWriteItem,
};
use session::{
    ErrorKind, IdempotencyClaim, IdempotencyRecord, PortError, RequestId, Session, SessionId,
    SessionStatus,
    ports::{Reservation, ReservationOutcome, Reservations},
};

use super::super::attributes::{to_attribute, to_item};
use super::super::table::Update;
use super::{KEY, SessionsTable, TRANSACTION, Values, cancellation, reasons_of, text};

/// Time to live of a speaker's slots after the last reservation, s: a day longer than the longest
/// session (`MAX_SESSION_HOURS`, at most 168 h).
const SLOTS_SECONDS: u64 = 8 * 24 * 60 * 60;

/// Condition: the request's record still belongs to the session.
const SAME_SESSION: &str = "forSession = :session";

fn slots_key(speaker_id: &str) -> String {
    format!("speaker#{speaker_id}")
}

impl Reservations for SessionsTable {
    async fn reserve(
        &self,
        reservation: &Reservation<'_>,
    ) -> Result<ReservationOutcome, PortError> {
        let id = &reservation.session.session_id;
        let mut writes = vec![
            (ReservationOutcome::IdTaken, self.new_item(reservation.session)?),
            (ReservationOutcome::QuotaReached, self.slot(reservation)?),
        ];
        if let Some(claim) = reservation.claim {
            writes.push((ReservationOutcome::KeyInUse, self.request_record(claim, id)?));
        }
        if let Some(pair) = reservation.pair {
            writes.push((ReservationOutcome::PairTaken, self.taken_pair(pair)?));
        }
        let (outcomes, items): (Vec<_>, Vec<_>) = writes.into_iter().unzip();
        let client = &self.table.client;
        let transaction = client.transact_write_items().set_transact_items(Some(items));
        match transaction.send().await {
            Ok(_) => Ok(ReservationOutcome::Reserved),
            Err(error) => rejection(&outcomes, &reasons_of(&error)?),
        }
    }

    async fn fence_reservation(
        &self,
        session_id: &SessionId,
        reserved_at: u64,
        now: u64,
    ) -> Result<bool, PortError> {
        let values = Values::new()
            .with(":now", &now)
            .with(":creating", &SessionStatus::Creating)
            .with(":reserved", &reserved_at);
        let as_reserved = "#status = :creating AND updatedAt = :reserved";
        self.update(session_id, "SET updatedAt = :now", as_reserved, values).await
    }

    async fn delete_reservation(&self, session_id: &SessionId) -> Result<(), PortError> {
        // If it is no longer `creating`, another invocation owns it.
        let values = Values::new().with(":creating", &SessionStatus::Creating);
        self.table.delete((KEY, session_id), "#status = :creating", values).await
    }

    async fn session_slots(&self, speaker_id: &str) -> Result<Vec<SessionId>, PortError> {
        #[derive(serde::Deserialize)]
        struct Slots {
            #[serde(default)]
            sessions: Vec<SessionId>,
        }
        let slots: Option<Slots> = self.table.get(slots_key(speaker_id)).await?;
        Ok(slots.map(|slots| slots.sessions).unwrap_or_default())
    }

    async fn release_slots(
        &self,
        speaker_id: &str,
        sessions: &[SessionId],
    ) -> Result<(), PortError> {
        let values = Values(HashMap::from([(":released".to_owned(), set(sessions))]));
        let update = Update { expression: "DELETE sessions :released", condition: None, values };
        self.table.update(slots_key(speaker_id), update, ReturnValue::None).await.map(drop)
    }

    async fn idempotency_record(
        &self,
        request: &RequestId,
    ) -> Result<Option<IdempotencyRecord>, PortError> {
        self.table.get(request).await
    }

    async fn delete_idempotency_record(
        &self,
        request: &RequestId,
        session_id: &SessionId,
    ) -> Result<(), PortError> {
        // A record of another session, or with a response, is kept.
        let condition = format!("{SAME_SESSION} AND attribute_not_exists(answer)");
        let values = Values::new().with(":session", session_id);
        self.table.delete((KEY, request), &condition, values).await
    }
}

impl SessionsTable {
    fn new_item(&self, session: &Session) -> Result<TransactWriteItem, PortError> {
        let put = Put::builder()
            .table_name(&self.table.name)
            .set_item(Some(to_item(TRANSACTION, session)?))
            .condition_expression("attribute_not_exists(sessionId)");
        built(put.build()).map(|put| TransactWriteItem::builder().put(put).build())
    }

    fn slot(&self, reservation: &Reservation<'_>) -> Result<TransactWriteItem, PortError> {
        let session = reservation.session;
        let mut values = Values::new()
            .with(":max", &reservation.max_sessions)
            .with(":removeAt", &(session.created_at / 1000 + SLOTS_SECONDS));
        values.0.insert(":session".to_owned(), set(std::slice::from_ref(&session.session_id)));
        let key = slots_key(&session.speaker_id);
        let add = "SET removeAt = :removeAt ADD sessions :session";
        let below_limit = "attribute_not_exists(sessions) OR size(sessions) < :max";
        Self::write(&self.table.name, &key, add, below_limit, values)
    }

    fn request_record(
        &self,
        claim: &IdempotencyClaim,
        session_id: &SessionId,
    ) -> Result<TransactWriteItem, PortError> {
        let mut item = to_item(TRANSACTION, &IdempotencyRecord::new(claim, session_id))?;
        item.insert(KEY.to_owned(), text(&claim.id));
        let put = Put::builder().table_name(&self.table.name).set_item(Some(item));
        let put = match &claim.supersedes {
            None => put.condition_expression("attribute_not_exists(sessionId)"),
            Some(superseded) => put
                .condition_expression(format!(
                    "attribute_not_exists(sessionId) OR ({SAME_SESSION} AND \
                     (attribute_not_exists(answer) OR removeAt <= :now))"
                ))
                .expression_attribute_values(":session", to_attribute(superseded))
                .expression_attribute_values(":now", to_attribute(&claim.now)),
        };
        built(put.build()).map(|put| TransactWriteItem::builder().put(put).build())
    }

    /// Writes the session as the response to its request.
    pub(super) fn record_response(
        &self,
        claim: &IdempotencyClaim,
        session: &Session,
    ) -> Result<TransactWriteItem, PortError> {
        let answer = Session { pending_event: None, ..session.clone() };
        let values = Values::new().with(":session", &session.session_id).with(":answer", &answer);
        Self::write(
            &self.table.name,
            claim.id.as_str(),
            "SET answer = :answer",
            SAME_SESSION,
            values,
        )
    }
}

fn set(sessions: &[SessionId]) -> AttributeValue {
    AttributeValue::Ss(sessions.iter().map(ToString::to_string).collect())
}

fn built<T>(result: Result<T, aws_sdk_dynamodb::error::BuildError>) -> Result<T, PortError> {
    result.map_err(|error| PortError::new(TRANSACTION, ErrorKind::Invalid, error.to_string()))
}

/// Returns why a reservation was cancelled; `outcomes` has the meaning of each write's condition. A
/// used key takes precedence, because the response to a repeated request needs neither an id nor a
/// slot.
fn rejection(
    outcomes: &[ReservationOutcome],
    reasons: &[CancellationReason],
) -> Result<ReservationOutcome, PortError> {
    let has_code = |outcome, wanted| {
        let mut writes = outcomes.iter().zip(reasons);
        writes.any(|(write, reason)| *write == outcome && reason.code() == Some(wanted))
    };
    for outcome in [
        ReservationOutcome::KeyInUse,
        ReservationOutcome::IdTaken,
        ReservationOutcome::QuotaReached,
        ReservationOutcome::PairTaken,
    ] {
        if has_code(outcome, "ConditionalCheckFailed") {
            return Ok(outcome);
        }
    }
    // Another request is taking the pair, or the health check is changing it.
    if has_code(ReservationOutcome::PairTaken, "TransactionConflict") {
        return Ok(ReservationOutcome::PairTaken);
    }
    cancellation(reasons).and_then(|_| {
        let message = "cancelled without a reason";
        Err(PortError::new(TRANSACTION, ErrorKind::Unavailable, message))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use session::ports::ReservationOutcome::{IdTaken, KeyInUse, PairTaken, QuotaReached};

    const FAILED: &str = "ConditionalCheckFailed";

    fn rejected(codes: &[&str]) -> Result<ReservationOutcome, PortError> {
        let reason = |code: &&str| CancellationReason::builder().code(*code).build();
        let reasons: Vec<_> = codes.iter().map(reason).collect();
        rejection(&[IdTaken, QuotaReached, KeyInUse, PairTaken], &reasons)
    }

    #[test]
    fn a_used_key_precedes_a_taken_id_and_that_precedes_the_quota() {
        assert_eq!(rejected(&[FAILED, FAILED, FAILED, FAILED]), Ok(KeyInUse));
        assert_eq!(rejected(&[FAILED, FAILED]), Ok(IdTaken));
        assert_eq!(rejected(&["None", FAILED, "None", FAILED]), Ok(QuotaReached));
        let busy = rejected(&["TransactionConflict", "None"]).unwrap_err();
        assert_eq!(busy.kind, ErrorKind::Throttled);
    }

    #[test]
    fn a_pair_that_another_request_takes_is_taken() {
        assert_eq!(rejected(&["None", "None", "None", FAILED]), Ok(PairTaken));
        assert_eq!(rejected(&["None", "None", "None", "TransactionConflict"]), Ok(PairTaken));
    }

    #[test]
    fn the_fourth_write_is_the_third_without_a_key() {
        let reason = |code: &str| CancellationReason::builder().code(code).build();
        let reasons = [reason("None"), reason("None"), reason(FAILED)];
        assert_eq!(rejection(&[IdTaken, QuotaReached, PairTaken], &reasons), Ok(PairTaken));
    }
}
