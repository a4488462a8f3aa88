//! Opening a session: `POST /sessions`, as a saga.
//!
//! ```text
//! reserve id ─► channel ∥ stream ─► both ACTIVE ─► map ─► endpoints ─► active + event ─► answer ─► PutEvents
//!     │             └──────────────── undone in reverse when a step fails ───┘            └─ never fails
//!     └─ goes last: while anything may be left, the item stays to be found
//! ```
//!
//! The id is reserved before anything else is made and given up after everything else is removed.
//! So at every moment, whatever crashes, each channel and stream has an item by which the health
//! check finds it.

use std::{future::Future, time::Duration};

use futures_util::future::join;

mod claims;
use claims::Earlier;

use crate::{
    Call, ChannelArn, Claim, Error, Fault, FaultKind, IdempotencyKey, Language, Limits, Notice,
    PendingEvent, QualityTier, Session, SessionId, SessionService, SessionStatus, StreamArn, Tags,
    emit,
    event::EventStatus,
    limits::{Pauses, by, persist},
    ports::{
        Activation, Clock, Journal, MediaControl, Ports, Reservation, Reserved, ResourceState,
        Sessions,
    },
    undo::{Made, Part},
    words::uuid,
};

/// What a speaker asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// The JWT `sub` of the speaker.
    pub speaker_id: String,
    /// The language that will be spoken.
    pub source_language: Language,
    /// The languages to translate to, without repeats.
    pub target_languages: Vec<Language>,
    /// Quality of transcription and translation.
    pub quality_tier: QualityTier,
}

/// What a POST came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "its event is to be announced"]
pub struct Created {
    /// The session; a speaker can connect.
    pub session: Session,
    /// What is still to be told the bus; nothing when the same request had made the session before.
    pub announcement: Option<Announcement>,
}

/// The event of a session that is active: held in its item, and on nobody's way to an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "dropped, it waits for the health check"]
pub struct Announcement {
    session_id: SessionId,
    event: PendingEvent,
    budget: Duration,
}

impl Announcement {
    /// The `X-Amzn-Trace-Id` of the request that opened the session.
    #[must_use]
    pub fn trace_header(&self) -> Option<&str> {
        self.event.trace_header.as_deref()
    }
}

/// Ids tried until one is free. With three digits a table of a million sessions takes one of four
/// first ids, and the digits grow: eight in a row mean that something else is wrong.
const ID_ATTEMPTS: u32 = 8;

/// An item outlives its session for whoever still asks: 24 h, counted from the creation.
const ITEM_LIFE_SECONDS: u64 = 24 * 60 * 60;

/// What became of the write that makes the session active.
enum Activated {
    Yes,
    No(Fault),
    Unknown(Fault),
}

impl<P: Ports> SessionService<P> {
    /// Opens a session: when this returns, a speaker can connect, and the consumer is to be told by
    /// [`announce`](Self::announce). A request that came before under the same key is answered as it was then.
    ///
    /// # Errors
    /// A step failed, or took too long; what was made before is removed, by this call or by the
    /// health check. [`Error::retry_after`] tells whether trying again makes sense. Or the request is refused:
    /// [`Error::TooManySessions`], [`Error::KeyReused`], [`Error::InProgress`].
    pub async fn create(
        &self,
        new: &NewSession,
        key: Option<&IdempotencyKey>,
        call: &Call,
    ) -> Result<Created, Error> {
        let started = self.around.monotonic();
        let created = self.open_under_free_id(new, key, call, started).await;
        match &created {
            Ok(Created { session, announcement: Some(_) }) => {
                let latency = self.around.monotonic().saturating_sub(started);
                let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
                let session_id = &session.session_id;
                self.around.note(&Notice::SessionCreated { session_id, latency_ms });
            }
            Err(error) if error.is_failure() => {
                self.around.note(&Notice::SessionFailed { error });
            }
            _ => {}
        }
        created
    }

    /// Tells the bus of a session that was opened, within twice the budget of an event. The session is whole whether
    /// or not that works: what is not told now stays pending, for the health check.
    pub async fn announce(&self, announcement: Announcement) {
        let Announcement { session_id, event, budget } = announcement;
        emit(&self.sessions, &self.events, &self.around, &session_id, &event, budget).await;
    }

    async fn open_under_free_id(
        &self,
        new: &NewSession,
        key: Option<&IdempotencyKey>,
        call: &Call,
        started: Duration,
    ) -> Result<Created, Error> {
        // What settles a doubtful activation has a part of the budget for itself, and so has the event.
        let deadline = started + call.limits.creation.saturating_sub(call.limits.event);
        let mut claim = key.map(|key| Claim::new(new, key, self.around.now_ms()));
        for attempt in 0..ID_ATTEMPTS {
            let session = self.reservation(new, SessionId::draw(&self.around, attempt));
            match self.reserve(&session, claim.as_ref(), call, deadline).await? {
                Reserved::Yes => {
                    let opened = self.open(session, claim.as_ref(), call, deadline).await?;
                    if let Some(created) = opened {
                        return Ok(created);
                    }
                }
                Reserved::IdTaken => {}
                Reserved::NoPlace => self.make_place(&new.speaker_id, call).await?,
                Reserved::KeyKnown => {
                    let Some(claim) = &mut claim else { continue };
                    match self.earlier(claim, call).await? {
                        Earlier::Answered(session) => {
                            return Ok(Created { session: *session, announcement: None });
                        }
                        Earlier::Over(session_id) => claim.takes_over = session_id,
                    }
                }
            }
        }
        Err(Error::NoFreeId { attempts: ID_ATTEMPTS })
    }

