//! The behavior of DynamoDB and EventBridge that the use cases depend on, including errors.

use super::{State, World};
use crate::{
    IdempotencyClaim, IdempotencyRecord, PairState, PendingEvent, PortError, RequestId, Session,
    SessionId, SessionStatus, WarmPair,
    event::StatusChange,
    ports::{
        Activation, Change, EventBus, PendingEvents, Reservation, ReservationOutcome, Reservations,
        SessionEnd, SessionLookup, Sessions, WarmPairs,
    },
};

impl State {
    /// Returns whether a claim can be made now.
    fn admits(&self, claim: &IdempotencyClaim) -> bool {
        match (self.requests.get(&claim.id), &claim.supersedes) {
            (None, _) => true,
            (Some(known), Some(session_id)) => {
                let over = known.answer.is_none() || known.remove_at <= claim.now;
                known.for_session == *session_id && over
            }
            (Some(_), None) => false,
        }
    }
}

impl SessionLookup for World {
    async fn get(&self, session_id: &SessionId) -> Result<Option<Session>, PortError> {
        let session_id = session_id.clone();
        self.call("get", move |state| Ok(state.items.get(&session_id).cloned())).await
    }
}

impl Reservations for World {
    async fn reserve(
        &self,
        reservation: &Reservation<'_>,
    ) -> Result<ReservationOutcome, PortError> {
        let session = reservation.session.clone();
        let (max_sessions, claim) = (reservation.max_sessions as usize, reservation.claim.cloned());
        let pair = reservation.pair.cloned();
        self.call("reserve", move |state| {
            let id = &session.session_id;
            if claim.as_ref().is_some_and(|claim| !state.admits(claim)) {
                return Ok(ReservationOutcome::KeyInUse);
            }
            if state.items.contains_key(id) {
                return Ok(ReservationOutcome::IdTaken);
            }
            let slots = state.session_slots.entry(session.speaker_id.clone()).or_default();
            if slots.len() >= max_sessions {
                return Ok(ReservationOutcome::QuotaReached);
            }
            if let Some(pair) = &pair {
                let found = state.pairs.get(&pair.slot);
                if found
                    .is_none_or(|found| found.session_id != *id || found.state != PairState::Ready)
                {
                    return Ok(ReservationOutcome::PairTaken);
                }
                state.pairs.remove(&pair.slot);
            }
            slots.insert(id.clone());
            state.items.insert(id.clone(), session.clone());
            if let Some(claim) = &claim {
                state.requests.insert(claim.id.clone(), IdempotencyRecord::new(claim, id));
            }
            Ok(ReservationOutcome::Reserved)
        })
        .await
    }

    async fn session_slots(&self, speaker_id: &str) -> Result<Vec<SessionId>, PortError> {
        let speaker_id = speaker_id.to_owned();
        self.call("session_slots", move |state| {
            let slots = state.session_slots.get(&speaker_id).into_iter().flatten();
            Ok(slots.cloned().collect())
        })
        .await
    }

    async fn release_slots(
        &self,
        speaker_id: &str,
        sessions: &[SessionId],
    ) -> Result<(), PortError> {
        let (speaker_id, sessions) = (speaker_id.to_owned(), sessions.to_vec());
        self.call("release_slots", move |state| {
            let slots = state.session_slots.entry(speaker_id.clone()).or_default();
            slots.retain(|slot| !sessions.contains(slot));
            Ok(())
        })
        .await
    }

    async fn idempotency_record(
        &self,
        request: &RequestId,
    ) -> Result<Option<IdempotencyRecord>, PortError> {
        let request = request.clone();
        self.call("idempotency_record", move |state| Ok(state.requests.get(&request).cloned()))
            .await
    }

    async fn delete_idempotency_record(
        &self,
        request: &RequestId,
        session_id: &SessionId,
    ) -> Result<(), PortError> {
        let (request, session_id) = (request.clone(), session_id.clone());
        self.call("delete_idempotency_record", move |state| {
            let known = state.requests.get(&request);
            if known.is_some_and(|it| it.for_session == session_id && it.answer.is_none()) {
                state.requests.remove(&request);
            }
            Ok(())
        })
        .await
    }

