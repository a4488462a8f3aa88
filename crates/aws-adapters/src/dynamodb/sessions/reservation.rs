//! What a reservation writes beside the session's item, in the same table: the speaker's places and
//! the request.
//!
//! | key | attributes |
//! |---|---|
//! | `speaker#{sub}` | `sessions`: a set of ids, at most `MAX_ACTIVE_SESSIONS` of them |
//! | `request#{length}#{sub}#{Idempotency-Key}` | as [`Remembered`] |
//!
//! Neither key is a session id, neither item has a status, and both are forgotten by the table's
//! time to live.

use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason, Put, TransactWriteItem};
use session::{
    Claim, ErrorKind, PortError, Remembered, RequestId, Session, SessionId,
    ports::{Reservation, Reserved},
};

use super::super::attributes::to_item;
use super::{
    DELETE, GET, KEY, SessionsTable, TRANSACTION, UPDATE, Values, cancellation, condition_met,
    from_item, reasons_of, table_error, text, to_attribute,
};

/// The speaker's places are forgotten when no session was opened for so long, s: two days, and a
/// session lasts one.
const PLACES_SECONDS: u64 = 2 * 24 * 60 * 60;

/// What a request is forgotten by and answered by: it is for this session still.
const STILL_OURS: &str = "forSession = :session";

fn places_key(speaker_id: &str) -> String {
    format!("speaker#{speaker_id}")
}

impl SessionsTable {
    pub(super) async fn reserve(
        &self,
        reservation: &Reservation<'_>,
    ) -> Result<Reserved, PortError> {
        let transaction = self
            .client
            .transact_write_items()
            .transact_items(self.new_item(reservation.session)?)
            .transact_items(self.place(reservation)?);
        let transaction = match reservation.claim {
            Some(claim) => {
                let id = &reservation.session.session_id;
                transaction.transact_items(self.request(claim, id)?)
            }
            None => transaction,
        };
        match transaction.send().await {
            Ok(_) => Ok(Reserved::Yes),
            Err(error) => refusal(&reasons_of(&error)?),
        }
    }

    fn new_item(&self, session: &Session) -> Result<TransactWriteItem, PortError> {
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(to_item(TRANSACTION, session)?))
            .condition_expression("attribute_not_exists(sessionId)");
        whole(put.build()).map(|put| TransactWriteItem::builder().put(put).build())
    }

    fn place(&self, reservation: &Reservation<'_>) -> Result<TransactWriteItem, PortError> {
        let session = reservation.session;
        let mut values = Values::new()
            .with(":most", &reservation.most)
            .with(":removeAt", &(session.created_at / 1000 + PLACES_SECONDS));
        values.0.insert(":session".to_owned(), set(std::slice::from_ref(&session.session_id)));
        let key = places_key(&session.speaker_id);
        let take = "SET removeAt = :removeAt ADD sessions :session";
        let has_room = "attribute_not_exists(sessions) OR size(sessions) < :most";
        Self::write(&self.name, &key, take, has_room, values)
    }

    fn request(
        &self,
        claim: &Claim,
        session_id: &SessionId,
    ) -> Result<TransactWriteItem, PortError> {
        let mut item = to_item(TRANSACTION, &Remembered::new(claim, session_id))?;
        item.insert(KEY.to_owned(), text(&claim.id));
        let put = Put::builder().table_name(&self.name).set_item(Some(item));
        let put = match &claim.takes_over {
            None => put.condition_expression("attribute_not_exists(sessionId)"),
            Some(earlier) => put
                .condition_expression(format!(
                    "attribute_not_exists(sessionId) OR ({STILL_OURS} AND \
                     (attribute_not_exists(answer) OR removeAt <= :now))"
                ))
                .expression_attribute_values(":session", to_attribute(earlier))
                .expression_attribute_values(":now", to_attribute(&claim.now)),
        };
        whole(put.build()).map(|put| TransactWriteItem::builder().put(put).build())
    }

    /// Remembers the session as the answer to its request.
    pub(super) fn answer(
        &self,
        claim: &Claim,
        session: &Session,
    ) -> Result<TransactWriteItem, PortError> {
        let answer = Session { pending_event: None, ..session.clone() };
        let values = Values::new().with(":session", &session.session_id).with(":answer", &answer);
        Self::write(&self.name, claim.id.as_str(), "SET answer = :answer", STILL_OURS, values)
    }

    pub(super) async fn forget_request(
        &self,
        request: &RequestId,
        session_id: &SessionId,
    ) -> Result<(), PortError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.name)
            .key(KEY, text(request))
            .condition_expression(format!("{STILL_OURS} AND attribute_not_exists(answer)"))
            .expression_attribute_values(":session", to_attribute(session_id));
        // Another's by now, or answered: then it stays.
        condition_met(DELETE, delete.send().await).map(drop)
    }

    pub(super) async fn taken(&self, speaker_id: &str) -> Result<Vec<SessionId>, PortError> {
        #[derive(serde::Deserialize)]
        struct Places {
            #[serde(default)]
            sessions: Vec<SessionId>,
        }
        let item = self.read(&places_key(speaker_id)).await?;
        let places: Option<Places> = item.map(|item| from_item(GET, item)).transpose()?;
        Ok(places.map(|places| places.sessions).unwrap_or_default())
    }

    pub(super) async fn give_back(
        &self,
        speaker_id: &str,
        sessions: &[SessionId],
    ) -> Result<(), PortError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .key(KEY, text(places_key(speaker_id)))
            .update_expression("DELETE sessions :gone")
            .expression_attribute_values(":gone", set(sessions));
        update.send().await.map(drop).map_err(|error| table_error(UPDATE, &error))
    }
}

fn set(sessions: &[SessionId]) -> AttributeValue {
    AttributeValue::Ss(sessions.iter().map(ToString::to_string).collect())
}

fn whole<T>(built: Result<T, aws_sdk_dynamodb::error::BuildError>) -> Result<T, PortError> {
    built.map_err(|error| PortError::new(TRANSACTION, ErrorKind::Invalid, error.to_string()))
}

/// Why nothing was reserved: the writes were the session's item, the speaker's place and the
/// request. A request that is known comes first: its answer needs neither an id nor a place.
fn refusal(reasons: &[CancellationReason]) -> Result<Reserved, PortError> {
    let failed = |write: usize| {
        reasons.get(write).and_then(CancellationReason::code) == Some("ConditionalCheckFailed")
    };
    if failed(2) {
        return Ok(Reserved::KeyKnown);
    }
    if failed(0) {
        return Ok(Reserved::IdTaken);
    }
    if failed(1) {
        return Ok(Reserved::NoPlace);
    }
    cancellation(reasons).and_then(|_| {
        let message = "cancelled without a reason";
        Err(PortError::new(TRANSACTION, ErrorKind::Unavailable, message))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(codes: &[&str]) -> Vec<CancellationReason> {
        codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect()
    }

    #[test]
    fn a_known_request_comes_before_a_taken_id_and_that_before_a_lack_of_places() {
        let failed = "ConditionalCheckFailed";
        assert_eq!(refusal(&reasons(&[failed, failed, failed])), Ok(Reserved::KeyKnown));
        assert_eq!(refusal(&reasons(&[failed, failed])), Ok(Reserved::IdTaken));
        assert_eq!(refusal(&reasons(&["None", failed, "None"])), Ok(Reserved::NoPlace));
        let busy = refusal(&reasons(&["TransactionConflict", "None"])).unwrap_err();
        assert_eq!(busy.kind, ErrorKind::Throttled);
    }
}