    fn reservation(&self, new: &NewSession, session_id: SessionId) -> Session {
        let now = self.around.now_ms();
        Session {
            kvs_channel_name: session_id.channel_name(),
            kvs_stream_name: session_id.stream_name(),
            session_id,
            speaker_id: new.speaker_id.clone(),
            source_language: new.source_language,
            target_languages: new.target_languages.clone(),
            quality_tier: new.quality_tier,
            settings_version: Session::FIRST_VERSION,
            status: SessionStatus::Creating,
            listener_count: 0,
            created_at: now,
            updated_at: now,
            expires_at: now / 1000 + ITEM_LIFE_SECONDS,
            kvs_channel_arn: None,
            kvs_stream_arn: None,
            kvs_signaling_endpoints: None,
            pending_event: None,
            ended_reason: None,
            claim_until: None,
            env: self.env.clone(),
        }
    }

    async fn reserve(
        &self,
        session: &Session,
        claim: Option<&Claim>,
        call: &Call,
        deadline: Duration,
    ) -> Result<Reserved, Error> {
        // A lost answer is not repeated under the same id, which would then seem taken. The item it
        // may have left is `creating`, and the health check removes it.
        let again = |kind| kind == FaultKind::Throttled;
        let reservation = Reservation { session, most: self.most_sessions, claim };
        let insert = || self.sessions.insert(&reservation);
        persist(&self.around, &call.limits, deadline, "TransactWriteItems", again, insert)
            .await
            .map_err(Error::Store)
    }

    /// Everything after the reservation. Undoes what it made when it fails. `None` when the id is
    /// free, but a channel or stream of its name exists.
    async fn open(
        &self,
        mut session: Session,
        claim: Option<&Claim>,
        call: &Call,
        deadline: Duration,
    ) -> Result<Option<Created>, Error> {
        let reserved_at = session.updated_at;
        let mut made = Made::NOTHING;
        let built = self.build(&mut session, &mut made, &call.limits, deadline).await;
        let fault = match built {
            Err(fault) => fault,
            Ok(()) => match self.activate(&mut session, reserved_at, claim, call, deadline).await {
                Activated::Yes => return Ok(Some(to_announce(session, call.limits.event))),
                Activated::No(fault) => fault,
                Activated::Unknown(fault) => {
                    // Either the session is active and whole, or it is `creating`. Both are found.
                    let session_id = session.session_id;
                    self.around
                        .note(&Notice::LeftBehind { session_id: &session_id, fault: &fault });
                    return Err(Error::Creation { session_id, fault });
                }
            },
        };
        let end = deadline + call.limits.event + call.limits.undo;
        self.undo(&session.session_id, &made, &call.limits, end).await;
        if let Some(claim) = claim {
            self.forget(claim, &session.session_id, call).await;
        }
        if made.name_is_taken() {
            return Ok(None);
        }
        Err(Error::Creation { session_id: session.session_id, fault })
    }

    /// Makes channel and stream and maps them. `made` tells what there is to undo, also on failure.
    async fn build(
        &self,
        session: &mut Session,
        made: &mut Made,
        limits: &Limits,
        deadline: Duration,
    ) -> Result<(), Fault> {
        let tags = Tags { env: self.env.clone(), session_id: session.session_id.clone() };
        // Both to their end, even if one fails: what is made must be known to be undone.
        let ((channel, channel_ready), (stream, stream_ready)) = join(
            self.make_channel(&session.kvs_channel_name, &tags, limits, deadline),
            self.make_stream(&session.kvs_stream_name, &tags, limits, deadline),
        )
        .await;
        (made.channel, made.stream) = (channel.clone(), stream.clone());
        channel_ready?;
        stream_ready?;
        if let (Part::Made(channel), Part::Made(stream)) = (channel, stream) {
            made.mapped = true; // From here on it may be, whatever the call answers.
            let operation = "UpdateMediaStorageConfiguration";
            // Right after ACTIVE the service may still say "in use".
            let again = |kind: FaultKind| kind.is_transient() || kind == FaultKind::InUse;
            let map = || self.media.enable_storage(&channel, &stream);
            persist(&self.around, limits, deadline, operation, again, map).await?;

            let again = |kind: FaultKind| kind.is_transient();
            let ask = || self.media.endpoints(&channel);
            let operation = "GetSignalingChannelEndpoint";
            let endpoints = persist(&self.around, limits, deadline, operation, again, ask).await?;
            session.kvs_signaling_endpoints = Some(endpoints);
            session.kvs_channel_arn = Some(channel);
            session.kvs_stream_arn = Some(stream);
        }
        Ok(())
    }

