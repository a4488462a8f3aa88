//! The behavior of DynamoDB, KVS and EventBridge that the use cases depend on, including errors.

use std::{collections::HashMap, time::Duration};

use super::{FakeResource, State, World};
use crate::{
    ChannelArn, ErrorKind, IdempotencyClaim, IdempotencyRecord, PendingEvent, PortError, RequestId,
    Session, SessionId, SessionStatus, SignalingEndpoints, StreamArn, Tags,
    event::StatusChange,
    ports::{
        Activation, Change, EventBus, MediaControl, MediaRemoval, PendingEvents, Reservation,
        ReservationOutcome, Reservations, ResourceState, SessionEnd, SessionLookup, Sessions,
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

    fn create(
        &mut self,
        kind: &str,
        name: &str,
        tags: Tags,
        retention_hours: u32,
    ) -> Result<String, PortError> {
        let (now, active_after) = (self.now, self.active_after);
        let shelf = if kind == "channel" { &mut self.channels } else { &mut self.streams };
        if shelf.values().any(|resource| resource.name == name) {
            return Err(PortError::new("Create", ErrorKind::InUse, "ResourceInUseException"));
        }
        let arn = format!("arn:aws:kinesisvideo:eu-west-1:123456789012:{kind}/{name}/17");
        let resource = FakeResource {
            name: name.to_owned(),
            tags: Some(tags),
            created_at: now,
            active_at: now + active_after,
            retention_hours,
            mapped_to: None,
            unmapped_at: None,
        };
        shelf.insert(arn.clone(), resource);
        Ok(arn)
    }

    /// Rejects a deletion as AWS does: of a channel while it is mapped, and of a stream while a
    /// channel is mapped to it.
    fn refuse_mapped(&self, resource: &str, arn: &str) -> Result<(), PortError> {
        let mut mapped = self.channels.iter().filter(|(_, it)| it.is_mapped(self.now));
        if !mapped.any(|(channel, it)| channel == arn || it.mapped_to.as_deref() == Some(arn)) {
            return Ok(());
        }
        let message = format!(
            "ResourceInUseException: Disable MediaStorageConfiguration to delete the {resource}"
        );
        Err(PortError::new("Delete", ErrorKind::InUse, message))
    }
}

impl FakeResource {
    /// Returns whether media storage is enabled, so that the channel has a WEBRTC endpoint.
    pub(crate) fn is_stored(&self) -> bool {
        self.mapped_to.is_some() && self.unmapped_at.is_none()
    }

    /// Returns whether its mapping prevents deletion of the channel and its stream.
    fn is_mapped(&self, now: Duration) -> bool {
        self.mapped_to.is_some() && self.unmapped_at.is_none_or(|at| at > now)
    }
}

fn not_found(operation: &'static str) -> PortError {
    PortError::new(operation, ErrorKind::NotFound, "ResourceNotFoundException")
}

fn look(
    shelf: &HashMap<String, FakeResource>,
    arn: &str,
    now: Duration,
) -> Result<ResourceState, PortError> {
    let resource = shelf.get(arn).ok_or_else(|| not_found("Describe"))?;
    Ok(if resource.active_at <= now { ResourceState::Active } else { ResourceState::Pending })
}

fn remove(
    shelf: &mut HashMap<String, FakeResource>,
    arn: &str,
    now: Duration,
) -> Result<(), PortError> {
    let resource = shelf.get(arn).ok_or_else(|| not_found("Delete"))?;
    if resource.active_at > now {
        return Err(PortError::new("Delete", ErrorKind::InUse, "ResourceInUseException"));
    }
    shelf.remove(arn);
    Ok(())
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
                let told = (session.settings(), session.status);
                state.settings.insert(session.session_id.clone(), told);
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

impl MediaRemoval for World {
    async fn disable_storage(&self, channel: &ChannelArn) -> Result<(), PortError> {
        let channel = channel.to_string();
        self.call("disable_storage", move |state| {
            let off_at = state.now + state.unmapped_after;
            let resource = state.channels.get_mut(&channel).ok_or_else(|| not_found("Update"))?;
            resource.unmapped_at.get_or_insert(off_at);
            Ok(())
        })
        .await
    }

    async fn delete_channel(&self, arn: &ChannelArn) -> Result<(), PortError> {
        let arn = arn.to_string();
        self.call("delete_channel", move |state| {
            state.refuse_mapped("channel", &arn)?;
            remove(&mut state.channels, &arn, state.now)
        })
        .await
    }

    async fn delete_stream(&self, arn: &StreamArn) -> Result<(), PortError> {
        let arn = arn.to_string();
        self.call("delete_stream", move |state| {
            state.refuse_mapped("stream", &arn)?;
            remove(&mut state.streams, &arn, state.now)
        })
        .await
    }
}

impl MediaControl for World {
    async fn create_channel(&self, name: &str, tags: &Tags) -> Result<ChannelArn, PortError> {
        let (name, tags) = (name.to_owned(), tags.clone());
        self.call("create_channel", move |state| {
            state.create("channel", &name, tags.clone(), 0).map(|arn| arn.parse().unwrap())
        })
        .await
    }

    async fn create_stream(
        &self,
        name: &str,
        tags: &Tags,
        retention_hours: u32,
    ) -> Result<StreamArn, PortError> {
        let (name, tags) = (name.to_owned(), tags.clone());
        self.call("create_stream", move |state| {
            state
                .create("stream", &name, tags.clone(), retention_hours)
                .map(|arn| arn.parse().unwrap())
        })
        .await
    }

    async fn channel_state(&self, arn: &ChannelArn) -> Result<ResourceState, PortError> {
        let arn = arn.to_string();
        self.call("channel_state", move |state| look(&state.channels, &arn, state.now)).await
    }

    async fn stream_state(&self, arn: &StreamArn) -> Result<ResourceState, PortError> {
        let arn = arn.to_string();
        self.call("stream_state", move |state| look(&state.streams, &arn, state.now)).await
    }

    async fn enable_storage(
        &self,
        channel: &ChannelArn,
        stream: &StreamArn,
    ) -> Result<(), PortError> {
        let (channel, stream) = (channel.to_string(), stream.to_string());
        self.call("enable_storage", move |state| {
            let both = [look(&state.channels, &channel, state.now)?].into_iter().chain([look(
                &state.streams,
                &stream,
                state.now,
            )?]);
            if both.into_iter().any(|found| found != ResourceState::Active) {
                return Err(PortError::new("Update", ErrorKind::InUse, "ResourceInUseException"));
            }
            if state.streams[&stream].retention_hours == 0 {
                return Err(PortError::new(
                    "Update",
                    ErrorKind::Invalid,
                    "NoDataRetentionException",
                ));
            }
            let resource = state.channels.get_mut(&channel).unwrap();
            (resource.mapped_to, resource.unmapped_at) = (Some(stream.clone()), None);
            Ok(())
        })
        .await
    }

    async fn endpoints(&self, channel: &ChannelArn) -> Result<SignalingEndpoints, PortError> {
        let channel = channel.to_string();
        self.call("endpoints", move |state| {
            if !state.channels.get(&channel).ok_or_else(|| not_found("Get"))?.is_stored() {
                return Err(PortError::new("Get", ErrorKind::Invalid, "InvalidArgumentException"));
            }
            let url = |scheme: &str| format!("{scheme}://m-1.kinesisvideo.eu-west-1.amazonaws.com");
            Ok(SignalingEndpoints { wss: url("wss"), https: url("https"), webrtc: url("https") })
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
