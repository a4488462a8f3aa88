//! The ports of the health check on the fake AWS.

use super::{EPOCH_MS, FakeResource, World};
use crate::{
    ChannelArn, EndedReason, ErrorKind, Ownership, PendingEvent, PortError, Session, SessionId,
    SessionStatus, StreamArn, StreamItem, WarmPair,
    ports::millis,
    reconcile::{
        self, Checkpoints, Consumer, DeadLetterScan, DeadLetterScanner, HealthCheck, Inventory,
        SessionsIndex, Streams, WarmPairSlots,
    },
};

/// A checkpoint that only another build can read.
pub(crate) const UNREADABLE: &str = "written by another build";

impl reconcile::Ports for World {
    type Sessions = Self;
    type Streams = Self;
    type Checkpoints = Self;
    type Media = Self;
    type Events = Self;
    type Listeners = Self;
    type DeadLetters = Self;
    type Consumer = Self;
    type Context = Self;
}

impl World {
    pub(crate) const fn health_check(&self) -> HealthCheck<'_, Self> {
        HealthCheck {
            sessions: self,
            streams: self,
            checkpoints: self,
            media: self,
            events: self,
            listeners: self,
            dead_letters: self,
            consumer: self,
            context: self,
        }
    }
}

fn has(session: &Session, attribute: &str) -> bool {
    match attribute {
        "kvsStreamArn" => session.kvs_stream_arn.is_some(),
        "pendingEvent" => session.pending_event.is_some(),
        "createdAt" => true,
        other => panic!("{other} is no attribute of a session"),
    }
}

impl SessionsIndex for World {
    async fn with_status(
        &self,
        status: SessionStatus,
        before_ms: u64,
        attribute: &str,
    ) -> Result<Vec<SessionId>, PortError> {
        let attribute = attribute.to_owned();
        self.call("with_status", move |state| {
            let found = state.items.values().filter(|session| {
                session.status == status
                    && session.updated_at < before_ms
                    && has(session, &attribute)
            });
            Ok(found.map(|session| session.session_id.clone()).collect())
        })
        .await
    }

    async fn end_as_read(
        &self,
        session: &Session,
        reason: EndedReason,
        event: &PendingEvent,
        now_ms: u64,
    ) -> Result<bool, PortError> {
        let (session, event) = (session.clone(), event.clone());
        self.call("end_as_read", move |state| {
            let ended = state.as_read(&session).map(|item| {
                item.status = SessionStatus::Ended;
                item.ended_reason = Some(reason);
                item.pending_event = Some(event.clone());
                item.updated_at = now_ms;
            });
            Ok(ended.is_some())
        })
        .await
    }

    async fn claim(
        &self,
        session: &Session,
        until_ms: u64,
        now_ms: u64,
    ) -> Result<bool, PortError> {
        let session = session.clone();
        self.call("claim", move |state| {
            let claimed = state.as_read(&session).map(|item| {
                item.status = SessionStatus::Cleaning;
                item.claim_until = Some(until_ms);
                item.updated_at = now_ms;
            });
            Ok(claimed.is_some())
        })
        .await
    }

    async fn mark_removed(
        &self,
        id: &SessionId,
        claimed_until: u64,
        _: u64,
    ) -> Result<bool, PortError> {
        let id = id.clone();
        self.call("mark_removed", move |state| {
            let claimed = |item: &&mut Session| item.claim_until == Some(claimed_until);
            let Some(item) = state.items.get_mut(&id).filter(claimed) else { return Ok(false) };
            item.status = SessionStatus::Removed;
            (item.claim_until, item.kvs_signaling_endpoints) = (None, None);
            (item.kvs_channel_arn, item.kvs_stream_arn) = (None, None);
            Ok(true)
        })
        .await
    }

    async fn delete_claimed(&self, id: &SessionId, claimed_until: u64) -> Result<(), PortError> {
        let id = id.clone();
        self.call("delete_claimed", move |state| {
            if state.items.get(&id).is_some_and(|item| item.claim_until == Some(claimed_until)) {
                state.items.remove(&id);
            }
            Ok(())
        })
        .await
    }
}

impl WarmPairSlots for World {
    async fn store_pair(
        &self,
        pair: &WarmPair,
        read: Option<&WarmPair>,
    ) -> Result<bool, PortError> {
        let (pair, read) = (pair.clone(), read.cloned());
        self.call("store_pair", move |state| {
            let is_as_read = match (state.pairs.get(&pair.slot), &read) {
                (None, None) => true,
                (Some(found), Some(read)) => {
                    found.session_id == read.session_id && found.updated_at == read.updated_at
                }
                _ => false,
            };
            if is_as_read {
                state.pairs.insert(pair.slot, pair.clone());
            }
            Ok(is_as_read)
        })
        .await
    }