    async fn fence_reservation(
        &self,
        session_id: &SessionId,
        reserved_at: u64,
        now: u64,
    ) -> Result<bool, PortError> {
        let session_id = session_id.clone();
        self.call("fence_reservation", move |state| {
            let Some(item) = state.items.get_mut(&session_id) else { return Ok(false) };
            let reserved = item.status == SessionStatus::Creating && item.updated_at == reserved_at;
            if reserved {
                item.updated_at = now;
            }
            Ok(reserved)
        })
        .await
    }

    async fn delete_reservation(&self, session_id: &SessionId) -> Result<(), PortError> {
        let session_id = session_id.clone();
        self.call("delete_reservation", move |state| {
            let item = state.items.get(&session_id);
            if item.is_some_and(|item| item.status == SessionStatus::Creating) {
                state.items.remove(&session_id);
            }
            Ok(())
        })
        .await
    }
}

impl WarmPairs for World {
    async fn warm_pairs(&self, env: &str, slots: u32) -> Result<Vec<WarmPair>, PortError> {
        let env = env.to_owned();
        self.call("warm_pairs", move |state| {
            let pairs = state.pairs.values().filter(|pair| pair.env == env && pair.slot < slots);
            Ok(pairs.cloned().collect())
        })
        .await
    }
}

impl Sessions for World {
    async fn activate(&self, activation: &Activation<'_>) -> Result<bool, PortError> {
        let (session, reserved_at) = (activation.session.clone(), activation.reserved_at);
        let claim = activation.claim.cloned();
        self.call("activate", move |state| {
            let request = claim.as_ref().map(|claim| state.requests.get_mut(&claim.id));
            if let Some(request) = request {
                let Some(request) = request else { return Ok(false) };
                let item = state.items.get(&session.session_id);
                let reserved = item.is_some_and(|item| item.updated_at == reserved_at);
                if !reserved || request.for_session != session.session_id {
                    return Ok(false);
                }
                request.answer = Some(Session { pending_event: None, ..session.clone() });
            }
            let Some(item) = state.items.get_mut(&session.session_id) else { return Ok(false) };
            let reserved = item.status == SessionStatus::Creating && item.updated_at == reserved_at;
            if reserved {
                *item = session.clone();
            }
            Ok(reserved)
        })
        .await
    }

    async fn change(&self, change: &Change<'_>) -> Result<bool, PortError> {
        let (session, seen_at) = (change.session.clone(), change.seen_at);
        self.call("change", move |state| {
            let Some(item) = state.items.get_mut(&session.session_id) else { return Ok(false) };
            let as_seen = item.status.is_live() && item.updated_at == seen_at;
            if as_seen {
                *item = session.clone();
                let before = (session.settings(), session.status);
                state.settings.insert(session.session_id.clone(), before);
            }
            Ok(as_seen)
        })
        .await
    }

    async fn end(&self, ending: &SessionEnd<'_>) -> Result<bool, PortError> {
        let (session_id, speaker_id) = (ending.session_id.clone(), ending.speaker_id.to_owned());
        let (event, reason, now) = (ending.pending_event.clone(), ending.reason, ending.now);
        self.call("end", move |state| {
            let Some(item) = state.items.get_mut(&session_id) else { return Ok(false) };
            let live = item.status.is_live() && item.speaker_id == speaker_id;
            if live {
                item.status = SessionStatus::Ended;
                item.ended_reason = Some(reason);
                item.pending_event = Some(event.clone());
                item.updated_at = now;
            }
            Ok(live)
        })
        .await
    }
}

impl PendingEvents for World {
    async fn clear_pending_event(
        &self,
        session_id: &SessionId,
        event: &PendingEvent,
    ) -> Result<(), PortError> {
        let (session_id, event) = (session_id.clone(), event.clone());
        self.call("clear_pending_event", move |state| {
            if let Some(item) = state.items.get_mut(&session_id) {
                item.pending_event.take_if(|pending| *pending == event);
            }
            Ok(())
        })
        .await
    }
}

impl EventBus for World {
    async fn put(&self, detail: &str, trace_header: Option<&str>) -> Result<(), PortError> {
        let detail = serde_json::from_str(detail).unwrap();
        let change = StatusChange::from_detail(&detail).unwrap();
        let trace_header = trace_header.map(ToOwned::to_owned);
        self.call("put", move |state| {
            state.events.push((change.clone(), trace_header.clone()));
            Ok(())
        })
        .await
    }
}
