//! Creates a session, `POST /sessions`, as a saga.
//!
//! ```text
//! reserve id ─► channel ∥ stream ─► both ACTIVE ─► map ─► endpoints ─► activate ─► respond ─► emit
//!     │           └────────── undone in reverse if a step fails ──────────┘       never fails ┘
//!     └─ deleted last: while a resource may remain, its item must exist
//! ```
//!
//! The id is reserved before any resource is created, and released after all resources are removed.
//! Therefore, at every moment and after any crash, each channel and stream has an item through
//! which the health check finds it.

use std::time::Duration;

mod activate;
mod build;
mod claims;
use activate::Activated;
use claims::Earlier;

use crate::{
    Call, Claim, Done, Error, ErrorKind, FollowUp, IdempotencyKey, Language, Notice, QualityTier,
    Session, SessionId, SessionService, SessionStatus,
    limits::persist,
    ports::{Clock, Journal, Ports, Reservation, Reserved, Sessions},
    undo::Made,
};

/// Parameters of a new session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// The JWT `sub` of the speaker.
    pub speaker_id: String,
    /// The language of the speech.
    pub source_language: Language,
    /// The languages to translate to, without duplicates.
    pub target_languages: Vec<Language>,
    /// Quality of transcription and translation.
    pub quality_tier: QualityTier,
}

/// Maximum number of ids tried. The first attempts draw from 59 million ids and later ones use more
/// digits, so eight collisions in a row indicate another problem.
const ID_ATTEMPTS: u32 = 8;

/// Lifetime of the item: 24 h from creation, so that clients can read a session after its end.
const ITEM_LIFE_SECONDS: u64 = 24 * 60 * 60;

impl<P: Ports> SessionService<P> {
    /// Creates a session. When this returns, a speaker can connect; [`finish`](Self::finish) then
    /// emits the event for the consumer. A repeated request with the same key returns the response
    /// of the first one.
    ///
    /// # Errors
    /// Returns the error of the step that failed or timed out; this call or the health check
    /// removes the resources created before it. [`Error::retry_after`] returns whether a retry can
    /// succeed. A rejected request returns [`Error::TooManySessions`], [`Error::KeyReused`] or
    /// [`Error::InProgress`].
    pub async fn create(
        &self,
        new: &NewSession,
        key: Option<&IdempotencyKey>,
        call: &Call,
    ) -> Result<Done<Session>, Error> {
        let started = self.around.monotonic();
        let created = self.open_under_free_id(new, key, call, started).await;
        match &created {
            Ok(Done { answer: session, follow_up: Some(_) }) => {
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

    async fn open_under_free_id(
        &self,
        new: &NewSession,
        key: Option<&IdempotencyKey>,
        call: &Call,
        started: Duration,
    ) -> Result<Done<Session>, Error> {
        // Reserves a part of the budget for resolving an activation with an unknown outcome.
        let deadline = started + call.limits.creation.saturating_sub(call.limits.event);
        let hold = call.limits.request_hold;
        let mut claim = key.map(|key| Claim::new(new, key, self.around.now_ms(), hold));
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
                        Earlier::Answered(session) => return Ok(Done::whole(*session)),
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
        // A call whose response was lost is not retried with the same id, because the id would then
        // appear taken. The item it may have written stays `creating`, and the health check removes
        // it.
        let again = |kind| kind == ErrorKind::Throttled;
        let reservation = Reservation { session, most: self.most_sessions, claim };
        let insert = || self.sessions.insert(&reservation);
        persist(&self.around, &call.limits, deadline, "TransactWriteItems", again, insert)
            .await
            .map_err(Error::Store)
    }

    /// Runs all steps after the reservation and undoes them on failure. Returns `None` if a channel
    /// or stream with the session's name already exists, although the id was free.
    async fn open(
        &self,
        mut session: Session,
        claim: Option<&Claim>,
        call: &Call,
        deadline: Duration,
    ) -> Result<Option<Done<Session>>, Error> {
        let reserved_at = session.updated_at;
        let mut made = Made::NOTHING;
        let built = self.build(&mut session, &mut made, &call.limits, deadline).await;
        let fault = match built {
            Err(fault) => fault,
            Ok(()) => match self.activate(&mut session, reserved_at, claim, call, deadline).await {
                Activated::Yes => {
                    let follow_up = FollowUp::announce(&mut session, call);
                    return Ok(Some(Done { answer: session, follow_up }));
                }
                Activated::No(fault) => fault,
                Activated::Unknown(fault) => {
                    // The session is either active and complete, or still `creating`. The health
                    // check handles both.
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
}

#[cfg(test)]
mod tests;