    async fn delete_pair(&self, read: &WarmPair) -> Result<(), PortError> {
        let read = read.clone();
        self.call("delete_pair", move |state| {
            let is_as_read = |found: &WarmPair| {
                found.session_id == read.session_id && found.updated_at == read.updated_at
            };
            if state.pairs.get(&read.slot).is_some_and(is_as_read) {
                state.pairs.remove(&read.slot);
            }
            Ok(())
        })
        .await
    }
}

impl super::State {
    fn as_read(&mut self, session: &Session) -> Option<&mut Session> {
        let item = self.items.get_mut(&session.session_id)?;
        (item.status == session.status && item.updated_at == session.updated_at).then_some(item)
    }

    fn owner(resource: Option<&FakeResource>) -> Ownership {
        match resource.map(|resource| &resource.tags) {
            None => Ownership::NotFound,
            Some(None) => Ownership::Foreign,
            Some(Some(tags)) => Ownership::by_tags("test", tags.pairs()),
        }
    }
}

impl Streams for World {
    async fn load(&self, session: &SessionId) -> Result<Option<StreamItem>, PortError> {
        let session = session.clone();
        self.call("load", move |state| Ok(state.stream_items.get(&session).cloned())).await
    }

    async fn expire(&self, session: &SessionId, _: u64) -> Result<(), PortError> {
        let session = session.clone();
        self.call("expire", move |state| {
            state.expiring.push(session.clone());
            Ok(())
        })
        .await
    }
}

impl Checkpoints for World {
    fn has_dead_letters(&self, item: &StreamItem) -> Result<bool, String> {
        match item.checkpoint.as_deref() {
            Some(UNREADABLE) => Err(UNREADABLE.to_owned()),
            _ => Ok(false),
        }
    }
}

fn named<A: std::str::FromStr>(
    shelf: &std::collections::HashMap<String, FakeResource>,
    name: &str,
) -> Option<A> {
    let found = shelf.iter().find(|(_, resource)| resource.name == name);
    found.and_then(|(arn, _)| arn.parse().ok())
}

impl Inventory for World {
    async fn stream_owner(&self, stream: &StreamArn) -> Result<Ownership, PortError> {
        let stream = stream.to_string();
        self.call("stream_owner", move |state| Ok(super::State::owner(state.streams.get(&stream))))
            .await
    }

    async fn channel_owner(&self, channel: &ChannelArn) -> Result<Ownership, PortError> {
        let channel = channel.to_string();
        self.call("channel_owner", move |state| {
            Ok(super::State::owner(state.channels.get(&channel)))
        })
        .await
    }

    async fn stream_named(&self, name: &str) -> Result<Option<StreamArn>, PortError> {
        let name = name.to_owned();
        self.call("stream_named", move |state| Ok(named(&state.streams, &name))).await
    }

    async fn channel_named(&self, name: &str) -> Result<Option<ChannelArn>, PortError> {
        let name = name.to_owned();
        self.call("channel_named", move |state| Ok(named(&state.channels, &name))).await
    }

    async fn created_before(
        &self,
        before_ms: u64,
    ) -> Result<Vec<(SessionId, reconcile::Resource)>, PortError> {
        self.call("created_before", move |state| {
            let mut found = Vec::new();
            let is_old =
                |resource: &FakeResource| EPOCH_MS + millis(resource.created_at) < before_ms;
            for (arn, resource) in &state.channels {
                if let Some(tags) = &resource.tags
                    && is_old(resource)
                {
                    let channel = reconcile::Resource::Channel(arn.parse().unwrap());
                    found.push((tags.session_id.clone(), channel));
                }
            }
            for (arn, resource) in &state.streams {
                if let Some(tags) = &resource.tags
                    && is_old(resource)
                {
                    let stream = reconcile::Resource::Stream(arn.parse().unwrap());
                    found.push((tags.session_id.clone(), stream));
                }
            }
            Ok(found)
        })
        .await
    }
}

impl DeadLetterScanner for World {
    async fn scan(&self) -> Result<DeadLetterScan, PortError> {
        self.call("scan", move |state| Ok(state.letters.clone())).await
    }
}

impl World {
    async fn invoke(&self, session: &SessionId, action: &'static str) -> Result<(), PortError> {
        let session = session.clone();
        self.call("invoke", move |state| {
            if state.is_throttled {
                let message = "TooManyRequestsException";
                return Err(PortError::new("Invoke", ErrorKind::Throttled, message));
            }
            state.invoked.push((session.clone(), action));
            Ok(())
        })
        .await
    }
}

impl Consumer for World {
    async fn start(&self, session: &SessionId) -> Result<(), PortError> {
        self.invoke(session, "start").await
    }

    async fn stop(&self, session: &SessionId) -> Result<(), PortError> {
        self.invoke(session, "stop").await
    }
}