    async fn make_channel(
        &self,
        name: &str,
        tags: &Tags,
        limits: &Limits,
        deadline: Duration,
    ) -> (Part<ChannelArn>, Result<(), Fault>) {
        let create = || self.media.create_channel(name, tags);
        let again = |kind| kind == FaultKind::Throttled;
        let operation = "CreateSignalingChannel";
        match persist(&self.around, limits, deadline, operation, again, create).await {
            Err(fault) => (Part::after(&fault), Err(fault)),
            Ok(arn) => {
                let look = || self.media.channel_state(&arn);
                let operation = "DescribeSignalingChannel";
                let ready = self.until_active(limits, deadline, operation, look).await;
                (Part::Made(arn), ready)
            }
        }
    }

    async fn make_stream(
        &self,
        name: &str,
        tags: &Tags,
        limits: &Limits,
        deadline: Duration,
    ) -> (Part<StreamArn>, Result<(), Fault>) {
        let create = || self.media.create_stream(name, tags, self.stream_retention_hours);
        let again = |kind| kind == FaultKind::Throttled;
        match persist(&self.around, limits, deadline, "CreateStream", again, create).await {
            Err(fault) => (Part::after(&fault), Err(fault)),
            Ok(arn) => {
                let look = || self.media.stream_state(&arn);
                let ready = self.until_active(limits, deadline, "DescribeStream", look).await;
                (Part::Made(arn), ready)
            }
        }
    }

    /// Looks at a resource until it is ACTIVE, slower and slower.
    async fn until_active<F: Future<Output = Result<ResourceState, Fault>>>(
        &self,
        limits: &Limits,
        deadline: Duration,
        operation: &'static str,
        look: impl Fn() -> F,
    ) -> Result<(), Fault> {
        let mut pauses = Pauses::new(limits);
        loop {
            let last = match by(&self.around, deadline, operation, look()).await {
                Ok(ResourceState::Active) => return Ok(()),
                Ok(ResourceState::Deleting) => {
                    let message = "it is being deleted";
                    return Err(Fault::new(operation, FaultKind::Unavailable, message));
                }
                Ok(ResourceState::Pending) => {
                    Fault::new(operation, FaultKind::TimedOut, "not ACTIVE within the time given")
                }
                // What was just made may not be seen everywhere yet.
                Err(fault) if fault.kind.is_transient() || fault.kind == FaultKind::NotFound => {
                    fault
                }
                Err(fault) => return Err(fault),
            };
            if !pauses.wait(&self.around, deadline).await {
                return Err(last);
            }
        }
    }

    /// The one write that makes the session active and holds its event.
    async fn activate(
        &self,
        session: &mut Session,
        reserved_at: u64,
        claim: Option<&Claim>,
        call: &Call,
        deadline: Duration,
    ) -> Activated {
        let operation = "UpdateItem";
        // `updatedAt` tells this write from the reservation, so it must differ.
        let now = self.around.now_ms().max(reserved_at + 1);
        session.status = SessionStatus::Active;
        session.updated_at = now;
        let change = session.status_change(EventStatus::Active, now, uuid(&self.around));
        session.pending_event =
            change.map(|change| PendingEvent::new(&change, call.trace_header.clone(), now));

        let activation = Activation { session: &*session, reserved_at, claim };
        let again = |kind: FaultKind| kind.is_transient();
        let write = || self.sessions.activate(&activation);
        let written = persist(&self.around, &call.limits, deadline, operation, again, write).await;
        let fault = match written {
            Ok(true) => return Activated::Yes,
            Ok(false) => Fault::new(operation, FaultKind::InUse, "the reservation has changed"),
            Err(fault) => fault,
        };
        self.settle(session, reserved_at, &call.limits, fault).await
    }

    /// After an activation that did not clearly succeed: makes sure that it has, or that it never
    /// will. An item that became active after its channel was deleted would be a trap.
    async fn settle(
        &self,
        session: &Session,
        reserved_at: u64,
        limits: &Limits,
        fault: Fault,
    ) -> Activated {
        let (id, operation) = (&session.session_id, "UpdateItem");
        let deadline = self.around.monotonic() + limits.event;
        let again = |kind: FaultKind| kind.is_transient();
        let now = session.updated_at + 1;
        let forestall = || self.sessions.forestall(id, reserved_at, now);
        match persist(&self.around, limits, deadline, operation, again, forestall).await {
            Ok(true) => return Activated::No(fault),
            Ok(false) => {} // Changed, by our activation or by our own repeated forestalling.
            Err(_) => return Activated::Unknown(fault),
        }
        let read = || self.sessions.get(id);
        match persist(&self.around, limits, deadline, "GetItem", again, read).await {
            Ok(Some(item)) if item.status.is_live() => Activated::Yes,
            Ok(_) => Activated::No(fault),
            Err(_) => Activated::Unknown(fault),
        }
    }
}

/// An active session, and its event apart from it.
fn to_announce(mut session: Session, budget: Duration) -> Created {
    let session_id = session.session_id.clone();
    let event = session.pending_event.take();
    let announcement = event.map(|event| Announcement { session_id, event, budget });
    Created { session, announcement }
}

#[cfg(test)]
mod tests;
