//! Creates a session, `POST /sessions`, as a saga.
//!
//! ```text
//! reserve id ─► channel ∥ stream ─► both ACTIVE ─► map ─► endpoints ─► activate ─► respond ─► emit
//!     │           └──────── compensated in reverse if a step fails ───────┘       never fails ┘
//!     └─ deleted last: while a resource may remain, its item must exist
//!
//! read warm pairs ─► reserve the id of one and take it ─► activate ─► respond ─► emit
//! ```
//!
//! With a [warm pair](crate::WarmPair), channel and stream exist already and are mapped. Everything
//! else is the same, also what compensates for a failure.
//!
//! The id is reserved before any resource is created, and released after all resources are removed.
//! Therefore, at every moment and after any crash, each channel and stream has an item through
//! which the health check finds it.

use tokio::time::Instant;

mod activate;
mod build;
mod conflicts;
mod pairs;
use activate::ActivationOutcome;
use conflicts::PriorRequest;

use crate::{
    Call, Completed, DomainEvent, Error, IdempotencyClaim, IdempotencyKey, Language, PairUse,
    PostResponse, QualityTier, Session, SessionId, SessionService, SessionStatus, WarmPair,
    compensate::CreatedResources,
    limits::CallBudget,
    ports::{Clock, Ports, Reservation, ReservationOutcome, Reservations, Telemetry, millis},
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

impl<P: Ports> SessionService<P> {
    /// Creates a session. When this returns, a speaker can connect;
    /// [`run_post_response`](Self::run_post_response) then emits the event for the consumer. A
    /// repeated request with the same key returns the response of the first one.
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
    ) -> Result<Completed<Session>, Error> {
        let started = self.ctx.instant();
        let created = self.open_under_free_id(new, key, call, started).await;
        match &created {
            Ok((Completed { response: session, post_response: Some(_) }, pair)) => {
                let latency = self.ctx.instant().saturating_duration_since(started);
                let (latency_ms, pair) = (millis(latency), *pair);
                let session_id = &session.session_id;
                self.ctx.record(&DomainEvent::SessionCreated { session_id, latency_ms, pair });
            }
            Err(error) if error.is_failure() => {
                self.ctx.record(&DomainEvent::SessionFailed { error });
            }
            _ => {}
        }
        created.map(|(created, _)| created)
    }

    async fn open_under_free_id(
        &self,
        new: &NewSession,
        key: Option<&IdempotencyKey>,
        call: &Call,
        started: Instant,
    ) -> Result<(Completed<Session>, PairUse), Error> {
        // Keeps a part of the budget for resolving an activation with an unknown outcome.
        let deadline = started + call.limits.creation.saturating_sub(call.limits.event);
        let budget = CallBudget::until(&self.ctx, &call.limits, deadline);
        let hold = call.limits.request_hold;
        let mut claim = key.map(|key| IdempotencyClaim::new(new, key, self.ctx.now_ms(), hold));
        let mut pairs = self.usable_pairs(call).await;
        for attempt in 0..ID_ATTEMPTS {
            let pair = pairs.last();
            let drawn = || SessionId::generate(&self.ctx, attempt);
            let id = pair.map_or_else(drawn, |pair| pair.session_id.clone());
            let session = self.reservation(new, id);
            match self.reserve(&session, claim.as_ref(), pair, &budget).await? {
                ReservationOutcome::Reserved => {
                    let opened = self.open(session, claim.as_ref(), pair, call, &budget).await?;
                    if let Some(created) = opened {
                        let used = self.pair_use(pair);
                        return Ok((created, used));
                    }
                }
                ReservationOutcome::IdTaken | ReservationOutcome::PairTaken => {
                    pairs.pop();
                }
                ReservationOutcome::QuotaReached => {
                    self.release_unused_slots(&new.speaker_id, call).await?
                }
                ReservationOutcome::KeyInUse => {
                    let Some(claim) = &mut claim else { continue };
                    match self.prior_request(claim, call).await? {
                        PriorRequest::Answered(session) => {
                            return Ok((Completed::new(*session), PairUse::Off));
                        }
                        PriorRequest::Failed(session_id) => claim.supersedes = session_id,
                    }
                }
            }
        }
        Err(Error::NoFreeId { attempts: ID_ATTEMPTS })
    }

    fn reservation(&self, new: &NewSession, session_id: SessionId) -> Session {
        let now = self.ctx.now_ms();
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
            expires_at: now / 1000 + self.max_session.as_secs(),
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
        claim: Option<&IdempotencyClaim>,
        pair: Option<&WarmPair>,
        budget: &CallBudget<'_, P::Context>,
    ) -> Result<ReservationOutcome, Error> {
        // A call whose response was lost is not retried with the same id, because the id would then
        // appear taken. The item it may have written stays `creating`, and the health check removes
        // it.
        let reservation = Reservation { session, max_sessions: self.max_sessions, claim, pair };
        let reserve = || self.sessions.reserve(&reservation);
        Ok(budget.at_most_once("TransactWriteItems", reserve).await?)
    }

    /// Runs all steps after the reservation, and compensates for them on failure. Returns `None` if
    /// a channel or stream with the session's name already exists, although the id was free.
    /// A session with a warm pair is never in that case.
    async fn open(
        &self,
        mut session: Session,
        claim: Option<&IdempotencyClaim>,
        pair: Option<&WarmPair>,
        call: &Call,
        budget: &CallBudget<'_, P::Context>,
    ) -> Result<Option<Completed<Session>>, Error> {
        let reserved_at = session.updated_at;
        let mut created = CreatedResources::NONE;
        let built = match pair.and_then(|pair| pair.media.as_ref()) {
            Some(media) => {
                created = CreatedResources::of(media);
                session.use_pair(media);
                Ok(())
            }
            None => self.build(&mut session, &mut created, budget).await,
        };
        let cause = match built {
            Err(cause) => cause,
            Ok(()) => match self.activate(&mut session, reserved_at, claim, call, budget).await {
                ActivationOutcome::Committed => {
                    let post_response = PostResponse::announce(&mut session, call);
                    return Ok(Some(Completed { response: session, post_response }));
                }
                ActivationOutcome::Rejected(cause) => cause,
                ActivationOutcome::Indeterminate(cause) => {
                    // The session is either active and complete, or still `creating`. The health
                    // check handles both.
                    let session_id = session.session_id;
                    self.ctx.record(&DomainEvent::CleanupDeferred {
                        session_id: &session_id,
                        cause: &cause,
                    });
                    return Err(Error::Creation { session_id, cause });
                }
            },
        };
        let end = budget.deadline + call.limits.event + call.limits.compensation;
        self.compensate(&session.session_id, &created, &call.limits, end).await;
        if let Some(claim) = claim {
            self.delete_record(claim, &session.session_id, call).await;
        }
        if created.name_is_taken() {
            return Ok(None);
        }
        Err(Error::Creation { session_id: session.session_id, cause })
    }
}

#[cfg(test)]
mod tests;
