//! Reconciles what should be (Sessions) with what is (Streams, KVS), every five minutes.
//!
//! The last resort behind every lost event, killed run and interrupted request. Each duty is
//! idempotent and bounded, and two health checks at once do no harm: what is restarted twice is
//! carried once (the lease), what is emitted twice has one `eventId`, and what is deleted was claimed
//! before by a conditional write. A duty that fails is logged and does not keep the others from
//! theirs; the run then fails as a whole, so that it shows.

mod clean;
mod dead_letters;
mod farewell;
mod reap;
mod removal;
mod resend;
mod restart;

use std::time::Duration;

use relay::{Clock, SystemClock};
use serde::Serialize;
use session::ports::Sessions as _;
use session::{PortError, Session, SessionId, SessionStatus, metrics as table};

use crate::ports::Aws;

/// A record that changed within this time is left to whoever is working on it.
const SETTLED: Duration = Duration::from_secs(3 * 60);
/// Time between two health checks, as the template schedules them.
const EVERY: Duration = Duration::from_secs(5 * 60);
/// Every how many runs the listings of KVS are swept for what has no record.
const SWEEP: u64 = 12;

/// Longest time for the emission of one event. It is not divided by TIME_SCALE: an answer takes as long
/// on any clock.
const EMISSION: Duration = Duration::from_secs(10);

/// What one run did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    /// Streams that someone is delivering.
    pub(crate) active_streams: u64,
    /// Sessions started or stopped again.
    pub(crate) restarted: u64,
    /// Sessions whose checkpoint only another build can read.
    pub(crate) unreadable: u64,
    /// Pending events emitted.
    pub(crate) resent: u64,
    /// Sessions ended for silence or age.
    pub(crate) ended: u64,
    /// Listeners of ended sessions who had not been told yet.
    pub(crate) told: u64,
    /// Sessions whose channel and stream were removed.
    pub(crate) cleaned: u64,
    /// Resources without a record that were removed.
    pub(crate) swept: u64,
}

/// One run's view of the world.
struct Check<'a> {
    aws: &'a Aws,
    now_ms: u64,
}

impl Check<'_> {
    /// Milliseconds of wall time, scaled.
    fn millis(&self, duration: Duration) -> u64 {
        relay::ports::millis(self.aws.config.scale.wall(duration))
    }

    /// The sessions of a status that are old enough to be looked after, read consistently; those
    /// that left the status meanwhile are gone from the answer.
    ///
    /// Old enough means created a while ago for those that run, because every listener who comes or
    /// goes changes their record, and unchanged for a while for all others.
    async fn settled(&self, status: SessionStatus) -> Result<Vec<Session>, PortError> {
        let before = if status.is_live() { self.now_ms } else { self.settled_before() };
        // An ended session that has no stream any more was cleaned: nothing is left to do for it.
        let has = if status == SessionStatus::Ended { "kvsStreamArn" } else { "createdAt" };
        let mut sessions = self.changed_before(status, before, has).await?;
        sessions.retain(|session| self.is_settled(session));
        Ok(sessions)
    }

    /// The sessions of a status, the youngest too.
    async fn all(&self, status: SessionStatus) -> Result<Vec<Session>, PortError> {
        self.changed_before(status, self.now_ms, "createdAt").await
    }

    fn is_settled(&self, session: &Session) -> bool {
        session.created_at < self.settled_before()
    }

    fn settled_before(&self) -> u64 {
        self.now_ms.saturating_sub(self.millis(SETTLED))
    }

    async fn changed_before(
        &self,
        status: SessionStatus,
        before: u64,
        attribute: &str,
    ) -> Result<Vec<Session>, PortError> {
        let ids = self.aws.sessions.with_status(status, before, attribute).await?;
        self.fresh(ids, status).await
    }

    async fn fresh(
        &self,
        ids: Vec<SessionId>,
        status: SessionStatus,
    ) -> Result<Vec<Session>, PortError> {
        let mut sessions = Vec::new();
        for id in ids {
            let session = match self.aws.sessions.get(&id).await {
                Ok(session) => session,
                // A record that cannot be read never will be: the others must not wait for it.
                Err(error) if !error.is_retryable() => {
                    tracing::error!(sessionId = %id, %error, "health check: record passed over");
                    continue;
                }
                Err(error) => return Err(error),
            };
            // Nothing of another environment is touched, even in a shared table.
            sessions.extend(session.filter(|session| {
                session.status == status && session.env == self.aws.config.environment
            }));
        }
        Ok(sessions)
    }

    /// Whether this run sweeps.
    fn sweeps(&self) -> bool {
        (self.now_ms / self.millis(EVERY).max(1)).is_multiple_of(SWEEP)
    }
}

/// What a duty comes to over many sessions: one that fails is logged and keeps no other from its
/// turn; the first failure is the duty's.
#[derive(Default)]
struct Turns(Option<PortError>);

impl Turns {
    fn take(&mut self, session: &SessionId, result: Result<(), PortError>) {
        if let Err(error) = result {
            tracing::error!(sessionId = %session, %error, "health check: this session's turn failed");
            self.0.get_or_insert(error);
        }
    }

    fn result(self) -> Result<(), PortError> {
        self.0.map_or(Ok(()), Err)
    }
}

/// Runs every duty once.
///
/// # Errors
/// The first failure of a duty, after all of them had their turn.
pub(crate) async fn run(aws: &Aws) -> Result<Summary, PortError> {
    let check = Check { aws, now_ms: SystemClock.now_ms() };
    let mut summary = Summary::default();
    // Events first: an ACTIVE that was never emitted makes its restart unnecessary.
    let results = [
        ("resend", resend::run(&check, &mut summary).await),
        ("reap", reap::run(&check, &mut summary).await),
        ("restart", restart::run(&check, &mut summary).await),
        ("farewell", farewell::run(&check, &mut summary).await),
        ("clean", clean::run(&check, &mut summary).await),
    ];
    aws.meter.count(table::ACTIVE_STREAMS, summary.active_streams);
    aws.meter.count(table::STREAMS_CLEANED_UP, summary.ended);
    aws.meter.count(table::CHECKPOINT_UNREADABLE, summary.unreadable);
    aws.meter.count(table::HEALTH_CHECK_COUNT, 1);
    tracing::info!(summary = %serde_json::json!(summary), "health check done");
    let mut outcome = Ok(summary);
    for (duty, result) in results {
        if let Err(error) = result {
            tracing::error!(duty, %error, "health check: a duty failed");
            outcome = outcome.and(Err(error));
        }
    }
    outcome
}
